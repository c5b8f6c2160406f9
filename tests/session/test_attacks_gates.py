"""Attacks on slots, gates and seats: one member, former host or stranger does not stop the others.

docs/explanation/decisions/0040-gates.md
"""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.client.session.kernel.room import RoomSession
from snugroom.client.session.options import Options
from snugroom.crypto.entry import invite
from snugroom.lab.simulation.dishonest import forged, post_commit, private_commit
from snugroom.lab.simulation.world import Participant, World
from snugroom.server.config import Settings
from snugroom.wire import messages as wire
from snugroom.wire import signed
from tests.session.gatecrashers import Gatecrasher, alarms_of, everybody_in_step, in_step


def agreed_with_mallory(w: World, *honest: str) -> tuple[list[Participant], Participant]:
    people = w.meeting(*honest, "Mallory")
    w.run(2)
    return people[:-1], people[-1]


def test_four_connections_with_private_gates_freeze_nobody() -> None:
    w = World(1)
    honest, mallory = agreed_with_mallory(w, "Ada", "Bo", "Cem")
    crew = [Gatecrasher(w, mallory.room) for _ in range(4)]
    own: bytes | None = None  # the pass of the last private gate
    began = w.now
    told_after: dict[str, float] = {}
    out_of_step = {p.label: 0.0 for p in honest}
    for step in range(120):  # 12 s; each connection asks ten times a second
        for each in crew:
            if each.is_dropped():
                each.enter()
            for room_pass in (own, mallory.room.membership.journal.room_pass):
                if room_pass is not None:
                    each.says(wire.Show([room_pass]))
            commit, next_pass = private_commit(w, mallory, each.slot + 1, each.at.chain)
            each.says(commit)
            if each.slot == commit.slot:
                own = next_pass
        if step == 60:
            w.do(honest[1], ev.Say("can you hear me?"))
        w.run(0.1)
        for p in honest:
            out_of_step[p.label] = 0.0 if in_step(w, p) else out_of_step[p.label] + 0.1
            assert out_of_step[p.label] < 2, f"{p.label} waits outside, {step / 10} s after the first slot"
            if alarms_of(p, "void_commit"):
                told_after.setdefault(p.label, w.now - began)
    assert ("Bo", "can you hear me?") in honest[0].said
    w.until(lambda: everybody_in_step(w, honest), 10)
    # its slots are void and few, and one alarm that is updated tells of them
    assert max(told_after[p.label] for p in honest) < 3
    for p in honest:
        told = alarms_of(p, "void_commit")
        assert 1 <= len(told) <= 6
        assert told[-1].count > 10
        assert "from “Mallory”" in told[-1].text
    # a host's removal takes the next slot at once, whatever the others ask for
    w.do(honest[0], ev.Remove(3))
    w.until(lambda: "Mallory" not in honest[0].roster and everybody_in_step(w, honest), 2)


def test_one_wrong_gate_without_a_host_freezes_nobody_and_names_its_author() -> None:
    w = World(2)
    honest, mallory = agreed_with_mallory(w, "Ada", "Bo", "Cem")
    w.kill(honest[0])
    members = honest[1:]
    w.run(1)
    epoch = members[0].epoch
    post_commit(w, mallory, forged(mallory, [], w.rng(32)))
    took = w.until(lambda: members[0].epoch == epoch + 1 and everybody_in_step(w, members), 5)
    assert took < 1
    for p in members:
        assert [a.text for a in alarms_of(p, "wrong_gate")] == [
            "“Mallory” gave the server a wrong key to the room. Nobody is kept out by it, and the meeting "
            "goes on. “Mallory”'s program may do that on purpose. A host can remove “Mallory”."
        ]
    assert not alarms_of(mallory, "wrong_gate"), "only those who did not do it are told"
    w.do(members[0], ev.Say("all here"))
    w.until(lambda: ("Bo", "all here") in members[1].said, 2)
    members[1].room.queue(HealIntent(members[1].epoch), w.now)
    w.until(lambda: members[0].epoch == epoch + 2 and everybody_in_step(w, members), 3)
    # a connection that is made anew comes in by a pass that fits
    w.cut(members[0].links[ev.ROOM])
    w.until(lambda: everybody_in_step(w, members), 3)


