"""A former host, or a thief of a recovery file, uses the keys that hosts share; and the keys change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.entry import helper
from snugroom.client.session.features.host_key_transfer import HostKeyTransfer, holds_current
from snugroom.client.session.kernel.opening import is_current
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.crypto.agreed import envelope
from snugroom.crypto.entry import invite
from snugroom.crypto.entry.invite import HostKeys, Invite
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from snugroom.wire import signed
from tests.session.hosts import card_of, deputised, lobby_of, two_hosts
from tests.session.test_recovery import come_back


def kept(who: Participant) -> HostRecoveryData:
    data = who.session.kept()
    assert data is not None
    return HostRecoveryData.decode(data.encode())


def statuses(who: Participant) -> list[str]:
    return [e.kind for e in who.of(ev.Status)]


def rotated(w: World, *hosts: Participant, generation: int = 2, most: float = 15.0) -> float:
    """Wait until these hosts have new keys, and no others are left."""

    def done() -> bool:
        return all(
            holds_current(who.room) and len(who.room.membership.policy.link_keys) == generation
            for who in hosts
        )

    return w.until(done, most, "the hosts have new keys")


def in_sync(w: World, *people: Participant) -> bool:
    return all(who.room.is_synced(w.now) for who in people)


def reconnect(w: World, who: Participant) -> None:
    w.down_filter = lambda who, message: True
    for link in list(who.links.values()):
        w.cut(link)


# -- the keys change -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["removed", "demoted", "steps down", "leaves"])
def test_the_keys_change_when_a_host_goes(how: str) -> None:
    w = World(900)
    ada, bo, cem = two_hosts(w, "Cem")
    old = bo.room.host_keys
    acts: dict[str, tuple[Participant, ev.Input]] = {
        "removed": (ada, ev.Remove(1)),
        "demoted": (ada, ev.Undeputise(1)),
        "steps down": (bo, ev.Undeputise(1)),
        "leaves": (bo, ev.Leave()),
    }
    w.do(*acts[how])
    rotated(w, ada)
    w.run(1)
    after = cem.room.membership.policy
    assert old is not None
    assert after.return_public != old.current.return_public
    assert after.room_admin_public != old.current.room_admin_key(cem.room.membership.group.group_id).public
    assert after.host_public == old.current.host_public, "links from before go on"
    assert not cem.room.membership.ledger.rotation_due
    assert cem.room.room_admin_keys.current == after.room_admin_public, (
        "the server holds the room under the new key"
    )
    assert statuses(ada).count("keys_changed") == 1
    assert "keys_changed" not in statuses(cem)
    new = Invite.parse(w.link_of(ada))
    assert new.host_public == after.link_keys[-1] != after.host_public, "and new links name the new key"
    dana = w.guest(new.link(), "Dana")
    people = [p for p in (ada, bo, cem, dana) if p.ended is None]
    w.until(lambda: w.agreed(people), 20)


def test_the_other_hosts_get_the_new_keys() -> None:
    w = World(901)
    ada, bo, cem, dana = two_hosts(w, "Cem", "Dana")
    w.do(bo, ev.Deputise(2))
    w.until(lambda: cem.session._host is not None)
    w.do(ada, ev.Remove(1))
    rotated(w, ada, cem)
    assert ada.room.host_keys == cem.room.host_keys
    w.until(lambda: len(ada.room.feature(HostKeyTransfer).confirmed) == 1, 20)
    w.do(cem, ev.NewInvite())
    eve = w.guest(w.link_of(cem), "Eve")
    w.until(lambda: w.agreed([ada, cem, dana, eve]), 20)


def test_a_host_that_changes_the_keys_and_dies_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = World(902)
    ada, _, cem = two_hosts(w, "Cem")
    w.do(ada, ev.Deputise(2))
    w.until(lambda: cem.session._host is not None)
    relay = ada.room.relay
    monkeypatch.setattr(
        ada.room, "relay", lambda what: b"" if isinstance(what, content.Grant) else relay(what)
    )
    w.do(ada, ev.Remove(1))
    w.until(lambda: len(cem.room.membership.policy.link_keys) == 2)
    assert not holds_current(cem.room)
    w.kill(ada)
    took = rotated(w, cem, generation=3, most=120)
    assert 25 < took < 60


def test_the_keys_change_when_a_host_is_silent_for_good_and_no_sooner() -> None:
    w = World(903)
    ada, bo, cem = two_hosts(w, "Cem")
    w.until(lambda: len(ada.room.feature(HostKeyTransfer).confirmed) == 1)
    w.kill(bo)
    w.run(45)
    assert len(cem.room.membership.policy.link_keys) == 1, "it may be back as the same leaf"
    assert 0 < rotated(w, ada, most=30) < 25
    w.run(100)
    assert len(cem.room.membership.policy.link_keys) == 2, "once"


def test_a_host_that_was_away_gets_the_new_keys_when_it_is_back() -> None:
    w = World(904)
    ada, bo, cem = two_hosts(w, "Cem")
    w.down_filter = lambda who, message: who is not bo
    for link in list(bo.links.values()):
        w.cut(link)
    rotated(w, ada, most=100)
    reconnect(w, bo)
    rotated(w, ada, bo, most=60)
    w.until(lambda: w.agreed([ada, bo, cem]), 20)
    assert bo.room.membership.is_host(1)


def test_nothing_changes_while_hosts_come_in_step_again() -> None:
    w = World(905)
    ada, bo, cem = two_hosts(w, "Cem")
    for _ in range(3):
        for who in (ada, bo, cem):
            for link in list(who.links.values()):
                w.cut(link)
        w.run(10)
    w.kill_server()
    w.run(3)
    w.start_server()
    w.run(20)
    bo.room.needs_rejoin = True
    w.do(bo, ev.Tick())
    w.until(lambda: not bo.room.needs_rejoin and w.agreed([ada, bo, cem]), 30)
    w.run(20)
    assert len(cem.room.membership.policy.link_keys) == 1


# -- who comes back --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Bo", "Mallory"])
@pytest.mark.parametrize("how", ["departed", "demoted", "stolen"])
def test_a_holder_of_old_keys_does_not_come_back(how: str, name: str) -> None:
    """Before: a departed host, or the thief of a file, was a host 0.2 s later, and removed the others."""
    w = World(910)
    ada, bo, cem = two_hosts(w, "Cem")
    file = replace(kept(bo), name=name)
    w.do(ada, ev.Lock(True))
    if how == "departed":
        w.do(bo, ev.Leave())
    elif how == "demoted":
        w.do(ada, ev.Undeputise(1))
    w.run(2)
    back = come_back(w, file)
    w.run(40)
    assert back.roster == []
    assert not [e for e in ada.of(ev.Knocked) if e.returning and e.name == "Mallory"]
    w.kill(ada)  # and once no host is heard
    w.run(60)
    assert back.roster == []
    assert cem.ended is None
    if how != "stolen":
        assert "return_stale" in statuses(back)


def test_a_host_is_asked_before_another_comes_back() -> None:
    w = World(911)
    ada, bo, cem = two_hosts(w, "Cem")
    file = kept(bo)
    w.do(ada, ev.Lock(True))
    w.kill(bo)
    w.run(2)
    back = come_back(w, file)
    w.until(lambda: any(e.returning for e in ada.of(ev.Knocked)), 60)
    asked = [e for e in ada.of(ev.Knocked) if e.returning]
    assert [(e.name, len(e.warnings)) for e in asked] == [("Bo", 1)]
    w.run(20)
    assert back.roster == [], "not without a person"
    assert len([e for e in ada.of(ev.Knocked) if e.returning]) == 1, "and asked once"
    w.do(ada, ev.Admit(asked[0].knock))
    w.until(lambda: w.agreed([ada, back, cem]), 20)
    assert back.room.membership.is_host(back.room.membership.own_leaf)
    with pytest.raises(ValueError, match="nobody waits"):
        w.do(ada, ev.Admit(asked[0].knock))


def test_a_newcomer_and_a_returning_host_are_never_taken_for_each_other() -> None:
    w = World(915)
    ada = w.host("Ada", admission="ask")
    w.run(2)
    bo, cem = (w.guest(w.link_of(ada), name) for name in ("Bo", "Cem"))
    number: dict[str, int] = {}

    def knocked(*names: str) -> None:
        w.until(lambda: {*names} <= {e.name for e in ada.of(ev.Knocked)} - number.keys(), 60)
        number.update({e.name: e.knock for e in ada.of(ev.Knocked) if e.name in names})

    knocked("Bo", "Cem")
    for name in ("Bo", "Cem"):
        w.do(ada, ev.Admit(number[name]))
    w.until(lambda: w.agreed([ada, bo, cem]), 20)
    deputised(w, ada, bo)
    file = kept(bo)
    w.kill(bo)
    dana = w.guest(w.link_of(ada), "Dana")
    knocked("Dana")
    del number["Bo"]
    before = set(number.values())
    back = come_back(w, file)
    w.until(lambda: any(e.returning for e in ada.of(ev.Knocked)), 60)
    returning = next(e.knock for e in ada.of(ev.Knocked) if e.returning)
    assert returning not in before
    w.do(ada, ev.Refuse(number["Dana"]))
    w.do(ada, ev.Admit(returning))
    w.until(lambda: w.agreed([ada, back, cem]), 20)
    w.until(lambda: dana.ended is not None, 20)
    assert dana.ended is not None
    assert dana.ended.reason == "refused"


def test_a_host_that_is_refused_is_not_asked_about_again() -> None:
    w = World(912)
    ada, bo, _ = two_hosts(w, "Cem")
    file = kept(bo)
    w.kill(bo)
    back = come_back(w, file)
    w.until(lambda: any(e.returning for e in ada.of(ev.Knocked)), 60)
    w.do(ada, ev.Refuse(next(e.knock for e in ada.of(ev.Knocked) if e.returning)))
    w.run(25)
    assert back.roster == []
    assert len([e for e in ada.of(ev.Knocked) if e.returning]) == 1


def helped(w: World, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Participant], Participant]:
    """A member, Cem, lets a thief of Bo's file come back, and asks nobody, while both hosts are here."""
    ada, bo, cem = two_hosts(w, "Cem")
    monkeypatch.setattr(helper, "_may_return", lambda room, asked, now: room is cem.room)
    monkeypatch.setattr(cem.room, "hostless", lambda now: True)  # its program attends the lobby
    return [ada, bo, cem], come_back(w, kept(bo))


