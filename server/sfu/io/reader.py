"""When the sockets are read: at once while little comes, and once in a millisecond while much comes.

Each turn of the event loop costs as much as forwarding a few packets. Packets that come together are
forwarded together, and packets of one frame leave in one message.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

#: Seconds between two reads while much comes.
APART: Final = 0.001
#: Much comes when this many reads in succession were each less than `APART` after the one before. A read that
#: finds fewer datagrams than `_FEW` ends it.
_STREAK: Final = 4
_FEW: Final = 2


class Read(NamedTuple):
    """One read: the number of datagrams, and whether more wait."""

    datagrams: int
    more: bool


class Reader:
    """Calls `read` with the descriptor of the one of `sockets` to read, or None for all of them."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sockets: Sequence[socket.socket],
        read: Callable[[int | None], Read],
    ) -> None:
        self._loop = loop
        self._descriptors = [sock.fileno() for sock in sockets]
        self._read = read
        self._last = float("-inf")
        self._streak = 0
        self._next: asyncio.Handle | None = None

    def start(self) -> None:
        """Read whenever something comes."""
        self._streak = 0
        self._watch(self._descriptors)

    def stop(self) -> None:
        """Read no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        for descriptor in self._descriptors:
            self._loop.remove_reader(descriptor)

    def add(self, descriptors: Sequence[int]) -> None:
        """Read these as well, after `start`."""
        self._descriptors += descriptors
        if self._next is None:
            self._watch(descriptors)

    def remove(self, descriptors: Sequence[int]) -> None:
        """Read these no more, before they are closed."""
        for descriptor in descriptors:
            self._descriptors.remove(descriptor)
            self._loop.remove_reader(descriptor)

    def _watch(self, descriptors: Sequence[int]) -> None:
        for descriptor in descriptors:
            self._loop.add_reader(descriptor, partial(self._readable, descriptor))

    def _readable(self, descriptor: int) -> None:
        now = self._loop.time()
        self._streak = self._streak + 1 if now - self._last < APART else 0
        self._last = now
        self._read(descriptor)
        if self._streak >= _STREAK:
            for descriptor in self._descriptors:
                self._loop.remove_reader(descriptor)
            self._next = self._loop.call_later(APART, self._again)

    def _again(self) -> None:
        read = Read(_FEW, False)
        try:
            read = self._read(None)
        finally:  # whatever happens, the next read must come
            if read.more:
                self._next = self._loop.call_soon(self._again)
            elif read.datagrams < _FEW:
                self._next = None
                self.start()
            else:
                self._next = self._loop.call_later(APART, self._again)
