"""A world whose server does what it likes with each message, in front of the real hub.

The hub itself stays honest, and knows nothing of the interference: when that stops, the server is an honest
one again, with the state that it has by then. Each connection is treated separately.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from msgspec.structs import replace
from nacl.signing import SigningKey

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import ORIGIN, Link, Participant, World
from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Drop, Send
from snugroom.server.rooms.hub import Hub
from snugroom.wire import messages as wire
from snugroom.wire.messages import decode_client, decode_server, encode

Way = Literal["up", "down"]
Doing = Literal["drops", "holds", "repeats", "answers_stale", "backdates"]

#: Connections of one room: few, so that strangers can fill it.
SEATS = 12


#: Blobs in the lobby from this size on are knocks and answers; smaller ones are cards and calls for cards.
LARGE = 2048


def kind_of(message: wire.Message) -> str:
    """Return the type of a message on the wire; a server tells large posts from small ones."""
    kind = str(type(message).__struct_config__.tag)
    large = isinstance(message, wire.Post | wire.Posted) and len(message.blob) >= LARGE
    return f"large {kind}" if large else kind


@dataclass
class Meddling:
    """What the server does with the messages of one type, on one participant's connections."""

    label: str
    way: Way
    kind: str
    doing: Doing
    left: int  # how many more; below zero: all


@dataclass
class Held:
    """A message that the server has held back."""

    link: Link
    way: Way
    message: wire.Message


class Client:
    """A connection without a session: a stranger's, or a further one of a hostile member."""

    alive = True
    #: Whether it connects again at once when it is dropped.
    persistent = False

    def __init__(self, label: str) -> None:
        self.label = label
        self.links: dict[ev.Endpoint, Link] = {}

    def received(self, message: wire.ServerMessage) -> None:
        """Answer the server, or don't."""