def test_a_wrong_gate_that_the_server_made_up_names_the_server() -> None:
    """The gate is part of the blob, and the chain covers it: a refused pass contradicts the receipt."""
    w = World(3)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(2)

    def refuse(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Shown):
            refused = wire.Refused("pass", "this pass fits no gate of the last slots", "show")
            w._deliver(bo.links[ev.ROOM], wire.encode(refused))
            return False
        return True

    w.down_filter = refuse
    ada.room.queue(HealIntent(ada.epoch), w.now)
    w.until(lambda: bool(alarms_of(bo, "gate_denied")), 5)
    assert "server" in alarms_of(bo, "gate_denied")[0].text
    assert not alarms_of(bo, "wrong_gate")
    assert not alarms_of(cem, "gate_denied")
    w.down_filter = lambda who, message: True
    w.until(lambda: everybody_in_step(w, people), 20)


def opened_by(w: World, deputy: RoomSession, slot: int, room_pass: bytes) -> wire.Open:
    """A room's opening that somebody with the room admin's key signs, at any slot."""
    chain, gate = w.rng(32), invite.gate(room_pass)
    assert deputy.host_keys is not None
    key = deputy.host_keys.current.room_admin_key(deputy.membership.group.group_id)
    text = signed.Opening(deputy.number, slot, gate, chain).encode()
    return wire.Open(slot, gate, chain, key.sign(text))


def deputy_opens_first(w: World, people: list[Participant], *, host_stays: bool) -> None:
    ada, bo, *others = people
    w.do(ada, ev.Deputise(1))
    w.until(lambda: bo.session._host is not None, why="Bo is a host")
    w.do(ada, ev.Undeputise(1))
    keys = bo.room.host_keys
    w.until(lambda: bo.session._host is None, why="Bo is no host any more")
    w.until(lambda: len(bo.room.membership.policy.link_keys) == 2, why="the keys have changed")
    w.run(1)
    kept = bo.room
    kept.host_keys = keys  # it has kept what it knew
    w.kill(bo)
    if not host_stays:
        w.kill(ada)
    w.run(1)
    w.kill_server()
    w.run(0.2)
    w.start_server()
    own = w.rng(32)
    first = Gatecrasher(w, kept)
    first.says(opened_by(w, kept, kept.membership.journal.slot + 100, own))
    first.says(wire.Show([own]))
    here = others if not host_stays else [ada, *others]
    w.run(20)
    first.leave()
    took = w.until(lambda: all(in_step(w, p) for p in here), 30, "the others are back")
    assert took < 30
    w.do(here[0], ev.Say("here again"))
    if not host_stays:
        w.run(1.5)
        w.do(here[0], ev.SendHeld())  # no host confirms who is in the room
    w.until(lambda: all((here[0].label, "here again") in p.said for p in here[1:]), 5)
    assert not any("two_stories" in p.alarms for p in here), "the server is not accused of it"


def test_a_demoted_deputy_opens_a_restarted_room_100_slots_ahead() -> None:
    w = World(4)
    deputy_opens_first(w, w.meeting("Ada", "Bo", "Cem", "Dana"), host_stays=True)


def test_a_demoted_deputy_opens_a_restarted_room_and_no_host_is_left() -> None:
    w = World(5)
    deputy_opens_first(w, w.meeting("Ada", "Bo", "Cem", "Dana"), host_stays=False)


def test_members_without_a_host_reopen_a_restarted_room() -> None:
    w = World(6)
    ada, *others = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    w.kill(ada)
    w.kill_server()
    w.run(1)
    w.start_server()
    took = w.until(lambda: everybody_in_step(w, others), 5)
    assert took < 5
    w.do(others[0], ev.Say("without Ada"))
    w.until(lambda: ("Bo", "without Ada") in others[1].said, 2)


