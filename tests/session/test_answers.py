"""Answers to a short code: members who say the same or otherwise, and members and servers that lie."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features.answers import EVERY, TAKEN_BACK_MAX, Answers
from snugroom.crypto.errors import MalformedError
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS
from tests.session.comparing import codes, have_code, texts


def answers(who: Participant) -> list[ev.CodeAnswers]:
    return [e for e in who.told if isinstance(e, ev.CodeAnswers)]


def said(who: Participant) -> dict[str, bool | None]:
    """The answers that this person sees now, by name."""
    return {member.name: member.same for member in answers(who)[-1].members}


def ticked(who: Participant) -> set[str]:
    return {member.name for member in answers(who)[-1].members if member.both}


def code_for(w: World, people: list[Participant], opener: Participant) -> None:
    """One more code for everybody."""
    before = len(codes(people[0]))
    w.do(opener, ev.Compare())
    w.until(lambda: all(len(codes(p)) > before for p in people), 40, "another code")
    w.run(2)


def meeting(*names: str, seed: int = 900) -> tuple[World, list[Participant]]:
    w = World(seed)
    people = w.meeting(*names)
    w.run(3)
    w.do(people[-1], ev.Compare())
    have_code(w, people)
    w.run(2)
    return w, people


def run_of(who: Participant) -> tuple[bytes, bytes]:
    """The id and V of the last code's run."""
    last = who.room.feature(Answers)._last
    assert last is not None
    return last.sid, last.digest


def lie(w: World, who: Participant, *said: content.AnyContent) -> None:
    """A member's program sends that, whatever its own rules are."""
    for what in said:
        who.room.relay(what)
        w.do(who, ev.Tick())
        w.run(0.3)


# -- an honest meeting -------------------------------------------------------------------------------------


def test_everybody_is_told_who_asked_and_who_answered_what() -> None:
    w, people = meeting("Ada", "Bo", "Cem")
    ada, bo, cem = people
    (leaf,) = {member.leaf for member in codes(ada)[0].members if member.name == "Cem"}
    assert [codes(p)[0].by for p in people] == [leaf] * 3
    assert [said(p) for p in people] == [{"Ada": None, "Bo": None, "Cem": None}] * 3
    w.do(ada, ev.Compared(True))
    w.do(cem, ev.Compared(True))
    w.until(lambda: all(said(p) == {"Ada": True, "Bo": None, "Cem": True} for p in people), 5)
    assert [ticked(p) for p in people] == [{"Cem"}, set(), {"Ada"}], "only those who both said so"
    assert answers(bo)[-1].text == "2 of 3 say that the code is the same."
    w.do(bo, ev.Compared(True))
    w.until(lambda: ticked(ada) == {"Bo", "Cem"} and ticked(bo) == {"Ada", "Cem"}, 5)
    assert not any(p.alarms for p in people)


def test_the_digits_are_nobody_elses_business() -> None:
    w, people = meeting("Ada", "Bo")
    w.do(people[0], ev.Compared(True, people[0].code[:10]))
    w.run(3)
    assert [said(p) for p in people] == [{"Ada": None, "Bo": None}] * 2


def test_ticks_outlive_another_code_and_a_rejoin_and_end_with_the_member() -> None:
    w, people = meeting("Ada", "Bo", "Cem")
    ada, bo, cem = people
    for p in people:
        w.do(p, ev.Compared(True))
    w.until(lambda: ticked(ada) == {"Bo", "Cem"}, 5)
    w.run(10)
    code_for(w, people, bo)
    assert said(ada) == {"Ada": None, "Bo": None, "Cem": None}
    assert ticked(ada) == {"Bo", "Cem"}, "they were compared, and are the same members"
    before = ada.room
    before.give_up()  # and comes in again with a ticket
    w.until(lambda: ada.room is not before and w.agreed(people), 90, "a rejoin")
    w.run(3)
    assert ticked(ada) == ticked(bo) - {"Ada"} | {"Bo"} == {"Bo", "Cem"}
    w.do(ada, ev.Compared(True))
    w.until(lambda: said(bo)["Ada"] is True, 10)
    w.do(bo, ev.Leave())
    w.until(lambda: w.agreed([ada, cem]) and set(said(ada)) == {"Ada", "Cem"}, 10)
    assert ticked(ada) == {"Cem"}


