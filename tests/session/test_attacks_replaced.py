"""Rejoins with stolen keys or held-back requests: a place in the meeting belongs to its present holder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.entry import recovery as rejoining
from snugroom.client.session.entry.recovery import RejoinLobby
from snugroom.client.session.kernel.intents import MembersRequest, RejoinIntent
from snugroom.client.session.kernel.views import ticket_of
from snugroom.crypto.agreed.heartbeat import Got
from snugroom.crypto.agreed.room_state import ANY_HOST, RejoinTicket
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.invite import day_of
from snugroom.crypto.errors import ValidationError
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.mls import KeyPackageIn
from snugroom.lab.simulation.dishonest import package_with
from snugroom.lab.simulation.world import Participant, World, heal
from snugroom.wire import messages as wire
from tests.session.forked import last_heartbeat, monitor, send_heartbeat, texts
from tests.session.hosts import card_of

HANDLE = bytes(8)


def rotate(w: World, who: Participant, people: Sequence[Participant], times: int) -> None:
    """The leaf makes that many commits of its own."""
    for _ in range(times):
        slot = who.room.membership.journal.slot
        heal(w, who)
        w.until(lambda slot=slot: who.room.membership.journal.slot > slot and w.agreed(people))  # type: ignore[misc]


def comes_back(w: World, who: Participant, people: Sequence[Participant]) -> None:
    """A member that is out of step rejoins."""
    slot = who.room.membership.journal.slot
    who.room.needs_rejoin = True
    w.do(who, ev.Tick())
    w.until(
        lambda: who.session._guest is None and who.room.membership.journal.slot > slot and w.agreed(people),
        30,
    )


def rejoin_by(
    w: World, owner: Participant, by: Participant, signers: Sequence[SigningKey] | None = None
) -> RejoinIntent:
    """A rejoin in the owner's place with its signature key, for `by` to commit."""
    m = owner.room.membership
    leaf = (
        ANY_HOST if by.room.membership.is_host(by.room.membership.own_leaf) else by.room.membership.own_leaf
    )
    ticket = RejoinTicket(m.group.group_id, m.journal.slot, m.journal.chain, w.rng(16), by=leaf)
    bundle = package_with(owner, ticket, w.now, signers)
    package = KeyPackageIn.decode(bundle.encoded).verify(m.group.suite, now=int(w.now))
    return RejoinIntent(MembersRequest(1), package, ticket_of(package) or b"", owner.label)


# -- the thief ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("present", [True, False], ids=["with_a_host", "without_a_host"])
def test_a_thief_of_a_leafs_keys_does_not_rejoin_six_key_rotations_later(present: bool) -> None:
    w = World(480)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    stolen = bo.room.membership.rejoin_keys.all()  # beside the signature key, which never changes
    rotate(w, bo, people, 6)
    helper = ada if present else cem
    if not present:
        w.kill(ada)
    with pytest.raises(ValidationError, match="SNUG-8"):
        helper.room.membership.stage(rejoin_by(w, bo, helper, stolen))
    slot = cem.room.membership.journal.slot
    helper.room.queue(rejoin_by(w, bo, helper, stolen), w.now)
    w.run(20)
    assert bo.ended is None
    assert bo.room.membership.signature_key(bo.room.membership.own_leaf) is not None
    assert bo.roster == cem.roster == ["Ada", "Bo", "Cem"]
    assert cem.room.membership.ledger.rejoins == ()
    assert cem.room.membership.journal.slot >= slot


