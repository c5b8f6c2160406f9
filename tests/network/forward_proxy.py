"""A SOCKS5 or HTTP CONNECT proxy on loopback, in a thread of its own, which notes what it is asked for."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Literal

#: Where a name leads that this proxy knows, and nobody else.
NAME: Final = "meet.snug.test"
_CHUNK: Final = 65_536
Kind = Literal["socks5", "http"]
#: Host and port as they were asked for: a name stays a name.
Asked = tuple[str, int]


class _RefusedError(Exception):
    """Not connected; the number of the reply."""


class ForwardProxy:
    """Runs while it is entered. `names`: addresses of names; `refuse` returns the reply to a request that
    is refused (SOCKS5 reply or HTTP status), None for others; `credentials`: the only ones it takes.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        names: Mapping[str, str] | None = None,
        refuse: Callable[[Asked], int | None] = lambda asked: None,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.port = 0
        self.asked: list[Asked] = []
        #: User names that were shown; None where none was.
        self.users: list[str | None] = []
        self._names = {NAME: "127.0.0.1"} if names is None else names
        self._refuse = refuse
        self._credentials = credentials
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"{self.kind}://127.0.0.1:{self.port}"

    @property
    def thread(self) -> int | None:
        return self._thread.ident

    def __enter__(self) -> ForwardProxy:
        self._thread.start()
        assert self._started.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, and all of its connections. Stopping twice is harmless."""
        if self._thread.is_alive():
            assert self._loop is not None
            assert self._stop is not None
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(30)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                await self._carry(reader, writer)
            writer.close()
            tasks.discard(task)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begin = self._socks5 if self.kind == "socks5" else self._connect
        far = await begin(reader, writer)
        if far is None:
            await writer.drain()
            return
        far_reader, far_writer = far
        ways = [
            asyncio.ensure_future(_copy(reader, far_writer)),
            asyncio.ensure_future(_copy(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            far_writer.close()

    async def _open(self, asked: Asked) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to what was asked for; _RefusedError with the number of the reply."""
        self.asked.append(asked)
        refused = self._refuse(asked)
        if refused is not None:
            raise _RefusedError(refused)
        host, port = asked
        try:
            return await asyncio.open_connection(self._names.get(host, host), port)
        except OSError:
            raise _RefusedError(5 if self.kind == "socks5" else 502) from None

    async def _socks5(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """RFC 1928 and RFC 1929."""
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        user = None
        if self._credentials is not None:
            if 2 not in methods:
                writer.write(b"\5\xff")
                self.users.append(None)
                return None
            writer.write(b"\5\2")
            user, password = [
                (await reader.readexactly((await reader.readexactly(size))[-1])).decode() for size in (2, 1)
            ]
            self.users.append(user)
            right = (user, password) == self._credentials
            writer.write(b"\1\0" if right else b"\1\1")
            if not right:
                return None
        else:
            self.users.append(user)
            writer.write(b"\5\0")
        *_, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = ".".join(map(str, await reader.readexactly(4))) if kind == 1 else "an IPv6 address"
        port = int.from_bytes(await reader.readexactly(2), "big")
        try:
            far = await self._open((host, port))
        except _RefusedError as refused:
            writer.write(bytes([5, refused.args[0], 0, 1]) + bytes(6))
            return None
        writer.write(b"\5\0\0\1" + bytes(6))
        return far

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """RFC 9110, 9.3.6."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        shown = [line for line in head.split("\r\n") if line.lower().startswith("proxy-authorization: ")]
        pair = base64.b64decode(shown[0].split(" ")[-1]).decode().split(":") if shown else None
        self.users.append(None if pair is None else pair[0])
        if method != "CONNECT":
            writer.write(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
            return None
        if self._credentials is not None and (pair is None or tuple(pair) != self._credentials):
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return None
        host, _, port = target.rpartition(":")
        try:
            far = await self._open((host, int(port)))
        except _RefusedError as refused:
            writer.write(f"HTTP/1.1 {refused.args[0]} Refused\r\n\r\n".encode())
            return None
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return far


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