def test_a_newcomer_is_in_no_comparison_from_before() -> None:
    w, people = meeting("Ada", "Bo")
    for p in people:
        w.do(p, ev.Compared(True))
    w.run(3)
    dana = w.guest(w.link_of(people[0]), "Dana")
    w.until(lambda: w.agreed([*people, dana]), 20)
    w.run(3)
    assert said(people[0]) == {"Ada": True, "Bo": True}
    assert not answers(dana)


def test_an_answer_reaches_a_member_whose_connection_was_cut() -> None:
    w, people = meeting("Ada", "Bo", "Cem")
    ada, bo, _ = people
    w.cut(bo.links[ev.ROOM])
    w.do(bo, ev.Compared(True))
    w.do(ada, ev.Compared(True))
    w.until(lambda: ticked(ada) == {"Bo"} and ticked(bo) == {"Ada"}, 20)


def test_people_change_their_minds_once_a_second_at_most() -> None:
    w, people = meeting("Ada", "Bo")
    ada, bo = people
    for same in (True, False, True, False, True):
        w.do(bo, ev.Compared(same))
        w.run(0.1)
    w.until(lambda: said(ada)["Bo"] is True, 5)
    w.run(3)
    assert said(ada)["Bo"] is True
    changes = [e for e in answers(ada) if any(m.name == "Bo" and m.same is not None for m in e.members)]
    assert len(changes) <= 2


def test_all_answers_look_alike_to_the_server() -> None:
    seen: list[bytes] = []
    for same in (True, False):
        w, people = meeting("Ada", "Bo")
        real = people[0].room.relay
        people[0].room.relay = lambda what, real=real: seen.append(real(what)) or seen[-1]  # type: ignore
        w.do(people[0], ev.Compared(same))
        w.run(2)
    assert [len(blob) for blob in seen] == [BUCKETS[0]] * 2


# -- members who say that codes differ ---------------------------------------------------------------------


def test_one_who_says_that_they_differ_is_named_to_the_others_and_can_take_it_back() -> None:
    w, people = meeting("Ada", "Bo", "Cem")
    ada, bo, cem = people
    for p in (ada, cem):
        w.do(p, ev.Compared(True))
    w.do(bo, ev.Compared(False))
    w.until(lambda: bool(texts(ada, "code_disputed")) and bool(texts(cem, "code_disputed")), 5)
    (incident,) = ada.incidents.open
    assert (incident.kind, incident.severity, incident.by) == ("code_disputed", "attention", "Bo")
    assert "“Bo” says that the codes differ" in texts(ada, "code_disputed")[0]
    assert ticked(ada) == {"Cem"}
    assert "“Bo” says that it differs" in answers(ada)[-1].text
    assert bo.alarms == ["code_different"], "the person's own finding stays what it was"
    w.run(2)
    w.do(bo, ev.Compared(True))
    w.until(lambda: not ada.incidents.open and ticked(ada) == {"Bo", "Cem"}, 5)
    assert len(texts(ada, "code_disputed")) == 1


def test_a_person_who_says_that_they_differ_has_compared_with_nobody() -> None:
    w, people = meeting("Ada", "Bo")
    for p in people:
        w.do(p, ev.Compared(True))
    w.until(lambda: ticked(people[0]) == {"Bo"}, 5)
    w.run(2)
    w.do(people[0], ev.Compared(False))
    w.until(lambda: ticked(people[1]) == set(), 5)
    assert ticked(people[0]) == set()


# -- members and servers that lie --------------------------------------------------------------------------


