"""Failures: races, lost connections, a server that dies, members that lie."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.intents import HealIntent, PolicyIntent
from snugroom.client.session.monitor.dropped import Dropped
from snugroom.crypto import mls
from snugroom.crypto.agreed import envelope, policy
from snugroom.crypto.agreed.room_state import CommitContext
from snugroom.crypto.entry import invite
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.kdf import H
from snugroom.crypto.proof import evidence
from snugroom.lab.simulation.dishonest import forged, fresh_leaf, post_commit, spoil_path
from snugroom.lab.simulation.world import Participant, World
from snugroom.server.config import Settings
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS
from tests.session.forked import HEARTBEAT_ALARMS, texts
from tests.session.seeds import seeds


def two_hosts(w: World, *others: str) -> list[Participant]:
    people = w.meeting("Ada", "Bo", *others)
    ada, bo = people[:2]
    w.do(ada, ev.Deputise(1))
    w.until(lambda: bo.session._host is not None, why="Bo is a host")
    return people


def test_two_hosts_who_commit_at_once_both_get_their_way() -> None:
    for seed in seeds(range(8)):
        w = World(seed, latency=0.1)
        ada, bo, cem, dana, eve = two_hosts(w, "Cem", "Dana", "Eve")
        w.do(ada, ev.Remove(2))
        w.do(bo, ev.Remove(3))
        took = w.until(lambda: w.agreed([ada, bo, eve]), 10)
        assert took < 5
        w.until(lambda: cem.ended is not None and dana.ended is not None, 1)
        assert cem.ended == ev.Ended("removed", "You were removed by \u201cAda\u201d.")
        assert dana.ended == ev.Ended("removed", "You were removed by \u201cBo\u201d.")
        assert not ada.alarms
        assert not bo.alarms


def test_two_hosts_who_admit_at_once_leave_nobody_out() -> None:
    for seed in seeds(range(5)):
        w = World(20 + seed, latency=0.1)
        people = two_hosts(w)
        for name in ("Cem", "Dana", "Eve", "Finn"):
            people.append(w.guest(w.link_of(people[0]), name))
        w.until(lambda: w.agreed(people), 30)


def test_a_deputy_hosts_when_the_first_host_is_gone() -> None:
    w = World(30)
    ada, bo, cem = two_hosts(w, "Cem")
    link = w.link_of(ada)
    w.kill(ada)
    dana = w.guest(link, "Dana")
    w.until(lambda: "Dana" in bo.roster and "Dana" in cem.roster and "Dana" in dana.roster)
    w.do(bo, ev.Remove(0))
    w.until(lambda: w.agreed([bo, cem, dana]))


def test_a_server_killed_in_mid_meeting() -> None:
    for seed in seeds(range(6)):
        w = World(40 + seed)
        people = w.meeting("Ada", "Bo", "Cem")
        epoch = people[0].epoch
        w.do(people[1], ev.Say("just before"))
        w.run(w.random.uniform(0, 0.04))  # it may have reached the server, one of them, or nobody
        w.kill_server()
        w.do(people[2], ev.Say("while it is away"))
        w.run(1.0)
        w.start_server()
        began = w.now
        w.do(people[0], ev.Say("and after"))
        expected = {("Bo", "just before"), ("Cem", "while it is away"), ("Ada", "and after")}
        w.until(
            lambda: all({(s, t) for s, t in expected if s != p.label} == set(p.said) for p in people),
            5,
        )
        assert w.now - began < 5
        w.run(5)
        assert {p.epoch for p in people} == {epoch}, "back in the same epoch"
        assert all(len(p.said) == 2 for p in people), "nothing lost, nothing twice"
        dana = w.guest(w.link_of(people[0]), "Dana")
        w.until(lambda: w.agreed([*people, dana]))


def test_a_lost_connection_changes_no_order_of_messages() -> None:
    """A member that is back gets new messages before those that it has missed."""
    for seed in seeds(range(4)):
        w = World(50 + seed, latency=0.2)
        ada, bo = w.meeting("Ada", "Bo")
        sent = [f"line {n}" for n in range(60)]
        for n, text in enumerate(sent):
            if n % 20 == 10:
                w.cut(bo.links[ev.ROOM])
            w.do(ada, ev.Say(text))
            w.run(0.1)
        w.until(lambda: len(bo.said) >= len(sent), 20)
        assert [text for _, text in bo.said] == sent, f"seed {seed}"


def test_a_server_killed_while_commits_are_under_way() -> None:
    for seed in seeds(range(12)):
        w = World(90 + seed, latency=0.05)
        people = two_hosts(w, "Cem", "Dana")
        ada, bo, cem, dana = people
        w.do(ada, ev.Remove(2))
        w.do(bo, ev.Remove(3))
        w.run(w.random.uniform(0, 0.25))
        w.kill_server()
        w.run(w.random.uniform(0.1, 2))
        w.start_server()
        w.until(lambda: w.agreed([ada, bo]), 15, f"seed {seed}")
        w.until(lambda: cem.ended is not None and dana.ended is not None, 15)


def test_a_straggler_catches_up_on_commits() -> None:
    w = World(80)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    w.down_filter = lambda who, message: who is not cem
    w.cut(cem.links[ev.ROOM])
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: dana.roster == bo.roster == ["Ada", "Bo", "Cem", "Dana"])
    for _ in range(4):
        ada.room.queue(HealIntent(ada.room.membership.group.epoch), w.now)
        w.do(ada, ev.Tick())
        w.run(1)
    w.do(ada, ev.Say("are you there?"))
    w.down_filter = lambda who, message: True
    if ev.ROOM in cem.links:
        w.cut(cem.links[ev.ROOM])
    w.until(lambda: w.agreed([ada, bo, cem, dana]), 10)
    assert ("Ada", "are you there?") in cem.said or cem.epoch == ada.epoch


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1))
def test_cut_anywhere_and_everybody_is_back(seed: int) -> None:
    """Links break and the server dies at random moments; in the end all agree and all is said once."""
    w = World(seed, latency=0.05)
    chance = random.Random(seed)
    people = two_hosts(w, "Cem")
    said: list[tuple[str, str]] = []
    for step in range(12):
        who = chance.choice(people)
        act = chance.randrange(6)
        if act == 0:
            for link in list(who.links.values()):
                w.cut(link)
        elif act == 1:
            w.kill_server()
            w.run(chance.uniform(0, 1))
            w.start_server()
        elif act == 2 and len(people) < 6:
            people.append(w.guest(w.link_of(people[0]), f"Guest {'abcdefghijkl'[step]}"))
        else:
            inside = [p for p in people if p.session.inside]
            speaker = chance.choice(inside)
            said.append((speaker.label, f"{step}"))
            w.do(speaker, ev.Say(f"{step}"))
        w.run(chance.uniform(0, 0.4))
    w.until(lambda: w.agreed(people), 40)
    w.run(8)
    assert w.agreed(people)
    raised = {alarm for p in people for alarm in p.alarms}
    assert not raised & HEARTBEAT_ALARMS, "nobody was hostile"
    for listener in people[:3]:  # those who were there from the beginning
        others = sorted(words for words in said if words[0] != listener.label)
        lost = [words for words in others if words not in listener.said]
        assert sorted(listener.said + lost) == others, "nothing twice, and nothing that nobody said"
        for label, text in lost:
            # a dead server and another epoch later it is not sealed anew, but somebody is told or asked
            author = next(p for p in people if p.label == label)
            quoted = f"\u201c{text}\u201d"
            told = any(isinstance(e, ev.Alarm) and quoted in e.text for e in author.told)
            asked = any(message.text == text for e in author.of(ev.Held) for message in e.messages)
            assert told or asked or "missed" in listener.alarms


@pytest.mark.parametrize("kind", ["garbage", "remove", "wrong_chain", "policy"])
def test_a_bad_commit_is_void_for_all_and_the_meeting_goes_on(kind: str) -> None:
    w = World(90)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    epoch = ada.epoch
    named = True
    if kind == "garbage":
        blob, named = w.rng(BUCKETS[2]), False
    elif kind == "remove":
        blob = forged(bo, [mls.Remove(2)])
    elif kind == "wrong_chain":
        blob = forged(bo, [], chain=bytes(32))
    else:
        changed = bo.room.membership.policy.with_host(bo.room.membership.signature_key(1))
        kept = bo.room.membership.group.extensions[0]
        new = mls.GroupContextExtensions((kept, mls.Extension(0xF001, changed.encode())))
        blob = forged(bo, [new])
    post_commit(w, bo, blob)
    w.until(lambda: all("void_commit" in p.alarms for p in (ada, cem)), 5)
    text = next(e.text for e in ada.told if isinstance(e, ev.Alarm))
    assert ("from \u201cBo\u201d" in text) is named
    assert ("a member or the server" in text) is not named
    assert ada.epoch == cem.epoch == epoch
    assert ada.room.membership.journal.chain == cem.room.membership.journal.chain
    # the pass stays, and the room goes on for everybody, the author too
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([*people, dana]), 10)


def test_a_replayed_commit_is_void() -> None:
    w = World(91)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    ada.room.queue(HealIntent(ada.epoch), w.now)
    w.until(lambda: w.agreed(people) and ada.room.membership.journal.slot == 3)
    old = ada.room.membership.journal.entry(3).blob
    post_commit(w, bo, old)
    w.until(lambda: "void_commit" in cem.alarms, 5)
    w.do(ada, ev.Say("on we go"))
    w.until(lambda: ("Ada", "on we go") in cem.said)


def test_a_member_who_alone_cannot_read_a_commit_rejoins(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(92)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    with monkeypatch.context() as patch:
        spoil_path(patch, bo, cem)
        bo.room.queue(HealIntent(bo.epoch), w.now)
        w.do(bo, ev.Tick())
    w.until(lambda: "stuck" in cem.alarms, 5)
    assert cem.room.frames.seal("audio", 0, b"x", w.now) is None, "nothing is sent meanwhile"
    took = w.until(lambda: w.agreed(people), 15)
    assert took < 10
    assert any(isinstance(e, ev.Roster) and e.rejoined for e in ada.told)
    w.do(cem, ev.Say("here again"))
    w.until(lambda: ("Cem", "here again") in ada.said and ("Cem", "here again") in bo.said)
    assert cem.room.frames.seal("audio", 0, b"x", w.now) is not None


def test_a_commit_that_is_void_is_void_for_who_cannot_read_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = World(93)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    with monkeypatch.context() as patch:
        spoil_path(patch, bo, cem)
        blob = forged(bo, [mls.Remove(0)])
    post_commit(w, bo, blob)
    w.until(lambda: all("void_commit" in p.alarms for p in (ada, cem)), 5)
    assert "stuck" not in cem.alarms
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([*people, dana]), 10)


def test_an_evicted_member_who_kept_everything_gets_nowhere() -> None:
    w = World(94)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    kept = bo.room
    w.do(ada, ev.Remove(1))
    w.until(lambda: w.agreed([ada, cem]))
    # it opens its door again with the keys that it has, shows its last pass, and asks for a rejoin
    kept.ended = None
    mallory = w.add("Mallory", bo.session)
    bo.session._ended = None
    kept.needs_rejoin = True
    w.run(20)
    assert ada.roster == cem.roster == ["Ada", "Cem"]
    w.do(ada, ev.Say("alone at last"))
    w.run(2)
    assert ("Ada", "alone at last") in cem.said
    assert ("Ada", "alone at last") not in mallory.said


def test_the_server_tells_two_stories() -> None:
    w = World(95)
    ada, bo = w.meeting("Ada", "Bo")
    real = w.down_filter

    def forge(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Committed):
            other = msgspec.structs.replace(message, chain=bytes(32))
            w._deliver(bo.links[ev.ROOM], wire.encode(other))
            return False
        return real(who, message)

    w.down_filter = forge
    w.guest(w.link_of(ada), "Cem")
    w.until(lambda: "Cem" in bo.roster)
    assert "two_stories" in bo.alarms


def test_a_server_that_claims_another_history_and_contradicts_that_as_well_is_named() -> None:
    """An honest server may repeat a host's opening, and then its changes follow it (`lie_about_chain`)."""
    for contradicts in (True, False):
        w = World(97)
        ada, bo = w.meeting("Ada", "Bo")
        w.run(1)
        slot, other = bo.room.membership.journal.slot, bytes(range(32))
        w._deliver(bo.links[ev.ROOM], wire.encode(wire.Opened(slot, other, bytes(8), bytes(64))))
        real, sent = w.down_filter, list[bytes]()

        def forge(who: Participant, message: object) -> bool:
            if who is bo and isinstance(message, wire.Committed) and message.slot == slot + 1:
                sent.append(message.blob)
                chain = bytes(32) if contradicts else invite.chain_next(other, message.slot, message.blob)
                w._deliver(bo.links[ev.ROOM], wire.encode(msgspec.structs.replace(message, chain=chain)))
                return False
            return real(who, message)

        w.down_filter = forge
        w.guest(w.link_of(ada), "Cem")
        w.until(lambda: bool(sent), 5)
        w.run(1)
        assert ("two_stories" in bo.alarms) == contradicts


