"""Flip one bit in a blob, or in the ciphertext of a frame."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from snugroom.lab.hostile.targets import BlobMessage, TargetedAct
from snugroom.wire.messages import Commit, Committed, Message


def flipped(data: bytes, at: int) -> bytes:
    """Return `data` with the lowest bit of byte `at` flipped. A negative `at` counts from the end."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


class Flip(TargetedAct):
    name = "flip"
    about = "alter one bit of messages or frames; a commit's chain and receipt are made to fit"

    def message(self, handle: bytes, message: BlobMessage, now: float) -> Sequence[Message]:
        self.did(f"altered one of the {self.target.what}")
        blob = flipped(message.blob, len(message.blob) // 2)
        if not isinstance(message, Committed):
            return (msgspec.structs.replace(message, blob=blob),)
        room = self.context.room()
        return (room.committed_as(room.chain_before, Commit(message.slot, blob)),)

    def frame(self, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        self.did(f"altered one of the {self.target.what}")
        return (flipped(packet, -1),)
