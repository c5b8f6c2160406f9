"""Peers, their streams, and the subscriptions of each receiver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Generic

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.core import rewriter
from snugroom.server.sfu.core.bandwidth.budget import Budget
from snugroom.server.sfu.core.crossing import Crossing
from snugroom.server.sfu.core.effects import Effect, Forget, P, SendRtcp
from snugroom.server.sfu.core.peers import Peer, Room
from snugroom.server.sfu.core.tracks import SimulcastSource, Subscription, Track
from snugroom.server.sfu.core.traffic import Traffic
from snugroom.server.sfu.limits import OWN_SSRC, MediaError, MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream

#: The most SSRCs that a room remembers after it has forgotten their last sequence number. They are never
#: forwarded again in this room (4 bytes each).
_FORBIDDEN_MAX: Final = 65_536
_COUNTED: Final = (
    "stale", "over_rate", "lost", "asked", "nacks", "resent", "key_frame_requests", "refused_nacks",
    "switches", "layers_refused", "stopped", "padding", "dropped_late",
    "refused_key_frames", "over_member_rate", "over_room_rate", "over_total_rate", "shed_video", "shed_audio",
)  # fmt: skip


class Subscriptions(Generic[P]):
    """All rooms with their peers and streams, and the streams that each peer receives."""

    def __init__(self, limits: MediaLimits = MediaLimits()) -> None:  # noqa: B008 - frozen
        self._limits = limits
        #: Seconds for which packets are kept.
        self.cache_time = limits.cache_time
        self.rooms: dict[bytes, Room[P]] = {}
        self.peers: dict[P, Peer[P]] = {}
        #: The number of peers that are on other workers.
        self._remote = 0
        #: Tracks with packets to ask for again, or with a delayed key frame request.
        self.repairing: dict[Track[P], None] = {}
        self.counts = dict.fromkeys(_COUNTED, 0)
        self.traffic = Traffic(limits, self.counts)

    # -- peers -----------------------------------------------------------------------------

    def join(
        self,
        room: bytes,
        peer: P,
        streams: Sequence[Stream],
        now: float,
        *,
        feedback: bool = False,
        rtx: bool = False,
        bridge: P | None = None,
    ) -> list[Effect[P]]:
        """Add a peer, or replace the streams of a known one. MediaError if refused; then nothing has changed.

        `feedback`, `rtx`: the peer supports these as a receiver, as in `wire.messages.Media`.
        `bridge`: the peer is on another worker, behind this bridge, and is never `ready` here.
        """
        known = self.peers.get(peer)
        if known is None and bridge is None and len(self.peers) - self._remote >= self._limits.peers:
            raise MediaError("full", "the server has no capacity for another connection with media")
        if sum(1 + len(stream.layers) for stream in streams) > self._limits.streams_per_peer:
            raise MediaError("streams", f"at most {self._limits.streams_per_peer} streams")
        if known is not None and known.room.number != room:
            raise MediaError("room", "this connection is in another room")
        home = self.rooms.get(room)
        self._check_ssrcs(home, peer, streams)
        if home is None:
            home = self.rooms[room] = Room(room, self.traffic.room(now))
        if known is None:
            resend_budget = TokenBucket(self._limits.nack_rate, self._limits.nack_burst, now)
            known = Peer(home, resend_budget, self.traffic.publisher(now), Budget(self._limits, now))
            self.peers[peer] = home.peers[peer] = known
            known.bridge = bridge
            self._remote += bridge is not None
        if (feedback, rtx) != (known.feedback, known.rtx):
            known.feedback, known.rtx = feedback, rtx
            self._discard_fanouts(home)
            for received in known.receives.values():
                self._stop_resending(received, peer)
        requested: dict[tuple[object, ...], Stream] = {(s.ssrc, s.kind, *s.layers): s for s in streams}
        effects: list[Effect[P]] = []
        for track in list(known.tracks.values()):
            if home.tracks.get(track.ssrc) is not track:
                continue  # a layer that ended with its source
            if (kept := requested.get(self._shape(track))) is None:
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
        requested = sent + [ssrc for s in streams for ssrc in s.rtx]
        if len(set(requested)) != len(requested):
            raise MediaError("ssrc", "two streams have the same SSRC")
        if home is None:
            return
        taken = {
            ssrc
            for other, known in home.peers.items()
            if other != peer
            for ssrc in (*known.tracks, *known.tracks_by_rtx)
        }
        if taken.intersection(requested):
            raise MediaError("ssrc", "this SSRC is another member's")
        if any(ssrc in home.forbidden_ssrcs for ssrc in requested):
            raise MediaError("ssrc", "this SSRC was used before: choose another at random")

    @staticmethod
    def _shape(track: Track[P]) -> tuple[object, ...]:
        """Return the properties that a stream must keep to continue: SSRC, kind and layers."""
        if track.source is None:
            return (track.ssrc, track.kind)
        return (track.source.ssrc, track.kind, *(t.ssrc for t in track.source.tracks[1:]))

    @staticmethod
    def _mark_rtx(known: Peer[P], track: Track[P], stream: Stream) -> None:
        rtx = stream.rtx[track.layer] if stream.rtx else None
        if rtx != track.rtx:
            if track.rtx is not None:
                known.tracks_by_rtx.pop(track.rtx, None)
            track.rtx, track.fanouts = rtx, None
            for peer in track.receivers:
                Subscriptions._stop_resending(
                    track if track.source is None else track.source.subscriptions[peer], peer
                )
        if rtx is not None:
            known.tracks_by_rtx[rtx] = track
            known.room.rtx_ssrcs[track.ssrc] = rtx

    @staticmethod
    def _stop_resending(received: Track[P] | Subscription[P], peer: P) -> None:
        """Stop resending of earlier packets: they would be different bytes under a used SRTP index."""
        if isinstance(received, Subscription):
            latest = None if received.track is None else received.track.latest
            received.stream_rewriter.forget(None if latest is None else latest.sequence)
        elif received.high is not None:
            received.receivers[peer] = received.high

    def _publish(self, home: Room[P], peer: P, known: Peer[P], stream: Stream, now: float) -> list[Effect[P]]:
        tracks: list[Track[P]] = []
        for ssrc in (stream.ssrc, *stream.layers):
            high = home.retired_ssrcs.pop(ssrc, None)
            track = Track(
                peer,
                ssrc,
                stream.kind,
                self._limits,
                high=high,
                rtx=None,
                now=now,
                publishing=known.publishing,
                traffic=home.traffic,
            )
            track.bridge = known.bridge
            if home.bridges and known.bridge is None:
                track.crossing = Crossing(home.bridges)
            known.tracks[ssrc] = home.tracks[ssrc] = track
            tracks.append(track)
        # A stream that was rewritten once stays rewritten: a receiver may have had higher numbers than the
        # sender's.
        if stream.layers or stream.ssrc in home.sources or stream.ssrc in home.rewritten_ssrcs:
            home.rewritten_ssrcs[stream.ssrc] = None
            home.sources[stream.ssrc] = SimulcastSource(stream.ssrc, peer, tracks)
        for track in tracks:
            self._mark_rtx(known, track, stream)
        effects: list[Effect[P]] = []
        for other_peer in home.peers:
            effects += self.connect(tracks[0], other_peer, now)
        return effects

    @staticmethod
    def _discard_fanouts(home: Room[P]) -> None:
        for track in home.tracks.values():
            track.fanouts = None

    def leave(self, peer: P, now: float) -> list[Effect[P]]:
        """Remove the peer with its streams. Unknown peers are ignored."""
        known = self.peers.pop(peer, None)
        if known is None:
            return []
        self._remote -= known.bridge is not None
        home = known.room
        del home.peers[peer]
        for track in home.tracks.values():
            self.disconnect(track, peer, known)
            track.paused.pop(peer, None)
        effects: list[Effect[P]] = []
        for track in list(known.tracks.values()):
            if home.tracks.get(track.ssrc) is track:
                effects += self._end(track, known)
        if not home.peers:
            del self.rooms[home.number]
        return effects

    def subscribe(
        self, peer: P, ssrcs: Iterable[int] | None, now: float, max_layers: Sequence[int] = ()
    ) -> list[Effect[P]]:
        """Set the streams to forward to the peer, and the largest layer of each (`max_layers`); None: all."""
        known = self.peers.get(peer)
        if known is None:
            return []
        wanted = None if ssrcs is None else list(ssrcs)
        known.subscribed_ssrcs = None if wanted is None else frozenset(wanted)
        known.max_layers = dict(zip(wanted or (), max_layers, strict=False))
        known.ranks = {ssrc: rank for rank, ssrc in enumerate(wanted or ())}
        effects = self._reconnect(peer, known, now)
        for received in known.receives.values():
            if isinstance(received, Subscription):
                received.max_layer = known.max_layers.get(
                    received.source.ssrc, len(received.source.tracks) - 1
                )
                effects += self.request_layer(received, now)
        return effects

    def ready(self, peer: P, ready: bool, now: float, *, rekeyed: bool = False) -> list[Effect[P]]:
        """Set whether packets can be sent to the peer.

        `rekeyed`: it has a new SRTP session, in which its own packets may begin at any number.
        """
        known = self.peers.get(peer)
        if known is None:
            return []
        if rekeyed:
            for track in known.tracks.values():
                track.floor = track.high
                track.missing.clear()
        if rekeyed or not ready:
            for track in known.room.tracks.values():
                self.disconnect(track, peer, known)
                track.paused.pop(peer, None)
            known.pacer = None
            known.stopped.clear()
            known.unrewritten_ssrcs.clear()
            known.stream_rewriters.clear()
            known.rtx_sequences.clear()
        known.ready = ready
        return self._reconnect(peer, known, now)

    def held(self) -> tuple[int, int, int]:
        """Count sealed packets kept for (re)sending, their bytes, and ended streams, in all rooms."""
        tracks = [track for room in self.rooms.values() for track in room.tracks.values()]
        sizes = [len(packet) for track in tracks for packet in track.cache if packet is not None]
        pacers = [known.pacer for known in self.peers.values() if known.pacer is not None]
        waiting, size = sum(pacer.waiting for pacer in pacers), sum(pacer.queued for pacer in pacers)
        ended = sum(len(room.retired_ssrcs) + len(room.forbidden_ssrcs) for room in self.rooms.values())
        return len(sizes) + waiting, sum(sizes) + size, ended

    def tracks(self) -> Iterator[Track[P]]:
        """Return all streams of all rooms, each layer separately."""
        return (track for room in self.rooms.values() for track in room.tracks.values())

    def find(self, peer: P, ssrc: int) -> Track[P] | None:
        """Return the stream `ssrc` if it is this peer's own."""
        known = self.peers.get(peer)
        return known.tracks.get(ssrc) if known is not None else None

    def bridge_of(self, peer: P) -> P | None:
        """Return the bridge to the worker that this peer is on; None: it is on this one, or unknown."""
        known = self.peers.get(peer)
        return None if known is None else known.bridge

    def find_rtx(self, peer: P, ssrc: int) -> Track[P] | None:
        """Return the stream whose RTX has the SSRC `ssrc`, if it is this peer's own."""
        known = self.peers.get(peer)
        return known.tracks_by_rtx.get(ssrc) if known is not None else None

    def receivers(self, track: Track[P]) -> tuple[P, ...]:
        """Return the stream's present receivers."""
        return tuple(track.receivers)

    # -- subscriptions ---------------------------------------------------------------------

    def _reconnect(self, peer: P, known: Peer[P], now: float) -> list[Effect[P]]:
        effects: list[Effect[P]] = []
        for track in list(known.room.tracks.values()):
            if track.layer == 0:
                effects += self.connect(track, peer, now)
        return effects

    def connect(self, track: Track[P], peer: P, now: float) -> list[Effect[P]]:
        """Apply `peer`'s subscription to `track`. A new receiver of video needs a key frame."""
        known = self.peers[peer]
        if not known.ready or track.owner == peer:
            return []
        source = track.source
        if known.subscribed_ssrcs is not None and track.ssrc not in known.subscribed_ssrcs:
            self.disconnect(track, peer, known)
            known.stopped.pop(track.ssrc, None)
            if track.ssrc in known.unrewritten_ssrcs and source is None:
                track.paused[peer] = None
            return []
        if peer in track.receivers or (source is not None and peer in source.subscriptions):
            return []
        if track.ssrc in known.stopped:
            return []
        known.videos += track.kind == "video"
        if source is not None:
            return self._connect_simulcast(source, peer, known, now)
        track.receivers[peer] = track.high if track.high is not None else -1
        track.fanouts = None
        track.paused.pop(peer, None)
        known.receives[track.ssrc] = track
        known.unrewritten_ssrcs.add(track.ssrc)
        return self.request_key_frame(track, now) if self.may_request_key_frame(known, track, now) else []

    def may_request_key_frame(self, known: Peer[P], track: Track[P], now: float) -> bool:
        """Limit one receiver's key frame requests: a key frame costs all others as much as ten frames."""
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

    def _connect_simulcast(
        self, source: SimulcastSource[P], peer: P, known: Peer[P], now: float
    ) -> list[Effect[P]]:
        stream_rewriter = known.stream_rewriters.pop(source.ssrc, None) or rewriter.StreamRewriter()
        stream_rewriter.forget()  # NACKs must not reach packets of an earlier subscription
        if source.ssrc in known.unrewritten_ssrcs:
            # The stream had no layers before, so the receiver has seen the sender's own numbers.
            known.unrewritten_ssrcs.discard(source.ssrc)
            high = source.tracks[0].floor
            before = rewriter.StreamPosition(high if high is not None else -1, 0, -1, -1, now)
            stream_rewriter.begin(0, before)
            stream_rewriter.end(before)
        subscription = Subscription(source, peer, stream_rewriter)
        subscription.paced = known.pacer is not None
        subscription.max_layer = known.max_layers.get(source.ssrc, subscription.max_layer)
        source.subscriptions[peer] = known.receives[source.ssrc] = subscription
        return self.request_layer(subscription, now)

    def request_layer(
        self, subscription: Subscription[P], now: float, *, charged: bool = True
    ) -> list[Effect[P]]:
        """Make the receiver wait for the layer that `Subscription.select_layer` selects.

        `charged`: the key frame counts against the receiver's limit.
        """
        selected = subscription.select_layer(now)
        if selected is None and subscription.track is not None:
            self.stop_layer(subscription)
        if selected is subscription.pending_track:
            return []
        if subscription.pending_track is not None:
            subscription.pending_track.pending_subscriptions.pop(subscription, None)
            subscription.pending_track = None
        if selected is None or selected is subscription.track:
            return []
        subscription.pending_track = selected
        selected.pending_subscriptions[subscription] = None
        known = self.peers[subscription.peer]
        if selected.high is None or (charged and not self.may_request_key_frame(known, selected, now)):
            return []
        return self.request_key_frame(selected, now)

    def stop_layer(self, subscription: Subscription[P]) -> None:
        """Send nothing of the source to this receiver until it is switched to a layer."""
        track = subscription.track
        subscription.stop()
        if track is not None:
            self._drop_queued(subscription.peer, track)
            track.receivers.pop(subscription.peer, None)
            track.fanouts = None

    def _drop_queued(self, peer: P, track: Track[P]) -> None:
        """Drop packets of `track` that wait in this receiver's pacer."""
        known = self.peers.get(peer)
        if known is not None and known.pacer is not None:
            known.pacer.forget(track.ssrc)

    def switch(self, track: Track[P], subscription: Subscription[P], first: rewriter.StreamPosition) -> None:
        """Send this layer to `subscription` from the packet `first` on, which begins a key frame."""
        before = subscription.track
        if before is not None:
            self._drop_queued(subscription.peer, before)
        subscription.begin(track, first)
        subscription.pending_track = None
        if before is not None:
            before.receivers.pop(subscription.peer, None)
            before.fanouts = None
        track.receivers[subscription.peer] = first.sequence - 1
        track.fanouts = None
        self.counts["switches"] += 1

    def disconnect(self, track: Track[P], peer: P, known: Peer[P]) -> None:
        source = track.source
        if source is not None:
            subscription = source.subscriptions.pop(peer, None)
            if subscription is None:
                return
            if subscription.pending_track is not None:
                subscription.pending_track.pending_subscriptions.pop(subscription, None)
            self.stop_layer(subscription)
            known.stream_rewriters[source.ssrc] = subscription.stream_rewriter
        elif peer in track.receivers:
            del track.receivers[peer]
            self._drop_queued(peer, track)
            track.estimates.pop(peer, None)
            track.fanouts = None
        else:
            return
        del known.receives[track.ssrc if source is None else source.ssrc]
        known.videos -= track.kind == "video"

    def _end(self, track: Track[P], owner: Peer[P] | None = None) -> list[Effect[P]]:
        """End the stream with all its layers. Its last numbers are kept, because it may come back."""
        known = owner or self.peers[track.owner]
        home, source = known.room, track.source
        tracks = [track] if source is None else source.tracks
        peers = list(track.receivers) if source is None else list(source.subscriptions)
        for peer in peers:
            self.disconnect(track, peer, self.peers[peer])
        for other in home.peers.values():
            other.stopped.pop(track.ssrc, None)
            other.resumed.pop(track.ssrc, None)
            for each in tracks:
                other.key_frames.pop(each.ssrc, None)
        if source is not None:
            del home.sources[source.ssrc]
        effects: list[Effect[P]] = []
        for each in tracks:
            each.shed = False
            del known.tracks[each.ssrc]
            del home.tracks[each.ssrc]
            if each.rtx is not None:
                known.tracks_by_rtx.pop(each.rtx, None)
            self.repairing.pop(each, None)
            if each.high is not None:
                home.retired_ssrcs[each.ssrc] = each.high
                effects += self._forbid_oldest(home)
        return effects

    def _forbid_oldest(self, home: Room[P]) -> list[Effect[P]]:
        """Forget the oldest ended stream, and never forward its SSRC again."""
        if len(home.retired_ssrcs) <= self._limits.retired_ssrcs:
            return []
        oldest = next(iter(home.retired_ssrcs))
        del home.retired_ssrcs[oldest]
        home.rewritten_ssrcs.pop(oldest, None)
        rtx = home.rtx_ssrcs.pop(oldest, None)
        if len(home.forbidden_ssrcs) >= _FORBIDDEN_MAX:
            del home.forbidden_ssrcs[next(iter(home.forbidden_ssrcs))]
        home.forbidden_ssrcs[oldest] = None
        effects: list[Effect[P]] = []
        for peer, known in home.peers.items():
            known.unrewritten_ssrcs.discard(oldest)
            known.stream_rewriters.pop(oldest, None)
            if rtx is not None:
                known.rtx_sequences.pop(rtx, None)
            if known.bridge is None:  # a member on another worker has no SRTP session here
                effects += [Forget(peer, ssrc) for ssrc in (oldest, rtx) if ssrc is not None]
        if rtx is not None:
            home.forbidden_ssrcs[rtx] = None
        return effects

    def request_key_frame(self, track: Track[P], now: float) -> list[Effect[P]]:
        """Send a PLI to the publisher: now, or once the last one is `pli_interval` old."""
        if track.kind != "video":
            return []
        if now - track.last_pli < self._limits.pli_interval:
            track.pli_due = True
            self.repairing[track] = None
            return []
        track.last_pli = now
        track.pli_due = False
        self.counts["key_frame_requests"] += 1
        to = track.owner if track.bridge is None else track.bridge
        return [SendRtcp(to, rtcp.key_frame_request(OWN_SSRC, track.ssrc))]