def test_a_receipt_that_is_not_the_servers() -> None:
    w = World(96)
    ada, bo = w.meeting("Ada", "Bo")

    def forge(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Committed):
            forged = msgspec.structs.replace(message, signature=bytes(64))
            w._deliver(bo.links[ev.ROOM], wire.encode(forged))
            return False
        return True

    w.down_filter = forge
    w.guest(w.link_of(ada), "Cem")
    w.until(lambda: "receipt" in bo.alarms, 10)
    assert "/evidence" in texts(bo, "receipt")[0]
    (exhibit,) = evidence.decode_evidence(bo.room.feature(Dropped).export(False, w.now)).exhibits
    evidence.verify_exhibit(exhibit)
    word = exhibit.last_words[0]
    assert word.code == "receipt"
    assert word.text.startswith(f"not its signature of 'taken': slot {bo.room.membership.journal.slot}, ")
    assert word.text.endswith(f"signature {bytes(64).hex()}"), "all bytes, nothing is cut"


def test_garbage_in_the_relay_costs_one_check_and_no_word() -> None:
    w = World(97)
    _, bo, cem = w.meeting("Ada", "Bo", "Cem")
    told = len(cem.told)
    for size in (512, 1024):
        w._ascend(bo.links[ev.ROOM], wire.encode(wire.Relay(w.rng(size))))
    real = bo.room.membership.protect(content.encode(content.Say(bytes(16), "once")))
    for _ in range(3):  # replayed
        w._ascend(bo.links[ev.ROOM], wire.encode(wire.Relay(real)))
    w._ascend(bo.links[ev.ROOM], wire.encode(wire.Relay(bo.room.membership.protect(b"{}"))))
    w.run(3)
    assert cem.said == [("Bo", "once")]
    assert len(cem.told) == told + 1


