"""Every number of the SFU. Sizes are bytes, times seconds, bit rates bits a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from server.wire import limits as wire

#: An RTP packet in the clear. What pylibsrtp's `Session.protect` takes, so that any receiver built on it
#: could send the packet on; with tag and headers it fits a path of 1,400 bytes.
RTP_MAX: Final = 1356
#: An SRTCP packet as received.
RTCP_MAX: Final = 1400
#: The receive buffer: a datagram that fills it has been cut, and is dropped.
DATAGRAM_MAX: Final = 2048
#: Our DTLS flights go out in datagrams of at most this many bytes.
DTLS_MTU: Final = 1200

AUDIO_PAYLOAD_TYPE: Final = 111
VIDEO_PAYLOAD_TYPE: Final = 96
AUDIO_CLOCK: Final = 48_000
VIDEO_CLOCK: Final = 90_000
#: The SFU's own SSRC in the RTCP that it writes.
OWN_SSRC: Final = 1


class MediaError(ValueError):
    """A request that the SFU refuses; nothing has changed. `code` is for programs, the text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Bucket:
    """A token bucket: `rate` a second, at most `burst` at once."""

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = self._level = float(burst)
        self._at = now

    def take(self, now: float) -> bool:
        """One token, if there is one."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """What one SFU gives, and how long it waits."""

    #: Connections with media, in all rooms together.
    peers: int = 2000
    streams_per_peer: int = wire.STREAMS_MAX
    #: Packets kept a stream, to answer NACKs; powers of two.
    video_cache: int = 512
    audio_cache: int = 64
    #: What one stream may send, with a burst of one second's worth. More is dropped.
    video_bitrate: int = 8_000_000
    audio_bitrate: int = 512_000
    #: From the first ClientHello to the keys.
    handshake_time: float = 10.0
    #: Received in one handshake.
    handshake_bytes: int = 65_536
    #: Handshakes for one set of parameters, failed ones included.
    handshake_tries: int = 4
    #: Silent in STUN for so long: consent to send is over (RFC 7675), and forwarding stops.
    idle: float = 30.0
    #: For so long after it was last heard, an address can't be claimed by another peer.
    address_hold: float = 10.0
    #: A nominated address silent in STUN for so long gives way to another one that is heard.
    rebinding: float = 12.0
    #: Addresses that one peer may have open (candidates of one client).
    addresses_per_peer: int = 4
    #: Sender SSRCs that one peer's RTCP may use: libsrtp keeps a state for each.
    rtcp_sources: int = 16
    #: RTCP packets of one peer, a second, and at once.
    rtcp_rate: float = 300.0
    rtcp_burst: int = 300
    #: Packets that one receiver may ask for again, a second, and at once.
    nack_rate: float = 400.0
    nack_burst: int = 400
    #: A gap of more packets than this isn't asked for again: a jump, mended by a key frame.
    gap: int = 256
    #: Waits before a missing packet is asked for once more; then it is given up.
    nack_delays: tuple[float, ...] = (0.04, 0.06, 0.1, 0.2)
    #: At most one PLI in this time for one stream.
    pli_interval: float = 0.3
    #: At most one forwarded sender report in this time for one stream.
    sr_interval: float = 0.1
    #: RR and REMB to publishers.
    report_interval: float = 1.0
    #: What REMB may tell a publisher, for one video stream.
    remb_ceiling: int = 2_000_000
    remb_floor: int = 100_000
    #: A receiver's own REMB counts for so long.
    remb_age: float = 5.0
    #: SSRCs of streams that have ended, remembered a room with their last sequence number.
    retired_ssrcs: int = 1024
    #: Datagrams read in one turn of the event loop.
    drain: int = 64
    #: Read and write many datagrams with one system call, where the kernel can.
    batched: bool = True
    #: Between two looks at the timers.
    tick: float = 0.02
    #: SO_RCVBUF and SO_SNDBUF, asked for.
    socket_buffer: int = 1 << 22
