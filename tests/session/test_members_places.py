"""Without a host, members meet at places of their own: each can be spoiled by one member alone."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.door import Door
from snugroom.client.session.kernel.moving import OPENERS_MAX
from snugroom.client.session.kernel.place import Place
from snugroom.client.session.kernel.places import PlaceRoom, further_place
from snugroom.crypto.entry import invite
from snugroom.crypto.entry.places import place_door_key
from snugroom.crypto.kdf import H
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Link, Participant
from snugroom.server.rooms.hub import Hub
from snugroom.wire import messages as wire
from snugroom.wire import signed
from snugroom.wire.limits import OPEN_WAIT
from tests.session.broadcasts import authors_at
from tests.session.seeds import EVERY_TICK
from tests.session.test_places import link_with_servers, moving, talk, values_seen


def in_step(w: Servers, people: list[Participant], at: str = OTHERS[0]) -> bool:
    """Whether all these are in step at one place of that server."""
    places = {(p.room.here.origin, p.room.here.attempt) for p in people}
    return (
        {origin for origin, _ in places} == {at}
        and len(places) == 1
        and all(p.room.is_synced(w.now) for p in people)
    )


def place_of(who: Participant, server: int = 1) -> Place:
    """A member's own place at that server of the list."""
    place: Place | None = who.room.here._of_member(
        server, who.session.own_leaf or 0, who.room.membership.move_key
    )
    assert place is not None
    return place


def hosts_place(who: Participant) -> Place:
    place = further_place(who.room.membership, 1)
    assert place is not None
    return place


def as_known_to(bo: Participant, cem: Participant) -> Place:
    """Cem's place as Bo knows it: all but the key that opens it."""
    m, leaf = bo.room.membership, cem.session.own_leaf or 0
    admin = bo.room.announcements.opener(leaf, 1)
    assert admin is not None
    return Place(1, leaf + 1, OTHERS[0], place_door_key(m.move_key, OTHERS[0], leaf + 1), admin)


class Spoiler:
    """A member's connection of its own to a place, which it opens with a history that nobody has."""

    def __init__(self, w: Servers, who: Participant, place: Place) -> None:
        self._w, self._place, self._hub = w, place, w.hubs[place.origin]
        self._handle, challenge = self._hub.connect()
        door = Door(who.room, PlaceRoom(who.room, place), founds=False).message(challenge, w.now)
        assert door is not None
        self._send(door)

    @property
    def room_is_spoiled(self) -> bool:
        room = self._hub._rooms.get(self._place.number)
        return room is not None and room.slot == 10**6

    def opens(self) -> None:
        slot, key = 10**6, bytes(32)
        gate, chain = invite.gate(key), H(b"rubbish")
        opener, text = self._place.opener, signed.Opening(self._place.number, slot, gate, chain).encode()
        self._send(wire.Open(slot, gate, chain, None if opener is None else opener.sign(text)))
        self._send(wire.Show([key]))

    def _send(self, message: wire.ClientMessage) -> None:
        self._w._of(self._hub, self._hub.handle(self._handle, message, self._w.now))


NAMES = ("Ada", "Bo", "Cem", "Dana", "Eve", "Finn", "Gus", "Hal", "Ida", "Jim", "Kai", "Lea", "Max")
SEEDS = pytest.mark.parametrize("seed", range(1900, 1904 if EVERY_TICK else 1902))


def met(seed: int, *more: str) -> tuple[Servers, list[Participant]]:
    """A host and three members, or more, that heard each other. The host reaches the first server alone."""
    w, people = moving(seed, "Ada", "Bo", "Cem", "Dana", *more)
    w.run(6)
    w.unreachable |= {("Ada", origin) for origin in OTHERS}
    return w, people


def hostless(seed: int, *more: str) -> tuple[Servers, list[Participant]]:
    """The same after the first server has failed: all but the host are at a member's place."""
    w, people = met(seed, *more)
    w.fails(ORIGIN)
    w.until(lambda: in_step(w, people[1:]), 20)
    return w, people


@SEEDS
def test_without_a_host_the_lowest_leaf_opens_a_place(seed: int) -> None:
    w, (ada, bo, cem, dana) = met(seed)
    w.fails(ORIGIN)
    assert w.until(lambda: in_step(w, [bo, cem, dana]), 20) < 9
    assert {p.room.here.attempt for p in (bo, cem, dana)} == {1 + (bo.session.own_leaf or 0)}
    # Sooner if no host was heard before: nobody waits for one.
    w.run(20)
    w.fails(OTHERS[0])
    assert w.until(lambda: in_step(w, [bo, cem, dana], OTHERS[1]), 20) < 7
    w.unreachable.clear()
    w.until(lambda: in_step(w, [ada, bo, cem, dana], OTHERS[1]) and ada.room.here.attempt == 0, 60)
    talk(w, cem, [ada, bo, dana], "you are back", 30)
    false = {"void_commit", "two_stories", "reordered", "false_end", "dropped"}
    assert not false & {alarm for p in (ada, bo, cem, dana) for alarm in p.alarms}