def test_members_whose_last_host_is_long_gone_reopen_a_restarted_room() -> None:
    w = World(7)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    w.kill(ada)
    for _ in range(10):  # no slot that a host took is kept
        bo.room.queue(HealIntent(bo.epoch), w.now)
        w.run(0.5)
    w.kill_server()
    w.run(1)
    w.start_server()
    took = w.until(lambda: everybody_in_step(w, [bo, cem]), 30)
    assert 9 < took < 20


def test_an_evicted_member_opens_a_restarted_room_first_and_the_members_take_it_back() -> None:
    """What the room admin has signed counts more than an opening that nobody has signed."""
    w = World(11)
    ada, bo, mallory, cem = w.meeting("Ada", "Bo", "Mallory", "Cem")
    w.run(1)
    kept = mallory.room
    w.do(ada, ev.Remove(2))
    w.until(lambda: w.agreed([ada, bo, cem]))
    w.kill(ada)
    w.kill_server()
    w.run(1)
    w.start_server()
    hub = w.hub
    w.server_up = False  # the members' network is away for a while, Mallory's is not
    first = Gatecrasher(w, kept)
    own, slot = w.rng(32), kept.membership.journal.slot + 5
    opening = wire.Open(slot, invite.gate(own), w.rng(32))
    assert first.refusals(opening) == ["open"], "not before ten seconds are over"
    w.run(10.5)
    assert isinstance(first.says(opening)[-1], wire.Opened)
    assert first.says(wire.Show([own])) == [wire.Shown(slot)]
    assert hub is w.hub
    w.server_up = True
    took = w.until(lambda: everybody_in_step(w, [bo, cem]), 10)
    assert took < 5
    assert not first.is_dropped(), "though Mallory is still there"
    assert first.refusals(wire.Relay(w.rng(512))) == ["pass"]
    # and an opening of before the eviction, which Mallory has, does not help it either
    entry, *_ = kept.membership.journal.signed(newest=True)
    old = wire.Open(entry.slot, invite.gate(entry.room_pass), entry.chain, entry.opening)
    assert first.refusals(old) == ["open"]


def test_an_evicted_member_stays_outside_when_members_hand_its_eviction_over() -> None:
    """The room admin's signature goes to a restarted server with the blob, whoever hands it over."""
    w = World(14)
    ada, bo, mallory, cem = w.meeting("Ada", "Bo", "Mallory", "Cem")
    w.run(1)
    kept = mallory.room
    w.do(ada, ev.Remove(2))
    w.until(lambda: w.agreed([ada, bo, cem]))
    w.kill_server()
    w.run(0.5)
    w.start_server()
    took = w.until(lambda: everybody_in_step(w, [ada, bo, cem]), 5)
    assert took < 5
    stranger = Gatecrasher(w, kept)
    [shown] = stranger.says(wire.Show(kept.membership.journal.room_passes))
    assert isinstance(shown, wire.Shown)
    assert shown.slot < stranger.slot, (
        "it opens the room at an earlier slot than the eviction, and no further"
    )
    assert stranger.refusals(wire.Commit(stranger.slot + 1, w.rng(512))) == ["pass"]


@pytest.mark.parametrize("inside", [0, 1])
def test_a_member_puts_something_else_into_a_slot_of_a_restarted_room(inside: int) -> None:
    """Members hand over what was there; the server, which knows nothing of it, is not accused."""
    w = World(12, latency=0.2)
    honest, mallory = agreed_with_mallory(w, "Ada", "Bo", "Cem")
    for _ in range(9):  # the host opens the room at a slot whose pass Mallory has
        honest[0].room.queue(HealIntent(honest[0].epoch), w.now)
        w.run(1)
    w.kill_server()
    w.run(0.5)
    w.start_server()
    kept = mallory.room
    w.kill(mallory)
    other = Gatecrasher(w, kept)
    w.until(lambda: other.at.slot is not None and other.at.facts().passes_current >= inside)
    entry = kept.membership.journal.entry(other.slot)
    assert entry is not None
    other.says(wire.Show([entry.room_pass]))
    false, _ = private_commit(w, mallory, other.slot + 1, other.at.chain)
    other.says(false)
    assert other.slot == false.slot
    w.until(lambda: everybody_in_step(w, honest), 5)
    w.do(honest[1], ev.Say("the same as before"))
    w.until(lambda: ("Bo", "the same as before") in honest[0].said, 3)
    assert not any("two_stories" in p.alarms for p in honest)
    assert other.at.chain == honest[0].room.membership.journal.chain


