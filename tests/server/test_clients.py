"""Quotas of clients, known by a keyed hash that is forgotten within a minute."""

from __future__ import annotations

import gc
from collections import Counter

import pytest

from snugroom.server.config import Settings
from snugroom.server.rooms import clients as clients_module
from snugroom.server.rooms.admission import Admission
from snugroom.server.rooms.clients import PERIOD, WIDER, Client, Clients
from snugroom.server.rooms.handshakes import WAITING_MAX, Handshakes
from tests.server.people import seeded

SETTINGS = Settings(
    connections_per_client=2, rooms_per_client=2, openings_per_second=1.0, opening_burst=3.0,
    arrival_burst=4.0, arrivals_per_second=1.0, handshakes_per_second=10.0, handshake_burst=1.0,
)  # fmt: skip


def clients(now: float = 0.0) -> Clients:
    return Clients(SETTINGS, seeded(1), now)


def may_connect(client: Client) -> bool:
    return client.may_have(lambda each: each.connections, SETTINGS.connections_per_client)


def may_open(client: Client, now: float) -> bool:
    return client.may_open(lambda each: each.rooms, SETTINGS.rooms_per_client, now)


def test_connections_are_counted_for_each_client() -> None:
    them = clients()
    one, other = them.find("192.0.2.1", 0.0), them.find("192.0.2.2", 0.0)
    for handle in (b"1", b"2"):
        assert may_connect(one)
        them.connect(one, handle, "192.0.2.1")
    assert not may_connect(one)
    assert may_connect(other)
    them.disconnect(one, b"1")
    assert may_connect(one)
    assert them.present() == [one]


def test_a_network_of_48_bits_has_a_quota_of_its_own() -> None:
    them = clients()
    for number in range(2 * WIDER):
        address = f"2001:db8:1:{number:x}::1"
        client = them.find(address, 0.0)
        assert may_connect(client)
        them.connect(client, bytes([number]), address)
    assert not may_connect(them.find("2001:db8:1:ffff::1", 0.0))
    assert may_connect(them.find("2001:db8:2:ffff::1", 0.0))


def test_clients_that_nobody_can_tell_apart_lock_nobody_out() -> None:
    them = clients()
    unknown = them.find(None, 0.0)
    assert unknown is them.find("no address", 0.0) is them.unknown
    for number in range(20):
        them.connect(unknown, bytes([number]), None)
        assert may_connect(unknown)
        assert may_open(unknown, 0.0)
        assert unknown.arrive(0.0)


def test_quotas_outlive_a_change_of_the_key() -> None:
    them = clients()
    stays, goes = them.find("192.0.2.1", 0.0), them.find("192.0.2.2", 0.0)
    for handle in (b"1", b"2"):
        them.connect(stays, handle, "192.0.2.1")
    for _ in range(3):
        assert may_open(goes, PERIOD - 0.1)
    for now in (PERIOD, 2 * PERIOD, 3 * PERIOD, 50 * PERIOD):
        them.tick(now)
        assert them.find("192.0.2.1", now) is stays
        assert not may_connect(stays)
    # who has no connection is known for one period more
    them = clients()
    goes = them.find("192.0.2.2", PERIOD - 0.1)
    assert all(may_open(goes, PERIOD - 0.1) for _ in range(3))
    assert them.find("192.0.2.2", PERIOD) is goes
    assert not may_open(goes, PERIOD)


def test_who_left_is_forgotten_within_two_periods_with_the_key() -> None:
    them = clients()
    client = them.find("2001:db8:1:2::1", 0.1)
    them.connect(client, b"1", "2001:db8:1:2::1")
    prefix = client.prefix
    assert bytes(prefix) == bytes.fromhex("20010db800010002")
    them.disconnect(client, b"1")
    assert prefix == b""
    names, keys = set(them._known), set(them._keys)
    them.tick(PERIOD)
    assert len(them) == 2
    them.tick(2 * PERIOD)
    assert len(them) == 0
    assert not names & {*them._known, *them._before}
    assert not keys & set(them._keys)
    assert 2 * PERIOD < 60
    del client
    gc.collect()
    assert not [
        o for o in gc.get_objects() if isinstance(o, Client) and o.wider == WIDER and o.arrivals._at == 0.1
    ]


