"""A scene's stage: the hostile server, a live meeting with media, and people who try to get in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from snugroom.client.connection import SessionCrypto
from snugroom.client.media.receiving import FrameCrypto
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.kernel.room import RoomSession
from snugroom.client.session.options import Options
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.lab.attacks.intruder import Intruder, SealedFrame, frames
from snugroom.lab.attacks.member import GroundTruth, Member
from snugroom.lab.attacks.operator import Operator
from snugroom.lab.attacks.verdict import Facts, Outcome, Seen
from snugroom.lab.process import ServerProcess
from snugroom.lab.simulation.tale import SERVER

_LOOK: Final = 0.05
#: Seconds for all members to join and receive media. Generous, because several meetings share one machine.
COME_IN: Final = 40.0
#: Seconds for the meeting to recover after the act has ended.
RECOVER: Final = 25.0


class SceneError(Exception):
    """The meeting could not be held, so the act was not tested. The message is a full sentence."""


def room_of(session: Session) -> RoomSession:
    """Return a member's room, for code that inspects it. SceneError if the member is not in a room."""
    room = session._room
    if room is None:
        raise SceneError("somebody is not in the room")
    return room


class Stage:
    """The interface for scenes. Members are numbered in order of arrival in the room; the host is 1."""

    def __init__(
        self,
        operator: Operator,
        names: Sequence[str],
        servers: Sequence[str] = (),
        further: Sequence[Operator] = (),
        *,
        mirror: bool = False,
        strict: bool = False,
    ) -> None:
        self.operator = operator
        self.names = tuple(names)
        #: The origins of further servers, which the host names, and the operators of the hostile ones.
        self.servers = [canonical_origin(each) for each in servers]
        self.further = further
        self._options = Options(mirror=mirror, strict=strict)
        self.truth = GroundTruth()
        self.honest: list[Member] = []
        self.others: list[Member] = []
        self.intruder = Intruder()
        self.words: set[tuple[str, str]] = set()
        self.act_at: float | None = None
        #: Acts that the scene is about. Acts that only support the scene are not included.
        self.acts: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    # -- people --------------------------------------------------------------------------------

    @property
    def host(self) -> Member:
        """The first member, who opened the meeting."""
        return self.honest[0]

    def member(self, name: str) -> Member:
        """Return an honest member by name."""
        return next(m for m in self.honest if m.name == name)

    @property
    def link(self) -> str:
        """The link of the open invite."""
        return next(made.link for made in reversed(self.host.links) if not made.once)

    def open(self, name: str, *, options: Options = Options()) -> Member:  # noqa: B008 - Options is frozen
        """Let a member called `name` open the meeting."""
        origin = canonical_origin(self.operator.url)
        member = Member(
            name,
            lambda now: Session.host(
                origin=origin, servers=self.servers, name=name, options=options, now=now
            ),
            truth=self.truth,
            welcome=set(self.names),
        )
        self.honest.append(member)
        self._start(member)
        return member

    def knock(
        self,
        name: str,
        link: str | None = None,
        *,
        honest: bool = True,
        media: bool = True,
        make_crypto: Callable[[Session, SessionCrypto], FrameCrypto] | None = None,
        make_session: Callable[[str, float], Session] | None = None,
    ) -> Member:
        """Let somebody called `name` knock with a link (None: the open invite)."""
        used = link or self.link

        def session(now: float) -> Session:
            if make_session is not None:
                return make_session(used, now)
            return Session.join(used, name=name, now=now)

        member = Member(name, session, truth=self.truth, make_crypto=make_crypto, media=media)
        (self.honest if honest else self.others).append(member)
        self._start(member)
        return member

    def _start(self, member: Member) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(member.run()))

    async def gather(self) -> None:
        """Begin the meeting: all members join in order and receive media. SceneError on failure."""
        self.open(self.names[0], options=self._options)
        await self.need(lambda: bool(self.host.links), "the host has no link")
        for name in self.names[1:]:
            self.knock(name)
            # one at a time, so that the numbers by arrival are known
            await self.need(self.together, f"{name} did not get in")
        await self.need_media()

    def together(self, people: Sequence[Member] | None = None) -> bool:
        """Return whether each of `people` (default: all honest members) has exactly them in its roster."""
        people = self.honest if people is None else people
        names = {m.name for m in people}
        return all(m.ended is None and m.roster == names for m in people)

    async def heard(self, people: Sequence[Member] | None = None, seconds: float = RECOVER) -> bool:
        """Return whether each of `people` opens 3 new frames of each other within `seconds`."""
        people = self.honest if people is None else people
        before = {(m.name, o.name): m.frames_of(o.name) for m in people for o in people}

        def new(member: Member, other: Member) -> bool:
            return member is other or member.frames_of(other.name) >= before[member.name, other.name] + 3

        return await self.until(lambda: all(new(m, o) for m in people for o in people), seconds)

    async def need_media(self) -> None:
        """Wait until all honest members open each other's frames. SceneError after `COME_IN` seconds."""
        if not await self.heard(seconds=COME_IN):
            raise SceneError("not everybody was heard before the act")

    def say(self, member: Member, text: str) -> None:
        """Send an honest member's chat message. Any other text shown in its name counts as false."""
        self.words.add((member.name, text))
        member.do(ev.Say(text))

    async def talk(self, text: str, seconds: float = RECOVER) -> bool:
        """Send a chat message of the host; return whether all honest members show it within `seconds`."""
        self.say(self.host, text)
        said = (self.host.name, text)
        return await self.until(
            lambda: all(said in m.said for m in self.honest if m is not self.host), seconds
        )

    # -- time ----------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The event loop's time in seconds."""
        return asyncio.get_running_loop().time()

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Return whether `condition` becomes true within `seconds`."""
        end = self.now + seconds
        while not condition():
            if self.now > end:
                return False
            await asyncio.sleep(_LOOK)
        return True

    async def need(self, condition: Callable[[], bool], why: str, seconds: float = COME_IN) -> None:
        """Wait for `condition`. SceneError if it is still false after `seconds`."""
        if not await self.until(condition, seconds):
            raise SceneError(f"before the act: {why}")

    async def told(self, kinds: Sequence[str], seconds: float, who: Sequence[Member] | None = None) -> bool:
        """Return whether all of `who` get a note of `kinds` within `seconds`.

        Notes since the act began count. `who` is all honest members by default.
        """
        at = self.act_at or 0.0

        def heard(member: Member) -> bool:
            return any(note.kind in kinds for note in member.since(at))

        return await self.until(lambda: all(heard(m) for m in (who or self.honest)), seconds)

    # -- the act -------------------------------------------------------------------------------

    def mark(self) -> None:
        """Note the time at which the act begins, if it has not begun yet."""
        if self.act_at is None:
            self.act_at = self.now

    async def act(self, name: str, **orders: object) -> None:
        """Begin an act of the operator. The first act starts the clock."""
        self.mark()
        self.acts.add(name)
        await self.operator.begin(name, **orders)

    async def recorded(self) -> list[SealedFrame]:
        """End the act `record`; return the media frames that it prints at its end."""
        before = len(self.operator.packets)
        await self.operator.end("record")
        return frames(self.operator.packets[before:])

    # -- the end -------------------------------------------------------------------------------

    def facts(self, outcome: Outcome, began: float, hostile: Sequence[str] = ()) -> Facts:
        """Return the facts for the verdict. `hostile`: members that are, beside those who are no members."""
        at = self.act_at if self.act_at is not None else self.now
        names = {m.name for m in self.honest}
        return Facts(
            outcome=outcome,
            deeds={name: self.operator.deeds[name] for name in sorted(self.acts)},
            seen={m.name: [Seen(n.at - at, n.how, n.kind, n.text) for n in m.since(at)] for m in self.honest},
            frames_tried=self.intruder.tried,
            frames_opened=self.intruder.opened,
            false_frames=sum(sum(m.false_frames.values()) for m in self.honest),
            false_words=[
                f"{name}: {text}"
                for m in self.honest
                for name, text in m.said
                if name in names and (name, text) not in self.words
            ],
            lines={m.name: m.lines_since(at) for m in self.honest},
            lost=[m.name for m in self.honest if m.ended is not None or not m.session.inside],
            seconds=self.now - began,
            people=frozenset(each.name for each in (*self.honest, *self.others)) | set(self.names),
            hostile=frozenset({*hostile, *self._hostile()}),
        )

    def _hostile(self) -> set[str]:
        names = {each.name for each in self.others} - {each.name for each in self.honest}
        operators = (self.operator, *self.further)
        return names | ({SERVER} if any(each.is_hostile for each in operators) else set())

    def raise_failures(self) -> None:
        """Raise the first error of a member's program: a scene in which one broke shows nothing."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def close(self) -> None:
        """Stop all members at once."""
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def staged(
    names: Sequence[str], servers: Sequence[str] = (), *, mirror: bool = False, strict: bool = False
) -> AsyncIterator[Stage]:
    """A stage with its server, and further ones ("honest", "hostile"). All stop on exit, on errors too."""
    async with contextlib.AsyncExitStack() as stack:
        operator = await stack.enter_async_context(Operator())
        others = [
            await stack.enter_async_context(Operator() if kind == "hostile" else ServerProcess())
            for kind in servers
        ]
        hostile = [each for each in others if isinstance(each, Operator)]
        stage = Stage(operator, names, [each.url for each in others], hostile, mirror=mirror, strict=strict)
        try:
            yield stage
            stage.raise_failures()
        finally:
            await stage.close()