def test_a_member_alone_lets_no_thief_in_while_hosts_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(913)
    (ada, bo, cem), thief = helped(w, monkeypatch)
    w.run(45)
    assert thief.roster == []
    assert w.agreed([ada, bo, cem])
    assert cem.room.membership.journal.slot > 20, "it tries"


def test_a_return_that_no_host_approved_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the server's help, which takes no commit of a host, it is let in: all are told, the victim too."""
    w = World(914)
    (ada, bo, _), thief = helped(w, monkeypatch)
    for host in (ada, bo):
        send = host.room.send
        monkeypatch.setattr(
            host.room, "send", lambda m, send=send: None if isinstance(m, wire.Commit) else send(m)
        )
    w.until(lambda: bo.ended is not None, 60)
    assert bo.ended is not None
    assert "Somebody came back in your place" in bo.ended.text
    w.until(lambda: "unapproved_return" in ada.alarms, 1)
    (alarm,) = [e.text for e in ada.of(ev.Alarm) if e.kind == "unapproved_return"]
    assert alarm.startswith(
        "\u201cCem\u201d's program let \u201cBo\u201d come back as a host, and no host approved it"
    )
    w.until(lambda: bool(thief.roster), 2)


# -- at the server -----------------------------------------------------------------------------------


def take_slot(w: World, who: Participant, keys: HostKeys) -> list[str]:
    """A former host's slot, noise that would close all gates but its own; the reasons why it is refused."""
    room = who.room
    journal = room.membership.journal
    blob, refused = w.rng(512), []
    chain, link = journal.chain_after(blob), who.links[ev.ROOM]
    for key in (seed.room_admin_key(room.membership.group.group_id) for seed in keys.seeds):
        for number in room.room_admin_keys.numbers:
            text = signed.Opening(number, journal.slot + 1, envelope.gate(blob), chain).encode()
            commit = wire.Commit(journal.slot + 1, blob, key.sign(text))
            answers = [getattr(e, "message", None) for e in w.hub.handle(link.handle, commit, w.now)]
            refused += [a.code for a in answers if isinstance(a, wire.Refused)]
    return refused


