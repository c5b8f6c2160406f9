"""What a meddling act is aimed at: which kind of thing, whose, on the way to whom, and how often."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from server.hostile.act import Act, Orders
from server.hostile.troupe import Troupe
from server.media.limits import AUDIO_PAYLOAD_TYPE
from server.wire.messages import ClientMessage, Commit, Committed, Message, Passed, PassOn, Relay, Relayed

What = Literal["relays", "passed", "commits", "frames", "sound", "pictures"]
Blobbed = Relayed | Passed | Committed
_BLOBBED = (Relayed, Passed, Committed)
_KINDS: dict[type[Message], What] = {Relayed: "relays", Passed: "passed", Committed: "commits"}
_AUTHORS_MAX = 4096


class Aim(Orders, frozen=True):
    """`sender` and `receiver` are numbers by arrival, None is everybody; every `every`-th is hit."""

    what: What = "frames"
    sender: int | None = None
    receiver: int | None = None
    every: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1


class Meddling(Act):
    """An act on single messages or packets. `message` and `frame` say what becomes of one that is hit."""

    orders_kind = Aim

    def __init__(self, troupe: Troupe, orders: Aim) -> None:
        super().__init__(troupe)
        self.aim = orders
        self._count = 0
        self._authors: dict[bytes, int | None] = {}

    def message(self, handle: bytes, message: Blobbed, now: float) -> Sequence[Message]:
        """What a message that is hit becomes."""
        return (message,)

    def frame(self, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        """What an RTP packet that is hit becomes."""
        return (packet,)

    def past(self, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        """What an RTP packet of the aimed-at kind becomes that isn't the `every`-th."""
        return (packet,)

    def _hit(self) -> bool:
        self._count += 1
        return self._count % self.aim.every == 0

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        if isinstance(message, Relay | PassOn | Commit) and self.aim.sender is not None:
            self._authors[message.blob] = self.troupe.guests.number(handle)
            if len(self._authors) > _AUTHORS_MAX:
                del self._authors[next(iter(self._authors))]
        return (message,)

    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]:
        aim = self.aim
        if not isinstance(message, _BLOBBED) or _KINDS[type(message)] != aim.what:
            return (message,)
        receiver = self.troupe.guests.number(handle)
        if aim.receiver not in (None, receiver):
            return (message,)
        if aim.sender is not None and self._authors.get(message.blob) != aim.sender:
            return (message,)
        return self.message(handle, message, now) if self._hit() else (message,)

    def rtp(self, sender: int | None, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        aim = self.aim
        if aim.what not in ("frames", "sound", "pictures"):
            return (packet,)
        sound = packet[1] & 0x7F == AUDIO_PAYLOAD_TYPE
        if aim.what != "frames" and sound != (aim.what == "sound"):
            return (packet,)
        if aim.sender not in (None, sender) or aim.receiver not in (None, receiver):
            return (packet,)
        if self._hit():
            return self.frame(receiver, packet, now)
        return self.past(receiver, packet, now)


def ssrc_of(packet: bytes) -> int:
    """The SSRC of an RTP packet."""
    return int.from_bytes(packet[8:12], "big")


def sequence_of(packet: bytes) -> int:
    """The sequence number of an RTP packet."""
    return int.from_bytes(packet[2:4], "big")


def numbered(packet: bytes, sequence: int) -> bytes:
    """The same packet under another sequence number: RTP's header is the server's to write."""
    return packet[:2] + struct.pack("!H", sequence & 0xFFFF) + packet[4:]


def of_stream(packet: bytes, ssrc: int) -> bytes:
    """The same packet as a part of another stream."""
    return packet[:8] + struct.pack("!L", ssrc) + packet[12:]


class Numbers:
    """Sequence numbers written anew, for each receiver and stream, so that what is added leaves no trace."""

    def __init__(self) -> None:
        self._last: dict[tuple[int | None, int], int] = {}

    def next(self, receiver: int | None, packet: bytes, last: int | None = None) -> bytes:
        """The packet under the number after the last that this receiver got of its stream.

        `last` is what that was before the first that came through here, if it isn't the packet's own.
        """
        key = (receiver, ssrc_of(packet))
        last = self._last.get(key, last)
        sequence = sequence_of(packet) if last is None else last + 1
        self._last[key] = sequence
        return numbered(packet, sequence)
