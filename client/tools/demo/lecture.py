"""``snug demo --lecture``: robots in a room, a projector, a member's page, windows of the landlord, the lab.

The projector (`projector`) tells the story in steps, and has things done to the running meeting: somebody
comes and goes, the server plays an act (`acts`), or is killed, so that the meeting goes on at the next one.
The member's page is the page of `snug page` with the ratchet tree and the lab's scenes. Scenes run in
separate processes and do not involve the room. All addresses contain a token, and are on 127.0.0.1 only.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import re
import secrets
import signal
import sys
import time
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Self

from aiohttp import hdrs, web
from rich.console import Console
from rich.text import Text

from snugroom.client.cli.own_page import OwnPage
from snugroom.client.cli.status import Status
from snugroom.client.tools.demo import commands, pcap
from snugroom.client.tools.demo.acts import LectureServer
from snugroom.client.tools.demo.process import ServerError
from snugroom.client.tools.demo.projector import Projector, RefusedError
from snugroom.client.tools.demo.troupe import NAMES, Troupe
from snugroom.client.tools.lab.scene import Scene
from snugroom.client.tools.lab.scenes import SCENES
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.server import page

_HEADER: Final = "X-Snug-Token"
#: Seconds for a scene, including a second attempt; and seconds for its process to end after SIGINT.
_SCENE_TIME: Final = 330.0

#: Questions for scenes where the first half of the prediction would reveal the outcome.
QUESTIONS: Final = {
    "impostor_with_link": "Somebody has got hold of a link, and comes under the name of a person whom the "
    "host expects.",
    "forged_media_after_a_cut": "A member seals a frame with another's key, right after the operator has cut "
    "a listener's connection.",
    "addresses_and_timing": "The server writes down which connections there are, from which addresses, and "
    "when how many bytes went by.",
    "mirror_tells": "A host removes somebody, and the operator keeps that from one member, with all "
    "heartbeats that speak of it. They also go through a second server.",
    "moved_half": "The operator keeps two of four members out, who meet at the next server.",
    "member_records": "A member who is in the room records it, and tells others who was there.",
    "denial_of_service": "The operator refuses all service.",
}


#: Explains a recording to the person who has asked for it.
RECORDS: Final = (
    "The servers record. The file will have the sealed packets of sound and video with their RTP headers, "
    "and the time and size of each message: what an operator can keep. It has no key, and addresses are "
    "made up."
)


def question(scene: Scene) -> str:
    """Return the act of a scene without its outcome, so that students can guess."""
    told = QUESTIONS.get(scene.id)
    return told if told is not None else re.split(r"[;:]", scene.prediction)[0].rstrip(".") + "."


def listed() -> list[dict[str, str]]:
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
                    await answer.write(_line(line))
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


class Lecture:
    """The servers, the robots, the projector and the member's page. All of them run inside ``async with``."""

    def __init__(self, port: int | None = None, *, records: bool = False) -> None:
        self._port = port
        self._token = secrets.token_urlsafe(16)
        self._stack = contextlib.AsyncExitStack()
        self._own: OwnPage | None = None
        self.server, self.next_server = (LectureServer(records=records) for _ in range(2))
        self.troupe = Troupe(self.server, self.next_server)
        #: Addresses to open: the projector, the member's page, with a token for the link, and the windows.
        self.projector = ""
        self.page = ""
        self.window = ""
        self.link = ""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def over(self) -> bool:
        """Whether both servers, or all robots in the room, are gone."""
        return not (self.server.running or self.next_server.running) or self.troupe.gone

    async def _start(self) -> None:
        bundle = page.load()
        for server in (self.server, self.next_server):
            await self._stack.enter_async_context(server)
        self.window = self.server.window
        self._stack.push_async_callback(self.troupe.close)
        self.link = await self.troupe.gather()
        theatre = Theatre(self._token, self._kill).routes()
        origin = canonical_origin(self.server.url)
        servers = [canonical_origin(self.next_server.url)]
        own = OwnPage(bundle, origin, self.link, servers=servers, lecture=True, routes=theatre)
        self.troupe.on_link = own.replace_link
        self._stack.push_async_callback(own.close)
        self.page = await own.start(self._port, query=f"?lecture={self._token}")
        projector = Projector(self.troupe)
        self._stack.push_async_callback(projector.close)
        self.projector = await projector.start()

    async def recording(self) -> bytes:
        """Return what the servers recorded, as a pcap file. A server that was killed has lost its part."""
        parts = [await server.recorded(time.time()) for server in (self.server, self.next_server)]
        return pcap.encode(each for part in parts for each in part)

    async def _kill(self) -> str:
        with contextlib.suppress(RefusedError):
            await self.troupe.kill()
        return self.next_server.window


async def run(*, open_browser: bool, port: int | None = None, record_to: Path | None = None) -> int:
    """Run until SIGINT or SIGTERM, or until the server or every robot is gone; return the exit status.

    With `record_to`, what comes to the servers is recorded, and written to that file at the end.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    out = Console(highlight=False)
    try:
        async with Lecture(port, records=record_to is not None) as lecture:
            out.print(Text(f"The projector: {lecture.projector}"), soft_wrap=True)
            out.print(Text(f"A member's page: {lecture.page}"), soft_wrap=True)
            out.print(Text(f"The landlord's window: {lecture.window}"), soft_wrap=True)
            following = lecture.next_server.window
            out.print(Text(f"The window of the next server, for later: {following}"), soft_wrap=True)
            out.print(Text(f"The room's link: {lecture.link}"), soft_wrap=True)
            out.print(f"In the room: {', '.join(NAMES)}. Show the first; come in by the second.")
            out.print(
                "docs/tutorials/first-lecture.md has a script of ten minutes. Ctrl-C ends it.", style="dim"
            )
            if record_to is not None:
                out.print(RECORDS, style="bold")
            sys.stdout.flush()
            if open_browser:
                for address in (lecture.window, lecture.page, lecture.projector):
                    await asyncio.to_thread(webbrowser.open, address)
            while not stop.is_set() and not lecture.over:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 0.5)
            if record_to is not None:
                await asyncio.to_thread(record_to.write_bytes, await lecture.recording())
                out.print(Text(f"For Wireshark: {record_to}"), soft_wrap=True)
            if stop.is_set():
                return Status.OK
            out.print("The meeting is over, or the server is gone.")
            return Status.ERROR
    except (ServerError, page.PageError) as error:
        print(f"snug: {error}", file=sys.stderr)
        return Status.ERROR
    except OSError as error:
        print(f"snug: can't listen: {error.strerror}", file=sys.stderr)
        return Status.USAGE
