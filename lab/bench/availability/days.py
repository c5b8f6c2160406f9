"""Bad days, as in tests/session/test_places_chaos.py: connections break, servers restart, people come."""

from __future__ import annotations

import random
from functools import partial
from typing import Final

from snugroom.client.session import events as ev
from snugroom.lab.bench.availability.scene import Scene
from snugroom.lab.bench.availability.stage import Stage
from snugroom.lab.simulation.servers import OTHERS
from snugroom.lab.simulation.world import ORIGIN

_ACTS: Final = 24
_MOST_PEOPLE: Final = 7
_SEEDS: Final = (0, 10, 20, 30)
#: Seconds after the last act.
_AFTER: Final = 60.0


class Day:
    """One meeting, and what happens to it."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.random = random.Random(seed)
        self._down = ""
        self.acts = (
            self.cut, self.cut, self.restart, self.restart_second, self.say, self.lock, self.join, self.leave,
            self.move, self.away, self.fall,
        )  # fmt: skip

    def _somebody(self) -> str:
        return self.random.choice([p.label for p in self.stage.there() if p.room is not None])

    def cut(self) -> None:
        self.stage.breaks(self._somebody())

    def restart(self, origin: str = ORIGIN) -> None:
        if origin != self._down:
            self.stage.server_fails(origin)
            self.stage.wait(self.random.choice((0.3, 2.0, 12.0)))
            self.stage.server_is_back(origin)

    def restart_second(self) -> None:
        self.restart(OTHERS[0])

    def say(self) -> None:
        self.stage.says(self._somebody())

    def lock(self) -> None:
        self.stage.command("Ada", ev.Lock(self.random.random() < 0.5))

    def join(self) -> None:
        self.stage.command("Ada", ev.Lock(False))
        if len(self.stage.tale.people) < _MOST_PEOPLE:
            self.stage.joins(f"Guest {len(self.stage.tale.people)}")

    def leave(self) -> None:
        now = self.stage.w.now
        there = [p for p in self.stage.there() if p.label != "Ada" and p.room is not None]
        in_step = [p.label for p in there if p.room is not None and p.room.is_synced(now)]
        if len(in_step) > 2:
            self.stage.leaves(self.random.choice(in_step))

    def move(self) -> None:
        self.stage.command("Ada", ev.Move())

    def away(self) -> None:
        """The host's own network fails, or is there again."""
        if any(label == "Ada" for label, _ in self.stage.w.unreachable):
            self.stage.mend("Ada")
        else:
            self.stage.cut("Ada")

    def fall(self) -> None:
        """A server is down, or there again as another process; one at a time."""
        if self._down:
            self.stage.server_is_back(self._down)
            self._down = ""
        else:
            self._down = self.random.choice(self.stage.origins)
            self.stage.server_fails(self._down)

    def pass_by(self) -> None:
        for _ in range(_ACTS):
            self.random.choice(self.acts)()
            self.stage.wait(self.random.uniform(1, 9))
        self.stage.mend("Ada")
        if self._down:
            self.stage.server_is_back(self._down)
        self.stage.wait(_AFTER)


def _day(mirror: bool, seed: int) -> Stage:
    further = random.Random(seed).choice((1, 2, 2))
    with Stage(seed=7 * seed + 1, further=further, mirror=mirror) as stage:
        Day(stage, seed).pass_by()
    return stage


SCENES: Final = tuple(
    Scene(
        f"bad_day{'_mirrored' if mirror else ''}",
        "Connections break, servers restart, people come and go; further servers are listed"
        f"{', one as a mirror' * mirror}.",
        "faults alone",
        partial(_day, mirror),
        one_cause=False,
        seeds=_SEEDS,
    )
    for mirror in (False, True)
)
