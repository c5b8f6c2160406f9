"""The budget of plain HTTP: places for connections, bytes left unread, and readers that stand still."""

from __future__ import annotations

import random
from typing import Final

from snugroom.server.config import Settings
from snugroom.server.http import PIECE
from snugroom.server.rooms.clients import PERIOD, REQUEST_BURST, REQUESTS_PER_SECOND, Clients
from snugroom.server.rooms.visits import PER_SOCKET, Visits
from tests.server.people import seeded

#: Bytes of the page as a browser loads it, and connections that a browser opens for it.
PAGE: Final = 190_000
BROWSER: Final = 6
#: All that waits for one reader that reads nothing: what asyncio's TCP and TLS hold of an answer.
FULL: Final = 3 * PIECE


class Stub:
    """A connection, which is never cut: the core only names it."""

    def abort(self) -> None:
        raise AssertionError("the core cuts nothing")


class House:
    """`Visits`, with connections from addresses."""

    def __init__(self, **settings: object) -> None:
        self.settings = Settings(**settings)  # type: ignore[arg-type]  # each test names what it needs
        self.clients = Clients(self.settings, seeded(1), 0.0)
        self.visits = Visits(self.settings, self.clients)

    def come(self, address: str | None, now: float = 0.0) -> tuple[Stub, list[object] | None]:
        connection = Stub()
        client = self.clients.find(address, now)
        cut = self.visits.enter(connection, client, address, now)
        return connection, None if cut is None else [*cut]

    def reader(self, address: str | None, unread: int = FULL, now: float = 0.0) -> tuple[Stub, list[object]]:
        """A connection with an answer, of which `unread` bytes wait; and those that had to give way."""
        connection, cut = self.come(address, now)
        assert cut is not None
        self.visits.progress(connection, 0, now)
        return connection, [*cut, *self.visits.wrote(connection, unread)]


def test_a_client_has_so_many_connections_and_others_come_in() -> None:
    house = House(connections_per_client=3)
    there = [house.come("192.0.2.1")[0] for _ in range(3 * PER_SOCKET)]
    assert house.come("192.0.2.1")[1] is None
    assert house.come("192.0.2.2")[1] == []
    # a WebSocket, or the end of a connection, leaves its place
    house.visits.leave(there[0])
    house.visits.leave(there[0])
    assert house.come("192.0.2.1")[1] == []
    assert len(house.visits) == 3 * PER_SOCKET + 1


