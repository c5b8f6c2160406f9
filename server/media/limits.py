"""Every number of the SFU. Sizes are bytes, times seconds, bit rates bits a second."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

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

AUDIO_PAYLOAD_TYPE: Final = wire.AUDIO_PAYLOAD_TYPE
VIDEO_PAYLOAD_TYPE: Final = wire.VIDEO_PAYLOAD_TYPE
AUDIO_CLOCK: Final = 48_000
VIDEO_CLOCK: Final = 90_000
#: The SFU's own SSRC in the RTCP that it writes.
OWN_SSRC: Final = 1
#: Half of the sequence numbers: what is further ahead is behind (RFC 3550 A.1).
_JUMP_MAX: Final = 0x7FFF

Count = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Cache = Annotated[int, msgspec.Meta(ge=1, le=0x8000)]
BitRate = Annotated[int, msgspec.Meta(ge=8_000, le=10**12)]
Rate = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]


class MediaError(ValueError):
    """A request that the SFU refuses; nothing has changed. `code` is for programs, the text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class MediaLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one SFU gives, and how long it waits: the ``[media]`` table of the settings.

    How many
        peers: connections with media, in all rooms together.
        streams_per_peer: of one connection.
        addresses_per_peer: that one peer may have open (candidates of one client).
        rtcp_sources: sender SSRCs that one peer's RTCP may use; libsrtp keeps a state for each.
        retired_ssrcs: of streams that have ended, remembered a room with their last sequence number.

    How much
        video_cache, audio_cache: packets kept a stream, to answer NACKs; powers of two.
        video_bitrate, audio_bitrate: what one stream may send, with a burst of one second's worth; beyond it
            packets are dropped.
        rtcp_rate, rtcp_burst: RTCP packets of one peer, a second and at once.
        nack_rate, nack_burst: packets that one receiver may ask for again, a second and at once.
        ask_rate, ask_burst: packets of one stream that its publisher is asked for, a second and at once.
        key_frame_rate, key_frame_burst: key frames of one stream that one receiver may ask for.
        remb_floor, remb_ceiling: what REMB may tell a publisher, for one video stream.
        receiver_start, receiver_floor, receiver_ceiling: what a receiver is taken to be able to receive, all
            together, before that is known, at least and at most.
        socket_buffer: SO_RCVBUF and SO_SNDBUF, asked for.

    Handshakes
        handshake_time: from the first ClientHello to the keys.
        handshake_bytes: received in one handshake.
        handshake_tries: for one set of parameters, failed ones included.

    TCP
        tcp_connections: at a time, of peers and strangers.
        tcp_per_address: of these, from one address (from one /64, with IPv6).
        tcp_buffer: bytes that may wait for a slow reader; packets beyond it get lost, pictures beyond half.
        tcp_time: a connection that no authenticated check has come by is cut after so long.
        tcp_stall: a reader that takes nothing for so long is cut.

    How long
        idle: silent in STUN for so long, and consent to send is over (RFC 7675): forwarding stops.
        address_hold: after it was last heard, an address can't be claimed by another peer for so long.
        rebinding: a nominated address silent in STUN for so long gives way to another one that is heard.
        remb_age: a receiver's own REMB counts for so long.

    Loss and reports
        gap: more missing packets than this aren't asked for again: a jump, mended by a key frame.
        nack_delays: waits before a missing packet is asked for once more; then it is given up.
        pli_interval: at most one PLI in this time for one stream.
        sr_interval: at most one forwarded sender report in this time for one stream.
        report_interval: between RR and REMB to publishers.
        beat: between empty RRs to everybody, by which who hears nothing knows that the network has gone.

    The machine
        drain: datagrams read in one turn of the event loop.
        batched: read and write many datagrams with one system call, where the kernel can.
        tick: between two looks at the timers.

    Raises ValueError (ValidationError when it is decoded) if sizes contradict each other; the bounds of
    single fields are checked where a file is read.
    """

    peers: Count = 2000
    streams_per_peer: Annotated[int, msgspec.Meta(ge=1, le=wire.STREAMS_MAX)] = wire.STREAMS_MAX
    addresses_per_peer: Annotated[int, msgspec.Meta(ge=2, le=64)] = 4
    rtcp_sources: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 16
    retired_ssrcs: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 1024

    video_cache: Cache = 512
    audio_cache: Cache = 64
    video_bitrate: BitRate = 50_000_000
    audio_bitrate: BitRate = 512_000
    rtcp_rate: Rate = 300.0
    rtcp_burst: Count = 300
    nack_rate: Rate = 400.0
    nack_burst: Count = 400
    ask_rate: Rate = 1000.0
    ask_burst: Count = 1500
    key_frame_rate: Rate = 0.5
    key_frame_burst: Count = 10
    remb_floor: BitRate = 100_000
    remb_ceiling: BitRate = 2_000_000
    receiver_start: BitRate = 8_000_000
    receiver_floor: BitRate = 100_000
    receiver_ceiling: BitRate = 100_000_000
    socket_buffer: Annotated[int, msgspec.Meta(ge=4096, le=2**30)] = 1 << 22

    handshake_time: Seconds = 10.0
    #: Less than a hello, a certificate and a key exchange would let nobody in.
    handshake_bytes: Annotated[int, msgspec.Meta(ge=4096, le=2**24)] = 65_536
    handshake_tries: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 4

    tcp_connections: Count = 1024
    tcp_per_address: Count = 64
    tcp_buffer: Annotated[int, msgspec.Meta(ge=8192, le=2**24)] = 131_072
    tcp_time: Seconds = 5.0
    tcp_stall: Seconds = 5.0

    idle: Seconds = 30.0
    address_hold: Seconds = 10.0
    rebinding: Seconds = 12.0
    remb_age: Seconds = 5.0

    gap: Annotated[int, msgspec.Meta(ge=0, le=_JUMP_MAX)] = 256
    nack_delays: Annotated[tuple[Seconds, ...], msgspec.Meta(max_length=16)] = (0.04, 0.06, 0.1, 0.2)
    pli_interval: Seconds = 0.3
    sr_interval: Seconds = 0.1
    report_interval: Seconds = 1.0
    beat: Seconds = 0.5

    drain: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 64
    batched: bool = True
    tick: Annotated[float, msgspec.Meta(ge=0.001, le=1.0)] = 0.02

    def __post_init__(self) -> None:
        for name in ("video_cache", "audio_cache"):
            size = getattr(self, name)
            if size < 1 or size & (size - 1):
                raise ValueError(f"{name}: a cache holds a power of two of packets")
        if self.remb_floor > self.remb_ceiling:
            raise ValueError("remb_floor is above remb_ceiling")
