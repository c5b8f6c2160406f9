"""A member that asks to be let in again while its membership lasts, and requests carried out late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.recovery import RejoinLobby
from snugroom.client.session.kernel.intents import HealIntent, MembersRequest, RejoinIntent
from snugroom.client.session.kernel.views import ticket_of
from snugroom.crypto.agreed.heartbeat import Act, Got, PendingAct
from snugroom.crypto.agreed.room_state import ANY_HOST, TICKET_SIGNATURES_MAX, RejoinTicket
from snugroom.crypto.mls import KeyPackageIn
from snugroom.lab.simulation.world import Participant, World, heal
from snugroom.wire import messages as wire
from tests.session.forked import last_heartbeat, monitor, texts


def stay(w: World, who: Participant) -> RejoinIntent:
    """A stay in the lobby that ends without a rejoin: its ticket, for a host to commit later."""
    m = who.room.membership
    m.rejoin_keys.begin_request()
    ticket = RejoinTicket(m.group.group_id, m.journal.slot, m.journal.chain, w.rng(16), by=ANY_HOST)
    keys = m.rejoin_keys
    bundle = who.session._me.package(w.now, keys.request(), ticket, keys.ticket_signers())
    package = KeyPackageIn.decode(bundle.encoded).verify(m.group.suite, now=int(w.now))
    return RejoinIntent(MembersRequest(1), package, ticket_of(package) or b"", who.label)


def test_a_held_ticket_of_a_stay_that_ended_locks_nobody_out() -> None:
    """The tree gets the key that the first stay asked for. The next stay signs with that key too."""
    w = World(930)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    held = stay(w, bo)
    stay(w, bo)
    ada.room.queue(held, w.now)
    took = w.until(lambda: bo.session._guest is None and w.agreed(people) and bo.epoch == ada.epoch > 3, 30)
    assert took < 30
    assert bo.ended is None
    assert "replaced" not in [*ada.alarms, *bo.alarms, *cem.alarms]


def test_a_ticket_is_over_by_a_commit_that_was_sent_after_it_and_by_no_other() -> None:
    w = World(931)
    ada, bo, _ = people = w.meeting("Ada", "Bo", "Cem")
    keys = bo.room.membership.rejoin_keys
    stay(w, bo)
    heal(w, bo)
    out = keys.all()[1]
    keys.ticket_signers()  # another ticket of the stay, after the commit was sent
    w.run(5)
    assert w.agreed(people)
    assert keys.all()[0].public == out.public, "the commit was taken"
    assert keys.has_requests, "and it ends no ticket that was made after it"
    heal(w, bo)
    w.run(2)
    assert not keys.has_requests
    assert ada.epoch == bo.epoch


def test_a_stay_that_our_own_commit_has_ended_asks_for_another_key_with_its_next_ticket() -> None:
    """The commit was sent in the lobby before the first ticket, and the server took it late."""
    w = World(934)
    ada, bo, _ = people = w.meeting("Ada", "Bo", "Cem")
    keys = bo.room.membership.rejoin_keys
    keys.begin_request()
    heal(w, bo)
    first = keys.request()
    w.run(2)
    assert not keys.has_requests
    second = keys.request()
    assert second.public != first.public
    assert second in keys.ticket_signers()
    assert (keys.requested(first.public), keys.requested(second.public)) == (None, second)
    ada.room.queue(stay(w, bo), w.now)
    w.until(lambda: w.agreed(people), 30)
    assert bo.ended is None


def test_a_commit_after_a_ticket_has_another_key() -> None:
    w = World(932)
    _, bo = w.meeting("Ada", "Bo")
    m = bo.room.membership
    m.stage(HealIntent(m.group.epoch))
    first = m.rejoin_keys.all()[1]
    m.stage(HealIntent(m.group.epoch))
    assert [key.public for key in m.rejoin_keys.all()[1:]] == [first.public], "one key while no ticket has it"
    stay(w, bo)
    m.stage(HealIntent(m.group.epoch))
    assert len({key.public for key in m.rejoin_keys.all()}) == 4, "own, two commits, one request"
    for _ in range(9):
        stay(w, bo)
    assert len(m.rejoin_keys.all()) <= TICKET_SIGNATURES_MAX


def test_a_member_that_has_asked_and_does_not_see_its_rejoin_accuses_no_thief() -> None:
    """The server carries the rejoin out for the others, and withholds it from the member."""
    w = World(933)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    held = stay(w, bo)
    w.run(6)
    last = last_heartbeat(bo)
    assert PendingAct(Act.REJOIN, 1) in last.pending
    withheld = wire.Committed | wire.Posted
    w.down_filter = lambda who, message: not (who is bo and isinstance(message, withheld))
    ada.room.queue(held, w.now)
    w.run(17)
    got = (Got(0, monitor(ada)._heartbeats._seq, ()), Got(2, monitor(cem)._heartbeats._seq, ()))
    again = replace(last, seq=last.seq + 50, prev=bytes(32), got=got)
    for pending, told in ((last.pending, 0), ((), 1)):
        beat = replace(again, pending=pending).signed(bo.room.number, bo.room.membership.sign)
        for who in (ada, cem):
            monitor(who)._replacements.heard(beat.encode())
        w.run(0.2)
        assert [len(texts(who, "replaced")) for who in (ada, cem)] == [told] * 2


def test_messages_of_a_newcomer_are_shown_as_held_and_go_when_it_decides() -> None:
    w = World(934)
    ada, bo = w.meeting("Ada", "Bo")
    w.down_filter = lambda who, message: not (who.label == "Cem" and isinstance(message, wire.Broadcasted))
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]))
    w.do(cem, ev.Say("is anybody there?"))
    w.until(lambda: any(e.messages for e in cem.of(ev.Held)), 5)
    assert "nobody has answered" in cem.of(ev.Held)[-1].messages[0].why
    assert ada.said == []
    w.do(cem, ev.SendHeld())
    w.until(lambda: ("Cem", "is anybody there?") in ada.said, 5)


def test_a_membership_that_its_own_request_has_replaced_does_not_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others outside are at its old slot: they asked before the request was carried out."""
    w = World(935)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    held = stay(w, bo)
    monkeypatch.setattr(RejoinLobby, "nobody_is_ahead", lambda self, room, now: True)
    ada.room.queue(held, w.now)
    w.until(lambda: w.agreed(people) and bo.epoch == ada.epoch > 3, 30)
    assert "void_commit" not in [*ada.alarms, *bo.alarms, *cem.alarms]
