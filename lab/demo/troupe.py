"""The robots of a lecture, and what its projector can have done to their meeting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from snugroom.client.media.codec import HEIGHT, WIDTH
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.crypto.agreed.names import check_name
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.crypto.errors import SnugError
from snugroom.lab.attacks.stage import SceneError, room_of
from snugroom.lab.demo.acts import ACTS, LATER, Act, LectureServer
from snugroom.lab.demo.both import both
from snugroom.lab.demo.meeting import until
from snugroom.lab.demo.onlooker import Onlooker
from snugroom.lab.demo.projector import RefusedError
from snugroom.lab.demo.robot import Robot
from snugroom.lab.process import ServerError

#: The first one opens the room and admits everybody who knocks. The second one is the victim of acts.
NAMES: Final = ("Ada", "Bo", "Cem")
TITLE: Final = "A lecture"
_VICTIM: Final = NAMES[1]
#: The host's words when everybody is there.
_HELLO: Final = "Good morning. Can everybody hear me?"
#: Robots that the projector can let in, one after the other, and all robots at a time.
_GUESTS_MAX: Final = 12
_AT_ONCE_MAX: Final = 8
_COME_IN_TIME: Final = 30.0
#: Seconds in which the victim of an act can still come, and between two looks.
_BEGIN_TIME: Final = 8.0
_LOOK: Final = 0.2
#: Seconds between two messages of the host during an act.
_TALK_EVERY: Final = 0.7


class Troupe:
    """The robots and their servers: what `projector.Meeting` describes."""

    def __init__(self, server: LectureServer, next_server: LectureServer) -> None:
        self._servers = (server, next_server)
        self._onlookers: dict[str, Onlooker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._guests: list[str] = []
        self._came = 0
        self._act: asyncio.Task[None] | None = None
        #: The act that is played, or was played last, and when it is over, or was.
        self._acted: tuple[str, float] | None = None
        #: Acts that were played in this meeting before the last one.
        self._played: list[str] = []
        #: The result of the last `contrast`, and whether another one is under way.
        self._contrast: dict[str, Any] | None = None
        self._contrasting = False
        #: Called with another open link: the host has made one, because it has removed somebody.
        self.on_link: Callable[[str], None] = lambda link: None

    # -- the room ------------------------------------------------------------------------------

    async def gather(self) -> str:
        """Let the robots join; return the open link. ServerError on failure."""
        origin, following = (canonical_origin(each.url) for each in self._servers)
        host = self._robot(
            NAMES[0],
            lambda now: Session.host(
                origin=origin, servers=[following], name=NAMES[0], title=TITLE, admission="ask", now=now
            ),
        )
        if not await until(lambda: host.invite is not None, _COME_IN_TIME) or host.invite is None:
            raise ServerError("The host could not open the room.")
        for name in NAMES[1:]:
            self._robot(name, partial(_guest, host.invite, name))
        if not await until(self._together, _COME_IN_TIME):
            raise ServerError("Not everybody came in.")
        self._say(_HELLO)
        return host.invite

    @property
    def gone(self) -> bool:
        """Whether all robots are out of the room."""
        return all(task.done() for task in self._tasks.values())

    async def close(self) -> None:
        """Stop all robots at once."""
        tasks = [*self._tasks.values(), *([] if self._act is None else [self._act])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def _host(self) -> Robot:
        return self._onlookers[NAMES[0]].robot

    @property
    def server(self) -> LectureServer:
        """The server where the meeting is."""
        first, following = self._servers
        return first if first.running else following

    def _together(self) -> bool:
        names = set(self._onlookers)
        return all(each.robot.sees(names) for each in self._onlookers.values())

    def _robot(self, name: str, make: Callable[[float], Session]) -> Robot:
        size = (WIDTH // 2, HEIGHT // 2)
        # nobody looks at what robots receive, and the page and the window need the processor
        robot = Robot(name, make, directory=None, size=size, on_event=self._event)
        self._onlookers[name] = Onlooker(robot)
        self._tasks[name] = asyncio.get_running_loop().create_task(robot.run())
        return robot

    def _event(self, robot: Robot, event: ev.Event) -> None:
        onlooker = self._onlookers.get(robot.name)
        if onlooker is not None and onlooker.robot is robot:
            onlooker.event(event, self._now)
        if isinstance(event, ev.InviteMade) and robot.name == NAMES[0] and not event.once:
            self.on_link(event.link)

    def _say(self, text: str) -> None:
        with contextlib.suppress(ValueError):
            self._host.say(text)
            self._onlookers[NAMES[0]].says(text)

    def say(self, text: str) -> None:
        self._say(text)

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # -- what the projector shows --------------------------------------------------------------

    @property
    def window(self) -> str:
        return self.server.window

    def view(self) -> dict[str, Any]:
        now = self._now
        act = None
        if self._acted is not None:
            name, ends = self._acted
            left = round(ends - now, 1)
            again = ACTS[name].once and name in self._played
            act = {"act": name, "left": left, "told": round(left + LATER, 1), "again": again}
        return {
            "member": self._onlookers[NAMES[0]].view(TITLE),
            "incidents": [told for each in self._onlookers.values() for told in each.incidents_at(now)],
            "acts": list(ACTS),
            "act": act,
            "victim": _VICTIM,
            "contrast": self._contrast,
            "killed": not self._servers[0].running,
            "guests": list(self._guests),
        }

    # -- what it can have done -----------------------------------------------------------------

    async def let_in(self, name: str) -> None:
        try:
            name = check_name(name)
        except SnugError:
            raise RefusedError("name") from None
        if len(self._onlookers) >= _AT_ONCE_MAX or self._came >= _GUESTS_MAX:
            raise RefusedError("full")
        taken = {each.name.casefold() for each in self._host.members} | {
            n.casefold() for n in self._onlookers
        }
        link = self._host.invite
        if name.casefold() in taken or link is None:
            raise RefusedError("taken")
        self._came += 1
        robot = self._robot(name, partial(_guest, link, name))
        if not await until(lambda: self._host.sees({name}) and robot.sees({name}), _COME_IN_TIME):
            await self._drop(name)
            raise RefusedError("late")
        self._guests.append(name)

    async def remove(self) -> None:
        while self._guests and not self._host.sees({self._guests[-1]}):
            await self._drop(self._guests.pop())  # it has left by itself
        leaf = self._host.leaf_of(self._guests[-1]) if self._guests else None
        if leaf is None:
            raise RefusedError("nobody")
        name = self._guests.pop()
        with contextlib.suppress(ValueError):
            self._host.connection.feed(ev.Remove(leaf))
        gone = await until(lambda: not self._host.sees({name}), _COME_IN_TIME)
        await self._drop(name)
        if not gone:
            raise RefusedError("late")

    async def _drop(self, name: str) -> None:
        """Stop a robot that is out of the room."""
        task = self._tasks.pop(name)
        self._onlookers.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def kill(self) -> None:
        if not self._servers[0].running:
            raise RefusedError("killed")
        if self._playing:
            raise RefusedError("busy")
        await self._servers[0].kill()

    @property
    def _playing(self) -> bool:
        return self._act is not None and not self._act.done()

    async def act(self, name: str) -> None:
        if name not in ACTS:
            raise RefusedError("unknown")
        if self._playing:
            raise RefusedError("busy")
        self.dismiss()  # what comes now is of this act
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[bool] = loop.create_future()
        self._act = loop.create_task(self._play(name, ACTS[name], self.server, begun))
        if not await begun:
            raise RefusedError("late")

    async def _play(self, name: str, act: Act, server: LectureServer, begun: asyncio.Future[bool]) -> None:
        if not await self._begin(act, server):
            begun.set_result(False)
            return
        if self._acted is not None:
            self._played.append(self._acted[0])
        self._acted = (name, self._now + act.seconds)
        begun.set_result(True)
        talk = asyncio.get_running_loop().create_task(self._talk()) if act.talk else None
        try:
            with contextlib.suppress(ServerError):  # the server is gone, and the act with it
                await server.ended(act)
            self._acted = (name, min(self._now, self._acted[1]))
        finally:
            if talk is not None:
                talk.cancel()

    async def _begin(self, act: Act, server: LectureServer) -> bool:
        """Return whether the act has begun: the victim may just be connecting again."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _BEGIN_TIME
        while server.running and loop.time() < end:
            with contextlib.suppress(ServerError, SceneError):
                handle = room_of(self._onlookers[_VICTIM].robot.connection.session).handle
                await server.begin_act(act, await server.number_of(handle))
                return True
            await asyncio.sleep(_LOOK)
        return False

    async def _talk(self) -> None:
        for number in range(1, 1_000):
            self._say(f"This is sentence {number}.")
            await asyncio.sleep(_TALK_EVERY)

    async def contrast(self) -> None:
        if self._contrasting:
            raise RefusedError("busy")
        self._contrasting = True
        try:
            self._contrast = await both()
        finally:
            self._contrasting = False

    def dismiss(self) -> None:
        for each in self._onlookers.values():
            each.dismiss(self._now)


def _guest(link: str, name: str, now: float) -> Session:
    return Session.join(link, name=name, now=now)
