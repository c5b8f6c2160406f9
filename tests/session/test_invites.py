"""Invites that can be told apart by hosts and by nobody else, and what happens when one has leaked."""

from __future__ import annotations

import random

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.entry.guest import GuestLobby
from snugroom.client.session.entry.invites import LABEL_MAX, MINE_MAX, InviteBook
from snugroom.client.session.entry.lobby import IS_OVER
from snugroom.client.session.features.revocation import Revocation
from snugroom.client.session.kernel.session import Session
from snugroom.crypto.agreed.room_state import SINGLE_USE
from snugroom.crypto.entry.invite import Invite
from snugroom.server.wire.messages import decode_client, encode
from tests.session.test_powers import lobby_of, two_hosts
from tests.session.world import ORIGIN, Participant, World, seeded


def made(host: Participant, label: str) -> ev.InviteMade:
    (one,) = [e for e in host.told if isinstance(e, ev.InviteMade) and e.label == label]
    return one


def invite(w: World, host: Participant, label: str, *, once: bool = False) -> ev.InviteMade:
    w.do(host, ev.NewInvite(label, once))
    return made(host, label)


def rows(w: World, host: Participant) -> dict[int, ev.InviteRow]:
    w.do(host, ev.ListInvites())
    told = host.of(ev.Invites)[-1]
    return {row.index: row for row in told.rows}


def alarms(who: Participant, kind: str) -> list[str]:
    return [e.text for e in who.told if isinstance(e, ev.Alarm) and e.kind == kind]


def knocks(who: Participant) -> list[ev.Knocked]:
    return [e for e in who.told if isinstance(e, ev.Knocked)]


# -- making and using --------------------------------------------------------------------------------


def test_everybody_sees_by_which_invite_somebody_came_in_and_the_host_for_whom() -> None:
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
    assert (at_bo.by, at_bo.invite, at_bo.label) == (0, for_cem.index, None), "labels stay with their host"
    assert (at_ada.by, at_ada.invite, at_ada.label) == (0, for_cem.index, "Cem")
    assert rows(w, ada) == {
        0: ev.InviteRow(0, "", False, (), False),
        for_bo.index: ev.InviteRow(for_bo.index, "Bo", True, ("Bo",), False),
        for_cem.index: ev.InviteRow(for_cem.index, "Cem", False, ("Cem",), False),
    }


def test_a_meeting_begins_with_the_invites_that_were_asked_for() -> None:
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
    book.first()
    draws = iter([b"\x00\x00", b"\x00\x07", b"\x80\x07", b"\x00\x08", b"\x00\x09"])
    taken = [0x8000 | 8]
    assert book.make("a", False, taken, lambda n: next(draws)) == 7, "0 is the open one"
    assert book.make("b", True, taken, lambda n: next(draws)) == 0x8009, "7 and 8 are in use, once or not"
    with pytest.raises(ValueError, match="nearly all"):
        book.make("c", False, taken, lambda n: b"\x00\x07")


def test_labels_and_their_number_are_bounded() -> None:
    book = InviteBook()
    for label in ("x" * (LABEL_MAX + 1), "a\nb", "\u202eevil", "\ud800", "\x1b[2J"):
        with pytest.raises(ValueError, match="label"):
            book.make(label, False, (), random.Random(1).randbytes)
    rng = random.Random(2).randbytes
    for n in range(MINE_MAX):
        book.make(str(n), False, (), rng)
    with pytest.raises(ValueError, match="as many as one host makes"):
        book.make("one more", False, (), rng)


def test_two_hosts_draw_different_indices() -> None:
    w = World(5)
    ada, bo = two_hosts(w)
    indices = [invite(w, who, f"{who.label} {n}").index for who in (ada, bo) for n in range(20)]
    assert len(set(indices)) == 40
    assert max(indices) < SINGLE_USE


# -- a second use ------------------------------------------------------------------------------------


