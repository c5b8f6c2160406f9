"""The allocation of each receiver's bandwidth to the streams that it wants, and probes for more bandwidth."""

from __future__ import annotations

from typing import Final, Generic

from snugroom.server.sfu.core.effects import Effect, P
from snugroom.server.sfu.core.layer_allocator import VideoDemand
from snugroom.server.sfu.core.pacing import Pacing
from snugroom.server.sfu.core.peers import Peer, Room
from snugroom.server.sfu.core.subscriptions import Subscriptions
from snugroom.server.sfu.core.tracks import PROBE_PACKETS, Subscription, Track

#: Seconds between two checks of the available layers and of each receiver's share.
_ALLOCATION_INTERVAL: Final = 0.25
#: A receiver asks again for a packet that is missing about once a round trip. Video is kept for this many
#: round trips to the slowest receiver of the room, and for at least so many seconds.
_KEPT_ROUND_TRIPS: Final = 3
_KEPT_MIN: Final = 0.25
#: Seconds after a stopped video resumes during which its receiver's loss reports are ignored: packets that
#: were not sent look like loss.
_RESUME_GRACE: Final = 5.0
#: Rank of streams that the receiver has not named.
_RANK_LAST: Final = 1 << 20
#: Seconds after which a pending change of layer asks for its key frame again.
_KEY_FRAME_RETRY: Final = 1.0


