"""A participant for programs: a member of a meeting as an object in a running asyncio event loop.

`snugroom.Participant` is the public name. It catches no signals, reads no standard input and prints nothing:
it tells its events to the program, and reports alarms through `logging`. Events and commands are the objects
of `snug --json` (docs/reference/json.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import numpy as np

from snugroom.client.headless.commands import parse_json
from snugroom.client.headless.json_output import JsonOutput, media_json
from snugroom.client.headless.media_choice import MediaChoice
from snugroom.client.headless.runner import Runner
from snugroom.client.headless.status import Status
from snugroom.client.media import codec
from snugroom.client.media.codec import RawFrame, Sound
from snugroom.client.media.files import SourceError
from snugroom.client.media.incoming import OnDecoded
from snugroom.client.media.recognition import Card, Tone
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import reasons
from snugroom.client.session.catalogue.sentence import table
from snugroom.client.session.options import Options, ServersFrom
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.crypto.errors import SnugError
from snugroom.wire.messages import MediaKind

#: An object of `--json`: its name is under "event".
Event = Mapping[str, Any]
Member = ev.Member

#: Events that a participant remembers; older ones are forgotten.
EVENTS_MAX: Final = 10_000
#: Seconds that a method waits, unless the caller says otherwise. The machine may be busy.
WITHIN: Final = 30.0
#: Seconds between two looks at what tells no event.
_LOOK: Final = 0.05
#: Frames of sound in a second.
_SOUND: Final = codec.SAMPLE_RATE // codec.FRAME_SAMPLES
#: Seconds to leave in an orderly way. After them, the participant is gone all the same.
_LEAVE_TIME: Final = 5.0
#: Number of events that a `NotObservedError` shows.
_SHOWN: Final = 8
#: Events that a `NotObservedError` does not show: counters, and links, which admit people.
_NOT_SHOWN: Final = frozenset({"media", "sending", "invite"})

log = logging.getLogger("snugroom")
# otherwise Python prints the alarms of a program that sets up no logging
log.addHandler(logging.NullHandler())


class NotObservedError(TimeoutError):
    """The expected thing has not come in time. The text says what was expected, and what came instead."""


class EndedError(NotObservedError):
    """The expected thing can't come any more: the meeting is over for this participant."""


@dataclass(frozen=True)
class Media:
    """A participant's own media, and its recordings.

    `play`: "testcard", the path of a file that FFmpeg can read, or None to send nothing. `size`: width and
    height of the test card, pixels, both even. `record`: a folder, in which each participant gets a file.
    Without `decode`, received frames are authenticated, counted and recorded, which costs less, but nothing
    is seen or heard.
    """

    play: str | Path | None = "testcard"
    size: tuple[int, int] = (codec.WIDTH, codec.HEIGHT)
    record: Path | None = None
    decode: bool = True

    def _choice(self) -> MediaChoice:
        sends = self.play is not None
        size = self.size if self.play == "testcard" else (codec.WIDTH, codec.HEIGHT)
        return MediaChoice(
            str(self.play or "testcard"), sends, sends, self.record, size=size, decode=self.decode
        )


_TEST_CARD: Final = Media()


class _Events(JsonOutput):
    """Takes the objects that `--json` prints."""

    def __init__(self, take: Callable[[dict[str, Any]], None]) -> None:
        self._take = take

    def _line(self, value: dict[str, Any]) -> None:
        self._take(value)


