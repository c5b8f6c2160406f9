"""All numbers of the SFU. Sizes are bytes, times seconds, bit rates bits a second."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from snugroom.wire import limits as wire

#: The receive buffer. A datagram that fills it has been truncated, and is dropped.
DATAGRAM_MAX: Final = 2048
#: The SFU sends its DTLS flights in datagrams of at most this many bytes.
DTLS_MTU: Final = 1200

#: The SFU's own SSRC in the RTCP that it writes.
OWN_SSRC: Final = 1
#: Half of the sequence numbers: a number further ahead counts as behind (RFC 3550 A.1).
_JUMP_MAX: Final = 0x7FFF

Count = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Cache = Annotated[int, msgspec.Meta(ge=1, le=0x8000)]
BitRate = Annotated[int, msgspec.Meta(ge=8_000, le=10**12)]
Rate = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]


class MediaError(ValueError):
    """The SFU refuses a request; nothing has changed. `code` is for programs, the text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


#: The settings that limit bit rates, for programs that measure how much a machine can do.
BIT_RATES: Final = ("video_bitrate", "member_bitrate", "room_bitrate", "total_bitrate")


class MediaLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits and timeouts of one SFU: the ``[media]`` table of the settings.

    `tests.docs.generate` makes a table of this text.

    How many
        peers: connections with media, in all rooms together.
        streams_per_peer: streams of one connection.
        addresses_per_peer: addresses that one peer may have open (candidates of one client).
        room_part: members of a room on one media worker, before further members of it get another worker.
        rtcp_sources: SSRCs of one client's RTCP; libsrtp keeps a state for each.
        retired_ssrcs: ended streams that a room remembers, with their last sequence number.

    How much
        video_cache: packets kept for retransmission, per video stream, at most; a power of two.
        audio_cache: the same per audio stream.
        cache_time: packets are kept for this many seconds, up to a quarter of a second more; video for less
            where all receivers of a room are near: for three round trips to the slowest.
        video_bitrate: bits per second that one video stream may send, and as much at once; packets beyond it
            are dropped.
        audio_bitrate: the same for an audio stream.
        member_bitrate: bits per second that one member may send in all its streams, video first to be dropped
            beyond it, sound last.
        room_bitrate: bits per second that are sent to all members of one room: beyond it they get fewer and
            smaller videos.
        total_bitrate: bits per second that one worker sends, in all rooms together: the largest receivers get
            less then, and rooms that take less than an equal part go on.
        rtcp_rate: RTCP packets of one client, per second.
        rtcp_burst: the same at once.
        nack_rate: packets that one receiver may request again, per second.
        nack_burst: the same at once.
        ask_rate: packets of one stream that its publisher is asked for again, per second.
        ask_burst: the same at once.
        key_frame_rate: key frames of one stream that one receiver may request, per second.
        key_frame_burst: the same at once.
        remb_floor: minimum of the REMB sent to a publisher, for one video stream.
        remb_ceiling: maximum of the REMB sent to a publisher.
        receiver_start: assumed bandwidth of a receiver until it is known, bits per second.
        receiver_floor: minimum bandwidth of a receiver.
        receiver_ceiling: maximum bandwidth of a receiver.
        socket_buffer: buffer requested from the kernel, in each direction (see ``net.core.rmem_max``).

    Handshakes
        handshake_time: from the first ClientHello to the keys.
        handshake_bytes: received in one handshake.
        handshake_tries: handshakes for one set of parameters, failed ones included.

    TCP
        tcp_connections: connections for media, unauthenticated ones included.
        tcp_per_address: connections from one address (one /64 with IPv6); raise it for offices behind one
            address.
        tcp_buffer: bytes that may wait for one slow reader; further packets are dropped, video beyond half.
        tcp_time: a connection without an authenticated check is cut after this time.
        tcp_stall: a reader that takes nothing is cut after this time.

    How long
        idle: without a STUN check from the client, or an answer to a check of the server, forwarding stops
            after this time (RFC 7675).
        address_hold: no other client can claim an address within this time after its last check.
        rebinding: a nominated address without STUN for this time yields to another one that passes a check.
        remb_age: a receiver's own REMB is valid for this time.

    Loss and reports
        gap: a larger gap of missing packets is not requested again: a key frame repairs it.
        nack_delays: waits before each further request for a missing packet; then it is given up.
        pli_interval: between key frame requests for one stream.
        sr_interval: between forwarded sender reports of one stream.
        report_interval: between RR and REMB to publishers.
        beat: between empty RRs to all clients: a client that receives none tries another path after 1.5 s.

    The machine
        drain: datagrams per turn of the event loop.
        batched: many datagrams per system call, where the kernel supports it.
        tick: between checks of the timers; a tenth of a second while nothing comes and nothing waits.
        lag_max: packets that wait longer than this for the server make it drop streams: the largest layers
            first, then videos, audio last. Below a quarter of it the streams come back.

    Raises ValueError (ValidationError when it is decoded) if sizes contradict each other. The bounds of
    single fields are checked where a file is read.
    """

    peers: Count = 2000
    streams_per_peer: Annotated[int, msgspec.Meta(ge=1, le=wire.STREAMS_MAX)] = wire.STREAMS_MAX
    addresses_per_peer: Annotated[int, msgspec.Meta(ge=3, le=64)] = 4
    room_part: Count = 25
    rtcp_sources: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 16
    retired_ssrcs: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 1024

    video_cache: Cache = 512
    audio_cache: Cache = 64
    cache_time: Seconds = 1.0
    video_bitrate: BitRate = 50_000_000
    audio_bitrate: BitRate = 512_000
    member_bitrate: BitRate = 6_000_000
    room_bitrate: BitRate = 400_000_000
    total_bitrate: BitRate = 800_000_000
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
    #: With fewer bytes, a hello, a certificate and a key exchange would not fit, and nobody could join.
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
    lag_max: Seconds = 0.02

    def __post_init__(self) -> None:
        for name in ("video_cache", "audio_cache"):
            size = getattr(self, name)
            if size < 1 or size & (size - 1):
                raise ValueError(f"{name}: the number of packets must be a power of two")
        if self.remb_floor > self.remb_ceiling:
            raise ValueError("remb_floor is above remb_ceiling")


def unlimited(limits: MediaLimits) -> MediaLimits:
    """Return `limits` without limits of bit rates, and without shedding."""
    return msgspec.structs.replace(limits, **dict.fromkeys(BIT_RATES, 10**12), lag_max=3600.0)
