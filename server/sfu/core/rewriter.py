"""The rewriting of a video's numbers at a change of layer.

A receiver sees one SSRC, which carries the packets of one layer at a time. To hide the changes, the SFU adds
constant *offsets* to sequence number, timestamp, PictureID and TL0PICIDX of each packet. `StreamRewriter`
computes new offsets at each change. Sequence numbers are extended here (RFC 3550 A.1), because a segment may
last longer than 2^16 packets.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Final, NamedTuple

from snugroom.wire.limits import VIDEO_CLOCK
from snugroom.wire.rtp import payload_start
from snugroom.wire.vp8 import Descriptor, read_descriptor

#: A pause advances the timestamp by no more than this (about 3 h 18 min). A larger step would count as
#: backwards (modulo 2^32).
_ADVANCE_MAX: Final = 1 << 30
#: Changes of layer that a receiver's requests may still reach back over.
_SEGMENTS_MAX: Final = 8


def layer_descriptor(packet: bytes) -> Descriptor | None:
    """Return the descriptor of a layer's packet; None unless it has a 15-bit PictureID.

    All senders use 15-bit PictureIDs.
    """
    found = read_descriptor(packet, payload_start(packet))
    return found if found is not None and found.bits == 15 else None


# -- continuous numbers ----------------------------------------------------------------------


class StreamPosition(NamedTuple):
    """The position of a stream. `sequence` is extended: it never wraps. `picture_id`, `tl0`: -1 if absent.

    `at`: when the first packet with this timestamp arrived.
    """

    sequence: int
    timestamp: int
    picture_id: int
    tl0: int
    at: float


class Offsets(NamedTuple):
    """Values to add: to the extended sequence number, and to the others modulo 2^32, 2^15 and 2^8."""

    sequence: int
    timestamp: int
    picture_id: int
    tl0: int


NO_OFFSETS: Final = Offsets(0, 0, 0, 0)


def position_of(
    packet: bytes | memoryview, number: int, found: Descriptor | None, now: float
) -> StreamPosition:
    """Return the position of the packet with the extended number `number`; padding has no descriptor."""
    timestamp = int.from_bytes(packet[4:8], "big")
    if found is None:
        return StreamPosition(number, timestamp, -1, -1, now)
    return StreamPosition(number, timestamp, found.picture_id, found.tl0, now)


def furthest_position(latest: StreamPosition | None, new: StreamPosition) -> StreamPosition:
    """Return the furthest position of one layer after `new`."""
    if latest is None:
        return new
    if new.sequence <= latest.sequence:
        return latest
    return StreamPosition(
        new.sequence,
        new.timestamp,
        new.picture_id if new.picture_id >= 0 else latest.picture_id,
        new.tl0 if new.tl0 >= 0 else latest.tl0,
        latest.at if new.timestamp == latest.timestamp else new.at,
    )


def position_before(first: StreamPosition) -> StreamPosition:
    """Return the position of a stream right before `first`."""
    picture_id = first.picture_id - 1 & 0x7FFF if first.picture_id >= 0 else -1
    tl0 = first.tl0 - 1 & 0xFF if first.tl0 >= 0 else -1
    return StreamPosition(first.sequence - 1, first.timestamp - 1 & 0xFFFFFFFF, picture_id, tl0, first.at)


def rewritten_position(position: StreamPosition, offsets: Offsets) -> StreamPosition:
    """Return the same position as a receiver sees it through `offsets`."""
    return StreamPosition(
        position.sequence + offsets.sequence,
        (position.timestamp + offsets.timestamp) & 0xFFFFFFFF,
        (position.picture_id + offsets.picture_id) & 0x7FFF if position.picture_id >= 0 else -1,
        (position.tl0 + offsets.tl0) & 0xFF if position.tl0 >= 0 else -1,
        position.at,
    )


def continuing_offsets(last: StreamPosition, first: StreamPosition) -> Offsets:
    """Return the offsets by which `first` continues from `last`, the receiver's last position.

    Sequence number, PictureID and TL0PICIDX increase by 1. The timestamp increases by the time from `last.at`
    to `first.at`, at 90 kHz, at least by 1.
    """
    passed = max(1, min(_ADVANCE_MAX, round((first.at - last.at) * VIDEO_CLOCK)))
    pictures = last.picture_id >= 0 and first.picture_id >= 0
    bases = last.tl0 >= 0 and first.tl0 >= 0
    return Offsets(
        last.sequence + 1 - first.sequence,
        (last.timestamp + passed - first.timestamp) & 0xFFFFFFFF,
        (last.picture_id + 1 - first.picture_id) & 0x7FFF if pictures else 0,
        (last.tl0 + 1 - first.tl0) & 0xFF if bases else 0,
    )


def rewrite(
    out: bytearray | memoryview, at: int, number: int, ssrc: int, found: Descriptor | None, offsets: Offsets
) -> None:
    """Add `offsets` to a packet's numbers, in place. `out` holds a copy of the packet from `at` on.

    `number`: its own sequence number. `ssrc`: the SSRC that the receiver sees. `found`: None for padding.
    """
    timestamp = int.from_bytes(out[at + 4 : at + 8], "big") + offsets.timestamp
    struct.pack_into("!HLL", out, at + 2, (number + offsets.sequence) & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    if found is None:
        return
    if found.bits == 15:
        picture_id = found.picture_id + offsets.picture_id & 0x7FFF
        out[at + found.picture_at] = 0x80 | picture_id >> 8
        out[at + found.picture_at + 1] = picture_id & 0xFF
    elif found.bits:
        out[at + found.picture_at] = found.picture_id + offsets.picture_id & 0x7F
    if found.tl0_at:
        out[at + found.tl0_at] = found.tl0 + offsets.tl0 & 0xFF


class Segment(NamedTuple):
    """A stretch of one layer: from the receiver's (extended) number `begin` on, it gets `layer` by `offsets`.

    `first`: the layer's own number of the first packet.
    """

    layer: int
    first: int
    begin: int
    offsets: Offsets


class StreamRewriter:
    """One receiver's view of one video: the layer that it gets, and the offsets of its numbers.

    Call `begin` with the first packet of a layer (of a key frame), and `end` with the furthest packet of it
    that was sent, in turns. Nothing is sent between `end` and `begin`. A packet that arrives after the end of
    its layer is too late, but it can be resent: `resolve` finds it by the receiver's number.
    """

    __slots__ = ("_last", "_segments", "layer", "offsets")

    def __init__(self) -> None:
        #: The layer that is being sent, None for none.
        self.layer: int | None = None
        self.offsets = NO_OFFSETS
        self._segments: deque[Segment] = deque(maxlen=_SEGMENTS_MAX)
        self._last: StreamPosition | None = None

    def begin(self, layer: int, first: StreamPosition) -> Offsets:
        """Start sending `layer` with its packet `first`. The very first packet keeps its numbers."""
        assert self.layer is None
        self.offsets = NO_OFFSETS if self._last is None else continuing_offsets(self._last, first)
        self.layer = layer
        self._segments.append(
            Segment(layer, first.sequence, first.sequence + self.offsets.sequence, self.offsets)
        )
        return self.offsets

    def end(self, last: StreamPosition) -> None:
        """Stop sending the present layer. `last`: the layer's own numbers of the last packet sent."""
        if self.layer is None:
            return
        seen = rewritten_position(last, self.offsets)
        if self._last is not None:  # missing PictureID or TL0PICIDX: continue from the earlier values
            picture_id = seen.picture_id if seen.picture_id >= 0 else self._last.picture_id
            seen = seen._replace(picture_id=picture_id, tl0=seen.tl0 if seen.tl0 >= 0 else self._last.tl0)
        self._last = seen
        self.layer = None

    def forget(self, latest: int | None = None) -> None:
        """Stop resolving requests for earlier packets; the numbers continue.

        `latest`: the layer's own number of its last packet, if a layer is being sent.
        """
        self._segments.clear()
        if self.layer is not None and latest is not None:
            self._segments.append(
                Segment(self.layer, latest + 1, latest + 1 + self.offsets.sequence, self.offsets)
            )

    def may_send(self, layer: int, number: int) -> bool:
        """Whether this packet may be sent: it is of the present layer, from its first packet on."""
        return layer == self.layer and number >= self._segments[-1].first

    def resolve(self, sequence: int, latest: int) -> tuple[int, int, Offsets] | None:
        """Resolve the receiver's `sequence` (16 bits): layer, that layer's own number, and the offsets.

        `latest`: the present layer's own number of the last packet sent; ignored while no layer is sent.
        Returns None if the number is older than everything that is remembered.
        """
        if self.layer is not None:
            furthest = latest + self.offsets.sequence
        elif self._last is not None:
            furthest = self._last.sequence
        else:
            return None
        number = furthest - ((furthest - sequence) & 0xFFFF)
        for segment in reversed(self._segments):
            if number >= segment.begin:
                return segment.layer, number - segment.offsets.sequence, segment.offsets
        return None
