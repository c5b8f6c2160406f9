"""An honest server is not accused of what members, hosts and crashes do."""

from __future__ import annotations

from collections.abc import Sequence

from snugroom.client.session import events as ev
from snugroom.crypto.agreed.room_state import Mode
from snugroom.crypto.entry import invite
from snugroom.lab.simulation.dishonest import private_commit
from snugroom.lab.simulation.world import Participant, World, heal
from snugroom.server.config import Settings
from snugroom.wire import messages as wire
from snugroom.wire import signed
from tests.session.forked import texts
from tests.session.gatecrashers import Gatecrasher, everybody_in_step, in_step

#: Alarms that put something down to the server alone.
ACCUSED = {"two_stories", "unasked", "receipt", "gate_denied", "dropped", "reordered"}


def accusations(people: Sequence[Participant]) -> list[str]:
    """What alarms say of the server, except where they name another possible cause."""
    kinds = [(p.label, e) for p in people for e in p.told if isinstance(e, ev.Alarm) and e.kind in ACCUSED]
    return [f"{label}: {e.text}" for label, e in kinds if "the room was opened again" not in e.text]


def test_a_crash_that_leaves_one_member_alone_with_the_last_change() -> None:
    w = World(1)
    people = w.meeting("Ada", "Bo", "Cem")
    ada, bo, cem = people
    w.run(2)
    slot = bo.room.membership.journal.slot
    w.down_filter = lambda who, m: who is bo or not isinstance(m, wire.Committed)
    heal(w, bo)
    w.until(lambda: bo.room.membership.journal.slot == slot + 1, 2)
    w.kill_server()
    w.kill(bo)  # its network fails as well
    w.down_filter = lambda who, m: True
    w.start_server()
    w.run(3)
    for _ in range(2):
        heal(w, cem)
        w.run(1)
    assert everybody_in_step(w, [ada, cem])
    assert cem.room.membership.journal.slot == slot + 2
    bo.alive = True
    w._feed(bo, ev.Lost(ev.ROOM, "cut", True))
    w.run(3)
    assert not in_step(w, bo)
    w.until(lambda: everybody_in_step(w, people), 100)
    assert accusations(people) == []


def test_a_host_that_opens_the_room_at_another_history() -> None:
    w = World(2)
    people = w.meeting("Ada", "Bo", "Cem")
    ada, bo, cem = people
    w.do(ada, ev.Deputise(1))
    w.until(lambda: bo.session._host is not None)
    w.run(2)
    heal(w, cem)  # the last change is no host's
    w.run(1)
    room = bo.room
    journal, keys = room.membership.journal, room.host_keys
    w.kill(bo)
    mallory = Gatecrasher(w, room)
    admin = keys.room_admin_key(room.membership.group.group_id, room.room_admin_keys.current)
    chain, gate = w.rng(32), invite.gate(journal.room_pass)
    number = invite.room_number(room.door_key.public, admin.public)
    text = signed.Opening(number, journal.slot, gate, chain).encode()
    mallory.says(wire.Open(journal.slot, gate, chain, admin.sign(text)))
    mallory.says(wire.Show([journal.room_pass]))
    w.do(cem, ev.Say("is this on?"))  # it shows its pass again, and is inside
    w.run(1)
    commit, _ = private_commit(w, bo, journal.slot + 1, chain)
    mallory.says(commit)
    w.run(8)
    assert mallory.slot == journal.slot + 1
    assert "outside" in cem.alarms
    assert accusations([ada, cem]) == []


def test_the_losers_of_many_races_for_slots() -> None:
    w = World(3)
    *honest, mallory = w.meeting("Ada", "Bo", "Cem", "Mallory")
    crew = [Gatecrasher(w, mallory.room) for _ in range(4)]
    for step in range(60):
        for each in crew:
            each.says(wire.Show([mallory.room.membership.journal.room_pass]))
            each.says(private_commit(w, mallory, each.slot + 1, each.at.chain)[0])
        w.do(honest[0], ev.Lock(honest[0].room.membership.policy.mode is not Mode.LOCKED))
        if step % 5 == 0:
            heal(w, honest[1 + step % 2])
        w.run(0.1)
    assert accusations(honest) == []


def test_a_server_that_denies_its_own_word_is_named() -> None:
    w = World(4)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(2)
    heal(w, ada)
    w.run(1)
    journal = bo.room.membership.journal
    blob = w.rng(512)
    denied = wire.Committed(journal.slot + 1, blob, w.rng(32), w.rng(32), bytes(8), bytes(64), None)
    w._deliver(bo.links[ev.ROOM], wire.encode(denied))
    w.run(0.5)
    assert "The server told two stories" in texts(bo, "two_stories")[0]


def test_a_member_whose_connections_take_all_seats_of_a_restarted_room() -> None:
    w = World(5, settings=Settings(max_members=6))
    *honest, mallory = people = w.meeting("Ada", "Bo", "Cem", "Mallory")
    w.run(2)
    for who in honest[:2]:  # the last change is no host's
        heal(w, who)
        w.run(1)
    journal = mallory.room.membership.journal
    last, before = journal.newest, journal.entry(journal.slot - 1)
    w.kill(mallory)
    w.kill_server()
    w.start_server()
    crew = [Gatecrasher(w, mallory.room) for _ in range(6)]
    gate = invite.gate(before.room_pass)
    answers = crew[0].says(wire.Open(before.slot, gate, before.chain, before.opening))
    assert any(isinstance(a, wire.Opened) for a in answers)
    for each in crew:
        each.says(wire.Show([before.room_pass]))
    for _ in range(3):
        crew[0].says(private_commit(w, mallory, crew[0].slot + 1, crew[0].at.chain)[0])
        w.run(3)
    assert crew[0].slot == last.slot + 2
    assert not any(in_step(w, p) for p in honest)
    for each in crew:
        each.leave()
    w.until(lambda: everybody_in_step(w, honest), 60)
    assert accusations(people) == []
