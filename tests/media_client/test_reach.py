"""The choice of the path to the media server: the core, on a simulated network."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from aioice import stun

from snugroom.client.media.ice import CONSENT_TIMEOUT
from snugroom.client.media.reach import (
    Candidate,
    Chosen,
    Open,
    Reach,
    ReachEffect,
    Send,
    Shut,
    Unreachable,
    unreached,
)
from snugroom.wire.stun import CLIENT_HELLO
from snugroom.wire.stun import parse_request as wire_request

PASSWORD = "p" * 24
STEP = 0.025
#: From a check to its answer.
DELAY = 0.06
ONE, BOTH = ("192.0.2.7",), ("192.0.2.7", "2001:db8::7")
V4, V6, TCP4, TCP6 = (Candidate(address, 4000, tcp=tcp) for tcp in (False, True) for address in BOTH)
Passes = Callable[[int, Candidate], bool]


class Network:
    """`passes(number, candidate)`: whether datagrams of a socket get through, or a connection comes about.

    `absent`: candidates that no socket can even be opened for. `speaks`: the server says something all the
    time, as it does; it is heard by the chosen socket, if that `delivers`. Without `udp`: as through a proxy.
    """

    def __init__(
        self,
        addresses: tuple[str, ...] = ONE,
        *,
        tcp: bool = True,
        passes: Passes = lambda _number, _way: True,
        absent: tuple[Candidate, ...] = (),
        speaks: bool = True,
        udp: bool = True,
        slowness: float = 1.0,
    ) -> None:
        self.now = 0.0
        self.passes = passes
        self.delivers: Passes | None = None
        self.absent = absent
        self.speaks = speaks
        self.open: dict[int, Candidate] = {}
        self.opened: list[tuple[float, Candidate]] = []
        self.chosen: list[tuple[float, int, bool]] = []
        self.sent: list[tuple[float, int, bool]] = []
        #: The sockets whose checks carried the ClientHello.
        self.hellos: set[int] = set()
        self.lost_at: float | None = None
        self._replies: list[tuple[float, int, bytes]] = []
        self.reach = Reach(("mine", "m" * 24), os.urandom)
        self.reach.slowness = slowness
        start = self.reach.start(
            "theirs", PASSWORD, addresses, 4000, udp=udp, tcp=tcp, now=0.0, hello=b"hello"
        )
        self._do(start)

    @property
    def candidate(self) -> Candidate | None:
        """The candidate in use."""
        return self.open.get(self.chosen[-1][1]) if self.chosen else None

    def candidates(self) -> list[Candidate]:
        """The candidates for which sockets were opened, in order."""
        return [candidate for _, candidate in self.opened]

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end - STEP / 2:
            self.now += STEP
            while self._replies and self._replies[0][0] < self.now:
                _, number, reply = self._replies.pop(0)
                self._do(self.reach.receive(number, reply, self.now))
            if self.speaks and self.chosen:
                number = self.chosen[-1][1]
                if number in self.open and (self.delivers or self.passes)(number, self.open[number]):
                    self.reach.heard(self.now)
            self._do(self.reach.tick(self.now))

    def ends(self, number: int) -> None:
        """A connection of TCP."""
        self._do(self.reach.broken(number, self.now))

    def cut(self) -> None:
        """The address that we have is ours no more: sockets that there are don't get through."""
        old = len(self.opened)
        before = self.passes
        self.passes = lambda number, candidate: number >= old and before(number, candidate)

    def _do(self, effects: list[ReachEffect]) -> None:
        for effect in effects:
            match effect:
                case Open(number, candidate):
                    self.opened.append((self.now, candidate))
                    if candidate in self.absent:
                        self._do(self.reach.broken(number, self.now))
                        continue
                    self.open[number] = candidate
                    if candidate.tcp and self.passes(number, candidate):
                        self._do(self.reach.opened(number, self.now))
                case Send(number, data):
                    self._send(number, data)
                case Shut(number):
                    self.open.pop(number, None)
                case Chosen(number, first):
                    assert number in self.open
                    self.chosen.append((self.now, number, first))
                case Unreachable():
                    self.lost_at = self.now

    def _send(self, number: int, data: bytes) -> None:
        if number not in self.open:
            return
        request = stun.parse_message(data)
        self.sent.append((self.now, number, "USE-CANDIDATE" in request.attributes))
        if CLIENT_HELLO in wire_request(data).attributes:
            self.hellos.add(number)
        if self.passes(number, self.open[number]):
            reply = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
            reply.attributes["XOR-MAPPED-ADDRESS"] = ("127.0.0.1", 9)
            reply.add_message_integrity(PASSWORD.encode())
            self._replies.append((self.now + DELAY, number, bytes(reply)))


