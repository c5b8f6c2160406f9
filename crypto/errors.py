"""Error classes of `crypto`. The class says which party is at fault and how the caller reacts.

Each message says what happened and why. The class alone is enough to decide what to do.
"""

from __future__ import annotations


class SnugCryptoError(Exception):
    """Base class of all errors raised by `crypto`."""


class MalformedError(SnugCryptoError):
    """The bytes do not have the expected form: too short, too long, wrong tag, or not canonical.

    The sender or an intermediary is at fault; drop the input.
    """


class UnsupportedError(SnugCryptoError):
    """The input is well formed, but its version, suite or type is unsupported."""


class AuthenticationError(SnugCryptoError):
    """A signature, MAC or AEAD tag did not verify. No part of the input may be used."""


class ReplayError(SnugCryptoError):
    """The input has been seen before, or is too old to rule that out."""


class ValidationError(SnugCryptoError):
    """The input breaks a numbered rule. `rule` names it (``"SNUG-7"``, ``"MLS-12.2-3"``), `text` says how.

    The author of the input is at fault, and is known if its signature has verified.
    """

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule
        self.text = text


class StateError(SnugCryptoError):
    """The caller requested an operation that its own state does not allow: a bug in the caller."""


class MissingKeyError(SnugCryptoError):
    """The required key is absent: it is from another epoch, deleted, or was never received."""
