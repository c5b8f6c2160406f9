"""Members misuse rejoins to throw others out again and again, or into a fork of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.lobby_connections import PostedMessage
from snugroom.client.session.entry.recovery import RejoinLobby
from snugroom.client.session.kernel.intents import HealIntent, MemberKnock, RejoinIntent
from snugroom.client.session.kernel.room import RoomSession
from snugroom.client.session.kernel.views import ticket_of
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.crypto.agreed.ledger import REJOIN_SLOTS, REJOINS_MAX
from snugroom.crypto.agreed.room_state import ANY_HOST, RejoinTicket
from snugroom.crypto.entry import recovery
from snugroom.crypto.entry.answers import Answer
from snugroom.crypto.entry.invite import day_of
from snugroom.crypto.entry.lobby import RecoveryMessage
from snugroom.crypto.errors import ValidationError
from snugroom.crypto.mls import KeyPackageIn
from snugroom.lab.simulation.dishonest import package_with, spoil_path
from snugroom.lab.simulation.world import Participant, World
from tests.session.forked import texts
from tests.session.test_hostile_members import together


def spoil(w: World, mallory: Participant, victim: Participant) -> None:
    with pytest.MonkeyPatch.context() as patch:
        spoil_path(patch, mallory, victim)
        mallory.room.queue(HealIntent(mallory.room.membership.group.epoch), w.now)
        w.do(mallory, ev.Tick())


def stuck_again(who: Participant, before: int) -> bool:
    return who.alarms.count("stuck") > before


def test_a_member_cannot_shut_another_out_by_commits_that_it_alone_cannot_read() -> None:
    w = World(420)
    # Bo is Mallory's sibling in the tree: a path secret for it is sealed to its leaf alone
    ada, cem, mallory, bo = people = w.meeting("Ada", "Cem", "Mallory", "Bo")
    w.run(1)
    for round_ in range(6):
        w.until(lambda: w.agreed(people) and bo.room.is_synced(w.now), 40, f"round {round_}")
        w.run(6)
        stuck = bo.alarms.count("stuck")
        spoil(w, mallory, bo)
        w.until(partial(stuck_again, bo, stuck), 5, f"round {round_}")
    w.until(lambda: w.agreed(people) and bo.room.is_synced(w.now), 40)
    assert bo.ended is None
    told = texts(ada, "unreadable_commit")
    assert len(told) == 1, "the host hears of it, once"
    assert "Bo" in told[0]
    assert "Mallory" in told[0]
    assert texts(cem, "unreadable_commit") == []


def test_a_member_who_may_not_rejoin_yet_is_not_lost() -> None:
    """A server can bring a member out of step as often as it likes: the end must not look like the host's."""
    w = World(421)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    for _ in range(REJOINS_MAX):
        w.run(1.5)
        bo.room.needs_rejoin = True
        w.until(lambda: bo.session._guest is None and w.agreed(people), 30)
    w.run(1.5)
    bo.room.needs_rejoin = True
    w.run(60)
    assert bo.ended is None, "one more is too many, and it waits"
    assert isinstance(bo.session._guest, RejoinLobby)
    assert texts(bo, "not_yet")
    assert ada.alarms.count("not_admitted") == 1
    m = ada.room.membership
    while m.journal.slot + 1 - m.ledger.rejoins[0].slot < REJOIN_SLOTS:  # as they heal, its turn comes
        ada.room.queue(HealIntent(m.group.epoch), w.now)
        w.run(0.2)
    w.until(lambda: together(people) and bo.session._guest is None, 200)
    assert cem.ended is None


def lure(w: World, victim: Participant, old: RoomSession) -> RejoinLobby:
    """An evicted member answers a rejoin in its own room, forked from the last epoch that it was in."""
    lobby = victim.session._guest
    assert isinstance(lobby, RejoinLobby)
    if old.membership.own_leaf not in lobby._helpers:
        lobby._helpers.append(old.membership.own_leaf)
    w.until(lambda: any(a.leaf == old.membership.own_leaf for a in lobby._asked), 30)
    asked = next(a.asked for a in lobby._asked if a.leaf == old.membership.own_leaf)
    m = old.membership
    package = KeyPackageIn.decode(asked.key_package).verify(m.group.suite, now=int(w.now))
    staged = m.stage(RejoinIntent(MemberKnock(1), package, ticket_of(package) or b"", victim.label))
    assert staged is not None
    welcome = staged.stage.welcome
    assert welcome is not None
    m.adopt(staged, staged.blob, w.now)
    answer = Answer(
        welcome=welcome,
        number=old.number,
        door_seed=old.door_key.seed,
        room_admin_public=old.room_admin_keys.current,
        handed_keys=m.hand_keys(),
        slot=m.journal.slot,
        chain=m.journal.chain,
        at=int(w.now),
        ledger=m.ledger.encode(),
    )
    back = recovery.make_recovery_reply(asked, answer, rng=w.rng)
    inside = recovery.seal(recovery.recovery_key(old.door_key.seed), back, rng=w.rng)
    assert isinstance(inside, RecoveryMessage)
    lobby.message_posted(day_of(w.now), PostedMessage(inside, bytes(8)), w.now)
    return lobby