class HostileNetwork(World):
    """A world in which the server, the clocks and the network misbehave on order.

    It ticks less often than real shells: the same meetings, in half the time.
    """

    TICK = 0.25
    SERVER_TICK = 0.1

    def __init__(self, seed: int) -> None:
        self.ahead: dict[str, float] = {}
        self.meddling: list[Meddling] = []
        self.held: list[Held] = []
        #: The last messages each way of each participant, for repeating and for inventing.
        self.recent: dict[tuple[str, Way], list[tuple[ev.Endpoint, wire.Message]]] = {}
        #: Refusals that the honest hub has sent, as (label, text).
        self.refused: set[tuple[str, str]] = set()
        self.on_sent: Callable[[Participant, ev.Endpoint, wire.Message], None] = lambda who, at, message: None
        super().__init__(seed, settings=Settings(max_members=SEATS))

    # -- the server -------------------------------------------------------------------------------

    def start_server(self) -> None:
        """As in `World`, but the key is kept: a hostile server signs what it likes."""
        self.server_secret = SigningKey(self.rng(32))
        self.hub = Hub(
            self.settings,
            origin=ORIGIN,
            server_key=bytes(self.server_secret.verify_key),
            incarnation=self.rng(8),
            sign=lambda text: self.server_secret.sign(text).signature,
            rng=self.rng,
        )
        self.server_up = True

    def _server(self, effects: Sequence[object]) -> None:
        for effect in effects:
            if isinstance(effect, Send | Drop):
                message = effect.message if isinstance(effect, Send) else effect.last
                link = self.handles.get(effect.handle)
                if link is not None and isinstance(message, wire.Refused):
                    self.refused.add((link.who.label, message.text))
            if isinstance(effect, Send):
                if link is not None and self._passes(link, "down", effect.message):
                    self._deliver(link, encode(effect.message))
            else:
                super()._server([effect])

    def _ascend(self, link: Link, frame: bytes) -> None:
        message = decode_client(frame)
        if not isinstance(link.who, Client):
            self.on_sent(link.who, link.endpoint, message)
        if self._passes(link, "up", message):
            super()._ascend(link, frame)

    def _passes(self, link: Link, way: Way, message: wire.Message) -> bool:
        recent = self.recent.setdefault((link.who.label, way), [])
        recent.append((link.endpoint, message))
        del recent[:-12]
        for meddling in self.meddling:
            if (meddling.label, meddling.way, meddling.kind) == (link.who.label, way, kind_of(message)):
                if meddling.left == 0:
                    continue
                meddling.left -= 1
                return self._meddle(meddling, link, message)
        return True

    def _meddle(self, meddling: Meddling, link: Link, message: wire.Message) -> bool:
        match meddling.doing:
            case "holds":
                self.held.append(Held(link, meddling.way, message))
                return False
            case "repeats":
                self._after(0.5, lambda: self.pass_on(Held(link, meddling.way, message)))
                return True
            case "answers_stale" if isinstance(message, wire.Commit):
                self.invent(link.who, link.endpoint, wire.Stale(message.slot, message.slot - 1))
                return False
            case "backdates" if isinstance(message, wire.Entered):
                room = link.who.session._room
                if room is None:
                    return True
                slot, chain = room.membership.journal.slot, room.membership.journal.chain
                self.invent(link.who, link.endpoint, replace(message, slot=slot, chain=chain))
                return False
            case _:
                return False

    def pass_on(self, held: Held) -> None:
        """Deliver a message that was held, on the participant's present connection if need be."""
        link = held.link if held.link.up else held.link.who.links.get(held.link.endpoint)
        if link is None or not link.up:
            if isinstance(held.message, wire.Post):
                self._post(held.link.endpoint, held.link.handle, held.message)
            return
        if held.way == "down":
            self._deliver(link, encode(held.message))
        else:
            super()._ascend(link, encode(held.message))

    def _post(self, lobby: ev.Endpoint, handle: bytes, post: wire.Post) -> None:
        """Post a blob in a lobby that its author has left."""
        for link in list(self.handles.values()):
            if link.endpoint == lobby and link.up and (post.to is None or link.handle in post.to):
                self._deliver(link, encode(wire.Posted(handle, post.blob)))

    def invent(self, who: Participant, endpoint: ev.Endpoint, message: wire.ServerMessage) -> bool:
        """Send a message that the hub has not sent; return whether there is a connection for it."""
        link = who.links.get(endpoint)
        if link is None or not link.up:
            return False
        self._deliver(link, encode(message))
        return True

    def stop_meddling(self, *, deliver: bool) -> None:
        """From now on the server is honest; what it has held comes now, or never."""
        self.meddling.clear()
        held, self.held = self.held, []
        if deliver:
            for each in held:
                self.pass_on(each)

    # -- connections without a session ------------------------------------------------------------

    def connect(self, client: Client) -> None:
        """Open a connection. The hub's challenge comes first."""
        if not self.server_up:
            return
        handle, challenge = self.hub.connect()
        link = client.links[ev.ROOM] = self.handles[handle] = Link(client, ev.ROOM, handle, self.hub)  # type: ignore[arg-type]
        self._deliver(link, encode(challenge))

    def say(self, client: Client, message: wire.ClientMessage) -> None:
        """Send a message on such a connection."""
        link = client.links.get(ev.ROOM)
        if link is not None and link.up:
            super()._ascend(link, encode(message))

    def _deliver(self, link: Link, frame: bytes) -> None:
        if not isinstance(link.who, Client):
            super()._deliver(link, frame)
            return
        client = link.who
        link.last_down = max(link.last_down, self.now + self.random.uniform(0, self.latency))
        self._at(link.last_down, lambda: client.received(decode_server(frame)) if link.up else None)

    def cut(self, link: Link, *, by_server: bool = False) -> None:
        if isinstance(link.who, Client):
            link.up = False
            link.who.links.pop(link.endpoint, None)
            self._server_lost(link)
            if link.who.persistent:
                self._after(0.3, partial(self.connect, link.who))
        else:
            super().cut(link, by_server=by_server)

    # -- clocks ------------------------------------------------------------------------------------

    def clock(self, who: Participant) -> float:
        """Return the time by that participant's clock."""
        return self.now + self.ahead.get(who.label, 0.0)

    def _feed(self, who: Participant, what: ev.Input) -> None:
        self._perform(who, who.session.handle(what, self.clock(who)))
