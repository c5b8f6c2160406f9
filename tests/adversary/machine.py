"""The adversary: hypothesis chooses the steps of a meeting under attack, and shrinks what breaks it.

Each example has its own powers: a hostile server, hostile members, both or neither. Steps that make no sense
do nothing. `Adversary` is the machine; `ignore` says which violations are known (`tests/adversary/known.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from snugroom.lab.simulation.tale import ViolationError
from tests.adversary import known
from tests.adversary.hostile import COMMITS, MESSAGES
from tests.adversary.inventions import AWAY, MAKERS, REFUSALS
from tests.adversary.meeting import Meeting
from tests.adversary.network import Doing, Way
from tests.adversary.stage import EVERYBODY, Stage

HONEST = st.sampled_from(["Ada", "Bo", "Cem"])
HOST = st.sampled_from(["Ada", "Ada", "Bo"])
ANYBODY = st.sampled_from(["Ada", "Bo", "Cem", "Mallory", "Oscar", "Dana"])
VICTIM = st.sampled_from([EVERYBODY, EVERYBODY, "Ada", "Bo", "Bo", "Cem", "Dana"])
MALLORY = st.sampled_from(["Mallory", "Mallory", "Oscar"])
#: The members at the beginning. Leaves matter: neighbours in the tree share nodes.
PEOPLE = st.sampled_from(
    [
        ("Ada", "Bo", "Cem"),
        ("Ada", "Bo", "Mallory"),
        ("Ada", "Bo", "Mallory", "Cem"),
        ("Ada", "Mallory", "Bo", "Cem"),
        ("Ada", "Bo", "Cem", "Mallory", "Oscar"),
    ]
)
POWERS = st.sampled_from(["server", "server", "members", "members", "both", "nobody"])
#: Messages that a server may drop, hold, repeat or answer itself: each way and type.
CARRIED = st.sampled_from(
    [
        ("down", "committed"),
        ("down", "opened"),
        ("down", "relayed"),
        ("down", "broadcasted"),
        ("down", "caught_up"),
        ("down", "shown"),
        ("down", "large posted"),
        ("down", "posted"),
        ("down", "entered"),
        ("up", "commit"),
        ("up", "relay"),
        ("up", "broadcast"),
        ("up", "show"),
        ("up", "catch_up"),
        ("up", "large post"),
        ("up", "open"),
    ]
)
PICK = st.integers(0, 11)
#: Simulated seconds after which nothing new is tried.
LONGEST: Final = 250.0


def with_server(machine: Adversary) -> bool:
    return "server" in machine.powers


def with_members(machine: Adversary) -> bool:
    return "members" in machine.powers


class Script:
    """Passes steps on to a meeting, and writes them down as a test would have them."""

    def __init__(self, meeting: Meeting, lines: list[str]) -> None:
        self._meeting = meeting
        self._lines = lines

    def __getattr__(self, name: str) -> Callable[..., None]:
        def step(*arguments: Any) -> None:
            if self._meeting.w.now - self._meeting.tale.began < LONGEST:
                self._lines.append(f"m.{name}({', '.join(map(repr, arguments))})")
                getattr(self._meeting, name)(*arguments)

        return step


class Adversary(RuleBasedStateMachine):
    """A meeting, and everything that its enemies can do."""

    @staticmethod
    def ignore(violation: ViolationError, stage: Stage) -> bool:
        """Return whether a violation is known."""
        return known.ignored(violation, stage)

    def __init__(self) -> None:
        super().__init__()
        self.meeting: Meeting | None = None
        self.powers: frozenset[str] = frozenset()
        self.script: list[str] = []

    @initialize(
        people=PEOPLE,
        powers=POWERS,
        deputies=st.sampled_from([(), (), ("Bo",), ("Mallory",)]),
        seed=st.integers(0, 999),
    )
    def begins(self, people: tuple[str, ...], powers: str, deputies: tuple[str, ...], seed: int) -> None:
        both = {"both": ("server", "members"), "nobody": ()}.get(powers, (powers,))
        self.powers = frozenset(both)
        deputies = tuple(name for name in deputies if name in people)
        self.script.append(f"m = begin({people}, seed={seed}, deputies={deputies})")
        self.meeting = Meeting(people, seed=seed, deputies=deputies, ignore=type(self).ignore)

    @property
    def m(self) -> Meeting:
        """The meeting, whose steps are written down; nothing happens after `LONGEST`."""
        assert self.meeting is not None
        return cast(Meeting, Script(self.meeting, self.script))

    def teardown(self) -> None:
        if self.meeting is not None:
            chance = self.meeting.w.random
            deliver, cut = chance.random() < 0.5, chance.random() < 0.5
            self.script.append(f"m.stop({deliver=}, {cut=})")
            try:
                self.meeting.stop(deliver=deliver, cut=cut)
            finally:
                note("As a script:\n    " + "\n    ".join(self.script))
                note("What happened:\n" + self.meeting.tale.told())

    # -- honest people -----------------------------------------------------------------------------

    @rule(who=VICTIM)
    def writes(self, who: str) -> None:
        self.m.says(who)

    @rule(who=VICTIM)
    def talks(self, who: str) -> None:
        self.m.talks(who)

    @rule(host=HOST, whom=st.sampled_from(["Mallory", "Mallory", "Oscar", "Bo", "Dana"]))
    def removes(self, host: str, whom: str) -> None:
        self.m.removes(host, whom)

    @rule(whom=MALLORY)
    def removes_the_hostile(self, whom: str) -> None:
        self.m.removes("Ada", whom)

    @rule(whom=st.sampled_from(["Bo", "Mallory", "Cem"]))
    def deputises(self, whom: str) -> None:
        self.m.deputises("Ada", whom)

    @rule(whom=st.sampled_from(["Bo", "Mallory"]))
    def demotes(self, whom: str) -> None:
        self.m.demotes("Ada", whom)

    @rule(host=HOST, on=st.booleans())
    def locks(self, host: str, on: bool) -> None:
        self.m.locks(host, on)

    @rule(who=ANYBODY)
    def leaves(self, who: str) -> None:
        self.m.leaves(who)

    @rule(name=st.sampled_from(["Dana", "Eve"]))
    def joins(self, name: str) -> None:
        self.m.joins(name)

    @rule(who=HONEST)
    def crashes(self, who: str) -> None:
        self.m.crashes(who)

    @rule(who=HOST)
    def returns(self, who: str) -> None:
        self.m.returns(who)

    @rule(host=HOST)
    def ends(self, host: str) -> None:
        self.m.ends(host)

    # -- network, clocks, time ------------------------------------------------------------------------

    @rule(who=VICTIM)
    def loses_connection(self, who: str) -> None:
        self.m.loses_connection(who)

    @rule()
    def server_restarts(self) -> None:
        self.m.server_restarts()

    @rule(who=HONEST, seconds=st.sampled_from([5.0, 30.0, 600.0]))
    def sleeps(self, who: str, seconds: float) -> None:
        self.m.sleeps(who, seconds)

    @rule(seconds=st.sampled_from([0.2, 1.0, 4.0]))
    def waits(self, seconds: float) -> None:
        self.m.wait(seconds)

    @rule(seconds=st.sampled_from([10.0, 20.0, 40.0]))
    def waits_long(self, seconds: float) -> None:
        self.m.wait(seconds)

    @rule()
    def waits_two_minutes(self) -> None:
        self.m.wait(125.0)

    # -- the server ------------------------------------------------------------------------------------

    @precondition(with_server)
    @rule(carried=CARRIED, whom=VICTIM, count=st.sampled_from([1, -1]))
    def server_drops(self, carried: tuple[Way, str], whom: str, count: int) -> None:
        self.m.server_meddles("drops", whom, *carried, count)

    @precondition(with_server)
    @rule(carried=CARRIED, whom=VICTIM, count=st.sampled_from([1, 2, -1]))
    def server_holds(self, carried: tuple[Way, str], whom: str, count: int) -> None:
        self.m.server_meddles("holds", whom, *carried, count)

    @precondition(with_server)
    @rule(carried=CARRIED, whom=VICTIM, doing=st.sampled_from(["repeats", "answers_stale"]))
    def server_answers(self, carried: tuple[Way, str], whom: str, doing: Doing) -> None:
        if doing == "answers_stale":
            carried = ("up", "commit")
        self.m.server_meddles(doing, whom, *carried, -1)

    @precondition(with_server)
    @rule(which=PICK)
    def server_releases(self, which: int) -> None:
        self.m.server_releases(which)

    @precondition(with_server)
    @rule()
    def server_releases_all(self) -> None:
        self.m.server_releases_all()

    @precondition(with_server)
    @rule(whom=HONEST)
    def server_keeps_in_the_past(self, whom: str) -> None:
        self.m.server_keeps_in_the_past(whom)

    @precondition(with_server)
    @rule(whom=VICTIM, refusal=st.sampled_from(REFUSALS))
    def server_refuses(self, whom: str, refusal: tuple[str, str]) -> None:
        self.m.server_refuses(whom, *refusal)

    @precondition(with_server)
    @rule(kind=st.sampled_from(sorted(MAKERS)), whom=VICTIM, away=st.sampled_from(AWAY), pick=PICK)
    def server_invents(self, kind: str, whom: str, away: int, pick: int) -> None:
        self.m.server_invents(kind, whom, away, pick)

    @precondition(with_server)
    @rule(whom=VICTIM)
    def server_cuts(self, whom: str) -> None:
        self.m.server_cuts(whom)

    @precondition(with_server)
    @rule()
    def server_relents(self) -> None:
        self.m.server_relents()

    # -- members ---------------------------------------------------------------------------------------

    @precondition(with_members)
    @rule(who=MALLORY, act=st.sampled_from(COMMITS))
    def commits(self, who: str, act: str) -> None:
        self.m.signs(who, act)

    @precondition(with_members)
    @rule(who=MALLORY, act=st.sampled_from(MESSAGES))
    def sends(self, who: str, act: str) -> None:
        self.m.signs(who, act)

    @precondition(with_members)
    @rule(who=MALLORY, seconds=st.sampled_from([3.0, 15.0]))
    def takes_slots(self, who: str, seconds: float) -> None:
        self.m.takes_slots(who, seconds)

    @precondition(with_members)
    @rule(who=MALLORY)
    def crowds(self, who: str) -> None:
        self.m.crowds(who, 12)

    @precondition(with_members)
    @rule(who=MALLORY, times=st.sampled_from([1, 2, 20]))
    def rekeys(self, who: str, times: int) -> None:
        self.m.rekeys(who, times)

    @precondition(with_members)
    @rule(who=MALLORY)
    def opens_ahead(self, who: str) -> None:
        self.m.opens_ahead(who, 100)

    @precondition(with_members)
    @rule(who=MALLORY, name=st.sampled_from(["Mallory", "Zoe", "Ada"]))
    def returns_by_seed(self, who: str, name: str) -> None:
        self.m.returns_by_seed(who, name)

    @precondition(with_members)
    @rule(whom=HONEST)
    def steals(self, whom: str) -> None:
        self.m.steals(whom)

    @precondition(with_members)
    @rule(whom=HONEST)
    def thief_rejoins(self, whom: str) -> None:
        self.m.thief_rejoins(whom)
