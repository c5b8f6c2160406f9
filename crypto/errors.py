"""Error classes of `crypto`. The class says which party is at fault and how the caller reacts.

Each message says what happened and why. The class alone is enough to decide what to do.
"""

from __future__ import annotations

from snugroom.wire.errors import MalformedError, SnugError, UnsupportedError

__all__ = [
    "AuthenticationError",
    "MalformedError",
    "MissingKeyError",
    "ReplayError",
    "SnugError",
    "StateError",
    "UnsupportedError",
    "ValidationError",
]


class AuthenticationError(SnugError):
    """A signature, MAC or AEAD tag did not verify. No part of the input may be used."""


class ReplayError(SnugError):
    """The input has been seen before, or is too old to rule that out."""


class ValidationError(SnugError):
    """The input breaks a numbered rule. `rule` names it (``"SNUG-7"``, ``"MLS-12.2-3"``), `text` says how.

    The author of the input is at fault, and is known if its signature has verified.
    """

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule
        self.text = text


class StateError(SnugError):
    """The caller requested an operation that its own state does not allow: a bug in the caller."""


class MissingKeyError(SnugError):
    """The required key is absent: it is from another epoch, deleted, or was never received."""