def test_a_policy_change_is_done_once_and_only_by_hosts() -> None:
    w = World(98)
    ada, bo, _ = people = w.meeting("Ada", "Bo", "Cem")
    key = bo.room.membership.signature_key(1)
    assert key is not None
    change = PolicyIntent(lambda p: None if key in p.hosts else p.with_host(key))
    ada.room.queue(change, w.now)
    ada.room.queue(change, w.now)
    w.until(lambda: w.agreed(people) and bo.room.membership.is_host(1))
    w.run(2)
    assert bo.room.membership.policy.version == 2
    assert H(ada.room.membership.policy.encode()) == H(bo.room.membership.policy.encode())
    assert policy.LINK_PSK_ID == b"snug 1 link"


def test_a_full_server_is_told_once_and_not_every_second() -> None:
    w = World(99, settings=Settings(max_members=1, lobby_members=2))
    ada = w.host("Ada")
    w.run(1)
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: "full" in bo.alarms, why="the room is full, and Bo is told")
    cem = w.guest(w.link_of(ada), "Cem")
    dana = w.guest(w.link_of(ada), "Dana")
    w.run(20)
    assert bo.alarms.count("full") == 1
    assert "refused" not in bo.alarms
    why = {e.text for p in (cem, dana) for e in p.of(ev.Status) if e.kind == "away"}
    assert any("the lobby is full" in text for text in why), why
    assert all("refused" not in p.alarms for p in (cem, dana)), "one cause, one sentence"


