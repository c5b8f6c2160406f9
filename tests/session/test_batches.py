"""Several newcomers in one commit: who comes in when, and what members are told."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.admissions import Admissions
from snugroom.client.session.kernel.batches import ADDS_EVERY, Batches
from snugroom.client.session.kernel.commit_queue import COMMIT_RETRY
from snugroom.client.session.kernel.intents import RemoveIntent
from snugroom.crypto import mls
from snugroom.crypto.agreed.policy import ADDS_MAX
from snugroom.crypto.entry.answers import Answer
from snugroom.crypto.mls.messages import Welcome, decode_message
from snugroom.lab.simulation.dishonest import forged, post_commit
from snugroom.lab.simulation.world import World
from snugroom.wire import messages as wire
from tests.session.batches import admit_all, done, knocking, newcomer, package, slots
from tests.session.hosts import two_hosts
from tests.session.invites import alarms, invite


def test_the_first_newcomer_comes_in_at_once_and_the_others_together() -> None:
    w = World(700)
    ada = w.host("Ada", admission="ask")
    w.run(1)
    [bo] = knocking(w, ada, "Bo")
    admit_all(w, ada, [bo])
    w.run(1)
    guests = knocking(w, ada, "Cem", "Dana", "Eve", "Finn")
    admit_all(w, ada, guests)
    w.until(lambda: w.agreed([ada, bo, *guests]))
    assert slots(bo) == slots(ada)[1:] == [["Cem"], ["Dana", "Eve", "Finn"]]


def test_members_are_told_of_each_newcomer_and_its_invite() -> None:
    w = World(701)
    ada = w.host("Ada", admission="ask")
    w.run(1)
    [gil] = knocking(w, ada, "Gil")
    admit_all(w, ada, [gil])
    w.until(lambda: w.agreed([ada, gil]))
    links = [invite(w, ada, name, once=True) for name in ("Bo", "Cem", "Dana")]
    guests = [w.guest(each.link, each.label) for each in links]
    w.until(lambda: len(ada.of(ev.Knocked)) == 4)
    for knocked in ada.of(ev.Knocked)[1:]:
        w.do(ada, ev.Admit(knocked.knock))
    w.until(lambda: w.agreed([ada, gil, *guests]))
    indices = {each.label: each.index for each in links}
    for who, labels in ((ada, True), (gil, False)):
        added = [m for roster in who.of(ev.Roster) for m in roster.added if m.name in indices]
        assert {m.name: m.invite for m in added} == indices
        assert [m.label for m in added] == [m.name if labels else None for m in added]
    ledger = ada.room.membership.ledger
    assert {leaf: ledger.invite_of(leaf) for leaf in (2, 3, 4)} == {
        leaf: indices[ada.room.membership.name(leaf)] for leaf in (2, 3, 4)
    }
    assert ledger.used >= set(indices.values())
    # whoever is removed takes the own invite along, and no other
    name = ada.room.membership.name(3)
    w.do(ada, ev.Remove(3))
    w.until(lambda: len(gil.roster) == 4)
    assert gil.room.membership.ledger.revoked == {indices[name]}


def test_commits_of_newcomers_come_at_most_every_so_often() -> None:
    w = World(702)
    ada = w.host("Ada", admission="all")
    w.run(1)
    times: list[float] = []

    def seen(who: object, message: object) -> bool:
        if who is ada and isinstance(message, wire.Committed):
            times.append(w.now)
        return True

    w.down_filter = seen
    guests = []
    for number in range(16):
        guests.append(w.guest(w.link_of(ada), f"Guest {number}"))
        w.run(0.1)
    w.until(lambda: w.agreed([ada, *guests]))
    came = slots(ada)
    assert [name for names in came for name in names].sort() == [g.label for g in guests].sort()
    assert len(came[0]) == 1
    assert max(len(names) for names in came) >= 3
    assert len(times) == len(came)
    # a commit is under way for up to two hops, and its answer for as long
    assert min(b - a for a, b in pairwise(times)) > ADDS_EVERY - 2 * w.latency


def test_a_lone_newcomer_does_not_wait() -> None:
    w = World(703)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(1)
    room = ada.room
    room.queue(newcomer(w, "Cem"), w.now)
    assert not room.idle
    w.until(lambda: bo.roster == ["Ada", "Bo", "Cem"], most=ADDS_EVERY / 2)


def test_a_full_batch_does_not_wait() -> None:
    w = World(704)
    [ada] = w.meeting("Ada")
    for number in range(1 + ADDS_MAX):
        ada.room.queue(newcomer(w, f"Guest {number}"), w.now)
    w.until(lambda: len(ada.roster) == 2 + ADDS_MAX, most=8 * w.latency + 0.1)
    assert [len(names) for names in slots(ada)] == [1, ADDS_MAX]


def test_more_than_a_full_batch_come_one_after_the_other() -> None:
    w = World(718)
    [ada] = w.meeting("Ada")
    for number in range(1 + ADDS_MAX + 2):
        ada.room.queue(newcomer(w, f"Guest {number}"), w.now)
    done(w, ada)
    assert [len(names) for names in slots(ada)] == [1, ADDS_MAX, 2]


def test_a_removal_goes_before_newcomers_whose_commit_loses_its_slot() -> None:
    w = World(719)
    ada, bo, cem, gil = w.meeting("Ada", "Bo", "Cem", "Gil")
    ascend = w._ascend

    def holds(link: object, frame: bytes) -> None:
        if link is not ada.links[ev.ROOM] or not isinstance(wire.decode_client(frame), wire.Commit):
            ascend(link, frame)  # type: ignore[arg-type]

    w._ascend = holds  # type: ignore[method-assign]
    ada.room.queue(newcomer(w, "Dana", invite=3), w.now)
    w._ascend = ascend  # type: ignore[method-assign]
    ada.room.queue(newcomer(w, "Eve", invite=3), w.now)
    key = ada.room.membership.signature_key(1)
    ada.room.queue(RemoveIntent(1, key), w.now)
    post_commit(w, cem, forged(cem, []))
    done(w, ada)
    told = [(len(r.removed), len(r.added)) for r in gil.of(ev.Roster)]
    assert told[-3:] == [(0, 0), (1, 0), (0, 2)]
    assert bo.ended is not None


def test_a_removal_goes_before_newcomers_that_wait() -> None:
    w = World(705)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    ada.room.queue(newcomer(w, "Dana"), w.now)
    w.until(lambda: "Dana" in ada.roster)
    for name in ("Eve", "Finn"):
        ada.room.queue(newcomer(w, name, invite=3), w.now)  # Bo's own is revoked with him
    key = ada.room.membership.signature_key(1)
    ada.room.queue(RemoveIntent(1, key), w.now)
    w.until(lambda: bo.ended is not None, most=ADDS_EVERY / 2)
    w.run(2 * w.latency)
    assert cem.roster == ["Ada", "Cem", "Dana"], "and at once"
    w.until(lambda: "Finn" in cem.roster and "Eve" in cem.roster, most=ADDS_EVERY + 0.3)


def test_an_intent_behind_newcomers_does_not_wait_for_more_of_them() -> None:
    w = World(706)
    ada, bo = w.meeting("Ada", "Bo")
    ada.room.queue(newcomer(w, "Cem"), w.now)
    w.until(lambda: "Cem" in bo.roster)
    ada.room.queue(newcomer(w, "Dana"), w.now)
    w.run(2 * w.latency)
    assert "Dana" not in bo.roster, "newcomers wait for others"
    w.do(ada, ev.Lock(True))
    w.until(lambda: [e.mode for e in bo.of(ev.PolicyChanged)] == ["locked"], most=ADDS_EVERY - 3 * w.latency)
    assert "Dana" in bo.roster, "in their order"


def test_nobody_comes_in_behind_a_lock() -> None:
    w = World(707)
    ada, bo = w.meeting("Ada", "Bo")
    for name in ("Cem", "Dana"):
        ada.room.queue(newcomer(w, name), w.now)
    w.do(ada, ev.Lock(True))
    ada.room.queue(newcomer(w, "Eve"), w.now)
    w.run(2)
    assert bo.roster == ["Ada", "Bo", "Cem", "Dana"]
    assert alarms(ada, "not_admitted") == [
        sentence("alarm.not_admitted", name="Eve", why=sentence("snug.locked"))
    ]


# -- one that cannot come in ------------------------------------------------------------------------


@pytest.mark.parametrize("alike", ["Eve", "EVE", "\u0415ve", "E v e", "Bo", "B0"])
def test_a_name_like_anothers_keeps_only_its_bearer_out(alike: str) -> None:
    w = World(708)
    ada = w.host("Ada", admission="ask")
    w.run(1)
    names = ["Bo", "Cem", "Eve", "Dana"]
    guests = knocking(w, ada, *names)
    impostor = w.guest(w.link_of(ada), alike)
    w.until(lambda: len(ada.of(ev.Knocked)) == 5)
    for knocked in ada.of(ev.Knocked):
        w.do(ada, ev.Admit(knocked.knock))
    w.until(lambda: w.agreed([ada, *guests]))
    w.until(lambda: impostor.ended is not None)
    assert impostor.ended is not None
    assert impostor.ended.text == sentence("refusal.not_added", why=sentence("snug.looks_like"))
    assert len(alarms(ada, "not_admitted")) == 1
    assert sorted(name for batch in slots(ada) for name in batch) == sorted(names)
    assert len(slots(ada)) == 2


def test_newcomers_who_cannot_come_in_are_found_wherever_they_are() -> None:
    w = World(709)
    [ada] = w.meeting("Ada")
    bad = {0, 1, 7, 30, 31, 62, 63}
    for number in range(ADDS_MAX):
        name = "\u0410da" if number in bad else f"Guest {number}"
        ada.room.queue(newcomer(w, name), w.now)
    done(w, ada)
    assert len(ada.roster) == 1 + ADDS_MAX - len(bad)
    assert len(alarms(ada, "not_admitted")) == len(bad)
    assert len(slots(ada)) == 2


def test_a_single_invite_admits_once_in_a_batch() -> None:
    w = World(710)
    ada, bo = w.meeting("Ada", "Bo")
    for name, index in (("Cem", 0), ("Dana", 0x8007), ("Eve", 0x8007), ("Finn", 0x8008)):
        ada.room.queue(newcomer(w, name, index), w.now)
    done(w, ada)
    assert bo.roster == ["Ada", "Bo", "Cem", "Dana", "Finn"]
    assert alarms(ada, "not_admitted") == [
        sentence("alarm.not_admitted", name="Eve", why=sentence("snug.invite_used", invite=0x8007))
    ]


def test_a_key_package_that_mls_refuses_keeps_only_its_bearer_out() -> None:
    """No rule of the room compares encryption keys: MLS refuses the whole commit, without a culprit."""
    w = World(711)
    ada, bo = w.meeting("Ada", "Bo")
    intents = [newcomer(w, f"Guest {number}") for number in range(9)]
    key = intents[3].key_package.leaf_node.encryption_key
    for intent in intents:
        ada.room.queue(intent, w.now)
        if intent is intents[6]:
            ada.room.queue(newcomer(w, "Copy", of=_with_encryption_key(w, "Copy", key)), w.now)
    done(w, ada)
    assert sorted(bo.roster) == sorted(["Ada", "Bo", *(intent.name for intent in intents)])
    assert [alarm.split(" could ")[0] for alarm in alarms(ada, "not_admitted")] == ["\u201cCopy\u201d"]
    # the next ones come together again
    for name in ("Cem", "Dana", "Eve"):
        ada.room.queue(newcomer(w, name), w.now)
    done(w, ada)
    assert len(slots(ada)[-1]) >= 2


def _with_encryption_key(w: World, name: str, key: bytes) -> mls.KeyPackage:
    """A KeyPackage whose bearer has taken its leaf's encryption key from another one."""
    own = package(w, name)
    signed = replace(own.leaf_node, encryption_key=key)
    return replace(own, leaf_node=signed)


