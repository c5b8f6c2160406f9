"""Storms of strangers, within every limit of one connection: for `snug bench hostile`.

    python -m snugroom.lab.bench.storms NAME URL SECONDS CLIENTS

CLIENTS is the number of IPv4 addresses (of 127.0.0.0/8), or 0: all come from IPv6 networks of 64 bits in one
of 48, which the trusted proxy at 127.0.0.1 names. The program prints one JSON object with what it did, and
how often it was turned away. It speaks WebSocket by hand, and so leaves the CPU time to the server.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import resource
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from snugroom.installed import environment
from snugroom.lab.bench.light import LightRoom
from snugroom.wire import limits, messages

#: Sockets of one storm, at most.
_SOCKETS_MAX: Final = 6_000
_START: Final = 20.0
_ANSWER: Final = 10.0
#: Seconds between two tries of a client that was refused.
_AGAIN: Final = 0.05
_MASKED: Final = 0x80
#: Niceness of the process: below the server's, and not so low that a busy machine leaves it nothing.
_NICE: Final = 10
#: Connections that begin in a second.
_BEGIN: Final = 300.0


class TurnedAwayError(Exception):
    """The server has refused or closed the connection."""


class Intruder(asyncio.Protocol):
    """One WebSocket. After `deafen` it drops all that comes."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._data = b""
        self._upgraded = self._deaf = False
        self._inbox: asyncio.Queue[messages.Message | None] = asyncio.Queue()
        self.transport: asyncio.Transport | None = None
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._data += data
        if not self._upgraded:
            head, found, self._data = self._data.partition(b"\r\n\r\n")
            if not found:
                self._data = head
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self._inbox.put_nowait(None)
                return
            self._upgraded = True
        while (frame := self._frame()) is not None:
            if frame:
                self._inbox.put_nowait(messages.decode_server(frame))

    def _frame(self) -> bytes | None:
        """Return the text of the next frame (empty for another kind), or None if it is not complete."""
        data = self._data
        if len(data) < 10:
            data = data + bytes(10)
        kind, size, start = data[0] & 15, data[1], 2
        if size > 125:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start], "big")
        if len(self._data) < start + size:
            return None
        self._data = self._data[start + size :]
        return data[start : start + size] if kind == 1 else b""

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
        self._inbox.put_nowait(None)

    def deafen(self) -> None:
        """Drop everything from now on."""
        self._deaf, self._data = True, b""

    def say(self, message: messages.Message) -> None:
        """Send a message."""
        assert self.transport is not None
        text = messages.encode(message)
        if len(text) > 65_535:
            size = bytes([_MASKED | 127]) + len(text).to_bytes(8, "big")
        elif len(text) > 125:
            size = bytes([_MASKED | 126]) + len(text).to_bytes(2, "big")
        else:
            size = bytes([_MASKED | len(text)])
        self.transport.write(b"\x81" + size + bytes(4) + text)

    async def until(self, kind: type[messages.Message]) -> messages.Message:
        """Return the next message of this kind. Raises TurnedAwayError without one."""
        try:
            async with asyncio.timeout(_ANSWER):
                while True:
                    message = await self._inbox.get()
                    if isinstance(message, kind):
                        return message
                    if message is None or isinstance(message, messages.Refused | messages.Closing):
                        raise TurnedAwayError
        except TimeoutError:
            raise TurnedAwayError from None

    def close(self) -> None:
        """Cut the connection."""
        if self.transport is not None:
            self.transport.abort()