def test_a_member_who_saw_a_removal_is_not_lured_back_before_it() -> None:
    w = World(422)
    ada, bo, mallory = w.meeting("Ada", "Bo", "Mallory")
    w.run(1)
    kept = mallory.room
    w.do(ada, ev.Remove(kept.membership.own_leaf))
    w.until(lambda: w.agreed([ada, bo]))
    w.kill(ada)
    bo.room.needs_rejoin = True
    w.do(bo, ev.Tick())
    for _ in range(3):  # slots of Mallory's own, until that of the ticket fits
        staged = kept.membership.stage(HealIntent(kept.membership.group.epoch))
        kept.membership.adopt(staged, staged.blob, w.now)
    kept.membership.journal.chains[bo.room.membership.journal.slot] = (
        bo.room.membership.journal.chain
    )  # and she minds no other history
    lobby = lure(w, bo, kept)
    assert lobby.entry is None
    w.run(1)
    assert bo.session._guest is lobby


def test_a_member_lured_into_a_fork_seals_nothing_there() -> None:
    """From Bo the removal is withheld; so Bo can't tell the fork from the room by its members."""
    w = World(423)
    ada, bo, mallory, cem = w.meeting("Ada", "Bo", "Mallory", "Cem")
    w.run(1)
    kept = mallory.room
    w.down_filter = lambda who, message: who is not bo  # Bo hears nothing any more
    w.do(ada, ev.Remove(kept.membership.own_leaf))
    w.until(lambda: "Mallory" not in [*ada.roster, *cem.roster])
    began = w.now
    w.run(26)
    assert bo.room.frames.seal("audio", 0, b"x", w.now) is None
    bo.room.needs_rejoin = True
    w.do(bo, ev.Tick())
    lobby = bo.session._guest
    assert isinstance(lobby, RejoinLobby)

    def asks() -> bool:
        """The fork's server has Bo in its lobby, whatever becomes of the connection."""
        lobby._connections._entered.add(day_of(w.now))
        return bool(lobby._asked)

    w.until(asks, 20)
    lure(w, bo, kept)
    w.do(bo, ev.Tick())
    assert bo.session._guest is None, "it can't be told from the room"
    assert bo.room.membership.signature_key(kept.membership.own_leaf) is not None
    # asked by itself: the fork's server would serve Bo all that else is needed
    monitor = bo.room.feature(Monitor)
    for _ in range(200):
        assert monitor.hold_reason(w.now) is not None, w.now - began
        w.run(0.1)


def test_a_helper_that_keeps_the_welcome_is_asked_once() -> None:
    w = World(426)
    ada, mallory, bo, cem = w.meeting("Ada", "Mallory", "Bo", "Cem")
    w.kill(ada)
    w.until(
        lambda: (
            mallory.session._readmission.members is not None and cem.session._readmission.members is not None
        ),
        40,
    )
    helper = mallory.session._readmission._helper
    assert helper is not None
    # it commits, and answers nothing
    helper.answer = lambda number, answer, pieces, place, now: None  # type: ignore[method-assign]
    for round_ in range(2):
        bo.room.needs_rejoin = True
        w.do(bo, ev.Tick())
        took = w.until(lambda: bo.session._guest is None and together([bo, cem]), 40, f"round {round_}")
        assert took < 30
        w.run(6)
    assert len(cem.room.membership.ledger.rejoins) == 3, (
        "one of them used up by Mallory, and none the second time"
    )


def test_nobody_but_who_is_asked_can_commit_a_rejoin() -> None:
    w = World(427)
    ada, mallory, bo, cem = w.meeting("Ada", "Mallory", "Bo", "Cem")
    for by in (ANY_HOST, cem.room.membership.own_leaf):
        m = bo.room.membership
        ticket = RejoinTicket(m.group.group_id, m.journal.slot, m.journal.chain, bytes(16), by=by)
        bundle = package_with(bo, ticket, w.now)
        package = KeyPackageIn.decode(bundle.encoded).verify(m.group.suite, now=int(w.now))
        intent = RejoinIntent(MemberKnock(1), package, ticket.encode(), "Bo")
        with pytest.raises(ValidationError, match="SNUG-8"):
            mallory.room.membership.stage(intent)
        assert (ada if by == ANY_HOST else cem).room.membership.stage(intent) is not None


def test_a_rejoin_among_honest_members_takes_seconds() -> None:
    w = World(424)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(30)
    bo.room.needs_rejoin = True
    w.until(lambda: bo.session._guest is None and w.agreed(people) and not bo.room.needs_rejoin, 30)
    took = w.until(lambda: bo.room.frames.seal("audio", 0, b"x", w.now) is not None, 5)
    assert took < 3
    assert "stale" not in [*ada.alarms, *bo.alarms, *cem.alarms]


def test_nobody_who_lies_alone_makes_a_host_fall_out_of_step() -> None:
    """A deputy that signs a later epoch at our own slot: what it says is its own word, not the room's."""
    w = World(425)
    ada, liar, bo = w.meeting("Ada", "Liar", "Bo")
    w.do(ada, ev.Deputise(1))
    w.until(lambda: liar.session._host is not None)
    w.run(6)
    real, own = Heartbeat.signed, liar.room.membership.own_leaf

    def lying(self: Heartbeat, number: bytes, sign: Callable[[str, bytes], bytes]) -> Heartbeat:
        if self.leaf == own:
            self = replace(self, epoch=self.epoch + 1, authenticator=bytes(32))
        return real(self, number, sign)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Heartbeat, "signed", lying)
        w.run(30)
    assert "rejoining" not in [*ada.alarms, *bo.alarms]
