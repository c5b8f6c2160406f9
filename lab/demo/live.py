"""The running lecture, for its projector: a member's view and the server's view of the same second.

A robot tells the one, and the server's own window the other.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import aiohttp

from snugroom.lab.demo.beside import Beside
from snugroom.lab.demo.projector import RefusedError
from snugroom.lab.demo.votes import QUESTIONS, Votes
from snugroom.wire.outgoing import http_session

_HEADER: Final = "X-Snug-Token"
#: Seconds for the server's window to answer, and for it to search the memory.
_ANSWER_TIME: Final = 3.0
_SEARCH_TIME: Final = 90.0
#: Seconds between two searches of one server, which take its processor. One runs at a time.
SEARCH_EVERY: Final = 2.0
#: Characters of a word: shorter ones are part of many texts.
_WORD_MIN, _WORD_MAX = 3, 60


class Meeting(Protocol):
    """The robots' meeting."""

    @property
    def window(self) -> str:
        """The address of the window of the server where the meeting is, with its token."""

    def view(self) -> dict[str, Any]:
        """Return what members see now, and what is under way."""

    async def let_in(self, name: str) -> None:
        """Let a robot of that name knock, and wait until it is in the room. RefusedError."""

    async def remove(self) -> None:
        """Remove the robot that came last, and wait until it is gone. RefusedError."""

    async def kill(self) -> None:
        """Kill the server where the meeting is. RefusedError if there is no other."""

    async def act(self, name: str) -> None:
        """Begin an act of the server against the meeting. RefusedError."""

    async def contrast(self) -> None:
        """Hold a meeting at a Snug server and at an ordinary one, and search both. RefusedError."""

    def say(self, text: str) -> None:
        """Have the host write a message."""

    def dismiss(self) -> None:
        """Somebody has read the incidents."""


class Live:
    """The `projector.Stage` of a meeting that is held now. `close` it at the end.

    `votes` are shown if phones can vote; `phones` is the address for them.
    """

    def __init__(self, meeting: Meeting, votes: Votes | None = None) -> None:
        self._meeting = meeting
        self._votes = votes
        self._beside = Beside()
        #: When each server can be searched again; infinity during a search.
        self._free_at: dict[str, float] = {}
        self.phones = ""
        self._http: aiohttp.ClientSession | None = None
        self._deeds: Mapping[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "join": lambda told: meeting.let_in(_text(told, "name")),
            "remove": lambda _: meeting.remove(),
            "kill": lambda _: meeting.kill(),
            "act": lambda told: meeting.act(_text(told, "act")),
            "contrast": lambda _: meeting.contrast(),
            "beside": lambda _: self._beside.start(),
            "word": self._word,
            "dismiss": self._dismiss,
            "turn": self._turn,
            "vote": self._vote,
        }

    async def close(self) -> None:
        """End all requests, and the meeting at the ordinary server. Harmless before the first."""
        await self._beside.close()
        if self._http is not None:
            await self._http.close()

    async def state(self) -> dict[str, Any]:
        """Return both views. `server`: the whole answer of its window; None if it does not answer."""
        server = await self._window("GET", "now", None, _ANSWER_TIME)
        votes = None if self._votes is None else {**self._votes.view(), "address": self.phones}
        beside = self._beside.view()
        return {**self._meeting.view(), "server": server, "votes": votes, "beside": beside, "played": None}

    async def find(self, where: str, wanted: bytes) -> Any:
        """Return the answer of the server's window, or of the ordinary server. RefusedError if too soon."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._free_at.get(where, 0.0):
            raise RefusedError("often")
        self._free_at[where] = math.inf
        try:
            if where == "ordinary":
                return await self._beside.find(wanted)
            return await self._window("POST", "find", wanted, _SEARCH_TIME)
        finally:
            self._free_at[where] = loop.time() + SEARCH_EVERY

    async def do(self, deed: str, told: dict[str, Any]) -> dict[str, Any]:
        """Have something done."""
        await self._deeds[deed](told)
        return {}

    async def _dismiss(self, _: dict[str, Any]) -> None:
        self._meeting.dismiss()

    async def _word(self, told: dict[str, Any]) -> None:
        """Have a word of the class written in the meeting, and in the one at the ordinary server."""
        text = _text(told, "text").strip()
        if not _WORD_MIN <= len(text) <= _WORD_MAX or not text.isprintable():
            raise RefusedError("word")
        self._meeting.say(text)
        await self._beside.say(text)

    async def _turn(self, _: dict[str, Any]) -> None:
        """Another step is shown: nobody may vote on the one before with its outcome in sight."""
        if self._votes is not None:
            self._votes.close()

    async def _vote(self, told: dict[str, Any]) -> None:
        if self._votes is None:
            raise RefusedError("phones")
        match _text(told, "do"):
            case "open":
                question = _text(told, "question")
                if question not in QUESTIONS:
                    raise ValueError("question: there is none of that name")
                self._votes.open(question)
            case "close":
                self._votes.close()
            case "reveal":
                self._votes.reveal()
            case "again":
                self._votes.again()
            case _:
                raise ValueError("do: open, close, reveal or again is expected")

    async def _window(self, method: str, path: str, body: bytes | None, seconds: float) -> Any:
        """Return the answer of the server's window; None without one."""
        if self._http is None:
            self._http = http_session()
        url, _, token = self._meeting.window.partition("#")
        limit = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._http.request(
                method, url + path, data=body, headers={_HEADER: token}, timeout=limit
            ) as answer:
                return await answer.json() if answer.ok else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name}: a text is expected")
    return value
