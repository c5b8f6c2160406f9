"""Batches that no honest host makes, and servers that withhold an honest one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.verdict import Void
from snugroom.crypto import mls
from snugroom.crypto.agreed.policy import ADDS_MAX
from snugroom.crypto.agreed.room_state import ANY_HOST, SINGLE_USE, RejoinTicket
from snugroom.lab.simulation.dishonest import forged, package_with, post_commit
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from tests.session.batches import adds, link, newcomer, package
from tests.session.invites import alarms

ONCE = SINGLE_USE | 7


def three(seed: int) -> tuple[World, Participant, Participant, Participant]:
    w = World(seed)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    return w, ada, bo, cem


def rule_of(blob: bytes, *members: Participant) -> str:
    """The rule that the commit breaks, for all of these members alike."""
    verdicts = [who.room.membership.judge(blob) for who in members]
    assert all(isinstance(verdict, Void) and verdict.author == 0 for verdict in verdicts), verdicts
    [rule] = {verdict.rule for verdict in verdicts}
    return rule  # type: ignore[no-any-return]


def test_a_batch_needs_one_psk() -> None:
    w, ada, bo, cem = three(730)
    two = adds(w, "Dana", "Eve")
    both = {"invites": (0, 0)}
    assert rule_of(forged(ada, two, **both), bo, cem) == "SNUG-10"
    assert rule_of(forged(ada, [link(w), two[0], link(w), two[1]], **both), bo, cem) == "SNUG-10"


def test_a_batch_has_a_limit() -> None:
    w, ada, bo, cem = three(731)
    many = adds(w, *(f"Guest {number}" for number in range(ADDS_MAX + 1)))
    blob = forged(ada, [link(w), *many], invites=(0,) * len(many))
    assert rule_of(blob, bo, cem) == "SNUG-10"


@pytest.mark.parametrize(
    ("names", "invites", "rule"),
    [
        (("Dana", "Dana"), (0, 0), "SNUG-11"),
        (("Dana", "Eve", "D\u0430na"), (0, 0, 0), "SNUG-11"),
        (("Dana", "BO"), (0, 0), "SNUG-11"),
        (("Dana", "Eve"), (0,), "SNUG-12"),
        (("Dana", "Eve"), (0, 0, 0), "SNUG-12"),
        (("Dana", "Eve"), (ONCE, ONCE), "SNUG-12"),
        (("Dana", "Eve", "Finn"), (ONCE, 0, ONCE), "SNUG-12"),
    ],
)
def test_the_newcomers_of_a_batch_are_compared(names: tuple[str, ...], invites: object, rule: str) -> None:
    w, ada, bo, cem = three(732)
    assert rule_of(forged(ada, [link(w), *adds(w, *names)], invites=invites), bo, cem) == rule


def test_one_key_comes_in_once(monkeypatch: pytest.MonkeyPatch) -> None:
    w, ada, bo, cem = three(733)
    dana = package(w, "Dana")
    eve = package(w, "Eve")
    twice = replace(eve, leaf_node=replace(eve.leaf_node, signature_key=dana.leaf_node.signature_key))
    with monkeypatch.context() as patch:
        for check in ("validate_commit.distinct_adds", "validate.unique_signature_keys"):
            patch.setattr(f"snugroom.crypto.mls.{check}", lambda _: None)
        blob = forged(ada, [link(w), mls.Add(dana), mls.Add(twice)], invites=(0, 0))
    assert rule_of(blob, bo, cem) == "SNUG-16"


def test_only_hosts_add_several_and_nobody_while_the_room_is_locked() -> None:
    w, ada, bo, cem = three(734)
    blob = forged(bo, [link(w), *adds(w, "Dana", "Eve")], invites=(0, 0))
    for who in (ada, cem):
        verdict = who.room.membership.judge(blob)
        assert isinstance(verdict, Void)
        assert (verdict.author, verdict.rule) == (1, "SNUG-7")
    w.do(ada, ev.Lock(True))
    w.run(1)
    blob = forged(ada, [link(w), *adds(w, "Dana", "Eve")], invites=(0, 0))
    assert rule_of(blob, bo, cem) == "SNUG-7"


def test_a_rejoin_is_alone_in_its_commit() -> None:
    """A ticket does not hide somebody new, and somebody new does not carry a ticket past SNUG-8."""
    w, ada, bo, cem = three(735)
    m = bo.room.membership
    asks = RejoinTicket(m.group.group_id, m.journal.slot, m.journal.chain, w.rng(16), by=ANY_HOST)
    back = package_with(bo, asks, w.now).key_package
    rejoin = [mls.Remove(1), link(w), mls.Add(back)]
    assert not isinstance(cem.room.membership.judge(forged(ada, rejoin)), Void)
    blob = forged(ada, [*rejoin, *adds(w, "Dana")], invites=(0, 0))
    assert rule_of(blob, cem) == "SNUG-11"


def test_a_void_batch_adds_nobody_and_the_meeting_goes_on() -> None:
    w, ada, bo, cem = three(736)
    post_commit(w, ada, forged(ada, [link(w), *adds(w, "Dana", "Eve")], invites=(ONCE, ONCE)))
    w.run(1)
    for who in (ada, bo, cem):
        assert who.roster == ["Ada", "Bo", "Cem"]
    [told] = alarms(bo, "void_commit")
    assert "\u201cAda\u201d" in told
    assert ONCE not in bo.room.membership.ledger.used, "a void commit uses no invite"
    ada.room.queue(newcomer(w, "Dana", ONCE), w.now)
    w.until(lambda: bo.roster == cem.roster == ["Ada", "Bo", "Cem", "Dana"])


def test_a_member_from_whom_the_server_withholds_a_batch_catches_up() -> None:
    w, ada, bo, cem = three(737)
    guests = [newcomer(w, name) for name in ("Dana", "Eve", "Finn")]
    held: list[object] = []

    def withholds(who: Participant, message: object) -> bool:
        if who is bo and isinstance(message, wire.Committed) and len(held) < 2:
            held.append(message)
            return False
        return True

    w.down_filter = withholds
    for guest in guests:
        ada.room.queue(guest, w.now)
    w.until(lambda: len(cem.roster) == 6)
    w.until(lambda: w.agreed([ada, bo, cem]) or bo.code == cem.code, most=30)
    assert len(held) == 2
    assert bo.roster == cem.roster == ["Ada", "Bo", "Cem", "Dana", "Eve", "Finn"]
    assert [m.name for roster in bo.of(ev.Roster) for m in roster.added][-3:] == ["Dana", "Eve", "Finn"]


def test_a_server_cannot_give_two_batches_to_two_members() -> None:
    """It has one from the host. Another one for the same slot is not the host's, or of another history."""
    w, ada, bo, cem = three(738)
    one = forged(ada, [link(w), *adds(w, "Dana", "Eve")], invites=(0, 0))
    other = bytearray(one)
    other[-40] ^= 1
    verdict = cem.room.membership.judge(bytes(other))
    assert isinstance(verdict, Void)
    assert verdict.author is None, "no part of a blob can be taken out or replaced"
    assert not isinstance(bo.room.membership.judge(one), Void)
