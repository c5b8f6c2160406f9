"""Error classes about bytes that came from elsewhere, for server and participants."""

from __future__ import annotations


class SnugError(Exception):
    """Base class of all errors that `wire` and `crypto` raise."""


class MalformedError(SnugError):
    """The bytes do not have the expected form: too short, too long, wrong tag, or not canonical.

    The sender or an intermediary is at fault; drop the input.
    """


class UnsupportedError(SnugError):
    """The input is well formed, but its version, suite or type is unsupported."""
