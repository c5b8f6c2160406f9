"""A search for silence: random scripts of hostile steps, and the one that costs most speaking share per step.

Each power has its own steps. A script is played for `LENGTH` seconds. Its cost is 1 - speaking share, divided
by its number of steps. Of the scripts that cost most, the steps are left out that they are better without.
Silence that no program can prevent costs nothing: who counts at a moment is told in `recorder`.

After a script, everything is mended, and nobody does anything hostile any more. The script is found, too,
after which it takes longest until everybody hears everybody; it is never if that takes more than `RECOVERY`
seconds.

All choices come from the seed, so the search finds the same in every run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Final

from snugroom.lab.bench.availability import members
from snugroom.lab.bench.availability.recorder import BACK, STEADY
from snugroom.lab.bench.availability.scene import Goal, Power, Result, Scene, result_of
from snugroom.lab.bench.availability.stage import HOSTILE, NETWORK, Stage
from snugroom.lab.simulation.liars import Liar
from snugroom.lab.simulation.mallory import Mallory
from snugroom.lab.simulation.meddling import Way
from snugroom.lab.simulation.servers import OTHERS
from snugroom.lab.simulation.tale import SERVER
from snugroom.lab.simulation.world import ORIGIN
from snugroom.wire import messages as wire

#: Seconds of a script, and most steps in it.
LENGTH: Final = 60.0
STEPS_MAX: Final = 4
#: Most seconds from the end of a script until everybody hears everybody.
RECOVERY: Final = 180.0
#: How many of the scripts that cost most are tried without each of their steps.
SHORTENED: Final = 6
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
#: The same for a cut of one member from one server.
_CUT_SECONDS: Final = (*_SECONDS, inf)
#: The same for packets that are lost in one direction.
_STALL_SECONDS: Final = (2.0, 5.0, 15.0)
#: The servers of a meeting, by name.
SERVERS: Final = dict(zip(("first", "second", "third"), (ORIGIN, *OTHERS), strict=True))


@dataclass(frozen=True)
class Step:
    """One act with its arguments, and the seconds until the next one."""

    act: str
    arguments: tuple[str | float, ...]
    then: float

    def __str__(self) -> str:
        said = ", ".join(_said(each) for each in self.arguments if each)
        return f"{self.act}{': ' if said else ''}{said}; {self.then:g} s"


def _said(argument: str | float) -> str:
    if isinstance(argument, str):
        return argument
    return "for good" if argument == inf else f"{argument:g} s"


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

    def stop(self) -> None:
        """Mend everything. A hostile member does nothing more."""
        w = self._w
        for label in sorted({label for label, _ in w.unreachable}):
            self.stage.mend(label)
        for origin in sorted(w.down):
            self.stage.server_is_back(origin)
        for name in _HONEST:
            if name in self.stage.tale.people:
                self._returns(name)
        w.swallows.clear()
        if self._liar is not None:
            self._liar.lie = None

    def network_cuts(self, label: str, seconds: float) -> None:
        self._cuts(label, seconds)

    def network_cuts_from(self, label: str, server: str, seconds: float) -> None:
        self._cuts(label, seconds, SERVERS[server])

    def _cuts(self, label: str, seconds: float, *origins: str, by: str = NETWORK) -> None:
        self.stage.cut(label, *origins, by=by)
        if seconds != inf:
            self._w._after(seconds, partial(self.stage.mend, label, *origins))

    def network_mends(self, label: str, server: str) -> None:
        self.stage.mend(label, SERVERS[server])

    def network_stalls(self, label: str, server: str, way: Way, seconds: float) -> None:
        self.stage.stalls(label, SERVERS[server], way, seconds)

    def crash(self, label: str, seconds: float) -> None:
        if self.stage.person(label).who.alive:
            self.stage.crashes(label)
            self._w._after(seconds, partial(self._returns, label))

    def _returns(self, label: str) -> None:
        if not self.stage.person(label).who.alive:
            self.stage.returns(label)

    def restart(self, server: str, seconds: float) -> None:
        origin = SERVERS[server]
        if origin not in self._w.down:
            self.stage.server_fails(origin)
            self._w._after(seconds, partial(self._is_back, origin))

    def _is_back(self, origin: str) -> None:
        if origin in self._w.down:
            self.stage.server_is_back(origin)

    def breaks(self, label: str) -> None:
        self.stage.breaks(label, by=NETWORK)

    def operator_cuts(self, label: str, seconds: float) -> None:
        self._cuts(label, seconds, ORIGIN, by=SERVER)

    def operator_stalls(self, label: str, way: Way, seconds: float) -> None:
        self.stage.stalls(label, ORIGIN, way, seconds, by=SERVER)

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


def _steps(power: Power, chance: random.Random, further: int) -> tuple[str, tuple[str | float, ...]]:
    """Return an act of this power, and arguments for it. `further`: how many further servers there are."""
    who, seconds = chance.choice(_HONEST), chance.choice(_SECONDS)
    kind, author = chance.choice(sorted(_KINDS)), chance.choice(("", *_HONEST))
    server, way = chance.choice([*SERVERS][: further + 1]), chance.choice(("up", "down"))
    cut, stall = chance.choice(_CUT_SECONDS), chance.choice(_STALL_SECONDS)
    operator: list[tuple[str, tuple[str | float, ...]]] = [
        ("operator cuts", (who, cut)),
        ("operator stalls", (who, way, stall)),
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
        ("network cuts from", (who, server, cut)),
        ("network cuts from", (who, server, cut)),
        ("network mends", (who, server)),
        ("network stalls", (who, server, way, stall)),
        ("breaks", (who,)),
        ("crash", (who, seconds)),
        ("restart", (server, chance.choice((0.5, 5.0, 12.0)))),
    ]
    sets = {
        "operator alone": operator,
        "one member alone": member,
        "operator + one member": [*operator, *member],
        "faults alone": faults,
    }
    return chance.choice(sets[power])


def script(power: Power, chance: random.Random, further: int) -> tuple[Step, ...]:
    """Return a random script for a meeting with so many further servers."""
    count = chance.randint(1, STEPS_MAX)
    return tuple(
        Step(*_steps(power, chance, further), chance.choice((0.5, 2.0, 6.0, 12.0))) for _ in range(count)
    )


@dataclass(frozen=True)
class Found:
    """A script, and what was measured of it."""

    power: Power
    steps: tuple[Step, ...]
    further: int
    seed: int
    result: Result

    @property
    def cost(self) -> float:
        """1 - speaking share, per step."""
        return (1 - self.result.share) / len(self.steps)

    @property
    def recovery(self) -> float:
        """The seconds from the end of the script until everybody hears everybody; infinity: never."""
        assert self.result.together is not None
        return self.result.together


@dataclass(frozen=True)
class Searched:
    """What a search found, of so many scripts that it `tried`.

    `worst`: the one that costs most; its false alarms are those of all that were played. `slowest`: the one
    after which it takes longest until everybody hears everybody.
    """

    worst: Found
    slowest: Found
    tried: int


def play(power: Power, steps: Sequence[Step], further: int, seconds: float, seed: int) -> Stage:
    """Play a script for so long: if that is longer than `LENGTH`, again and again; else mend all after it."""
    hostile = "member" in power
    names = (*_HONEST, HOSTILE) if hostile else _HONEST
    with Stage(names, seed=seed, further=further) as stage:
        actor = Actor(stage, seed, hostile=hostile)
        repeats = seconds > LENGTH
        again = True
        while again and stage.w.now < stage.began + seconds:
            for step in steps:
                actor.do(step)
            again = repeats
        stage.wait(max(0.0, stage.began + seconds - stage.w.now))
        if not repeats:
            _recover(stage, actor)
    return stage


def _recover(stage: Stage, actor: Actor) -> None:
    """Mend everything, and wait until everybody hears everybody."""
    actor.stop()
    stage.acted_at = stage.w.now + BACK  # those that were cut off count again
    stage.wait(BACK)
    while stage.w.now < stage.acted_at + RECOVERY and stage.recorder.together_after(stage.acted_at) == inf:
        stage.wait(STEADY)


def _scene(
    name: str, power: Power, steps: Sequence[Step], further: int, seconds: float, goal: Goal = ""
) -> Scene:
    about = "; ".join(map(str, steps))
    return Scene(
        name, about, power, partial(play, power, steps, further, seconds), goal,
        together=seconds <= LENGTH, one_cause=False,
    )  # fmt: skip


def search(
    power: Power, tries: int = TRIES, seed: int = 1, told: Callable[[], None] = lambda: None
) -> Searched:
    """Search at least one random script; the worst is left without the steps that it does not need."""
    chance = random.Random(f"{power} {seed}")
    false_alarms: set[str] = set()

    def found(steps: tuple[Step, ...], further: int, at: int) -> Found:
        told()
        scene = _scene(f"found: {power}", power, steps, further, LENGTH)
        stage = scene.play(at)
        result = result_of(scene, stage, stage.began + LENGTH)
        false_alarms.update(result.false_alarms)
        return Found(power, steps, further, at, result)

    all_found = []
    for at in range(tries):
        further = chance.choice((0, 1, 1, 2))
        all_found.append(found(script(power, chance, further), further, at))
    slowest = max(all_found, key=lambda each: each.recovery)
    shortened = []
    for one in sorted(all_found, key=lambda each: -each.cost)[:SHORTENED]:
        for step in one.steps:
            fewer = tuple(each for each in one.steps if each is not step)
            if fewer and (without := found(fewer, one.further, one.seed)).cost > one.cost:
                one = without
        shortened.append(one)
    worst = max(shortened, key=lambda each: each.cost)
    result = replace(worst.result, false_alarms=sorted(false_alarms))
    return Searched(replace(worst, result=result), slowest, tries)


def for_ten_minutes(found: Found, seconds: float) -> Result:
    """Play what a hostile member was found to do again and again, for its goal."""
    name = "found_for_ten_minutes"
    scene = _scene(name, found.power, found.steps, 0, seconds, "hostile member")
    return result_of(scene, scene.play(found.seed))
