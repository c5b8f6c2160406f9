"""VP8 in RTP as the SFU sees it (RFC 7741 4.2), and how numbers go on when it changes the layer.

The payload descriptor stands in the clear in front of the sealed frame. Of the frame itself one bit is read:
bit 0 of its first byte, which the constant clear header leaves for it (protocol 10).

A receiver sees one SSRC, and the packets of one layer at a time under it. So that it notices nothing,
sequence number, timestamp, PictureID and TL0PICIDX of each packet are moved by a constant, the *shift*, which
is reckoned anew at each change: `Splice`. Sequence numbers are extended ones here (RFC 3550 A.1): an era may
last longer than 2^16 packets.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Final, NamedTuple

from server.media.limits import VIDEO_CLOCK

#: A pause advances the timestamp by no more than this (about 3 h 18 min): further on would be behind
#: (modulo 2^32).
_ADVANCE_MAX: Final = 1 << 30
#: Changes of layer that a receiver's requests may still reach back over.
_ERAS_MAX: Final = 8
_HEADER: Final = 12


class Descriptor(NamedTuple):
    """What a packet's payload descriptor says; offsets are from the packet's first byte.

    `start`: begins a frame (S set, partition 0). `key`: begins a key frame. `picture_id` and `tl0`: -1 if it
    isn't there. `bits`: of the PictureID, 15 or 7; 0 if it isn't there. `picture_at`, `tl0_at`: where they
    stand, 0 if they don't. `tid`, `sync` (Y), `key_index`: 0 if they aren't there. `payload`: where the
    descriptor ends and the sealed frame begins.
    """

    start: bool
    key: bool
    picture_id: int
    bits: int
    picture_at: int
    tl0: int
    tl0_at: int
    tid: int
    sync: bool
    key_index: int
    payload: int


def payload_start(packet: bytes | memoryview) -> int:
    """Where the payload begins in an RTP packet that `rtp.check` let pass: behind the extension, if any."""
    return _HEADER + 4 + 4 * (packet[14] << 8 | packet[15]) if packet[0] & 0x10 else _HEADER


def is_padding(packet: bytes | memoryview, start: int) -> bool:
    """Is all that comes after `start` padding? Such packets measure the path and belong to no frame."""
    return bool(packet[0] & 0x20) and packet[-1] == len(packet) - start


def read(packet: bytes | memoryview, start: int) -> Descriptor | None:
    """The descriptor that begins at `start`; None if it is cut short or no byte of a frame follows it.

    Never raises, whatever the bytes, if `packet` has an RTP header.
    """
    end = len(packet)
    if packet[0] & 0x20 and end:
        end -= packet[end - 1]
    if start >= end:
        return None
    first = packet[start]
    position = start + 1
    picture_id = tl0 = -1
    bits = picture_at = tl0_at = tid = key_index = 0
    sync = False
    if first & 0x80:
        if position + 4 >= end and position + _extent(packet, position, end) >= end:
            return None
        more = packet[position]
        position += 1
        if more & 0x80:
            picture_at = position
            picture_id = packet[position]
            bits = 7
            position += 1
            if picture_id & 0x80:
                picture_id = (picture_id & 0x7F) << 8 | packet[position]
                bits = 15
                position += 1
        if more & 0x40:
            tl0_at = position
            tl0 = packet[position]
            position += 1
        if more & 0x30:
            last = packet[position]
            position += 1
            if more & 0x20:
                tid = last >> 6
                sync = bool(last & 0x20)
            if more & 0x10:
                key_index = last & 0x1F
    if position >= end:
        return None
    begins = first & 0x17 == 0x10
    key = begins and not packet[position] & 1
    return Descriptor(begins, key, picture_id, bits, picture_at, tl0, tl0_at, tid, sync, key_index, position)


def _extent(packet: bytes | memoryview, position: int, end: int) -> int:
    """Bytes of the extended part that begins at `position`, near the end of a packet."""
    if position >= end:
        return 1
    more = packet[position]
    extent = 1 + bool(more & 0x80) + bool(more & 0x40) + bool(more & 0x30)
    if more & 0x80 and position + 1 < end and packet[position + 1] & 0x80:
        extent += 1
    return extent


# -- numbers that go on ----------------------------------------------------------------------


class Numbers(NamedTuple):
    """Where a stream stands. `sequence` is extended: it never wraps. `picture_id`, `tl0`: -1 if it has none.

    `at`: when a packet of this timestamp first came.
    """

    sequence: int
    timestamp: int
    picture_id: int
    tl0: int
    at: float


class Shift(NamedTuple):
    """What is added: to the extended sequence number, and to the others modulo 2^32, 2^15 and 2^8."""

    sequence: int
    timestamp: int
    picture_id: int
    tl0: int


NO_SHIFT: Final = Shift(0, 0, 0, 0)


def numbers(packet: bytes | memoryview, number: int, found: Descriptor | None, now: float) -> Numbers:
    """Those of one packet, whose extended sequence number is `number`; padding has no descriptor."""
    timestamp = int.from_bytes(packet[4:8], "big")
    if found is None:
        return Numbers(number, timestamp, -1, -1, now)
    return Numbers(number, timestamp, found.picture_id, found.tl0, now)


def later(latest: Numbers | None, new: Numbers) -> Numbers:
    """The furthest that one layer has got, with `new` seen."""
    if latest is None:
        return new
    if new.sequence <= latest.sequence:
        return latest
    return Numbers(
        new.sequence,
        new.timestamp,
        new.picture_id if new.picture_id >= 0 else latest.picture_id,
        new.tl0 if new.tl0 >= 0 else latest.tl0,
        latest.at if new.timestamp == latest.timestamp else new.at,
    )


def before(first: Numbers) -> Numbers:
    """Where a stream stands of which not even `first` went out."""
    picture_id = first.picture_id - 1 & 0x7FFF if first.picture_id >= 0 else -1
    tl0 = first.tl0 - 1 & 0xFF if first.tl0 >= 0 else -1
    return Numbers(first.sequence - 1, first.timestamp - 1 & 0xFFFFFFFF, picture_id, tl0, first.at)


def shifted(where: Numbers, shift: Shift) -> Numbers:
    """The same place, as a receiver sees it through `shift`."""
    return Numbers(
        where.sequence + shift.sequence,
        (where.timestamp + shift.timestamp) & 0xFFFFFFFF,
        (where.picture_id + shift.picture_id) & 0x7FFF if where.picture_id >= 0 else -1,
        (where.tl0 + shift.tl0) & 0xFF if where.tl0 >= 0 else -1,
        where.at,
    )


def go_on(last: Numbers, first: Numbers) -> Shift:
    """The shift by which `first` follows on `last`, which the receiver has had.

    One is added to sequence number, PictureID and TL0PICIDX; to the timestamp the time that has passed from
    `last.at` to `first.at`, at 90 kHz, at least 1.
    """
    passed = max(1, min(_ADVANCE_MAX, round((first.at - last.at) * VIDEO_CLOCK)))
    pictures = last.picture_id >= 0 and first.picture_id >= 0
    bases = last.tl0 >= 0 and first.tl0 >= 0
    return Shift(
        last.sequence + 1 - first.sequence,
        (last.timestamp + passed - first.timestamp) & 0xFFFFFFFF,
        (last.picture_id + 1 - first.picture_id) & 0x7FFF if pictures else 0,
        (last.tl0 + 1 - first.tl0) & 0xFF if bases else 0,
    )


def rewrite(
    out: bytearray | memoryview, at: int, number: int, ssrc: int, found: Descriptor | None, shift: Shift
) -> None:
    """Move a packet's numbers by `shift`, in place. `out` has a copy of it from `at` on.

    `number`: its own sequence number. `ssrc`: the one that the receiver knows. `found`: None for padding.
    """
    timestamp = int.from_bytes(out[at + 4 : at + 8], "big") + shift.timestamp
    struct.pack_into("!HLL", out, at + 2, (number + shift.sequence) & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    if found is None:
        return
    if found.bits == 15:
        picture_id = found.picture_id + shift.picture_id & 0x7FFF
        out[at + found.picture_at] = 0x80 | picture_id >> 8
        out[at + found.picture_at + 1] = picture_id & 0xFF
    elif found.bits:
        out[at + found.picture_at] = found.picture_id + shift.picture_id & 0x7F
    if found.tl0_at:
        out[at + found.tl0_at] = found.tl0 + shift.tl0 & 0xFF


class Era(NamedTuple):
    """From the receiver's (extended) number `begin` on it gets `layer`, moved by `shift`.

    `first`: the layer's own number of the first packet.
    """

    layer: int
    first: int
    begin: int
    shift: Shift


class Splice:
    """One receiver's view of one picture: which layer goes to it, and by which shift.

    `begin` with the first packet of a layer (of a key frame), `end` with the furthest that went out of it, in
    this order and again. Between `end` and `begin` nothing goes. What comes of a layer after its end is too
    late, but can be sent again: `source` says what the receiver means by a number.
    """

    __slots__ = ("_eras", "_last", "layer", "shift")

    def __init__(self) -> None:
        #: The layer that goes out now, None for none.
        self.layer: int | None = None
        self.shift = NO_SHIFT
        self._eras: deque[Era] = deque(maxlen=_ERAS_MAX)
        self._last: Numbers | None = None

    def begin(self, layer: int, first: Numbers) -> Shift:
        """`first`, of the layer `layer`, goes out now. The very first goes as it is."""
        assert self.layer is None
        self.shift = NO_SHIFT if self._last is None else go_on(self._last, first)
        self.layer = layer
        self._eras.append(Era(layer, first.sequence, first.sequence + self.shift.sequence, self.shift))
        return self.shift

    def end(self, last: Numbers) -> None:
        """Nothing more goes out of the present layer, of which `last` (its own numbers) went out last."""
        if self.layer is None:
            return
        seen = shifted(last, self.shift)
        if self._last is not None:  # a picture without the numbers goes on where the last that had them was
            picture_id = seen.picture_id if seen.picture_id >= 0 else self._last.picture_id
            seen = seen._replace(picture_id=picture_id, tl0=seen.tl0 if seen.tl0 >= 0 else self._last.tl0)
        self._last = seen
        self.layer = None

    def forget(self, latest: int | None = None) -> None:
        """What went out before can't be meant any more; numbers go on all the same.

        `latest`: of a layer that goes on, its own number of the last packet.
        """
        self._eras.clear()
        if self.layer is not None and latest is not None:
            self._eras.append(Era(self.layer, latest + 1, latest + 1 + self.shift.sequence, self.shift))

    def passes(self, layer: int, number: int) -> bool:
        """May this packet go out? Not if it is of another layer, or from before its first (overtaken)."""
        return layer == self.layer and number >= self._eras[-1].first

    def source(self, sequence: int, latest: int) -> tuple[int, int, Shift] | None:
        """What the receiver means by `sequence` (16 bits): layer, that layer's own number, and the shift.

        `latest`: the present layer's own number of the last packet sent; of no meaning while there is none.
        None if it is from before all that is remembered.
        """
        if self.layer is not None:
            furthest = latest + self.shift.sequence
        elif self._last is not None:
            furthest = self._last.sequence
        else:
            return None
        number = furthest - ((furthest - sequence) & 0xFFFF)
        for era in reversed(self._eras):
            if number >= era.begin:
                return era.layer, number - era.shift.sequence, era.shift
        return None
