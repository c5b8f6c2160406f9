"""One published stream of packets: what came, what is missing, and who gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic

from server.forwarding.budget import NEW
from server.forwarding.effects import P
from server.media import rtcp, vp8
from server.media.fan import Fan
from server.media.limits import AUDIO_CLOCK, VIDEO_CLOCK, MediaLimits
from server.rate import TokenBucket
from server.wire.messages import MediaKind

if TYPE_CHECKING:
    from server.forwarding.layers import Source, Sub
    from server.forwarding.peers import Room

#: Packets a second that a stream may have, however small.
_PACKETS_VIDEO: Final = 6000
_PACKETS_AUDIO: Final = 500
#: Seconds without a packet after which a layer counts as not sent.
ALIVE: Final = 1.0


class Track(Generic[P]):
    """One SSRC of a publisher. Sequence numbers are kept extended (RFC 3550 A.1): they never wrap."""

    __slots__ = (
        "allowance", "allowed_at", "arrived", "asks", "base", "bytes_rate", "cache", "clock", "estimates",
        "fans", "floor", "high", "jitter", "kind", "last_pli", "last_sr", "latest", "layer", "least", "mask",
        "missing", "octets", "owner", "paced", "paused", "pli_due", "prior", "rate", "received", "receivers",
        "room", "rtx", "source", "sr_at", "ssrc", "stamp", "transit", "waiting", "window",
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
        #: The SSRC under which the publisher sends it again, and which receivers are told; None: as it was.
        self.rtx = rtx
        #: The picture of which it is one size, and which: 0 is the smallest. None: it is all there is.
        self.source: Source[P] | None = None
        self.layer = 0
        #: Those who are to change to this layer at its next key frame.
        self.waiting: dict[Sub[P], None] = {}
        #: Each receiver, and the highest sequence number when it began to receive.
        self.receivers: dict[P, int] = {}
        self.fans: tuple[Fan[P], ...] | None = None
        #: Receivers for whom it waits its turn; known when `fans` are.
        self.paced: tuple[P, ...] = ()
        #: Peers who received it, in the SRTP session that they have, and don't want it now. They get one
        #: packet in `core._BEACON`, so that both ends of the session go on agreeing on the rollover counter
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
        #: When the last new frame came; and of a layer, how far its numbers have got.
        self.arrived = float("-inf")
        self.latest: vp8.Numbers | None = None
        self.transit: int | None = None
        self.jitter = 0.0
        self.missing: dict[int, tuple[float, int]] = {}
        #: How many packets may be asked for (again).
        self.asks = TokenBucket(limits.ask_rate, limits.ask_burst, now)
        self.last_pli = float("-inf")
        self.pli_due = False
        self.last_sr = 0
        self.sr_at = float("-inf")
        self.bytes_rate = (limits.video_bitrate if video else limits.audio_bitrate) / 8
        #: What the smallest packet counts for: packets cost, however small they are.
        self.least = self.bytes_rate / (_PACKETS_VIDEO if video else _PACKETS_AUDIO)
        self.allowance = self.bytes_rate
        self.allowed_at = now
        #: Bytes since rates were last reckoned, and the rate of late, in bits a second.
        self.octets = 0
        #: The same between the last two times that they were.
        self.window = 0
        self.rate = 0.0
        #: What each receiver's loss lets it take, in bits a second.
        self.estimates: dict[P, float] = {}

    def last(self, count: int) -> list[bytes]:
        """Of the last `count` packets those that are held, in order."""
        if self.high is None:
            return []
        first = max(self.high - min(count, self.mask + 1) + 1, 0)
        held = (self.cache[number & self.mask] for number in range(first, self.high + 1))
        return [packet for packet in held if packet is not None]

    def held(self, number: int) -> bytes | None:
        """The packet of this extended sequence number, if it is still here."""
        if self.high is None or not self.high - self.mask <= number <= self.high:
            return None
        packet = self.cache[number & self.mask]
        # else it is a namesake of 65,536 packets before
        return packet if packet is not None and packet[2] << 8 | packet[3] == number & 0xFFFF else None

    def alive(self, now: float) -> bool:
        """Whether it is being sent."""
        return now - self.arrived < ALIVE

    def measure_rate(self, now: float, passed: float) -> None:
        """Once in a while, `passed` seconds after the last time."""
        self.window, self.octets = self.octets, 0
        fresh = 8 * self.window / passed
        # what has just begun has no past to be smoothed with
        self.rate = fresh if not self.rate else self.rate + (fresh - self.rate) * NEW
        if self.kind == "video" and not self.alive(now):
            self.rate = 0.0

    def measure_jitter(self, transit: int) -> None:
        """RFC 3550 A.8."""
        if self.transit is not None:
            change = (transit - self.transit) & 0xFFFFFFFF
            self.jitter += (min(change, 0x100000000 - change) - self.jitter) / 16
        self.transit = transit

    def reception(self, now: float) -> rtcp.Reception | None:
        """What the publisher is told of it (RFC 3550 A.3); None before the first packet."""
        if self.high is None or self.base is None:
            return None
        expected = self.high - self.base + 1
        lost = expected - self.received
        new_expected, new_lost = expected - self.prior[0], lost - self.prior[1]
        self.prior = (expected, lost)
        fraction = min(255, max(0, 256 * new_lost // new_expected)) if new_expected > 0 else 0
        delay = min(0xFFFFFFFF, int((now - self.sr_at) * 65536)) if self.last_sr else 0
        return rtcp.Reception(
            self.ssrc, fraction, lost, self.high, min(0xFFFFFFFF, int(self.jitter)), self.last_sr, delay
        )
