"""Who is there: a connection with media, and the room that it is in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic

from server.forwarding.budget import Budget
from server.forwarding.effects import P
from server.forwarding.layers import Source, Sub
from server.forwarding.tracks import Track
from server.media import vp8
from server.media.pacer import Pacer
from server.rate import TokenBucket


@dataclass(slots=True)
class Peer(Generic[P]):
    """One connection: what it sends, what it receives, and what of it."""

    room: Room[P]
    nacks: TokenBucket
    budget: Budget
    #: Of a narrow way: packets wait in it.
    pacer: Pacer[Any, int] | None = None
    #: It takes transport-wide numbers, and RTX.
    feedback: bool = False
    rtx: bool = False
    #: Its own streams by SSRC, each layer for itself; and by the SSRC of what it sends again.
    tracks: dict[int, Track[P]] = field(default_factory=dict)
    again: dict[int, Track[P]] = field(default_factory=dict)
    #: What it receives, by the SSRC that it sees.
    receives: dict[int, Track[P] | Sub[P]] = field(default_factory=dict)
    #: Pictures without layers that it wants, and that its way doesn't carry now.
    stopped: dict[int, Track[P]] = field(default_factory=dict)
    #: Until when reports of loss of those that were are not believed: they see a hole.
    resumed: dict[int, float] = field(default_factory=dict)
    wants: frozenset[int] | None = None
    #: Of what it wants the largest layer, and which comes first.
    tops: dict[int, int] = field(default_factory=dict)
    ranks: dict[int, int] = field(default_factory=dict)
    ready: bool = False
    #: Its share of the key frames of each stream.
    key_frames: dict[int, TokenBucket] = field(default_factory=dict)
    #: SSRCs that the peer's present SRTP session has carried to it, as they came.
    carried: set[int] = field(default_factory=set)
    #: Where the numbers stand of those whose numbers are ours, and the next one of each RTX: they must go on.
    numbered: dict[int, vp8.Splice] = field(default_factory=dict)
    resent: dict[int, int] = field(default_factory=dict)
    #: Video streams that it receives.
    videos: int = 0
    remb: int = 0
    remb_at: float = float("-inf")

    def wide(self, track: Track[P]) -> bool:
        """Whether packets of this stream get a number of this peer's own.

        Such a packet is never the same again, so it must not be sent twice under one index: what is lost
        has to go out as RTX.
        """
        return self.feedback and self.rtx and track.kind == "video" and self.rtx_of(track) is not None

    @staticmethod
    def rtx_of(track: Track[P]) -> int | None:
        """The SSRC under which receivers get what is sent again of this stream."""
        return track.source.tracks[0].rtx if track.source is not None else track.rtx


class Room(Generic[P]):
    """All who meet, and all that they send. `sources` are streams with layers, by the SSRC that is seen."""

    def __init__(self, number: bytes) -> None:
        self.number = number
        self.peers: dict[P, Peer[P]] = {}
        self.tracks: dict[int, Track[P]] = {}
        self.sources: dict[int, Source[P]] = {}
        #: SSRCs whose numbers at receivers are ours, since they have, or had, layers.
        self.shifted: dict[int, None] = {}
        #: The SSRC of RTX that streams have, or had when they ended.
        self.again: dict[int, int] = {}
        self.retired: dict[int, int] = {}
        self.burnt: dict[int, None] = {}
