"""One published stream of packets: its cache, its missing packets, and its receivers.

Simulcast: a video sent in several sizes (layers), of which each receiver gets one at a time.

Receivers see one stream whose numbers continue without a gap. Each change of layer changes the offsets of
sequence number, timestamp, PictureID and TL0PICIDX (`server.sfu.core.rewriter`). The sender seals the payload
and the receiver opens it; the key id tells the receiver which layer a frame belongs to. A change happens at a
key frame, which one bit of the sealed frame's clear header marks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import Final, Generic

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.core.bandwidth.budget import NEW
from snugroom.server.sfu.core.crossing import Crossing
from snugroom.server.sfu.core.effects import P
from snugroom.server.sfu.core.fanout import Fanout
from snugroom.server.sfu.core.traffic import ByteBudget, RoomTraffic
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import MediaKind
from snugroom.wire.rtp import CLOCK_RATES

#: Packets a second that a stream may send, however small they are.
_PACKETS_VIDEO: Final = 6000
_PACKETS_AUDIO: Final = 500
#: The latest packets, which are kept however old they are: probes resend them.
PROBE_PACKETS: Final = 32
#: Seconds in which a remote stream resumes: the packets before were not wanted here, and are not lost.
_RESUME: Final = 0.25
#: Seconds without a packet after which a layer counts as not sent.
ALIVE: Final = 1.0


@dataclass(slots=True, eq=False, repr=False)
class Track(Generic[P]):
    """One SSRC of a publisher. Sequence numbers are kept extended (RFC 3550 A.1): they never wrap."""

    owner: P
    ssrc: int
    kind: MediaKind
    limits: InitVar[MediaLimits]
    _: KW_ONLY
    now: InitVar[float]
    #: Highest extended sequence number, None before the first packet.
    high: int | None
    #: The SSRC of the publisher's RTX, which is also announced to receivers. None: it resends packets
    #: unchanged.
    rtx: int | None
    #: The budget of its publisher, and the traffic of its room.
    publishing: ByteBudget
    traffic: RoomTraffic
    #: A remote stream: the bridge over which it comes, and since when members here need it.
    bridge: P | None = None
    wanted_since: float | None = None
    #: A local stream in a room that is on several workers: the bridges that get it.
    crossing: Crossing[P] | None = None
    #: Ticks a second of the RTP timestamp.
    clock: int = field(init=False)
    #: The video of which this is a layer, and its index: 0 is the smallest. None: a stream without layers.
    source: SimulcastSource[P] | None = None
    layer: int = 0
    #: Subscriptions that change to this layer at its next key frame.
    pending_subscriptions: dict[Subscription[P], None] = field(default_factory=dict)
    #: Each receiver, and the highest sequence number when it began to receive.
    receivers: dict[P, int] = field(default_factory=dict)
    fanouts: tuple[Fanout[P], ...] | None = None
    #: Receivers that are paced; valid when `fanouts` is.
    paced: tuple[P, ...] = ()
    #: Peers that received the stream in their present SRTP session and do not want it now. They get one
    #: packet in `ROC_KEEPALIVE`, so that both ends of the session keep the same rollover counter (RFC 3711
    #: 3.3.1). Otherwise the counter would be lost after 2^15 packets, and an index used twice.
    paused: dict[P, None] = field(default_factory=dict)
    cache: list[bytes | None] = field(init=False)
    mask: int = field(init=False)
    #: No packet at or below this number is kept any more. `marks`: the highest number at moments since then.
    expired: int = -1
    marks: deque[tuple[float, int]] = field(default_factory=deque)
    #: No packet at or below this number is forwarded: it was forwarded under an earlier key of the sender.
    #: The receivers' SRTP sessions continue, and must not seal two packets with one index.
    floor: int | None = field(init=False)
    #: The first number, and the packets since; (expected, lost) at the last report.
    base: int | None = None
    received: int = 0
    prior: tuple[int, int] = (0, 0)
    #: The timestamp of the last new frame and when it arrived; for a layer its latest position.
    stamp: bytes = b""
    arrived: float = float("-inf")
    latest: rewriter.StreamPosition | None = None
    transit: int | None = None
    jitter: float = 0.0
    #: Missing packets: when each is asked for again, and how often it has been asked for.
    missing: dict[int, tuple[float, int]] = field(default_factory=dict)
    #: Allowance of packets to ask for (again).
    nack_budget: TokenBucket = field(init=False)
    last_pli: float = float("-inf")
    pli_due: bool = False
    last_sr: int = 0
    sr_at: float = float("-inf")
    #: Bytes a second that the stream may send, and how many of them it may send now.
    bytes_rate: float = field(init=False)
    allowance: float = field(init=False)
    allowed_at: float = field(init=False)
    #: The bytes that the smallest packet counts for: every packet costs, however small it is.
    packet_cost_min: float = field(init=False)
    #: Bytes since the last rate measurement.
    octets: int = 0
    #: Bytes between the last two measurements, and the smoothed rate in bits a second.
    window: int = 0
    rate: float = 0.0
    #: Packets between the last two measurements, and the highest number at the last one.
    packets: int = 0
    counted: int | None = None
    #: The server is late, and does not forward the stream (`core.shedding`); when that began or ended last.
    shed: bool = False
    shed_at: float = float("-inf")
    #: The rate that each receiver's loss allows, in bits a second.
    estimates: dict[P, float] = field(default_factory=dict)

    def __post_init__(self, limits: MediaLimits, now: float) -> None:
        video = self.kind == "video"
        self.clock = CLOCK_RATES[self.kind]
        self.cache = [None] * (limits.video_cache if video else limits.audio_cache)
        self.mask = len(self.cache) - 1
        self.floor = self.high
        self.nack_budget = TokenBucket(limits.ask_rate, limits.ask_burst, now)
        self.bytes_rate = (limits.video_bitrate if video else limits.audio_bitrate) / 8
        self.packet_cost_min = self.bytes_rate / (_PACKETS_VIDEO if video else _PACKETS_AUDIO)
        self.allowance = self.bytes_rate
        self.allowed_at = now

    def expire(self, now: float, seconds: float) -> None:
        """Drop packets that have been kept for `seconds`, except for the latest. Call it now and then."""
        if self.high is None:
            return
        self.marks.append((now, self.high))
        end = self.expired
        while self.marks and now - self.marks[0][0] >= seconds:
            end = self.marks.popleft()[1]
        end = min(end, self.high - PROBE_PACKETS)
        # Slots of older numbers hold later packets.
        for number in range(max(self.expired, self.high - self.mask - 1) + 1, end + 1):
            self.cache[number & self.mask] = None
        self.expired = max(self.expired, end)

    def last_packets(self, count: int) -> list[bytes]:
        """Return the packets that are cached of the last `count`, in order."""
        if self.high is None:
            return []
        first = max(self.high - min(count, self.mask + 1) + 1, 0)
        cached = (self.cache[number & self.mask] for number in range(first, self.high + 1))
        return [packet for packet in cached if packet is not None]

    def last_frame(self) -> list[bytes]:
        """Return the packets of the last whole frame that are cached; may be empty."""
        frames: list[list[bytes]] = []
        for packet in self.last_packets(self.mask + 1):
            if not frames or frames[-1][0][4:8] != packet[4:8]:
                frames.append([])
            frames[-1].append(packet)
        # The last frame may still be incomplete.
        return frames[-2] if len(frames) > 1 else []

    def cached(self, number: int) -> bytes | None:
        """Return the packet with this extended sequence number, if it is still cached."""
        if self.high is None or not self.high - self.mask <= number <= self.high:
            return None
        packet = self.cache[number & self.mask]
        # Otherwise the slot holds an older packet.
        return packet if packet is not None and packet[2] << 8 | packet[3] == number & 0xFFFF else None

    def alive(self, now: float) -> bool:
        """Whether it is being sent."""
        return now - self.arrived < ALIVE

    def resuming(self, now: float) -> bool:
        """Whether this is a remote stream and the packets that are missing now were not wanted here."""
        return self.bridge is not None and (self.wanted_since is None or now - self.wanted_since < _RESUME)

    def measure_rate(self, now: float, passed: float) -> None:
        """Update the rate, `passed` seconds after the last call."""
        self.window, self.octets = self.octets, 0
        if self.high is not None:
            self.packets = 0 if self.counted is None else self.high - self.counted
            self.counted = self.high
        if self.bridge is not None and now - self.arrived < ALIVE:
            return  # its own worker tells the rate
        fresh = 8 * self.window / passed
        # A new stream has no past to smooth with.
        self.rate = fresh if not self.rate else self.rate + (fresh - self.rate) * NEW
        if self.kind == "video" and not self.alive(now):
            self.rate = 0.0

    def measure_jitter(self, transit: int) -> None:
        """Update the interarrival jitter (RFC 3550 A.8)."""
        if self.transit is not None:
            change = (transit - self.transit) & 0xFFFFFFFF
            self.jitter += (min(change, 0x100000000 - change) - self.jitter) / 16
        self.transit = transit

    def reception_report(self, now: float) -> rtcp.ReportBlock | None:
        """Return the report block for the publisher (RFC 3550 A.3); None before the first packet."""
        if self.high is None or self.base is None:
            return None
        expected = self.high - self.base + 1
        lost = expected - self.received
        new_expected, new_lost = expected - self.prior[0], lost - self.prior[1]
        self.prior = (expected, lost)
        fraction = min(255, max(0, 256 * new_lost // new_expected)) if new_expected > 0 else 0
        delay = min(0xFFFFFFFF, int((now - self.sr_at) * 65536)) if self.last_sr else 0
        return rtcp.ReportBlock(
            self.ssrc, fraction, lost, self.high, min(0xFFFFFFFF, int(self.jitter)), self.last_sr, delay
        )


class Subscription(Generic[P]):
    """One receiver's subscription to a source.

    `max_layer`: the largest useful layer; `allocated_layer`: the layer that fits the bandwidth.
    """

    __slots__ = (
        "allocated_layer", "first", "max_layer", "paced", "peer", "pending_track", "sent", "source",
        "stream_rewriter", "track",
    )  # fmt: skip

    def __init__(self, source: SimulcastSource[P], peer: P, stream_rewriter: rewriter.StreamRewriter) -> None:
        self.source = source
        self.peer = peer
        self.max_layer = len(source.tracks) - 1
        self.allocated_layer: int | None = self.max_layer
        #: The layer that is being sent, None while none is.
        self.track: Track[P] | None = None
        #: The layer to change to at its next key frame.
        self.pending_track: Track[P] | None = None
        self.stream_rewriter = stream_rewriter
        #: The receiver is paced, so the packets that have arrived are not those that have been sent. `first`:
        #: position of this layer's first packet; `sent`: position of the last packet that went out.
        self.paced = False
        self.first: rewriter.StreamPosition | None = None
        self.sent: rewriter.StreamPosition | None = None

    def select_layer(self, now: float) -> Track[P] | None:
        """Return the layer to send: the largest live one within the limits, else the smallest live one.

        None: nothing can be sent now.
        """
        if self.allocated_layer is None:
            return None
        tracks = self.source.tracks
        most = min(self.max_layer, self.allocated_layer, len(tracks) - 1)
        below = next((t for t in reversed(tracks[: most + 1]) if t.alive(now) and not t.shed), None)
        if below is not None:
            return below
        above = next((t for t in tracks[most + 1 :] if t.alive(now) and not t.shed), tracks[most])
        return None if above.shed else above

    def stop(self) -> None:
        """Send nothing for now."""
        if self.track is not None:
            last = self.sent if self.paced else self.track.latest
            if last is None and self.first is not None:
                last = rewriter.position_before(self.first)
            if last is not None:
                self.stream_rewriter.end(last)
        self.track = None

    def begin(self, track: Track[P], first: rewriter.StreamPosition) -> None:
        """Send `track` from the packet `first` on."""
        self.stop()
        self.stream_rewriter.begin(track.layer, first)
        self.track, self.first, self.sent = track, first, None

    def find_packet(self, sequence: int) -> bytes | None:
        """Return the packet `sequence` (16 bits) as this receiver got it; None if it is gone."""
        last = self.sent if self.paced else None if self.track is None else self.track.latest
        latest = 0 if last is None else last.sequence
        resolved = self.stream_rewriter.resolve(sequence, latest)
        if resolved is None or resolved[0] >= len(self.source.tracks):
            return None
        layer, number, offsets = resolved
        packet = self.source.tracks[layer].cached(number)
        if packet is None:
            return None
        out = bytearray(packet)
        rewriter.rewrite(out, 0, number, self.source.ssrc, rewriter.layer_descriptor(packet), offsets)
        return bytes(out)


class SimulcastSource(Generic[P]):
    """A published video with its layers, from small to large. Receivers see it under `ssrc`."""

    __slots__ = ("owner", "ssrc", "subscriptions", "tracks")

    def __init__(self, ssrc: int, owner: P, tracks: list[Track[P]]) -> None:
        self.ssrc = ssrc
        self.owner = owner
        self.tracks = tracks
        self.subscriptions: dict[P, Subscription[P]] = {}
        for layer, track in enumerate(tracks):
            track.source, track.layer = self, layer