def test_a_member_that_helps_the_thief_is_named() -> None:
    """Mallory commits the ticket all the same: everybody finds it void, newcomers included."""
    w = World(481)
    ada, bo, mallory = people = w.meeting("Ada", "Bo", "Mallory")
    w.run(1)
    stolen = bo.room.membership.rejoin_keys.all()
    rotate(w, bo, people, 1)
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([*people, cem]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("snugroom.crypto.agreed.policy.judge_commit", lambda view: None)
        staged = mallory.room.membership.stage(rejoin_by(w, bo, mallory, stolen))
    assert staged is not None
    w._ascend(
        mallory.links[ev.ROOM],
        wire.encode(wire.Commit(staged.slot, staged.blob)),
    )
    w.run(3)
    for who in (ada, bo, cem):
        assert who.ended is None
        told = texts(who, "void_commit")
        assert len(told) == 1
        assert "Mallory" in told[0]
    assert ada.roster == bo.roster == cem.roster


def test_the_owner_itself_still_rejoins_after_its_key_rotations() -> None:
    w = World(482)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    rotate(w, bo, people, 3)
    comes_back(w, bo, people)
    assert [p.ended for p in people] == [None] * 3
    assert "replaced" not in [*ada.alarms, *bo.alarms, *cem.alarms]


def test_a_member_rejoins_whose_own_commit_was_taken_and_kept_from_it() -> None:
    """The others' tree has the rejoin key of that commit; the member cannot know that."""
    w = World(483)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    w.down_filter = lambda who, message: who is not bo
    heal(w, bo)
    w.until(lambda: ada.epoch > bo.epoch and ada.epoch == cem.epoch)
    bo.room.needs_rejoin = True
    w.down_filter = lambda who, message: True
    w.do(bo, ev.Tick())
    w.until(lambda: bo.session._guest is None and w.agreed(people), 30)


# -- two programs with one member's keys ----------------------------------------------------------------


def replaced(w: World, people: Sequence[Participant]) -> None:
    """Bo's whole state was copied a moment ago: the copy takes its place, by Ada's commit."""
    ada, bo, _ = people
    ada.room.queue(rejoin_by(w, bo, ada), w.now)


def test_a_program_whose_place_is_taken_is_told_so_and_tells_everybody() -> None:
    w = World(484)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(6)
    began = w.now
    replaced(w, people)
    w.until(lambda: bo.ended is not None, 2)
    assert bo.ended is not None
    assert (bo.ended.reason, bo.ended.text) == ("replaced", sentence("room.replaced"))
    w.until(lambda: all("replaced" in p.alarms for p in (ada, cem)), 5)
    assert w.now - began < 2, "everybody is told within 2 s"
    for who in (ada, cem):
        (told,) = texts(who, "replaced")
        assert "Bo" in told
        assert [e.rejoined for e in who.of(ev.Roster)][-1], "and the roster says that Bo came back"
    w.run(20)
    assert ada.alarms.count("replaced") == cem.alarms.count("replaced") == 1


def test_a_replaced_program_that_goes_on_is_reported_even_if_the_rejoin_is_kept_from_it() -> None:
    w = World(485)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(6)
    w.down_filter = lambda who, message: not (who is bo and isinstance(message, wire.Committed))
    replaced(w, people)
    w.until(lambda: ada.epoch > bo.epoch, 3)
    began = w.now
    w.run(9)
    assert "replaced" not in [*ada.alarms, *cem.alarms], "within 10 s an honest program can still fall silent"
    # the server keeps Bo's pass alive, too, and hands the members' heartbeats to both sides
    last = last_heartbeat(bo)
    w.run(8)
    ours = monitor(ada)._heartbeats._seq
    cems = monitor(cem)._heartbeats._seq
    got = (Got(0, ours, ()), Got(2, cems, ()))
    again = replace(last, seq=last.seq + 50, prev=bytes(32), got=got)
    for who in (ada, cem):
        signed = again.signed(bo.room.number, bo.room.membership.sign)
        monitor(who)._replacements.heard(signed.encode())
    w.run(0.2)
    assert w.now - began < 20
    for who in (ada, cem):
        assert len(texts(who, "replaced")) == 1


def broadcasts(w: World, to: Participant, seconds: int) -> list[bytes]:
    """Let time pass, and return the blobs that were broadcast to a member meanwhile."""
    blobs: list[bytes] = []

    def keep(who: Participant, message: object) -> bool:
        if who is to and isinstance(message, wire.Broadcasted):
            blobs.append(message.blob)
        return True

    w.down_filter = keep
    w.run(seconds)
    w.down_filter = lambda who, message: True
    return blobs


def test_old_heartbeats_of_a_member_that_came_back_accuse_nobody() -> None:
    """The server delivers a heartbeat of the time before the rejoin, as often and as late as it likes."""
    w = World(486)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    blobs = broadcasts(w, ada, 20)
    comes_back(w, bo, people)
    for _ in range(3):
        w.run(7)
        for blob in blobs:
            w._feed(ada, ev.Received(ev.ROOM, wire.Broadcasted(blob)))
    assert ada.alarms == cem.alarms == []


def test_a_foreign_signature_under_an_old_leaf_accuses_nobody() -> None:
    w = World(487)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(6)
    old = last_heartbeat(bo)
    comes_back(w, bo, people)
    m = ada.room.membership
    forged = replace(old, slot=m.journal.slot, chain=m.journal.chain)
    send_heartbeat(w, cem, forged)  # signed by Cem
    w.run(3)
    assert ada.alarms == []
    send_heartbeat(w, bo, forged)
    w.run(3)
    assert ada.alarms == ["replaced"], "as it would be, signed by Bo"


def test_an_answer_to_our_own_earlier_membership_accuses_nobody() -> None:
    """Numbers of heartbeats begin anew with a membership: an old one may acknowledge a number to come."""
    w = World(491)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    blobs = broadcasts(w, ada, 30)
    comes_back(w, cem, people)
    comes_back(w, bo, people)
    w.run(40)
    for blob in blobs:
        w._feed(cem, ev.Received(ev.ROOM, wire.Broadcasted(blob)))
    w.run(1)
    assert "replaced" not in cem.alarms


def knock_of(
    w: World, who: Participant, host: Participant, slot: int, signers: Sequence[SigningKey]
) -> lobby.Knock:
    """A knock of a member that has to rejoin, at the host's card."""
    m = who.room.membership
    ticket = RejoinTicket(m.group.group_id, slot, m.journal.chain, w.rng(16))
    bundle = package_with(who, ticket, w.now, signers)
    card = card_of(host, w.now)
    return lobby.knock(who.session._invites.own, card, bundle.encoded, who.label, "", rng=w.rng)[0]


def test_a_ticket_without_the_leafs_key_gets_a_refusal_and_alarms_nobody() -> None:
    w = World(492)
    ada, bo, _ = people = w.meeting("Ada", "Bo", "Cem")
    w.run(1)
    stolen = bo.room.membership.rejoin_keys.all()
    rotate(w, bo, people, 1)
    host, m, day = ada.session._host, ada.room.membership, day_of(w.now)
    assert host is not None
    posted: list[lobby.LobbyMessage] = []

    def post(day: int, message: lobby.LobbyMessage, *to: bytes) -> None:
        posted.append(message)

    host._connections.post = post  # type: ignore[method-assign]
    slot = m.journal.slot
    for _ in range(3):
        assert host._knocked(day, knock_of(w, bo, ada, slot, stolen), HANDLE, ada.room, w.now) is None
    assert len(posted) == 3
    assert all(isinstance(message, lobby.Reply) for message in posted)
    assert host._asked == host._rejoining == {}, "nothing is kept for it"
    # a host that has not come so far yet can't judge, and says nothing
    assert host._knocked(day, knock_of(w, bo, ada, slot + 1, stolen), HANDLE, ada.room, w.now) is None
    assert len(posted) == 3
    assert (
        host._knocked(
            day, knock_of(w, bo, ada, slot, bo.room.membership.rejoin_keys.all()), HANDLE, ada.room, w.now
        )
        is not None
    )
    w.run(1)
    assert ada.alarms == []


# -- a request that was held back -------------------------------------------------------------------------


def held_knock(w: World, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Participant], lobby.Knock, int]:
    """Bo's first knock is held back, its second one lets it in. Returns the first knock, and its day."""
    monkeypatch.setattr(rejoining, "TICKET_FOR", 10.0)  # the second knock has another nonce
    ada, cem, bo = people = w.meeting("Ada", "Cem", "Bo")
    w.do(ada, ev.Deputise(1))
    w.until(lambda: cem.session._host is not None)
    w.run(6)
    bo.room.needs_rejoin = True
    w.do(bo, ev.Tick())
    guest = bo.session._guest
    assert isinstance(guest, RejoinLobby)
    real = guest._connections.post
    first: list[tuple[int, lobby.Knock]] = []

    def post(day: int, message: lobby.LobbyMessage, *to: bytes) -> None:
        if isinstance(message, lobby.RecoveryMessage):
            return  # held back for good
        if isinstance(message, lobby.Knock):
            first.append((day, message))
        if not (isinstance(message, lobby.Knock) and message == first[0][1]):
            real(day, message, *to)

    guest._connections.post = post  # type: ignore[method-assign]
    w.until(lambda: bo.session._guest is None and w.agreed(people), 60)
    assert len({knock for _, knock in first}) == 2
    return people, first[0][1], first[0][0]