# -- the first time ---------------------------------------------------------------------------------


def test_udp_comes_first_and_is_enough() -> None:
    net = Network()
    net.run(10)
    assert net.candidates() == [V4]
    assert [(number, first) for _, number, first in net.chosen] == [(0, True)]
    assert net.reach.steady
    assert net.lost_at is None


def test_the_hello_goes_by_all_first_paths_and_by_no_later_one() -> None:
    net = Network(BOTH, passes=lambda _number, candidate: candidate.tcp)
    net.run(2.5)
    assert net.candidates() == [V4, V6, TCP4, TCP6]
    assert net.hellos == {0, 1, 2, 3}
    net.cut()
    net.run(5)
    assert max(number for _, number, _ in net.sent) > 3
    assert net.hellos == {0, 1, 2, 3}


def test_tcp_is_tried_where_udp_does_not_answer_in_a_moment() -> None:
    net = Network(passes=lambda _number, candidate: candidate.tcp)
    net.run(1.4)
    assert net.candidates() == [V4]
    net.run(1.0)
    assert net.candidate == TCP4
    assert 1.5 <= net.chosen[0][0] < 1.6
    assert list(net.open.values()) == [TCP4]
    net.run(20)
    assert net.candidates() == [V4, TCP4]


@pytest.mark.parametrize("dead", [V4, V6])
def test_the_address_family_that_works_is_chosen(dead: Candidate) -> None:
    net = Network(BOTH, passes=lambda _number, candidate: candidate != dead)
    net.run(1)
    assert net.candidate == (V6 if dead == V4 else V4)
    assert len(net.open) == 1
    assert net.candidates() == [V4, V6]


def test_without_udp_at_all_tcp_need_not_wait() -> None:
    net = Network(BOTH, absent=(V4, V6))
    net.run(0.1)
    assert net.candidate == TCP4


def test_through_a_proxy_tcp_is_tried_at_once_and_nothing_else_ever() -> None:
    net = Network(BOTH, udp=False, slowness=4.0)
    net.run(0.1)
    assert net.candidate == TCP4
    net.run(5)
    net.cut()
    net.run(30)
    net.ends(net.chosen[-1][1])
    net.run(30)
    assert net.reach.steady
    assert {candidate.tcp for candidate in net.candidates()} == {True}


def test_a_slow_path_is_not_given_up_for_being_slow() -> None:
    net = Network(udp=False, slowness=4.0, speaks=False)
    net.run(7)
    net.passes = lambda _number, _way: False
    net.run(3.5)
    assert len(net.opened) == 1
    net.run(8)
    assert len(net.opened) in (2, 3), "one round every eight seconds"
    assert net.reach.trying


def test_only_what_was_chosen_is_nominated() -> None:
    net = Network(BOTH, passes=lambda _number, candidate: candidate.tcp)
    net.run(3)
    assert net.candidate is not None
    chosen_at, number, _ = net.chosen[0]
    assert {n for _, n, nominated in net.sent if nominated} == {number}
    assert any(at == chosen_at for at, _, nominated in net.sent if nominated)
    net.run(10)
    assert all(nominated for at, _, nominated in net.sent if at > chosen_at)


def test_with_one_way_the_first_check_nominates() -> None:
    assert [nominated for _, _, nominated in Network(tcp=False).sent] == [True]


def test_the_error_names_the_tried_addresses() -> None:
    net = Network(BOTH, passes=lambda _number, _way: False)
    net.run(5)
    assert net.candidate is None
    assert "neither UDP nor TCP port 4000 of 192.0.2.7, 2001:db8::7 answers" in unreached(net.reach.tried)
    net = Network(tcp=False, passes=lambda _number, _way: False)
    net.run(5)
    assert "UDP port 4000 of 192.0.2.7 does not answer" in unreached(net.reach.tried)


