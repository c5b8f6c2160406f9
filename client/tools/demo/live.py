"""The running lecture, for its projector: a member's view and the server's view of the same second.

A robot tells the one, and the server's own window the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import aiohttp

from snugroom.client.tools.demo.projector import RefusedError
from snugroom.client.tools.demo.votes import QUESTIONS, Votes

_HEADER: Final = "X-Snug-Token"
#: Seconds for the server's window to answer, and for it to search the memory.
_ANSWER_TIME: Final = 3.0
_SEARCH_TIME: Final = 90.0


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

    def dismiss(self) -> None:
        """Somebody has read the incidents."""


class Live:
    """What `projector.Stage` describes, for the meeting that is held now. `close` it at the end.

    `votes` are shown if phones can vote; `phones` is the address for them.
    """

    def __init__(self, meeting: Meeting, votes: Votes | None = None) -> None:
        self._meeting = meeting
        self._votes = votes
        self.phones = ""
        self._http: aiohttp.ClientSession | None = None
        self._deeds: Mapping[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "join": lambda told: meeting.let_in(_text(told, "name")),
            "remove": lambda _: meeting.remove(),
            "kill": lambda _: meeting.kill(),
            "act": lambda told: meeting.act(_text(told, "act")),
            "contrast": lambda _: meeting.contrast(),
            "dismiss": self._dismiss,
            "turn": self._turn,
            "vote": self._vote,
        }

    async def close(self) -> None:
        """End all requests. Harmless before the first."""
        if self._http is not None:
            await self._http.close()

    async def state(self) -> dict[str, Any]:
        """Return both views. `server`: the whole answer of its window; None if it does not answer."""
        server = await self._window("GET", "now", None, _ANSWER_TIME)
        votes = None if self._votes is None else {**self._votes.view(), "address": self.phones}
        return {**self._meeting.view(), "server": server, "votes": votes}

    async def find(self, wanted: bytes) -> Any:
        """Return the answer of the server's window."""
        return await self._window("POST", "find", wanted, _SEARCH_TIME)

    async def do(self, deed: str, told: dict[str, Any]) -> dict[str, Any]:
        """Have something done."""
        await self._deeds[deed](told)
        return {}

    async def _dismiss(self, _: dict[str, Any]) -> None:
        self._meeting.dismiss()

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
            self._http = aiohttp.ClientSession()
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
