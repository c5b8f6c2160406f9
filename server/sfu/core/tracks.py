"""One published stream of packets: its cache, its missing packets, and its receivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.codecs import rtcp
from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.core.bandwidth.budget import NEW
from snugroom.server.sfu.core.effects import P
from snugroom.server.sfu.core.fanout import Fanout
from snugroom.server.sfu.limits import AUDIO_CLOCK, VIDEO_CLOCK, MediaLimits
from snugroom.server.wire.messages import MediaKind

if TYPE_CHECKING:
    from snugroom.server.sfu.core.layers import SimulcastSource, Subscription
    from snugroom.server.sfu.core.peers import Room

#: Packets a second that a stream may send, however small they are.
_PACKETS_VIDEO: Final = 6000
_PACKETS_AUDIO: Final = 500
#: Seconds without a packet after which a layer counts as not sent.
ALIVE: Final = 1.0


class Track(Generic[P]):
    """One SSRC of a publisher. Sequence numbers are kept extended (RFC 3550 A.1): they never wrap."""

    __slots__ = (
        "allowance", "allowed_at", "arrived", "base", "bytes_rate", "cache", "clock", "estimates",
        "fanouts", "floor", "high", "jitter", "kind", "last_pli", "last_sr", "latest", "layer", "mask",
        "missing", "nack_budget", "octets", "owner", "paced", "packet_cost_min", "paused",
        "pending_subscriptions", "pli_due", "prior", "rate", "received", "receivers", "room", "rtx",
        "source", "sr_at", "ssrc", "stamp", "transit", "window",
    )  # fmt: skip

    def __init__(
        self,
        room: Room[P],
        owner: P,
        ssrc: int,
        kind: MediaKind,
        limits: MediaLimits,
        *,
        high: int | None,
        rtx: int | None,
        now: float,
    ) -> None:
        video = kind == "video"
        self.room = room
        self.owner = owner
        self.ssrc = ssrc
        self.kind: MediaKind = kind
        self.clock = VIDEO_CLOCK if video else AUDIO_CLOCK
        #: The SSRC of the publisher's RTX, which is also announced to receivers. None: it resends packets
        #: unchanged.
        self.rtx = rtx
        #: The video of which this is a layer, and its index: 0 is the smallest. None: a stream without
        #: layers.
        self.source: SimulcastSource[P] | None = None
        self.layer = 0
        #: Subscriptions that change to this layer at its next key frame.
        self.pending_subscriptions: dict[Subscription[P], None] = {}
        #: Each receiver, and the highest sequence number when it began to receive.
        self.receivers: dict[P, int] = {}
        self.fanouts: tuple[Fanout[P], ...] | None = None
        #: Receivers that are paced; valid when `fanouts` is.
        self.paced: tuple[P, ...] = ()
        #: Peers that received the stream in their present SRTP session and do not want it now. They get one
        #: packet in `_ROC_KEEPALIVE`, so that both ends of the session keep the same rollover counter (RFC
        #: 3711 3.3.1). Otherwise the counter would be lost after 2^15 packets, and an index used twice.
        self.paused: dict[P, None] = {}
        self.cache: list[bytes | None] = [None] * (limits.video_cache if video else limits.audio_cache)
        self.mask = len(self.cache) - 1
        #: Highest extended sequence number, None before the first packet.
        self.high = high
        #: No packet at or below this number is forwarded: it was forwarded under an earlier key of the
        #: sender. The receivers' SRTP sessions continue, and must not seal two packets with one index.
        self.floor = high
        self.base: int | None = None
        self.received = 0
        self.prior = (0, 0)
        self.stamp = b""
        #: When the last new frame arrived, and for a layer its latest position.
        self.arrived = float("-inf")
        self.latest: rewriter.StreamPosition | None = None
        self.transit: int | None = None
        self.jitter = 0.0
        self.missing: dict[int, tuple[float, int]] = {}
        #: Allowance of packets to ask for (again).
        self.nack_budget = TokenBucket(limits.ask_rate, limits.ask_burst, now)
        self.last_pli = float("-inf")
        self.pli_due = False
        self.last_sr = 0
        self.sr_at = float("-inf")
        self.bytes_rate = (limits.video_bitrate if video else limits.audio_bitrate) / 8
        #: The bytes that the smallest packet counts for: every packet costs, however small it is.
        self.packet_cost_min = self.bytes_rate / (_PACKETS_VIDEO if video else _PACKETS_AUDIO)
        self.allowance = self.bytes_rate
        self.allowed_at = now
        #: Bytes since the last rate measurement.
        self.octets = 0
        #: Bytes between the last two measurements, and the smoothed rate in bits a second.
        self.window = 0
        self.rate = 0.0
        #: The rate that each receiver's loss allows, in bits a second.
        self.estimates: dict[P, float] = {}

    def last_packets(self, count: int) -> list[bytes]:
        """Return the packets that are cached of the last `count`, in order."""
        if self.high is None:
            return []
        first = max(self.high - min(count, self.mask + 1) + 1, 0)
        cached = (self.cache[number & self.mask] for number in range(first, self.high + 1))
        return [packet for packet in cached if packet is not None]

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

    def measure_rate(self, now: float, passed: float) -> None:
        """Update the rate, `passed` seconds after the last call."""
        self.window, self.octets = self.octets, 0
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

    def reception_report(self, now: float) -> rtcp.ReceptionReport | None:
        """Return the report block for the publisher (RFC 3550 A.3); None before the first packet."""
        if self.high is None or self.base is None:
            return None
        expected = self.high - self.base + 1
        lost = expected - self.received
        new_expected, new_lost = expected - self.prior[0], lost - self.prior[1]
        self.prior = (expected, lost)
        fraction = min(255, max(0, 256 * new_lost // new_expected)) if new_expected > 0 else 0
        delay = min(0xFFFFFFFF, int((now - self.sr_at) * 65536)) if self.last_sr else 0
        return rtcp.ReceptionReport(
            self.ssrc, fraction, lost, self.high, min(0xFFFFFFFF, int(self.jitter)), self.last_sr, delay
        )
