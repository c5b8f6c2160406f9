"""Invites: hosts tell them apart, and nobody else can."""

from __future__ import annotations

import random

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.invites import LABEL_MAX, MINE_MAX, InviteBook
from snugroom.client.session.entry.replies import BYTES_MAX, KEPT, Replies
from snugroom.client.session.kernel.session import Session
from snugroom.crypto.agreed.room_state import SINGLE_USE
from snugroom.crypto.entry.invite import Invite
from snugroom.crypto.entry.lobby import Reply
from snugroom.lab.simulation.world import ORIGIN, START, Participant, World, seeded
from snugroom.wire.messages import Post, decode_client, encode
from tests.session.hosts import lobby_of, two_hosts
from tests.session.invites import invite, knocks, made, rows

# -- making and using --------------------------------------------------------------------------------


def test_everybody_sees_a_members_invite_and_the_host_sees_its_label() -> None:
    w = World(1)
    ada = w.host("Ada", admission="ask")
    for_bo, for_cem = invite(w, ada, "Bo", once=True), invite(w, ada, "Cem")
    assert for_bo.index & SINGLE_USE
    assert for_bo.once
    assert not for_cem.index & SINGLE_USE
    assert Invite.parse(for_bo.link).index == for_bo.index
    bo = w.guest(for_bo.link, "Bo")
    w.until(lambda: len(knocks(ada)) == 1)
    assert (knocks(ada)[0].invite, knocks(ada)[0].label) == (for_bo.index, "Bo")
    w.do(ada, ev.Admit(1))
    w.until(lambda: w.agreed([ada, bo]))
    cem = w.guest(for_cem.link, "Cem")
    w.until(lambda: len(knocks(ada)) == 2)
    w.do(ada, ev.Admit(2))
    w.until(lambda: w.agreed([ada, bo, cem]))
    at_bo = bo.of(ev.Roster)[-1]
    at_ada = ada.of(ev.Roster)[-1]
    assert (at_bo.by, at_bo.added[0].invite, at_bo.added[0].label) == (0, for_cem.index, None), "a host's own"
    assert (at_ada.by, at_ada.added[0].invite, at_ada.added[0].label) == (0, for_cem.index, "Cem")
    assert rows(w, ada) == {
        0: ev.InviteRow(0, "", False, (), False),
        for_bo.index: ev.InviteRow(for_bo.index, "Bo", True, ("Bo",), False),
        for_cem.index: ev.InviteRow(for_cem.index, "Cem", False, ("Cem",), False),
    }


