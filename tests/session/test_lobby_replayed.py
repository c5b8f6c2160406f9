"""A server where no meeting is any more repeats what was said in its lobby: it holds no newcomer for it."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.guest import KNOCK_HOLDS, KNOCK_PATIENCE, NONCE_FOR, GuestLobby
from snugroom.client.session.entry.lobby_connections import HEARD_STAY, SEEK_STAY
from snugroom.crypto.entry import lobby
from snugroom.lab.simulation.servers import OTHERS, Servers, listed
from snugroom.lab.simulation.world import ORIGIN, Link, Participant
from snugroom.wire import messages as wire
from snugroom.wire.messages import encode
from tests.session.hosts import card_of
from tests.session.test_places import link_with_servers, talk


class Repeater:
    """The first server keeps all that it has posted in its lobby, and repeats it all to one participant."""

    def __init__(self, w: Servers) -> None:
        self._w = w
        self.kept: list[wire.Posted] = []
        self.repeats = False
        w.link_filter = self._keep

    def _keep(self, link: Link, message: object) -> bool:
        if isinstance(message, wire.Posted) and link.hub is self._w.hubs[ORIGIN] and not self.repeats:
            self.kept.append(message)
        return True

    def repeat_to(self, who: Participant) -> None:
        self.repeats = True

        def again() -> None:
            for link in list(who.links.values()):
                if link.endpoint.day is not None and link.hub is self._w.hubs[ORIGIN]:
                    for message in self.kept:
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
    """The host's present card, and one that has expired since: both answer requests of others."""
    w = Servers(2101)
    kept = Repeater(w)
    people = w.meeting("Ada", "Bo")
    listed(w, people[0], *OTHERS)
    link = link_with_servers(w, people[0])
    gone_on(w, people)
    w.run(later)
    dana = w.guest(link, "Dana")
    kept.repeat_to(dana)
    took = w.until(lambda: w.agreed([*people, dana]), 5)
    assert took > SEEK_STAY, "it was at the first server before"
    w.run(5)
    assert w.at(OTHERS[0]) == {"Ada", "Bo", "Dana"}
    assert dana.alarms == []


def test_a_card_that_answered_another_visit_of_the_same_newcomer_does_not_hold_it() -> None:
    """Dana was at the first server when the meeting was there, and now the card comes again."""
    w = Servers(2102)
    kept = Repeater(w)
    ada, dana = knocking(w)
    link = link_with_servers(w, ada)
    w.kill(dana)
    w.fails(ORIGIN)
    w.until(lambda: w.at(OTHERS[0]) == {"Ada"}, 10)
    w.restart(ORIGIN)
    again = w.guest(link, "Dana")
    kept.repeat_to(again)
    w.until(lambda: len(ada.of(ev.Knocked)) == 2, 5)
    assert len(kept.kept) > 2


def test_a_card_from_the_lobby_of_another_server_holds_no_newcomer() -> None:
    """Somebody with the link stands in the lobby where the meeting is, and carries cards to where it was."""
    w = Servers(2104)
    people = w.meeting("Ada", "Bo")
    listed(w, people[0], *OTHERS)
    link = link_with_servers(w, people[0])
    gone_on(w, people)
    dana = w.guest(link, "Dana")
    w.until(lambda: _asked(dana) is not None, 5)
    card = card_of(people[0], w.now, b"Mallory's nonce.")
    tell(w, dana, card)
    assert not _has_card(dana)
    w.until(lambda: w.agreed([*people, dana]), 5)


def test_a_card_that_was_kept_back_for_a_minute_is_dead() -> None:
    """The host has answered, and is gone; its only server shows the card when it likes."""
    w = Servers(2104)
    ada = w.host("Ada", admission="ask")
    w.run(2)
    w.link_filter = lambda link, message: not (link.who.label == "Dana" and isinstance(message, wire.Posted))
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: _asked(dana) is not None, 5)
    nonce = _asked(dana)
    assert nonce is not None
    card = card_of(ada, w.now, nonce)
    w.run(2 * NONCE_FOR + 4)
    tell(w, dana, card)
    guest = dana.session._guest
    assert isinstance(guest, GuestLobby)
    assert not guest._sent
    fresh = _asked(dana)
    assert fresh not in (None, nonce)
    answer = card_of(ada, w.now, fresh or b"")
    tell(w, dana, answer)
    assert len(guest._sent) == 1
    heard = guest._connections._heard_at
    assert heard == w.now
    w.run(KNOCK_PATIENCE + 4)
    assert _asked(dana) is not None, "nobody answers its knock"
    tell(w, dana, answer)
    assert (len(guest._sent), guest._connections._heard_at) == (1, heard), "a nonce is answered once"


def test_a_newcomer_with_a_card_waits_for_a_slow_reply() -> None:
    """A host that has answered its request a moment ago is here, and may have much to do."""
    w = Servers(2105)
    ada = w.host("Ada", admission="ask")
    w.run(2)
    w.do(ada, ev.NameServers(OTHERS))
    w.run(2)
    dana = w.guest(link_with_servers(w, ada), "Dana")
    w.link_filter = lambda link, message: (
        not (link.who is dana and isinstance(message, wire.Posted) and _has_card(dana))
    )
    w.until(lambda: _has_card(dana), 5)
    w.run(4 * SEEK_STAY)
    assert {origin for origin, _ in w.lobby_visits(dana)} == {ORIGIN}
    w.until(lambda: looks_at(dana) != ORIGIN, HEARD_STAY)


def _has_card(who: Participant) -> bool:
    return bool(who.session._guest and who.session._guest._sent)


def _asked(who: Participant) -> bytes | None:
    """The nonce by which a newcomer asks for a card."""
    guest = who.session._guest
    return guest._nonces[-1][0] if isinstance(guest, GuestLobby) and guest._nonces else None


def tell(w: Servers, who: Participant, card: lobby.Card) -> None:
    """Show a card to a newcomer in the lobby, as its server can that has the link."""
    guest = who.session._guest
    assert isinstance(guest, GuestLobby)
    ((day, key),) = guest._connections._envelope_keys.items()
    w._feed(who, ev.Received(ev.Endpoint(day), wire.Posted(bytes(8), lobby.post(key, card, rng=w.rng))))


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
