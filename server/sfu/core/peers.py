"""A connection with media, and the room that it is in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.core.bandwidth.budget import Budget
from snugroom.server.sfu.core.effects import P, SendRtp
from snugroom.server.sfu.core.pacer import Pacer
from snugroom.server.sfu.core.tracks import SimulcastSource, Subscription, Track
from snugroom.server.sfu.core.traffic import ByteBudget, RoomTraffic
from snugroom.wire import rtp


@dataclass(slots=True)
class Peer(Generic[P]):
    """One connection: the streams that it sends and receives, and the state of each."""

    room: Room[P]
    resend_budget: TokenBucket
    #: The streams that it may publish.
    publishing: ByteBudget
    budget: Budget
    #: The bridge to the worker that this member is on; None: it is on this one.
    bridge: P | None = None
    #: A limit of the server has reduced the streams that it gets.
    limited: bool = False
    #: Queue of a receiver on a narrow path.
    pacer: Pacer[Any, int] | None = None
    #: The peer supports transport-wide feedback, and RTX.
    feedback: bool = False
    rtx: bool = False
    #: Its own streams by SSRC, each layer separately, and by the SSRC of their RTX.
    tracks: dict[int, Track[P]] = field(default_factory=dict)
    tracks_by_rtx: dict[int, Track[P]] = field(default_factory=dict)
    #: The streams that it receives, by the SSRC that it sees.
    receives: dict[int, Track[P] | Subscription[P]] = field(default_factory=dict)
    #: Videos without layers that it wants and that its path does not carry now.
    stopped: dict[int, Track[P]] = field(default_factory=dict)
    #: When loss reports on resumed videos count again: the receiver sees a gap.
    resumed: dict[int, float] = field(default_factory=dict)
    subscribed_ssrcs: frozenset[int] | None = None
    #: The largest layer of each wanted stream, and the order of the streams.
    max_layers: dict[int, int] = field(default_factory=dict)
    ranks: dict[int, int] = field(default_factory=dict)
    ready: bool = False
    #: The peer's key frame allowance for each stream.
    key_frames: dict[int, TokenBucket] = field(default_factory=dict)
    #: SSRCs that the peer's present SRTP session has carried to it unchanged.
    unrewritten_ssrcs: set[int] = field(default_factory=set)
    #: State of each stream with rewritten numbers, and the next number of each RTX stream: both must
    #: continue.
    stream_rewriters: dict[int, rewriter.StreamRewriter] = field(default_factory=dict)
    rtx_sequences: dict[int, int] = field(default_factory=dict)
    #: The number of video streams that it receives.
    videos: int = 0
    remb: int = 0
    remb_at: float = float("-inf")

    def uses_twcc(self, track: Track[P]) -> bool:
        """Whether packets of this stream get a transport-wide sequence number for this peer.

        Each such packet is unique, so it must not be sent twice under one SRTP index: lost packets go out as
        RTX.
        """
        return self.feedback and self.rtx and track.kind == "video" and self.rtx_of(track) is not None

    def as_rtx(self, peer: P, packet: bytes, rtx: int) -> SendRtp[P]:
        """Return a packet as RTX to this peer (`peer`), with the next number of that RTX stream."""
        number = self.rtx_sequences.get(rtx, 0)
        self.rtx_sequences[rtx] = number + 1
        return SendRtp(peer, rtp.wrap_rtx(packet, rtx, number), twcc=self.feedback)

    @staticmethod
    def rtx_of(track: Track[P]) -> int | None:
        """Return the SSRC of the RTX stream that receivers get for this stream."""
        return track.source.tracks[0].rtx if track.source is not None else track.rtx


class Room(Generic[P]):
    """One room's peers and streams. `sources`: streams with layers, by the SSRC that receivers see."""

    def __init__(self, number: bytes, traffic: RoomTraffic) -> None:
        self.number = number
        self.traffic = traffic
        self.peers: dict[P, Peer[P]] = {}
        #: The bridges to the other workers that have members of this room.
        self.bridges: dict[P, None] = {}
        self.tracks: dict[int, Track[P]] = {}
        self.sources: dict[int, SimulcastSource[P]] = {}
        #: SSRCs whose numbers are rewritten for receivers, because they have or had layers.
        self.rewritten_ssrcs: dict[int, None] = {}
        #: The RTX SSRC of each stream, or the one that it had when it ended.
        self.rtx_ssrcs: dict[int, int] = {}
        self.retired_ssrcs: dict[int, int] = {}
        self.forbidden_ssrcs: dict[int, None] = {}

    def longest_round_trip(self, now: float) -> float | None:
        """Return the seconds to the slowest receiver of video and back.

        None if that is unknown for one of them, or packets to one of them wait here before they are sent.
        """
        longest = 0.0
        for known in self.peers.values():
            if known.bridge is None and known.videos:
                if known.pacer is not None or not known.budget.estimate.reported(now):
                    return None
                longest = max(longest, known.budget.estimate.rtt)
        return longest
