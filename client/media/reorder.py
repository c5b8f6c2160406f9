"""Reordering and loss recovery of one received stream. A pure core: packets in, frames and requests out.

A missing packet is requested (RFC 4585 generic NACK) after 5 ms, which packets need that merely overtook each
other. It is requested again as soon as the answer could have arrived (after 20 ms while the round trip is
unknown), with back-off. After `ReorderPolicy.patience` the packet is given up, so that one loss delays later
frames no longer than that. If video has stalled, a complete key frame ends the wait at once, because it needs
no earlier packet. An audio frame is one packet. A video frame is a run of packets with one timestamp, from
the S bit (RFC 7741 4.2) to the marker. Frames come out in order, each at most once.

All times are seconds on the caller's monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from snugroom.wire.messages import MediaKind
from snugroom.wire.rtp import RtpPacket
from snugroom.wire.vp8 import read_descriptor

_HALF: Final = 1 << 15
_OVERTAKEN_MAX: Final = 16
#: Video that stalls for this many seconds or round trips, whichever is longer, requests a key frame. By then,
#: at 10% loss in each direction, all but one packet of a thousand have arrived.
STALLED: Final = 0.3
STALLED_TRIPS: Final = 4.0


@dataclass(frozen=True, slots=True)
class ReorderPolicy:
    """Limits of waiting and of requests. Sizes count packets."""

    #: Seconds to wait for a missing packet while the round trip is unknown or short.
    patience: float
    #: With a long round trip: this many round trips, but at most `patience_max` seconds.
    trips: float
    patience_max: float
    #: A packet further than this from the highest one is a restarted stream, if the next packet confirms it.
    jump_max: int
    #: Maximum number of packets held; beyond it the oldest gap is given up.
    held_max: int
    nack_tries: int = 8
    nack_delay: float = 0.005
    nack_first: float = 0.020
    nack_backoff: float = 1.4
    #: Seconds added to a measured round trip, for its variation. Each answer is another chance, so the waits
    #: after measured round trips grow only by this factor.
    nack_slack: float = 0.010
    nack_backoff_measured: float = 1.15
    #: Maximum number of packets in one request.
    nack_max: int = 64


POLICIES: Final[dict[MediaKind, ReorderPolicy]] = {
    # a listener's jitter buffer holds 200 ms; with a long round trip it must hold three answers
    "audio": ReorderPolicy(patience=0.200, trips=3.5, patience_max=0.400, jump_max=100, held_max=64),
    "video": ReorderPolicy(patience=0.400, trips=7.0, patience_max=0.900, jump_max=1_000, held_max=1_024),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """A complete frame, sealed. `arrived` is the arrival time of its last packet."""

    data: bytes
    timestamp: int
    arrived: float


@dataclass(frozen=True, slots=True)
class Lost:
    """`frames` audio frames (video: at least that many) are given up; the next frame follows a hole."""

    frames: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Request these packets again (16-bit sequence numbers)."""

    sequences: tuple[int, ...]


ReorderEffect = Frame | Lost | Ask


@dataclass(slots=True)
class _Gap:
    since: float
    tries: int
    next_try: float
    wait: float


@dataclass(frozen=True, slots=True)
class _Held:
    timestamp: int
    marker: bool
    start: bool
    data: bytes
    arrived: float
    #: Padding only: browsers probe the path with such packets between two frames. A filler has a sequence
    #: number, so it must not count as missing, but it belongs to no frame.
    filler: bool = False
    #: The first packet of a VP8 key frame.
    key: bool = False