def test_a_member_is_not_added_again_with_others() -> None:
    w = World(712)
    ada, bo = w.meeting("Ada", "Bo")
    cem = newcomer(w, "Cem")
    ada.room.queue(cem, w.now)
    done(w, ada)
    for intent in (cem, newcomer(w, "Dana"), newcomer(w, "Eve")):
        ada.room.queue(intent, w.now)
    done(w, ada)
    assert bo.roster == ["Ada", "Bo", "Cem", "Dana", "Eve"]
    assert alarms(ada, "not_admitted") == []


# -- the server, and other hosts ----------------------------------------------------------------------


def test_a_batch_that_the_server_drops_is_sent_again() -> None:
    w = World(713)
    ada, bo = w.meeting("Ada", "Bo")
    guests = [newcomer(w, name) for name in ("Cem", "Dana", "Eve")]
    ascend = w._ascend
    dropped: list[float] = []

    def drops(link: object, frame: bytes) -> None:
        if isinstance(wire.decode_client(frame), wire.Commit) and len(dropped) < 2:
            dropped.append(w.now)
        else:
            ascend(link, frame)  # type: ignore[arg-type]

    w._ascend = drops  # type: ignore[method-assign]
    for guest in guests:
        ada.room.queue(guest, w.now)
    w.until(lambda: len(bo.roster) == 5, most=3 * COMMIT_RETRY)
    assert len(dropped) == 2
    assert dropped[1] - dropped[0] > COMMIT_RETRY - 0.01


