"""A host attacks other hosts in their name, with the seed that they share."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.lab.simulation.world import Participant, World
from tests.session.test_failures import two_hosts
from tests.session.test_recovery import come_back


def renamed(kept: HostRecoveryData | None, name: str) -> HostRecoveryData:
    assert kept is not None
    return HostRecoveryData(kept.host_keys, kept.door_seed, kept.secret, kept.group_id, kept.origin, name)


def of_hosts(who: Participant) -> list[str]:
    return [e.text for e in who.of(ev.PolicyChanged) if e.kind == "host"]


def test_a_host_who_is_heard_is_not_replaced_by_who_has_the_seed_too() -> None:
    w = World(480)
    ada, bo, cem = two_hosts(w, "Cem")
    w.run(1)
    false_ada = come_back(w, renamed(bo.session.kept(), "Ada"))
    w.run(60)
    assert false_ada.roster == []
    assert ada.ended is None
    assert w.agreed([ada, bo, cem])
    w.kill(ada)
    # once Ada is silent no program can tell them apart: a person decides, and the words say what the proof is
    w.until(lambda: any(e.returning for e in bo.of(ev.Knocked)), 60)
    assert false_ada.roster == []
    w.do(bo, ev.Admit(bo.of(ev.Knocked)[-1].knock))
    w.until(lambda: false_ada.roster != [], 60)
    w.until(lambda: len(of_hosts(cem)) == 2)
    assert "by the key that all hosts have" in of_hosts(cem)[1]


def test_a_host_who_comes_back_at_once_waits_until_it_is_missed() -> None:
    w = World(481)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    kept = ada.session.kept()
    w.run(6)
    w.kill(ada)
    back = come_back(w, renamed(kept, "Ada"))
    took = w.until(lambda: w.agreed([back, bo, cem]), 60)
    assert 5 < took < 45
    assert "by the host's own key" in of_hosts(cem)[0]
