"""Which packet goes to whom: the core of the SFU. No socket, no clock, no key.

A *peer* is whatever hashable thing the shell sends through (tests use strings). Packets come in here
when they have been authenticated and checked; what goes out is the tuple of receivers for the packet
itself, and effects for all the rest. Everything is bounded by `MediaLimits`.

Rate of a video sender: its REMB is the largest of what its receivers can take, capped by
``remb_ceiling``. The smallest would let one slow receiver spoil the picture for everybody; a receiver
that can't follow says `want` with fewer streams. (Simulcast layers will make this finer.)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from server.media import rtcp
from server.media.limits import AUDIO_CLOCK, VIDEO_CLOCK, MediaError, MediaLimits
from server.rate import TokenBucket
from server.wire.messages import MediaKind, Stream

P = TypeVar("P", bound=Hashable)

#: Packets from one beacon to the next, a power of two.
_BEACON: Final = 4096
#: SSRCs whose last sequence number is forgotten: never forwarded again in this room (4 bytes each).
_BURNT_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class SendRtcp(Generic[P]):
    """Protect this RTCP packet and send it to `to`."""

    to: P
    data: bytes


@dataclass(frozen=True, slots=True)
class SendRtp(Generic[P]):
    """Protect this RTP packet, which was sent before, and send it to `to` again."""

    to: P
    packet: bytes


@dataclass(frozen=True, slots=True)
class Forget(Generic[P]):
    """`to`'s sending session needs no state for `ssrc` any more."""

    to: P
    ssrc: int


Effect = SendRtcp[P] | SendRtp[P] | Forget[P]


class Track(Generic[P]):
    """One published stream. Sequence numbers are kept extended (RFC 3550 A.1): they never wrap."""

    __slots__ = (
        "allowance", "allowed_at", "base", "bytes_rate", "cache", "clock", "estimates", "fan", "floor",
        "high", "jitter", "kind", "last_pli", "last_sr", "mask", "missing", "owner", "paused", "pli_due",
        "prior", "received", "receivers", "room", "sr_at", "ssrc", "stamp", "transit",
    )  # fmt: skip

    def __init__(
        self, room: _Room[P], owner: P, stream: Stream, limits: MediaLimits, high: int | None, now: float
    ) -> None:
        video = stream.kind == "video"
        self.room = room
        self.owner = owner
        self.ssrc = stream.ssrc
        self.kind: MediaKind = stream.kind
        self.clock = VIDEO_CLOCK if video else AUDIO_CLOCK
        #: Each receiver, and the highest sequence number when it began to receive.
        self.receivers: dict[P, int] = {}
        self.fan: tuple[P, ...] | None = None
        #: Peers who received it, in the SRTP session that they have, and don't want it now. They get one
        #: packet in `_BEACON`, so that both ends of the session go on agreeing on the rollover counter
        #: (RFC 3711 3.3.1); it would be lost after 2^15 packets, and an index used twice.
        self.paused: dict[P, None] = {}
        self.cache: list[bytes | None] = [None] * (limits.video_cache if video else limits.audio_cache)
        self.mask = len(self.cache) - 1
        #: Highest extended sequence number, None before the first packet.
        self.high = high
        #: Nothing at or below it is forwarded: it was, under another key of the sender's. Receivers' SRTP
        #: sessions go on, and must not seal two packets with one index.
        self.floor = high
        self.base: int | None = None
        self.received = 0
        self.prior = (0, 0)
        self.stamp = b""
        self.transit: int | None = None
        self.jitter = 0.0
        self.missing: dict[int, tuple[float, int]] = {}
        self.last_pli = float("-inf")
        self.pli_due = False
        self.last_sr = 0
        self.sr_at = float("-inf")
        self.bytes_rate = (limits.video_bitrate if video else limits.audio_bitrate) / 8
        self.allowance = self.bytes_rate
        self.allowed_at = now
        #: What each receiver's loss lets it take, in bits a second.
        self.estimates: dict[P, float] = {}

    def last(self, count: int) -> list[bytes]:
        """Of the last `count` packets those that are held, in order."""
        if self.high is None:
            return []
        first = max(self.high - min(count, self.mask + 1) + 1, 0)
        held = (self.cache[number & self.mask] for number in range(first, self.high + 1))
        return [packet for packet in held if packet is not None]


@dataclass(slots=True)
class _Peer(Generic[P]):
    room: _Room[P]
    tracks: dict[int, Track[P]]
    receives: dict[int, Track[P]]
    wants: frozenset[int] | None
    ready: bool
    nacks: TokenBucket
    #: SSRCs that the peer's present SRTP session has carried to it.
    carried: set[int] = field(default_factory=set)
    #: Video streams that it receives.
    videos: int = 0
    remb: int = 0
    remb_at: float = float("-inf")