class BandwidthAllocation(Generic[P]):
    """Measures the streams' rates, and gives each receiver the streams and layers that its path carries."""

    def __init__(self, subscriptions: Subscriptions[P], pacing: Pacing[P]) -> None:
        self._subscriptions = subscriptions
        self._pacing = pacing
        self._peers = subscriptions.peers
        self._busy = pacing.busy
        self._next_allocation = self._allocated_at = float("-inf")

    def tick(self, now: float) -> list[Effect[P]]:
        """Allocate once in `_ALLOCATION_INTERVAL`, fill probes, and send packets that waited."""
        effects: list[Effect[P]] = []
        if now >= self._next_allocation:
            self._next_allocation = now + _ALLOCATION_INTERVAL
            effects += self._allocate(now)
        for peer in list(self._busy):
            effects += self._tick_receiver(peer, now)
        return effects

    def _allocate(self, now: float) -> list[Effect[P]]:
        """Measure rates, share out each receiver's bandwidth, and select layers."""
        passed, self._allocated_at = now - self._allocated_at, now
        rooms = self._subscriptions.rooms.values()
        if 0 < passed < 1e6:  # otherwise it is the first call
            for home in rooms:
                self._measure(home, now, passed)
        self._subscriptions.traffic.tick(
            (
                (home.traffic, max((known.budget.rate for known in home.peers.values()), default=0.0))
                for home in rooms
            ),
            now,
        )
        effects: list[Effect[P]] = []
        for home in rooms:
            for peer, known in home.peers.items():
                if known.ready and known.receives:
                    effects += self._allocate_bandwidth(peer, known, now)
            for source in home.sources.values():
                for subscription in source.subscriptions.values():
                    effects += self._subscriptions.request_layer(subscription, now)
                for track in source.tracks:
                    if (
                        track.pending_subscriptions
                        and now - track.last_pli >= _KEY_FRAME_RETRY
                        and track.alive(now)
                    ):
                        effects += self._subscriptions.request_key_frame(track, now)
        return effects

    def _measure(self, home: Room[P], now: float, passed: float) -> None:
        """Measure the rates of a room's streams, and drop the packets that nobody can ask for any more."""
        most = kept = self._subscriptions.cache_time
        round_trip = None if home.bridges else home.longest_round_trip(now)
        if round_trip is not None:
            kept = min(most, max(_KEPT_MIN, _KEPT_ROUND_TRIPS * round_trip))
        for track in home.tracks.values():
            track.measure_rate(now, passed)
            track.expire(now, kept if track.kind == "video" else most)

    def _allocate_bandwidth(self, peer: P, known: Peer[P], now: float) -> list[Effect[P]]:
        """Divide the bandwidth of one receiver among the streams that it wants."""
        octets = audio = 0.0
        able = False
        videos: dict[int, tuple[Track[P] | Subscription[P], VideoDemand[int]]] = {}
        budget = known.budget
        delayed = budget.estimate.delayed(now)
        for ssrc, received in known.receives.items():
            track = received.track if isinstance(received, Subscription) else received
            if track is not None:
                octets += track.window
                able = able or known.uses_twcc(track)
            if isinstance(received, Subscription):
                # While the queue grows, no larger layer is offered.
                max_layer = (
                    received.max_layer
                    if track is None or not delayed
                    else min(received.max_layer, track.layer)
                )
                videos[ssrc] = (
                    received,
                    VideoDemand(ssrc, [t.rate for t in received.source.tracks], max_layer),
                )
            elif received.kind == "video":
                videos[ssrc] = received, VideoDemand(ssrc, [received.rate], 0)
            else:
                audio += received.rate
        for ssrc, track in known.stopped.items():
            videos[ssrc] = track, VideoDemand(ssrc, [track.rate], 0)
        budget.measure(now, int(octets), reported=able)
        traffic = self._subscriptions.traffic
        share = traffic.share(known.room.traffic)
        limited = share < float("inf")
        known.limited = known.limited or limited
        if budget.target is None and not limited:
            if not known.limited:
                return []
            share = traffic.ceiling  # videos that a limit has stopped come back
        demands = [
            videos[ssrc][1] for ssrc in sorted(videos, key=lambda ssrc: known.ranks.get(ssrc, _RANK_LAST))
        ]
        chosen = budget.choose(audio, demands, now, share=share)
        effects: list[Effect[P]] = []
        for ssrc, (received, demand) in videos.items():
            # A stream that is not being sent costs nothing and is not stopped.
            layer = chosen.layers[ssrc] if any(demand.rates) else demand.max_layer
            effects += self._apply_allocation(peer, known, received, layer, now)
        if budget.target is None:
            return effects
        wanted = 0.0 if limited else chosen.wanted
        if wanted and budget.probe(wanted, now, able=able) is not None:
            self._busy[peer] = None
        return effects + self._pacing.update(peer, known, now)

    def _apply_allocation(
        self, peer: P, known: Peer[P], received: Track[P] | Subscription[P], share: int | None, now: float
    ) -> list[Effect[P]]:
        if isinstance(received, Subscription):
            received.allocated_layer = share
            return []  # `_allocate` then calls `request_layer`
        stopped = received.ssrc in known.stopped
        if share is None and not stopped:
            self._subscriptions.disconnect(received, peer, known)
            received.paused[peer] = None
            known.stopped[received.ssrc] = received
            self._subscriptions.counts["stopped"] += 1
        elif share is not None and stopped:
            del known.stopped[received.ssrc]
            known.resumed[received.ssrc] = now + _RESUME_GRACE
            return self._subscriptions.connect(received, peer, now)
        return []

    def _tick_receiver(self, peer: P, now: float) -> list[Effect[P]]:
        """Do one receiver's work of each tick: pad a probe, and send packets that waited."""
        known = self._peers.get(peer)
        if known is None or (known.pacer is None and known.budget.prober.running is None):
            del self._busy[peer]
            return []
        effects = [] if known.budget.prober.running is None else self._pad_probe(peer, known, now)
        return effects + self._pacing.release_due(peer, known, now)

    def _pad_probe(self, peer: P, known: Peer[P], now: float) -> list[Effect[P]]:
        """Fill a running probe up to its rate with recent packets as RTX, whose loss does no harm."""
        due = known.budget.padding(now)
        if due <= 0:
            return []
        effects: list[Effect[P]] = []
        for received in known.receives.values():
            track = received if isinstance(received, Track) else received.track
            if track is None or not known.uses_twcc(track) or (rtx := known.rtx_of(track)) is None:
                continue
            for packet in reversed(track.last_packets(PROBE_PACKETS)):
                if due <= 0:
                    break
                if not self._subscriptions.traffic.may_send(known.room.traffic, len(packet), now, video=True):
                    due = 0
                    break
                due -= len(packet)
                effects.append(known.as_rtx(peer, packet, rtx))
        self._subscriptions.counts["padding"] += len(effects)
        return effects