def test_a_demoted_deputy_closes_no_gate() -> None:
    """Before: two replaced gates, and no member was in step for 500 s."""
    w = World(920)
    ada, bo, cem = two_hosts(w, "Cem")
    keys = bo.room.host_keys
    w.do(ada, ev.Undeputise(1))
    rotated(w, ada)
    w.run(1)
    for _ in range(2):
        assert take_slot(w, bo, keys) == ["signature"] * 2
        w.run(2)
    assert in_sync(w, ada, cem)
    w.do(ada, ev.Say("still here"))
    w.until(lambda: ("Ada", "still here") in cem.said, 5)


@pytest.mark.parametrize("told", [True, False])
def test_a_demoted_deputy_that_opens_first_after_a_restart_is_alone_there(told: bool) -> None:
    """Before: it opened the room 100 slots ahead, and no member was in step for 500 s.

    `told`: whether the server has said, before it restarted, that it took the new key.
    """
    w = World(921)
    ada, bo, cem = two_hosts(w, "Cem")
    keys = bo.room.host_keys
    w.down_filter = lambda who, message: told or not isinstance(message, wire.Rekeyed)
    w.do(ada, ev.Undeputise(1))
    rotated(w, ada)
    w.run(1)
    w.kill(bo)
    w.kill_server()
    w.run(1)
    w.start_server()
    opener = Opener(w, ada, keys, bo)
    w.until(lambda: opener.opened, 5)
    w.until(lambda: in_sync(w, ada, cem), 10, "the others meet under the new key")
    w.do(ada, ev.Say("still here"))
    w.until(lambda: ("Ada", "still here") in cem.said, 5)


