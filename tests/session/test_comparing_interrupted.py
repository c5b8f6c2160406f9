"""Runs of the short code in which somebody comes or goes, or a connection is lost."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features.comparing import HOLD_MAX, PHASE
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.lab.simulation.world import World
from tests.session.comparing import (
    NAMES,
    codes,
    have_code,
    keeps_back,
    open_run,
    ours,
    part,
    texts,
)
from tests.session.seeds import seeds

# -- people who come and go meanwhile ---------------------------------------------------------------------


def test_hosts_hold_their_commits_while_a_code_is_made_except_removals() -> None:
    w = World(61)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    kept = keeps_back(cem, content.CodeCommit)
    w.do(bo, ev.Compare())
    w.until(lambda: bool(kept) and part(ada)._running is not None, 5)
    dana = w.guest(w.link_of(ada), "Dana")
    epoch = ada.epoch
    w.run(5)
    assert ada.epoch == epoch, "Dana waits at the door"
    assert any(isinstance(e, ev.Knocked) and e.name == "Dana" for e in ada.told)
    w.until(lambda: w.agreed([ada, bo, cem, dana]), PHASE)
    w.do(bo, ev.Compare())
    w.until(lambda: len(kept) == 2, 10)
    w.do(ada, ev.Remove(cem.room.membership.own_leaf))
    w.until(lambda: cem.ended is not None, 1, "a removal does not wait")
    have_code(w, [ada, bo, dana], 20)
    assert not ours(ada)
    assert not ours(bo)


def test_hosts_do_not_hold_their_commits_for_ever() -> None:
    """Members who open and don't commit, one after the other, the lower leaf each time."""
    w = World(62)
    people = w.meeting(*NAMES[:8])
    ada = people[0]
    for p in people[1:]:
        keeps_back(p, content.CodeCommit)
    w.run(1)
    start = w.now
    for turn, p in enumerate(reversed(people[1:])):
        open_run(p, bytes([turn] * 16), w.now)
        w.do(p, ev.Tick())
        w.run(0.5)
        assert part(ada)._running is not None, f"run {turn}"
        if turn == 0:
            w.guest(w.link_of(ada), "Zoe")
        w.run(PHASE - 1)
        if "Zoe" in ada.roster:
            break
        assert part(ada)._running is not None, "one run goes over into the next"
    assert HOLD_MAX - PHASE < w.now - start < HOLD_MAX + PHASE
    assert "Zoe" in ada.roster


def test_a_join_during_a_run_starts_it_anew() -> None:
    """A commit that is under way when the OPEN comes is nobody's fault."""
    for seed in seeds(range(15)):
        w = World(200 + seed, latency=0.15)
        ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
        dana = w.guest(w.link_of(ada), "Dana")
        w.run(w.random.uniform(0.3, 1.2))
        w.do(bo, ev.Compare())
        w.until(lambda: w.agreed([*people, dana]), 30)
        w.until(lambda: all(codes(p) for p in people), 40, f"seed {seed}")
        w.run(10)
        assert len({codes(p)[-1] for p in people}) == 1
        assert [ours(p) for p in (*people, dana)] == [[]] * 4, f"seed {seed}"
        assert cem.ended is None


def test_a_leave_during_a_run_does_not_stop_it() -> None:
    for seed in seeds(range(8)):
        w = World(230 + seed, latency=0.05)
        ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
        kept = keeps_back(cem, content.CodeCommit)
        w.do(bo, ev.Compare())
        w.until(lambda: bool(kept), 5)
        w.do(cem, ev.Leave())
        w.until(lambda: w.agreed([ada, bo]), 5, "a farewell does not wait")
        have_code(w, [ada, bo], 20)
        assert not ours(ada)
        assert not ours(bo)


def test_an_opener_tries_twice_and_then_reports_failure() -> None:
    w = World(63)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    keeps_back(cem, content.CodeCommit)
    w.do(bo, ev.Compare())
    for _ in range(2):
        w.until(lambda: part(ada)._running is not None, 10)
        part(cem).holds_commits = lambda now: False  # type: ignore[method-assign]
        cem.room.queue(HealIntent(cem.room.membership.group.epoch), w.now)
        w.do(cem, ev.Tick())
        w.until(lambda: part(ada)._running is None, 3)
    w.run(0.5)
    assert len(texts(bo, "no_code")) == 1
    assert "changed keys" in texts(bo, "no_code")[0]
    w.run(20)
    assert len(texts(bo, "no_code")) == 1
    assert not texts(ada, "no_code")
    assert not any(ours(p) or codes(p) for p in (ada, bo, cem))


# -- connections --------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1))
def test_a_connection_lost_during_a_run_blames_nobody(seed: int) -> None:
    w = World(seed, latency=0.08)
    people = w.meeting("Ada", "Bo", "Cem")
    w.run(w.random.uniform(0, 3))
    w.do(w.random.choice(people), ev.Compare())
    for _ in range(w.random.randrange(1, 4)):
        w.run(w.random.uniform(0, 0.25))
        unlucky = w.random.choice(people)
        if ev.ROOM in unlucky.links:
            w.cut(unlucky.links[ev.ROOM])
    w.run(30)
    assert w.agreed(people)
    assert [ours(p) for p in people] == [[]] * 3
    shown = {tuple(codes(p)) for p in people}
    assert len(shown) == 1
    if shown == {()}:
        assert sum(len(texts(p, "no_code")) for p in people) == 1, "who asked is told"


def test_a_server_that_restarts_during_a_run_blames_nobody() -> None:
    for seed in seeds(range(20)):
        w = World(300 + seed, latency=0.05)
        people = w.meeting("Ada", "Bo", "Cem")
        w.run(1)
        w.do(people[seed % 3], ev.Compare())
        w.run(w.random.uniform(0, 0.3))
        w.kill_server()
        w.run(w.random.uniform(0.1, 1.5))
        w.start_server()
        w.run(30)
        assert w.agreed(people)
        assert [ours(p) for p in people] == [[]] * 3, f"seed {seed}"
        assert len({tuple(codes(p)) for p in people}) == 1


def test_a_member_who_was_away_ignores_a_run_that_is_over() -> None:
    w = World(64)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    w.down_filter = lambda who, message: who is not cem
    w.cut(cem.links[ev.ROOM])
    w.do(ada, ev.Compare())
    w.until(lambda: bool(texts(ada, "no_code")), PHASE + 5)
    assert "nothing came from \u201cCem\u201d" in texts(ada, "no_code")[0]
    w.down_filter = lambda who, message: True
    if ev.ROOM in cem.links:
        w.cut(cem.links[ev.ROOM])
    w.run(PHASE + 10)
    assert w.agreed([ada, bo, cem])
    assert [ours(p) for p in (ada, bo, cem)] == [[]] * 3


def test_a_member_whose_connection_broke_hears_that_as_the_reason() -> None:
    w = World(66)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(ada, ev.Compare())
    while (running := part(ada)._running) is None or not running.showing:
        w.run(0.002)
    w.kill_server()
    w.run(PHASE + 3)
    assert [ours(p) for p in (ada, bo)] == [["code_aborted"]] * 2
    assert "your own connection broke" in texts(ada, "code_aborted")[0]