def test_a_second_use_of_a_used_invite_alarms_and_says_which_leaked_and_who_came_in() -> None:
    w = World(10)
    ada = w.host("Ada", admission="all")
    once = invite(w, ada, "Bo", once=True)
    bo = w.guest(once.link, "Bo")
    w.until(lambda: w.agreed([ada, bo]))
    shown = len(knocks(ada))
    mallory = w.guest(once.link, "Mallory")
    took = w.until(lambda: bool(alarms(ada, "invite_leaked")))
    assert took < 5
    (text,) = alarms(ada, "invite_leaked")
    assert text == (
        f"The invite for \u201cBo\u201d (no. {once.index}) was used twice: it has leaked. Bo came in by it, "
        "and now somebody who says \u201cMallory\u201d knocks with it. It opens nothing any more. Ask Bo "
        "something that only the right one can know, or remove them."
    )
    w.until(lambda: mallory.ended is not None)
    assert mallory.ended == ev.Ended("refused", IS_OVER), "an answer rather than silence"
    third = w.guest(once.link, "Trudy")
    w.until(lambda: third.ended is not None)
    assert len(alarms(ada, "invite_leaked")) == 1, "once an invite"
    assert len(knocks(ada)) == shown, "and nobody is shown"
    assert ada.roster == ["Ada", "Bo"]


def test_two_who_knock_with_one_invite_are_both_turned_away() -> None:
    w = World(11)
    ada = w.host("Ada", admission="ask")
    once = invite(w, ada, "Bo", once=True)
    one = w.guest(once.link, "Bo")
    w.until(lambda: len(knocks(ada)) == 1)
    two = w.guest(once.link, "Bob")
    w.until(lambda: one.ended is not None and two.ended is not None)
    assert one.ended == two.ended == ev.Ended("refused", IS_OVER)
    (text,) = alarms(ada, "invite_leaked")
    assert "\u201cBo\u201d and \u201cBob\u201d knock with it" in text
    with pytest.raises(ValueError, match="nobody waits"):
        w.do(ada, ev.Admit(knocks(ada)[0].knock))
    assert rows(w, ada)[once.index].revoked
    again = w.guest(once.link, "Bo")
    w.until(lambda: again.ended is not None)
    assert len(knocks(ada)) == 1
    assert len(alarms(ada, "invite_leaked")) == 1


def test_one_who_is_being_let_in_is_not_kept_out_by_a_second_use() -> None:
    w = World(12, latency=0.2)
    ada = w.host("Ada", admission="all")
    once = invite(w, ada, "Bo", once=True)
    one, two = w.guest(once.link, "Bo"), w.guest(once.link, "Bob")
    w.until(lambda: one.ended is not None or two.ended is not None)
    loser, winner = (one, two) if one.ended is not None else (two, one)
    assert loser.ended == ev.Ended("refused", IS_OVER)
    w.until(lambda: w.agreed([ada, winner]))
    assert len(alarms(ada, "invite_leaked")) == 1


def test_who_knocks_again_with_the_same_invite_has_not_leaked_it() -> None:
    """A new card, a lost connection, another host: one person knocks with one key, and is no second use."""
    w = World(13)
    ada = w.host("Ada", admission="ask")
    once = invite(w, ada, "Bo", once=True)
    bo = w.guest(once.link, "Bo")
    w.until(lambda: len(knocks(ada)) == 1)
    for _ in range(3):
        for link in list(bo.links.values()):
            w.cut(link)
        w.run(7)
    w.run(560)  # by then the host's card is a new one, and Bo has knocked by it as well
    guest = bo.session._guest
    assert isinstance(guest, GuestLobby)
    assert len({sent.nonce for sent in guest._sent}) > 1
    assert not ada.alarms
    assert bo.ended is None
    waiting = [a for a in lobby_of(ada)._asked.values() if a.knock.index == once.index]
    if waiting:
        w.do(ada, ev.Admit(knocks(ada)[-1].knock))
        w.until(lambda: w.agreed([ada, bo]))
    w.run(30)
    assert not ada.alarms


def test_a_knock_that_is_played_again_by_the_server_is_no_second_use() -> None:
    w = World(14)
    posts: list[bytes] = []
    real = w._ascend

    def recording(link, frame):  # type: ignore[no-untyped-def]
        message = decode_client(frame)
        if type(message).__name__ == "Post" and link.who.label == "Bo":
            posts.append(frame)
        real(link, frame)

    w._ascend = recording  # type: ignore[method-assign]
    ada = w.host("Ada", admission="all")
    once = invite(w, ada, "Bo", once=True)
    bo = w.guest(once.link, "Bo")
    w.until(lambda: w.agreed([ada, bo]))
    knocked = posts[-1]
    watcher = w.guest(made(ada, "").link, "Eve")  # somebody in the lobby, through whom it is played
    w.until(lambda: any(endpoint.day is not None for endpoint in watcher.links))
    lobby_of(ada)._replied.clear()  # as after 64 other replies
    for _ in range(3):
        for endpoint, link in list(watcher.links.items()):
            if endpoint.day is not None:
                real(link, knocked)
        w.run(2)
    assert not ada.alarms


