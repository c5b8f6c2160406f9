"""The kinds of error that `crypto` raises, named for who must act.

Every message says what happened and why; the caller knows what to do from the kind alone.
"""

from __future__ import annotations


class SnugCryptoError(Exception):
    """Base of all errors raised by `crypto`."""


class MalformedError(SnugCryptoError):
    """Bytes that are not what they claim to be: too short, too long, wrong tag, not canonical.

    The sender (or whoever stands between) is at fault; drop the input.
    """


class UnsupportedError(SnugCryptoError):
    """Well formed, but of a version, suite or type that this code does not speak."""


class AuthenticationError(SnugCryptoError):
    """A signature, MAC or AEAD tag did not verify. Nothing of the input may be used."""


class ReplayError(SnugCryptoError):
    """Seen before, or so old that it can no longer be told from something seen before."""


class ValidationError(SnugCryptoError):
    """A numbered rule is broken. `rule` names it (``"SNUG-7"``, ``"MLS-12.2-3"``), `text` says how.

    The author of the input is at fault, and can be named when its signature has verified.
    """

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule
        self.text = text


class StateError(SnugCryptoError):
    """The caller asked for something that its own state does not allow: a bug of the caller."""


class MissingKeyError(SnugCryptoError):
    """The key needed is not here: another epoch's, deleted, or never given to us."""
