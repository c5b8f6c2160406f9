"""The choice of a layer of each video for one receiver, within its bandwidth.

Audio comes first and is never cut. Then each video gets its smallest layer, in the receiver's order. Only
when all have one, the second layers are given to all videos that want them, and only then the third. A larger
layer needs headroom and time; a layer that no longer fits is taken away at once. If not even the smallest
layers fit, the videos take turns.

The result depends only on earlier inputs. Rates are bits a second, times seconds.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)

#: A larger layer than now must leave this much of the budget, so that the next dip does not take it away.
HEADROOM: Final = 1.15
#: Seconds until a layer that was taken away may be given again. Each time it had been given for less than
#: `_SOON` seconds, the wait doubles, up to `_HOLD_MAX`.
_HOLD: Final = 3.0
_HOLD_MAX: Final = 48.0
_SOON: Final = 10.0
#: Seconds of a video's turn, where not all videos fit. A video that has waited for `_PATIENCE` turns goes
#: before all others.
_TURN: Final = 10.0
_PATIENCE: Final = 3


class VideoDemand(NamedTuple, Generic[K]):
    """One video that the receiver wants, in its order. `key`: any value that identifies it.

    `rates`: the rates of its layers, smallest first, 1 to 3 of them; 0 for a layer that is not sent now.
    `max_layer`: the largest useful layer (0 to 2).
    """

    key: K
    rates: Sequence[float]
    max_layer: int = 2


class Allocation(NamedTuple, Generic[K]):
    """`layers`: the layer of each demand, None while it pauses. `used`: their total rate, audio included.

    `wanted`: the budget that would allow more, and so is worth a probe; 0 if there is nothing more to give.
    """

    layers: dict[K, int | None]
    used: float
    wanted: float


@dataclass(slots=True)
class _VideoState:
    """The state of one wanted video.

    `layer`: given now. `raised_at`: when it was last raised. `hold_until`: no larger layer before this time.
    `changed_at`: since when it is given, or paused. `hold`: seconds of the next hold. `shown`: seconds for
    which it was given, until it paused.
    """

    layer: int | None
    raised_at: float
    hold_until: float
    changed_at: float
    hold: float
    shown: float = 0.0


class LayerAllocator(Generic[K]):
    """The layers that one receiver was given before, on which the next decision depends."""

    __slots__ = ("_videos",)

    def __init__(self) -> None:
        self._videos: dict[K, _VideoState] = {}

    def choose(
        self, budget: float, audio: float, demands: Sequence[VideoDemand[K]], now: float
    ) -> Allocation[K]:
        """Choose the layers to send now. `audio`: the rate of all audio, 0 if `budget` is for video alone."""
        rest = budget - audio
        known = self._videos
        self._videos = videos = {
            demand.key: known.get(demand.key) or _VideoState(None, float("-inf"), float("-inf"), now, _HOLD)
            for demand in demands
        }
        levels = {demand.key: _levels(demand) for demand in demands}
        given: dict[K, int | None] = dict.fromkeys(videos)
        lacking = 0.0
        for demand in self._order(demands, levels, rest, now):
            level = next(iter(levels[demand.key]), None)
            if level is None:
                continue
            rate = demand.rates[level]
            if rate <= rest:
                given[demand.key] = level
                rest -= rate
            else:
                lacking += rate
        wanted = budget - rest + lacking if lacking else 0.0
        if not lacking:
            rest, wanted = self._raise(budget, rest, demands, levels, given, now)
        for demand in demands:
            self._note(videos[demand.key], given[demand.key], now)
        return Allocation(given, budget - rest, wanted)

    def _order(
        self, demands: Sequence[VideoDemand[K]], levels: dict[K, list[int]], rest: float, now: float
    ) -> Sequence[VideoDemand[K]]:
        """Return the receiver's own order, unless some videos have to wait for their turn."""
        least = sum(demand.rates[levels[demand.key][0]] for demand in demands if levels[demand.key])
        if least <= rest:
            return demands

        def rank(demand: VideoDemand[K]) -> tuple[int, float, float]:
            video = self._videos[demand.key]
            since = now - video.changed_at
            if video.layer is None:
                return 0 if since > _PATIENCE * _TURN else 2, video.changed_at, video.shown
            return 1 if since < _TURN else 3, 0.0, 0.0

        return sorted(demands, key=rank)

    def _raise(
        self,
        budget: float,
        rest: float,
        demands: Sequence[VideoDemand[K]],
        levels: dict[K, list[int]],
        given: dict[K, int | None],
        now: float,
    ) -> tuple[float, float]:
        """Spend `rest` on larger layers. Return the rest, and the budget that would allow one more layer."""
        wanted = 0.0
        for step in (1, 2):
            for demand in demands:
                have, steps = given[demand.key], levels[demand.key]
                if len(steps) <= step or have is None:
                    continue
                more = demand.rates[steps[step]] - demand.rates[have]
                video = self._videos[demand.key]
                total = budget - rest + more
                new = video.layer is None or video.layer < steps[step]
                need = total * HEADROOM if new else total
                if need > budget:
                    wanted = min(wanted, need) if wanted else need
                elif not new or now >= video.hold_until:
                    given[demand.key] = steps[step]
                    rest -= more
        return rest, wanted

    @staticmethod
    def _note(video: _VideoState, layer: int | None, now: float) -> None:
        before = video.layer
        if layer == before:
            return
        if layer is None or before is None:
            if layer is None:
                video.shown += now - video.changed_at
            video.changed_at = now
        if layer is not None and (before is None or layer > before):
            if before is not None:
                video.raised_at = now
        else:
            soon = now - video.raised_at < _SOON
            video.hold = min(2 * video.hold, _HOLD_MAX) if soon else _HOLD
            video.hold_until = now + video.hold
        video.layer = layer


def _levels(demand: VideoDemand[K]) -> list[int]:
    """Return the possible layers, smallest first: those that are sent up to `max_layer`, at least one."""
    sent = [level for level, rate in enumerate(demand.rates) if rate > 0]
    return [level for level in sent if level <= demand.max_layer] or sent[:1]