class Storm:
    """The clients of a storm, and the count of what happened."""

    def __init__(self, url: str, seconds: float, clients: int) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.place = parts.hostname, parts.port
        self.end = asyncio.get_running_loop().time() + seconds
        self.count: Counter[str] = Counter()
        self.clients = clients
        self._next = itertools.count()

    @property
    def on(self) -> bool:
        """Whether it goes on."""
        return asyncio.get_running_loop().time() < self.end

    def client(self) -> tuple[str, str]:
        """Return the next client: its local address, and the client that the proxy names (or nothing)."""
        number = next(self._next)
        if not self.clients:
            return "127.0.0.1", f"2001:db8:1:{number % 65_536:x}::1"
        number %= self.clients
        return f"127.66.{number >> 8}.{number & 255}", ""

    async def raw(self, make: Callable[[bytes], Intruder]) -> Intruder:
        """Open a TCP connection of the next client. TurnedAwayError if that fails."""
        address, named = self.client()
        host, port = self.place
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade",
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}",
            *([f"X-Forwarded-For: {named}"] if named else []),
        ]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.count["tried"] += 1
        try:
            _, intruder = await asyncio.get_running_loop().create_connection(
                lambda: make(head), host, port, local_addr=(address, 0)
            )
        except OSError:
            raise TurnedAwayError from None
        return intruder

    async def enter(self, room: LightRoom) -> Intruder:
        """Enter a room, open it if nobody has, and show the pass. TurnedAwayError if the server refuses."""
        intruder = await self.raw(Intruder)
        try:
            challenge = await intruder.until(messages.Challenge)
            assert isinstance(challenge, messages.Challenge)
            intruder.say(room.door(challenge))
            entered = await intruder.until(messages.Entered)
            assert isinstance(entered, messages.Entered)
            if entered.slot is None:
                intruder.say(room.open(challenge))
            intruder.say(room.show)
            await intruder.until(messages.Shown)
        except TurnedAwayError:
            intruder.close()
            raise
        self.count["entered"] += 1
        return intruder

    async def again(self, what: Callable[[], Awaitable[None]]) -> None:
        """Do `what` over and over, until the end."""
        while self.on:
            try:
                await what()
            except TurnedAwayError:
                self.count["turned away"] += 1
                await asyncio.sleep(_AGAIN)

    async def together(self, count: int, what: Callable[[], Awaitable[None]]) -> None:
        """Do `what` over and over until the end, `count` at a time, which begin one after the other."""

        async def one(number: int) -> None:
            await asyncio.sleep(number / _BEGIN)
            await self.again(what)

        await asyncio.gather(*(one(number) for number in range(count)))

    async def rest(self, intruder: Intruder) -> None:
        """Stay until the end, or until the server closes. TurnedAwayError then."""
        intruder.deafen()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self.end):
                await intruder.closed.wait()
                raise TurnedAwayError

    async def send(self, intruder: Intruder, message: messages.Message, rate: float) -> None:
        """Send the same message `rate` times a second until the end. TurnedAwayError if the server closes."""
        intruder.deafen()
        while self.on:
            if intruder.closed.is_set():
                raise TurnedAwayError
            assert intruder.transport is not None
            if intruder.transport.get_write_buffer_size() < 1 << 20:
                intruder.say(message)
                self.count["sent"] += 1
            await asyncio.sleep(1 / rate)


def _blob(size: int) -> bytes:
    return os.urandom(size)


async def one_room(storm: Storm) -> None:
    """100 connections in one room, each with 49 messages of 512 bytes a second."""
    await _floods(storm, rooms=1, members=100)


async def many_rooms(storm: Storm) -> None:
    """20 rooms of 20 connections, each with 49 messages of 512 bytes a second."""
    await _floods(storm, rooms=20, members=20)


async def _floods(storm: Storm, rooms: int, members: int) -> None:
    keys = itertools.cycle([LightRoom() for _ in range(rooms)])

    async def one() -> None:
        intruder = await storm.enter(next(keys))
        await storm.send(intruder, messages.Broadcast(_blob(limits.BUCKETS[0])), 49.0)

    await storm.together(rooms * members, one)


async def bytes_of_one(storm: Storm) -> None:
    """50 connections in one room, one of which sends 9 Mbit/s."""
    room = LightRoom()

    async def listener() -> None:
        await storm.rest(await storm.enter(room))

    async def speaker() -> None:
        blob = _blob(limits.BUCKETS[7])
        await storm.send(await storm.enter(room), messages.Broadcast(blob), 9e6 / 8 / (len(blob) * 4 / 3))

    await asyncio.gather(storm.again(speaker), storm.together(49, listener))


