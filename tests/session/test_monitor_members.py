"""Heartbeats show commits that some can't read, and members whose heartbeats contradict each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.monitor.heartbeats import RECORDED
from snugroom.crypto.agreed import envelope
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.crypto.entry.invite import verify_taken
from snugroom.crypto.kdf import H
from snugroom.crypto.mls import labels, treekem, treemath
from snugroom.lab.simulation.world import Participant, World, heal
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS
from tests.session.forked import last_heartbeat, monitor, ours, send_heartbeat, texts

# -- commits that some can't read ----------------------------------------------------------------------------


def stuck(w: World, monkeypatch: pytest.MonkeyPatch, committer: Participant, *victims: Participant) -> int:
    """Take a slot with a commit that only these members can't read. Returns the slot."""
    slot = int(committer.room.membership.journal.slot) + 1
    keys = [victim.room.membership.signature_key(victim.room.membership.own_leaf) for victim in victims]
    tree = committer.room.membership.group._live.tree
    places = {leaf for leaf, node in tree.leaves() if node.signature_key in keys}
    bad = {node.encryption_key for leaf, node in tree.leaves() if leaf in places}
    for index, node in tree.parents():  # those that no other member is below
        if {leaf for leaf, _ in tree.leaves() if treemath.is_below(2 * leaf, index)} <= places:
            bad.add(node.encryption_key)
    real = labels.encrypt_with_label

    def spoiled(suite, public, label, context, plaintext, rng):  # type: ignore[no-untyped-def]
        return real(suite, public, label, context, bytes(len(plaintext)) if public in bad else plaintext, rng)

    with monkeypatch.context() as patch:
        patch.setattr(treekem, "encrypt_with_label", spoiled)
        heal(w, committer)
    return slot


def test_hosts_hear_who_makes_commits_that_others_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(80)
    ada, bo, cem, dana = people = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(12)
    stuck(w, monkeypatch, dana, cem)
    w.until(lambda: "stuck" in cem.alarms, 5)
    w.until(lambda: w.agreed(people), 20)
    assert not texts(ada, "unreadable_commit"), "one may be lying, or broken"
    w.run(5)
    stuck(w, monkeypatch, bo, cem, dana)
    w.until(lambda: bool(texts(ada, "unreadable_commit")), 30)
    assert "could not read \u201cBo\u201d's last change" in texts(ada, "unreadable_commit")[0]
    assert "/remove 1" in texts(ada, "unreadable_commit")[0]
    assert not texts(bo, "unreadable_commit")
    w.until(lambda: w.agreed(people), 20)
    assert not [text for p in people for text in ours(p) if text not in texts(ada, "unreadable_commit")]


def test_the_others_heartbeats_say_that_a_commit_was_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(81)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(12)
    kept = monitor(cem)
    slot = stuck(w, monkeypatch, bo, cem)
    assert kept.verdict_on_slot(slot) is None, "nobody has said anything of it yet"
    w.until(lambda: "stuck" in cem.alarms, 5)
    w.until(lambda: kept.verdict_on_slot(slot) is not None, 2)
    assert kept.verdict_on_slot(slot) == "valid"
    assert monitor(ada).verdict_on_slot(slot + 1) is None


def test_the_others_heartbeats_say_that_a_commit_was_void() -> None:
    w = World(82)
    ada, bo, cem, dana = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.run(12)
    slot = ada.room.membership.journal.slot + 1
    # Dana gets nothing of the slot except the others' heartbeats
    w.down_filter = lambda who, message: not (who is dana and isinstance(message, wire.Committed))
    w._ascend(bo.links[ev.ROOM], wire.encode(wire.Commit(slot, w.rng(512))))
    w.until(lambda: "void_commit" in cem.alarms, 5)
    w.until(lambda: monitor(dana).verdict_on_slot(slot) is not None, 3)
    assert monitor(dana).verdict_on_slot(slot) == "void"


def test_without_a_host_it_takes_more_than_half_of_the_others() -> None:
    w = World(83)
    people = w.meeting("Ada", "Bo", "Cem", "Dana", "Eve")
    w.run(12)
    eve = people[-1]
    eve.alive = False
    m = eve.room.membership
    slot = m.journal.slot + 1
    seen = monitor(eve)
    for who, verdict in ((people[1], None), (people[2], None), (people[3], "void")):
        beat = last_heartbeat(who)
        forged = replace(
            beat,
            seq=beat.seq + 1,
            prev=beat.digest,
            slot=slot,
            epoch=m.group.epoch,
            authenticator=H(m.group.epoch_authenticator),
        ).signed(who.room.number, who.room.membership.sign)
        blob = envelope.seal(m.heartbeat_key, "beat", who.room.number, m.epoch_slot, forged.encode(), BUCKETS)
        assert seen.broadcast_received(blob, w.now)
        assert seen.verdict_on_slot(slot) == verdict


