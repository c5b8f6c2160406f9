"""When the sockets are read: at once, or once in a millisecond, and never not at all."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, cast

import pytest

from snugroom.server.sfu.io.reader import APART, Read, Reader


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
        self.result: Read | Exception = Read(3, False)
        sockets = [
            cast(socket.socket, cast(Any, type("S", (), {"fileno": lambda _, n=n: n})())) for n in (7, 8)
        ]
        self.reader = Reader(cast(Any, self.loop), sockets, self._read)
        self.reader.start()

    def _read(self) -> Read:
        self.reads.append(self.loop.now)
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


def test_while_much_comes_it_is_read_once_in_a_millisecond(rig: Rig) -> None:
    rig.come(APART / 5, 50)
    assert not rig.loop.readers
    before = len(rig.reads)
    assert before < 10
    for _ in range(1_000):
        rig.loop.advance(APART / 10)
    assert 80 <= len(rig.reads) - before <= 100


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
