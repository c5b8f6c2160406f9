"""Places of a meeting at other servers: their keys."""

from __future__ import annotations

from snugroom.client.session import events as ev
from tests.session.world import World


def test_the_move_key_changes_with_every_departure_and_newcomers_have_it() -> None:
    w = World(1501)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    m = ada.room.membership
    assert {p.room.membership.move_key for p in people} == {m.move_key}
    move, beat = m.move_key, m.heartbeat_key
    w.do(bo, ev.Leave())
    w.until(lambda: w.agreed([ada, cem]))
    assert (m.move_key == move, m.heartbeat_key == beat) == (False, True)
    assert cem.room.membership.move_key == m.move_key
    move = m.move_key
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, cem, dana]))
    assert dana.room.membership.move_key == m.move_key == move
    w.do(ada, ev.Remove(dana.session.own_leaf or 0))
    w.until(lambda: w.agreed([ada, cem]))
    assert (m.move_key == move, m.heartbeat_key == beat) == (False, False)