async def passing_rooms(storm: Storm) -> None:
    """Connections that open a room and leave it, as fast as they may."""

    async def one() -> None:
        (await storm.enter(LightRoom())).close()

    await storm.together(64, one)


async def squatters(storm: Storm) -> None:
    """Pairs of connections, each pair in a room of its own, as many as they may, for as long as they may."""

    async def pair() -> None:
        room = LightRoom()
        one = await storm.enter(room)
        try:
            await storm.rest(await storm.enter(room))
        finally:
            one.close()

    await storm.together(min(_SOCKETS_MAX // 2, 1_500), pair)


async def idlers(storm: Storm) -> None:
    """WebSockets that do nothing, as many as they may."""

    async def one() -> None:
        intruder = await storm.raw(Intruder)
        await intruder.until(messages.Challenge)
        storm.count["entered"] += 1
        await storm.rest(intruder)

    await storm.together(_SOCKETS_MAX, one)


async def hoards(storm: Storm) -> None:
    """64 rooms that fill their memory with relayed blobs of 256 KiB, 3 a second each."""

    async def one() -> None:
        intruder = await storm.enter(LightRoom())
        await storm.send(intruder, messages.Relay(_blob(limits.ROOM_BLOB_MAX)), 3.0)

    await storm.together(64, one)


async def nonsense(storm: Storm) -> None:
    """Malformed requests of HTTP, each on a connection of its own."""

    def make(_head: bytes) -> Intruder:
        return Intruder(b"GET \x00\xff HTTP/9.9\r\n" + os.urandom(64) + b"\r\n\r\n")

    async def one() -> None:
        intruder = await storm.raw(make)
        async with asyncio.timeout(_ANSWER):
            await intruder.closed.wait()

    await storm.together(64, one)


async def downloads(storm: Storm) -> None:
    """Requests for the page's largest file whose answers nobody reads, as many as they may."""

    def make(head: bytes) -> Intruder:
        plain = head.replace(b"GET /ws", b"GET /blur.wasm")
        return Intruder(
            plain.replace(b"Upgrade: websocket\r\nConnection: Upgrade", b"Accept-Encoding: identity")
        )

    async def one() -> None:
        intruder = await storm.raw(make)
        assert intruder.transport is not None
        intruder.transport.pause_reading()
        storm.count["entered"] += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(min(storm.end, asyncio.get_running_loop().time() + _ANSWER)):
                await intruder.closed.wait()
        intruder.close()

    await storm.together(1_024, one)


async def calm(storm: Storm) -> None:
    """Nothing: what the machine itself does to a meeting."""
    await asyncio.sleep(storm.end - asyncio.get_running_loop().time())


STORMS: Final[dict[str, Callable[[Storm], Awaitable[None]]]] = {
    "calm": calm,
    "one_room": one_room,
    "many_rooms": many_rooms,
    "bytes_of_one": bytes_of_one,
    "passing_rooms": passing_rooms,
    "squatters": squatters,
    "idlers": idlers,
    "hoards": hoards,
    "nonsense": nonsense,
    "downloads": downloads,
}


async def run(name: str, url: str, seconds: float, clients: int) -> int:
    """Run a storm, and print its counts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    storm = Storm(url, seconds, clients)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await STORMS[name](storm)
    print(json.dumps(storm.count), flush=True)
    return 0


@contextlib.asynccontextmanager
async def raging(
    name: str, url: str, seconds: float, clients: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A storm in a process of its own, at a low priority: real ones have machines of their own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        *(name, url, str(seconds), str(clients)),
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def counts(process: asyncio.subprocess.Process) -> dict[str, int]:
    """Return what the storm printed at its end. ValueError if it failed."""
    assert process.stdout is not None
    async with asyncio.timeout(_START):
        found: dict[str, int] = json.loads(await process.stdout.read() or b"null") or {}
    return found


if __name__ == "__main__":
    os.nice(_NICE)
    sys.exit(asyncio.run(run(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))))
