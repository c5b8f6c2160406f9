"""The envelope: an outer layer that hides MLS metadata from the server.

docs/reference/protocol.md, section 5.

A PrivateMessage reveals group id, epoch, content type and authenticated_data. In its envelope, a blob reveals
only its size bucket and the slot at which the sender's epoch began, which the server knows already.

    blob = epoch slot (8 bytes) | nonce (12) | AES-256-GCM(envelope key, padded payload) | tag (16)

with ``"snug 1 " kind | room number (16) | epoch slot (8)`` as associated data.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, Literal

from snugroom.crypto import kdf
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.fields import Reader, padded, prefixed, uint, unpadded
from snugroom.crypto.kdf import SEAL_OVERHEAD, Rng

Kind = Literal["commit", "relay", "beat", "signatures", "vouch", "piece"]

_SLOT: Final = 8
#: Bytes of a blob besides payload and padding: slot, seal, length of the payload.
OVERHEAD: Final = _SLOT + SEAL_OVERHEAD + 4


def _aad(kind: Kind, room: bytes, epoch_slot: int) -> bytes:
    return b"snug 1 " + kind.encode() + room + uint(epoch_slot, _SLOT)


def seal(
    key: bytes,
    kind: Kind,
    room: bytes,
    epoch_slot: int,
    payload: bytes,
    buckets: Sequence[int],
    *,
    rng: Rng = os.urandom,
) -> bytes:
    """Seal `payload` in the smallest fitting size of `buckets` (bytes). MalformedError if none fits."""
    for size in buckets:
        if len(payload) + OVERHEAD <= size:
            inner = padded(payload, size - _SLOT - SEAL_OVERHEAD)
            sealed = kdf.seal(key, inner, _aad(kind, room, epoch_slot), rng=rng)
            return uint(epoch_slot, _SLOT) + sealed
    raise MalformedError(f"{len(payload)} bytes are more than one message can carry")


def epoch_slot(blob: bytes) -> int:
    """Return the slot at which the sender's epoch began. It is unauthenticated until `open` succeeds."""
    return Reader(blob).uint(_SLOT)


def open(key: bytes, kind: Kind, room: bytes, blob: bytes) -> bytes:
    """Return the payload. AuthenticationError or MalformedError if it was not sealed under this key."""
    began = epoch_slot(blob)
    return unpadded(kdf.unseal(key, blob[_SLOT:], _aad(kind, room, began)))


def pack(messages: Sequence[bytes]) -> bytes:
    """Combine several MLSMessages in one payload: by-reference proposals first, the commit last.

    A commit travels with the proposals that it refers to, so its validation does not depend on other
    messages.
    """
    return uint(len(messages), 1) + b"".join(prefixed(m, 4) for m in messages)


def unpack(payload: bytes) -> list[bytes]:
    """Return the messages passed to `pack`. MalformedError on other input, and on an empty list."""
    reader = Reader(payload)
    messages = [reader.prefixed(4) for _ in range(reader.uint(1))]
    reader.end()
    if not messages:
        raise MalformedError("a blob must have at least one message")
    return messages
