"""Commits that are under way while the room admin's key changes: none is lost, and nobody is accused."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import World
from snugroom.wire import messages as wire
from tests.server.people import ROOM_ADMIN, Table, hosts_commit, rekeying, show
from tests.server.test_hub import LATER
from tests.server.test_room import A, B, C, codes
from tests.session.gatecrashers import everybody_in_step
from tests.session.hosts import two_hosts


def test_a_commit_signed_with_the_old_key_that_comes_after_the_new_one() -> None:
    w = World(1)
    ada, bo, cem = two_hosts(w, "Cem")
    w.do(ada, ev.Deputise(2))
    w.until(lambda: cem.session._host is not None)
    w.run(2)
    late: list[wire.Rekeyed] = []
    refused: list[wire.Refused] = []

    def slow(who: object, message: object) -> bool:
        if who is bo and isinstance(message, wire.Refused):
            refused.append(message)
        if who is bo and isinstance(message, wire.Rekeyed):
            late.append(message)
            return False
        return True

    w.down_filter = slow
    w.do(ada, ev.Undeputise(2))
    w.until(lambda: bool(late), 10, "the server has the new key, and Bo does not know it yet")
    w.do(bo, ev.Lock(True))
    w.run(0.2)
    assert ("commit", "signature") in [(r.about, r.code) for r in refused]
    w.down_filter = lambda who, message: True
    w._deliver(bo.links[ev.ROOM], wire.encode(late[0]))
    w.until(lambda: ada.room.membership.policy.mode.name == "LOCKED", 5)
    w.until(lambda: everybody_in_step(w, [ada, bo, cem]), 5)
    assert bo.alarms == []


def test_a_held_commit_is_taken_after_a_change_of_the_key() -> None:
    t = Table().opened(A, B, C)
    t.says(A, hosts_commit(1, t.room.chain, "A"))
    t.says(B, hosts_commit(1, bytes(32), "B"))  # too late: the next slot is B's
    for who in (A, B, C):
        t.says(who, show(1))
    held = hosts_commit(2, t.room.chain, "A")
    assert t.says(A, held) == []
    t.inbox.clear()
    t.says(B, rekeying(t.nonce(B), LATER, ROOM_ADMIN))
    t.wait(0.6)
    got = [m for m in t.heard(C) if isinstance(m, wire.Committed)]
    assert [m.blob for m in got] == [held.blob]
    assert codes(t.says(B, hosts_commit(3, t.room.chain, "B"))) == ["signature"]  # the old key signs no more
