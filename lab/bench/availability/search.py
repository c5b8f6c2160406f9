"""A search for silence: random scripts of hostile steps, and the one that costs most speaking share per step.

Each power has its own steps. A script is played for `LENGTH` seconds. Its cost is 1 - speaking share, divided
by its number of steps. Of the script that costs most, the steps are left out that it is better without.
All choices come from the seed, so the search finds the same in every run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from snugroom.lab.bench.availability import members
from snugroom.lab.bench.availability.scene import Goal, Power, Result, Scene, result_of
from snugroom.lab.bench.availability.stage import HOSTILE, NETWORK, Stage
from snugroom.lab.simulation.liars import Liar
from snugroom.lab.simulation.mallory import Mallory
from snugroom.lab.simulation.tale import SERVER
from snugroom.lab.simulation.world import ORIGIN
from snugroom.wire import messages as wire

#: Seconds of a script, and most steps in it.
LENGTH: Final = 60.0
STEPS_MAX: Final = 4
#: Scripts that are tried for each power.
TRIES: Final = 12
_HONEST: Final = ("Ada", "Bo", "Cem", "Dana")
#: Messages that an operator swallows, by name.
_KINDS: Final[dict[str, tuple[type[wire.Message], ...]]] = {
    "heartbeats": (wire.Broadcast, wire.Broadcasted),
    "changes": (wire.Commit, wire.Committed),
    "messages": (wire.Relay, wire.Relayed),
    "passes": (wire.Show, wire.Shown),
}
_SIGNS: Final = (
    "garbage_commit", "forged_removal", "forged_context", "wrong_gate", "spoiled_path", "quick_heals",
    "spoiled_path_and_gate", "old_commit_again", "lie_in_a_beat", "false_end", "relay_garbage", "bad_box",
    "cut_off",
)  # fmt: skip
_SECONDS: Final = (5.0, 15.0, 30.0)


@dataclass(frozen=True)
class Step:
    """One act with its arguments, and the seconds until the next one."""

    act: str
    arguments: tuple[str | float, ...]
    then: float

    def __str__(self) -> str:
        said = ", ".join(f"{a:g} s" if isinstance(a, float) else a for a in self.arguments)
        return f"{self.act}{': ' if said else ''}{said}; {self.then:g} s"


class Actor:
    """Does steps on a stage. An act that lasts for some seconds ends by itself."""

    def __init__(self, stage: Stage, seed: int, *, hostile: bool) -> None:
        self.stage = stage
        self._w = stage.w
        self._liar: Liar | None = stage.liar() if hostile else None
        self._mallory = Mallory(stage.w, stage.who(HOSTILE), random.Random(seed)) if hostile else None

    def do(self, step: Step) -> None:
        """Do a step, and let the time until the next one pass."""
        getattr(self, step.act.replace(" ", "_"))(*step.arguments)
        self.stage.wait(step.then)

    def network_cuts(self, label: str, seconds: float) -> None:
        self.stage.cut(label)
        self._w._after(seconds, partial(self.stage.mend, label))

    def crash(self, label: str, seconds: float) -> None:
        if self.stage.person(label).who.alive:
            self.stage.crashes(label)
            self._w._after(seconds, partial(self.stage.returns, label))

    def restart(self, seconds: float) -> None:
        if ORIGIN not in self._w.down:
            self.stage.server_fails()
            self._w._after(seconds, self.stage.server_is_back)

    def breaks(self, label: str) -> None:
        self.stage.breaks(label, by=NETWORK)

    def operator_cuts(self, label: str, seconds: float) -> None:
        self.stage.cut(label, ORIGIN, by=SERVER)
        self._w._after(seconds, partial(self.stage.mend, label))

    def operator_ends(self, label: str) -> None:
        self.stage.breaks(label, by=SERVER)

    def operator_swallows(self, kind: str, label: str, author: str, seconds: float) -> None:
        before = list(self._w.swallows)
        self.stage.swallow(label, "down", *_KINDS[kind], author=author, origin=ORIGIN)
        self._ends_after(seconds, before)

    def operator_ignores(self, kind: str, label: str, seconds: float) -> None:
        before = list(self._w.swallows)
        self.stage.swallow(label, "up", *_KINDS[kind], origin=ORIGIN)
        self._ends_after(seconds, before)

    def _ends_after(self, seconds: float, before: Sequence[object]) -> None:
        added = [rule for rule in self._w.swallows if rule not in before]

        def ends() -> None:
            self._w.swallows = [rule for rule in self._w.swallows if rule not in added]

        self._w._after(seconds, ends)

    def lies(self, lie: str) -> None:
        assert self._liar is not None
        self._liar.lie = members.LIES[lie]
        if members.is_inside(self.stage):
            self.stage.tale.record(self._w.now, HOSTILE, "signs", lie)
            self._liar.beat()

    def comes_in_again(self) -> None:
        assert self._liar is not None
        members.comes_in_again(self.stage, self._liar)

    def compares(self) -> None:
        members.compares(self.stage)

    def signs(self, act: str) -> None:
        members.acts(self.stage, getattr(self._mallory, act), act)


def _steps(power: Power, chance: random.Random) -> tuple[str, tuple[str | float, ...]]:
    """Return an act of this power, and arguments for it."""
    who, seconds = chance.choice(_HONEST), chance.choice(_SECONDS)
    kind, author = chance.choice(sorted(_KINDS)), chance.choice(("", *_HONEST))
    operator: list[tuple[str, tuple[str | float, ...]]] = [
        ("operator cuts", (who, seconds)),
        ("operator ends", (who,)),
        ("operator swallows", (kind, who, author if kind == "heartbeats" else "", seconds)),
        ("operator ignores", (kind, who, seconds)),
    ]
    member: list[tuple[str, tuple[str | float, ...]]] = [
        ("lies", (chance.choice(sorted(members.LIES)),)),
        ("lies", (chance.choice(sorted(members.LIES)),)),
        ("comes in again", ()),
        ("compares", ()),
        ("signs", (chance.choice(_SIGNS),)),
        ("signs", (chance.choice(_SIGNS),)),
    ]
    faults: list[tuple[str, tuple[str | float, ...]]] = [
        ("network cuts", (who, seconds)),
        ("breaks", (who,)),
        ("crash", (who, seconds)),
        ("restart", (chance.choice((0.5, 5.0, 12.0)),)),
    ]
    sets = {
        "operator alone": operator,
        "one member alone": member,
        "operator + one member": [*operator, *member],
        "faults alone": faults,
    }
    return chance.choice(sets[power])


def script(power: Power, chance: random.Random) -> tuple[Step, ...]:
    """Return a random script."""
    count = chance.randint(1, STEPS_MAX)
    return tuple(Step(*_steps(power, chance), chance.choice((0.5, 2.0, 6.0, 12.0))) for _ in range(count))


@dataclass(frozen=True)
class Found:
    """The script that costs most, and what was measured of it. `tried`: how many were.

    The false alarms are those of all that were tried.
    """

    power: Power
    steps: tuple[Step, ...]
    seed: int
    result: Result
    tried: int

    @property
    def cost(self) -> float:
        """1 - speaking share, per step."""
        return (1 - self.result.share) / len(self.steps)


def play(power: Power, steps: Sequence[Step], further: int, seconds: float, seed: int) -> Stage:
    """Play a script for so long, again and again if it is shorter than `seconds` and those are many."""
    hostile = "member" in power
    names = (*_HONEST, HOSTILE) if hostile else _HONEST
    with Stage(names, seed=seed, further=further) as stage:
        actor = Actor(stage, seed, hostile=hostile)
        again = True
        while again and stage.w.now < stage.began + seconds:
            for step in steps:
                actor.do(step)
            again = seconds > LENGTH
        stage.wait(max(0.0, stage.began + seconds - stage.w.now))
    return stage


def _scene(
    name: str, power: Power, steps: Sequence[Step], further: int, seconds: float, goal: Goal = ""
) -> Scene:
    about = "; ".join(map(str, steps))
    return Scene(name, about, power, partial(play, power, steps, further, seconds), goal, one_cause=False)


def search(power: Power, tries: int = TRIES, seed: int = 1, told: Callable[[], None] = lambda: None) -> Found:
    """Return what costs most of `tries` random scripts, without the steps that it does not need."""
    chance = random.Random(f"{power} {seed}")
    false_alarms: set[str] = set()

    def found(steps: tuple[Step, ...], further: int, at: int) -> Found:
        told()
        scene = _scene(f"found: {power}", power, steps, further, LENGTH)
        result = result_of(scene, scene.play(at))
        false_alarms.update(result.false_alarms)
        return Found(power, steps, at, result, tries)

    worst, its_servers = None, 0
    for at in range(tries):
        steps, further = script(power, chance), chance.randrange(2)
        one = found(steps, further, at)
        if worst is None or one.cost > worst.cost:
            worst, its_servers = one, further
    assert worst is not None, "there is at least one try"
    for step in worst.steps:
        fewer = tuple(each for each in worst.steps if each is not step)
        if fewer and (without := found(fewer, its_servers, worst.seed)).cost > worst.cost:
            worst = without
    return replace(worst, result=replace(worst.result, false_alarms=sorted(false_alarms)))


def for_ten_minutes(found: Found, seconds: float) -> Result:
    """Play what a hostile member was found to do again and again, for its goal."""
    name = "found_for_ten_minutes"
    scene = _scene(name, found.power, found.steps, 0, seconds, "hostile member")
    return result_of(scene, scene.play(found.seed))
