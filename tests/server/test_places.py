"""Quotas of rooms and lobbies, and the room that makes place for another: the hub in memory."""

from __future__ import annotations

from hashlib import sha256

from nacl.signing import SigningKey

from snugroom.server.config import Settings
from snugroom.server.rooms.clients import Client, Clients
from snugroom.server.rooms.effects import Drop, Effect
from snugroom.server.rooms.hub import Hub
from snugroom.wire.messages import Refused
from tests.server.people import SERVER, lobby_door, room_door, seeded, sign

ORIGIN = "http://snug.test"


def key(name: str) -> SigningKey:
    return SigningKey(sha256(name.encode()).digest())


class Server:
    """A hub, and clients at addresses."""

    def __init__(self, **settings: object) -> None:
        self.settings = Settings(**settings)  # type: ignore[arg-type]  # checked by the tests that use it
        self.clients = Clients(self.settings, seeded(1), 0.0)
        self.now = 0.0
        self.dropped: list[tuple[bytes, Refused]] = []
        self.hub = Hub(
            self.settings, origin=ORIGIN, server_key=bytes(SERVER.verify_key), incarnation=b"incarnat",
            sign=sign, rng=seeded(2),
        )  # fmt: skip

    def client(self, address: str | None) -> Client:
        return self.clients.find(address, self.now)

    def enter(self, address: str | None, room: str) -> bytes:
        """Enter (and so open, if it isn't there) a room; return the handle."""
        handle, challenge = self.hub.connect(self.client(address))
        self.note(self.hub.handle(handle, room_door(ORIGIN, challenge.nonce, key(room)), self.now))
        return handle

    def lobby(self, address: str | None, lobby: str) -> bytes:
        handle, challenge = self.hub.connect(self.client(address))
        self.note(self.hub.handle(handle, lobby_door(ORIGIN, challenge.nonce, key(lobby)), self.now))
        return handle

    def leave(self, handle: bytes) -> None:
        self.note(self.hub.leave(handle, self.now))
        self.note(self.hub.tick(self.now))

    def note(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Drop):
                assert isinstance(effect.last, Refused)
                assert effect.last.code == "full"
                assert effect.last.fatal
                self.dropped.append((effect.handle, effect.last))

    def inside(self, *handles: bytes) -> list[bool]:
        return [self.hub.inside(handle) for handle in handles]


def test_a_client_holds_so_many_rooms_and_others_are_not_concerned() -> None:
    server = Server(rooms_per_client=2)
    one, two, three = (server.enter("192.0.2.1", f"room {n}") for n in range(3))
    assert server.inside(one, two, three) == [True, True, False]
    assert "your network" in server.dropped[0][1].text
    assert (
        server.inside(server.enter("192.0.2.1", "room 0"), server.enter("192.0.2.2", "room 9")) == [True] * 2
    )
    # a room counts for whoever is in it for longest
    guest = server.enter("192.0.2.3", "room 1")
    server.leave(two)
    assert server.inside(guest, server.enter("192.0.2.1", "room 4")) == [True, True]
    server.enter("192.0.2.3", "room 5")
    assert server.inside(server.enter("192.0.2.3", "room 6")) == [False]


def test_one_room_after_the_other_has_a_rate() -> None:
    server = Server(opening_burst=3.0, openings_per_second=0.5)
    for number in range(3):
        server.leave(server.enter("192.0.2.1", f"room {number}"))
        assert server.hub.room_count == 0
    assert server.inside(server.enter("192.0.2.1", "room 3")) == [False]
    assert server.inside(server.enter(None, "room 4")) == [True]
    server.now = 2.0
    assert server.inside(server.enter("192.0.2.1", "room 5")) == [True]


def test_lobbies_have_a_quota_and_are_given_back() -> None:
    server = Server(lobbies_per_client=1)
    first = server.lobby("192.0.2.1", "a")
    assert server.inside(first, server.lobby("192.0.2.1", "b"), server.lobby("192.0.2.1", "a")) == [
        True, False, True,
    ]  # fmt: skip
    server = Server(lobbies_per_client=1)
    server.leave(server.lobby("192.0.2.1", "a"))
    assert server.inside(server.lobby("192.0.2.1", "b")) == [True]


def test_when_all_rooms_are_in_use_the_client_with_most_gives_one() -> None:
    server = Server(max_rooms=4)
    hosts = [server.enter("192.0.2.1", f"room {n}") for n in range(3)]
    guest = server.enter("192.0.2.9", "room 0")
    busy = server.enter("192.0.2.2", "busy")
    honest = server.enter("198.51.100.1", "honest")
    assert server.inside(honest, busy, guest, hosts[0]) == [True] * 4, "not the one with most connections"
    assert server.inside(*hosts[1:]) == [False, True], "the one that was quiet for longest"
    assert server.hub.room_count == 4
    assert "all rooms are in use" in server.dropped[0][1].text
    # nobody gains by taking turns
    assert server.inside(server.enter("192.0.2.3", "again")) == [True]
    assert server.inside(server.enter("192.0.2.4", "again and again")) == [False]
    assert server.inside(honest, busy, hosts[0]) == [True] * 3


def test_an_idle_room_with_one_connection_makes_place() -> None:
    server = Server(max_rooms=2)
    idle, shared = server.enter(None, "idle"), [server.enter(None, "shared") for _ in range(2)]
    assert server.inside(server.enter(None, "early")) == [False]
    server.now = 59.0
    assert server.inside(server.enter(None, "early")) == [False]
    server.now = 59.9
    server.hub.handle(idle, lobby_door(ORIGIN, b"n" * 32), server.now)  # not a message of the room
    server.now = 60.1
    late = server.enter(None, "late")
    assert server.inside(idle, *shared, late) == [False, True, True, True]
    assert server.inside(server.enter(None, "later"), *shared, late) == [False, True, True, True]


def test_memory_of_rooms_is_given_back_when_they_are_forgotten() -> None:
    server = Server(max_rooms=1)
    handle = server.enter("192.0.2.1", "room")
    [room] = server.hub._rooms.values()
    room.backlog.add_relay(0, bytes(4096))
    assert server.hub.ledger.blobs > 4096
    [holding] = server.hub.holdings(lambda _: 7)
    assert (holding.relays, holding.total) == (server.hub.ledger.blobs, server.hub.ledger.blobs + 7)
    server.note(server.hub.close_room(holding.name, "too large", 0.0))
    assert server.inside(handle) == [False]
    assert server.hub.ledger.blobs == 0
    assert server.hub.room_count == 0
