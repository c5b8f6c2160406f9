"""Sessions and a real server core, joined in memory. Scenes and tests turn the clock and cut the links.

Nothing here sleeps or opens a socket. A connection delivers in order and without loss, as TCP does, until
it is cut; what was under way then is lost. Several connections overtake each other at random (seeded).
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from nacl.signing import SigningKey

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.incidents import Incidents
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.client.session.options import Options
from snugroom.crypto.errors import SnugError
from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.keys import OpenedFrame
from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Drop, Send
from snugroom.server.rooms.hub import Hub
from snugroom.server.rooms.placement import Placement
from snugroom.wire.messages import decode_client, decode_server, encode

_E = TypeVar("_E")

ORIGIN = "http://127.0.0.1:8080"
START = 1_790_000_000.0  # some day, at 14:13 UTC
#: Seconds until newcomers may speak: somebody has answered them.
GREETING = 2.01


def seeded(seed: int) -> Callable[[int], bytes]:
    """Random bytes that are the same in every run, for keys."""
    source = random.Random(seed)
    return source.randbytes


class TooLongError(AssertionError):
    """Something that was awaited has not come about."""


@dataclass
class Link:
    """One connection of one participant."""

    who: Participant
    endpoint: ev.Endpoint
    handle: bytes
    hub: Hub
    up: bool = True
    last_down: float = 0.0
    last_up: float = 0.0


@dataclass
class Participant:
    """A session, and all events that it has told."""

    label: str
    session: Session
    links: dict[ev.Endpoint, Link] = field(default_factory=dict)
    paths: dict[ev.Endpoint, str] = field(default_factory=dict)  # of the last connections
    origins: dict[ev.Endpoint, str] = field(default_factory=dict)  # of the same, where another server's
    tries: dict[ev.Endpoint, int] = field(default_factory=dict)  # connections tried, and given up
    told: list[ev.Event] = field(default_factory=list)
    told_at: list[float] = field(default_factory=list)  # when, of the same
    performed: list[ev.Effect] = field(default_factory=list)  # all effects but messages and events
    alive: bool = True
    #: Seconds by which this participant's clock is ahead of the world's.
    clock: float = 0.0
    #: The lines on this participant's screen.
    incidents: Incidents = field(default_factory=Incidents)

    def of(self, kind: type[_E]) -> list[_E]:
        return [e for e in self.told if isinstance(e, kind)]

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(e.name, e.text) for e in self.told if isinstance(e, ev.Said)]

    @property
    def alarms(self) -> list[str]:
        return [e.kind for e in self.told if isinstance(e, ev.Alarm)]

    @property
    def roster(self) -> list[str]:
        rosters = [e for e in self.told if isinstance(e, ev.Roster)]
        return [m.name for m in rosters[-1].members] if rosters else []

    @property
    def code(self) -> str:
        codes = [e for e in self.told if isinstance(e, ev.Code)]
        return codes[-1].digits if codes else ""

    @property
    def epoch(self) -> int:
        codes = [e for e in self.told if isinstance(e, ev.Code)]
        return codes[-1].epoch if codes else -1

    @property
    def ended(self) -> ev.Ended | None:
        return self.session.ended

    @property
    def room(self):  # type: ignore[no-untyped-def]  # scenes look inside
        return self.session._room


class World:
    """A server and its participants. `latency` is the most that one hop takes, in seconds."""

    #: Seconds between two ticks: twice those of `client.connection` and of `server.rooms.signaling`, because
    #: ticks are two thirds of the work. `make test-all` plays every tick.
    TICK = 0.2
    SERVER_TICK = 0.1

    def __init__(self, seed: int = 1, *, latency: float = 0.02, settings: Settings | None = None) -> None:
        self.random = random.Random(seed)
        self.rng = seeded(seed + 1)
        self.now = START
        self.latency = latency
        self.greeting = GREETING
        self.settings = settings or Settings()
        self.people: list[Participant] = []
        self.handles: dict[bytes, Link] = {}
        self.server_up = True
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        #: Called with (participant, message) for each message of the server; False drops it.
        self.down_filter: Callable[[Participant, object], bool] = lambda who, message: True
        #: The same with the connection on which it would arrive.
        self.link_filter: Callable[[Link, object], bool] = lambda link, message: True
        self.start_server()
        self._every(self.SERVER_TICK, self._server_tick)

    # -- the server ------------------------------------------------------------------------------

    def start_server(self) -> None:
        self.hub = self.new_hub()
        self.server_up = True

    def new_hub(self, placement: Placement | None = None, origin: str = ORIGIN) -> Hub:
        """A server's process, with a key of its own."""
        key = SigningKey(self.rng(32))
        return Hub(
            self.settings,
            origin=origin,
            server_key=bytes(key.verify_key),
            incarnation=self.rng(8),
            sign=lambda text: key.sign(text).signature,
            rng=self.rng,
            placement=placement,
        )

    def is_up(self, hub: Hub) -> bool:
        """Whether this is the hub of a server that runs. A server that was killed has no connections."""
        return self.server_up

    def kill_server(self) -> None:
        """SIGKILL: all connections and the server's state are lost."""
        self.server_up = False
        for link in list(self.handles.values()):
            self.cut(link)

    def _server_tick(self) -> None:
        if self.server_up:
            self._server(self.hub.tick(self.now))

    def _of(self, hub: Hub, effects: Sequence[object]) -> None:
        """Perform the effects of this hub."""
        self._server(effects)

    def _server(self, effects: Sequence[object]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                link = self.handles.get(effect.handle)
                filters = link is not None and self.down_filter(link.who, effect.message)
                if link is not None and filters and self.link_filter(link, effect.message):
                    self._deliver(link, encode(effect.message))
            elif isinstance(effect, Drop):
                link = self.handles.get(effect.handle)
                if link is not None:
                    self._deliver(link, encode(effect.last))
                    self._at(link.last_down, partial(self.cut, link, by_server=True))

    def _deliver(self, link: Link, frame: bytes) -> None:
        link.last_down = max(link.last_down, self.now + self.random.uniform(0, self.latency))

        def arrive() -> None:
            if link.up and link.who.alive:
                self._feed(link.who, ev.Received(link.endpoint, decode_server(frame)))

        self._at(link.last_down, arrive)

    # -- participants ----------------------------------------------------------------------------

    def add(self, label: str, session: Session, *, clock: float = 0.0) -> Participant:
        who = Participant(label, session, clock=clock)
        self.people.append(who)
        self._perform(who, session.start())
        self._every(self.TICK, lambda: self._feed(who, ev.Tick()) if who.alive else None)
        return who

    def host(
        self,
        name: str = "Ada",
        *,
        admission: str = "all",
        title: str = "",
        options: Options = Options(),  # noqa: B008 - frozen
        clock: float = 0.0,
    ) -> Participant:
        return self.add(
            name,
            Session.host(
                origin=ORIGIN,
                name=name,
                title=title,
                admission=admission,  # type: ignore[arg-type]  # callers say "ask" or "all"
                options=options,
                now=self.now + clock,
                rng=seeded(self.random.getrandbits(32)),
            ),
            clock=clock,
        )

    def guest(
        self,
        link: str,
        name: str,
        *,
        options: Options = Options(),  # noqa: B008 - frozen
        clock: float = 0.0,
    ) -> Participant:
        rng = seeded(self.random.getrandbits(32))
        session = Session.join(link, name=name, options=options, now=self.now + clock, rng=rng)
        return self.add(name, session, clock=clock)

    def do(self, who: Participant, what: ev.Input) -> None:
        """A command."""
        self._feed(who, what)

    def _feed(self, who: Participant, what: ev.Input) -> None:
        self._perform(who, who.session.handle(what, self.now + who.clock))

    def _perform(self, who: Participant, effects: Sequence[ev.Effect]) -> None:
        who.performed += [e for e in effects if not isinstance(e, ev.Transmit | ev.Tell)]
        for effect in effects:
            match effect:
                case ev.Connect(endpoint, path, origin):
                    who.paths[endpoint], who.origins[endpoint] = path, origin
                    if path and (old := who.links.pop(endpoint, None)) is not None:
                        old.up = False  # the server has sent the participant on
                        self._server_lost(old)
                    delay = self.random.uniform(0, self.latency)
                    self._after(delay, partial(self._tried, who, endpoint, self._next_try(who, endpoint)))
                case ev.Disconnect(endpoint):
                    self._next_try(who, endpoint)
                    link = who.links.pop(endpoint, None)
                    if link is not None:
                        link.up = False
                        self._after(self.latency, partial(self._server_lost, link))
                case ev.Transmit(endpoint, message):
                    link = who.links.get(endpoint)
                    if link is not None and link.up:
                        self._ascend(link, encode(message))
                case ev.Tell(event):
                    who.told.append(event)
                    who.incidents.told(event, self.now)
                case _:
                    pass
        who.told_at += [self.now] * (len(who.told) - len(who.told_at))

    @staticmethod
    def _next_try(who: Participant, endpoint: ev.Endpoint) -> int:
        who.tries[endpoint] = who.tries.get(endpoint, 0) + 1
        return who.tries[endpoint]

    def _tried(self, who: Participant, endpoint: ev.Endpoint, number: int) -> None:
        """Connect, unless the participant has given this up meanwhile."""
        if who.tries[endpoint] == number:
            self._connect(who, endpoint)

    def route(self, path: str) -> Hub | None:
        """Return the hub at which a connection to `path` arrives; None if nobody listens there."""
        return self.hub if self.server_up else None

    def _connect(self, who: Participant, endpoint: ev.Endpoint) -> None:
        if not who.alive or endpoint in who.links:
            return
        hub = self.route(who.paths.get(endpoint, ""))
        if hub is None:
            self._feed(who, ev.Lost(endpoint, "refused"))
            return
        self._join(who, endpoint, hub)

    def _join(self, who: Participant, endpoint: ev.Endpoint, hub: Hub) -> None:
        handle, challenge = hub.connect()
        link = who.links[endpoint] = self.handles[handle] = Link(who, endpoint, handle, hub)
        self._deliver(link, encode(challenge))

    def _ascend(self, link: Link, frame: bytes) -> None:
        link.last_up = max(link.last_up, self.now + self.random.uniform(0, self.latency))
        self._at(link.last_up, partial(self._arrive, link, frame))

    def _arrive(self, link: Link, frame: bytes) -> None:
        """A participant's message has come to its server."""
        if self.is_up(link.hub) and link.handle in self.handles:
            self._of(link.hub, link.hub.handle(link.handle, decode_client(frame), self.now))

    def _server_lost(self, link: Link) -> None:
        if self.handles.pop(link.handle, None) is not None and self.is_up(link.hub):
            self._of(link.hub, link.hub.leave(link.handle, self.now))

    def cut(self, link: Link, *, by_server: bool = False) -> None:
        """The connection breaks: both ends notice, and messages on their way are lost.

        `by_server`: the server has ended it, with a close frame.
        """
        if not link.up:
            return
        link.up = False
        if link.who.links.get(link.endpoint) is link:
            del link.who.links[link.endpoint]
        self._server_lost(link)
        if link.who.alive:
            self._after(
                0.01, lambda: self._feed(link.who, ev.Lost(link.endpoint, "cut", True, by_server=by_server))
            )

    def open(
        self,
        to: Participant,
        ssrc: int,
        kind: Kind,
        data: bytes,
        then: Callable[[OpenedFrame | SnugError], None],
    ) -> None:
        """Have a participant open a frame; `then` gets it or the refusal, at the latest as `run` ends."""
        try:
            opened = to.room.frames.open(ssrc, kind, data, self.now + to.clock)
        except SnugError as error:
            then(error)
        else:
            then(opened)

    def kill(self, who: Participant) -> None:
        """SIGKILL of a participant."""
        who.alive = False
        for link in list(who.links.values()):
            self.cut(link)

    # -- time --------------------------------------------------------------------------------------

    def _at(self, when: float, action: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._queue, (when, self._order, action))

    def _after(self, delay: float, action: Callable[[], None]) -> None:
        self._at(self.now + delay, action)

    def _every(self, period: float, action: Callable[[], object]) -> None:
        def again() -> None:
            action()
            self._after(period, again)

        self._after(self.random.uniform(0, period), again)

    def run(self, seconds: float) -> None:
        """Let that much time pass."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            when, _, action = heapq.heappop(self._queue)
            self.now = max(self.now, when)
            action()
        self.now = end

    def until(self, condition: Callable[[], bool], most: float = 20.0, why: str = "") -> float:
        """Run until something holds; return the seconds. TooLongError after `most` of the world's time."""
        began = self.now
        while not condition():
            if self.now - began >= most:
                raise TooLongError(f"not within {most} s: {why or condition}")
            self.run(0.05)
        return self.now - began

    # -- shorthands ----------------------------------------------------------------------------------

    def link_of(self, host: Participant) -> str:
        return [e for e in host.told if isinstance(e, ev.InviteMade)][-1].link

    def meeting(self, *names: str, strict: bool = False) -> list[Participant]:
        """A host and guests, all inside and agreed. `strict`: a host's word holds for 15 s alone."""
        host = self.host(names[0], options=Options(strict=strict))
        people = [host]
        for name in names[1:]:
            people.append(self.guest(self.link_of(host), name))
            # each by itself, so that leaf indices follow the order of the names
            self.until(lambda: self.agreed(people), why="everybody in")
        self.run(self.greeting + 10 * self.latency)
        return people

    def agreed(self, people: Sequence[Participant]) -> bool:
        """Whether these, and nobody else, are in one room in the same epoch with the same code."""
        rosters = {tuple(p.roster) for p in people}
        return (
            len(rosters) == 1
            and len(next(iter(rosters))) == len(people)
            and len({p.code for p in people}) == 1
        )


def heal(w: World, who: Participant) -> None:
    """Have a member renew its keys by a commit."""
    who.room.queue(HealIntent(who.room.membership.group.epoch), w.now)
    w.do(who, ev.Tick())