class Participant:
    """One participant of one meeting: make it with `host` or `join`, and use it with ``async with``.

    Inside the block it is in the room, and at its end it leaves. A program that does not want to wait for its
    admission calls `start`, later `entered`, and `close`.

    A method that waits takes `within`, in seconds. After them it raises NotObservedError, and EndedError as
    soon as the meeting is over for this participant. Events from before the call count, and the last second
    of sound; video does not.
    """

    def __init__(
        self,
        make_session: Callable[[float], Session],
        name: str,
        media: Media | None,
        on_event: Callable[[Event], None] | None,
        on_decoded: OnDecoded | None,
    ) -> None:
        choice = MediaChoice(none=True) if media is None else media._choice()
        #: This participant's name, as the others see it.
        self.name = name
        #: The events so far, the oldest first: at most 10,000.
        self.events: deque[Event] = deque(maxlen=EVENTS_MAX)
        self._on_event = on_event
        self._on_decoded = on_decoded
        self._decodes = choice.decodes
        self._watchers: list[OnDecoded] = []
        self._decoded: Counter[tuple[int, MediaKind]] = Counter()
        self._sound: dict[int, deque[Sound]] = {}  # the last second of each sender
        self._waiting: set[asyncio.Future[None]] = set()
        self._members: tuple[Member, ...] = ()
        self._link: str | None = None
        self._task: asyncio.Task[Status] | None = None
        try:
            choice.check()
            self._runner = Runner(
                make_session,
                name=name,
                media=choice,
                output=_Events(self._take),
                on_decoded=self._take_decoded,
            )
        except (SnugError, SourceError) as error:
            raise ValueError(str(reasons.because(error))) from error

    # -- making one ------------------------------------------------------------------------------

    @classmethod
    def host(
        cls,
        origin: str,
        *,
        name: str,
        title: str = "",
        admit: Literal["ask", "all"] = "ask",
        private_servers: bool = False,
        servers: ServersFrom = "ask",
        media: Media | None = _TEST_CARD,
        on_event: Callable[[Event], None] | None = None,
        on_decoded: OnDecoded | None = None,
    ) -> Self:
        """Return a participant that will open a meeting at a server, such as ``https://meet.example``.

        `admit`: "ask" leaves each knock to `admit`, "all" admits everybody who has the link. `media`: None
        for no media at all, neither sent nor received. `private_servers`: from a public https server, the
        meeting may lead this program to servers without https and into private networks too. `servers`: what
        to do about a further server that a host names during the meeting, and that was not in the link:
        "ask" with the status `server_asked`, which the command `allow` answers, "link" to keep to those of
        the link, "any" to go there. `on_event` is called with each event, and `on_decoded(leaf, kind,
        decoded)` with each decoded frame: `leaf` is the authenticated sender's. ValueError, with a sentence,
        if origin, name or media can't be used.
        """

        def make(now: float) -> Session:
            where = canonical_origin(origin)
            options = Options(private_servers=private_servers, servers=servers)
            return Session.host(
                origin=where, name=name, title=title, admission=admit, options=options, now=now
            )

        return cls(make, name, media, on_event, on_decoded)

    @classmethod
    def join(
        cls,
        link: str,
        *,
        name: str,
        greeting: str = "",
        private_servers: bool = False,
        servers: ServersFrom = "ask",
        media: Media | None = _TEST_CARD,
        on_event: Callable[[Event], None] | None = None,
        on_decoded: OnDecoded | None = None,
    ) -> Self:
        """Return a participant that knocks with a link. `greeting` is for the hosts.

        The other arguments are those of `host`. ValueError, with a sentence, if one can't be used.
        """

        def make(now: float) -> Session:
            options = Options(private_servers=private_servers, servers=servers)
            return Session.join(link, name=name, greeting=greeting, options=options, now=now)

        return cls(make, name, media, on_event, on_decoded)

    # -- its life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, in a task of the running event loop. RuntimeError if it was started before."""
        if self._task is not None:
            raise RuntimeError("a participant takes part in one meeting, once")
        self._task = asyncio.get_running_loop().create_task(self._runner.run())
        self._task.add_done_callback(lambda _: self._wake())

    async def entered(self, *, within: float = WITHIN) -> None:
        """Wait until this participant is in the room: as its host, or admitted."""
        session = self._runner.session
        await self.until(lambda: session.entered and bool(self._members), "to be in the room", within=within)

    async def close(self) -> None:
        """Leave the meeting, if it is not over, and stop. Calling it again is harmless."""
        task = self._task
        if task is None:
            return
        if not task.done():
            with contextlib.suppress(ValueError):
                self._runner.do(ev.Leave())
            await asyncio.wait([task], timeout=_LEAVE_TIME)
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(task)

    async def __aenter__(self) -> Self:
        self.start()
        try:
            await self.entered()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- what is known -----------------------------------------------------------------------------

    @property
    def inside(self) -> bool:
        """Whether this participant is in the room now."""
        return self._runner.session.inside and self.ended is None

    @property
    def ended(self) -> str | None:
        """Why the meeting is over for this participant, as in the event `end`; None while it goes on."""
        ended = self._runner.session.ended
        return None if ended is None else ended.reason

    @property
    def leaf(self) -> int | None:
        """This participant's authenticated number in the room; None outside."""
        return self._runner.session.own_leaf

    @property
    def members(self) -> tuple[Member, ...]:
        """The members of the room, as this participant has verified them: each has leaf, name and host."""
        return self._members

    @property
    def link(self) -> str:
        """The newest link that this host has made. RuntimeError for a participant that has made none."""
        if self._link is None:
            raise RuntimeError(f"{self.name} has made no link: only hosts have one")
        return self._link

    @property
    def alarms(self) -> list[Event]:
        """The alarms so far, the oldest first."""
        return [event for event in self.events if event["event"] == "alarm"]

    def media(self) -> list[Event]:
        """Return the counters of all streams received so far, as events `media`."""
        return [media_json(stats, name) for stats, name in self._runner.rows()]

    # -- doing -------------------------------------------------------------------------------------

    def send(self, command: Mapping[str, object]) -> None:
        """Carry out a command of docs/reference/json.md, such as ``{"lock": True}``.

        ValueError, with a sentence, if there is no such command, or if it can't be carried out now.
        """
        self._runner.do(parse_json(json.dumps(command)))

    async def say(self, text: str) -> None:
        """Send a chat message to all. ValueError, with a sentence, if it can't be sent."""
        self.send({"chat": text})

    async def admit(self, name: str, *, within: float = WITHIN) -> None:
        """As a host, admit the next person who knocks under that name."""
        knock = await self.event("knock", within=within, name=name)
        self.send({"admit": knock["id"]})

    # -- waiting -----------------------------------------------------------------------------------

    async def until(
        self,
        condition: Callable[[], bool],
        expected: str | Callable[[], str] = "a condition",
        *,
        within: float = WITHIN,
    ) -> None:
        """Wait until `condition()` is true. It is called after each event, and 20 times a second.

        `expected` says in the error what was waited for.
        """
        try:
            async with asyncio.timeout(within):
                while not condition():
                    if self._task is not None and self._task.done():
                        self._task.result()  # an error of this machine is raised as it is
                        raise EndedError(self._not_observed(expected, f"it ended ({self.ended})"))
                    await self._change()
        except TimeoutError as error:
            if isinstance(error, NotObservedError):
                raise
            raise NotObservedError(self._not_observed(expected, f"not within {within:g} s")) from None

    async def event(self, kind: str, /, *, within: float = WITHIN, **fields: object) -> Event:
        """Return the first event of that kind whose fields have these values, now or later.

        A field whose name is a Python keyword is written with an underscore: ``from_="Ada"``.
        """
        wanted = {name.removesuffix("_"): value for name, value in fields.items()}

        def found() -> Event | None:
            return next((e for e in self.events if e["event"] == kind and wanted.items() <= e.items()), None)

        told = ", ".join(f"{name} {value!r}" for name, value in wanted.items())
        await self.until(lambda: found() is not None, f"an event {kind} ({told})", within=within)
        event = found()
        assert event is not None
        return event

    async def hears(self, text: str, *, sender: str | None = None, within: float = WITHIN) -> Event:
        """Wait for a chat message, and return its event. Its sender is authenticated."""
        fields = {"text": text} if sender is None else {"text": text, "from_": sender}
        return await self.event("chat", within=within, **fields)

    async def meets(self, *names: str, within: float = WITHIN) -> None:
        """Wait until the members of the room are exactly these and this participant."""
        everybody = {self.name, *names}
        await self.until(
            lambda: {m.name for m in self._members} == everybody,
            f"the members {', '.join(sorted(everybody))}",
            within=within,
        )

    async def alarmed(self, kind: str, *, within: float = WITHIN) -> Event:
        """Wait for an alarm of that kind, and return its event. ValueError if there is no such kind."""
        known = {
            key.split(".")[1] for name in ("alarms", "terminal") for key in table(name) if "alarm." in key
        }
        if kind not in known:
            raise ValueError(f"there is no alarm {kind!r}; there are: {', '.join(sorted(known))}")
        return await self.event("alarm", within=within, kind=kind)

    async def sees(self, who: Participant | str, *, frames: int = 1, within: float = WITHIN) -> None:
        """Wait for so many video frames of a member, each with that member's test card.

        The frames were opened with the member's key, decoded, and show the colour of the member's leaf.
        ValueError for a participant that decodes nothing.
        """
        self._check_decodes()
        name = who if isinstance(who, str) else who.name
        card = Card(await self._leaf_of(name, within))
        await self._watch(
            card.decoded,
            lambda: card.recognised >= frames,
            lambda: (
                f"{frames} frames of {name}'s test card (its frames since: {card.frames}, "
                f"recognised: {card.recognised}, identity of the last: {card.last})"
            ),
            within,
        )

    async def hears_tone_of(self, who: Participant | str, *, within: float = WITHIN) -> None:
        """Wait for the tone of a member's test card, in sound that was opened with the member's key.

        ValueError for a participant that decodes nothing.
        """
        self._check_decodes()
        name = who if isinstance(who, str) else who.name
        leaf = await self._leaf_of(name, within)
        tone = Tone(leaf)
        for sound in self._sound.get(leaf, ()):
            tone.decoded(leaf, "audio", sound)
        await self._watch(
            tone.decoded,
            lambda: tone.heard,
            lambda: (
                f"the tone of {name}'s test card (its frames of sound: {tone.frames}, "
                f"the last pitch: {'none' if tone.last is None else f'{tone.last:.0f} Hz'})"
            ),
            within,
        )

    # -- inside ------------------------------------------------------------------------------------

    def _check_decodes(self) -> None:
        if not self._decodes:
            raise ValueError(f"{self.name} decodes nothing: its media is None, or has decode=False")

    async def _leaf_of(self, name: str, within: float) -> int:
        def leaves() -> list[int]:
            return [m.leaf for m in self._members if m.name == name]

        await self.until(lambda: bool(leaves()), f"a member {name}", within=within)
        return leaves()[0]

    async def _watch(
        self, watcher: OnDecoded, done: Callable[[], bool], expected: Callable[[], str], within: float
    ) -> None:
        self._watchers.append(watcher)
        try:
            await self.until(done, expected, within=within)
        finally:
            self._watchers.remove(watcher)

    def _take(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        kind = event["event"]
        if kind == "alarm":
            log.warning("%s: alarm %s: %s", self.name, event["kind"], event["text"])
        elif kind == "status":
            log.info("%s: %s: %s", self.name, event["kind"], event["text"])
        elif kind == "roster":
            self._members = tuple(Member(**member) for member in event["members"])
        elif kind == "invite":
            self._link = event["link"]
        if self._on_event is not None:
            self._on_event(event)
        self._wake()

    def _take_decoded(self, leaf: int, kind: MediaKind, decoded: Sound | RawFrame) -> None:
        self._decoded[leaf, kind] += 1
        if kind == "audio":
            self._sound.setdefault(leaf, deque(maxlen=_SOUND)).append(decoded.astype(np.int16, copy=False))
        for watcher in self._watchers:
            watcher(leaf, kind, decoded)
        if self._on_decoded is not None:
            self._on_decoded(leaf, kind, decoded)
        if self._watchers:
            self._wake()

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def _change(self) -> None:
        """Wait until something has happened, or for a moment."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=_LOOK)
        finally:
            self._waiting.discard(future)

    def _not_observed(self, expected: str | Callable[[], str], why: str) -> str:
        """Return the text of an error: what was expected, and what was observed instead."""
        expected = expected if isinstance(expected, str) else expected()
        last = [event for event in self.events if event["event"] not in _NOT_SHOWN][-_SHOWN:]
        frames = [f"{kind} of leaf {leaf}: {count}" for (leaf, kind), count in sorted(self._decoded.items())]
        state = "in the room" if self.inside else "not in the room"
        return "\n".join(
            (
                f"{self.name} expected {expected}: {why}.",
                f"  {self.name} is {state}; ended: {self.ended}",
                f"  members: {', '.join(f'{m.name} (leaf {m.leaf})' for m in self._members) or 'none'}",
                f"  alarms: {', '.join(alarm['kind'] for alarm in self.alarms) or 'none'}",
                f"  decoded frames: {', '.join(frames) or 'none'}",
                f"  the last of {len(self.events)} events:",
                *(f"    {json.dumps(event, ensure_ascii=False)[:300]}" for event in last),
            )
        )
