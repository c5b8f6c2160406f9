"""Ask for media that reveals the speaker: variable bitrate, DTX, audio levels, another codec."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from snugroom.lab.hostile.act import Act, Orders
from snugroom.lab.hostile.context import Context, raw
from snugroom.wire.limits import AUDIO_PAYLOAD_TYPE
from snugroom.wire.messages import Message, Transport

#: URI of the audio level header extension (RFC 6464).
_LEVELS = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


class VbrAndLevelsOrders(Orders, frozen=True):
    """The connection of `victim` is aborted, so that it connects again and gets the request."""

    victim: int


class VbrAndLevels(Act):
    name = "vbr_and_levels"
    about = "ask for variable bitrate, DTX, audio levels and another codec; look for it in what comes"
    orders_type = VbrAndLevelsOrders

    def __init__(self, context: Context, orders: VbrAndLevelsOrders) -> None:
        super().__init__(context)
        self._orders = orders
        self._sizes: set[int] = set()
        self._extended = 0
        self._others = 0
        self._asked = False

    def begin(self, now: float) -> None:
        self.context.drop(self._orders.victim)

    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]:
        if isinstance(message, Transport) and not self._asked:
            # only once: a client that refuses the unknown fields disconnects, and connects again
            self._asked = True
            self.did("asked for variable bitrate and audio levels")
            sdp = "a=fmtp:111 cbr=0;usedtx=1;maxaveragebitrate=510000"
            return (
                raw(message, codecs=["PCMU", "opus"], sdp=sdp, extensions={"1": _LEVELS}, vbr=True, dtx=True),
                message,
            )
        return (message,)

    def rtp(self, sender: int | None, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        """Add an audio level to audio packets to the victim, in case its client then sends one too."""
        if receiver != self._orders.victim or packet[0] & 0x10 or packet[1] & 0x7F != AUDIO_PAYLOAD_TYPE:
            return (packet,)
        self.did("put an audio level on a packet")
        level = b"\xbe\xde" + struct.pack("!H", 1) + b"\x10\x2a\0\0"
        return (bytes([packet[0] | 0x10]) + packet[1:12] + level + packet[12:],)

    def packet(self, sender: int | None, packet: bytes, now: float) -> None:
        if sender == self._orders.victim and packet[1] & 0x7F == AUDIO_PAYLOAD_TYPE:
            self._sizes.add(_ciphertext(packet[12:]))
            self._extended += bool(packet[0] & 0x10)
        elif sender == self._orders.victim and packet[1] & 0x7F not in (AUDIO_PAYLOAD_TYPE, 96):
            self._others += 1

    def end(self, now: float) -> None:
        self.did("looked", sizes=sorted(self._sizes), levels=self._extended, other_codecs=self._others)


def _ciphertext(frame: bytes) -> int:
    """Return the bytes of a sealed frame without its header, which grows with the counter (RFC 9605 4.3)."""
    key, counter = frame[0] >> 4, frame[0] & 15
    return len(frame) - 1 - sum((code & 7) + 1 for code in (key, counter) if code >= 8)