# -- members that lie ----------------------------------------------------------------------------------------


def test_two_heartbeats_of_one_number_name_their_author() -> None:
    w = World(70)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(12)
    send_heartbeat(w, cem, replace(last_heartbeat(cem), at=1))
    w.run(1)
    assert "\u201cCem\u201d has signed two contradictory reports" in texts(bo, "double_beat")[0]
    assert "/remove 2" in texts(ada, "double_beat")[0]
    assert "/remove" not in texts(bo, "double_beat")[0]
    send_heartbeat(w, cem, replace(last_heartbeat(cem), at=2))
    w.run(30)
    assert [len(texts(p, "double_beat")) for p in people] == [1, 1, 0]


def test_heartbeats_that_the_server_repeats_or_reorders_accuse_nobody() -> None:
    w = World(71)
    _, bo, _ = people = w.meeting("Ada", "Bo", "Cem")
    passed: list[wire.Broadcasted] = []

    def keep(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Broadcasted):
            passed.append(message)
            return len(passed) % 5 != 0  # now and then one is lost, and comes much later
        return True

    w.down_filter = keep
    for _ in range(10):
        w.run(6)
        for message in w.random.sample(passed, min(5, len(passed))):
            w._feed(bo, ev.Received(ev.ROOM, message))
    assert [ours(p) for p in people] == [[]] * 3
    assert sum(history.gaps for history in monitor(bo)._heartbeats.histories.values()) > 0


def test_garbage_and_strangers_heartbeats_cost_one_check_and_no_alarm() -> None:
    w = World(72)
    _, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(12)
    told = len(bo.told)
    m = cem.room.membership
    base = last_heartbeat(cem)
    later = replace(base, seq=base.seq + 1, prev=base.digest)
    for beat in (
        replace(later, leaf=9),
        replace(later, leaf=0),
        replace(later, leaf=0, since=0, seq=later.seq + 9),
        replace(later, leaf=1),
        replace(later, since=later.since - 1),
        replace(later, since=later.since + 1, slot=later.slot + 1),
    ):
        # of no leaf, Ada's under Cem's key, Bo's own, of memberships that did not exist
        send_heartbeat(w, cem, beat)
    for payload in (b"", b"\x01", later.signed(cem.room.number, m.sign).encode()[:-1]):
        blob = envelope.seal(m.heartbeat_key, "beat", cem.room.number, m.epoch_slot, payload, BUCKETS)
        w._ascend(cem.links[ev.ROOM], wire.encode(wire.Broadcast(blob)))
    w._ascend(cem.links[ev.ROOM], wire.encode(wire.Broadcast(w.rng(512))))
    w.run(12)  # Ada and Cem go on beating: nothing has been taken for theirs
    assert bo.told[told:] == []
    assert [history.gaps for history in monitor(bo)._heartbeats.histories.values()] == [0, 0]
    assert {leaf: history.since for leaf, history in monitor(bo)._heartbeats.histories.items()} == {
        0: 0,
        2: 2,
    }


def test_too_frequent_heartbeats_displace_nobody_elses() -> None:
    w = World(74)
    _, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(120)
    key = bo.room.membership.signature_key(0)
    before = sum(by == key for _, by in monitor(bo).record.beats)
    cem.alive = False
    beat = last_heartbeat(cem)
    for _ in range(100):
        beat = replace(beat, seq=beat.seq + 1, prev=beat.digest)
        send_heartbeat(w, cem, beat)
        w.run(0.05)
    assert before > 15
    assert sum(by == key for _, by in monitor(bo).record.beats) >= before
    assert len(monitor(bo).record.beats) == RECORDED


def test_evidence_is_bounded_and_a_stranger_can_check_it() -> None:
    w = World(73)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(400)
    record = monitor(bo).record
    assert len(record.beats) == RECORDED
    leaves = set()
    for raw, key in record.beats:
        beat = Heartbeat.decode(raw)
        beat.verify(bo.room.number, key)
        leaves.add(beat.leaf)
    assert leaves == {0, 1, 2}
    assert 2 <= len(record.receipts) <= RECORDED
    for r in record.receipts:
        verify_taken(r.server_key, bo.room.number, r.opening_id, r.slot, r.before, r.blob, r.signature)
    assert ada.epoch == cem.epoch
