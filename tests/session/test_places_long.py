"""Meetings that stay at a further server for long, and newcomers there."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.journal import CHAINS, KEPT
from snugroom.lab.simulation.servers import OTHERS, Servers
from snugroom.lab.simulation.world import ORIGIN, Participant
from tests.session.test_mirror import mirrored
from tests.session.test_places import link_with_servers, moving, talk


def changes(w: Servers, host: Participant, count: int) -> None:
    """Have a host make this many changes, and leave the meeting unlocked."""
    m = host.room.membership
    last = m.journal.slot + count + count % 2
    while m.journal.slot < last:
        slot = m.journal.slot
        w.do(host, ev.Lock(m.policy.mode.name != "LOCKED"))
        w.until(lambda slot=slot: m.journal.slot > slot)  # type: ignore[misc]  # bound now
    w.run(1)


@pytest.mark.parametrize("count", [2 * KEPT + 2, CHAINS + 6])
def test_a_newcomer_elsewhere_is_one_of_all_however_long_the_meeting_was_there(count: int) -> None:
    w, (ada, bo, cem) = people = moving(1950, "Ada", "Bo", "Cem")
    link = link_with_servers(w, ada)
    w.fails(ORIGIN)
    talk(w, bo, [ada, cem], "elsewhere")
    w.run(6)
    changes(w, ada, count)
    talk(w, bo, [ada, cem], "still here")
    dana = w.guest(link, "Dana")
    w.until(lambda: w.agreed([ada, bo, cem, dana]) and dana.room.is_synced(w.now), 15)
    talk(w, dana, [ada, bo, cem], "so am I")
    for who in (cem, dana):
        w.cut(who.links[ev.ROOM])
        talk(w, who, [each for each in (ada, bo, cem, dana) if each is not who], "and again", 15)
    w.restart(ORIGIN)
    w.do(ada, ev.Move(ORIGIN))
    w.until(lambda: w.at(ORIGIN) == {"Ada", "Bo", "Cem", "Dana"}, 10)
    talk(w, dana, [ada, bo, cem], "at home", 10)
    assert [p.alarms for p in (*people[1], dana)] == [[]] * 4


def test_a_newcomer_to_a_meeting_that_was_mirrored_for_long_goes_along() -> None:
    w, (ada, bo, cem) = mirrored(1951, "Ada", "Bo", "Cem")
    link = link_with_servers(w, ada)
    changes(w, ada, 2 * KEPT + 2)
    dana = w.guest(link, "Dana")
    w.until(lambda: w.agreed([ada, bo, cem, dana]) and dana.room.next_is_ready, 15)
    w.fails(ORIGIN)
    assert talk(w, dana, [ada, bo, cem], "here I am") < 3
    assert w.at(OTHERS[0]) == {"Ada", "Bo", "Cem", "Dana"}
    assert [p.alarms for p in (ada, bo, cem, dana)] == [[]] * 4