class _Room(Generic[P]):
    def __init__(self, number: bytes) -> None:
        self.number = number
        self.peers: dict[P, _Peer[P]] = {}
        self.tracks: dict[int, Track[P]] = {}
        self.retired: dict[int, int] = {}
        self.burnt: dict[int, None] = {}


class Forwarding(Generic[P]):
    """All rooms' streams, and who receives them."""

    def __init__(self, limits: MediaLimits = MediaLimits()) -> None:  # noqa: B008 - frozen
        self._limits = limits
        self._rooms: dict[bytes, _Room[P]] = {}
        self._peers: dict[P, _Peer[P]] = {}
        #: Tracks with packets to ask for again, or a key frame request that waits.
        self._open: dict[Track[P], None] = {}
        self._next_report = float("-inf")
        self.counts = dict.fromkeys(
            ("stale", "over_rate", "lost", "asked", "nacks", "resent", "key_frame_requests", "refused_nacks"),
            0,
        )

    # -- who is there ----------------------------------------------------------------------

    def join(self, room: bytes, peer: P, streams: Sequence[Stream], now: float) -> list[Effect[P]]:
        """A new peer, or other streams of one that is here. MediaError (nothing changed) if it can't be."""
        known = self._peers.get(peer)
        if known is None and len(self._peers) >= self._limits.peers:
            raise MediaError("full", "the server carries no more connections with media")
        if len(streams) > self._limits.streams_per_peer:
            raise MediaError("streams", f"at most {self._limits.streams_per_peer} streams")
        if known is not None and known.room.number != room:
            raise MediaError("room", "this connection is in another room")
        home = self._rooms.get(room)
        wished = {s.ssrc: s for s in streams}
        if len(wished) != len(streams):
            raise MediaError("ssrc", "two streams with one SSRC")
        for ssrc in wished:
            other = home.tracks.get(ssrc) if home else None
            if other is not None and other.owner != peer:
                raise MediaError("ssrc", "this SSRC is another member's")
            if home is not None and ssrc in home.burnt:
                raise MediaError("ssrc", "this SSRC was used before; take another")
        if home is None:
            home = self._rooms[room] = _Room(room)
        if known is None:
            nacks = TokenBucket(self._limits.nack_rate, self._limits.nack_burst, now)
            known = _Peer(home, {}, {}, None, False, nacks)
            self._peers[peer] = home.peers[peer] = known
        effects: list[Effect[P]] = []
        for track in list(known.tracks.values()):
            if (kept := wished.get(track.ssrc)) is None or kept.kind != track.kind:
                effects += self._end(track)
        for ssrc, stream in wished.items():
            if ssrc not in known.tracks:
                track = Track(home, peer, stream, self._limits, home.retired.pop(ssrc, None), now)
                known.tracks[ssrc] = home.tracks[ssrc] = track
                for other_peer in home.peers:
                    effects += self._connect(track, other_peer, now)
        return effects

    def leave(self, peer: P, now: float) -> list[Effect[P]]:
        """The peer is gone with its streams. Unknown peers are none of our business."""
        known = self._peers.pop(peer, None)
        if known is None:
            return []
        home = known.room
        del home.peers[peer]
        for track in home.tracks.values():
            self._disconnect(track, peer, known)
            track.paused.pop(peer, None)
        effects = [e for track in list(known.tracks.values()) for e in self._end(track, known)]
        if not home.peers:
            del self._rooms[home.number]
        return effects

    def want(self, peer: P, ssrcs: Iterable[int] | None, now: float) -> list[Effect[P]]:
        """The streams that the peer wants forwarded; None: all."""
        known = self._peers.get(peer)
        if known is None:
            return []
        known.wants = None if ssrcs is None else frozenset(ssrcs)
        return self._reconnect(peer, known, now)

    def ready(self, peer: P, ready: bool, now: float, *, rekeyed: bool = False) -> list[Effect[P]]:
        """Can the peer be sent to? `rekeyed`: a new SRTP session, in which its own packets begin anywhere."""
        known = self._peers.get(peer)
        if known is None:
            return []
        if rekeyed:
            for track in known.tracks.values():
                track.floor = track.high
                track.missing.clear()
        if rekeyed or not ready:
            for track in known.room.tracks.values():
                self._disconnect(track, peer, known)
                track.paused.pop(peer, None)
            known.carried.clear()
        known.ready = ready
        return self._reconnect(peer, known, now)

    def held(self) -> tuple[int, int, int]:
        """Sealed packets kept to be sent again, their bytes, and streams that have ended, in all rooms."""
        tracks = [track for room in self._rooms.values() for track in room.tracks.values()]
        sizes = [len(packet) for track in tracks for packet in track.cache if packet is not None]
        ended = sum(len(room.retired) + len(room.burnt) for room in self._rooms.values())
        return len(sizes), sum(sizes), ended

    def tracks(self) -> Iterator[Track[P]]:
        """All streams of all rooms."""
        return (track for room in self._rooms.values() for track in room.tracks.values())

    def find(self, peer: P, ssrc: int) -> Track[P] | None:
        """The stream `ssrc`, if it is this peer's own."""
        known = self._peers.get(peer)
        return known.tracks.get(ssrc) if known is not None else None

    def receivers(self, track: Track[P]) -> tuple[P, ...]:
        """Who receives the stream now."""
        if track.fan is None:
            track.fan = tuple(track.receivers)
        return track.fan

    def _reconnect(self, peer: P, known: _Peer[P], now: float) -> list[Effect[P]]:
        return [e for track in list(known.room.tracks.values()) for e in self._connect(track, peer, now)]

    def _connect(self, track: Track[P], peer: P, now: float) -> list[Effect[P]]:
        """Make what `peer` receives of `track` what it should be. Who is new to a video needs a key frame."""
        known = self._peers[peer]
        if not known.ready or track.owner == peer:
            return []
        if known.wants is not None and track.ssrc not in known.wants:
            self._disconnect(track, peer, known)
            if track.ssrc in known.carried:
                track.paused[peer] = None
            return []
        if peer in track.receivers:
            return []
        track.receivers[peer] = track.high if track.high is not None else -1
        track.fan = None
        track.paused.pop(peer, None)
        known.receives[track.ssrc] = track
        known.carried.add(track.ssrc)
        known.videos += track.kind == "video"
        return self._ask_key_frame(track, now)

    def _disconnect(self, track: Track[P], peer: P, known: _Peer[P]) -> None:
        if peer in track.receivers:
            del track.receivers[peer]
            track.estimates.pop(peer, None)
            track.fan = None
            del known.receives[track.ssrc]
            known.videos -= track.kind == "video"

    def _end(self, track: Track[P], owner: _Peer[P] | None = None) -> list[Effect[P]]:
        """The stream is over. Its number is remembered, for it may come back (see `Track.floor`)."""
        home = track.room
        del (owner or self._peers[track.owner]).tracks[track.ssrc]
        del home.tracks[track.ssrc]
        self._open.pop(track, None)
        for peer in list(track.receivers):
            self._disconnect(track, peer, self._peers[peer])
        if track.high is None:
            return []
        home.retired[track.ssrc] = track.high
        if len(home.retired) <= self._limits.retired_ssrcs:
            return []
        oldest = next(iter(home.retired))
        del home.retired[oldest]
        if len(home.burnt) >= _BURNT_MAX:
            del home.burnt[next(iter(home.burnt))]
        home.burnt[oldest] = None
        effects: list[Effect[P]] = []
        for peer, known in home.peers.items():
            if oldest in known.carried:
                known.carried.discard(oldest)
                effects.append(Forget(peer, oldest))
        return effects

    # -- RTP: the hot path -----------------------------------------------------------------

    def on_rtp(self, track: Track[P], packet: bytes, now: float) -> tuple[tuple[P, ...], Sequence[Effect[P]]]:
        """A packet of `track`, authenticated and checked (`rtp.check`): who gets it, what else is to do."""
        size = len(packet)
        allowance = track.allowance + (now - track.allowed_at) * track.bytes_rate
        if allowance > track.bytes_rate:
            allowance = track.bytes_rate
        track.allowed_at = now
        if allowance < size:
            track.allowance = allowance
            self.counts["over_rate"] += 1
            return (), ()
        track.allowance = allowance - size

        sequence = packet[2] << 8 | packet[3]
        high = track.high
        if high is None or track.base is None:
            return self._first(track, packet, sequence, now)
        step = (sequence - high) & 0xFFFF
        if step >= 0x8000 or step == 0:
            return self._late(track, packet, high + step - (0x10000 if step else 0))
        track.high = high + step
        track.received += 1
        track.cache[sequence & track.mask] = packet
        stamp = packet[4:8]
        if stamp != track.stamp:  # of a frame the first packet says it all
            track.stamp = stamp
            self._measure_jitter(track, int(now * track.clock) - int.from_bytes(stamp, "big"))
        effects = () if step == 1 else self._gap(track, high, step, now)
        fan = track.fan
        if fan is None:
            fan = self.receivers(track)
        if track.paused and not track.high % _BEACON:
            fan += tuple(track.paused)
        return fan, effects

    @staticmethod
    def _measure_jitter(track: Track[P], transit: int) -> None:
        """RFC 3550 A.8."""
        if track.transit is not None:
            change = (transit - track.transit) & 0xFFFFFFFF
            track.jitter += (min(change, 0x100000000 - change) - track.jitter) / 16
        track.transit = transit

    def _first(
        self, track: Track[P], packet: bytes, sequence: int, now: float
    ) -> tuple[tuple[P, ...], Sequence[Effect[P]]]:
        if track.high is None:
            track.high = sequence
        else:
            step = (sequence - track.high) & 0xFFFF
            if not 0 < step < 0x8000:
                self.counts["stale"] += 1
                return (), ()
            track.high += step
        track.base = track.high
        track.received = 1
        track.cache[sequence & track.mask] = packet
        for peer in track.receivers:
            track.receivers[peer] = track.high - 1
        return self.receivers(track), ()

    def _late(self, track: Track[P], packet: bytes, number: int) -> tuple[tuple[P, ...], Sequence[Effect[P]]]:
        """A packet that was overtaken, or resent."""
        high = track.high
        assert high is not None
        if number == high or (track.floor is not None and number <= track.floor):
            self.counts["stale"] += 1
            return (), ()
        if track.base is not None and number >= track.base:
            track.received += 1
        track.missing.pop(number, None)
        if high - number <= track.mask:
            track.cache[number & track.mask] = packet
        # one who began to receive later gets nothing older: its SRTP session counts from what came first
        return tuple(p for p, begin in track.receivers.items() if number > begin), ()

    def _gap(self, track: Track[P], high: int, step: int, now: float) -> Sequence[Effect[P]]:
        lost = step - 1
        self.counts["lost"] += lost
        if lost > self._limits.gap:
            track.missing.clear()
            return self._ask_key_frame(track, now)
        numbers = range(high + 1, high + step)
        if self._limits.nack_delays:
            due = now + self._limits.nack_delays[0]
            track.missing.update((number, (due, 1)) for number in numbers)
            while len(track.missing) > 2 * self._limits.gap:
                del track.missing[next(iter(track.missing))]
            self._open[track] = None
        return [self._nack(track, numbers)]

    def _nack(self, track: Track[P], numbers: Iterable[int]) -> SendRtcp[P]:
        sequences = [number & 0xFFFF for number in numbers]
        self.counts["asked"] += len(sequences)
        return SendRtcp(track.owner, rtcp.nack(track.ssrc, sequences))

    def _ask_key_frame(self, track: Track[P], now: float) -> list[Effect[P]]:
        """PLI to the publisher: now, or when the last is `pli_interval` old, for who came in between."""
        if track.kind != "video":
            return []
        if now - track.last_pli < self._limits.pli_interval:
            track.pli_due = True
            self._open[track] = None
            return []
        track.last_pli = now
        track.pli_due = False
        self.counts["key_frame_requests"] += 1
        return [SendRtcp(track.owner, rtcp.key_frame_request(track.ssrc))]

    # -- RTCP ------------------------------------------------------------------------------

    def on_rtcp(self, peer: P, items: Iterable[rtcp.Item], now: float) -> list[Effect[P]]:
        """What an authenticated peer reported or asked for, obeyed only for streams that concern it."""
        known = self._peers.get(peer)
        if known is None:
            return []
        effects: list[Effect[P]] = []
        asked: set[int] = set()
        for item in items:
            if isinstance(item, rtcp.SenderReport):
                effects += self._sender_report(known, item, now)
            elif isinstance(item, rtcp.Remb):
                known.remb, known.remb_at = item.bitrate, now
            elif (track := known.receives.get(item.ssrc)) is None:
                continue
            elif isinstance(item, rtcp.KeyFrameRequest):
                if item.ssrc not in asked:
                    asked.add(item.ssrc)
                    effects += self._ask_key_frame(track, now)
            elif isinstance(item, rtcp.Nack):
                effects += self._resend(peer, known, track, item, now)
            else:
                self._estimate(peer, track, item)
        return effects

    def _sender_report(self, known: _Peer[P], report: rtcp.SenderReport, now: float) -> list[Effect[P]]:
        track = known.tracks.get(report.ssrc)
        if track is None or now - track.sr_at < self._limits.sr_interval:
            return []
        track.last_sr, track.sr_at = report.middle, now
        data = rtcp.sender_report(report)
        return [SendRtcp(receiver, data) for receiver in self.receivers(track)]

    def _resend(
        self, peer: P, known: _Peer[P], track: Track[P], request: rtcp.Nack, now: float
    ) -> list[Effect[P]]:
        self.counts["nacks"] += 1
        effects: list[Effect[P]] = []
        high = track.high
        if high is None:
            return effects
        begin = track.receivers[peer]
        for sequence in request.sequences:
            if not known.nacks.take(now):
                self.counts["refused_nacks"] += 1
                break
            number = high - ((high - sequence) & 0xFFFF)
            packet = track.cache[sequence & track.mask]
            if (
                packet is not None
                and packet[2] << 8 | packet[3] == sequence
                and begin < number >= high - track.mask  # else it is a namesake of 65,536 packets before
            ):
                effects.append(SendRtp(peer, packet))
        self.counts["resent"] += len(effects)
        return effects

    def _estimate(self, peer: P, track: Track[P], block: rtcp.ReportBlock) -> None:
        """The loss-based half of draft-ietf-rmcat-gcc-02 (section 6), for one receiver of one stream."""
        if track.kind != "video":
            return
        limits = self._limits
        estimate = track.estimates.get(peer, float(limits.remb_ceiling))
        if block.fraction > 26:  # over 10%
            estimate *= 1 - block.fraction / 512
        elif block.fraction < 5:  # under 2%
            estimate *= 1.08
        track.estimates[peer] = min(max(estimate, limits.remb_floor), limits.remb_ceiling)

    # -- time ------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Effect[P]]:
        """Ask again for what is missing, send PLIs that waited, report once in `report_interval`."""
        effects: list[Effect[P]] = []
        for track in list(self._open):
            if track.missing:
                effects += self._ask_again(track, now)
            if track.pli_due and now - track.last_pli >= self._limits.pli_interval:
                effects += self._ask_key_frame(track, now)
            if not track.missing and not track.pli_due:
                del self._open[track]
        if now >= self._next_report:
            self._next_report = now + self._limits.report_interval
            for peer, known in self._peers.items():
                if known.ready and known.tracks:
                    effects += self._report(peer, known, now)
        return effects

    def _ask_again(self, track: Track[P], now: float) -> list[Effect[P]]:
        delays = self._limits.nack_delays
        again: list[int] = []
        for number, (due, tries) in list(track.missing.items()):
            if due > now:
                continue
            again.append(number)
            if tries < len(delays):
                track.missing[number] = (now + delays[tries], tries + 1)
            else:
                del track.missing[number]
        return [
            self._nack(track, sorted(again)[start : start + rtcp.NACK_MAX])
            for start in range(0, len(again), rtcp.NACK_MAX)
        ]

    def _report(self, peer: P, known: _Peer[P], now: float) -> list[Effect[P]]:
        blocks = [b for track in known.tracks.values() if (b := self._reception(track, now)) is not None]
        if not blocks:
            return []
        data = rtcp.receiver_report(blocks)
        video = [track for track in known.tracks.values() if track.kind == "video"]
        if video:
            rate = sum(self._bitrate(track, now) for track in video)
            data += rtcp.remb(rate, [track.ssrc for track in video])
        return [SendRtcp(peer, data)]

    def _reception(self, track: Track[P], now: float) -> rtcp.Reception | None:
        """RFC 3550 A.3."""
        if track.high is None or track.base is None:
            return None
        expected = track.high - track.base + 1
        lost = expected - track.received
        new_expected, new_lost = expected - track.prior[0], lost - track.prior[1]
        track.prior = (expected, lost)
        fraction = min(255, max(0, 256 * new_lost // new_expected)) if new_expected > 0 else 0
        delay = min(0xFFFFFFFF, int((now - track.sr_at) * 65536)) if track.last_sr else 0
        return rtcp.Reception(
            track.ssrc, fraction, lost, track.high, min(0xFFFFFFFF, int(track.jitter)), track.last_sr, delay
        )

    def _bitrate(self, track: Track[P], now: float) -> int:
        """What the most able receiver of the stream can take of it."""
        limits = self._limits
        best = 0.0
        for peer in track.receivers:
            known = self._peers[peer]
            can = track.estimates.get(peer, float(limits.remb_ceiling))
            if now - known.remb_at <= limits.remb_age:
                can = min(can, known.remb / max(1, known.videos))
            best = max(best, can)
        if not track.receivers:
            best = float(limits.remb_ceiling)
        return int(min(max(best, limits.remb_floor), limits.remb_ceiling))
