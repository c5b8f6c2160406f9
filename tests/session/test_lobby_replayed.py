"""A server where no meeting is any more repeats what was said in its lobby: it holds no newcomer for it."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.guest import KNOCK_HOLDS
from snugroom.client.session.entry.lobby_connections import HEARD_STAY
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Link, Participant
from snugroom.wire import messages as wire
from snugroom.wire.messages import encode
from tests.session.test_places import link_with_servers, talk


class Repeater:
    """The first server keeps all that it has posted in its lobby, and repeats it all to one participant."""

    def __init__(self, w: Servers) -> None:
        self._w = w
        self._kept: list[wire.Posted] = []
        self.repeats = False
        w.link_filter = self._keep

    def _keep(self, link: Link, message: object) -> bool:
        if isinstance(message, wire.Posted) and link.hub is self._w.hubs[ORIGIN] and not self.repeats:
            self._kept.append(message)
        return True

    def repeat_to(self, who: Participant) -> None:
        self.repeats = True

        def again() -> None:
            for link in list(who.links.values()):
                if link.endpoint.day is not None and link.hub is self._w.hubs[ORIGIN]:
                    for message in self._kept:
                        self._w._deliver(link, encode(message))

        self._w._every(0.5, again)


def looks_at(who: Participant) -> str:
    """The server in whose lobby a newcomer is."""
    guest = who.session._guest
    return "" if guest is None else guest.origin


def gone_on(w: Servers, people: list[Participant]) -> None:
    """The meeting goes on at the second server, and the first one comes back without it."""
    w.fails(ORIGIN)
    talk(w, people[1], [people[0], *people[2:]], "elsewhere")
    w.restart(ORIGIN)


@pytest.mark.parametrize("later", [20, 700])
def test_a_card_that_a_server_repeats_holds_no_newcomer(later: int) -> None:
    """The host's present card, and one that has expired since: newcomers' clocks may be 300 s off."""
    w = Servers(2101)
    kept = Repeater(w)
    people = w.meeting("Ada", "Bo")
    listed(w, people[0], *OTHERS)
    link = link_with_servers(w, people[0])
    gone_on(w, people)
    w.run(later)
    dana = w.guest(link, "Dana")
    kept.repeat_to(dana)
    took = w.until(lambda: w.agreed([*people, dana]), 15)
    assert took > 2, "it was at the first server before"
    w.run(5)
    assert w.at(OTHERS[0]) == {"Ada", "Bo", "Dana"}
    assert dana.alarms == []


def knocking(w: Servers) -> tuple[Participant, Participant]:
    """A host that is asked, with further servers, and a newcomer that has knocked."""
    ada = w.host("Ada", admission="ask")
    w.run(2)
    w.do(ada, ev.NameServers(OTHERS))
    w.run(2)
    dana = w.guest(link_with_servers(w, ada), "Dana")
    w.until(lambda: bool(ada.of(ev.Knocked)))
    return ada, dana


def test_replies_that_a_server_repeats_hold_a_newcomer_for_a_while() -> None:
    """They are the host's, to the newcomer's own knock, of the time when both were there."""
    w = Servers(2110)
    kept = Repeater(w)
    ada, dana = knocking(w)
    w.run(12)  # and the host's program says again that it has the knock
    w.fails(ORIGIN)
    w.until(lambda: w.at(OTHERS[0]) == {"Ada"}, 10)
    w.restart(ORIGIN)
    kept.repeat_to(dana)
    w.run(10)
    assert looks_at(dana) == ORIGIN
    w.until(lambda: looks_at(dana) == OTHERS[0], KNOCK_HOLDS + HEARD_STAY)
    w.run(3)
    w.do(ada, ev.Admit(ada.of(ev.Knocked)[-1].knock))
    w.until(lambda: w.agreed([ada, dana]), 10)
    assert len(ada.of(ev.Knocked)) == 1, "nobody is asked again"


def test_a_newcomer_that_waits_for_a_person_stays_where_the_host_answers() -> None:
    w = Servers(2120)
    ada, dana = knocking(w)
    w.run(400)
    assert {origin for origin, _ in w.lobby_visits(dana)} == {ORIGIN}
    assert len(ada.of(ev.Knocked)) == 1
    w.do(ada, ev.Admit(ada.of(ev.Knocked)[-1].knock))
    w.until(lambda: w.agreed([ada, dana]), 10)
    assert dana.alarms == []
