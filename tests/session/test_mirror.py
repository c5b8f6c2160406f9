"""Meetings whose heartbeats go through a second server as well."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.client.session.features.mirror_reach import UNREACHED
from snugroom.client.session.options import Options
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Link, Participant
from snugroom.wire import messages as wire
from tests.session.test_places import talk

MIRROR = (ev.SECOND, ev.THIRD)
#: Seconds between two heartbeats of a member of a small room.
BEAT = 5.0
#: Most seconds until words arrive after the server's end: the two of the rule, and the network's time.
WARM_MOVE = 2.4


def mirrored(seed: int, *names: str, servers: tuple[str, ...] = OTHERS) -> tuple[Servers, list[Participant]]:
    """A meeting with a mirror, in which everybody is at the second server too."""
    w = Servers(seed)
    host = w.host(names[0], options=Options(mirror=True))
    people = [host]
    for name in names[1:]:
        people.append(w.guest(w.link_of(host), name))
        w.until(lambda: w.agreed(people))
    w.until(lambda: host.room is not None)
    listed(w, host, *servers)
    w.until(lambda: w.at(servers[0], *MIRROR) == {*names}, 10)
    w.run(8)  # everybody has been heard
    return w, people


def withholds(w: Servers, who: Participant, *kinds: type) -> None:
    """The first server keeps messages of these kinds from somebody, from now on."""

    def passes(link: Link, message: object) -> bool:
        return not (link.who is who and link.hub is w.hubs[ORIGIN] and isinstance(message, kinds))

    w.link_filter = passes


def about_mirror(w: Servers, who: Participant) -> list[str]:
    """The keys of the statuses about the mirror, in order, and that of `/servers` now."""
    w.do(who, ev.ListServers())
    told = [e.text.key for e in who.of(ev.Status) if isinstance(e.text, Sentence)]
    mirror = [key for key in told if key.startswith(("status.mirror", "status.cleared.mirror"))]
    return [each.removeprefix("status.") for each in (*mirror, told[-1])]


def texts(who: Participant, kind: str) -> list[str]:
    return [e.text for e in who.of(ev.Alarm) if e.kind == kind]


@pytest.mark.parametrize("seed", [1801, 1802])
def test_everybody_is_at_both_servers_and_nobody_is_alarmed(seed: int) -> None:
    w, (ada, bo, cem) = people = mirrored(seed, "Ada", "Bo", "Cem")
    talk(w, bo, [ada, cem], "hello")
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([*people[1], dana]), 10)
    w.until(lambda: "Dana" in w.at(OTHERS[0], *MIRROR), 10)
    w.do(ada, ev.Lock(True))
    w.do(ada, ev.Remove(bo.session.own_leaf or 0))
    w.until(lambda: w.agreed([ada, cem, dana]), 10)
    w.run(20)
    assert w.at(OTHERS[0], *MIRROR) == {"Ada", "Cem", "Dana"}
    w.do(cem, ev.Leave())
    w.until(lambda: w.agreed([ada, dana]), 10)
    w.run(70)
    talk(w, dana, [ada], "the two of us")
    assert [p.alarms for p in (ada, bo, cem, dana)] == [[], [], [], []]
    assert w.at(OTHERS[0], *MIRROR) == {"Ada", "Dana"}
    assert w.at(OTHERS[1], *MIRROR) == set()


def test_the_mirror_keeps_up_when_many_join_at_once() -> None:
    """More than members keep commits of."""
    w = Servers(1805)
    ada = w.host("Ada", options=Options(mirror=True))
    w.run(2)
    listed(w, ada, *OTHERS)
    people = [ada]
    for number in range(1, 20):
        people.append(w.guest(w.link_of(ada), f"Guest {number}"))
        w.run(0.15)
    w.until(lambda: w.agreed(people), 10)
    w.run(8)
    w.fails(ORIGIN)
    assert talk(w, people[-1], people[:-1], "at once") <= 2.0
    assert [p.alarms for p in people] == [[]] * 20


def test_a_meeting_without_a_mirror_is_at_one_server() -> None:
    w = Servers(1803)
    people = w.meeting("Ada", "Bo")
    listed(w, people[0], *OTHERS)
    w.run(20)
    assert [w.at(each, *MIRROR) for each in w.hubs] == [set()] * 3


@pytest.mark.parametrize("act", ["change", "removal"])
def test_a_change_that_the_server_withholds_is_reported_within_an_interval(act: str) -> None:
    w, (ada, bo, cem, dana) = mirrored(1810, "Ada", "Bo", "Cem", "Dana")
    withholds(w, cem, wire.Committed, wire.Opened, wire.Broadcasted)
    if act == "change":
        w.do(ada, ev.Lock(True))
    else:
        w.do(ada, ev.Remove(dana.session.own_leaf or 0))
    assert w.until(lambda: "withheld" in cem.alarms, 20) < BEAT
    (text,) = texts(cem, "withheld")
    assert f" and {ORIGIN} does not deliver it to you" in text
    assert sum(f"“{who.label}”" in text for who in (ada, bo, dana)) >= 2, text
    w.do(cem, ev.Say("who reads this?"))
    w.run(2)
    assert ("Cem", "who reads this?") not in ada.said
    assert [*ada.alarms, *bo.alarms] == []


def test_without_a_mirror_the_same_is_only_missed_confirmations() -> None:
    w = Servers(1811)
    ada, _, cem = w.meeting("Ada", "Bo", "Cem")
    listed(w, ada, *OTHERS)
    w.run(8)
    withholds(w, cem, wire.Committed, wire.Opened, wire.Broadcasted)
    w.do(ada, ev.Lock(True))
    assert w.until(lambda: cem.alarms != [], 40) > 2 * BEAT
    assert "withheld" not in cem.alarms


def test_a_change_at_another_server_is_withheld_by_nobody() -> None:
    """The others go on at the mirror, and change the room there; the first server has none of it."""
    w, (ada, bo, cem) = mirrored(1814, "Ada", "Bo", "Cem")
    for who in (ada, bo):
        w.unreachable.add((who.label, ORIGIN))
        w.cut(who.links[ev.ROOM])
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Bo"}, 10)
    w.do(ada, ev.Lock(True))
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Bo", "Cem"}, 40)
    talk(w, cem, [ada, bo], "here I am", 20)
    assert "withheld" not in cem.alarms


def test_one_member_alone_does_not_prove_that_a_server_withholds_something() -> None:
    w, (ada, cem) = mirrored(1812, "Ada", "Cem")
    withholds(w, cem, wire.Committed, wire.Opened, wire.Broadcasted)
    w.do(ada, ev.Lock(True))
    assert w.until(lambda: "withheld" in cem.alarms, 20) < BEAT
    (text,) = texts(cem, "withheld")
    assert text.startswith("“Ada”, a host, reports")


def test_a_message_that_the_server_withholds_is_reported_soon_after_the_heartbeats() -> None:
    w, (ada, bo, cem) = mirrored(1813, "Ada", "Bo", "Cem")
    withholds(w, cem, wire.Relayed, wire.Broadcasted)
    w.do(bo, ev.Say("not for Cem"))
    assert w.until(lambda: "reordered" in cem.alarms, 30) < 2 * BEAT
    (text,) = texts(cem, "reordered")
    assert text.startswith(
        f"“Ada” and “Bo” have signed that they have messages that {ORIGIN} did not give you"
    )
    assert [*ada.alarms, *bo.alarms] == []


def test_both_sides_of_a_split_see_each_other() -> None:
    """Two hosts remove each other, because the server tells the sides different stories."""
    w, (ada, bo, cem, dana) = mirrored(1820, "Ada", "Bo", "Cem", "Dana")
    w.do(ada, ev.Deputise(bo.session.own_leaf or 0))
    w.until(lambda: bo.room.host_keys is not None, 10)
    w.run(8)
    w.split(ORIGIN, [bo, dana])
    w.do(ada, ev.Remove(bo.session.own_leaf or 0))
    w.do(bo, ev.Remove(ada.session.own_leaf or 0))
    w.until(lambda: "two_stories" in cem.alarms and "two_stories" in dana.alarms, 20)
    assert "Dana" in texts(cem, "two_stories")[0]
    assert "Cem" in texts(dana, "two_stories")[0]


def test_a_server_that_shows_members_different_rooms_without_a_change_is_reported() -> None:
    w, (ada, bo, cem, dana) = mirrored(1821, "Ada", "Bo", "Cem", "Dana")
    other = w.new_hub()
    w.copies.append(other)
    for who in (cem, dana):
        w.shown[who.label, ORIGIN] = other
        w.cut(who.links[ev.ROOM])
    for who, others in ((ada, ("“Cem”", "“Dana”")), (cem, ("“Ada”", "“Bo”"))):
        w.until(lambda who=who, others=others: all(o in str(texts(who, "reordered")) for o in others), 60)  # type: ignore[misc]
    assert bo.ended is None


@pytest.mark.parametrize("seed", [1848, 1849, 1851, 1852])
def test_a_warm_move_takes_about_two_seconds(seed: int) -> None:
    w, (ada, bo, cem) = mirrored(seed, "Ada", "Bo", "Cem")
    w.fails(ORIGIN)
    assert talk(w, bo, [ada, cem], "still here?") <= WARM_MOVE
    w.run(10)
    assert w.at(OTHERS[0]) == {"Ada", "Bo", "Cem"}
    assert w.at(OTHERS[1], *MIRROR) == {"Ada", "Bo", "Cem"}
    assert w.at(OTHERS[0], *MIRROR) == set()
    w.run(30)
    assert {*ada.alarms, *bo.alarms, *cem.alarms} <= {"dropped"}


def test_a_mirror_that_is_down_changes_nothing_and_comes_back() -> None:
    w, (ada, bo, cem) = mirrored(1848, "Ada", "Bo", "Cem")
    w.fails(OTHERS[0])
    w.run(60)
    talk(w, bo, [ada, cem], "without it")
    w.do(ada, ev.Lock(True))
    w.run(5)
    w.restart(OTHERS[0])
    w.until(lambda: w.at(OTHERS[0], *MIRROR) == {"Ada", "Bo", "Cem"}, 60)
    w.run(5)
    assert [*ada.alarms, *bo.alarms, *cem.alarms] == []
    w.fails(ORIGIN)
    assert talk(w, bo, [ada, cem], "at once") <= WARM_MOVE


@pytest.mark.parametrize("how", ["killed", "frozen", "keeps heartbeats"])
def test_a_mirror_that_brings_nothing_is_told_once_and_when_it_is_back(how: str) -> None:
    w, people = mirrored(1880, "Ada", "Bo", "Cem")
    assert [about_mirror(w, p) for p in people] == [["servers.mirrored"]] * 3
    mirror = w.hubs[OTHERS[0]]
    if how == "killed":
        w.fails(OTHERS[0])
    else:
        w.link_filter = lambda link, message: (
            link.hub is not mirror or (how != "frozen" and not isinstance(message, wire.Broadcasted))
        )
    took = w.until(lambda: all(len(about_mirror(w, p)) == 2 for p in people), 60)
    assert took < UNREACHED + 2 * BEAT
    w.run(2 * UNREACHED)
    assert [about_mirror(w, p) for p in people] == [["mirror", "servers.unmirrored"]] * 3, "told once"
    if how == "killed":
        w.restart(OTHERS[0])
    else:
        w.link_filter = lambda link, message: True
    w.until(lambda: all(about_mirror(w, p)[1:-1] == ["cleared.mirror"] for p in people), 60)
    w.run(2 * BEAT)
    assert [about_mirror(w, p) for p in people] == [["mirror", "cleared.mirror", "servers.mirrored"]] * 3
    assert [p.alarms for p in people] == [[]] * 3


def test_our_own_network_that_fails_is_not_the_mirrors() -> None:
    w, (ada, bo, cem) = mirrored(1881, "Ada", "Bo", "Cem")
    w.unreachable |= {("Cem", origin) for origin in w.hubs}
    for link in list(cem.links.values()):
        w.cut(link)
    w.run(UNREACHED + 3 * BEAT)
    w.unreachable.clear()
    w.until(lambda: w.at(OTHERS[0], *MIRROR) == {"Ada", "Bo", "Cem"}, 90)
    w.run(2 * BEAT)
    assert [about_mirror(w, p) for p in (ada, bo, cem)] == [["servers.mirrored"]] * 3


def test_a_member_that_is_alone_has_a_mirror_for_as_long_as_that_lets_it_in() -> None:
    w, (ada,) = mirrored(1882, "Ada")
    w.run(2 * UNREACHED)
    assert about_mirror(w, ada) == ["servers.mirrored"]
    w.fails(OTHERS[0])
    w.run(UNREACHED + BEAT)
    assert about_mirror(w, ada) == ["mirror", "servers.unmirrored"]


def test_after_a_move_the_next_server_is_the_mirror_or_none_is() -> None:
    w, (ada, bo) = mirrored(1883, "Ada", "Bo", servers=OTHERS[:1])
    w.do(ada, ev.Move(OTHERS[0]))
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Bo"}, 20)
    w.run(2 * UNREACHED)
    assert [about_mirror(w, p) for p in (ada, bo)] == [["servers"]] * 2
    w.fails(OTHERS[1])
    listed(w, ada, *OTHERS)
    w.run(UNREACHED + 2 * BEAT)
    assert [about_mirror(w, p) for p in (ada, bo)] == [["mirror", "servers.unmirrored"]] * 2
    listed(w, ada, OTHERS[0])
    w.run(BEAT)
    assert [about_mirror(w, p) for p in (ada, bo)] == [["mirror", "cleared.mirror.none", "servers"]] * 2


def test_a_member_that_the_server_alone_keeps_out_is_heard_and_told_of() -> None:
    w, (ada, bo, cem) = mirrored(1850, "Ada", "Bo", "Cem")
    w.unreachable.add(("Cem", ORIGIN))
    w.cut(cem.links[ev.ROOM])
    for who in (ada, bo):
        w.until(lambda who=who: any(OTHERS[0] in e.text for e in who.of(ev.Status)), 20)  # type: ignore[misc]
    told = [e.text for e in ada.of(ev.Status) if e.kind == "elsewhere"]
    assert told == [
        f"“Cem” is at {OTHERS[0]}, and does not hear what is said here."
        f" /move {OTHERS[0]} moves the meeting there."
    ]
    assert [e.text for e in bo.of(ev.Status) if e.kind == "elsewhere"] == [
        f"“Cem” is at {OTHERS[0]}, and does not hear what is said here. A host can move the meeting there."
    ]
    w.do(ada, ev.Move(OTHERS[0]))
    w.until(lambda: w.at(OTHERS[0]) == {"Ada", "Bo", "Cem"}, 30)
    talk(w, cem, [ada, bo], "at last", 20)
    assert [*ada.alarms, *bo.alarms] == []


def test_a_removed_member_cannot_follow_to_the_mirror() -> None:
    w, (ada, _, cem) = mirrored(1860, "Ada", "Bo", "Cem")
    before = set(w.hubs[OTHERS[0]]._rooms)
    w.do(ada, ev.Remove(cem.session.own_leaf or 0))
    w.until(lambda: cem.ended is not None, 10)
    w.run(20)
    after = set(w.hubs[OTHERS[0]]._rooms)
    assert len(after - before) == 1, "a place with keys that the removed member does not know"
    assert w.at(OTHERS[0], *MIRROR) == {"Ada", "Bo"}
    assert cem.links == {}


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("seed", [1870, 1871, 1872])
def test_a_member_that_does_not_know_of_a_departure_is_taken_along(seed: int, mirror: bool) -> None:
    """The server withholds a removal from somebody, and then drops everybody (M6)."""
    if mirror:
        w, (ada, bo, cem, dana) = mirrored(seed, "Ada", "Bo", "Cem", "Dana")
    else:
        w = Servers(seed)
        ada, bo, cem, dana = w.meeting("Ada", "Bo", "Cem", "Dana")
        listed(w, ada, *OTHERS)
        w.run(8)
    withholds(w, cem, wire.Committed, wire.Opened, wire.Broadcasted)
    w.do(ada, ev.Remove(dana.session.own_leaf or 0))
    w.until(lambda: ada.roster == bo.roster == ["Ada", "Bo", "Cem"], 10)
    w.run(1)
    w.drops(ORIGIN)
    w.until(lambda: w.agreed([ada, bo, cem]), 30)
    assert talk(w, cem, [ada, bo], "I am here", 40) < 40
    assert w.at(OTHERS[0]) == {"Ada", "Bo", "Cem"}
    assert cem.ended is None
    w.run(70)
    assert w.at(OTHERS[0], *MIRROR) == set(), "nobody stays where the removed member may look"
