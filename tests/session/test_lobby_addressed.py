"""Posts for one connection in the lobby: knocks for their host, replies for their newcomer; lost replies."""

from __future__ import annotations

from collections import Counter

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.guest import KNOCK_PATIENCE, SOON, WAIT_EVERY, GuestLobby
from snugroom.client.session.features.absence import UNHEARD
from snugroom.crypto.entry import lobby
from snugroom.lab.simulation.world import ORIGIN, Link, Participant, World
from snugroom.wire import messages as wire
from snugroom.wire.messages import encode
from tests.session.hosts import card_of, deputised
from tests.session.invites import invite, knocks

KNOCK = 2048


class Watched(World):
    """A world that counts what the server sends in lobbies: bytes, and large posts by receiver."""

    def start_server(self) -> None:
        super().start_server()
        self.sent = 0
        self.large: Counter[str] = Counter()
        self.link_filter = self._count

    def _count(self, link: Link, message: object) -> bool:
        if isinstance(message, wire.Posted):
            self.sent += len(encode(message))
            self.large[link.who.label] += len(message.blob) >= KNOCK
        return True


def waiting(w: World, ada: Participant, *names: str) -> list[Participant]:
    """Guests that have knocked at Ada's meeting, and wait for her."""
    people = [w.guest(w.link_of(ada), name) for name in names]
    w.until(lambda: len(knocks(ada)) == len(names))
    w.run(1)
    return people


def opened(w: World) -> Participant:
    ada = w.host("Ada", admission="ask")
    w.until(lambda: bool(ada.of(ev.InviteMade)))
    w.run(1)
    return ada


def lobby_link(who: Participant) -> Link:
    return next(link for endpoint, link in who.links.items() if endpoint.day is not None)


def test_knock_and_answer_have_one_receiver() -> None:
    w = Watched(2300)
    ada = opened(w)
    bo, cem = waiting(w, ada, "Bo", "Cem")
    assert w.large == {"Ada": 2, "Bo": 0, "Cem": 0}
    numbers = {each.name: each.knock for each in knocks(ada)}
    w.do(ada, ev.Admit(numbers["Bo"]))
    w.until(lambda: w.agreed([ada, bo]))
    assert (w.large["Bo"], w.large["Cem"]) == (1, 0)
    w.do(ada, ev.Refuse(numbers["Cem"]))
    w.until(lambda: cem.ended is not None)


def test_newcomers_that_wait_ask_for_no_card() -> None:
    """A newcomer that waits for a decision hears from the host's program, and asks nobody else."""
    w = Watched(2301)
    ada = opened(w)
    people = waiting(w, ada, *(f"Guest {n}" for n in range(20)))
    w.sent = 0
    w.run(60)
    repeats = 60 / WAIT_EVERY
    assert w.sent < len(people) * (repeats + 1) * (4 * KNOCK / 3 + 4 * 512 / 3 + 200)
    assert not ada.alarms


def test_a_newcomer_with_another_connection_gets_its_answer() -> None:
    w = Watched(2302)
    ada = opened(w)
    (bo,) = waiting(w, ada, "Bo")
    w.cut(lobby_link(bo))
    w.run(2)
    w.do(ada, ev.Admit(knocks(ada)[0].knock))
    w.until(lambda: w.agreed([ada, bo]), 1)


def test_a_host_with_another_connection_has_its_knocks() -> None:
    w = Watched(2303)
    ada = opened(w)
    (bo,) = waiting(w, ada, "Bo")
    w.cut(lobby_link(ada))
    guest = bo.session._guest
    assert isinstance(guest, GuestLobby)
    sent = guest._sent[-1]
    heard = sent.heard_at

    def is_heard_again() -> bool:
        """Though it repeats nothing: the answer to its request for a card says where the host is now."""
        sent.posted_at = w.now
        return sent.heard_at > heard

    w.until(is_heard_again, KNOCK_PATIENCE + 5)
    assert len(knocks(ada)) == 1, "no person is asked twice"
    w.do(ada, ev.Admit(knocks(ada)[0].knock))
    w.until(lambda: w.agreed([ada, bo]), 1)


