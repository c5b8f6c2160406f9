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
#: A layer that was taken away is not given again for so long; for twice as long if it was given within
#: `_SOON`, at most `_HOLD_MAX`.
_HOLD: Final = 3.0
_HOLD_MAX: Final = 48.0
_SOON: Final = 10.0
#: Where not all videos fit, each stays for so long. A video that has waited for so many turns goes before all
#: others.
_TURN: Final = 10.0
_PATIENCE: Final = 3


class Wish(NamedTuple, Generic[K]):
    """One video that the receiver wants, in its order. `key`: any value that identifies it.

    `rates`: the rates of its layers, smallest first, 1 to 3 of them; 0 for a layer that is not sent now.
    `max_layer`: the largest useful layer (0 to 2).
    """

    key: K
    rates: Sequence[float]
    max_layer: int = 2


class Allotted(NamedTuple, Generic[K]):
    """`layers`: the layer of each wish, None while it pauses. `used`: their total rate, audio included.

    `wanted`: the budget that would allow more, and so is worth a probe; 0 if there is nothing more to give.
    """

    layers: dict[K, int | None]
    used: float
    wanted: float


@dataclass(slots=True)
class _Picture:
    """The state of one wanted video.

    `layer`: given now. `raised`: when it was last raised. `held`: no larger layer before this time. `turn`:
    since when it is given, or paused. `hold`: seconds of the next hold. `shown`: seconds for which it was
    given, until it paused.
    """

    layer: int | None
    raised: float
    held: float
    turn: float
    hold: float
    shown: float = 0.0


class Allotment(Generic[K]):
    """The layers that one receiver was given before, on which the next decision depends."""

    __slots__ = ("_pictures",)

    def __init__(self) -> None:
        self._pictures: dict[K, _Picture] = {}

    def choose(self, budget: float, audio: float, wishes: Sequence[Wish[K]], now: float) -> Allotted[K]:
        """Choose the layers to send now. `audio`: the rate of all audio, 0 if `budget` is for video alone."""
        rest = budget - audio
        known = self._pictures
        self._pictures = pictures = {
            wish.key: known.get(wish.key) or _Picture(None, float("-inf"), float("-inf"), now, _HOLD)
            for wish in wishes
        }
        levels = {wish.key: _levels(wish) for wish in wishes}
        given: dict[K, int | None] = dict.fromkeys(pictures)
        lacking = 0.0
        for wish in self._order(wishes, levels, rest, now):
            level = next(iter(levels[wish.key]), None)
            if level is None:
                continue
            rate = wish.rates[level]
            if rate <= rest:
                given[wish.key] = level
                rest -= rate
            else:
                lacking += rate
        wanted = budget - rest + lacking if lacking else 0.0
        if not lacking:
            rest, wanted = self._raise(budget, rest, wishes, levels, given, now)
        for wish in wishes:
            self._note(pictures[wish.key], given[wish.key], now)
        return Allotted(given, budget - rest, wanted)

    def _order(
        self, wishes: Sequence[Wish[K]], levels: dict[K, list[int]], rest: float, now: float
    ) -> Sequence[Wish[K]]:
        """Return the receiver's own order, unless some videos have to wait for their turn."""
        least = sum(wish.rates[levels[wish.key][0]] for wish in wishes if levels[wish.key])
        if least <= rest:
            return wishes

        def rank(wish: Wish[K]) -> tuple[int, float, float]:
            picture = self._pictures[wish.key]
            since = now - picture.turn
            if picture.layer is None:
                return 0 if since > _PATIENCE * _TURN else 2, picture.turn, picture.shown
            return 1 if since < _TURN else 3, 0.0, 0.0

        return sorted(wishes, key=rank)

    def _raise(
        self,
        budget: float,
        rest: float,
        wishes: Sequence[Wish[K]],
        levels: dict[K, list[int]],
        given: dict[K, int | None],
        now: float,
    ) -> tuple[float, float]:
        """Spend `rest` on larger layers. Return the rest, and the budget that would allow one more layer."""
        wanted = 0.0
        for step in (1, 2):
            for wish in wishes:
                have, steps = given[wish.key], levels[wish.key]
                if len(steps) <= step or have is None:
                    continue
                more = wish.rates[steps[step]] - wish.rates[have]
                picture = self._pictures[wish.key]
                total = budget - rest + more
                new = picture.layer is None or picture.layer < steps[step]
                need = total * HEADROOM if new else total
                if need > budget:
                    wanted = min(wanted, need) if wanted else need
                elif not new or now >= picture.held:
                    given[wish.key] = steps[step]
                    rest -= more
        return rest, wanted

    @staticmethod
    def _note(picture: _Picture, layer: int | None, now: float) -> None:
        before = picture.layer
        if layer == before:
            return
        if layer is None or before is None:
            if layer is None:
                picture.shown += now - picture.turn
            picture.turn = now
        if layer is not None and (before is None or layer > before):
            if before is not None:
                picture.raised = now
        else:
            soon = now - picture.raised < _SOON
            picture.hold = min(2 * picture.hold, _HOLD_MAX) if soon else _HOLD
            picture.held = now + picture.hold
        picture.layer = layer


def _levels(wish: Wish[K]) -> list[int]:
    """Return the possible layers, smallest first: those that are sent up to `max_layer`, at least one."""
    sent = [level for level, rate in enumerate(wish.rates) if rate > 0]
    return [level for level in sent if level <= wish.max_layer] or sent[:1]
