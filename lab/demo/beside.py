"""A meeting at an ordinary server, beside the lecture's: the server and its members, a process each.

A member writes there what the host writes in the lecture's meeting. The ordinary server searches its own
memory as a Snug server does, so that the same search has two answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
from collections.abc import Sequence
from typing import Any, Final

import aiohttp

from snugroom.lab.demo.projector import RefusedError
from snugroom.lab.process import ServerError, ServerProcess
from snugroom.wire.outgoing import http_session

#: The members' names: others than the robots', so that nobody takes one meeting for the other.
NAMES: Final = ("Gwen Ordinary", "Hugo Ordinary")
_ANSWER_TIME: Final = 15.0
_SEARCH_TIME: Final = 90.0


class OrdinaryServer(ServerProcess):
    """The ordinary server's process."""

    module = "snugroom.lab.ordinary"
    always = ()


class _Members(ServerProcess):
    """The members' process. It says what it is told to, and reports when all have it."""

    module = "snugroom.lab.ordinary.members"
    always: Sequence[str] = ()
    takes_orders = True
    ready = "together at "

    def __init__(self, url: str) -> None:
        super().__init__()
        self.arguments = (url, *NAMES)

    async def say(self, text: str) -> None:
        """Write to everybody, and wait until all have it. ServerError if they don't."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(text).encode() + b"\n")
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.drain()
        await self._line("said ", _ANSWER_TIME)


class Beside:
    """The meeting, from `start` to `close`. Nothing of it runs before."""

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._server: OrdinaryServer | None = None
        self._members: _Members | None = None
        self._starting = False
        #: The server's own number, once it runs.
        self._number = ""

    def view(self) -> dict[str, Any] | None:
        """Return the members' names and the server's own number; None while it does not run."""
        if self._server is None or not self._server.running or not self._number:
            return None
        return {"names": list(NAMES), "number": self._number}

    async def start(self) -> None:
        """Start the server, and let its members come in. RefusedError if that fails."""
        if self._starting or self.view() is not None:
            raise RefusedError("busy")
        if importlib.util.find_spec("aiortc") is None:
            raise RefusedError("package")
        self._starting = True
        try:
            await self._stack.aclose()  # what is left of one that has died
            self._server = await self._stack.enter_async_context(OrdinaryServer())
            self._members = await self._stack.enter_async_context(_Members(self._server.url))
            self._number = (await self._ask("GET", "number", None, _ANSWER_TIME))["number"]
        except (ServerError, OSError, TypeError):
            await self.close()
            raise RefusedError("late") from None
        finally:
            self._starting = False

    async def say(self, text: str) -> None:
        """Have a member write this. RefusedError if it does not come through; nothing if it does not run."""
        if self.view() is None or self._members is None:
            return
        try:
            await self._members.say(text)
        except ServerError:
            raise RefusedError("late") from None

    async def find(self, wanted: bytes) -> Any:
        """Return the answer of the server's search of its own memory; None if it does not answer."""
        return None if self.view() is None else await self._ask("POST", "find", wanted, _SEARCH_TIME)

    async def close(self) -> None:
        """End both processes. Harmless if not started."""
        self._server = None
        await self._stack.aclose()

    async def _ask(self, method: str, path: str, body: bytes | None, seconds: float) -> Any:
        assert self._server is not None
        limit = aiohttp.ClientTimeout(total=seconds)
        url = f"{self._server.url}{path}"
        try:
            async with (
                http_session(timeout=limit) as http,
                http.request(method, url, data=body) as answer,
            ):
                return await answer.json() if answer.ok else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            return None