def deliver(w: World, people: Sequence[Participant], day: int, knock: lobby.Knock) -> None:
    for host in people[:2]:
        assert host.session._host is not None
        intent = host.session._host._knocked(day, knock, HANDLE, host.room, w.now)
        if isinstance(intent, RejoinIntent):
            host.room.queue(intent, w.now)


def test_a_held_first_knock_opens_nothing_once_the_member_has_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = World(488)
    people, knock, day = held_knock(w, monkeypatch)
    w.run(3)
    epochs = [p.epoch for p in people]
    deliver(w, people, day, knock)
    w.run(3)
    assert [p.epoch for p in people] == epochs, "the first commit of the new leaf has ended all its tickets"
    assert [p.ended for p in people] == [None] * 3
    assert {*people[0].alarms, *people[1].alarms} <= {"silent"}, "Bo was away for a while"


def test_a_held_first_knock_before_that_costs_the_member_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(489)
    people, knock, day = held_knock(w, monkeypatch)
    bo = people[2]
    deliver(w, people, day, knock)
    w.run(0.3)
    took = w.until(lambda: bo.session._guest is None and not bo.room.needs_rejoin and w.agreed(people), 30)
    assert took < 30
    w.run(10)
    assert [p.ended for p in people] == [None] * 3
    assert w.agreed(people)
    assert "replaced" not in [*people[0].alarms, *people[1].alarms, *bo.alarms]
    w.do(bo, ev.Say("here"))
    w.until(lambda: all(("Bo", "here") in p.said for p in people[:2]), 5)


def test_a_member_whose_answer_is_withheld_comes_in_by_its_next_knock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first ticket was carried out, and the server keeps the answer: the next one still counts."""
    w = World(490)
    monkeypatch.setattr(rejoining, "TICKET_FOR", 10.0)
    ada, cem, bo = people = w.meeting("Ada", "Cem", "Bo")
    w.do(ada, ev.Deputise(1))
    w.until(lambda: cem.session._host is not None)
    w.run(6)
    bo.room.needs_rejoin = True
    slot = ada.room.membership.journal.slot
    w.do(bo, ev.Tick())
    guest = bo.session._guest
    assert isinstance(guest, RejoinLobby)
    real = guest._replied
    guest._replied = lambda reply, handle, now: None  # type: ignore[method-assign]  # the server keeps the answer
    w.until(lambda: ada.room.membership.journal.slot > slot, 10)
    w.run(9)
    assert bo.session._guest is guest
    guest._sent.clear()  # the server never yields the first answer
    guest._replied = real  # type: ignore[method-assign]
    w.until(lambda: bo.session._guest is None and w.agreed(people), 30)
    assert [p.ended for p in people] == [None] * 3
