"""Replies of hosts to knocks, and a host's record of knocks."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snugroom.crypto import hpke, kdf
from snugroom.crypto.entry import knocks as record
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.answers import AlreadyMember, Answer, Received, Refusal
from snugroom.crypto.entry.knocks import Accepted, Ignored, Knocks
from snugroom.crypto.entry.lobby import BUCKETS, OpenedKnock, Reply, post, read, reply
from snugroom.crypto.errors import (
    AuthenticationError,
    MalformedError,
    StateError,
    UnsupportedError,
)
from snugroom.crypto.fields import padded, prefixed, uint
from tests.crypto.lobby_people import ENVELOPE_KEY, NOW, TEXTS, an_answer, knocked

# -- replies ------------------------------------------------------------------------------------


@given(
    st.binary(max_size=9000),
    st.binary(max_size=3000),
    st.integers(0, 2**53 - 1),
    st.sampled_from((b"", b"a" * 64)),
)
def test_answers_round_trip(welcome: bytes, ledger: bytes, slot: int, admission: bytes) -> None:
    opened, pending = knocked()
    fixed = (b"n" * 16, b"d" * 32, b"s" * 32, b"b" * 64)
    answer = Answer(welcome, *fixed, slot, b"c" * 32, slot, ledger, ledger[:512], admission)
    blob = post(ENVELOPE_KEY, reply(opened, answer))
    posted = read(ENVELOPE_KEY, blob)
    assert isinstance(posted, Reply)
    assert pending.owns(posted)
    assert pending.open(posted) == answer
    assert len(blob) in BUCKETS


def test_a_host_says_that_it_has_a_knock_and_whose_answer_is_lost() -> None:
    opened, pending = knocked()
    for said in (Received(), AlreadyMember(b"group", 7, b"c" * 32)):
        blob = post(ENVELOPE_KEY, reply(opened, said))
        posted = read(ENVELOPE_KEY, blob)
        assert isinstance(posted, Reply)
        assert pending.open(posted) == said
        assert len(blob) == len(post(ENVELOPE_KEY, reply(opened, Refusal("no")))), "it looks like a refusal"


@given(TEXTS)
def test_refusals_round_trip(reason: str) -> None:
    opened, pending = knocked()
    assert pending.open(reply(opened, Refusal(reason))) == Refusal(reason)


def test_only_who_opened_the_knock_can_answer_it() -> None:
    opened, pending = knocked()
    other, _ = knocked()
    sent = reply(opened, an_answer())
    elsewhere = reply(other, an_answer())
    assert not pending.owns(elsewhere)
    with pytest.raises(AuthenticationError, match="another knock"):
        pending.open(elsewhere)
    with pytest.raises(AuthenticationError):
        pending.open(Reply(sent.id, elsewhere.sealed))
    with pytest.raises(AuthenticationError):
        pending.open(Reply(sent.id, bytes((sent.sealed[0] ^ 1,)) + sent.sealed[1:]))
    with pytest.raises(MalformedError):
        pending.open(Reply(sent.id, b""))


def test_an_answer_too_large_is_refused_before_it_is_sent() -> None:
    opened, pending = knocked()
    fixed = len(post(ENVELOPE_KEY, reply(opened, an_answer(b""))))
    assert fixed == 512
    most = (
        BUCKETS[-1]
        - lobby._REPLY_OVERHEAD
        - 4
        - (1 + 4 + 16 + 32 * 5 + 8 + 8 + 4 + len(b"ledger") + 2 + 1 + 1 + 2)
    )
    large = reply(opened, an_answer(bytes(most)))
    assert len(post(ENVELOPE_KEY, large)) == BUCKETS[-1]
    assert pending.open(large) == an_answer(bytes(most))
    with pytest.raises(MalformedError):
        reply(opened, an_answer(bytes(most + 1)))


@pytest.mark.parametrize(
    "field", ["number", "door_seed", "room_admin_public", "handed_keys", "chain", "admission"]
)
def test_an_answer_s_sizes(field: str) -> None:
    opened, _ = knocked()
    values = {name: getattr(an_answer(), name) for name in Answer.__dataclass_fields__}
    with pytest.raises(MalformedError):
        reply(opened, Answer(**(values | {field: bytes(15)})))
    with pytest.raises(MalformedError):
        reply(opened, Answer(**(values | {"slot": 2**64})))
    with pytest.raises(MalformedError):
        reply(opened, Answer(**(values | {"at": -1})))


def test_a_refusal_s_words_are_checked_at_both_ends() -> None:
    opened, _ = knocked()
    for reason in ("x" * 281, "bell\x07"):
        with pytest.raises(MalformedError):
            reply(opened, Refusal(reason))


def _raw_reply(opened: OpenedKnock, body: bytes) -> Reply:
    name = opened.exporter.export(b"snug 1 answer id", 8)
    key = opened.exporter.export(b"snug 1 answer", 32)
    return Reply(name, kdf.seal(key, padded(body, 600), name))


ANSWER_BODY = (
    b"\x01"
    + prefixed(b"w", 4)
    + bytes(144)
    + uint(7, 8)
    + bytes(32)
    + uint(9, 8)
    + prefixed(b"l", 4)
    + b"\0\0"
    + b"\0"
    + b"\0"
    + b"\0\0"
)


def test_bytes_that_are_no_answer_are_refused() -> None:
    opened, pending = knocked()
    good = Answer(b"w", bytes(16), bytes(32), bytes(32), bytes(64), 7, bytes(32), 9, b"l")
    assert pending.open(_raw_reply(opened, ANSWER_BODY)) == good
    for cut in range(len(ANSWER_BODY)):
        with pytest.raises(MalformedError):
            pending.open(_raw_reply(opened, ANSWER_BODY[:cut]))
    for body in (ANSWER_BODY + b"x", b"\x02\x00\x05abc", b"\x02\x00\x01\x07", b"\x02\x00\x00x"):
        with pytest.raises(MalformedError):
            pending.open(_raw_reply(opened, body))
    with pytest.raises(UnsupportedError):
        pending.open(_raw_reply(opened, b"\x05"))


def test_secrets_don_t_print() -> None:
    opened, pending = knocked()
    shown = repr((opened, pending, an_answer()))
    assert repr(opened.exporter.secret) not in shown
    assert "dddddddd" not in shown
    assert "bbbbbbbb" not in shown


# -- the host's book ----------------------------------------------------------------------------


def _book(*, each: int = 1) -> Knocks:
    book = Knocks(each=each)
    book.issue(5, single=True)
    book.issue(6, single=False)
    return book


def _from(index: int = 5, key_package: bytes = b"kp", now: float = NOW) -> OpenedKnock:
    return knocked(key_package, index, now)[0]


def test_a_good_knock_waits_and_is_taken() -> None:
    book = _book()
    opened = _from()
    assert book.consider(opened, NOW) == Accepted(1)
    assert [(w.id, w.knock, w.since) for w in book.waiting(NOW)] == [(1, opened, NOW)]
    assert book.take(1, NOW) is opened
    assert book.waiting(NOW) == []
    with pytest.raises(StateError, match="number 1"):
        book.take(1, NOW)


def test_the_same_key_package_knocks_once() -> None:
    book = _book()
    assert book.consider(_from(6, b"one"), NOW) == Accepted(1)
    book.take(1, NOW)
    assert book.consider(_from(6, b"one"), NOW) == Ignored("seen")
    assert book.consider(_from(5, b"one"), NOW) == Ignored("seen")
    assert book.consider(_from(6, b"two"), NOW) == Accepted(2)


def test_one_knock_waits_on_an_invite() -> None:
    book = _book()
    assert book.consider(_from(6, b"one"), NOW) == Accepted(1)
    assert book.consider(_from(6, b"two"), NOW) == Ignored("pending")
    assert book.consider(_from(5, b"three"), NOW) == Accepted(2)
    book.take(1, NOW)
    # an ignored knock left nothing behind
    assert book.consider(_from(6, b"two"), NOW) == Accepted(3)


def test_an_open_invite_may_have_more_waiting_if_the_host_says_so() -> None:
    book = _book(each=2)
    assert book.consider(_from(6, b"one"), NOW) == Accepted(1)
    assert book.consider(_from(6, b"two"), NOW) == Accepted(2)
    assert book.consider(_from(6, b"three"), NOW) == Ignored("pending")
    assert book.consider(_from(5, b"four"), NOW) == Accepted(3)
    assert book.consider(_from(5, b"five"), NOW) == Ignored("pending")


def test_unknown_revoked_and_used_invites_are_never_shown() -> None:
    book = _book(each=9)
    assert book.consider(_from(7), NOW) == Ignored("unknown")
    assert book.consider(_from(5, b"a"), NOW) == Accepted(1)
    assert book.consider(_from(6, b"b"), NOW) == Accepted(2)
    book.use([5, 6, 7])
    assert [w.id for w in book.waiting(NOW)] == [2], "an open invite can be used again"
    assert book.consider(_from(5, b"c"), NOW) == Ignored("used")
    assert book.consider(_from(6, b"d"), NOW) == Accepted(3)
    book.revoke(6)
    assert book.waiting(NOW) == []
    assert book.consider(_from(6, b"e"), NOW) == Ignored("revoked")
    with pytest.raises(StateError):
        book.issue(5, single=False)


def test_revoking_leaves_the_others_waiting() -> None:
    book = _book()
    book.consider(_from(5, b"a"), NOW)
    book.consider(_from(6, b"b"), NOW)
    book.revoke(5)
    assert [w.knock.index for w in book.waiting(NOW)] == [6]


def test_time_ends_cards_and_patience() -> None:
    book = _book()
    opened = _from()
    assert book.consider(opened, NOW + 600) == Ignored("expired")
    assert book.consider(opened, NOW + 599) == Accepted(1)
    assert len(book.waiting(NOW + 599 + 599)) == 1
    assert book.waiting(NOW + 599 + 600) == []
    with pytest.raises(StateError):
        book.take(1, NOW + 599 + 600)
    later = NOW + 1300
    assert book.consider(_from(5, b"again", later), later) == Accepted(2)


def test_a_newer_knock_of_one_person_waits_in_place_of_the_older() -> None:
    book = _book()
    assert book.consider(_from(5, b"first"), NOW) == Accepted(1)
    assert book.renew(1, _from(5, b"second"), NOW + 300)
    assert [(w.id, w.knock.key_package, w.since) for w in book.waiting(NOW + 300)] == [
        (1, b"second", NOW + 300)
    ]
    for other in (_from(5, b"first"), _from(5, b"second")):
        assert not book.renew(1, other, NOW + 301), "a KeyPackage waits once"
    assert not book.renew(1, _from(5, b"third"), NOW + 600), "its card has expired"
    assert not book.renew(2, _from(5, b"fourth"), NOW + 301), "nobody waits under that number"


def test_the_book_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "PENDING_MAX", 3)
    monkeypatch.setattr(record, "SEEN_MAX", 4)
    book = _book(each=100)
    knocks = [_from(6, b"%d" % n) for n in range(6)]
    assert [book.consider(k, NOW) for k in knocks[:3]] == [Accepted(1), Accepted(2), Accepted(3)]
    assert book.consider(knocks[3], NOW) == Ignored("full")
    for number in (1, 2, 3):
        book.take(number, NOW)
    for k in knocks[3:5]:
        assert isinstance(book.consider(k, NOW), Accepted)
    # the oldest of five has been forgotten, the others not
    assert book.consider(knocks[1], NOW) == Ignored("seen")
    assert isinstance(book.consider(knocks[0], NOW), Accepted)


@given(
    st.lists(st.tuples(st.sampled_from(["knock", "take", "revoke", "use"]), st.integers(0, 5)), max_size=30)
)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
def test_waiting_knocks_always_have_a_valid_invite(steps: list[tuple[str, int]]) -> None:
    book = Knocks()
    single = {index: index % 2 == 0 for index in range(5)}
    for index, one in single.items():
        book.issue(index, single=one)
    revoked: set[int] = set()
    used: set[int] = set()
    exporter = hpke.Exporter(lobby.SUITE, bytes(32))
    for act, index in steps:
        if act == "knock":
            book.consider(
                OpenedKnock(index, bytes(32), os.urandom(8), "Ada", "", int(NOW) + 600, exporter), NOW
            )
        elif act == "take":
            for waiting_now in book.waiting(NOW)[:1]:
                book.take(waiting_now.id, NOW)
        elif act == "revoke":
            revoked.add(index)
            book.revoke(index)
        else:
            used.add(index)
            book.use([index])
        waiting = [w.knock.index for w in book.waiting(NOW)]
        assert len(waiting) == len(set(waiting))
        assert not revoked & set(waiting)
        assert not any(single[i] and i in used for i in waiting)
        assert all(i in single for i in waiting)