class Reorder:
    """The buffer of one SSRC. Counters: `received`, `duplicates`, `late`, `lost`, `malformed`, `restarts`."""

    def __init__(self, kind: MediaKind, policy: ReorderPolicy | None = None) -> None:
        self.kind = kind
        self.policy = policy or POLICIES[kind]
        self.received = self.duplicates = self.late = self.lost = self.malformed = self.restarts = 0
        #: Packets requested again, each request counted.
        self.asked = 0
        #: The round trip to the server, seconds; the caller sets it.
        self.round_trip: float | None = None
        self._held: dict[int, _Held] = {}
        # always in ascending order: new gaps lie beyond the highest number
        self._gaps: dict[int, _Gap] = {}
        # no packet has been delivered or given up yet
        self._fresh = True
        # the packets from `_next` up to here are known to be one unfinished frame
        self._scanned = 0
        # sequence numbers are extended to integers that never wrap
        self._next: int | None = None
        self._highest = 0
        self._suspect: int | None = None

    @property
    def waiting(self) -> bool:
        """Whether `tick` has anything to do."""
        return bool(self._gaps)

    @property
    def patience(self) -> float:
        """Seconds after which a missing packet is given up."""
        policy = self.policy
        if self.round_trip is None:
            return policy.patience
        return min(max(policy.patience, policy.trips * self.round_trip), policy.patience_max)

    def stalled(self, now: float) -> bool:
        """Return whether video has waited for so long that a key frame is the better recovery."""
        first = next(iter(self._gaps.values()), None)
        if self.kind != "video" or first is None:
            return False
        return now - first.since >= max(STALLED, STALLED_TRIPS * (self.round_trip or 0.0))

    def receive(self, packet: RtpPacket, now: float) -> list[ReorderEffect]:
        """Take one packet, in any order and any number of times."""
        start, key, data = True, False, packet.payload
        filler = not data
        if self.kind == "video" and data:
            found = read_descriptor(data, 0, len(data))
            if found is None:
                self.malformed += 1
                return []
            start, key, data = found.start, found.key, data[found.payload :]
        elif not data and self.kind == "audio":
            self.malformed += 1
            return []
        held = _Held(
            packet.timestamp, packet.marker and not filler, start and not filler, data, now, filler, key
        )
        if self._next is None:
            self._begin(packet.sequence)
        assert self._next is not None
        sequence = self._extend(packet.sequence)
        out: list[ReorderEffect] = []
        if abs(sequence - self._highest) > self.policy.jump_max:
            # one stray packet changes nothing; two in a row are a restarted stream (RFC 3550 A.1)
            if packet.sequence != self._suspect:
                self._suspect = (packet.sequence + 1) & 0xFFFF
                return []
            self.restarts += 1
            self.lost += 1
            out.append(Lost(1))
            self._begin(packet.sequence)
            sequence = self._extend(packet.sequence)
        self._suspect = None
        if sequence < self._next and self._fresh and self._next - sequence <= _OVERTAKEN_MAX:
            # the first packet received had overtaken this one
            between = {missing: self._gap(now) for missing in range(sequence + 1, self._next)}
            self._gaps = between | self._gaps
            self._next = self._scanned = sequence
        if sequence < self._next:
            self.late += 1
            return out
        if sequence in self._held:
            self.duplicates += 1
            return out
        self.received += 1
        for missing in range(self._highest + 1, sequence):
            self._gaps[missing] = self._gap(now)
        self._highest = max(self._highest, sequence)
        self._gaps.pop(sequence, None)
        self._held[sequence] = held
        out += self._advance(now)
        return out + self._ask(now)

    def tick(self, now: float) -> list[ReorderEffect]:
        """Let time pass: repeat requests, give packets up."""
        if not self._gaps:
            return []
        return self._advance(now) + self._ask(now)

    # -- inside ------------------------------------------------------------------------------

    def _begin(self, sequence: int) -> None:
        self._held.clear()
        self._gaps.clear()
        self._fresh = True
        # far from zero, so that a packet that the first one overtook has a number too
        self._next = self._highest = self._scanned = sequence + (1 << 16)

    def _extend(self, sequence: int) -> int:
        distance = (sequence - self._highest) & 0xFFFF
        return self._highest + (distance - (1 << 16) if distance >= _HALF else distance)

    def _advance(self, now: float) -> list[ReorderEffect]:
        out: list[ReorderEffect] = []
        assert self._next is not None
        while True:
            if (held := self._held.get(self._next)) is not None and held.filler:
                self._leave_behind(self._next + 1)
                continue
            frame, after = self._whole_at(self._next)
            if after is not None:
                self._leave_behind(after)
                if frame is not None:
                    out.append(frame)
                elif not (out and isinstance(out[-1], Lost)):
                    self.lost += 1
                    out.append(Lost(1))
                continue
            # limit the gaps: `_ask` visits all of them at each packet, and a sender may skip any numbers
            full = len(self._held) > self.policy.held_max or len(self._gaps) > self.policy.jump_max
            first = next(iter(self._gaps), None)
            if (key := self._key_frame(now)) is not None:
                self.lost += 1
                self._leave_behind(key)
                out.append(Lost(1))
                continue
            if first is None:
                if not full:
                    return out
                # the held packets are one frame, longer than any valid frame
                first = self._next
            elif self._gaps[first].since + self.patience > now and not full:
                return out
            out.append(self._give_up(first))

    def _key_frame(self, now: float) -> int | None:
        """Return where a complete key frame begins that arrived while `stalled`; None without one.

        The clear header identifies it: no frame opens whose content contradicts its clear header.
        """
        if not self.stalled(now):
            return None
        assert self._next is not None
        for first in sorted(n for n, held in self._held.items() if held.key and n > self._next):
            after = first
            while (piece := self._held.get(after)) is not None and piece.timestamp == self._held[
                first
            ].timestamp:
                after += 1
                if piece.marker:
                    return first
        return None

    def _gap(self, now: float) -> _Gap:
        wait = self.policy.nack_first
        if self.round_trip is not None:
            wait = max(wait, self.round_trip + self.policy.nack_slack)
        return _Gap(now, 0, now + self.policy.nack_delay, wait)

    def _leave_behind(self, after: int) -> None:
        assert self._next is not None
        self._fresh = False
        for sequence in range(self._next, after):
            self._gaps.pop(sequence, None)
            self._held.pop(sequence, None)
        self._next = self._scanned = after
        self._highest = max(self._highest, after - 1)

    def _whole_at(self, first: int) -> tuple[Frame | None, int | None]:
        """Return (frame that begins at `first`, start of the next frame), or (None, None) while incomplete.

        (None, n): the packets before n are the rest of a frame whose beginning is lost.
        """
        head = self._held.get(first)
        if head is None:
            return None, None
        if self.kind == "audio":
            return Frame(head.data, head.timestamp, head.arrived), first + 1
        sequence = self._scanned
        while (piece := self._held.get(sequence)) is not None:
            if piece.timestamp != head.timestamp or (piece.start and sequence != first):
                # the sender never ended this frame: drop its packets
                return None, sequence
            sequence += 1
            if piece.marker:
                if not head.start:
                    return None, sequence
                pieces = [self._held[i] for i in range(first, sequence)]
                arrived = max(p.arrived for p in pieces)
                return Frame(b"".join(p.data for p in pieces), head.timestamp, arrived), sequence
        self._scanned = sequence
        return None, None

    def _give_up(self, gap: int) -> Lost:
        """Give up packet `gap`, and all packets of a video frame that are useless without it."""
        assert self._next is not None
        if self.kind == "audio":
            # all packets before the gap have been delivered already
            after = gap + 1
            while after in self._gaps and self._gaps[after].since <= self._gaps[gap].since:
                after += 1
        else:
            after = gap + 1
            while after <= self._highest and not ((held := self._held.get(after)) and held.start):
                after += 1
        frames = after - self._next if self.kind == "audio" else 1
        self._leave_behind(after)
        self.lost += frames
        return Lost(frames)

    def _ask(self, now: float) -> list[ReorderEffect]:
        due: list[int] = []
        for sequence, gap in self._gaps.items():
            if gap.next_try <= now and gap.tries < self.policy.nack_tries and len(due) < self.policy.nack_max:
                gap.tries += 1
                gap.next_try = now + gap.wait
                policy = self.policy
                gap.wait *= policy.nack_backoff if self.round_trip is None else policy.nack_backoff_measured
                due.append(sequence & 0xFFFF)
        self.asked += len(due)
        return [Ask(tuple(due))] if due else []
