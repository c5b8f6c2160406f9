"""Keys and sizes that make sealing fail harm only the member that sends them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.lobby_connections import LobbyConnections
from snugroom.client.session.features import host_key_transfer
from snugroom.crypto.agreed.room_state import RejoinTicket
from snugroom.crypto.entry import lobby, recovery
from snugroom.crypto.entry.invite import day_of
from snugroom.lab.simulation.announcing import announce, signed
from snugroom.lab.simulation.dishonest import package_with
from snugroom.lab.simulation.world import ORIGIN, START, World, seeded
from snugroom.wire import messages as wire
from tests.session.test_attacks_false_claims import say
from tests.session.test_attacks_lobby import ask
from tests.session.test_recovery import crashed


def test_a_box_that_is_no_key_costs_its_owner_the_seed() -> None:
    w = World(460)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    w.run(1)
    say(w, mallory, announce(signed(mallory.room.membership)))
    w.run(1)
    w.do(ada, ev.Deputise(2))
    w.do(ada, ev.Deputise(1))
    w.until(lambda: bo.session._host is not None)
    w.run(host_key_transfer.RESEND_AFTER * 3)
    assert mallory.session._host is None
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, bo, mallory, dana]))


def test_a_reply_key_that_is_none_costs_who_asked_the_answer() -> None:
    w = World(461)
    _, (bo, mallory) = crashed(w, "Bo", "Mallory")
    w.until(lambda: bo.session._readmission.members is not None)
    m = mallory.room.membership
    by = bo.room.membership.own_leaf
    ticket = RejoinTicket(m.group.group_id, m.journal.slot, m.journal.chain, bytes(16), by=by)
    bundle = package_with(mallory, ticket, w.now)
    slot = m.journal.slot
    ask(w, bo, mallory, recovery.RejoinRequest(bytes(32), bundle.encoded))
    w.until(lambda: bo.room.membership.journal.slot > slot, 10)
    w.run(5)
    assert bo.ended is None


def test_an_answer_that_is_too_large_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(462)
    ada, bo = w.meeting("Ada", "Bo")
    real = ada.session._admissions.answer
    too_large = bytes(lobby.BUCKETS[-1])
    monkeypatch.setattr(ada.session._admissions, "answer", lambda *a: replace(real(*a), ledger=too_large))
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: cem.ended is not None, 10)
    assert cem.ended is not None
    assert cem.ended.reason == "refused"
    w.do(ada, ev.Say("still here"))
    w.until(lambda: ("Ada", "still here") in bo.said)


def test_a_message_too_large_for_a_lobby_is_not_posted() -> None:
    secret, day = bytes(16), day_of(START)
    effects: list[ev.Effect] = []
    connections = LobbyConnections(secret, (ORIGIN,), effects, seeded(1))
    connections.stay_in({day}, START)
    connections.received(day, wire.Entered(bytes(8), bytes(8)))
    effects.clear()
    connections.post(day, lobby.RecoveryMessage(bytes(lobby.BUCKETS[-1])))
    connections.post(day, lobby.CardRequest(bytes(16)))
    assert len(effects) == 1