def test_nobody_answers_for_another_member() -> None:
    """Mallory sends an answer, and Bo's own blob a second time: neither is Bo's."""
    w, people = meeting("Ada", "Bo", "Mallory")
    ada, bo, mallory = people
    blobs: list[bytes] = []
    real = bo.room.relay

    def relay(what: content.AnyContent) -> bytes:
        blobs.append(real(what))
        return blobs[-1]

    bo.room.relay = relay
    w.do(ada, ev.Compared(True))
    sid, digest = run_of(mallory)
    lie(w, mallory, content.CodeAnswer(sid, digest, True))
    w.run(2)
    assert said(ada) == {"Ada": True, "Bo": None, "Mallory": True}
    w.do(bo, ev.Compared(False))
    w.run(2)
    w.do(bo, ev.Compared(True))
    w.until(lambda: said(ada)["Bo"] is True, 5)
    for blob in blobs:  # the older one too: it said "different"
        mallory.room.send(wire.Relay(blob))
        w.do(mallory, ev.Tick())
        w.run(2)
    assert said(ada) == {"Ada": True, "Bo": True, "Mallory": True}
    for_bo = content.encode(content.CodeAnswer(sid, digest, True)).replace(b"{", b'{"leaf":1,', 1)
    with pytest.raises(MalformedError):
        content.decode(for_bo)


def test_an_answer_to_another_code_does_not_count() -> None:
    w, people = meeting("Ada", "Bo", "Mallory")
    ada, bo, mallory = people
    old = run_of(mallory)
    w.do(bo, ev.Compared(True))
    w.run(12)
    code_for(w, people, ada)
    w.do(ada, ev.Compared(True))
    sid, digest = run_of(mallory)
    lie(
        w,
        mallory,
        content.CodeAnswer(old[0], old[1], True),
        content.CodeAnswer(sid, old[1], True),
        content.CodeAnswer(old[0], digest, True),
    )
    w.run(2)
    assert said(ada) == {"Ada": True, "Bo": None, "Mallory": None}
    assert ticked(ada) == set(), "Bo's answer was to the code before"
    w.run(12)
    code_for(w, people, bo)
    assert said(ada)["Mallory"] is None


def test_an_answer_ahead_of_its_code_waits_for_it_and_takes_no_memory() -> None:
    w, people = meeting("Ada", "Mallory")
    ada, mallory = people
    for at in range(40):
        mallory.room.relay(content.CodeAnswer(at.to_bytes(16, "big"), bytes(32), True))
        w.do(mallory, ev.Tick())
        w.run(0.1)
    assert len(ada.room.feature(Answers)._early) == 1
    assert said(ada) == {"Ada": None, "Mallory": None}


def test_a_flood_of_answers_is_told_once_a_second_and_alarms_a_few_times() -> None:
    w, people = meeting("Ada", "Mallory")
    ada, mallory = people
    sid, digest = run_of(mallory)
    told: list[float] = []
    before = len(answers(ada))
    for at in range(200):
        mallory.room.relay(content.CodeAnswer(sid, digest, at % 2 == 1))
        w.do(mallory, ev.Tick())
        w.run(0.2)
        told += [w.now] * (len(answers(ada)) - before)
        before = len(answers(ada))
    assert told, "the flood arrives"
    assert all(later - earlier >= EVERY / 2 for earlier, later in pairwise(told))
    assert 1 <= len(texts(ada, "code_disputed")) <= TAKEN_BACK_MAX + 1
    assert said(ada)["Mallory"] is False, "who takes it back again and again is not believed"


def test_a_server_that_withholds_answers_gives_no_tick() -> None:
    w, people = meeting("Ada", "Bo", "Cem")
    ada, bo, cem = people
    withhold(w, bo, ada)
    for p in people:
        w.do(p, ev.Compared(True))
    w.until(lambda: ticked(cem) == {"Ada", "Bo"}, 10)
    w.run(10)
    assert said(ada) == {"Ada": True, "Bo": None, "Cem": True}
    assert ticked(ada) == {"Cem"}


def withhold(w: World, sender: Participant, receiver: Participant) -> None:
    """The server gives nothing to `receiver` that `sender` relays from now on."""
    blobs: set[bytes] = set()
    real: Callable[[content.AnyContent], bytes] = sender.room.relay

    def relay(what: content.AnyContent) -> bytes:
        blob = real(what)
        blobs.add(blob)
        return blob

    sender.room.relay = relay
    w.down_filter = lambda who, message: not (who is receiver and getattr(message, "blob", None) in blobs)


def test_without_a_code_there_is_nothing_to_answer() -> None:
    w = World(901)
    ada, bo = w.meeting("Ada", "Bo")
    w.run(3)
    with pytest.raises(ValueError, match="no code to compare"):
        w.do(ada, ev.Compared(True))
    assert not answers(ada)
    assert not answers(bo)
