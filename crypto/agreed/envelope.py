"""The envelope: an outer layer that hides MLS metadata from the server.

docs/reference/protocol.md, section 5.

A PrivateMessage reveals group id, epoch, content type and authenticated_data. In its envelope, a blob reveals
only its size bucket and the slot at which the sender's epoch began, which the server knows already.

    blob = head | nonce (12) | AES-256-GCM(envelope key, padded payload) | tag (16)
    head = epoch slot (8 bytes), in a commit's blob epoch slot (8) | gate (32)

with ``"snug 1 " kind | room number (16) | head`` as associated data. The server applies the gate of a
commit's blob. The gate is part of the blob, so that the server's receipt covers it, and nobody can show the
members another gate than the server.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from snugroom.crypto import kdf
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.fields import Reader, exactly, padded, uint, unpadded
from snugroom.crypto.kdf import SEAL_OVERHEAD, Rng
from snugroom.wire.layout import Bytes, Items, Layout

Kind = Literal["commit", "relay", "beat", "signatures", "vouch", "piece"]

_SLOT: Final = 8
GATE: Final = 32
#: Bytes of a blob besides payload and padding: slot, seal, length of the payload. A commit's has a gate more.
OVERHEAD: Final = _SLOT + SEAL_OVERHEAD + 4


@dataclass(frozen=True, slots=True)
class Messages(Layout, name="messages"):
    """The MLSMessages in one payload: by-reference proposals first, the commit last."""

    messages: Annotated[tuple[Annotated[bytes, Bytes(4)], ...], Items(1, most=255)]

    def check(self) -> None:
        """Raise MalformedError if there is none."""
        if not self.messages:
            raise MalformedError("a blob must have at least one message")


def _head_size(kind: Kind) -> int:
    return _SLOT + GATE if kind == "commit" else _SLOT


def _aad(kind: Kind, room: bytes, head: bytes) -> bytes:
    return b"snug 1 " + kind.encode() + room + head


def seal(
    key: bytes,
    kind: Kind,
    room: bytes,
    epoch_slot: int,
    payload: bytes,
    buckets: Sequence[int],
    *,
    gate: bytes = b"",
    rng: Rng = os.urandom,
) -> bytes:
    """Seal `payload` in the smallest fitting size of `buckets` (bytes). `gate` is that of a commit's slot.

    MalformedError if no size fits, or if the gate has another size than the kind requires.
    """
    head = uint(epoch_slot, _SLOT) + exactly(gate, _head_size(kind) - _SLOT, "a gate")
    for size in buckets:
        if len(payload) + OVERHEAD + len(gate) <= size:
            inner = padded(payload, size - len(head) - SEAL_OVERHEAD)
            return head + kdf.seal(key, inner, _aad(kind, room, head), rng=rng)
    raise MalformedError(f"{len(payload)} bytes are more than one message can carry")


def epoch_slot(blob: bytes) -> int:
    """Return the slot at which the sender's epoch began. It is unauthenticated until `open` succeeds."""
    return Reader(blob).uint(_SLOT)


def gate(blob: bytes) -> bytes:
    """Return the gate (32 bytes) of a commit's blob. It is unauthenticated until `open` succeeds."""
    return Reader(blob).take(_SLOT + GATE)[_SLOT:]


def open(key: bytes, kind: Kind, room: bytes, blob: bytes) -> bytes:
    """Return the payload. AuthenticationError or MalformedError if it was not sealed under this key."""
    head = Reader(blob).take(_head_size(kind))
    return unpadded(kdf.unseal(key, blob[len(head) :], _aad(kind, room, head)))


def pack(messages: Sequence[bytes]) -> bytes:
    """Combine several MLSMessages in one payload: by-reference proposals first, the commit last.

    A commit travels with the proposals that it refers to, so its validation does not depend on other
    messages.
    """
    return Messages(tuple(messages)).encode()


def unpack(payload: bytes) -> list[bytes]:
    """Return the messages passed to `pack`. MalformedError on other input, and on an empty list."""
    return list(Messages.decode(payload).messages)
