"""Drop messages or frames to their receivers."""

from __future__ import annotations

from collections.abc import Sequence

from snugroom.lab.hostile.targets import BlobMessage, TargetedAct
from snugroom.wire.messages import Message


class Drop(TargetedAct):
    name = "drop"
    about = "drop messages, beats, commits or frames: of one to another, of all, every n-th"

    def message(self, handle: bytes, message: BlobMessage, now: float) -> Sequence[Message]:
        self.did(f"dropped one of the {self.target.what}")
        return ()

    def frame(self, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        self.did(f"dropped one of the {self.target.what}")
        return ()