def test_the_author_of_a_change_of_keys_takes_one_slot_with_the_new_key() -> None:
    w = World(924)
    ada, _, cem = two_hosts(w, "Cem")
    w.do(ada, ev.Undeputise(1))
    rotated(w, ada)
    w.run(4)
    journal = cem.room.membership.journal
    newest, *earlier = journal.signed(newest=True)
    assert newest.slot == journal.slot
    assert is_current(cem.room, newest)
    assert earlier
    assert not any(is_current(cem.room, entry) for entry in earlier)


@pytest.mark.parametrize("host_stays", [True, False])
def test_members_open_a_restarted_room_by_an_opening_of_the_new_key(host_stays: bool) -> None:
    """Without it they would wait for ten seconds, in which a former member may be first."""
    w = World(923)
    ada, bo, cem, dana = two_hosts(w, "Cem", "Dana")
    keys = bo.room.host_keys
    w.do(ada, ev.Undeputise(1))
    rotated(w, ada)
    w.run(4)
    w.kill(bo)
    if not host_stays:
        w.kill(ada)
    w.kill_server()
    w.run(1)
    w.start_server()
    Opener(w, ada, keys, bo)
    here = [ada, cem, dana] if host_stays else [cem, dana]
    w.until(lambda: in_sync(w, *here), 6)


class Opener(Participant):
    """Enters the room's first number and opens it 100 slots ahead."""

    def __init__(self, w: World, of: Participant, keys: HostKeys, who: Participant) -> None:
        super().__init__("Opener", who.session)
        self.w, self.door = w, of.room.door_key
        self.admin = keys.seeds[0].room_admin_key(of.room.membership.group.group_id)
        self.number = invite.room_number(self.door.public, self.admin.public)
        self.slot = of.room.membership.journal.slot + 100
        self.opened = False
        handle, challenge = w.hub.connect()
        nonce, origin = bytes(32), of.room.origin
        signature = self.door.sign(invite.door_message(origin, self.number, challenge.nonce, nonce))
        w.hub.handle(handle, wire.RoomDoor(self.door.public, self.admin.public, nonce, signature), w.now)
        text = signed.Opening(self.number, self.slot, bytes(32), bytes(32)).encode()
        effects = w.hub.handle(
            handle, wire.Open(self.slot, bytes(32), bytes(32), self.admin.sign(text)), w.now
        )
        self.opened = any(isinstance(getattr(e, "message", None), wire.Opened) for e in effects)


def test_a_member_that_was_away_finds_the_room_by_its_old_number() -> None:
    w = World(922)
    ada, bo, cem = two_hosts(w, "Cem")
    w.down_filter = lambda who, message: who is not cem
    w.cut(cem.links[ev.ROOM])
    w.do(ada, ev.Undeputise(1))
    rotated(w, ada)
    w.run(3)
    reconnect(w, cem)
    w.until(lambda: w.agreed([ada, bo, cem]) and in_sync(w, cem), 20)
    assert cem.room.room_admin_keys.current == ada.room.room_admin_keys.current
    assert "receipt" not in cem.alarms + ada.alarms + bo.alarms
    w.kill_server()
    w.run(2)
    w.start_server()
    w.until(lambda: in_sync(w, ada, bo, cem), 20)


