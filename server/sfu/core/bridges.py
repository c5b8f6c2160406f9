"""The bridges of rooms that are on several workers: what goes to the other workers, and what comes from them.

Each worker tells the others which streams its members need (`SendWants`), and gets no others. It asks for key
frames and lost packets as a receiver does, and it tells the rates of its own members' streams (`SendRates`),
because the other workers choose layers that they do not receive yet. All this is repeated, so that nothing
depends on a single message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic

from snugroom.server.rate import TokenBucket
from snugroom.server.sfu.core.crossing import Crossing
from snugroom.server.sfu.core.effects import Effect, P, SendRates, SendRtp, SendWants, Want
from snugroom.server.sfu.core.peers import Room
from snugroom.server.sfu.core.reports import Reports
from snugroom.server.sfu.core.subscriptions import Subscriptions
from snugroom.server.sfu.core.tracks import Track
from snugroom.server.sfu.limits import MediaLimits
from snugroom.wire import rtcp
from snugroom.wire.messages import Stream

#: Seconds until the needs of a room are told again, although nothing has changed.
_WANTS_AGAIN: Final = 1.0
#: Seconds between two messages about the rates of a room's streams.
_RATES_INTERVAL: Final = 0.25


@dataclass(slots=True)
class Bridge(Generic[P]):
    """One bridge of a room: the members behind it, and the last needs that it was told."""

    room: Room[P]
    resend_budget: TokenBucket
    members: set[P] = field(default_factory=set)
    told: tuple[int, ...] = ()
    told_at: float = float("-inf")


class Bridges(Generic[P]):
    """All bridges. A bridge exists while there are members behind it."""

    def __init__(self, subscriptions: Subscriptions[P], reports: Reports[P], limits: MediaLimits) -> None:
        self._subscriptions = subscriptions
        self._reports = reports
        self._limits = limits
        self._bridges: dict[P, Bridge[P]] = {}
        self._next_rates = float("-inf")

    # -- members of other workers ------------------------------------------------------------

    def join(self, room: bytes, bridge: P, peer: P, streams: Sequence[Stream], now: float) -> list[Effect[P]]:
        """Add a member of another worker, or replace its streams. MediaError as `Subscriptions.join`."""
        effects = self._subscriptions.join(room, peer, streams, now, bridge=bridge)
        home = self._subscriptions.rooms[room]
        known = self._bridges.get(bridge)
        if known is None:
            limits = self._limits
            budget = TokenBucket(limits.nack_rate, limits.nack_burst, now)
            known = self._bridges[bridge] = Bridge(home, budget)
            home.bridges[bridge] = None
            for track in _local(home):
                if track.crossing is None:
                    track.crossing = Crossing(home.bridges)
                track.crossing.add(bridge)
        known.members.add(peer)
        return effects

    def leave(self, peer: P, now: float) -> list[Effect[P]]:
        """Remove a member of another worker. The last one behind a bridge ends the bridge."""
        bridge = self._subscriptions.bridge_of(peer)
        effects = self._subscriptions.leave(peer, now)
        if bridge is None or (known := self._bridges.get(bridge)) is None:
            return effects
        known.members.discard(peer)
        if not known.members:
            del self._bridges[bridge]
            home = known.room
            del home.bridges[bridge]
            for track in _local(home):
                if track.crossing is not None:
                    track.crossing.remove(bridge)
                    if not home.bridges:
                        track.crossing = None
        return effects

    # -- what comes over a bridge ------------------------------------------------------------

    def find(self, bridge: P, ssrc: int) -> Track[P] | None:
        """Return the stream `ssrc` of a member behind this bridge."""
        known = self._bridges.get(bridge)
        track = None if known is None else known.room.tracks.get(ssrc)
        return track if track is not None and track.bridge == bridge else None

    def on_wants(self, bridge: P, wants: Mapping[int, Want]) -> None:
        """Send the other worker these local streams, by their SSRC, and no others."""
        known = self._bridges.get(bridge)
        if known is None:
            return
        for track in _local(known.room):
            if track.crossing is not None:
                track.crossing.set(bridge, wants.get(track.ssrc))

    def on_rates(self, bridge: P, rates: Iterable[tuple[int, int]], now: float) -> None:
        """Take the bit rates of the other worker's streams, by their SSRC; 0: nothing is sent."""
        for ssrc, rate in rates:
            track = self.find(bridge, ssrc)
            if track is not None:
                track.rate = float(rate)
                if rate:
                    track.arrived = max(track.arrived, now)

    def on_rtcp(self, bridge: P, items: Iterable[rtcp.Item], now: float) -> list[Effect[P]]:
        """Process requests for local streams, and sender reports of remote ones."""
        known = self._bridges.get(bridge)
        effects: list[Effect[P]] = []
        if known is None:
            return effects
        for item in items:
            if isinstance(item, rtcp.SenderReport):
                track = self.find(bridge, item.ssrc)
                if track is not None:
                    effects += self._reports.sender_report(track, item, now)
            elif isinstance(item, rtcp.KeyFrameRequest | rtcp.Nack):
                track = known.room.tracks.get(item.ssrc)
                if track is None or track.crossing is None:
                    continue
                if isinstance(item, rtcp.Nack):
                    effects += self._resend(known, bridge, track, item, now)
                    continue
                # The key frame may be here before the needs are told: the request tells one of them.
                if bridge not in track.crossing.wants:
                    track.crossing.set(bridge, Want(0, 0))
                effects += self._subscriptions.request_key_frame(track, now)
        return effects

    @staticmethod
    def _resend(
        known: Bridge[P], bridge: P, track: Track[P], request: rtcp.Nack, now: float
    ) -> list[Effect[P]]:
        """Return the packets that the other worker misses: the link was full, or the worker late."""
        effects: list[Effect[P]] = []
        for sequence in request.sequences if track.high is not None else ():
            assert track.high is not None
            packet = track.cached(track.high - ((track.high - sequence) & 0xFFFF))
            if packet is None:
                continue  # this worker misses it too, and has asked for it
            if not known.resend_budget.take(now):
                break
            effects.append(SendRtp(bridge, packet))
        return effects

    # -- timers ------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Effect[P]]:
        """Tell the other workers what has changed."""
        if not self._bridges:
            return []
        effects: list[Effect[P]] = []
        tells_rates = now >= self._next_rates
        if tells_rates:
            self._next_rates = now + _RATES_INTERVAL
        for bridge, known in self._bridges.items():
            needed = self._needed(bridge, known, now)
            if needed != known.told or now - known.told_at >= _WANTS_AGAIN:
                known.told, known.told_at = needed, now
                effects.append(SendWants(bridge, self._wants(known, needed, now)))
            if tells_rates:
                rates = [(t.ssrc, int(t.rate) if t.alive(now) else 0) for t in _local(known.room)]
                effects.append(SendRates(bridge, tuple(rates)))
        return effects

    @staticmethod
    def _needed(bridge: P, known: Bridge[P], now: float) -> tuple[int, ...]:
        """Return the SSRCs of the streams behind the bridge that members here need, and mark them."""
        needed: list[int] = []
        for track in known.room.tracks.values():
            if track.bridge != bridge:
                continue
            shed = track.shed and track.kind == "video"
            if (track.receivers or track.pending_subscriptions) and not shed:
                needed.append(track.ssrc)
                if track.wanted_since is None:
                    track.wanted_since, track.counted = now, None
            else:
                track.wanted_since = None
        return tuple(needed)

    def _wants(self, known: Bridge[P], needed: Iterable[int], now: float) -> tuple[tuple[int, Want], ...]:
        tracks = known.room.tracks
        return tuple(
            (ssrc, Want(self._reports.bitrate(tracks[ssrc], now), len(tracks[ssrc].receivers)))
            for ssrc in needed
        )


def _local(home: Room[P]) -> list[Track[P]]:
    return [track for track in home.tracks.values() if track.bridge is None]