@pytest.mark.parametrize(("members", "groups"), [(4, 2), (8, 2), (6, 3)])
def test_members_that_did_not_hear_each_other_meet_in_one_place(
    members: int, groups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host is gone, and the server keeps heartbeats from group to group, and ends."""
    w = Servers(3000)
    host, *people = w.meeting(*NAMES[: members + 1])
    listed(w, host, *OTHERS)
    w.run(6)
    w.kill(host)
    group = {each.label: i * groups // members for i, each in enumerate(people)}
    hub, authors = w.hubs[ORIGIN], authors_at(w, ORIGIN, monkeypatch)

    def passes(link: Link, message: object) -> bool:
        if link.hub is not hub or not isinstance(message, wire.Broadcasted):
            return True
        return group.get(authors[message.blob]) == group.get(link.who.label)

    w.link_filter = passes
    w.run(20)
    w.fails(ORIGIN)
    w.until(lambda: in_step(w, people), 15)


def test_where_the_first_members_are_gone_the_others_meet_at_the_hosts_place() -> None:
    w = Servers(3001)
    people = w.meeting(*NAMES)
    listed(w, people[0], *OTHERS[:1])
    gone, left = people[: 1 + OPENERS_MAX], people[1 + OPENERS_MAX :]
    for each in gone:
        w.kill(each)
    w.fails(ORIGIN)
    w.until(lambda: in_step(w, left), 60)


@SEEDS
def test_a_member_that_opens_places_with_rubbish_spoils_none_but_its_own(seed: int) -> None:
    w, (ada, bo, *others) = met(seed, "Eve")
    cem = others[0]
    at_hosts, at_own = Spoiler(w, bo, hosts_place(bo)), Spoiler(w, bo, place_of(bo))
    at_next = Spoiler(w, bo, as_known_to(bo, cem))
    w.run(OPEN_WAIT + 1)
    for spoiler in (at_hosts, at_own, at_next):
        spoiler.opens()
        assert spoiler.room_is_spoiled
    w.kill(bo)
    w.fails(ORIGIN)
    assert w.until(lambda: in_step(w, others), 30) < 16
    assert cem.room.here.attempt == 1 + (cem.session.own_leaf or 0)
    assert not at_next.room_is_spoiled, "its member opens it with a key that nobody else has"
    w.unreachable.clear()
    w.fails(OTHERS[1])  # or Ada is there, and the others follow
    w.until(lambda: in_step(w, [ada, *others]) and ada.room.here.attempt == 0, 60)
    assert not at_hosts.room_is_spoiled
    talk(w, cem, [ada, *others[1:]], "the four of us", 30)


@pytest.mark.parametrize("seed", [1910, 1911])
def test_members_leave_a_place_that_its_owner_opens_anew(seed: int) -> None:
    w, (_, bo, *others) = hostless(seed, "Eve")
    spoiler = Spoiler(w, bo, place_of(bo))
    w.kill(bo)
    spoiler.opens()
    assert spoiler.room_is_spoiled
    w.until(lambda: in_step(w, others) and others[0].room.here.attempt != place_of(bo).attempt, 30)
    w.run(20)
    assert in_step(w, others), "they are more than half, and stay"


@SEEDS
def test_after_a_departure_members_stay_with_the_same_member(seed: int) -> None:
    w, (_, bo, cem, dana) = hostless(seed)
    rooms, attempt = w.hubs[OTHERS[0]]._rooms, bo.room.here.attempt
    before = set(rooms)
    w.do(dana, ev.Leave())
    w.until(lambda: dana.ended is not None and bo.roster == cem.roster == ["Ada", "Bo", "Cem"], 20)
    assert w.until(lambda: in_step(w, [bo, cem]) and not set(rooms) <= before, 10) < 3
    assert bo.room.here.attempt == attempt > 0


@SEEDS
def test_a_member_who_has_to_rejoin_finds_the_others(seed: int) -> None:
    w, (_, bo, cem, dana) = hostless(seed)
    w.run(8)
    epoch = bo.epoch
    cem.room.needs_rejoin = True
    # The tree has changed once, and all are in its new epoch.
    w.until(lambda: in_step(w, [bo, cem, dana]) and {bo.epoch, cem.epoch, dana.epoch} == {epoch + 1}, 15)


@SEEDS
def test_a_newcomer_finds_a_host_that_has_come_back(seed: int) -> None:
    w, (ada, bo, cem, dana) = met(seed)
    link = link_with_servers(w, ada)
    w.fails(ORIGIN)
    w.until(lambda: in_step(w, [bo, cem, dana]), 20)
    w.unreachable.clear()
    eve = w.guest(link, "Eve")
    everybody = [ada, bo, cem, dana, eve]

    def together() -> bool:
        """At either server: the host tries both."""
        return w.agreed(everybody) and any(in_step(w, everybody, at) for at in OTHERS)

    w.until(together, 90)
    talk(w, eve, [ada, bo, cem, dana], "found you", 20)


def test_no_server_recognises_the_members_place_at_another(monkeypatch: pytest.MonkeyPatch) -> None:
    w, (ada, bo, cem, dana) = moving(1920, "Ada", "Bo", "Cem", "Dana")
    seen = values_seen(w, monkeypatch)
    w.do(ada, ev.Lock(True))
    w.run(6)
    w.unreachable |= {("Ada", origin) for origin in OTHERS}
    for at, gone in zip(OTHERS, (ORIGIN, OTHERS[0]), strict=True):
        w.fails(gone)
        w.until(lambda at=at: in_step(w, [bo, cem, dana], at), 40)  # type: ignore[misc]  # bound now
        assert bo.room.here.attempt
        w.run(5)
    first, second, third = seen.values()
    assert min(len(second), len(third)) > 3
    assert (first & second, first & third, second & third) == (set(), set(), set())


@SEEDS
def test_a_hub_holds_no_room_that_was_only_looked_at_for_long(seed: int) -> None:
    w, (_, bo, *_) = hostless(seed)
    w.run(120)
    hub: Hub = w.hubs[OTHERS[0]]
    assert [room.slot for room in hub._rooms.values()] == [bo.room.membership.journal.slot]


@pytest.mark.parametrize("seed", [1900, 1901, 1909, 1931])
def test_a_host_that_comes_back_alone_looks_for_the_others_before_it_changes_anything(seed: int) -> None:
    w, (ada, bo, cem, dana) = hostless(seed)
    w.do(ada, ev.Lock(True))
    w.run(60)  # and the others have fresh keys meanwhile
    w.restart(ORIGIN)
    w.unreachable.clear()
    w.until(lambda: w.agreed([ada, bo, cem, dana]) and bo.room.membership.policy.mode.name == "LOCKED", 40)
    false = {"gate_denied", "two_stories", "reordered", "outside", "wrong_gate"}
    told = {getattr(e.text, "key", e.text) for p in w.people for e in p.of(ev.Alarm) if e.kind in false}
    assert told <= {"alarm.reordered.apart"}, "it came back to another place than theirs"


@pytest.mark.parametrize("seed", [6, 31])
def test_a_newcomer_comes_in_while_somebody_departs_elsewhere(seed: int) -> None:
    """Nobody adds it at the place that all are leaving: it would not know the gate there."""
    w, (ada, bo, cem, dana) = moving(seed, "Ada", "Bo", "Cem", "Dana")
    link = link_with_servers(w, ada)
    w.fails(ORIGIN)
    talk(w, bo, [ada, cem, dana], "elsewhere")
    w.run(6)
    eve = w.guest(link, "Eve")
    w.run(w.random.uniform(0.5, 3.5))
    w.do(dana, ev.Leave())
    w.until(lambda: w.agreed([ada, bo, cem, eve]) and eve.room.is_synced(w.now), 4)


@SEEDS
def test_a_removed_member_opens_no_place_that_the_others_come_to(seed: int) -> None:
    w, (ada, bo, cem, dana) = met(seed)
    spoilers = [
        Spoiler(w, dana, place) for place in (hosts_place(dana), as_known_to(dana, bo), place_of(dana))
    ]
    w.do(ada, ev.Remove(dana.session.own_leaf or 0))
    w.until(lambda: dana.ended is not None and bo.roster == cem.roster == ["Ada", "Bo", "Cem"], 20)
    w.run(OPEN_WAIT + 1)
    for spoiler in spoilers:
        spoiler.opens()
        assert spoiler.room_is_spoiled
    w.fails(ORIGIN)
    assert w.until(lambda: in_step(w, [bo, cem]), 20) < 9
    assert bo.room.here.attempt == 1 + (bo.session.own_leaf or 0)
    assert len(w.hubs[OTHERS[0]]._rooms) == len(spoilers) + 1, "the key of all doors is another one since"