def test_the_room_is_found_if_the_connection_is_lost_between_the_commit_and_the_servers_answer() -> None:
    for seed in range(4):
        w = World(930 + seed, latency=0.05)
        ada, bo, cem = two_hosts(w, "Cem")
        w.do(ada, ev.Undeputise(1))
        w.until(lambda ada=ada: len(ada.room.membership.policy.link_keys) == 2)  # type: ignore[misc]
        for who in (ada, bo, cem):
            w.cut(who.links[ev.ROOM])
        w.until(lambda: in_sync(w, ada, bo, cem), 20)
        assert w.agreed([ada, bo, cem])
        w.run(5)
        assert ada.room.room_admin_keys.current == ada.room.membership.policy.room_admin_public


@pytest.mark.parametrize("who", ["Bo", "Cem"])
def test_a_participant_that_was_away_during_a_change_and_a_restart_comes_in_by_the_lobby(who: str) -> None:
    """It knows the old number alone: a host would open it, and serve newcomers there by itself."""
    w = World(925)
    ada, bo, cem, dana = two_hosts(w, "Cem", "Dana")
    away, others = (bo, [ada, cem, dana]) if who == "Bo" else (cem, [ada, bo, dana])
    w.do(ada, ev.Deputise(3))
    w.until(lambda: dana.session._host is not None)
    w.down_filter = lambda to, message: to is not away
    for link in list(away.links.values()):
        w.cut(link)
    w.do(ada, ev.Undeputise(3))
    rotated(w, ada)
    w.run(2)
    w.kill_server()
    w.run(1)
    w.start_server()
    reconnect(w, away)
    took = w.until(lambda: w.agreed([away, *others]) and in_sync(w, away, *others), 60)
    assert took < 50
    w.do(ada, ev.Say("all here"))
    w.until(lambda: ("Ada", "all here") in away.said, 10)


# -- in the lobby ------------------------------------------------------------------------------------


def test_a_former_host_stands_in_the_lobby_for_links_from_before_alone() -> None:
    w = World(940)
    ada, bo, cem = two_hosts(w, "Cem")
    old_link = w.link_of(ada)
    lobby, keys = lobby_of(bo), bo.room.host_keys
    w.do(ada, ev.Undeputise(1))
    rotated(w, ada)
    w.run(1)
    assert lobby is not None
    nonce = bytes(16)
    card = card_of(ada, w.now, nonce)
    assert len(card.signatures) == 2
    new_link = Invite.parse(w.link_of(ada))
    card.verify(new_link.host_public, ada.room.origin, {nonce})
    card.verify(Invite.parse(old_link).host_public, ada.room.origin, {nonce})
    assert {seed.host_public for seed in keys.seeds} == {Invite.parse(old_link).host_public}
    # a newcomer with an old link is asked about, even where everybody is waved in
    dana = w.guest(old_link, "Dana")
    w.until(lambda: any(e.name == "Dana" for e in ada.of(ev.Knocked)), 10)
    knocked = ada.of(ev.Knocked)[-1]
    assert knocked.older
    assert any("before the hosts' keys changed" in text for text in knocked.warnings)
    w.run(3)
    assert dana.roster == []
    w.do(ada, ev.Admit(knocked.knock))
    w.until(lambda: w.agreed([ada, bo, cem, dana]), 20)


def test_a_former_host_makes_no_knock_by_a_newer_invite() -> None:
    """It knows the tokens of the first generation for every index; an index belongs to one generation."""
    w = World(941)
    ada, bo, _ = two_hosts(w, "Cem")
    keys = bo.room.host_keys
    w.do(ada, ev.Undeputise(1))
    rotated(w, ada)
    w.do(ada, ev.NewInvite("for Dana"))
    made = Invite.parse(w.link_of(ada))
    false = keys.seeds[0].invite(made.origin, made.secret, made.index)
    before = len(ada.of(ev.Knocked))
    mallory = w.guest(false.link(), "Dana")
    w.run(20)
    assert mallory.roster == []
    assert len(ada.of(ev.Knocked)) == before


def test_freshness_holds_while_the_keys_change() -> None:
    w = World(942)
    ada, bo, cem = two_hosts(w, "Cem")
    w.run(15)
    w.do(ada, ev.Undeputise(1))
    rotated(w, ada)
    for _ in range(40):
        w.run(0.5)
        for who in (ada, bo, cem):
            assert who.room.feature(Monitor).hold_reason(w.now) is None
    for who in (ada, bo, cem):
        assert who.alarms == []
