"""The scenes of the lab for the member's page: their questions, and their players.

Scenes run in separate processes and do not involve the room.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import hdrs, web

from snugroom.client.session.catalogue.sentence import table
from snugroom.lab.attacks.scene import Scene
from snugroom.lab.attacks.scenes import SCENES
from snugroom.lab.demo import commands

_HEADER: Final = "X-Snug-Token"
#: Seconds for a scene, including a second attempt; and seconds for its process to end after SIGINT.
_SCENE_TIME: Final = 330.0


def question(scene: Scene) -> Mapping[str, str]:
    """Return the act of a scene without its outcome, by language, so that students can guess."""
    return table("scenes")[f"ask.{scene.id}"]


def outcome(name: str) -> Mapping[str, str]:
    """Return what becomes of a scene with this id, by language."""
    return table("scenes")[f"outcome.{name}"]


def listed() -> list[dict[str, Any]]:
    """Return the scenes with their questions, for the page."""
    return [
        {"scene": scene.id, "theme": scene.theme, "mirrors": scene.mirrors, "question": question(scene)}
        for scene in SCENES
    ]


class Theatre:
    """Plays scenes for a page that presents the token, one at a time, and kills the room's server.

    `kill` does that, and returns the address of the next server's window.
    """

    def __init__(self, token: str, kill: Callable[[], Awaitable[str]]) -> None:
        self._token = token
        self._kill = kill
        self._playing = False

    def routes(self) -> list[web.RouteDef]:
        """Return the routes ``GET /lecture/scenes``, ``POST /lecture/play`` and ``POST /lecture/kill``."""
        return [
            web.get("/lecture/scenes", self._guarded(self._scenes)),
            web.post("/lecture/play", self._guarded(self._play)),
            web.post("/lecture/kill", self._guarded(self._killed)),
        ]

    def _guarded(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def guard(request: web.Request) -> web.StreamResponse:
            # forms cannot send this header, and a page of another site needs a preflight request for it
            shown = request.headers.get(_HEADER, "")
            if not hmac.compare_digest(shown.encode(), self._token.encode()):
                raise web.HTTPForbidden(text="open the address that `snug demo --lecture` printed\n")
            return await handler(request)

        return guard

    async def _killed(self, _: web.Request) -> web.Response:
        """Kill the server, if it runs, and return ``{"window": ADDRESS}`` of the next one."""
        return web.json_response({"window": await self._kill()}, headers={hdrs.CACHE_CONTROL: "no-store"})

    async def _scenes(self, _: web.Request) -> web.Response:
        return web.json_response(listed(), headers={hdrs.CACHE_CONTROL: "no-store"})

    async def _play(self, request: web.Request) -> web.StreamResponse:
        """Send a JSON line at the start, and at the end ``snug lab --json``'s line or ``{"failed": why}``."""
        try:
            asked = await request.json()
            name = asked["scene"]
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest(text='which scene? {"scene": ID}\n') from None
        if not any(scene.id == name for scene in SCENES):
            raise web.HTTPNotFound(text="there is no such scene\n")
        if self._playing:
            raise web.HTTPConflict(text="a scene is being played\n")
        self._playing = True
        try:
            headers = {hdrs.CACHE_CONTROL: "no-store", "X-Content-Type-Options": "nosniff"}
            answer = web.StreamResponse(headers=headers)
            answer.content_type = "application/x-ndjson"
            await answer.prepare(request)
            await answer.write(_line({"began": name}))
            async with play(name) as lines:
                async for line in lines:
                    await answer.write(_line({**line, "outcome": outcome(name)}))
            await answer.write_eof()
            return answer
        finally:
            self._playing = False


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


@contextlib.asynccontextmanager
async def play(name: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Run ``snug lab NAME --json`` in a separate process, which is always stopped on exit."""
    async with commands.running("lab", name, "--json") as process:
        yield _told(process)


async def _told(process: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_SCENE_TIME):
            line = await process.stdout.readline()
    except TimeoutError:
        yield {"failed": "It was not over in time."}
        return
    except ValueError:
        line = b""
    try:
        yield json.loads(line)
    except ValueError:
        yield {"failed": "It could not be played here."}