def test_many_clients_end_a_period_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_module, "KNOWN_MAX", 50)
    them = clients()
    for number in range(250):
        them.find(f"10.0.0.{number}", 1.0)
        assert len(them) <= 102


def test_arrivals_have_a_rate() -> None:
    client = clients().find("192.0.2.1", 0.0)
    assert [client.arrive(0.0) for _ in range(5)] == [True] * 4 + [False]
    assert client.arrive(1.0)


# -- the order of handshakes ------------------------------------------------------------------------


def test_who_had_few_handshakes_goes_first() -> None:
    them, queue = clients(), Handshakes(SETTINGS, 0.0)
    storm = [them.find(f"192.0.2.{number}", 0.0) for number in range(16)]
    tickets = [queue.offer(client) for _ in range(20) for client in storm]
    assert None not in tickets
    for now in (0.0, 0.1, 0.2):
        assert len(queue.due(now)) == 1
    assert queue.due(0.2) == []
    assert abs((queue.wait(0.2) or 0.0) - 0.1) < 1e-9
    honest = queue.offer(them.find("198.51.100.1", 0.2))
    # the next turns: those who had none yet came before, and nobody's second one does
    turns = [ticket for step in range(3, 30) for ticket in queue.due(step / 10)]
    assert honest in turns[:14]
    assert queue.offer(them.find("198.51.100.1", 2.0)) is not None


def test_addresses_of_one_network_share_their_turns() -> None:
    them, queue = clients(), Handshakes(SETTINGS, 0.0)
    for number in range(200):
        assert queue.offer(them.find(f"2001:db8:1:{number:x}::1", 0.0))
    for step in range(40):
        assert len(queue.due(step / 9)) == 1
    honest = queue.offer(them.find("2001:db8:2::1", 5.0))
    assert queue.due(5.0) == [honest]


def test_a_queue_of_handshakes_is_bounded_and_forgets_who_left() -> None:
    them, queue = clients(), Handshakes(SETTINGS, 0.0)
    client = them.find("192.0.2.1", 0.0)
    tickets = [queue.offer(client) for _ in range(WAITING_MAX)]
    assert queue.offer(client) is None
    for ticket in tickets:
        assert ticket is not None
        queue.withdraw(ticket)
    assert len(queue) == 0
    assert queue.due(0.0) == []
    assert queue.wait(0.0) is None
    ticket = queue.offer(client)
    assert queue.due(0.0) == [ticket]


# -- the connection that makes place ----------------------------------------------------------------


def test_a_connection_in_a_small_room_of_a_client_with_many_makes_place() -> None:
    admission = Admission(SETTINGS, seeded(1), Counter(), lambda: 0.0)
    them, population = admission.clients, {}

    def come(address: str, *sizes: int) -> list[bytes]:
        handles = [f"{address} {number}".encode() for number in range(len(sizes))]
        for handle, size in zip(handles, sizes, strict=True):
            them.connect(them.find(address, 0.0), handle, address)
            population[handle] = size
        return handles

    newcomer = them.find("198.51.100.1", 0.0)
    come("192.0.2.1", *[25] * 200)  # a school
    come("192.0.2.2", 1, 1, 2)  # a host, alone in a lobby, and in two rooms
    assert them.find("192.0.2.2", 0.0).connections == 3
    pairs = come("192.0.2.3", *[2] * 15)
    assert admission.victim(newcomer, population.__getitem__) in pairs
    door = come("192.0.2.4", *[25] * 8, 0)
    assert admission.victim(newcomer, population.__getitem__) == door[-1]
    # nobody gains by taking turns, and whoever can't be told from others has no share
    assert admission.victim(them.find("192.0.2.1", 0.0), population.__getitem__) is None
    assert admission.victim(them.unknown, population.__getitem__) == door[-1]