def test_a_link_holder_that_posts_the_hosts_card_keeps_nobody_out() -> None:
    w = Watched(2304)
    ada = opened(w)
    w.guest(w.link_of(ada), "Mallory")
    w.run(1)
    mallory = w.people[-1]
    day = next(iter(lobby_link(mallory).endpoint.day for _ in "1"))
    assert day is not None
    host = ada.session._host
    assert host is not None
    guest = mallory.session._guest
    assert isinstance(guest, GuestLobby)
    handle = lobby_link(mallory).handle
    w.down_filter = lambda who, message: not (who.label == "Bo" and _is_card(ada, who, message))
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: any(endpoint.day is not None for endpoint in bo.links))
    w.run(1)
    asks = bo.session._guest
    assert isinstance(asks, GuestLobby)
    card = card_of(ada, w.now, asks._nonces[-1][0])
    sealed = lobby.post(guest._connections._envelope_keys[day], card, rng=w.rng)
    w._feed(bo, ev.Received(ev.Endpoint(day), wire.Posted(handle, sealed)))
    sent = bo.session._guest
    assert isinstance(sent, GuestLobby)
    assert sent._sent[-1].to == handle, "Bo's knock went to Mallory alone"
    w.until(lambda: len(knocks(ada)) == 2, 8)


def _is_card(ada: Participant, who: Participant, message: object) -> bool:
    """Whether it is a card of Ada's, as Bo would receive it."""
    ours = [link.handle for endpoint, link in ada.links.items() if endpoint.day is not None]
    return isinstance(message, wire.Posted) and message.handle in ours and len(message.blob) == 512


@pytest.mark.parametrize("once", [False, True])
def test_a_newcomer_whose_answer_died_with_its_host_is_let_in_by_another(once: bool) -> None:
    """Ada has committed the Add, and crashes before she answers: Bo is in the roster, and knows nothing."""
    w = World(2305)
    ada, cem = w.meeting("Ada", "Cem")
    deputised(w, ada, cem)
    link = invite(w, ada, "Bo", once=True).link if once else w.link_of(ada)
    w.down_filter = lambda who, message: not (who.label == "Bo" and _is_answer(message))
    bo = w.guest(link, "Bo")
    w.until(lambda: "Bo" in cem.roster, 20)
    w.run(1)
    w.kill(ada)
    w.down_filter = lambda who, message: True
    w.until(lambda: bo.session.inside, 45)
    w.until(lambda: cem.roster.count("Bo") == 1 and bo.code == cem.code, 5)
    assert not {"not_admitted", "invite_leaked", "removed_knocks"} & {*cem.alarms, *bo.alarms}
    assert not [k for k in knocks(cem) if k.name == "Bo" and k.knock > 1], "no person is asked again"


def _is_answer(message: object) -> bool:
    return isinstance(message, wire.Posted) and len(message.blob) >= KNOCK


def test_a_newcomer_that_knocks_anew_is_asked_about_once() -> None:
    w = Watched(2306)
    ada = opened(w)
    (bo,) = waiting(w, ada, "Bo")
    guest = bo.session._guest
    assert isinstance(guest, GuestLobby)
    first, handle = guest._sent[-1], lobby_link(ada).handle
    guest._knock(first.day, first.card, handle, guest._make_package(w.now), w.now)
    w.do(bo, ev.Tick())
    w.run(2)
    assert len(knocks(ada)) == 1
    assert guest._sent[-1].is_heard(w.now)
    w.do(ada, ev.Admit(knocks(ada)[0].knock))
    w.until(lambda: w.agreed([ada, bo]))
    assert bo.room.membership.group.own_leaf == 1


def test_a_newcomer_of_which_nothing_was_ever_heard_leaves_the_roster() -> None:
    w = World(2307)
    ada, cem = w.meeting("Ada", "Cem")
    w.down_filter = lambda who, message: not (who.label == "Bo" and _is_answer(message))
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: "Bo" in ada.roster, 10)
    w.kill(bo)
    w.run(UNHEARD - 5)
    assert ada.roster.count("Bo") == 1
    assert "silent" in ada.alarms, ada.alarms
    w.until(lambda: w.agreed([ada, cem]), 20)
    w.down_filter = lambda who, message: True
    again = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: w.agreed([ada, cem, again]), 10, why="the invite is still valid")


def test_a_newcomer_that_was_heard_stays() -> None:
    w = World(2308)
    people = w.meeting("Ada", "Bo", "Cem")
    w.run(2 * UNHEARD)
    assert w.agreed(people)


def test_a_newcomer_connects_ahead_of_its_answer_once_and_only_in_time() -> None:
    w = Watched(2309)
    ada = opened(w)
    (bo,) = waiting(w, ada, "Bo")
    w.run(KNOCK_PATIENCE * 2)
    assert [e for e in bo.performed if isinstance(e, ev.ConnectSoon)] == [ev.ConnectSoon(ORIGIN)]

    # A host that comes late: the knock follows, and no connection ahead of its answer.
    ada.alive = False
    cem = w.guest(w.link_of(ada), "Cem")
    w.run(SOON)
    ada.alive = True
    w.until(lambda: "Cem" in [k.name for k in knocks(ada)])
    assert not [e for e in cem.performed if isinstance(e, ev.ConnectSoon)]