def test_an_invite_that_leaked_to_two_hosts_at_once_is_told_too() -> None:
    """Each host says yes to one; the later of the two commits is refused (SNUG-12), and its host alarmed."""
    w = World(20)
    ada = w.host("Ada", admission="ask")
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: len(knocks(ada)) == 1)
    w.do(ada, ev.Admit(1))
    w.until(lambda: w.agreed([ada, bo]))
    w.run(1)
    w.do(ada, ev.Deputise(1))
    w.until(lambda: any(endpoint.day is not None for endpoint in bo.links))
    once = invite(w, ada, "Cem", once=True)
    w.down_filter = lambda who, message: who is not bo or type(message).__name__ != "Posted"
    one = w.guest(once.link, "Cem")
    w.until(lambda: len(knocks(ada)) == 2)
    w.down_filter = lambda who, message: who is not ada or type(message).__name__ != "Posted"
    two = w.guest(once.link, "Mallory")
    w.until(lambda: len(knocks(bo)) == 1, why="sealed to Bo's card: Ada could not have seen it")
    w.down_filter = lambda who, message: True
    w.do(ada, ev.Admit(knocks(ada)[1].knock))
    w.do(bo, ev.Admit(knocks(bo)[0].knock))
    w.until(lambda: one.ended is not None or two.ended is not None)
    loser, winner, alarmed = (one, two, ada) if one.ended is not None else (two, one, bo)
    assert loser.ended == ev.Ended("refused", IS_OVER)
    w.until(lambda: w.agreed([ada, bo, winner]))
    assert "not_admitted" in alarmed.alarms
    (text,) = alarms(alarmed, "invite_leaked")
    assert f"{winner.label} came in by it" in text
    assert f"\u201c{loser.label}\u201d knocks with it" in text


# -- taking back -------------------------------------------------------------------------------------


def test_an_invite_that_was_taken_back_is_refused_by_all_hosts() -> None:
    w = World(30)
    ada, bo = two_hosts(w)
    one = invite(w, ada, "Cem")
    w.do(ada, ev.Revoke(one.index))
    with pytest.raises(ValueError, match="opens nothing any more"):
        w.do(ada, ev.Revoke(one.index))
    w.until(lambda: one.index in bo.session._invites.book.taken_back)
    assert ev.Status("revoked", f"Ada has invite {one.index} taken back.") in bo.told
    assert rows(w, ada)[one.index].revoked
    before = len(knocks(ada)) + len(knocks(bo))
    cem = w.guest(one.link, "Cem")
    w.until(lambda: cem.ended is not None)
    assert cem.ended == ev.Ended("refused", IS_OVER)
    w.kill(ada)
    dana = w.guest(one.link, "Dana")
    w.until(lambda: dana.ended is not None, 30)
    assert dana.ended == ev.Ended("refused", IS_OVER)
    assert len(knocks(ada)) + len(knocks(bo)) == before
    assert not alarms(bo, "invite_leaked"), "somebody who has an old link is no leak"
    with pytest.raises(ValueError, match="no invite 4711 is known"):
        w.do(bo, ev.Revoke(4711))


def test_who_waits_by_an_invite_that_is_taken_back_is_told_so() -> None:
    w = World(31)
    ada = w.host("Ada", admission="ask")
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: len(knocks(ada)) == 1)
    w.do(ada, ev.Revoke(0))
    w.until(lambda: bo.ended is not None, 1, "at once, and not when Bo knocks again")
    assert bo.ended == ev.Ended("refused", IS_OVER)
    assert ev.Status("revoked", "The open invite opens nothing any more.") in ada.told
    assert len(ada.of(ev.InviteMade)) == 1, "taking back is not exchanging"


