"""A host's cards: few for many newcomers, and no more than it may post, whoever asks."""

from __future__ import annotations

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.entry.cards import CARD_EVERY, CARD_RENEW, REQUESTS_MAX, Cards
from snugroom.client.session.entry.lobby_connections import BROADCAST_BURST, BROADCAST_RATE, LobbyConnections
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.invite import HostKeys, HostSeed, day_of
from snugroom.crypto.errors import StateError
from snugroom.lab.simulation.world import ORIGIN, START, World, seeded
from snugroom.wire import messages as wire

KEYS = HostKeys((HostSeed(bytes(32)),))
DAY = day_of(START)
SECRET = bytes(16)


class Desk:
    """A host's cards in one lobby, and what it posts there."""

    def __init__(self) -> None:
        self.effects: list[ev.Effect] = []
        self.connections = LobbyConnections(SECRET, (ORIGIN,), self.effects, seeded(1))
        self.cards = Cards(ORIGIN, self.connections, rng=seeded(2))
        self.now = START
        self.connections.stay_in({DAY}, START)
        self.connections.received(DAY, wire.Entered(bytes(8), bytes(8)))
        self.effects.clear()

    def ask(self, *numbers: int, at: int | None = None) -> None:
        """Requests, each on a connection of its own, or all on connection `at`."""
        for number in numbers:
            self.cards.ask(DAY, (number if at is None else at).to_bytes(8, "big"), nonce(number))
            self.cards.answer(KEYS, self.now)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.now += 0.1
            self.connections.stay_in({DAY}, self.now)
            self.cards.answer(KEYS, self.now)

    def posted(self) -> list[lobby.Card]:
        key = self.connections._envelope_keys[DAY]
        sent = [e.message for e in self.effects if isinstance(e, ev.Transmit)]
        made = [lobby.read(key, message.blob) for message in sent if isinstance(message, wire.Post)]
        self.effects.clear()
        return [card for card in made if isinstance(card, lobby.Card)]


def nonce(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_one_card_answers_all_who_ask_within_a_quarter_of_a_second() -> None:
    desk = Desk()
    desk.ask(0)
    (first,) = desk.posted()
    assert first.answers == (nonce(0),), "nobody waits for others"
    desk.ask(*range(1, 12))
    assert desk.posted() == []
    desk.run(CARD_EVERY + 0.1)
    (card,) = desk.posted()
    assert card.answers == tuple(nonce(n) for n in range(1, 12))
    assert card.eph_public == first.eph_public
    desk.run(10)
    assert desk.posted() == [], "nobody has asked"


def test_a_lecture_gets_sixteen_answers_on_a_card() -> None:
    desk = Desk()
    desk.ask(*range(250))
    desk.run(1)
    cards = desk.posted()
    assert len(cards) <= 1 + -(-249 // 16)
    assert {n for card in cards for n in card.answers} == {nonce(n) for n in range(250)}
    assert len({card.eph_public for card in cards}) == 1


def test_a_flood_of_requests_makes_a_host_sign_no_more_than_it_may_post(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody with the link asks 100 times a second: on one connection, and on more than a lobby has."""
    made = 0
    real = lobby.make_card

    def count(*args: object) -> lobby.Card:
        nonlocal made
        made += 1
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(lobby, "make_card", count)
    for at in (7, None):
        desk, made = Desk(), 0
        for turn in range(600):
            desk.ask(*range(10 * turn, 10 * turn + 10), at=at)
            desk.run(0.1)
        assert made <= BROADCAST_BURST + 60 * BROADCAST_RATE
        assert len(desk.cards._asked) <= REQUESTS_MAX
        assert len(desk.cards.secrets) == 1
        assert desk.connections.waiting <= 1
        desk.run(20)
        desk.posted()
        desk.ask(10**6)
        desk.run(1)
        assert [card.answers for card in desk.posted()] == [(nonce(10**6),)], "and it leaves nothing behind"


def test_one_connection_has_one_place_and_keeps_no_other_waiting() -> None:
    desk = Desk()
    desk.ask(0)
    desk.ask(*range(100, 1000), at=99)
    desk.ask(1)
    desk.posted()
    desk.run(CARD_EVERY + 0.1)
    (card,) = desk.posted()
    assert card.answers == (nonce(999), nonce(1))


def test_a_key_goes_after_ten_minutes_and_no_card_has_one_that_is_about_to_go() -> None:
    desk = Desk()
    desk.ask(0)
    (secret,) = desk.cards.secrets
    desk.run(lobby.CARD_LIFETIME - CARD_RENEW - 1)
    desk.ask(1)
    assert desk.cards.secrets == [secret]
    desk.run(2)
    desk.ask(2)
    assert [card.eph_public == secret.public for card in desk.posted()] == [True, True, False]
    assert desk.cards.secrets[0] is secret, "it still opens knocks"
    desk.run(CARD_RENEW)
    assert secret not in desk.cards.secrets
    with pytest.raises(StateError, match="erased"):
        lobby.make_card(KEYS, ORIGIN, secret, (nonce(3),))


def test_forty_newcomers_at_once_all_come_in() -> None:
    w = World(2110)
    ada = w.host("Ada")
    w.run(2)
    link = w.link_of(ada)
    cards: list[bytes] = []

    def watch(who: object, message: object) -> bool:
        if who is guests[0] and isinstance(message, wire.Posted) and message.handle == handle:
            cards.append(message.blob)
        return True

    (handle,) = [each.handle for endpoint, each in ada.links.items() if endpoint.day is not None]
    guests = [w.guest(link, f"Guest {number}") for number in range(40)]
    w.down_filter = watch
    w.until(lambda: w.agreed([ada, *guests]), 20)
    assert len(cards) < 15, "most of them share cards"
    assert ada.alarms == []