def test_a_commit_that_does_not_carry_what_it_names_splits_nobody_off() -> None:
    """Some have got the farewell through the relay and some have not: the verdict is the same."""
    w = World(100)
    ada, bo, cem, dana = w.meeting("Ada", "Bo", "Cem", "Dana")
    farewell = cem.room.membership.leave_proposals.propose()
    for who in (bo, dana):
        who.room.membership.leave_proposals.store(farewell)
    (reference,) = bo.room.membership.group.stored_proposals
    m = bo.room.membership
    context = CommitContext(m.room, m.journal.slot + 1, m.journal.chain, m.ledger.digest())
    stage = m.group.stage(
        [],
        include_stored=[reference],
        authenticated_data=context.encode(),
        leaf_extensions=fresh_leaf(m),
    )
    blob = m.cover_commit([stage.message], bytes(32))  # and not the proposal with it
    stage.drop()
    post_commit(w, bo, blob)
    w.until(lambda: all("void_commit" in p.alarms for p in (ada, cem, dana)), 5)
    w.do(ada, ev.Say("all here"))
    w.until(lambda: all(("Ada", "all here") in p.said for p in (bo, cem, dana)))
    assert w.agreed([ada, bo, cem, dana])


def test_relayed_messages_use_up_no_handshake_key() -> None:
    """Otherwise a commit seen in the relay would be a replay to some members, and valid to others."""
    w = World(101)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    m = bo.room.membership
    context = CommitContext(m.room, m.journal.slot + 1, m.journal.chain, m.ledger.digest())
    stage = m.group.stage(
        [], authenticated_data=context.encode(), psks=m._psks, leaf_extensions=fresh_leaf(m)
    )
    gate = invite.gate(stage.group.export("snug 1 pass", m.room, 32))
    early = m._cover("relay", envelope.pack([stage.message]))
    with pytest.raises(MalformedError):
        cem.room.membership.open_relay(early)  # Cem gets it, and Ada does not
    private = m.group.propose(mls.Remove(1), private=True)
    with pytest.raises(MalformedError):
        cem.room.membership.leave_proposals.store(private)
    post_commit(w, bo, m.cover_commit([stage.message], gate))
    w.until(lambda: ada.epoch == cem.epoch == 3, 5)
    assert not ada.alarms
    assert not cem.alarms
    assert len(people) == 3


def test_a_catch_up_that_is_cut_off_is_asked_for_again() -> None:
    """Live messages must not hide the part of the catch-up that is still missing."""
    w = World(102)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.run(2)
    w.cut(bo.links[ev.ROOM])
    w.do(cem, ev.Say("while Bo is away"))
    # on the next connection Bo hears what is said live, and the answer to its catch-up gets lost
    replayed: list[int] = []

    def lose(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Relayed) and not replayed:
            replayed.append(message.relay)
            return False
        return not (who is bo and isinstance(message, wire.CaughtUp))

    w.down_filter = lose
    w.until(lambda: bool(replayed))
    w.do(ada, ev.Say("live"))
    w.until(lambda: ("Ada", "live") in bo.said)
    w.down_filter = lambda who, message: True
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: ("Cem", "while Bo is away") in bo.said, 5)
