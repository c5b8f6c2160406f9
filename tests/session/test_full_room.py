"""A room that has as many members as the server has places for: whoever comes next displaces nobody."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import World
from snugroom.server.config import Settings
from tests.session.gatecrashers import alarms_of, everybody_in_step


def test_a_newcomer_to_a_full_room_waits_and_displaces_no_member() -> None:
    w = World(2201, settings=Settings(max_members=4))
    people = w.meeting("Ada", "Bo", "Cem", "Dana")
    link = w.link_of(people[0])
    handles = {p.label: p.links[ev.ROOM].handle for p in people}
    newcomers = []
    for name in ("Eve", "Finn"):
        # Dana's network is slow: her next pass comes after the newcomer.
        people[3].links[ev.ROOM].last_up = w.now + 5
        newcomers.append(w.guest(link, name))
        w.until(lambda name=name: name in people[0].roster, 10)  # type: ignore[misc]  # bound now
        w.run(16)
        assert ev.ROOM in people[3].links, "Dana was displaced"
    assert {p.label: p.links[ev.ROOM].handle for p in people} == handles, "nobody had to come back"
    assert everybody_in_step(w, people)
    w.do(people[3], ev.Say("still here"))
    w.until(lambda: all(("Dana", "still here") in p.said for p in people[:3]), 5)
    for who in newcomers:
        assert alarms_of(who, "full")[0].text.startswith("The server says that there is no place for you")
    assert not any("full" in p.alarms for p in people)
    told = [e.text for e in people[0].of(ev.Status) if e.kind == "not_in"]
    assert [text.split(" since a host")[0] for text in told] == [
        "Nothing has been heard of “Eve”",
        "Nothing has been heard of “Finn”",
    ]
    assert not [e for p in people[1:] for e in p.of(ev.Status) if e.kind == "not_in"]
    # the next place is a newcomer's
    w.do(people[1], ev.Leave())
    w.until(lambda: any(p.room.is_synced(w.now) for p in newcomers), 20)
    assert everybody_in_step(w, [people[0], people[2], people[3]])