def test_fifty_people_behind_one_address_load_the_page_at_once() -> None:
    """With the default settings, even if none of them has read a byte yet."""
    house = House()
    for _ in range(50 * BROWSER):
        assert house.reader("192.0.2.1", PAGE // BROWSER + 1)[1] == []
    client = house.clients.find("192.0.2.1", 0.0)
    waits = [client.request(0.0) for _ in range(50 * 45)]  # files
    assert max(waits) == 0.0


def test_requests_beyond_the_rate_wait_and_those_of_others_do_not() -> None:
    house = House()
    one, other = (house.come(address)[0] for address in ("192.0.2.1", "192.0.2.2"))
    for _ in range(int(REQUEST_BURST)):
        assert house.visits.wait(one, 0.0) == 0.0
    waits = [house.visits.wait(one, 0.0) for _ in range(3)]
    assert waits == [n / REQUESTS_PER_SECOND for n in (1, 2, 3)]
    assert house.visits.wait(other, 0.0) == 0.0


def test_what_one_client_leaves_unread_has_a_limit() -> None:
    house = House(memory_bytes=16 * 10 * FULL)  # ten readers' worth for one client
    innocent, _ = house.reader("192.0.2.2")
    there = [house.reader("192.0.2.1", now=number)[0] for number in range(10)]
    # one that takes something is no longer the one that has stood still for longest
    house.visits.progress(there[0], FULL, 20.0)
    last, cut = house.reader("192.0.2.1", now=21.0)
    assert cut == [there[1]]
    assert house.visits.unread == 11 * FULL
    # what a writer itself adds never cuts it
    assert last not in house.visits.wrote(last, 12 * FULL)
    assert house.clients.find("192.0.2.2", 21.0).unread == FULL
    assert innocent not in cut


def test_what_all_leave_unread_has_a_limit_and_the_client_with_most_gives() -> None:
    house = House(memory_bytes=4 * 10 * FULL)
    first = house.reader(None)[0]  # nobody says whose it is
    crowd = [house.reader(None)[0] for _ in range(6)]
    innocents = [house.reader(f"192.0.2.{number}")[0] for number in range(3)]
    assert house.visits.unread == 10 * FULL
    for number in range(3):
        _, cut = house.reader(f"198.51.100.{number}")
        assert cut == [[first, *crowd][number]]
    assert all(house.visits.wrote(each, FULL) == [] for each in innocents)


def test_readers_give_before_rooms_do() -> None:
    house = House()
    readers = [house.reader("192.0.2.1")[0] for _ in range(4)]
    idle = house.come("192.0.2.1")[0]
    assert house.visits.relieve(0) == []
    assert house.visits.relieve(FULL + 1) == readers[:2]
    assert house.visits.relieve(10 * FULL) == readers[2:]
    assert house.visits.unread == 0
    assert len(house.visits) == 1
    house.visits.leave(idle)


def test_a_connection_without_an_answer_and_a_reader_that_stands_still_are_cut() -> None:
    house = House(handshake_time=5.0, page_time=30.0)
    silent = house.come("192.0.2.1")[0]
    stalled, _ = house.reader("192.0.2.1", now=1.0)
    slow, _ = house.reader("192.0.2.1", now=1.0)
    assert house.visits.tick(4.9) == []
    assert house.visits.tick(5.0) == [silent]
    house.visits.progress(slow, FULL, 30.0)
    assert house.visits.tick(31.0) == [stalled]
    assert house.visits.unread == FULL
    assert house.visits.tick(59.9) == []
    assert house.visits.tick(60.0) == [slow]
    assert house.visits.unread == 0


def test_when_all_places_are_taken_the_client_with_most_gives_one() -> None:
    house = House(max_connections=8, handshake_time=5.0)
    there = [house.come("192.0.2.1")[0] for _ in range(8)]
    assert house.come("192.0.2.1")[1] is None, "it has the most itself"
    assert house.come("192.0.2.2")[1] == [there[0]]
    # and whoever stands still for as long as a handshake may take, whosever it is
    house.visits.progress(there[1], 0, 4.0)
    assert house.come(None, 5.0)[1] == [there[2]]


def test_a_proxy_names_a_client_for_each_request() -> None:
    house = House(connections_per_client=1, trusted_proxies=["192.0.2.9"])
    connections = [house.come(None)[0] for _ in range(PER_SOCKET + 1)]
    client = house.clients.find("192.0.2.1", 0.0)
    other = house.clients.find("192.0.2.2", 0.0)
    for connection in connections[:PER_SOCKET]:
        assert house.visits.belongs(connection, client, "192.0.2.1")
        house.visits.wrote(connection, 10)
    assert not house.visits.belongs(connections[-1], client, "192.0.2.1")
    assert client.unread == 10 * PER_SOCKET
    assert house.visits.belongs(connections[0], other, "192.0.2.2")
    assert (client.unread, other.unread) == (10 * (PER_SOCKET - 1), 10)


def test_quotas_outlive_a_change_of_the_key_and_who_has_left_is_forgotten() -> None:
    house = House(connections_per_client=1)
    there = [house.come("2001:db8::1")[0] for _ in range(PER_SOCKET)]
    client = house.clients.find("2001:db8::1", 0.0)
    for now in (PERIOD, 2 * PERIOD, 9 * PERIOD):
        house.clients.tick(now)
        assert house.clients.find("2001:db8::1", now) is client
        assert house.come("2001:db8::1", now)[1] is None
    prefix = client.prefix
    assert bytes(prefix) == bytes.fromhex("20010db800000000")
    for connection in there:
        house.visits.leave(connection)
    assert not prefix
    house.clients.tick(11 * PERIOD)
    assert len(house.clients) == 0, "the first look after more than two periods"


def test_after_any_sequence_the_counts_are_those_of_the_connections() -> None:
    chance = random.Random(5)
    house = House(max_connections=40, connections_per_client=10, memory_bytes=64 * FULL)
    addresses = [None, "192.0.2.1", "192.0.2.2", *(f"2001:db8:1:{n:x}::1" for n in range(6))]
    present: dict[Stub, int] = {}
    now = 0.0
    for _ in range(4000):
        now += chance.random() / 10
        gone: list[object] = []
        if chance.random() < 0.4 or not present:
            connection, cut = house.come(chance.choice(addresses), now)
            if cut is not None:
                present[connection], gone = 0, cut
        else:
            connection = chance.choice([*present])
            act = chance.randrange(4)
            if act == 0:
                house.visits.leave(connection)
                gone = [connection]
            elif act == 1:
                present[connection] = chance.randrange(FULL)
                gone = [*house.visits.wrote(connection, present[connection])]
            elif act == 2:
                present[connection] = chance.randrange(present[connection] + 1)
                house.visits.progress(connection, present[connection], now)
            else:
                address = chance.choice(addresses)
                house.visits.belongs(connection, house.clients.find(address, now), address)
        for each in (*gone, *house.visits.tick(now)):
            assert isinstance(each, Stub)
            del present[each]
        assert len(house.visits) == len(present) <= 40
        assert house.visits.unread == sum(present.values())
        assert house.visits.unread <= max(16 * FULL, max(present.values(), default=0))
    for connection in [*present]:
        house.visits.leave(connection)
    known = [*house.clients.present(), *(house.clients.find(each, now) for each in addresses)]
    assert {(each.visits, each.unread) for client in known for each in client.both()} == {(0, 0)}
