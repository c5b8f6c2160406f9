"""Acts on single messages or packets, chosen by kind, sender, receiver and frequency."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context
from snugroom.wire.limits import AUDIO_PAYLOAD_TYPE
from snugroom.wire.messages import (
    Broadcast,
    Broadcasted,
    ClientMessage,
    Commit,
    Committed,
    Message,
    Relay,
    Relayed,
)

TargetKind = Literal["relays", "broadcasts", "commits", "frames", "audio", "video"]
BlobMessage = Relayed | Broadcasted | Committed
_BLOB_MESSAGES = (Relayed, Broadcasted, Committed)
_KINDS: dict[type[Message], TargetKind] = {Relayed: "relays", Broadcasted: "broadcasts", Committed: "commits"}
_AUTHORS_MAX = 4096


class Target(Orders, frozen=True):
    """The target of an act. `sender` and `receiver` are numbers by arrival; None means everybody.

    The act hits every `every`-th message or packet of the target.
    """

    what: TargetKind = "frames"
    sender: int | None = None
    receiver: int | None = None
    every: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1


class TargetedAct(Act):
    """An act on single messages or packets. `message` and `frame` replace those that it hits."""

    orders_type = Target

    def __init__(self, context: Context, orders: Target) -> None:
        super().__init__(context)
        self.target = orders
        self._count = 0
        self._authors: dict[bytes, int | None] = {}

    def message(self, handle: bytes, message: BlobMessage, now: float) -> Sequence[Message]:
        """Return the replacement of a message that is hit."""
        return (message,)

    def frame(self, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        """Return the replacement of an RTP packet that is hit."""
        return (packet,)

    def missed(self, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        """Return the replacement of an RTP packet of the target that is not hit."""
        return (packet,)

    def _hit(self) -> bool:
        self._count += 1
        return self._count % self.target.every == 0

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        if isinstance(message, Relay | Broadcast | Commit) and self.target.sender is not None:
            self._authors[message.blob] = self.context.participants.number(handle)
            if len(self._authors) > _AUTHORS_MAX:
                del self._authors[next(iter(self._authors))]
        return (message,)

    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]:
        target = self.target
        if not isinstance(message, _BLOB_MESSAGES) or _KINDS[type(message)] != target.what:
            return (message,)
        receiver = self.context.participants.number(handle)
        if target.receiver not in (None, receiver):
            return (message,)
        if target.sender is not None and self._authors.get(message.blob) != target.sender:
            return (message,)
        return self.message(handle, message, now) if self._hit() else (message,)

    def rtp(self, sender: int | None, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        target = self.target
        if target.what not in ("frames", "audio", "video"):
            return (packet,)
        audio = packet[1] & 0x7F == AUDIO_PAYLOAD_TYPE
        if target.what != "frames" and audio != (target.what == "audio"):
            return (packet,)
        if target.sender not in (None, sender) or target.receiver not in (None, receiver):
            return (packet,)
        if self._hit():
            return self.frame(receiver, packet, now)
        return self.missed(receiver, packet, now)


def ssrc_of(packet: bytes) -> int:
    """Return the SSRC of an RTP packet."""
    return int.from_bytes(packet[8:12], "big")


def sequence_of(packet: bytes) -> int:
    """Return the sequence number of an RTP packet."""
    return int.from_bytes(packet[2:4], "big")


def with_sequence(packet: bytes, sequence: int) -> bytes:
    """Return `packet` with another sequence number. A server can do so, as it writes the RTP header."""
    return packet[:2] + struct.pack("!H", sequence & 0xFFFF) + packet[4:]


def with_ssrc(packet: bytes, ssrc: int) -> bytes:
    """Return `packet` with another SSRC."""
    return packet[:8] + struct.pack("!L", ssrc) + packet[12:]


class SequenceNumbers:
    """Continuous sequence numbers for each receiver and stream, so that added packets leave no trace."""

    def __init__(self) -> None:
        self._last: dict[tuple[int | None, int], int] = {}

    def next(self, receiver: int | None, packet: bytes, last: int | None = None) -> bytes:
        """Return `packet` with the sequence number after the last one of this receiver and stream.

        For their first packet, `last` is the number before; without it, that packet keeps its own number.
        """
        key = (receiver, ssrc_of(packet))
        last = self._last.get(key, last)
        sequence = sequence_of(packet) if last is None else last + 1
        self._last[key] = sequence
        return with_sequence(packet, sequence)
