"""Worlds of page participants and Python participants, and the scenarios of tests/session in them."""

from __future__ import annotations

import inspect
import itertools
import math
import os
import sys
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

import pytest

from snugroom.client.session import Session
from snugroom.client.session.options import Options
from snugroom.crypto.entry.member_recovery import MemberRecoveryData
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import Rng
from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.keys import OpenedFrame
from snugroom.lab.simulation.world import ORIGIN, Participant, World, seeded
from tests.session.seeds import seeds
from tests.web.ts_session import SessionProcess, TsKept, TsSession, Who

T = TypeVar("T")
USUAL = Options()

#: Whether each scenario runs in every mix, with every tick and frame. Usually it runs in one, to save time.
EVERY_WAY = os.environ.get("SNUG_EVERY_MIX") == "1"
#: Each tick and each frame of a page participant is a call of its process. Scenarios have every second one of
#: those that tests/session plays, but for these, which count frames or parts of a second.
EXACT = {
    "a_laptop_that_was_shut_accuses_nobody_when_it_is_opened",
    "a_member_that_the_server_alone_keeps_out_is_heard_and_told_of",
    "a_member_who_rejoins_keeps_its_doubts",
    "a_member_whom_the_server_silences_learns_of_it_too",
    "a_mirror_that_is_down_changes_nothing_and_comes_back",
    "a_rejoin_of_the_victim_gives_no_new_credit",
    "a_selective_drop_is_seen_by_the_victim_and_reported_to_the_others",
    "a_server_that_changes_layers_does_not_show_the_past_again",
    "a_starved_computer",
    "a_warm_move_takes_about_two_seconds",
    "around_a_reconnect_the_past_waits_for_a_list_that_does_not_come",
    "joins_leaves_heals_and_removals_raise_no_alarm",
    "layers_change_in_mid_stream_and_frames_are_lost_and_nothing_is_refused",
    "mallory_replays_bos_frames_of_another_epoch",
    "mallory_speaks_in_bos_place_and_bos_next_list_shows_it",
    "mallory_speaks_while_bo_is_held_back",
    "the_last_list_of_an_epoch_goes_out_with_the_next_ones_first_frame",
    "the_mirror_keeps_up_when_many_join_at_once",
    "whoever_gets_one_layer_misses_nothing",
}
#: Scenarios in which a tenth of a second decides: they have twice the ticks of tests/session.
EACH_TICK = {"cutting_the_connection_again_and_again_excuses_no_voice"}
#: The mixes: page participants by their role, hosts or guests.
MIXES: dict[str, Who] = {
    "host": lambda name, opens: opens,
    "guests": lambda name, opens: not opens,
    "all": lambda name, opens: True,
}


def all_but(*names: str) -> Who:
    """Everybody but these, whose hostile acts need Python sessions."""
    return lambda name, opens: name not in names


def sessions_of(process: SessionProcess, who: Who) -> Any:
    """Stands in for `Session` in scenarios: begins a session of the page's code where `who` says so."""

    class Sessions:
        @staticmethod
        def host(*, name: str, options: Options = USUAL, rng: Rng = os.urandom, **more: Any) -> Any:
            if not who(name, True):
                return Session.host(name=name, options=options, rng=rng, **more)
            return TsSession.host(process, name=name, options=options, seed=rng(8).hex(), **more)

        @staticmethod
        def join(
            link: str, *, name: str, options: Options = USUAL, rng: Rng = os.urandom, **more: Any
        ) -> Any:
            if not who(name, False):
                return Session.join(link, name=name, options=options, rng=rng, **more)
            return TsSession.join(process, link, name=name, options=options, seed=rng(8).hex(), **more)

        @staticmethod
        def rejoin_as_host(
            kept: HostRecoveryData, *, options: Options = USUAL, rng: Rng = os.urandom, **more: Any
        ) -> Any:
            if not who(kept.name, True):
                return Session.rejoin_as_host(kept, options=options, rng=rng, **more)
            return TsSession.rejoin_as_host(process, kept, options=options, seed=rng(8).hex(), **more)

        @staticmethod
        def come_back(
            kept: MemberRecoveryData, *, options: Options = USUAL, rng: Rng = os.urandom, **more: Any
        ) -> Any:
            if not isinstance(kept, TsKept):
                return Session.come_back(kept, options=options, rng=rng, **more)
            return TsSession.come_back(process, kept, options=options, seed=rng(8).hex(), **more)

    return Sessions


def mixed_world(
    process: SessionProcess, who: Who, base: type[World] = World, ticks: float = 1
) -> type[World]:
    """A World whose participants run the page's code where `who` says so.

    `ticks` multiplies the time between two ticks.
    """

    class Mixed(base):  # type: ignore[valid-type, misc]
        TICK = ticks * base.TICK
        SERVER_TICK = ticks * base.SERVER_TICK

        def host(
            self,
            name: str = "Ada",
            *,
            admission: str = "all",
            title: str = "",
            options: Options = USUAL,
            clock: float = 0.0,
        ) -> Participant:
            rng = seeded(self.random.getrandbits(32))
            facts = {"origin": ORIGIN, "name": name, "title": title, "admission": admission}
            now = self.now + clock
            session = sessions_of(process, who).host(**facts, options=options, now=now, rng=rng)
            return self.add(name, session, clock=clock)  # type: ignore[no-any-return]

        def guest(
            self,
            link: str,
            name: str,
            *,
            options: Options = USUAL,
            clock: float = 0.0,
        ) -> Participant:
            rng = seeded(self.random.getrandbits(32))
            now = self.now + clock
            session = sessions_of(process, who).join(link, name=name, options=options, now=now, rng=rng)
            return self.add(name, session, clock=clock)  # type: ignore[no-any-return]

        def open(
            self,
            to: Participant,
            ssrc: int,
            kind: Kind,
            data: bytes,
            then: Callable[[OpenedFrame | SnugError], None],
        ) -> None:
            session: object = to.session
            if isinstance(session, TsSession):
                session.open_later(ssrc, kind, data, self.now + to.clock, then)
            else:
                super().open(to, ssrc, kind, data, then)

        def run(self, seconds: float) -> None:
            super().run(seconds)
            process.settle()

    return Mixed


