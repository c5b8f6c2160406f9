"""When sockets are read: at once, or once in a millisecond, and never not at all. When timers are checked."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, cast

import pytest

from snugroom.server.sfu.io.reader import APART, Read, Reader
from snugroom.server.sfu.io.ticker import REST, Ticker


class Handle:
    cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """An event loop whose clock the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.readers: dict[int, Callable[[], None]] = {}
        self.due: list[tuple[float, Callable[[], None], Handle]] = []

    def time(self) -> float:
        return self.now

    def add_reader(self, descriptor: int, callback: Callable[[], None]) -> None:
        self.readers[descriptor] = callback

    def remove_reader(self, descriptor: int) -> None:
        self.readers.pop(descriptor, None)

    def call_later(self, delay: float, callback: Callable[[], None]) -> Handle:
        handle = Handle()
        self.due.append((self.now + delay, callback, handle))
        return handle

    def call_soon(self, callback: Callable[[], None]) -> Handle:
        return self.call_later(0.0, callback)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due, self.due = [d for d in self.due if d[0] <= self.now], [d for d in self.due if d[0] > self.now]
        for _, callback, handle in due:
            if not handle.cancelled:
                callback()


class Rig:
    def __init__(self) -> None:
        self.loop = Loop()
        self.reads: list[float] = []
        #: The descriptors of the reads; None for all.
        self.of: list[int | None] = []
        self.result: Read | Exception = Read(3, False)
        sockets = [
            cast(socket.socket, cast(Any, type("S", (), {"fileno": lambda _, n=n: n})())) for n in (7, 8)
        ]
        self.reader = Reader(cast(Any, self.loop), sockets, self._read)
        self.reader.start()

    def _read(self, descriptor: int | None) -> Read:
        self.reads.append(self.loop.now)
        self.of.append(descriptor)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def come(self, apart: float, times: int) -> None:
        """Datagrams come on a socket."""
        for _ in range(times):
            self.loop.now += apart
            if reader := self.loop.readers.get(7):
                reader()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_what_comes_seldom_is_read_at_once(rig: Rig) -> None:
    rig.come(2 * APART, 50)
    assert len(rig.reads) == 50
    assert set(rig.loop.readers) == {7, 8}
    assert not rig.loop.due
    rig.loop.readers[8]()
    assert rig.of == [7] * 50 + [8]


def test_while_much_comes_it_is_read_once_in_a_millisecond(rig: Rig) -> None:
    rig.come(APART / 5, 50)
    assert not rig.loop.readers
    before = len(rig.reads)
    assert before < 10
    for _ in range(1_000):
        rig.loop.advance(APART / 10)
    assert 80 <= len(rig.reads) - before <= 100
    assert set(rig.of[before:]) == {None}


def test_a_read_that_finds_little_ends_it(rig: Rig) -> None:
    rig.come(APART / 5, 50)
    rig.result = Read(1, False)
    rig.loop.advance(APART)
    assert set(rig.loop.readers) == {7, 8}
    assert not rig.loop.due
    before = len(rig.reads)
    rig.come(APART / 5, 2)
    assert len(rig.reads) == before + 2


def test_a_socket_that_holds_more_is_read_again_in_the_next_turn(rig: Rig) -> None:
    rig.come(APART / 5, 50)
    rig.result = Read(64, True)
    rig.loop.advance(APART)
    before = len(rig.reads)
    for _ in range(10):
        rig.loop.advance(0.0)
    assert len(rig.reads) == before + 10


def test_an_error_does_not_end_the_reading(rig: Rig) -> None:
    rig.come(APART / 5, 50)
    rig.result = OSError("broken")
    with pytest.raises(OSError, match="broken"):
        rig.loop.advance(APART)
    before, rig.result = len(rig.reads), Read(3, False)
    rig.loop.advance(APART)
    assert len(rig.reads) == before + 1


@pytest.mark.parametrize("busy", [False, True])
def test_nothing_is_read_after_the_stop(rig: Rig, busy: bool) -> None:
    if busy:
        rig.come(APART / 5, 50)
    rig.reader.stop()
    before = len(rig.reads)
    rig.come(APART / 5, 5)
    rig.loop.advance(1.0)
    assert len(rig.reads) == before


@pytest.mark.parametrize("busy", [False, True])
def test_descriptors_come_and_go(rig: Rig, busy: bool) -> None:
    if busy:
        rig.come(APART / 5, 50)
    rig.reader.add([11, 12])
    assert set(rig.loop.readers) == (set() if busy else {7, 8, 11, 12})
    rig.reader.remove([11])
    rig.result = Read(1, False)
    rig.loop.advance(APART)
    assert set(rig.loop.readers) == {7, 8, 12}
    rig.reader.stop()
    assert not rig.loop.readers


# -- timers ------------------------------------------------------------------------------------


class Ticks:
    """A ticker, and its ticks. `waits`: what a tick returns, or raises."""

    def __init__(self, interval: float = 0.02) -> None:
        self.loop = Loop()
        self.ticks: list[float] = []
        self.waits: bool | Exception = False
        self.ticker = Ticker(cast(Any, self.loop), interval, self._tick)

    def _tick(self) -> bool:
        self.ticks.append(round(self.loop.now - 100.0, 3))
        if isinstance(self.waits, Exception):
            raise self.waits
        return self.waits

    def run(self, seconds: float, came_every: float = 0.0) -> int:
        """Return how many ticks there were in this time, while something comes so often, if at all."""
        before, next_at = len(self.ticks), self.loop.now + came_every
        end = self.loop.now + seconds
        while self.loop.now < end:
            self.loop.advance(0.001)
            if came_every and self.loop.now >= next_at:
                self.ticker.came()
                next_at += came_every
        return len(self.ticks) - before


def test_timers_are_checked_seldom_while_nothing_comes_and_nothing_waits() -> None:
    ticks = Ticks()
    assert 9 <= ticks.run(1.0) <= 1 / REST + 2
    assert 45 <= ticks.run(1.0, came_every=0.01) <= 50
    ticks.waits = True
    assert 45 <= ticks.run(1.0) <= 50
    ticks.waits = False
    ticks.run(0.1)
    assert 9 <= ticks.run(1.0) <= 11


def test_after_a_rest_the_next_tick_comes_as_soon_as_ever() -> None:
    ticks = Ticks()
    ticks.run(0.35)
    at, before = round(ticks.loop.now - 100.0, 3), len(ticks.ticks)
    ticks.ticker.came()
    ticks.ticker.came()
    ticks.run(0.03)
    assert ticks.ticks[before:] == [pytest.approx(at + 0.02, abs=0.002)]


def test_an_error_of_a_tick_does_not_end_the_ticks() -> None:
    ticks = Ticks()
    ticks.waits = OSError("broken")
    with pytest.raises(OSError, match="broken"):
        ticks.run(0.1)
    ticks.waits = False
    assert ticks.run(1.0) >= 9


def test_a_stopped_ticker_is_quiet() -> None:
    ticks = Ticks()
    ticks.run(0.3)
    ticks.ticker.stop()
    assert ticks.run(1.0) == 0


def test_an_interval_longer_than_a_rest_stays() -> None:
    ticks = Ticks(interval=0.5)
    assert ticks.run(2.1) == 4
