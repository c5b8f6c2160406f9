"""How what one receiver can be sent is divided among the pictures that it wants. Pure.

Sound comes first. Each picture gets its smallest layer before any gets a larger one; those that the receiver
named first come first. Going up needs more room than staying does, or every breath of the network would be
seen as a change of picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: What is free must be so much more than a larger layer needs.
HEADROOM: Final = 1.15
#: Pictures are stopped only when the smallest of them need more than so many times what is free: an estimate
#: is no more exact than that, and a picture that stops is worse than one that stutters.
_STRETCH: Final = 1.6
#: Seconds after which it is others' turn to be stopped.
_TURN: Final = 10.0


@dataclass(frozen=True, slots=True)
class Wish:
    """One picture: the rate of each of its layers from small to large (bits a second, 0: it isn't sent).

    `top`: the largest layer that is of use. `now`: the one that is being sent, None for none.
    """

    rates: Sequence[float]
    top: int
    now: int | None

    @property
    def layers(self) -> list[int]:
        """Those that can be had, within `top`; or the smallest that can."""
        there = [layer for layer, rate in enumerate(self.rates) if rate > 0]
        return [layer for layer in there if layer <= self.top] or there[:1]


def divide(free: float, wishes: Sequence[Wish], now: float, *, rising: bool) -> list[int | None]:
    """A layer for each wish, or None. `free`: bits a second, sound taken off. `rising`: going up is allowed.

    What isn't sent by anybody costs nothing, and is not stopped.
    """
    chosen: list[int | None] = [None] * len(wishes)
    least = [wish.rates[wish.layers[0]] if wish.layers else 0.0 for wish in wishes]
    if sum(least) <= free * _STRETCH:
        order = list(range(len(wishes)))
        for i, wish in enumerate(wishes):
            chosen[i] = wish.layers[0] if wish.layers else wish.top
        free -= sum(least)
    else:
        turn = int(now / _TURN) % max(1, len(wishes))
        order = [*range(turn, len(wishes)), *range(turn)]
        for i in order:
            if not wishes[i].layers:
                chosen[i] = wishes[i].top
            elif least[i] <= free:
                chosen[i] = wishes[i].layers[0]
                free -= least[i]
    _raise(free, wishes, chosen, order, rising=rising)
    return chosen


def _raise(
    free: float, wishes: Sequence[Wish], chosen: list[int | None], order: Sequence[int], *, rising: bool
) -> None:
    """Larger layers by rounds, so that nobody has the largest while another has the smallest."""
    for step in range(1, max((len(wish.layers) for wish in wishes), default=0)):
        for i in order:
            layers, at = wishes[i].layers, chosen[i]
            if at is None or step >= len(layers) or at != layers[step - 1]:
                continue
            more = wishes[i].rates[layers[step]] - wishes[i].rates[at]
            current = wishes[i].now
            higher = current is None or layers[step] > current
            if (more * HEADROOM <= free and rising) if higher else more <= free:
                chosen[i] = layers[step]
                free -= more