def fewer(of: Sequence[T]) -> Sequence[T]:
    """A quarter of a scenario's seeds: Python participants play all of them."""
    return of if EVERY_WAY else of[: math.ceil(len(of) / 4)]


def cases(function: Callable[..., Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The arguments of a scenario, as its own `parametrize` marks give them."""
    marks = [m for m in getattr(function, "pytestmark", []) if m.name == "parametrize"]
    tables = []
    for mark in marks:
        names = mark.args[0]
        names = names.split(",") if isinstance(names, str) else list(names)
        names = [name.strip() for name in names]
        rows = [row if len(names) > 1 else (row,) for row in mark.args[1]]
        if names == ["seed"]:
            rows = list(fewer(rows))
        elif names == ["seconds"] and not EVERY_WAY:
            rows = rows[len(rows) // 2 :][:1]  # neither the shortest nor the longest
        tables.append([dict(zip(names, row, strict=True)) for row in rows])
    for number, chosen in enumerate(itertools.product(*tables)):
        merged = {name: value for row in chosen for name, value in row.items()}
        yield (f"-{number}" if marks else ""), merged


def by_turns(things: Iterable[Any]) -> list[Any]:
    """(thing, mix) for `parametrize`: each thing in one of `MIXES`, by turns, or in all."""
    names = list(MIXES)
    return [
        pytest.param(thing, MIXES[name], id=f"{getattr(thing, '__name__', thing)}-{name}")
        for at, thing in enumerate(things)
        for name in (names if EVERY_WAY else [names[at % len(names)]])
    ]


def mix(name: str) -> Who:
    """One of `MIXES`, or "-Bo": everybody but Bo; "-Ada-Bo" everybody but both."""
    return MIXES[name] if name in MIXES else all_but(*name.removeprefix("-").split("-"))


def scenarios(
    *modules: ModuleType,
    mixes: Collection[str] = ("host", "guests"),
    other: Mapping[str, str] = MappingProxyType({}),
    without: Collection[str] = (),
) -> list[Any]:
    """(function, its arguments, mix) for all tests of the modules: each in one of `mixes`,
    by its name.

    `other` has the mixes (in one text) of those that have somebody do what only our own code can be made
    to: the last of these is played. `without` are those that look too far inside.
    """
    found: list[Any] = []
    named = {*without, *other}
    own = {module.__name__ for module in modules}
    tests = (test for module in modules for test in inspect.getmembers(module, inspect.isfunction))
    for name, function in sorted(tests, key=lambda test: test[0]):
        short = name.removeprefix("test_")
        if short == name or function.__module__ not in own:
            continue
        named.discard(short)
        if short in without or hasattr(function, "is_hypothesis_test"):
            continue
        for suffix, arguments in cases(function):
            ways = other[short].split() if short in other else list(mixes)
            if not EVERY_WAY:
                ways = ways[-1:] if short in other else [ways[zlib.crc32(short.encode()) % len(ways)]]
            found += [pytest.param(function, arguments, mix(w), id=f"{short}{suffix}-{w}") for w in ways]
    assert not named, f"{own} have no {named}"
    return found


def _names() -> list[tuple[ModuleType, str, object]]:
    """All names in the scenarios' modules and their helpers, which open meetings too."""
    modules = [m for name, m in sys.modules.items() if name.startswith("tests.session.")]
    return [(module, *item) for module in modules for item in vars(module).items()]


def _play(
    monkeypatch: pytest.MonkeyPatch,
    process: SessionProcess,
    function: Callable[..., Any],
    arguments: dict[str, Any],
    who: Who,
) -> None:
    """Run a scenario of tests/session; the participants named by `who` run the page's code."""
    short = function.__name__.removeprefix("test_")
    ticks = 1 if EVERY_WAY or short in EXACT else 0.5 if short in EACH_TICK else 2
    for module, name, value in _names():
        if inspect.isclass(value) and issubclass(value, World):
            monkeypatch.setattr(module, name, mixed_world(process, who, value, ticks))
        elif value is Session:
            monkeypatch.setattr(module, name, sessions_of(process, who))
        elif value is seeds:
            monkeypatch.setattr(module, name, fewer)
        elif ticks == 2 and inspect.isclass(value) and value.__module__ == module.__name__:
            for interval in {"SOUND_EVERY", "VIDEO_EVERY"} & vars(value).keys():
                monkeypatch.setattr(value, interval, 2 * getattr(value, interval))
    if "monkeypatch" in inspect.signature(function).parameters:
        arguments = {**arguments, "monkeypatch": monkeypatch}
    try:
        function(**arguments)
    finally:
        process.call("closeAll", -1)


def played(found: list[Any]) -> Any:
    """A test function that plays each of these scenarios."""

    @pytest.mark.parametrize(("scenario", "arguments", "who"), found)
    def test(
        monkeypatch: pytest.MonkeyPatch,
        sessions: SessionProcess,
        scenario: Callable[..., Any],
        arguments: dict[str, Any],
        who: Who,
    ) -> None:
        _play(monkeypatch, sessions, scenario, arguments, who)

    return test
