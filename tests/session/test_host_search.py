"""A server cuts off the host alone: the others look for it beside staying, and follow it together."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.features.host_search import FOLLOW_WAIT, LOOK_STAY
from snugroom.client.session.features.place_quorum import AWAITED_WAIT
from snugroom.crypto.entry.invite import Invite
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Link, Participant
from snugroom.wire import messages as wire
from tests.session.broadcasts import authors_at
from tests.session.test_mirror import mirrored

NAMES = ("Ada", "Bo", "Cem", "Dana", "Eve", "Finn", "Gus", "Hal")


def meeting(
    seed: int, members: int, servers: int, *, mirror: bool, strict: bool = False
) -> tuple[Servers, list[Participant]]:
    names = NAMES[:members]
    if mirror:
        w, people = mirrored(seed, *names, servers=OTHERS[:servers])
    else:
        w = Servers(seed)
        people = w.meeting(*names, strict=strict)
        listed(w, people[0], *OTHERS[:servers])
    return w, people


def cuts_off(w: Servers, who: Participant, *origins: str) -> None:
    """These servers have no more connection with somebody."""
    w.unreachable |= {(who.label, origin) for origin in origins}
    for link in list(who.links.values()):
        if any(link.hub is w.hubs[origin] for origin in origins):
            w.cut(link)


def together(w: Servers, people: list[Participant]) -> bool:
    """Whether all are in step in one room, and may say something."""
    places = {(p.room.here.origin, p.room.here.attempt) for p in people}
    return len(places) == 1 and all(p.room.speaks(w.now) for p in people)


def hold_a_talk(w: Servers, people: list[Participant], seconds: float) -> tuple[int, float, float]:
    """Each in turn says something every 3 s. Return the words not delivered in the end, the seconds until all
    were together, and those for which somebody was held."""
    began, held = w.now, 0.0
    said: list[tuple[str, str]] = []
    together_at: float | None = None
    while w.now - began < seconds:
        if len(said) * 3 <= w.now - began:
            who, text = people[len(said) % len(people)], f"word {len(said)}"
            said.append((who.label, text))
            w.do(who, ev.Say(text))
        w.run(0.5)
        held += 0.5 * any(p.room.is_synced(w.now) and not p.room.speaks(w.now) for p in people[1:])
        if together_at is None and together(w, people):
            together_at = w.now - began
    w.run(10)
    lost = sum(word not in p.said for word in said for p in people if p.label != word[0])
    assert together_at is not None, "never together"
    return lost, together_at, held


@pytest.mark.parametrize(("members", "servers", "mirror"), [(4, 1, False), (8, 2, False), (4, 1, True)])
def test_members_follow_a_host_that_their_server_cuts_off(members: int, servers: int, mirror: bool) -> None:
    w, people = meeting(2000 + members, members, servers, mirror=mirror)
    cuts_off(w, people[0], ORIGIN)
    lost, took, held = hold_a_talk(w, people, 60)
    assert lost == 0
    assert took < (9 if mirror else 15)
    assert held < 5, "they hear the host before its last word here is old"
    assert w.at(OTHERS[0]) == {*NAMES[:members]}
    assert [p.alarms for p in people] == [[]] * members


@pytest.mark.parametrize("how", ["called", "search"])
def test_the_link_names_the_server_that_has_the_meeting_first(how: str) -> None:
    """A page of that server takes no other, and the first one may be gone."""
    w, people = meeting(2040, 3, 2, mirror=False)
    if how == "called":
        w.do(people[0], ev.Move(OTHERS[1]))
    else:
        cuts_off(w, people[0], ORIGIN)
    at = OTHERS[1 if how == "called" else 0]
    w.until(lambda: together(w, people) and w.at(at) == {*NAMES[:3]}, 30)
    w.fails(ORIGIN)
    w.run(2)
    told = [e for e in people[0].of(ev.InviteMade) if e.index == 0]
    links = [e.link for e in told]
    assert [link.partition("/#")[0] for link in links] == [ORIGIN, at], "once for the move"
    parsed = Invite.parse(links[-1])
    assert (parsed.origin, {*parsed.servers}, parsed.servers[0]) == (ORIGIN, {*OTHERS}, at)
    w.do(people[0], ev.NewInvite("for Zoe", once=True))
    personal = people[0].of(ev.InviteMade)[-1].link
    assert personal.startswith(at)
    for name, link in (("Yan", links[-1]), ("Zoe", personal)):
        people.append(w.guest(link, name))
        w.until(lambda: w.agreed(people) and together(w, people), 40)


@pytest.mark.parametrize(("members", "at_home"), [(3, True), (4, True), (4, False)])
def test_a_host_that_its_server_lets_nobody_hear_is_found_elsewhere(
    members: int, at_home: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hears the others, and they hear each other."""
    w, people = meeting(3100, members, 1, mirror=False)
    here, there = (ORIGIN, OTHERS[0]) if at_home else (OTHERS[0], ORIGIN)
    if not at_home:
        cuts_off(w, people[0], ORIGIN)
        w.until(lambda: w.at(here) == {*NAMES[:members]} and together(w, people), 60)
        w.unreachable.clear()
    hub, authors = w.hubs[here], authors_at(w, here, monkeypatch)

    def passes(link: Link, message: object) -> bool:
        if link.hub is not hub or not isinstance(message, wire.Broadcasted):
            return True
        return authors.get(message.blob) != people[0].label

    w.link_filter = passes
    w.until(lambda: w.at(there) == {*NAMES[:members]} and together(w, people), 60)
    w.run(30)
    assert together(w, people)