@pytest.mark.parametrize("most", [0, 1, 2])
def test_a_batch_that_the_server_calls_too_large_comes_in_parts(most: int) -> None:
    w = World(714)
    ada, bo = w.meeting("Ada", "Bo")
    room = ada.room
    stage, sizes = room.membership.stage, []

    def counts(*intents: object) -> object:
        sizes.append(len(intents))
        return stage(*intents)

    room.membership.stage = counts
    ascend = w._ascend

    def refuses(link: object, frame: bytes) -> None:
        if isinstance(wire.decode_client(frame), wire.Commit) and sizes[-1] > most:
            w._deliver(ada.links[ev.ROOM], wire.encode(wire.Refused("size", "too large", "commit")))
        else:
            ascend(link, frame)  # type: ignore[arg-type]

    w._ascend = refuses  # type: ignore[method-assign]
    names = ["Cem", "Dana", "Eve", "Finn", "Gil"]
    for name in names:
        room.queue(newcomer(w, name), w.now)
    done(w, ada)
    assert max(sizes) > 2 or most == 0
    assert bo.roster == ["Ada", "Bo", *(names if most else [])]
    assert len(alarms(ada, "not_admitted")) == (0 if most else 5), "as the server says of each"


def test_after_a_commit_that_was_too_large_more_newcomers_are_tried_again() -> None:
    w = World(720)
    intents = [newcomer(w, f"Guest {number}") for number in range(9)]
    batches = Batches()

    def sizes() -> int:
        return len(batches.next(intents, w.now))

    assert sizes() == 9
    assert not batches.gives_up(intents)
    assert sizes() == 4
    assert not batches.gives_up(intents[:4])
    assert sizes() == 2
    batches.adopted()
    assert sizes() == 4
    assert batches.gives_up(intents[:1]), "the one that it was about"
    assert sizes() == 9