# -- and again ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("addresses", [ONE, BOTH])
def test_another_address_is_found_out_soon(addresses: tuple[str, ...]) -> None:
    net = Network(addresses)
    net.run(7.9)  # a check was answered just now
    net.cut()
    net.run(2.5)
    assert len(net.chosen) == 2
    at, number, first = net.chosen[1]
    assert 1.5 <= at - 7.9 < 1.9
    assert not first
    assert list(net.open) == [number]
    net.run(20)
    assert len(net.chosen) == 2


def test_a_client_on_tcp_retries_tcp_beside_udp() -> None:
    net = Network(passes=lambda _number, candidate: candidate.tcp)
    net.run(7)
    net.cut()
    net.run(2.5)
    assert [net.candidate, len(net.chosen)] == [TCP4, 2]
    net = Network(passes=lambda _number, candidate: candidate.tcp)
    net.run(7)
    net.passes = lambda _number, _way: True
    net.ends(net.chosen[-1][1])  # the connection is reset: no need to wait
    net.run(DELAY + 2 * STEP)
    assert net.candidate == V4


def test_from_a_network_with_udp_into_one_without() -> None:
    net = Network()
    net.run(7)
    net.passes = lambda _number, candidate: candidate.tcp
    net.run(4)
    assert net.candidate == TCP4
    assert net.chosen[-1][0] - 7 < 3.2


def test_a_quiet_server_that_answers_is_there() -> None:
    net = Network(speaks=False)
    net.run(60)
    assert net.candidates() == [V4]
    assert len([at for at, _, _ in net.sent if at > 1]) <= 60


def test_a_client_that_is_not_heard_looks_for_another_path() -> None:
    net = Network()
    net.run(7)
    net.cut()
    net.delivers = lambda _number, _way: True
    net.run(5)
    assert [number for _, number, _ in net.chosen] == [0, 1]
    assert net.chosen[1][0] - 7 < 4


def test_a_connection_that_recovers_is_kept() -> None:
    net = Network()
    net.run(7)
    net.passes = lambda _number, _way: False
    net.run(1.7)
    assert len(net.open) == 2  # already tried beside it
    net.passes = lambda number, _way: number == 0
    net.run(1)
    assert list(net.open) == [0]
    assert len(net.chosen) == 1
    net.run(20)
    assert net.candidates() == [V4, V4]


def test_after_a_cut_of_ten_seconds_it_goes_on() -> None:
    net = Network()
    net.run(7)
    net.passes = lambda _number, _way: False
    net.run(10)
    assert len(net.open) <= 3
    assert len(net.candidates()) < 20
    net.passes = lambda _number, _way: True
    net.run(1)
    assert net.candidate is not None
    assert net.reach.steady
    assert net.lost_at is None


def test_without_an_answer_for_long_it_is_over() -> None:
    net = Network(BOTH)
    net.run(7)
    net.passes = lambda _number, _way: False
    net.run(CONSENT_TIMEOUT - 3)
    early = net.lost_at
    net.run(4)
    assert (early, net.lost_at is None, net.open) == (None, False, {})
    opened = len(net.opened)
    net.passes = lambda _number, _way: True
    net.run(10)
    assert len(net.opened) == opened


def test_where_nothing_can_be_opened_it_is_not_tried_all_the_time() -> None:
    net = Network(BOTH)
    net.run(7)
    net.cut()
    net.absent = (V4, V6, TCP4, TCP6)
    net.run(20)
    assert len(net.opened) < 60
    net.absent = ()
    net.run(2.5)
    assert net.reach.steady


def test_packets_that_the_server_did_not_seal_change_nothing() -> None:
    net = Network(BOTH, passes=lambda _number, _way: False)
    net.run(0.5)
    reply = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, b"t" * 12)
    reply.add_message_integrity(PASSWORD.encode())
    for number in (0, 1, 99):
        assert net.reach.receive(number, bytes(reply), net.now) == []
        assert net.reach.receive(number, b"\0\1 garbage", net.now) == []
    assert not net.reach.connected