@pytest.mark.parametrize("hears", [{"Ada"}, {"Bo", "Cem"}], ids=["the host alone", "all but the host"])
def test_heartbeats_in_one_direction_hold_nobody_at_a_server(hears: set[str]) -> None:
    """Members that hear nothing come, go and rejoin. A deaf host hears their lookouts at the other server."""
    w, people = meeting(3201, 3, 1, mirror=False)
    hub = w.hubs[ORIGIN]
    w.link_filter = lambda link, message: (
        link.hub is not hub or not isinstance(message, wire.Broadcasted) or link.who.label in hears
    )
    w.until(lambda: w.at(OTHERS[0]) == {*NAMES[:3]} and together(w, people), 70)


@pytest.mark.parametrize("mirror", [False, True])
def test_members_at_a_further_server_look_where_the_meeting_began(mirror: bool) -> None:
    w, people = meeting(2010, 4, 1, mirror=mirror)
    w.fails(ORIGIN)
    w.until(lambda: together(w, people) and w.at(OTHERS[0]) == {*NAMES[:4]}, 30)
    w.restart(ORIGIN)
    w.run(10)
    cuts_off(w, people[0], OTHERS[0])
    lost, took, _ = hold_a_talk(w, people, 60)
    assert lost == 0
    assert took < 30
    assert w.at(ORIGIN) == {*NAMES[:4]}


def test_a_host_that_comes_back_by_itself_is_hardly_ever_followed() -> None:
    """A bad network of the host's: its own way back takes nearly as long as the others wait."""
    w, people = meeting(2020, 8, 2, mirror=False)
    for _ in range(6):
        cuts_off(w, people[0], ORIGIN, *OTHERS)
        w.run(14)
        w.unreachable.clear()
        w.until(lambda: w.at(ORIGIN) == {*NAMES}, 40)
        w.run(10)
    followed = [e for p in people for e in p.of(ev.Status) if e.kind == "following"]
    assert len(followed) <= 4, "of seven members in six absences"
    assert together(w, people)
    assert not any(ev.FOURTH in p.links for p in people)


def test_a_host_that_is_cut_off_again_and_again_is_followed_each_time() -> None:
    """A wait that grows would be longer than the host's own at one place, and they would miss each other."""
    assert LOOK_STAY[0] + FOLLOW_WAIT < AWAITED_WAIT
    w, people = meeting(2030, 4, 1, mirror=False)
    for _ in range(5):
        w.unreachable.clear()
        cuts_off(w, people[0], people[1].room.here.origin)
        w.run(6)
        w.until(lambda: together(w, people), 30)


def test_nobody_looks_for_a_host_in_a_meeting_without_one_or_without_further_servers() -> None:
    w = Servers(2040)
    people = w.meeting("Ada", "Bo", "Cem")
    cuts_off(w, people[0], ORIGIN)
    w.run(60)
    assert {link.endpoint for p in people[1:] for link in p.links.values()} <= {ev.ROOM, *lobbies(people)}
    w, people = meeting(2041, 4, 1, mirror=False)
    w.do(people[0], ev.Leave())
    w.until(lambda: w.agreed(people[1:]), 20)
    w.run(40)
    assert ev.FOURTH not in {link.endpoint for p in people[1:] for link in p.links.values()}
    assert w.at(ORIGIN) == {"Bo", "Cem", "Dana"}


def lobbies(people: list[Participant]) -> set[ev.Endpoint]:
    return {endpoint for p in people for endpoint in p.links if endpoint.day is not None}


def test_an_evicted_member_at_another_server_gathers_nobody() -> None:
    """The server keeps the removal from all others, and cuts off the host."""
    w, people = meeting(2050, 5, 1, mirror=False, strict=True)
    ada, mallory = people[0], people[4]
    stayed = people[1:4]

    def keeps(link: Link, message: object) -> bool:
        late = type(message).__name__ in ("Committed", "Opened")
        return not (late and link.who is not ada and link.hub is w.hubs[ORIGIN])

    w.link_filter = keeps
    w.do(ada, ev.Remove(mallory.session.own_leaf or 0))
    w.until(lambda: "Eve" not in ada.roster, 10)
    cuts_off(w, ada, ORIGIN)
    w.run(20)
    w.do(stayed[0], ev.Say("for whom?"))
    w.run(5)
    w.cut(mallory.links[ev.ROOM])  # and she goes to the next server, as the host had done
    w.unreachable.add(("Eve", ORIGIN))
    w.run(20)
    w.do(stayed[0], ev.Say("and this?"))
    w.run(5)
    assert mallory.room.here.origin == OTHERS[0]
    w.until(lambda: together(w, [ada, *stayed]), 180)
    w.run(5)
    assert all(("Bo", "and this?") in p.said for p in (ada, *stayed[1:]))
    assert mallory.said == []


def test_only_a_host_is_followed() -> None:
    """A member at another server is heard there alone: it may be one that a host has removed."""
    w, people = meeting(2060, 5, 1, mirror=False)
    w.kill(people[0])
    cuts_off(w, people[4], ORIGIN)
    w.until(lambda: w.at(OTHERS[0]) == {"Eve"}, 30)
    w.run(60)
    assert not [e.text for p in people for e in p.of(ev.Status) if e.kind == "following"]