def test_a_newcomer_whose_answer_is_lost_keeps_nobody_else_out() -> None:
    w = World(715)
    ada = w.host("Ada", admission="ask")
    w.run(1)
    guests = knocking(w, ada, "Bo", "Cem", "Dana", "Eve")
    lost = guests[2]
    w.down_filter = lambda who, message: not (who is lost and isinstance(message, wire.Posted))
    admit_all(w, ada, guests)
    others = [g for g in guests if g is not lost]
    w.until(lambda: len({who.code for who in (ada, *others)}) == 1 and len(ada.roster) == 5)
    assert all(who.roster == ["Ada", "Bo", "Cem", "Dana", "Eve"] for who in others)
    assert lost.roster == []


def test_batches_of_two_hosts_both_come_in() -> None:
    w = World(716)
    ada, bo = two_hosts(w)
    before = ada.room.membership.journal.slot
    for number in range(6):
        ada.room.queue(newcomer(w, f"By Ada {number}"), w.now)
        bo.room.queue(newcomer(w, f"By Bo {number}"), w.now)
    done(w, ada)
    done(w, bo)
    assert len(ada.roster) == len(bo.roster) == 14
    assert ada.code == bo.code
    assert ada.room.membership.journal.slot - before <= 6
    assert alarms(ada, "not_admitted") == alarms(bo, "not_admitted") == []


def test_each_newcomer_is_answered_with_its_own_secrets_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(717)
    ada = w.host("Ada", admission="ask")
    w.run(1)
    guests = knocking(w, ada, "Bo", "Cem", "Dana", "Eve")
    answered: list[tuple[bytes, list[bytes]]] = []
    answer = Admissions.answer

    def seen(self: Admissions, room: Any, admitted: Any, *rest: Any) -> Answer:
        made = answer(self, room, admitted, *rest)
        message = decode_message(made.welcome)
        assert isinstance(message, Welcome)
        reference = admitted.intent.key_package.reference
        answered.append((reference, [each.new_member for each in message.secrets]))
        return made

    monkeypatch.setattr(Admissions, "answer", seen)
    admit_all(w, ada, guests)
    w.until(lambda: w.agreed([ada, *guests]))
    assert len(slots(ada)) == 2
    assert len(answered) == 4
    assert all(members == [reference] for reference, members in answered)
