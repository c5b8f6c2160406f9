"""Shared vectors of the microphones that all members receive (client/session/features/audible.py)."""

from __future__ import annotations

import random
from typing import Any, Final

from snugroom.client.session.features.audible import TICK, audible
from snugroom.client.session.features.states import Microphone

_KEY: Final = bytes(range(32))


def _room(seed: int, members: int, most_open: int) -> dict[str, Any]:
    source = random.Random(seed)
    leaves = sorted(source.sample(range(members + members // 3), members))
    tick = source.randrange(5, 2_000_000_000)
    opened = source.sample(leaves, source.randrange(most_open))
    shown = source.sample(leaves, members - 2)
    microphones = {
        leaf: Microphone(leaf in opened, max(0, tick - source.randrange(-2, 40)) * TICK) for leaf in shown
    }
    microphones[leaves[-1] + 1] = Microphone(True, 5)  # who is no member any more
    hosts = source.sample(leaves, source.choice((1, 2, 20)))
    chosen, waiting = audible(microphones, {leaf: leaf in hosts for leaf in leaves}, _KEY, tick)
    return {
        "members": [[leaf, leaf in hosts] for leaf in leaves],
        "tick": tick,
        "microphones": [[leaf, each.is_open, each.since] for leaf, each in microphones.items()],
        "chosen": sorted(chosen),
        "waiting": sorted(waiting),
    }


def rooms() -> Any:
    sizes = ((26, 3), (26, 20), (40, 5), (64, 30), (100, 2), (100, 20), (100, 60))
    return {
        "key": _KEY.hex(),
        "rooms": [_room(seed, *size) for seed, size in enumerate(sizes * 2)],
    }


FILES: Final = {"audible": rooms}
