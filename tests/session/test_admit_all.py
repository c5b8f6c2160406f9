"""Answering all knocks at once, as a host."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import World
from tests.session.invites import knocks
from tests.session.test_lobby_addressed import opened, waiting


def test_all_who_wait_come_in_and_the_host_sees_how_many() -> None:
    w = World(2400)
    ada = opened(w)
    names = [f"Guest {n}" for n in range(12)]
    people = waiting(w, ada, *names)
    w.do(ada, ev.AdmitAll())
    w.until(lambda: w.agreed([ada, *people]), 20)
    told = ada.of(ev.AdmissionProgress)
    assert told[0] == ev.AdmissionProgress(0, 12)
    assert told[-1] == ev.AdmissionProgress(12, 12)
    assert [e.inside for e in told] == sorted(e.inside for e in told)
    assert len(told) < len(names), "at most one line a second"
    w.run(5)
    assert ada.of(ev.AdmissionProgress) == told


def test_a_knock_with_a_warning_waits_for_a_look() -> None:
    w = World(2401)
    ada = opened(w)
    bo, other, twin = waiting(w, ada, "Bo", "Ad\u0430", "Cem")
    assert [k.name for k in knocks(ada) if k.looks_like == "Ada"] == ["Ad\u0430"]
    w.do(ada, ev.AdmitAll())
    assert ada.of(ev.AdmissionProgress) == [ev.AdmissionProgress(0, 2, left=1)]
    w.until(lambda: w.agreed([ada, bo, twin]), 10)
    assert not other.session.inside
    w.do(ada, ev.RefuseAll())
    assert ada.of(ev.AdmissionProgress)[-1] == ev.AdmissionProgress(0, 1, refused=1)
    w.until(lambda: other.ended is not None)


def test_a_second_batch_counts_anew() -> None:
    w = World(2402)
    ada = opened(w)
    first = waiting(w, ada, "Bo", "Cem")
    w.do(ada, ev.AdmitAll())
    w.until(lambda: w.agreed([ada, *first]), 10)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: len(knocks(ada)) == 3)
    w.do(ada, ev.AdmitAll())
    w.until(lambda: w.agreed([ada, *first, dana]), 10)
    assert ada.of(ev.AdmissionProgress)[-1] == ev.AdmissionProgress(1, 1)


def test_a_newcomer_that_a_rule_keeps_out_is_counted() -> None:
    w = World(2403)
    ada = opened(w)
    people = waiting(w, ada, "Bo", "Cem")
    w.do(ada, ev.Lock(True))
    w.do(ada, ev.AdmitAll())
    w.run(10)
    done = ada.of(ev.AdmissionProgress)[-1]
    assert done.inside + done.refused == done.of == 2
    assert done.refused == sum(p.ended is not None for p in people) > 0


def test_nobody_waits_and_members_admit_nobody() -> None:
    w = World(2404)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(ada, ev.AdmitAll())
    w.do(ada, ev.RefuseAll())
    assert ada.of(ev.AdmissionProgress) == [ev.AdmissionProgress(0, 0)] * 2
    for command in (ev.AdmitAll(), ev.RefuseAll()):
        with pytest.raises(ValueError, match="host"):
            w.do(bo, command)
