"""Who is there, what they send, and who is to receive what of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Generic

from server.forwarding.budget import Budget
from server.forwarding.effects import Effect, Forget, P, SendRtcp
from server.forwarding.layers import Source, Sub
from server.forwarding.peers import Peer, Room
from server.forwarding.tracks import Track
from server.media import rtcp, vp8
from server.media.limits import MediaError, MediaLimits
from server.rate import TokenBucket
from server.wire.messages import Stream

#: SSRCs whose last sequence number is forgotten: never forwarded again in this room (4 bytes each).
_BURNT_MAX: Final = 65_536
_COUNTED: Final = (
    "stale", "over_rate", "lost", "asked", "nacks", "resent", "key_frame_requests", "refused_nacks",
    "switches", "layers_refused", "stopped", "padding", "dropped_late",
    "refused_key_frames",
)  # fmt: skip


class Membership(Generic[P]):
    """All rooms with their peers and streams; `Forwarding` is this and the packets."""

    def __init__(self, limits: MediaLimits = MediaLimits()) -> None:  # noqa: B008 - frozen
        self._limits = limits
        self._rooms: dict[bytes, Room[P]] = {}
        self._peers: dict[P, Peer[P]] = {}
        #: Tracks with packets to ask for again, or a key frame request that waits.
        self._open: dict[Track[P], None] = {}
        #: Receivers with a probe that is out, or with packets that may wait.
        self._busy: dict[P, None] = {}
        self._next_report = float("-inf")
        self._next_look = self._looked = float("-inf")
        self.counts = dict.fromkeys(_COUNTED, 0)

    # -- who is there ----------------------------------------------------------------------

    def join(
        self,
        room: bytes,
        peer: P,
        streams: Sequence[Stream],
        now: float,
        *,
        feedback: bool = False,
        rtx: bool = False,
    ) -> list[Effect[P]]:
        """A new peer, or other streams of one that is here. MediaError (nothing changed) if it can't be.

        `feedback`, `rtx`: what it takes as a receiver, as in `server.wire.messages.Media`.
        """
        known = self._peers.get(peer)
        if known is None and len(self._peers) >= self._limits.peers:
            raise MediaError("full", "the server carries no more connections with media")
        if sum(1 + len(stream.layers) for stream in streams) > self._limits.streams_per_peer:
            raise MediaError("streams", f"at most {self._limits.streams_per_peer} streams")
        if known is not None and known.room.number != room:
            raise MediaError("room", "this connection is in another room")
        home = self._rooms.get(room)
        self._check_ssrcs(home, peer, streams)
        if home is None:
            home = self._rooms[room] = Room(room)
        if known is None:
            nacks = TokenBucket(self._limits.nack_rate, self._limits.nack_burst, now)
            known = Peer(home, nacks, Budget(self._limits, now))
            self._peers[peer] = home.peers[peer] = known
        if (feedback, rtx) != (known.feedback, known.rtx):
            known.feedback, known.rtx = feedback, rtx
            self._refan(home)
            for received in known.receives.values():
                self._not_again(received, peer)
        wished: dict[tuple[object, ...], Stream] = {(s.ssrc, s.kind, *s.layers): s for s in streams}
        effects: list[Effect[P]] = []
        for track in list(known.tracks.values()):
            if home.tracks.get(track.ssrc) is not track:
                continue  # a layer that has gone with its source
            if (kept := wished.get(self._shape(track))) is None:
                effects += self._end(track)
            else:
                self._mark_rtx(known, track, kept)
        for stream in streams:
            if stream.ssrc not in known.tracks:
                effects += self._publish(home, peer, known, stream, now)
        return effects

    @staticmethod
    def _check_ssrcs(home: Room[P] | None, peer: P, streams: Sequence[Stream]) -> None:
        sent = [ssrc for s in streams for ssrc in (s.ssrc, *s.layers)]
        wished = sent + [ssrc for s in streams for ssrc in s.rtx]
        if len(set(wished)) != len(wished):
            raise MediaError("ssrc", "two streams with one SSRC")
        if home is None:
            return
        taken = {
            ssrc
            for other, known in home.peers.items()
            if other != peer
            for ssrc in (*known.tracks, *known.again)
        }
        if taken.intersection(wished):
            raise MediaError("ssrc", "this SSRC is another member's")
        if any(ssrc in home.burnt for ssrc in wished):
            raise MediaError("ssrc", "this SSRC was used before; take another")

    @staticmethod
    def _shape(track: Track[P]) -> tuple[object, ...]:
        """What must stay the same for a stream to go on: SSRC, kind and layers."""
        if track.source is None:
            return (track.ssrc, track.kind)
        return (track.source.ssrc, track.kind, *(t.ssrc for t in track.source.tracks[1:]))

    @staticmethod
    def _mark_rtx(known: Peer[P], track: Track[P], stream: Stream) -> None:
        rtx = stream.rtx[track.layer] if stream.rtx else None
        if rtx != track.rtx:
            if track.rtx is not None:
                known.again.pop(track.rtx, None)
            track.rtx, track.fans = rtx, None
            for peer in track.receivers:
                Membership._not_again(track if track.source is None else track.source.subs[peer], peer)
        if rtx is not None:
            known.again[rtx] = track
            track.room.again[track.ssrc] = rtx

    @staticmethod
    def _not_again(received: Track[P] | Sub[P], peer: P) -> None:
        """What was sent isn't sent again: it would be other bytes under an index of SRTP that was used."""
        if isinstance(received, Sub):
            latest = None if received.track is None else received.track.latest
            received.splice.forget(None if latest is None else latest.sequence)
        elif received.high is not None:
            received.receivers[peer] = received.high

    def _publish(self, home: Room[P], peer: P, known: Peer[P], stream: Stream, now: float) -> list[Effect[P]]:
        tracks: list[Track[P]] = []
        for ssrc in (stream.ssrc, *stream.layers):
            high = home.retired.pop(ssrc, None)
            track = Track(home, peer, ssrc, stream.kind, self._limits, high=high, rtx=None, now=now)
            known.tracks[ssrc] = home.tracks[ssrc] = track
            tracks.append(track)
        # numbers that were ours once can't be the sender's again: some receiver may have had more of them
        if stream.layers or stream.ssrc in home.sources or stream.ssrc in home.shifted:
            home.shifted[stream.ssrc] = None
            home.sources[stream.ssrc] = Source(stream.ssrc, peer, tracks)
        for track in tracks:
            self._mark_rtx(known, track, stream)
        effects: list[Effect[P]] = []
        for other_peer in home.peers:
            effects += self._connect(tracks[0], other_peer, now)
        return effects

    @staticmethod
    def _refan(home: Room[P]) -> None:
        for track in home.tracks.values():
            track.fans = None

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
        effects: list[Effect[P]] = []
        for track in list(known.tracks.values()):
            if home.tracks.get(track.ssrc) is track:
                effects += self._end(track, known)
        if not home.peers:
            del self._rooms[home.number]
        return effects

    def want(
        self, peer: P, ssrcs: Iterable[int] | None, now: float, tops: Sequence[int] = ()
    ) -> list[Effect[P]]:
        """The streams that the peer wants forwarded, and up to which layer (`tops`); None: all."""
        known = self._peers.get(peer)
        if known is None:
            return []
        wanted = None if ssrcs is None else list(ssrcs)
        known.wants = None if wanted is None else frozenset(wanted)
        known.tops = dict(zip(wanted or (), tops, strict=False))
        known.ranks = {ssrc: rank for rank, ssrc in enumerate(wanted or ())}
        effects = self._reconnect(peer, known, now)
        for received in known.receives.values():
            if isinstance(received, Sub):
                received.top = known.tops.get(received.source.ssrc, len(received.source.tracks) - 1)
                effects += self._aim(received, now)
        return effects

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
            known.pacer = None
            known.stopped.clear()
            known.carried.clear()
            known.numbered.clear()
            known.resent.clear()
        known.ready = ready
        return self._reconnect(peer, known, now)

    def held(self) -> tuple[int, int, int]:
        """Sealed packets kept to be sent (again), their bytes, and streams that have ended, in all rooms."""
        tracks = [track for room in self._rooms.values() for track in room.tracks.values()]
        sizes = [len(packet) for track in tracks for packet in track.cache if packet is not None]
        pacers = [known.pacer for known in self._peers.values() if known.pacer is not None]
        waiting, size = sum(pacer.waiting for pacer in pacers), sum(pacer.queued for pacer in pacers)
        ended = sum(len(room.retired) + len(room.burnt) for room in self._rooms.values())
        return len(sizes) + waiting, sum(sizes) + size, ended

    def tracks(self) -> Iterator[Track[P]]:
        """All streams of all rooms, each layer for itself."""
        return (track for room in self._rooms.values() for track in room.tracks.values())

    def find(self, peer: P, ssrc: int) -> Track[P] | None:
        """The stream `ssrc`, if it is this peer's own."""
        known = self._peers.get(peer)
        return known.tracks.get(ssrc) if known is not None else None

    def find_again(self, peer: P, ssrc: int) -> Track[P] | None:
        """The stream of which `ssrc` brings what is sent again, if it is this peer's own."""
        known = self._peers.get(peer)
        return known.again.get(ssrc) if known is not None else None

    def receivers(self, track: Track[P]) -> tuple[P, ...]:
        """Who receives the stream now."""
        return tuple(track.receivers)

    # -- who receives what -----------------------------------------------------------------

    def _reconnect(self, peer: P, known: Peer[P], now: float) -> list[Effect[P]]:
        effects: list[Effect[P]] = []
        for track in list(known.room.tracks.values()):
            if track.layer == 0:
                effects += self._connect(track, peer, now)
        return effects

    def _connect(self, track: Track[P], peer: P, now: float) -> list[Effect[P]]:
        """Make what `peer` receives of `track` what it should be. Who is new to a video needs a key frame."""
        known = self._peers[peer]
        if not known.ready or track.owner == peer:
            return []
        source = track.source
        if known.wants is not None and track.ssrc not in known.wants:
            self._disconnect(track, peer, known)
            known.stopped.pop(track.ssrc, None)
            if track.ssrc in known.carried and source is None:
                track.paused[peer] = None
            return []
        if peer in track.receivers or (source is not None and peer in source.subs):
            return []
        if track.ssrc in known.stopped:
            return []
        known.videos += track.kind == "video"
        if source is not None:
            return self._subscribe(source, peer, known, now)
        track.receivers[peer] = track.high if track.high is not None else -1
        track.fans = None
        track.paused.pop(peer, None)
        known.receives[track.ssrc] = track
        known.carried.add(track.ssrc)
        return self._ask_key_frame(track, now) if self._may_ask(known, track, now) else []

    def _may_ask(self, known: Peer[P], track: Track[P], now: float) -> bool:
        """One receiver's share of a stream's key frames: each costs all others what ten pictures cost."""
        if track.kind != "video":
            return False
        bucket = known.key_frames.get(track.ssrc)
        if bucket is None:
            limits = self._limits
            bucket = TokenBucket(limits.key_frame_rate, limits.key_frame_burst, now)
            known.key_frames[track.ssrc] = bucket
        if bucket.take(now):
            return True
        self.counts["refused_key_frames"] += 1
        return False

    def _subscribe(self, source: Source[P], peer: P, known: Peer[P], now: float) -> list[Effect[P]]:
        splice = known.numbered.pop(source.ssrc, None) or vp8.Splice()
        splice.forget()  # packets from before are not these
        if source.ssrc in known.carried:
            # it had no layers before, and the numbers were the sender's
            known.carried.discard(source.ssrc)
            high = source.tracks[0].floor
            before = vp8.Numbers(high if high is not None else -1, 0, -1, -1, now)
            splice.begin(0, before)
            splice.end(before)
        sub = Sub(source, peer, splice)
        sub.paced = known.pacer is not None
        sub.top = known.tops.get(source.ssrc, sub.top)
        source.subs[peer] = known.receives[source.ssrc] = sub
        return self._aim(sub, now)

    def _aim(self, sub: Sub[P], now: float) -> list[Effect[P]]:
        """Make the layer that is waited for the one that should be sent."""
        goal = sub.goal(now)
        if goal is None and sub.track is not None:
            self._off(sub)
        if goal is sub.waits:
            return []
        if sub.waits is not None:
            sub.waits.waiting.pop(sub, None)
            sub.waits = None
        if goal is None or goal is sub.track:
            return []
        sub.waits = goal
        goal.waiting[sub] = None
        if goal.high is None or not self._may_ask(self._peers[sub.peer], goal, now):
            return []
        return self._ask_key_frame(goal, now)

    def _off(self, sub: Sub[P]) -> None:
        """Nothing of the source is sent to this receiver until it is switched to a layer."""
        track = sub.track
        sub.stop()
        if track is not None:
            self._forget_waiting(sub.peer, track)
            track.receivers.pop(sub.peer, None)
            track.fans = None

    def _forget_waiting(self, peer: P, track: Track[P]) -> None:
        """What waits of it for this receiver is of no use any more."""
        known = self._peers.get(peer)
        if known is not None and known.pacer is not None:
            known.pacer.forget(track.ssrc)

    def _switch(self, track: Track[P], sub: Sub[P], first: vp8.Numbers) -> None:
        """`sub` gets this layer from its packet `first` on, with which a key frame begins."""
        before = sub.track
        if before is not None:
            self._forget_waiting(sub.peer, before)
        sub.begin(track, first)
        sub.waits = None
        if before is not None:
            before.receivers.pop(sub.peer, None)
            before.fans = None
        track.receivers[sub.peer] = first.sequence - 1
        track.fans = None
        self.counts["switches"] += 1

    def _disconnect(self, track: Track[P], peer: P, known: Peer[P]) -> None:
        source = track.source
        if source is not None:
            sub = source.subs.pop(peer, None)
            if sub is None:
                return
            if sub.waits is not None:
                sub.waits.waiting.pop(sub, None)
            self._off(sub)
            known.numbered[source.ssrc] = sub.splice
        elif peer in track.receivers:
            del track.receivers[peer]
            self._forget_waiting(peer, track)
            track.estimates.pop(peer, None)
            track.fans = None
        else:
            return
        del known.receives[track.ssrc if source is None else source.ssrc]
        known.videos -= track.kind == "video"

    def _end(self, track: Track[P], owner: Peer[P] | None = None) -> list[Effect[P]]:
        """The stream is over, with all its layers. Numbers are remembered, for it may come back."""
        home, source = track.room, track.source
        known = owner or self._peers[track.owner]
        tracks = [track] if source is None else source.tracks
        peers = list(track.receivers) if source is None else list(source.subs)
        for peer in peers:
            self._disconnect(track, peer, self._peers[peer])
        for other in home.peers.values():
            other.stopped.pop(track.ssrc, None)
            other.resumed.pop(track.ssrc, None)
            for each in tracks:
                other.key_frames.pop(each.ssrc, None)
        if source is not None:
            del home.sources[source.ssrc]
        effects: list[Effect[P]] = []
        for each in tracks:
            del known.tracks[each.ssrc]
            del home.tracks[each.ssrc]
            if each.rtx is not None:
                known.again.pop(each.rtx, None)
            self._open.pop(each, None)
            if each.high is not None:
                home.retired[each.ssrc] = each.high
                effects += self._burn(home)
        return effects

    def _burn(self, home: Room[P]) -> list[Effect[P]]:
        """Forget the oldest of the streams that have ended, and never forward its SSRC again."""
        if len(home.retired) <= self._limits.retired_ssrcs:
            return []
        oldest = next(iter(home.retired))
        del home.retired[oldest]
        home.shifted.pop(oldest, None)
        again = home.again.pop(oldest, None)
        if len(home.burnt) >= _BURNT_MAX:
            del home.burnt[next(iter(home.burnt))]
        home.burnt[oldest] = None
        effects: list[Effect[P]] = []
        for peer, known in home.peers.items():
            known.carried.discard(oldest)
            known.numbered.pop(oldest, None)
            effects.append(Forget(peer, oldest))
            if again is not None:
                known.resent.pop(again, None)
                effects.append(Forget(peer, again))
        if again is not None:
            home.burnt[again] = None
        return effects

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
