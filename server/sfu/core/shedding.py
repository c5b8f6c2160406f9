"""Load shedding: the streams that are not forwarded while the server is late.

A server that is offered more than it can forward would delay all packets by its whole receive buffer.
Instead it gives up whole streams: the largest layers of videos first, then videos, audio last. Their packets
are still opened, counted and kept, so that no publisher is asked for them again, and no member looks lossy.
Videos and audio take turns: a stream that fails for 9 s looks to members as if the server withheld it.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic

from snugroom.server.sfu.core.effects import Effect, P
from snugroom.server.sfu.core.subscriptions import Subscriptions
from snugroom.server.sfu.core.tracks import Track

#: The lag below which less is shed, as a part of the lag above which more is.
_CALM: Final = 0.25
#: Seconds for which the lag must be too long, and the same where something was shed less than `_AGAIN` ago.
_CONFIRM: Final = 0.004
_SETTLE: Final = 0.06
_AGAIN: Final = 0.5
#: A lag that falls, so that it is short enough within this time (seconds), is left alone.
_RECOVERY: Final = 0.5
#: Seconds without lag until less is shed. If the lag comes back within `_RELAPSE`, the wait doubles.
_HOLD: Final = 1.0
_HOLD_MAX: Final = 8.0
_RELAPSE: Final = 3.0
#: The part of the present forwarding that is shed beyond the measured excess, and the most that is shed at
#: first and later: a process that does not get its core sees the lag jump.
_PART: Final = 0.08
_PART_FIRST: Final = 0.3
_PART_MAX: Final = 0.4
#: The share of its time that the server may be busy when streams have come back, and the part of the present
#: forwarding that comes back at most at once.
_BUSY: Final = 0.85
_PART_BACK_MAX: Final = 0.5
#: Below this share of its time the server is idle: it does not wait longer after a relapse, and up to three
#: times as much is forwarded at once.
_IDLE: Final = 0.4
_PART_BACK_IDLE: Final = 2.0
#: Below this share of its time, at least this part of all that is offered comes back at once.
_PARTLY_BUSY: Final = 0.75
_PART_BACK_LEAST: Final = 0.1
#: The part of the audio that may be shed, so that everybody is heard in turn.
_AUDIO_PART_MAX: Final = 0.75
#: Seconds of a turn, after which other videos, or the audio of others, are shed.
TURN: Final = 5.0
#: Seconds after a stream has resumed in which its receivers' loss reports are ignored: they see a gap.
_GRACE: Final = 5.0
#: The order of shedding. The layers above the smallest come before: 0 is the largest of three.
_VIDEO, _AUDIO = 2, 3


class Verdict(Enum):
    """The answer to a lag."""

    MORE = "shed more"
    LESS = "shed less"
    KEEP = "change nothing"


class LagControl:
    """Decides by the lag, with hysteresis, whether to shed more or less."""

    __slots__ = (
        "_calm_since", "_empty_at", "_hold", "_late_lag", "_late_since", "_less_at", "_limit", "_more_at",
        "part",
    )  # fmt: skip

    def __init__(self, limit: float) -> None:
        self._limit = limit
        #: The part of the forwarding to shed, when `handle` last returned MORE.
        self.part = 0.0
        #: When no packet waited.
        self._empty_at = float("-inf")
        self._late_since: float | None = None
        self._late_lag = 0.0
        self._calm_since: float | None = None
        self._hold = _HOLD
        self._less_at = self._more_at = float("-inf")

    def handle(self, lag: float, now: float, *, shedding: bool, busy: float = 1.0) -> Verdict:
        """Process a measured lag: how long the oldest packet has waited, in seconds; 0 if none waits.

        `shedding`: something is shed now. `busy`: see `Shedding.handle`.
        """
        if lag > self._limit:
            return self._late(lag, now)
        if lag <= 0:
            self._empty_at = now
        self._late_since = None
        if lag > _CALM * self._limit or not shedding:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now
        elif now - self._calm_since >= (self._hold if busy > _IDLE else _HOLD):
            self._calm_since = self._less_at = now
            return Verdict.LESS
        return Verdict.KEEP

    def _late(self, lag: float, now: float) -> Verdict:
        if self._late_since is None:
            self._late_since, self._late_lag = now, lag
            return Verdict.KEEP
        passed = now - self._late_since
        again = now - self._more_at < _AGAIN
        if passed < (_SETTLE if again else _CONFIRM):
            return Verdict.KEEP
        growth = (lag - self._late_lag) / passed
        self._late_since, self._late_lag = now, lag
        if growth < 0 and lag + growth * _RECOVERY <= self._limit:
            return Verdict.KEEP
        if not again:  # a few milliseconds say little: since when has it grown?
            growth = lag / max(now - self._empty_at, lag)
        if now - self._less_at < _RELAPSE:
            self._hold = min(2 * self._hold, _HOLD_MAX)
        elif now - self._more_at > 4 * _HOLD_MAX:
            self._hold = _HOLD
        self._less_at, self._more_at = float("-inf"), now
        self._calm_since = None
        # A lag that grows by a tenth of the time is a tenth of the work too much.
        growth = max(0.0, growth)
        self.part = min(_PART_MAX if again else _PART_FIRST, growth / (1 + growth) + _PART)
        return Verdict.MORE


@dataclass(frozen=True, slots=True)
class _Unit(Generic[P]):
    """A stream, or all layers of a video, that are given up together. `cost`: see `_cost`, before that."""

    tracks: tuple[Track[P], ...]
    rank: int
    cost: float

    @property
    def cost_now(self) -> float:
        """Their cost now: packets are still counted, but the receivers of layers are gone."""
        return max(self.cost, sum(map(_cost, self.tracks)))


@dataclass(slots=True)
class _Group(Generic[P]):
    """The streams given up at one time."""

    units: list[_Unit[P]]
    since: float


class Shedding(Generic[P]):
    """Gives up streams of all rooms, and takes them up again."""

    def __init__(self, subscriptions: Subscriptions[P], limit: float) -> None:
        self._subscriptions = subscriptions
        self._control = LagControl(limit)
        self._groups: list[_Group[P]] = []

    @property
    def shed(self) -> tuple[Track[P], ...]:
        """The streams that are not forwarded now, in the order in which they were given up."""
        return tuple(track for group in self._groups for unit in group.units for track in unit.tracks)

    def handle(self, lag: float, now: float, busy: float = 1.0) -> list[Effect[P]]:
        """Process a measured lag in seconds (0: no packet waits); shed more, or less.

        `busy`: the share of its time that the server has spent with packets of late.
        """
        verdict = self._control.handle(lag, now, shedding=bool(self._groups), busy=busy)
        if verdict is Verdict.MORE:
            costs = self._costs(range(_AUDIO + 1))
            return self._give_up(self._control.part * sum(costs.values()), costs, now)
        self._forget_ended()
        if not self._groups:
            return []
        if verdict is Verdict.LESS:
            return self._give_back(now, busy)
        return self._take_turns(now)

    def _forget_ended(self) -> None:
        """Forget streams that have ended: nothing of a member that has left may stay."""
        for group in self._groups:
            group.units = [unit for unit in group.units if any(track.shed for track in unit.tracks)]
        self._groups = [group for group in self._groups if group.units]

    def _give_back(self, now: float, busy: float) -> list[Effect[P]]:
        """Take up streams that were given up last, as many as the server has time for."""
        costs = sum(self._costs(range(_AUDIO + 1)).values())
        idle = busy <= _IDLE
        most = _PART_BACK_IDLE if idle else _PART_BACK_MAX
        left = min(most, _BUSY / max(busy, 0.01) - 1) * costs
        if busy < _PARTLY_BUSY:  # where little is forwarded, its cost says little
            shed = sum(unit.cost_now for group in self._groups for unit in group.units)
            left = max(left, _PART_BACK_LEAST * (costs + shed))
        taken: list[_Unit[P]] = []
        while self._groups and (left >= self._groups[-1].units[-1].cost_now or (idle and not taken)):
            group = self._groups[-1]
            unit = group.units.pop()
            left -= unit.cost_now
            taken.append(unit)
            if not group.units:
                self._groups.pop()
        return self._take_up(taken, now)

    def _costs(self, ranks: Container[int]) -> dict[Track[P], float]:
        """Return the streams of these ranks that are forwarded, with their costs."""
        tracks = (t for t in self._subscriptions.tracks() if not t.shed and _rank(t) in ranks)
        return {track: cost for track in tracks if (cost := _cost(track)) > 0}

    def _give_up(
        self, wanted: float, costs: dict[Track[P], float], now: float, *, audio: float = 0.0
    ) -> list[Effect[P]]:
        """Give up streams of `costs` that cost about `wanted` together. `audio`: cost that comes back."""
        sounds = [track for track in self._subscriptions.tracks() if track.kind == "audio"]
        most = _AUDIO_PART_MAX * sum(map(_cost, sounds))
        audio_left = audio + most - sum(_cost(track) for track in sounds if track.shed)
        units: list[_Unit[P]] = []
        spared = 0.0
        for track in sorted(costs, key=lambda track: (_rank(track), track.shed_at, -costs[track])):
            if units and spared + costs[track] / 2 > wanted:
                break
            if track.shed or (track.kind == "audio" and costs[track] > audio_left):
                continue
            if track.kind == "audio":
                audio_left -= costs[track]
            # Without its smallest layer, nothing of a video is sent.
            whole = (track,) if track.source is None or track.layer else track.source.tracks
            unit = _Unit(tuple(t for t in whole if not t.shed), _rank(track), costs[track])
            for each in unit.tracks:
                each.shed, each.shed_at = True, now
            units.append(unit)
            spared += unit.cost
        if units:
            self._groups.append(_Group(units, now))
        return [effect for unit in units for track in unit.tracks for effect in self._leave_layer(track, now)]

    def _leave_layer(self, track: Track[P], now: float) -> list[Effect[P]]:
        """Let the receivers of a layer wait for a smaller one."""
        effects: list[Effect[P]] = []
        if track.source is None:
            return effects
        for subscription in track.source.subscriptions.values():
            if subscription.track is track:
                self._subscriptions.stop_layer(subscription)
            effects += self._subscriptions.request_layer(subscription, now, charged=False)
        return effects

    def _take_up(self, units: Sequence[_Unit[P]], now: float) -> list[Effect[P]]:
        """Forward streams again."""
        effects: list[Effect[P]] = []
        tracks = [track for unit in units for track in unit.tracks]
        for track in tracks:
            track.shed, track.shed_at = False, now
        for track in tracks:
            if track.source is not None:
                for subscription in track.source.subscriptions.values():
                    effects += self._subscriptions.request_layer(subscription, now, charged=False)
                continue
            for peer in track.receivers:
                # Shed packets are not sent later, and their absence is not the receiver's loss.
                if track.high is not None:
                    track.receivers[peer] = track.high
                self._subscriptions.peers[peer].resumed[track.ssrc] = now + _GRACE
            if track.receivers:
                effects += self._subscriptions.request_key_frame(track, now)
        return effects

    def _take_turns(self, now: float) -> list[Effect[P]]:
        """Give up other streams for those of a group whose turn is over, if there are others."""
        for group in self._groups:
            for rank in (_VIDEO, _AUDIO) if now - group.since >= TURN else ():
                units = [unit for unit in group.units if unit.rank == rank]
                costs = self._costs((rank,))
                if units and costs:
                    return self._swap(group, units, costs, now)
        return []

    def _swap(
        self, group: _Group[P], units: Sequence[_Unit[P]], costs: dict[Track[P], float], now: float
    ) -> list[Effect[P]]:
        """Give up streams of `costs`, and take up `units` of `group`, no more than was given up."""
        wanted = sum(unit.cost_now for unit in units)
        effects = self._give_up(wanted, costs, now, audio=wanted if units[0].rank == _AUDIO else 0.0)
        left = sum(cost for track, cost in costs.items() if track.shed)
        taken: list[_Unit[P]] = []
        for unit in units:
            if left < unit.cost_now / 2:
                break
            left -= unit.cost_now
            taken.append(unit)
        group.units = [unit for unit in group.units if unit not in taken]
        group.since = now - TURN / 2  # the rest has the next turn, in half the time
        self._groups = [each for each in self._groups if each.units]
        return effects + self._take_up(taken, now)


def _rank(track: Track[P]) -> int:
    if track.kind == "audio":
        return _AUDIO
    return _VIDEO if track.layer == 0 else _VIDEO - min(track.layer, _VIDEO)


def _cost(track: Track[P]) -> float:
    """Return the packets of one window of measurement, for all receivers, and for those that will be soon."""
    return track.packets * (len(track.receivers) + len(track.pending_subscriptions))
