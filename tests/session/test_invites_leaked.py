"""Invites that were used twice or taken back: hosts are told, and knocks by them are refused."""

from __future__ import annotations

import math

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.entry.guest import GuestLobby
from snugroom.client.session.features.revocation import Revocation
from snugroom.crypto.agreed.room_state import SINGLE_USE
from snugroom.lab.simulation.world import World
from snugroom.wire.messages import decode_client
from tests.session.hosts import lobby_of, two_hosts
from tests.session.invites import alarms, invite, knocks, made, rows

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
        f"The invite for \u201cBo\u201d (no. {once.index}) was used twice: it has leaked. "
        "\u201cBo\u201d came in with it, and now somebody who says \u201cMallory\u201d knocks with it. "
        "It opens nothing any more. Ask \u201cBo\u201d something that only the right person can know, or "
        "remove them."
    )
    w.until(lambda: mallory.ended is not None)
    assert mallory.ended == ev.Ended("refused", sentence("refusal.over")), "an answer rather than silence"
    third = w.guest(once.link, "Trudy")
    w.until(lambda: third.ended is not None)
    assert len(alarms(ada, "invite_leaked")) == 1, "once an invite"
    assert len(knocks(ada)) == shown, "and nobody is shown"
    assert ada.roster == ["Ada", "Bo"]


def test_two_knocks_with_one_invite_are_both_refused() -> None:
    w = World(11)
    ada = w.host("Ada", admission="ask")
    once = invite(w, ada, "Bo", once=True)
    one = w.guest(once.link, "Bo")
    w.until(lambda: len(knocks(ada)) == 1)
    two = w.guest(once.link, "Bob")
    w.until(lambda: one.ended is not None and two.ended is not None)
    assert one.ended == two.ended == ev.Ended("refused", sentence("refusal.over"))
    (text,) = alarms(ada, "invite_leaked")
    assert "\u201cBo\u201d and \u201cBob\u201d knock with it" in text
    with pytest.raises(ValueError, match="nobody waits"):
        w.do(ada, ev.Admit(knocks(ada)[0].knock))
    assert rows(w, ada)[once.index].revoked
    again = w.guest(once.link, "Bo")
    w.until(lambda: again.ended is not None)
    assert len(knocks(ada)) == 1
    assert len(alarms(ada, "invite_leaked")) == 1


def test_a_second_use_does_not_stop_an_admission_on_its_way() -> None:
    w = World(12, latency=0.2)
    ada = w.host("Ada", admission="all")
    once = invite(w, ada, "Bo", once=True)
    one, two = w.guest(once.link, "Bo"), w.guest(once.link, "Bob")
    w.until(lambda: one.ended is not None or two.ended is not None)
    loser, winner = (one, two) if one.ended is not None else (two, one)
    assert loser.ended == ev.Ended("refused", sentence("refusal.over"))
    w.until(lambda: w.agreed([ada, winner]))
    assert len(alarms(ada, "invite_leaked")) == 1


def test_a_second_knock_of_one_person_is_no_leak() -> None:
    """One person knocks with one key after a new card, a lost connection, at another host: no second use."""
    w = World(13)
    ada = w.host("Ada", admission="ask")
    once = invite(w, ada, "Bo", once=True)
    bo = w.guest(once.link, "Bo")
    w.until(lambda: len(knocks(ada)) == 1)
    for _ in range(3):
        for link in list(bo.links.values()):
            w.cut(link)
        w.run(7)
    guest = bo.session._guest
    assert isinstance(guest, GuestLobby)
    hears, guest._replied = guest._replied, lambda *_: None  # type: ignore[method-assign]
    w.run(560)  # by then the host's card is a new one, and Bo, who hears nothing, has knocked by it as well
    guest._replied = hears  # type: ignore[method-assign]
    assert len({sent.card.eph_public for sent in guest._sent}) > 1
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
    lobby_of(ada)._replied.expire(math.inf)  # as ten minutes later
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
    assert loser.ended == ev.Ended("refused", sentence("refusal.over"))
    w.until(lambda: w.agreed([ada, bo, winner]))
    assert "not_admitted" in alarmed.alarms
    (text,) = alarms(alarmed, "invite_leaked")
    assert f"\u201c{winner.label}\u201d came in with it" in text
    assert f"\u201c{loser.label}\u201d knocks with it" in text


# -- taking back -------------------------------------------------------------------------------------


def test_a_revoked_invite_is_refused_by_all_hosts() -> None:
    w = World(30)
    ada, bo = two_hosts(w)
    one = invite(w, ada, "Cem")
    w.do(ada, ev.Revoke(one.index))
    with pytest.raises(ValueError, match="opens nothing any more"):
        w.do(ada, ev.Revoke(one.index))
    w.until(lambda: one.index in bo.session._invites.book.taken_back)
    assert ev.Status("revoked", f"\u201cAda\u201d took invite {one.index} back.") in bo.told
    assert rows(w, ada)[one.index].revoked
    before = len(knocks(ada)) + len(knocks(bo))
    cem = w.guest(one.link, "Cem")
    w.until(lambda: cem.ended is not None)
    assert cem.ended == ev.Ended("refused", sentence("refusal.over"))
    w.kill(ada)
    dana = w.guest(one.link, "Dana")
    w.until(lambda: dana.ended is not None, 30)
    assert dana.ended == ev.Ended("refused", sentence("refusal.over"))
    assert len(knocks(ada)) + len(knocks(bo)) == before
    assert not alarms(bo, "invite_leaked"), "somebody who has an old link is no leak"
    with pytest.raises(ValueError, match="no invite 4711 is known"):
        w.do(bo, ev.Revoke(4711))


def test_a_guest_who_waits_by_a_revoked_invite_hears_of_it() -> None:
    w = World(31)
    ada = w.host("Ada", admission="ask")
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: len(knocks(ada)) == 1)
    w.do(ada, ev.Revoke(0))
    w.until(lambda: bo.ended is not None, 1, "at once, and not when Bo knocks again")
    assert bo.ended == ev.Ended("refused", sentence("refusal.over"))
    assert ev.Status("revoked", "The shared link opens nothing any more.") in ada.told
    assert len(ada.of(ev.InviteMade)) == 1, "taking back is not exchanging"


def test_hosts_who_were_away_or_come_later_hear_of_revocations() -> None:
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


def test_a_revocation_is_sent_again_until_it_has_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_only_hosts_revoke_invites() -> None:
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


def test_a_removal_makes_a_new_open_link_and_the_old_one_is_refused() -> None:
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
    assert again.ended == friend.ended == ev.Ended("refused", sentence("refusal.over"))
    (text,) = alarms(ada, "removed_knocks")
    assert "\u201cBo\u201d came in with that invite, and was removed" in text
    assert not alarms(ada, "invite_leaked")


def test_a_return_by_a_single_use_invite_is_told_as_a_second_use() -> None:
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
