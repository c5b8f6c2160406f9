"""Predictions of a class: one vote for each phone, within limits, shown when the lecturer shows them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from snugroom.client.session.catalogue.sentence import table
from snugroom.lab.demo import votes as module
from snugroom.lab.demo.acts import ACTS
from snugroom.lab.demo.votes import PHONES_MAX, PHONES_PER_ADDRESS, QUESTIONS, Rates, Votes

STEPS: Final = Path(__file__).parents[2] / "client/web/src/projector/steps.ts"


def opened(question: str = "find", per_address: int = PHONES_PER_ADDRESS) -> Votes:
    votes = Votes(per_address)
    votes.open(question)
    return votes


def test_a_phone_has_one_vote_which_it_may_change() -> None:
    votes = opened()
    assert votes.vote("a", "10.0.0.1", "find", 1) is None
    assert votes.vote("a", "10.0.0.1", "find", 3) is None
    assert votes.vote("b", "10.0.0.2", "find", 3) is None
    assert votes.view()["voted"] == 2
    votes.reveal()
    assert votes.view()["counts"] == [0, 0, 2]


def test_the_answer_and_the_counts_come_when_they_are_revealed() -> None:
    votes = opened()
    assert votes.vote("a", "10.0.0.1", "find", 1) is None
    for stage in ("open", "closed"):
        assert votes.told() == {"question": "find", "stage": stage, "choices": 3, "right": None}
        assert votes.view()["counts"] is None
        votes.close()
    votes.reveal()
    assert votes.told() == {"question": "find", "stage": "revealed", "choices": 3, "right": 3}
    assert votes.view()["counts"] == [1, 0, 0]


def test_no_vote_counts_after_the_end_nor_for_another_question() -> None:
    votes = opened()
    votes.close()
    assert votes.vote("a", "10.0.0.1", "find", 1) == "closed"
    votes.open("find")  # the lecturer comes back to show the answer: the outcome has been seen
    assert votes.vote("a", "10.0.0.1", "find", 1) == "closed"
    votes.open("tree")
    assert votes.vote("a", "10.0.0.1", "find", 1) == "closed"
    assert votes.vote("a", "10.0.0.1", "tree", 1) is None
    votes.open("kill")
    votes.open("tree")
    assert votes.told()["stage"] == "closed", "another question ends the one before"
    votes.reveal()
    assert votes.vote("a", "10.0.0.1", "tree", 2) == "closed"
    votes.again()
    assert votes.view()["voted"] == 0
    assert votes.vote("a", "10.0.0.1", "tree", 2) is None


def test_an_address_has_as_many_votes_as_phones_may_share_it() -> None:
    votes = opened(per_address=2)
    assert [votes.vote(phone, "10.0.0.9", "find", 1) for phone in "abcd"] == [
        None,
        None,
        "address",
        "address",
    ]
    assert votes.vote("c", "10.0.0.8", "find", 1) is None, "other addresses are not concerned"
    votes.open("tree")  # and the same phones stay: others do not take their places with a new question
    assert [votes.vote(phone, "10.0.0.9", "tree", 1) for phone in "dba"] == ["address", None, None]


def test_a_lecture_has_a_maximum_of_phones() -> None:
    votes = opened()
    for number in range(PHONES_MAX):
        assert votes.vote(f"phone {number}", f"address {number}", "find", 1) is None
    assert votes.vote("one more", "its address", "find", 1) == "full"
    assert votes.vote("phone 0", "address 0", "find", 2) is None
    assert votes.view()["phones"] == votes.view()["voted"] == PHONES_MAX


@pytest.mark.parametrize(("question", "choice"), [("find", 0), ("find", 4), ("no such", 1), ("", 1)])
def test_a_choice_that_there_is_not_is_an_error(question: str, choice: int) -> None:
    with pytest.raises(ValueError, match="no such choice"):
        opened().vote("a", "10.0.0.1", question, choice)


def test_an_unknown_question_is_not_asked() -> None:
    votes = opened()
    with pytest.raises(KeyError):
        votes.open("no such")
    assert votes.told()["question"] == "find"


def test_nothing_is_asked_at_first() -> None:
    votes = Votes()
    for order in (votes.close, votes.reveal, votes.again):
        order()
    assert votes.told() == {"question": None}
    assert votes.view() == {"question": None, "voted": 0, "phones": 0, "counts": None}


# -- the rate ----------------------------------------------------------------------------------


def test_an_address_that_asks_too_often_waits_and_no_other_does() -> None:
    rates = Rates(1, 0.0)
    burst = int(module.ADDRESS_BURST)
    assert all(rates.allows("10.0.0.1", 0.0) for _ in range(burst))
    assert not rates.allows("10.0.0.1", 0.0)
    assert rates.allows("10.0.0.2", 0.0)
    assert rates.allows("10.0.0.1", 1.0 / module.ADDRESS_RATE)
    assert not rates.allows("10.0.0.1", 1.0 / module.ADDRESS_RATE)


def test_one_address_cannot_use_up_what_all_share() -> None:
    rates = Rates(1, 0.0)
    for _ in range(10 * int(module.TOTAL_BURST)):
        rates.allows("10.0.0.1", 0.0)
    assert all(rates.allows(f"10.0.1.{number}", 0.0) for number in range(200))


def test_all_together_have_a_limit() -> None:
    rates = Rates(1, 0.0)
    allowed = sum(rates.allows(f"10.0.{each}.{number}", 0.0) for each in range(10) for number in range(200))
    assert allowed == int(module.TOTAL_BURST)


def test_addresses_that_were_kept_are_forgotten_when_they_are_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ADDRESSES_MAX", 4)
    rates = Rates(1, 0.0)
    assert all(rates.allows(f"10.0.0.{number}", 0.0) for number in range(4))
    assert not rates.allows("10.0.0.9", 0.0), "no address is forgotten while its limit counts"
    assert rates.allows("10.0.0.9", 1.0 / module.ADDRESS_RATE)
    assert len(rates._each) == 1


# -- the questions -----------------------------------------------------------------------------


def test_every_question_has_its_texts_and_no_text_is_left_over() -> None:
    texts = {key for key in table("predictions") if not key.startswith("phone_")}
    wanted = {f"ask_{name}" for name in QUESTIONS}
    wanted |= {f"pick_{name}_{n}" for name, each in QUESTIONS.items() for n in range(1, each.choices + 1)}
    assert texts == wanted
    assert all(1 <= each.right <= each.choices for each in QUESTIONS.values())
    assert len({each.right for each in QUESTIONS.values()}) > 1, "the right answer has no place of its own"


def test_the_projector_asks_exactly_these() -> None:
    """Each act has one, and each step that the page names."""
    (row,) = re.findall(r"const ASKED: .*= new Set\(\[(.*)\]\)", STEPS.read_text(encoding="utf-8"))
    steps = set(re.findall(r'"(\w+)"', row))
    assert steps | {f"act_{act}" for act in ACTS} == set(QUESTIONS)