def test_a_meeting_begins_with_the_requested_invites() -> None:
    w = World(2)
    wanted = [ev.NewInvite("Bo", True), ev.NewInvite("Cem", True)]
    session = Session.host(
        origin=ORIGIN,
        name="Ada",
        admission="all",
        invites=wanted,
        open_invite=False,
        now=w.now,
        rng=seeded(5),
    )
    ada = w.add("Ada", session)
    assert [(e.label, e.once) for e in ada.of(ev.InviteMade)] == [("Bo", True), ("Cem", True)]
    bo, cem = w.guest(made(ada, "Bo").link, "Bo"), w.guest(made(ada, "Cem").link, "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]) or w.agreed([ada, cem, bo]))
    assert not ada.alarms
    w.do(ada, ev.Remove(1))
    w.run(3)
    assert len(ada.of(ev.InviteMade)) == 2, "no open invite is made by itself where none was wanted"
    with pytest.raises(ValueError, match="64 bytes"):
        Session.host(origin=ORIGIN, name="Ada", invites=[ev.NewInvite("x" * 65)], now=w.now)


def test_a_deputy_sees_whose_invites_are_whose() -> None:
    w = World(3)
    ada, bo = two_hosts(w)
    w.kill_server()  # so that Ada, who is asked first, can be kept out of the lobby
    w.start_server()
    for_cem, by_bo = invite(w, ada, "Cem"), invite(w, bo, "Dana")
    w.until(lambda: w.agreed([ada, bo]))
    w.kill(ada)
    cem, dana = w.guest(for_cem.link, "Cem"), w.guest(by_bo.link, "Dana")
    w.until(lambda: {"Cem", "Dana"} <= set(bo.roster), 30)
    assert {(k.name, k.label) for k in knocks(bo)} == {("Cem", None), ("Dana", "Dana")}
    told = rows(w, bo)
    assert told[for_cem.index] == ev.InviteRow(for_cem.index, None, False, ("Cem",), False)
    assert told[by_bo.index] == ev.InviteRow(by_bo.index, "Dana", False, ("Dana",), False)
    assert not cem.ended
    assert not dana.ended


def test_a_newcomer_who_becomes_a_host_knows_who_used_what_before() -> None:
    w = World(4)
    ada, bo = w.meeting("Ada", "Bo")
    once = invite(w, ada, "Cem", once=True)
    cem = w.guest(once.link, "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]))
    dana = w.guest(made(ada, "").link, "Dana")
    w.until(lambda: w.agreed([ada, bo, cem, dana]))
    w.do(ada, ev.Deputise(3))
    w.until(lambda: dana.session._host is not None)
    told = rows(w, dana)
    assert told[once.index].used_by == ("Cem",)
    assert told[0].used_by == ("Bo",), "as far as the ledger says, and oneself one knows"


def test_indices_are_drawn_and_never_taken_twice() -> None:
    book = InviteBook()
    book.first(bytes(32))
    draws = iter([b"\x00\x00", b"\x00\x07", b"\x80\x07", b"\x00\x08", b"\x00\x09"])
    taken = [0x8000 | 8]
    assert book.make("a", False, bytes(32), taken, lambda n: next(draws)) == 7, "0 is the open one"
    assert book.make("b", True, bytes(32), taken, lambda n: next(draws)) == 0x8009, (
        "7 and 8 are in use, once or not"
    )
    with pytest.raises(ValueError, match="nearly all"):
        book.make("c", False, bytes(32), taken, lambda n: b"\x00\x07")


def test_labels_and_their_number_are_bounded() -> None:
    book = InviteBook()
    for label in ("x" * (LABEL_MAX + 1), "a\nb", "\u202eevil", "\ud800", "\x1b[2J"):
        with pytest.raises(ValueError, match="label"):
            book.make(label, False, bytes(32), (), random.Random(1).randbytes)
    rng = random.Random(2).randbytes
    for n in range(MINE_MAX):
        book.make(str(n), False, bytes(32), (), rng)
    with pytest.raises(ValueError, match="one host can make at most"):
        book.make("one more", False, bytes(32), (), rng)


def test_two_hosts_draw_different_indices() -> None:
    w = World(5)
    ada, bo = two_hosts(w)
    indices = [invite(w, who, f"{who.label} {n}").index for who in (ada, bo) for n in range(20)]
    assert len(set(indices)) == 40
    assert max(indices) < SINGLE_USE


# -- hostile knockers --------------------------------------------------------------------------------


def test_an_invite_that_is_made_as_a_host_goes_admits_without_a_question() -> None:
    """It waits for the new keys: hosts ask their person about everybody with an invite of earlier keys."""
    w = World(944)
    ada, bo, *_ = two_hosts(w, "Cem")
    before = ada.room.host_keys
    w.do(ada, ev.HandOver(1))
    w.until(lambda: bo.room.membership.ledger.rotation_due, 10)
    w.do(bo, ev.NewInvite("Dana", once=True))
    assert bo.of(ev.InviteMade) == []
    w.until(lambda: bool(bo.of(ev.InviteMade)), 10)
    assert bo.room.host_keys != before
    [made] = [e for e in bo.of(ev.InviteMade) if e.label == "Dana"]
    dana = w.guest(made.link, "Dana")
    w.until(lambda: len(dana.roster) == 4, 20)
    assert bo.of(ev.Knocked)[-1].older is False


def test_a_lost_answer_is_given_again_however_many_came_after_it() -> None:
    w = World(41)
    ada = w.host("Ada", admission="ask")
    link = w.link_of(ada)
    bo = w.guest(link, "Bo")
    w.until(lambda: len(knocks(ada)) == 1)
    w.down_filter = lambda who, message: who is not bo or type(message).__name__ != "Posted"
    w.do(ada, ev.Admit(1))
    w.until(lambda: "Bo" in ada.roster)
    for first in range(0, 70, 14):
        others = [w.guest(link, f"Guest {first + n}") for n in range(14)]
        w.until(lambda: len(knocks(ada)) == 1 + first + 14)
        for knock in knocks(ada)[-14:]:
            w.do(ada, ev.Refuse(knock.knock))
        w.until(lambda: all(who.ended is not None for who in others))
    w.down_filter = lambda who, message: True
    w.until(lambda: w.agreed([ada, bo]))


def test_a_reply_is_kept_for_ten_minutes_and_all_of_them_are_bounded() -> None:
    replies = Replies()
    large = Reply(bytes(8), bytes(BYTES_MAX // 2))
    for n in range(4):
        replies.add(bytes([n]), large, START)
        replies.add(bytes([n]), large, START)
    assert [n for n in range(4) if replies.get(bytes([n])) is not None] == [2, 3]
    replies.add(b"x", Reply(bytes(8), b"x"), START + 1)
    assert [replies.get(mark) is not None for mark in (b"\2", b"\3", b"x")] == [False, True, True]
    replies.expire(START + KEPT)
    assert len(replies) == 2
    replies.expire(START + KEPT + 1)
    assert (len(replies), replies.get(b"x") is not None) == (1, True)
    replies.expire(START + KEPT + 2)
    assert len(replies) == 0


def test_refusals_that_nobody_asked_for_are_bounded() -> None:
    w = World(40)
    ada = w.host("Ada", admission="ask")
    one = invite(w, ada, "x")
    w.until(lambda: any(endpoint.day is not None for endpoint in ada.links))
    w.do(ada, ev.Revoke(one.index))
    host = lobby_of(ada)
    for n in range(150):
        w.guest(one.link, f"Guest {n}")
    w.run(3)
    assert len(host._connections._waiting) <= 33 + 1, "a card may wait besides"
    bo = w.guest(made(ada, "").link, "Bo")
    w.until(lambda: any(k.name == "Bo" for k in knocks(ada)), 60)
    w.do(ada, ev.Admit(knocks(ada)[-1].knock))
    w.until(lambda: w.agreed([ada, bo]), 60)
    assert len(host._asked) <= 1
    assert len(host._replied) <= 1


# -- the server --------------------------------------------------------------------------------------


def posted_by(w: World, link: str, name: str, ada: Participant) -> list[tuple[str, int, tuple[str, ...]]]:
    """The server's view of one knock: types, sizes of the frames, names of the fields."""
    got: set[tuple[str, int, tuple[str, ...]]] = set()
    hub = w.hub
    real = hub.handle

    def handle(handle, message, now):  # type: ignore[no-untyped-def]
        owner = w.handles.get(handle)
        if owner is not None and owner.who.label == name and owner.endpoint.day is not None:
            got.add((type(message).__name__, len(encode(message)), tuple(message.__struct_fields__)))
        return real(handle, message, now)

    hub.handle = handle  # type: ignore[method-assign]
    guest = w.guest(link, name)
    w.until(lambda: name in ada.roster)
    w.run(1)
    hub.handle = real  # type: ignore[method-assign]
    assert not guest.ended
    return sorted(got)


def test_the_server_cannot_tell_one_invite_from_another() -> None:
    w = World(50)
    ada = w.host("Ada", admission="all")
    links = [w.link_of(ada), invite(w, ada, "Bo", once=True).link, invite(w, ada, "a long label " * 4).link]
    lobbies = set()
    for link in links:
        parsed = Invite.parse(link)
        lobbies.add((parsed.secret, parsed.host_public, parsed.origin))
    assert len(lobbies) == 1, "one lobby for all invites"
    seen = [posted_by(w, link, name, ada) for link, name in zip(links, ("Bob", "Cem", "Dan"), strict=True)]
    assert [kind for kind, _, _ in seen[0]] == ["LobbyDoor", "Post", "Post"], "the door, a call, the knock"
    assert seen[0] == seen[1] == seen[2], "types, sizes and fields of all that a knocker sends"


def test_a_refusal_for_the_invite_looks_like_any_other() -> None:
    w = World(51)
    ada = w.host("Ada", admission="ask")
    once = invite(w, ada, "Bo", once=True)
    w.do(ada, ev.Revoke(once.index))
    sizes: list[int] = []
    real = w._ascend

    def recording(link, frame):  # type: ignore[no-untyped-def]
        message = decode_client(frame)
        if link.who is ada and isinstance(message, Post) and message.to is not None:
            sizes.append(len(frame))
        real(link, frame)

    w._ascend = recording  # type: ignore[method-assign]
    over = w.guest(once.link, "Bo")
    w.until(lambda: over.ended is not None)
    refused = w.guest(made(ada, "").link, "Cem")
    w.until(lambda: len(knocks(ada)) == 1)
    w.do(ada, ev.Refuse(1))
    w.until(lambda: refused.ended is not None)
    assert len(sizes) == 3, "a refusal; and that the knock has come, and a refusal"
    assert len(set(sizes)) == 1
