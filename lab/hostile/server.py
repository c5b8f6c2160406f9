"""The server that runs hostile acts: subclasses of the honest server's parts that call the acts.

Without an act in play, these parts call the honest methods and change nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol, cast

from aiohttp import web
from nacl.signing import SigningKey

from snugroom.lab.hostile.participants import Participants
from snugroom.server.app import Server
from snugroom.server.config import Settings
from snugroom.server.rooms.clients import Client
from snugroom.server.rooms.effects import Effect, Send
from snugroom.server.rooms.hub import Hub
from snugroom.server.rooms.media import RoomMedia
from snugroom.server.rooms.media_server import MediaServer
from snugroom.server.rooms.memory import Ledger
from snugroom.server.rooms.race import Race
from snugroom.server.rooms.room import Room
from snugroom.server.rooms.seat import Seat
from snugroom.server.rooms.signaling import Signaling
from snugroom.server.sfu.core.fanout import Fanout
from snugroom.server.sfu.core.twcc_sequence import TwccSequence
from snugroom.server.sfu.io.packet_io import DatagramHandler, PacketIo
from snugroom.server.sfu.io.send_plan import SENT_MAX
from snugroom.server.sfu.link import Link
from snugroom.server.sfu.sfu import Sfu
from snugroom.wire import limits, signed
from snugroom.wire.messages import (
    Challenge,
    ClientMessage,
    Closing,
    Commit,
    Committed,
    LobbyDoor,
    Message,
    Opened,
    Relay,
    RoomDoor,
    encode,
)


class Hooks(Protocol):
    """The hooks through which the hostile parts pass everything (`lab.hostile.runner.Runner`)."""

    @property
    def participants(self) -> Participants: ...
    @property
    def active(self) -> Collection[str]:
        """The names of the acts in play."""

    @property
    def now(self) -> float: ...
    def attach(self, server: HostileServer) -> None: ...
    def facts(self) -> dict[str, Any]: ...
    def room(self) -> HostileRoom: ...
    def tick(self, now: float) -> None: ...
    def challenge(self, handle: bytes, challenge: Challenge) -> Challenge: ...
    def opens(self, handle: bytes) -> bool: ...
    def arrived(self, handle: bytes, now: float) -> None: ...
    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]: ...
    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]: ...
    def packet(self, sender: bytes | None, packet: bytes, now: float) -> None: ...
    def rtp(self, sender: bytes | None, receiver: bytes, packet: bytes, now: float) -> Sequence[bytes]: ...


class HostileRoom(Room):
    """A room that an act can change without a message from a member."""

    def opened_at(self, slot: int, chain: bytes) -> Opened:
        """Return a signed `opened` for any slot and chain."""
        return self._signatures.opened(self.numbers[-1], slot, chain)

    def committed_as(self, before: bytes, commit: Commit) -> Committed:
        """Return a signed `committed` for any blob, after any chain value."""
        return self._signatures.committed(self.numbers[-1], before, commit)

    def take(self, blob: bytes, now: float) -> list[Effect]:
        """Take the next slot with `blob`, without a pass. Chain and receipt are valid."""
        assert self.slot is not None
        nobody = next(iter(self._seats.values()))
        nobody = Seat(bytes(limits.HANDLE_SIZE), b"", now, nobody.catch_ups, nobody.media_changes, now, -1)
        return self._take(nobody, Commit(self.slot + 1, blob), now)

    def relay(self, blob: bytes, now: float) -> list[Effect]:
        """Relay a blob that no member has sent."""
        assert self.slot is not None
        return self._relay(Relay(blob), self.slot, now)

    def admit(self, handle: bytes) -> None:
        """Let a connection receive as if it had shown the current pass."""
        seat = self._seats[handle]
        seat.shown, seat.seen, seat.until = self.slot, self.slot, float("inf")

    def streams_of(self, handle: bytes) -> list[tuple[int, str]]:
        """Return (SSRC, kind) of each stream that a connection sends."""
        media = self._seats[handle].media if handle in self._seats else None
        return [] if media is None else [(stream.ssrc, stream.kind) for stream in media.streams]

    def fork(self, handles: Iterable[bytes]) -> HostileRoom:
        """Return a second room with the same past, and move these connections there without a message."""
        other = copy.copy(self)
        other._gates, other._taken_at = copy.deepcopy(self._gates), dict(self._taken_at)
        other._slots = copy.copy(self._slots)
        other.backlog = self.backlog.copy()
        other.race = Race(Ledger())
        other._seats = {h: self._seats.pop(h) for h in handles if h in self._seats}
        other.media = RoomMedia(self.number, other._seats, Ledger())
        race = self.race
        if race.held is not None and race.held.seat.handle not in self._seats:
            race.rivals = race.end()
        race.rivals = [seat for seat in race.rivals if seat.handle in self._seats]
        return other


class HostileHub(Hub):
    """The hub, with all doors and messages passed through the acts.

    A room may have several worlds: copies with the same number, each with some of the participants.
    """

    def __init__(self, runner: Hooks, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.runner = runner
        self.worlds: list[tuple[frozenset[int], HostileRoom]] = []
        #: Connections that an act answers, and not this hub.
        self.elsewhere: set[bytes] = set()

    def inside(self, handle: bytes) -> bool:
        return handle in self.elsewhere or super().inside(handle)

    def all_rooms(self) -> Iterator[HostileRoom]:
        """Yield the rooms that are open, the oldest first."""
        for room in self._rooms.values():
            if room.slot is not None and isinstance(room, HostileRoom):
                yield room

    def room_of(self, handle: bytes) -> HostileRoom | None:
        """Return the room of a connection, or None."""
        room = self._in_room.get(handle)
        return room if isinstance(room, HostileRoom) else None

    def lobby_handles(self) -> list[bytes]:
        """Return the connections in all lobbies."""
        return list(self._in_lobby)

    def split_off(self, numbers: frozenset[int]) -> HostileRoom:
        """Move the participants with these numbers to a new world, and return it.

        Connections that inherit these numbers later enter that world too.
        """
        room = self.runner.room()
        by_number = self.runner.participants.handles(room.number)
        moved = [by_number[n] for n in sorted(numbers) if n in by_number]
        other = room.fork(moved)
        for handle in moved:
            self._in_room[handle] = other
        self.worlds.append((numbers, other))
        return other

    def connect(self, client: Client | None = None) -> tuple[bytes, Challenge]:
        handle, challenge = super().connect(client)
        return handle, self.runner.challenge(handle, challenge)

    def handle(self, handle: bytes, message: ClientMessage, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for one in self.runner.from_client(handle, message, now):
            effects += self.handle_honestly(handle, one, now)
        return effects

    def handle_honestly(self, handle: bytes, message: ClientMessage, now: float) -> list[Effect]:
        """Handle a message as the honest hub does."""
        return super().handle(handle, message, now)

    def leave(self, handle: bytes, now: float) -> list[Effect]:
        self.runner.participants.leave(handle, now)
        return super().leave(handle, now)

    def tick(self, now: float) -> list[Effect]:
        self.runner.tick(now)
        effects = super().tick(now)
        for _, room in self.worlds:
            if room.deadline <= now:
                effects += room.tick(now)
        return effects

    def forget(self, number: bytes) -> None:
        """Forget a room and its worlds, whatever connections they have."""
        self._rooms = {n: room for n, room in self._rooms.items() if room.number != number}
        self.worlds = [(numbers, room) for numbers, room in self.worlds if room.number != number]

    def _make_room(self, number: bytes, room_admin_key: bytes, settings: Settings) -> Room:
        return HostileRoom(number, room_admin_key, settings, self._sign, self._rng, self.ledger)

    def _opens(self, handle: bytes, door: LobbyDoor | RoomDoor, key: bytes, number: bytes) -> bool:
        return super()._opens(handle, door, key, number) or self.runner.opens(handle)

    def _enter_lobby(self, handle: bytes, door: LobbyDoor, now: float) -> list[Effect]:
        effects = super()._enter_lobby(handle, door, now)
        if handle in self._in_lobby:
            self.runner.participants.arrive(door.lobby_key, handle, now)
            self.runner.arrived(handle, now)
        return effects

    def _enter_room(self, handle: bytes, door: RoomDoor, now: float) -> list[Effect]:
        number = signed.room_number(door.door_key, door.room_admin_key)
        first = self._rooms.get(number)
        place = number if first is None else first.number
        world = self._world(place, now)
        if world is not None:
            self._rooms[number] = world
        try:
            effects = super()._enter_room(handle, door, now)
        finally:
            if world is not None and first is not None:
                self._rooms[number] = first
        if handle in self._in_room:
            self.runner.participants.arrive(place, handle, now)
            self.runner.arrived(handle, now)
        return effects

    def _world(self, number: bytes, now: float) -> HostileRoom | None:
        """Return the world of the next connection, by the number that it would inherit, or None."""
        expected = self.runner.participants.expected(number, now)
        for numbers, room in self.worlds:
            if room.number == number and expected in numbers:
                return room
        return None


class HostileSignaling(Signaling):
    """The WebSockets, with every outgoing message passed through the acts."""

    def __init__(self, runner: Hooks, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.runner = runner
        #: Whether every new WebSocket is refused.
        self.shut = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.shut:
            raise web.HTTPServiceUnavailable(text="down for maintenance\n", headers={"Retry-After": "3600"})
        return await super().handle(request)

    def _send(self, effect: Send, frame: bytes) -> list[Effect]:
        effects: list[Effect] = []
        for message in self.runner.to_client(effect.handle, effect.message, self._clock()):
            out = frame if message is effect.message else encode(message)
            effects += super()._send(Send(effect.handle, message), out)
        return effects

    def deliver(self, handle: bytes, message: Message) -> None:
        """Send a message to one connection, and bypass all acts."""
        self.perform(super()._send(Send(handle, message), encode(message)))

    def cut(self, handle: bytes) -> None:
        """Abort a connection without a message. The hub handles it as any lost connection."""
        connection = self._connections.get(handle)
        if connection is not None:
            connection.cut()

    def expel(self, handle: bytes, last: Closing) -> None:
        """Close a connection with a last message."""
        self.perform(self._expel(handle, last))


class HostilePacketIo:
    """Packet I/O that passes each packet through the acts, separately for each receiver."""

    def __init__(self, inner: PacketIo, sfu: HostileSfu) -> None:
        self._inner = inner
        self._sfu = sfu

    @property
    def sent(self) -> int:
        return self._inner.sent

    @sent.setter
    def sent(self, value: int) -> None:
        self._inner.sent = value

    @property
    def unsent(self) -> int:
        return self._inner.unsent

    @unsent.setter
    def unsent(self, value: int) -> None:
        self._inner.unsent = value

    def drain(self, limit: int, handle: DatagramHandler, descriptor: int | None = None) -> int:
        return self._inner.drain(limit, handle, descriptor)

    @property
    def octets(self) -> int:
        return self._inner.octets

    @property
    def now(self) -> float:
        return self._inner.now

    @now.setter
    def now(self, value: float) -> None:
        self._inner.now = value

    @property
    def lag(self) -> float:
        return self._inner.lag

    @property
    def twcc_sequence(self) -> TwccSequence:
        return self._inner.twcc_sequence

    def fan_out(self, packet: bytes, fanout: Fanout[Any], *, burst: bool = False) -> None:
        runner, now = self._sfu.runner, self._sfu.runner.now
        if not runner.active:
            self._inner.fan_out(packet, fanout, burst=burst)
            return
        links: list[Link] = [link for link in fanout.receivers if isinstance(link, Link)]
        if not links:
            return
        sender = self._sfu.sender(links[0].key[0], int.from_bytes(packet[8:12], "big"))
        runner.packet(sender, packet, now)
        for i, link in enumerate(links):
            offsets = None if fanout.offsets is None else fanout.offsets[i : i + 1]
            alone = Fanout((link,), offsets, fanout.ssrc, twcc=fanout.twcc, once=True)
            for one in runner.rtp(sender, link.key[1], packet, now):
                if len(one) <= SENT_MAX:
                    self._inner.fan_out(one, alone)

    def flush(self) -> None:
        self._inner.flush()

    def changed(self) -> None:
        self._inner.changed()

    def wipe(self) -> None:
        self._inner.wipe()


class HostileSfu(Sfu):
    """The SFU, with a `HostilePacketIo`."""

    def __init__(self, runner: Hooks, **more: Any) -> None:
        super().__init__(**more)
        self.runner = runner
        self._inner: PacketIo | None = None

    async def start(self) -> None:
        await super().start()
        self._inner = self._egress.packet_io
        if self._inner is not None:
            self._egress.packet_io = cast(PacketIo, HostilePacketIo(self._inner, self))

    def sender(self, room: bytes, ssrc: int) -> bytes | None:
        """Return the connection that sends a stream, or None."""
        home = self._core.subscriptions.rooms.get(room)
        track = None if home is None else home.tracks.get(ssrc)
        return track.owner.key[1] if track is not None and isinstance(track.owner, Link) else None

    def highest(self, room: bytes, ssrc: int) -> int | None:
        """Return the highest sequence number of a stream, or None before its first packet."""
        home = self._core.subscriptions.rooms.get(room)
        track = None if home is None else home.tracks.get(ssrc)
        return None if track is None or track.high is None else track.high & 0xFFFF

    def send(self, handle: bytes, packet: bytes) -> bool:
        """Send an RTP packet to one connection, and bypass all acts. Return False if it has no transport."""
        for (_, name), link in self._links.items():
            if name == handle and link.outbound is not None and link.address is not None:
                assert self._inner is not None
                self._inner.fan_out(packet, Fanout((link,), once=True))
                self._inner.flush()
                return True
        return False


class HostileServer(Server):
    """`server.app.Server` with a runner of acts, made of the hostile parts."""

    def __init__(self, settings: Settings, runner: Hooks, *, media: MediaServer | None = None) -> None:
        super().__init__(settings, media=media, in_process=True)
        self.runner = runner
        runner.attach(self)

    @property
    def hub(self) -> HostileHub:
        hub = self.signaling.hub
        assert isinstance(hub, HostileHub)
        return hub

    @property
    def hostile_signaling(self) -> HostileSignaling:
        assert isinstance(self.signaling, HostileSignaling)
        return self.signaling

    @property
    def sfu(self) -> HostileSfu:
        assert isinstance(self._sfu, HostileSfu)
        return self._sfu

    def hostile(self) -> dict[str, Any]:
        return self.runner.facts()

    def _make_hub(self, origin: str, key: SigningKey) -> Hub:
        return HostileHub(
            self.runner,
            self.settings,
            origin=origin,
            server_key=bytes(key.verify_key),
            incarnation=self._rng(limits.HANDLE_SIZE),
            sign=lambda text: key.sign(text).signature,
            rng=self._rng,
        )

    def _make_signaling(self, hub: Hub, media: MediaServer, origins: list[str]) -> Signaling:
        return HostileSignaling(self.runner, hub, media, self.settings, origins=origins, clock=self.clock)

    def _make_sfu(self, **options: Any) -> Sfu:
        return HostileSfu(self.runner, **options)