def test_hosts_who_were_away_or_come_later_hear_what_was_taken_back() -> None:
    w = World(32)
    ada, bo, cem = two_hosts(w, "Cem")
    one, two, three = (invite(w, ada, name) for name in ("x", "y", "z"))
    w.do(ada, ev.Revoke(one.index))
    w.run(1)
    w.kill_server()
    w.do(ada, ev.Revoke(two.index))  # while nobody can be told
    w.run(1)
    w.start_server()
    w.until(lambda: two.index in bo.session._invites.book.taken_back, 20)
    dana = w.guest(made(ada, "").link, "Dana")
    w.until(lambda: w.agreed([ada, bo, cem, dana]), 20)
    w.do(ada, ev.Deputise(3))
    both = {one.index, two.index}
    w.until(lambda: dana.session._host is not None and both <= dana.session._invites.book.taken_back, 20)
    w.down_filter = lambda who, message: who is not bo or type(message).__name__ != "Relayed"
    w.do(ada, ev.Revoke(three.index))
    w.run(2)
    assert three.index not in bo.session._invites.book.taken_back
    w.down_filter = lambda who, message: True
    bo.room.needs_rejoin = True  # it has lost what was said meanwhile, and its state
    w.do(bo, ev.Tick())
    w.until(lambda: not bo.room.needs_rejoin and three.index in bo.session._invites.book.taken_back, 40)
    assert both <= bo.session._invites.book.taken_back


def test_what_was_taken_back_is_told_again_until_it_has_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(36)
    ada, bo = two_hosts(w)
    one = invite(w, ada, "x")
    sent: list[object] = []
    real = ada.room.send

    def lossy(message: object) -> None:
        sent.append(message)
        if len(sent) > 1 or type(message).__name__ != "Relay":
            real(message)

    w.run(2)  # nothing else is on its way
    monkeypatch.setattr(ada.room, "send", lossy)
    w.do(ada, ev.Revoke(one.index))
    w.until(lambda: one.index in bo.session._invites.book.taken_back, 8)
    assert type(sent[0]).__name__ == "Relay", "the first one was lost"


def test_only_hosts_take_invites_back() -> None:
    w = World(33)
    ada, bo, cem = two_hosts(w, "Cem")
    one = invite(w, ada, "Dana")
    cem.room.relay(content.Revoked([one.index, 0]))
    w.run(3)
    for host in (ada, bo):
        assert not host.session._invites.book.taken_back
        assert not host.room.feature(Revocation).revoked
    dana = w.guest(one.link, "Dana")
    w.until(lambda: w.agreed([ada, bo, cem, dana]))


def test_a_removal_gives_a_new_open_link_and_turns_away_who_comes_by_the_old() -> None:
    w = World(34)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    first = w.link_of(ada)
    w.do(ada, ev.Remove(1))
    w.until(lambda: bo.ended is not None and w.agreed([ada, cem]))
    new = [e for e in ada.told if isinstance(e, ev.InviteMade)][-1]
    assert new.replaces == 0
    assert 0 < new.index < SINGLE_USE
    again, friend = w.guest(first, "Boris"), w.guest(first, "Somebody")
    w.until(lambda: again.ended is not None and friend.ended is not None)
    assert again.ended == friend.ended == ev.Ended("refused", IS_OVER)
    (text,) = alarms(ada, "removed_knocks")
    assert "by which Bo had come in, who was removed" in text
    assert not alarms(ada, "invite_leaked")


def test_who_leaves_and_comes_back_by_a_single_use_invite_is_told_as_a_second_use() -> None:
    """An innocent cause, which the alarm's page names; the next invite lets them in."""
    w = World(35)
    ada = w.host("Ada", admission="all")
    once = invite(w, ada, "Bo", once=True)
    bo = w.guest(once.link, "Bo")
    w.until(lambda: w.agreed([ada, bo]))
    w.run(1)
    w.do(bo, ev.Leave())
    w.until(lambda: ada.roster == ["Ada"])
    again = w.guest(once.link, "Bo")
    w.until(lambda: again.ended is not None)
    assert len(alarms(ada, "invite_leaked")) == 1
    back = w.guest(invite(w, ada, "Bo again", once=True).link, "Bo")
    w.until(lambda: w.agreed([ada, back]))


# -- hostile knockers --------------------------------------------------------------------------------


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
    """All that the server gets of one knock: type, size of the frame, names of the fields."""
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
        if link.who is ada and type(decode_client(frame)).__name__ == "Post":
            sizes.append(len(frame))
        real(link, frame)

    w._ascend = recording  # type: ignore[method-assign]
    over = w.guest(once.link, "Bo")
    w.until(lambda: over.ended is not None)
    refused = w.guest(made(ada, "").link, "Cem")
    w.until(lambda: len(knocks(ada)) == 1)
    w.do(ada, ev.Refuse(1))
    w.until(lambda: refused.ended is not None)
    assert len(sizes) >= 4, "a card and a reply each"
    assert len(set(sizes)) == 1
