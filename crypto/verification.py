"""The code that people compare to know that they are in the same meeting, with nobody between them
(docs/protocol.md, section 8).

The *long* code is 40 decimal digits, from a value that only the members of this epoch can compute and the
hash of all that led to it. 40 digits are 132 bits: a committer who wanted two groups to show the same code,
and could choose keys on both sides, would need about 2^66 trials; with 30 digits 2^50 would do.

The *short* code (four emoji by commit and reveal) will live here too.
"""

from __future__ import annotations

from typing import Final

from crypto.fields import exactly
from crypto.kdf import H

DIGITS: Final = 40
_GROUP: Final = 5


def long_code(epoch_authenticator: bytes, confirmed_transcript_hash: bytes) -> str:
    """40 digits of ``H("snug 1 code" | epoch_authenticator | confirmed_transcript_hash)``, without spaces.

    Both values (RFC 9420 sections 8.7 and 8.2) have 32 bytes, else MalformedError; only in epoch 0 the
    transcript hash is empty. The 256-bit hash is taken modulo 10^40; some codes are thereby likelier than
    others by 10^40 / 2^256, which is less than 2^-123.
    """
    digest = H(
        b"snug 1 code",
        exactly(epoch_authenticator, 32, "an epoch authenticator"),
        confirmed_transcript_hash and exactly(confirmed_transcript_hash, 32, "a transcript hash"),
    )
    return f"{int.from_bytes(digest, 'big') % 10**DIGITS:0{DIGITS}d}"


def spoken(code: str) -> str:
    """The code as people read it out: eight groups of five digits, a space between."""
    return " ".join(code[i : i + _GROUP] for i in range(0, len(code), _GROUP))
