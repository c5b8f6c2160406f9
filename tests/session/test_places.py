"""Places of a meeting at other servers: their keys, and the way there."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.monitor.dropped import Dropped
from snugroom.crypto.entry.invite import Invite
from snugroom.crypto.errors import SnugError
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Participant, World
from snugroom.wire.messages import ClientMessage
from tests.session.test_recovery import come_back


def moving(seed: int, *names: str) -> tuple[Servers, list[Participant]]:
    """A meeting at the first server, whose host has named two others."""
    w = Servers(seed)
    people = w.meeting(*names)
    listed(w, people[0], *OTHERS)
    return w, people


def link_with_servers(w: World, host: Participant) -> str:
    """A new invite: it names the servers of the policy."""
    w.do(host, ev.NewInvite("", once=False))
    return host.of(ev.InviteMade)[-1].link


def talk(w: World, who: Participant, to: list[Participant], text: str, most: float = 10.0) -> float:
    """Say something, and return the seconds until all these have read it, once."""
    w.do(who, ev.Say(text))
    took = w.until(lambda: all((who.label, text) in other.said for other in to), most)
    assert [other.said.count((who.label, text)) for other in to] == [1] * len(to)
    return took


def test_the_move_key_changes_with_every_departure_and_newcomers_have_it() -> None:
    w = World(1501)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    m = ada.room.membership
    assert {p.room.membership.move_key for p in people} == {m.move_key}
    move, beat = m.move_key, m.heartbeat_key
    w.do(bo, ev.Leave())
    w.until(lambda: w.agreed([ada, cem]))
    assert (m.move_key == move, m.heartbeat_key == beat) == (False, True)
    assert cem.room.membership.move_key == m.move_key
    move = m.move_key
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, cem, dana]))
    assert dana.room.membership.move_key == m.move_key == move
    w.do(ada, ev.Remove(dana.session.own_leaf or 0))
    w.until(lambda: w.agreed([ada, cem]))
    assert (m.move_key == move, m.heartbeat_key == beat) == (False, False)


@pytest.mark.parametrize("seed", range(1510, 1514))
def test_a_meeting_goes_on_at_the_next_server_and_the_next(seed: int) -> None:
    w, (ada, bo, cem) = moving(seed, "Ada", "Bo", "Cem")
    epoch = ada.epoch
    for at, gone in zip(OTHERS, (ORIGIN, OTHERS[0]), strict=True):
        w.fails(gone)
        assert talk(w, bo, [ada, cem], f"still here at {at}?") < 6
        assert talk(w, ada, [bo, cem], f"yes, at {at}") < 2
        assert w.at(at) == {"Ada", "Bo", "Cem"}
        assert {p.epoch for p in (ada, bo, cem)} == {epoch}
        told = f"The meeting goes on at {at}."
        w.run(0.5)
        assert all(told in [e.text for e in p.of(ev.Status)] for p in (ada, bo, cem))
    w.do(ada, ev.Remove(1))
    w.until(lambda: w.agreed([ada, cem]), 10)
    assert bo.ended is not None
    assert bo.ended.reason == "removed"
    talk(w, cem, [ada], "after")
    w.run(30)
    assert [*ada.alarms, *cem.alarms, *bo.alarms] == []
    assert w.at(OTHERS[1]) == {"Ada", "Cem"}


def test_a_meeting_comes_home_with_changes_that_were_made_elsewhere() -> None:
    w, (ada, bo, cem) = people = moving(1515, "Ada", "Bo", "Cem")
    w.fails(ORIGIN)
    talk(w, bo, [ada, cem], "elsewhere")

    def locked() -> set[bool]:
        return {p.room.membership.policy.mode.name == "LOCKED" for p in people[1]}

    for on in (True, False, True):
        w.do(ada, ev.Lock(on))
        w.until(lambda on=on: locked() == {on})  # type: ignore[misc]  # bound now
    w.down = {*OTHERS}
    w.restart(ORIGIN)
    w.fails(OTHERS[0])
    talk(w, cem, [ada, bo], "at home", 20)
    assert w.at(ORIGIN) == {"Ada", "Bo", "Cem"}
    w.do(ada, ev.Lock(False))
    w.until(lambda: locked() == {False})
    # as after any restart: what Bo said was in an epoch that is over
    assert {*ada.alarms, *bo.alarms, *cem.alarms} <= {"maybe_lost"}


def _values(message: ClientMessage) -> Iterator[bytes]:
    """Keys, numbers, gates, chain values and passes in a message: not blobs, and nothing that is random."""
    skipped = {"nonce", "signature", "opening", "permit", "blob"}
    for name in set(message.__struct_fields__) - skipped:
        value = getattr(message, name)
        if isinstance(value, bytes) and len(value) >= 16:
            yield value


def values_seen(w: Servers, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[bytes]]:
    """The values that each server is sent from now on, by origin."""
    seen: dict[str, set[bytes]] = {origin: set() for origin in w.hubs}
    for origin, hub in w.hubs.items():
        handle = hub.handle

        def notes(who: bytes, message: ClientMessage, now: float, origin=origin, handle=handle):  # type: ignore[no-untyped-def]
            if not type(message).__name__.startswith("Lobby"):
                seen[origin] |= set(_values(message))
            return handle(who, message, now)

        monkeypatch.setattr(hub, "handle", notes)
    return seen


def test_no_server_recognises_the_room_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    w = Servers(1520)
    seen = values_seen(w, monkeypatch)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    listed(w, ada, *OTHERS)
    w.do(ada, ev.Lock(True))
    w.run(2)
    w.cut(bo.links[ev.ROOM])
    talk(w, bo, [ada, cem], "back", 10)
    for at, gone in zip(OTHERS, (ORIGIN, OTHERS[0]), strict=True):
        w.fails(gone)
        talk(w, bo, [ada, cem], at)
        w.do(ada, ev.Lock(at == OTHERS[1]))
        w.run(5)
    one, two, three = seen.values()
    assert min(len(one), len(two), len(three)) > 3
    assert (one & two, one & three, two & three) == (set(), set(), set())


def test_a_server_that_drops_a_meeting_is_reported_although_the_meeting_goes_on() -> None:
    w, people = moving(1530, "Ada", "Bo", "Cem")
    ada, bo, cem = people
    w.drops(ORIGIN)
    talk(w, bo, [ada, cem], "where are we?")
    w.run(30)
    assert w.at(OTHERS[0]) == {"Ada", "Bo", "Cem"}
    for who in people:
        assert who.alarms == ["dropped"]
        assert who.ended is None
        exhibits = json.loads(who.room.feature(Dropped).export(False, w.now))["exhibits"]
        (shown,) = exhibits
        assert shown["dropped_at"] is not None
        assert shown["origin"] == ORIGIN
        assert shown["probe"]["receipt"]["server_key"] == shown["server_key"]


def test_a_server_where_a_member_only_looks_for_the_others_has_not_dropped_it_again() -> None:
    w, (ada, bo, cem) = moving(1531, "Ada", "Bo", "Cem")
    w.unreachable |= {("Ada", origin) for origin in OTHERS}  # else the others follow her
    w.drops(ORIGIN)
    w.run(40)
    assert w.at(OTHERS[0]) == {"Bo", "Cem"}
    w.unreachable.clear()
    talk(w, ada, [bo, cem], "found you", 60)
    w.run(5)
    assert ada.alarms.count("dropped") == 1
    (shown,) = json.loads(ada.room.feature(Dropped).export(False, w.now))["exhibits"]
    assert shown["origin"] == ORIGIN
    assert shown["probe"]["receipt"]["server_key"] == shown["server_key"]


def test_a_server_that_was_restarted_meanwhile_has_dropped_nobody() -> None:
    w, (ada, bo, cem) = people = moving(1532, "Ada", "Bo", "Cem")
    w.fails(ORIGIN)
    talk(w, bo, [ada, cem], "elsewhere")
    w.restart(ORIGIN)
    w.run(30)
    assert [p.alarms for p in people[1]] == [[], [], []]
    assert w.at(OTHERS[0]) == {"Ada", "Bo", "Cem"}


def test_a_newcomer_that_was_let_in_elsewhere_comes_back_to_the_first_server() -> None:
    """Its pass fits the gate that the commit names which let it in: one of the place where it was made."""
    w, (ada, bo, cem) = moving(1534, "Ada", "Bo", "Cem")
    link = link_with_servers(w, ada)
    w.fails(ORIGIN)
    talk(w, bo, [ada, cem], "elsewhere")
    dana = w.guest(link, "Dana")
    w.until(lambda: w.agreed([ada, bo, cem, dana]), 30)
    w.restart(ORIGIN)
    w.run(10)
    w.do(ada, ev.Move(ORIGIN))
    w.until(lambda: w.at(ORIGIN) == {"Ada", "Bo", "Cem", "Dana"}, 10)
    talk(w, dana, [ada, bo, cem], "here I am", 10)
    assert dana.alarms == []


def test_at_a_further_server_commits_wait_for_more_than_half() -> None:
    w, (ada, bo, cem) = moving(1540, "Ada", "Bo", "Cem")
    w.unreachable |= {(who, OTHERS[0]) for who in ("Bo", "Cem")} | {(who, OTHERS[1]) for who in ("Bo", "Cem")}
    w.fails(ORIGIN)
    w.until(lambda: w.at(OTHERS[0]) == {"Ada"}, 10)
    w.do(ada, ev.Lock(True))
    w.run(6)
    assert ada.room.membership.policy.mode.name != "LOCKED"
    w.unreachable.clear()
    w.until(lambda: all(p.room.membership.policy.mode.name == "LOCKED" for p in (ada, bo, cem)), 60)
    talk(w, cem, [ada, bo], "together again", 30)


def test_without_a_host_the_members_meet_all_the_same() -> None:
    w, (ada, bo, cem) = moving(1550, "Ada", "Bo", "Cem")
    w.kill(ada)
    w.fails(ORIGIN)
    w.until(lambda: w.at(OTHERS[0]) == {"Bo", "Cem"} and all(p.room.is_synced(w.now) for p in (bo, cem)), 30)
    assert {bo.ended, cem.ended} == {None}


def test_a_meeting_without_further_servers_stays_where_it_is() -> None:
    w = Servers(1560)
    ada, bo = w.meeting("Ada", "Bo")
    w.fails(ORIGIN)
    w.run(20)
    assert [w.at(origin) for origin in (ORIGIN, *OTHERS)] == [set(), set(), set()]
    w.down.clear()
    talk(w, bo, [ada], "back", 10)


def test_a_host_names_the_servers_and_links_lead_to_them() -> None:
    w = Servers(1570)
    ada, bo = w.meeting("Ada", "Bo")
    w.do(bo, ev.ListServers())
    assert "No other server is named" in bo.of(ev.Status)[-1].text
    w.do(ada, ev.NameServers(("HTTP://127.0.0.1:8081/", OTHERS[1])))
    w.until(lambda: len(bo.room.membership.policy.servers) == 2)
    assert "named the servers" in bo.of(ev.PolicyChanged)[-1].text
    w.do(bo, ev.ListServers())
    assert bo.of(ev.Status)[-1].text.endswith(f"it goes on at: {OTHERS[0]}, {OTHERS[1]}.")
    w.do(ada, ev.NewInvite("Cem", once=True))
    assert Invite.parse(ada.of(ev.InviteMade)[-1].link).servers == OTHERS
    w.do(ada, ev.NameServers(()))
    w.until(lambda: bo.room.membership.policy.servers == ())


@pytest.mark.parametrize("origins", [(ORIGIN,), (OTHERS[0], OTHERS[0]), ("b.example/x",), OTHERS * 5])
def test_servers_that_cannot_be_are_refused(origins: tuple[str, ...]) -> None:
    w = Servers(1571)
    ada, bo = w.meeting("Ada", "Bo")
    for who in (ada, bo):
        with pytest.raises((ValueError, SnugError)):
            w.do(who, ev.NameServers(origins))


@pytest.mark.parametrize("seed", range(1580, 1584))
def test_everybody_follows_a_host_to_another_server_and_accuses_nobody(seed: int) -> None:
    w, people = moving(seed, "Ada", "Bo", "Cem")
    ada, bo, cem = people
    for wanted, at in (("", OTHERS[0]), (OTHERS[1], OTHERS[1]), ("", ORIGIN)):
        w.do(ada, ev.Move(wanted))
        assert w.until(lambda at=at: w.at(at) == {"Ada", "Bo", "Cem"}, 5) < 3  # type: ignore[misc]  # bound now
        assert talk(w, bo, [ada, cem], f"at {at}") < 3
        told = f"“Ada” has the meeting go on at {at}."
        assert all(told in [e.text for e in p.of(ev.Status)] for p in people)
    with pytest.raises(ValueError, match="already"):
        w.do(ada, ev.Move(ORIGIN))
    with pytest.raises(ValueError, match="not among"):
        w.do(ada, ev.Move("https://elsewhere.example"))
    w.run(40)
    assert [*ada.alarms, *bo.alarms, *cem.alarms] == []


def test_a_member_who_is_no_host_moves_nobody() -> None:
    w, (ada, bo, cem) = moving(1590, "Ada", "Bo", "Cem")
    with pytest.raises(ValueError, match="host"):
        w.do(bo, ev.Move())
    for _ in range(2):
        bo.room.relay(content.Move(bo.room.membership.journal.chain, 1))
    w.run(5)
    assert w.at(ORIGIN) == {"Ada", "Bo", "Cem"}
    for who in (ada, cem):
        assert who.alarms == ["false_end"]
        assert "tried to move the meeting" in who.of(ev.Alarm)[0].text


def test_a_member_who_slept_finds_the_meeting_where_it_went() -> None:
    w, (ada, bo, cem) = moving(1600, "Ada", "Bo", "Cem")
    w.unreachable |= {("Cem", origin) for origin in w.hubs}
    w.cut(cem.links[ev.ROOM])
    w.do(ada, ev.Move())
    w.run(60)
    assert w.at(OTHERS[0]) == {"Ada", "Bo"}
    w.unreachable.clear()
    talk(w, ada, [bo, cem], "there you are", 60)
    assert w.at(OTHERS[0]) == {"Ada", "Bo", "Cem"}


@pytest.mark.parametrize("seed", range(1610, 1614))
def test_a_newcomer_with_the_old_link_finds_the_meeting_elsewhere(seed: int) -> None:
    w, (ada, bo) = moving(seed, "Ada", "Bo")
    link = link_with_servers(w, ada)
    w.fails(ORIGIN)
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Bo"}, 10)
    w.run(3)
    cem = w.guest(link, "Cem")
    assert w.until(lambda: w.agreed([ada, bo, cem]) and w.at(OTHERS[0]) == {"Ada", "Bo", "Cem"}, 20) < 12
    talk(w, cem, [ada, bo], "found you")
    assert [*ada.alarms, *bo.alarms, *cem.alarms] == []


def test_a_newcomer_waits_for_a_host_at_the_first_server_above_all() -> None:
    w, (ada,) = moving(1620, "Ada")
    link = link_with_servers(w, ada)
    w.do(ada, ev.Leave())
    bo = w.guest(link, "Bo")
    w.run(120)
    assert bo.ended is None
    seen = w.lobby_visits(bo)
    assert {origin for origin, _ in seen} == {ORIGIN, *OTHERS}
    assert seen[0][0] == ORIGIN
    spent = {origin: sum(s for o, s in seen if o == origin) for origin in (ORIGIN, *OTHERS)}
    assert spent[ORIGIN] > 3 * max(spent[each] for each in OTHERS)


def test_a_knock_that_waits_for_its_answer_stays_where_it_is() -> None:
    w = Servers(1621)
    ada = w.host(admission="ask")
    w.run(1)
    listed(w, ada, *OTHERS)
    bo = w.guest(link_with_servers(w, ada), "Bo")
    w.run(90)
    assert {origin for origin, _ in w.lobby_visits(bo)} == {ORIGIN}
    w.do(ada, ev.Admit(ada.of(ev.Knocked)[-1].knock))
    w.until(lambda: w.agreed([ada, bo]))


def test_a_member_who_has_to_rejoin_does_so_where_the_meeting_is() -> None:
    w, (ada, bo, cem) = moving(1630, "Ada", "Bo", "Cem")
    w.fails(ORIGIN)
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Bo", "Cem"}, 10)
    w.run(3)
    cem.room.needs_rejoin = True
    epoch = ada.epoch
    w.until(lambda: w.agreed([ada, bo, cem]) and ada.epoch > epoch, 30)
    talk(w, cem, [ada, bo], "in again")
    assert w.at(OTHERS[0]) == {"Ada", "Bo", "Cem"}


def test_a_crashed_host_comes_back_where_the_meeting_is() -> None:
    w, (ada, bo, cem) = moving(1640, "Ada", "Bo", "Cem")
    kept = ada.session.kept()
    assert kept is not None
    w.kill(ada)
    w.fails(ORIGIN)
    w.until(lambda: w.at(OTHERS[0]) == {"Bo", "Cem"}, 40)
    back = come_back(w, kept)
    w.until(lambda: w.agreed([back, bo, cem]), 60)
    w.do(back, ev.Say("where was I?"))
    # one of them may be looking for the others just then
    w.until(lambda: all(("Ada", "where was I?") in who.said for who in (bo, cem)), 20)


@pytest.mark.parametrize("seed", range(1650, 1670))
def test_a_member_whose_own_network_failed_is_not_stranded_elsewhere(seed: int) -> None:
    w, (ada, bo, cem) = moving(seed, "Ada", "Bo", "Cem")
    w.unreachable |= {("Cem", origin) for origin in w.hubs}
    w.cut(cem.links[ev.ROOM])
    w.run(5)
    w.unreachable.clear()
    w.until(lambda: w.at(ORIGIN) == {"Ada", "Bo", "Cem"} and cem.room.is_synced(w.now), 3)
    talk(w, cem, [ada, bo], "here I am")


@pytest.mark.parametrize("before", [0.0, 6.0])
def test_a_minority_where_the_meeting_began_finds_the_others(before: float) -> None:
    """Two of six stay at the first server, which came back while the others went on; nobody calls a move.

    `before`: seconds in which heartbeats came from those who go.
    """
    names = ("Ada", "Bo", "Cem", "Dana", "Eve", "Finn")
    w, people = moving(1740, *names)
    w.run(before)
    ada, bo, *_ = people
    w.unreachable |= {(who, ORIGIN) for who in names if who not in ("Bo", "Dana")}
    for who in people:
        if who.label not in ("Bo", "Dana"):
            w.cut(who.links[ev.ROOM])
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Cem", "Eve", "Finn"}, 10)
    assert w.at(ORIGIN) == {"Bo", "Dana"}
    w.until(lambda: w.at(OTHERS[0]) == {*names}, 40)
    talk(w, bo, [ada], "found you", 20)
    assert not {"reordered", "two_stories", "outside"} & {alarm for p in people for alarm in p.alarms}


def test_a_host_goes_on_with_those_who_are_here() -> None:
    w, (ada, bo, *_) = moving(1680, "Ada", "Bo", "Cem", "Dana")
    with pytest.raises(ValueError, match="Everybody is here"):
        w.do(ada, ev.RemoveAbsent())
    with pytest.raises(ValueError, match="host"):
        w.do(bo, ev.RemoveAbsent())
    away = {(who, origin) for who in ("Cem", "Dana") for origin in OTHERS}
    w.unreachable |= away | {(who, origin) for who in ("Ada", "Bo") for origin in (ORIGIN, OTHERS[1])}
    for who in (ada, bo):
        w.cut(who.links[ev.ROOM])
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Bo"}, 20)
    w.do(ada, ev.Lock(True))
    w.run(20)
    assert ada.room.membership.policy.mode.name != "LOCKED", "two of four are no majority"
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Bo"}, 20)
    w.until(lambda: ada.room.is_synced(w.now), 20)
    w.do(ada, ev.RemoveAbsent())
    assert "Cem" in ada.of(ev.Status)[-1].text
    w.until(lambda: w.agreed([ada, bo]) and ada.room.membership.policy.mode.name == "LOCKED", 60)
    assert ada.roster == ["Ada", "Bo"]
    talk(w, bo, [ada], "the two of us")


@pytest.mark.parametrize("seed", [1720, 1721])
def test_after_a_departure_elsewhere_everybody_meets_at_a_new_place(seed: int) -> None:
    """The one that was there knows the door of the place; so a newcomer, who does not, finds the others."""
    w, (ada, bo, cem, dana) = moving(seed, "Ada", "Bo", "Cem", "Dana")
    link = link_with_servers(w, ada)
    w.fails(ORIGIN)
    talk(w, bo, [ada, cem, dana], "elsewhere")
    w.run(6)
    rooms = set(w.hubs[OTHERS[0]]._rooms)
    talk(w, bo, [ada, cem, dana], "just before")
    w.do(dana, ev.Leave())
    w.until(lambda: w.agreed([ada, bo, cem]), 10)
    talk(w, bo, [ada, cem], "again", 5)
    w.run(2)
    assert len(set(w.hubs[OTHERS[0]]._rooms) - rooms) == 1
    eve = w.guest(link, "Eve")
    w.until(lambda: w.agreed([ada, bo, cem, eve]), 30)
    w.unreachable |= {("Cem", origin) for origin in w.hubs}
    w.cut(cem.links[ev.ROOM])
    w.run(6)
    w.unreachable.clear()
    talk(w, cem, [ada, bo, eve], "I was away", 30)
    w.run(30)
    assert [*ada.alarms, *bo.alarms, *eve.alarms] == []


@pytest.mark.parametrize("seconds", [20, 100])
def test_a_member_that_sleeps_through_a_departure_elsewhere_comes_back(seconds: float) -> None:
    w, (ada, bo, cem, dana) = moving(1730, "Ada", "Bo", "Cem", "Dana")
    w.fails(ORIGIN)
    talk(w, bo, [ada, cem, dana], "elsewhere")
    w.run(6)
    w.unreachable |= {("Cem", origin) for origin in w.hubs}
    w.cut(cem.links[ev.ROOM])
    w.run(3)
    w.do(ada, ev.Remove(dana.session.own_leaf or 0))
    w.until(lambda: dana.ended is not None, 20)
    w.run(seconds)
    w.unreachable.clear()
    w.until(lambda: w.agreed([ada, bo, cem]) and cem.room.is_synced(w.now), 120)
    talk(w, cem, [ada, bo], "good morning", 30)
    assert "dropped" not in cem.alarms


def test_a_rejoin_waits_for_more_than_half_in_our_epoch() -> None:
    w, (ada, bo, cem, dana) = people = moving(1690, "Ada", "Bo", "Cem", "Dana")
    w.fails(ORIGIN)
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Bo", "Cem", "Dana"}, 10)
    w.run(8)
    w.unreachable |= {(who, origin) for who in ("Bo", "Cem") for origin in w.hubs}
    for who in (bo, cem):
        w.cut(who.links[ev.ROOM])
    w.do(ada, ev.Lock(True))
    w.until(lambda: ada.room.membership.policy.mode.name == "LOCKED", 5)
    epoch = ada.epoch
    dana.room.needs_rejoin = True
    w.run(6)
    assert ada.epoch == epoch, "nobody but Ada has said that this epoch is theirs"
    w.unreachable.clear()
    w.until(lambda: w.agreed(people[1]) and ada.epoch > epoch, 90)


def test_members_whom_the_first_server_alone_keeps_out_come_back_by_a_called_move() -> None:
    w, (ada, bo, cem) = moving(1700, "Ada", "Bo", "Cem")
    w.unreachable.add(("Cem", ORIGIN))
    w.cut(cem.links[ev.ROOM])
    w.run(40)
    assert w.at(ORIGIN) == {"Ada", "Bo"}
    assert cem.ended is None
    assert "silent" in ada.alarms
    w.do(ada, ev.Move())
    w.until(lambda: any(w.at(origin) == {"Ada", "Bo", "Cem"} for origin in OTHERS), 60)
    talk(w, cem, [ada, bo], "at last", 20)