def test_valid_changes_with_wrong_gates_cost_nobody_a_connection() -> None:
    """A server closes a connection after eight refusals in a minute: the members show no pass in vain."""
    w = World(13)
    honest, mallory = agreed_with_mallory(w, "Ada", "Bo")
    w.kill(honest[0])
    bo = honest[1]
    refused: list[object] = []

    def note(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Refused):
            refused.append(message)
        return True

    w.down_filter = note
    m = mallory.room.membership
    real = m.cover_commit
    m.cover_commit = lambda messages, gate: real(messages, w.rng(32))
    for _ in range(12):
        mallory.room.queue(HealIntent(m.group.epoch), w.now)
        w.run(1)
        assert in_step(w, bo)
    assert refused == []
    assert alarms_of(bo, "wrong_gate")[-1].count > 5


def test_an_evicted_member_with_98_connections_takes_no_members_seat() -> None:
    w = World(8, settings=Settings(max_members=100))
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    w.run(2)
    kept = mallory.room
    w.do(ada, ev.Remove(2))
    w.until(lambda: w.agreed([ada, bo]))
    w.run(1)
    crowd = [Gatecrasher(w, kept) for _ in range(98)]
    w.cut(bo.links[ev.ROOM])
    crowd.append(Gatecrasher(w, kept))  # the seat that is free now
    for _ in range(100):  # 10 s; each that is dropped comes back within half a second
        for each in w.random.sample(crowd, 20):
            if each.is_dropped():
                each.enter()
        w.run(0.1)
    assert in_step(w, bo)
    assert in_step(w, ada)
    assert not bo.alarms, "and nobody is accused"
    assert not ada.alarms


def test_connections_without_a_pass_are_dropped_after_ten_seconds() -> None:
    w = World(9)
    ada, mallory = w.meeting("Ada", "Mallory")
    kept = mallory.room
    w.do(ada, ev.Remove(1))
    w.until(lambda: w.agreed([ada]))
    w.run(12)
    stranger = Gatecrasher(w, kept)
    w.run(9.5)
    assert not stranger.is_dropped()
    w.run(1)
    assert stranger.is_dropped()
    assert in_step(w, ada)


def test_a_full_room_is_reported_and_accuses_nobody() -> None:
    """A member can fill a room as well, with connections that show its pass, until a host removes it."""
    w = World(10, settings=Settings(max_members=3))
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    bo.session._options = Options(evidence="evidence.json")
    bo.room.options = bo.session._options
    w.run(2)
    w.cut(bo.links[ev.ROOM])
    taker = Gatecrasher(w, mallory.room)
    taker.says(wire.Show([mallory.room.membership.journal.room_pass]))
    lost = w.now
    w.until(lambda: bool(alarms_of(bo, "full")), 10)
    assert w.now - lost < 4.5
    text = "The server says that there is no place for you: the room is full"
    assert alarms_of(bo, "full")[0].text.startswith(text)
    w.run(10)
    assert bo.alarms == ["full"], "and nothing else: the server is not accused"
    assert (
        "nothing proves that the operator does it. Evidence is in evidence.json." in bo.of(ev.Alarm)[0].text
    )
    w.do(ada, ev.Remove(2))
    took = w.until(lambda: everybody_in_step(w, [ada, bo]), 30)
    assert took < 25
