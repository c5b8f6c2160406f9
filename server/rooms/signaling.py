"""The WebSockets of the server: read messages, pass them to the hub in turn, and perform the hub's effects.

Effects are performed at once and in order, on a single event loop. A message waits for its room's turn
(`server.rooms.turns`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import msgspec
from aiohttp import WSMsgType, web

from snugroom.server.config import Settings
from snugroom.server.nodes.records import Request
from snugroom.server.rooms import memory
from snugroom.server.rooms.admission import Admission
from snugroom.server.rooms.backpressure import ByteLimiter
from snugroom.server.rooms.clients import Client
from snugroom.server.rooms.connection import CLOSE_TIMEOUT, SignalingConnection
from snugroom.server.rooms.effects import AskBus, Drop, Effect, MediaJoin, MediaLeave, MediaSubscribe, Send
from snugroom.server.rooms.hub import Hub
from snugroom.server.rooms.media_server import MediaServer, PendingMedia
from snugroom.server.rooms.pump import Pump
from snugroom.server.rooms.relays import Relays
from snugroom.server.rooms.turns import PATIENCE
from snugroom.wire import messages

log = logging.getLogger(__name__)

TICK = 0.05
#: Bytes that may arrive before the door is open.
_DOOR_BYTES: Final = 32_768
#: Codes of refusals that do not count against the client.
_NO_ERRORS: Final = frozenset({"lost", "open"})
_OWN_PAGE: Final = re.compile(r"http://([a-z2-7]{26}\.localhost|127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?")


class Signaling:
    """All WebSockets of the server, and the effects of its hub."""

    def __init__(
        self,
        hub: Hub,
        media: MediaServer,
        settings: Settings,
        *,
        origins: Iterable[str],
        clock: Callable[[], float] = time.monotonic,
        rng: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.hub = hub
        self.media = media
        self._settings = settings
        self._origins = frozenset(origins)
        self._clock = clock
        self._connections: dict[bytes, SignalingConnection] = {}
        self._pending_media: dict[bytes, PendingMedia] = {}
        self._sockets = 0
        #: Messages and bytes sent since the beginning, to know what one message costs.
        self.sent = self.sent_bytes = 0
        self._stopping = False
        #: Sends a request to the bus of the nodes (`server.rooms.nodes`).
        self.ask_bus: Callable[[Request], None] = lambda _: None
        #: The `ByteLimiter` of each open HTTP connection, WebSocket or not, by its protocol.
        self.byte_limiters: dict[object, ByteLimiter] = {}
        self.refusals: Counter[str] = Counter()
        #: Counts of relays, readers and rooms that were given up for want of memory.
        self.relieved: Counter[str] = Counter()
        self.admission = Admission(settings, rng, self.refusals, clock)
        self.pump = Pump(settings, self._turn, clock)
        #: The TURN servers that clients with media are told of.
        self.relays = Relays([], settings.turn_time)

    # -- effects -------------------------------------------------------------------------------

    def perform(self, effects: Iterable[Effect]) -> None:
        """Perform `effects` of the hub, and the effects that result from them."""
        todo = deque(effects)
        encoded: tuple[messages.Message, bytes] | None = None
        while todo:
            effect = todo.popleft()
            if isinstance(effect, Send):
                # a message to many connections is one object: encode it once
                if encoded is None or encoded[0] is not effect.message:
                    encoded = (effect.message, messages.encode(effect.message))
                todo.extend(self._send(effect, encoded[1]))
            elif isinstance(effect, Drop):
                self._drop(effect)
            elif isinstance(effect, MediaJoin):
                answer, consequences = self._join(effect)
                # the answer goes before the lists of streams, later effects of the hub behind them
                todo.extendleft(answer)
                todo.extend(consequences)
            elif isinstance(effect, MediaSubscribe):
                wanted = None if effect.ssrcs is None else list(effect.ssrcs)
                self.media.subscribe(effect.room, effect.handle, wanted, list(effect.max_layers))
            elif isinstance(effect, MediaLeave):
                self._pending_media.pop(effect.handle, None)
                self.media.leave(effect.room, effect.handle)
            elif isinstance(effect, AskBus):
                self.ask_bus(effect.request)

    def _send(self, effect: Send, frame: bytes) -> list[Effect]:
        connection = self._connections.get(effect.handle)
        if connection is None or connection.dropped:
            return []
        if (
            isinstance(effect.message, messages.Streams)
            and (waiting := self._pending_media.get(effect.handle)) is not None
        ):
            waiting.streams = effect.message  # each list is complete: keep only the last
            return []
        if isinstance(effect.message, messages.Refused):
            code = effect.message.code
            self.refusals[code] += 1
            if code not in _NO_ERRORS and not connection.rate_limits.allow_error(self._clock()):
                return self._expel(effect.handle, messages.Refused("errors", "too many errors", fatal=True))
        self.sent += 1
        self.sent_bytes += len(frame)
        if not connection.put(frame):
            return self._expel(
                effect.handle, messages.Closing("slow", "too much was waiting for this connection")
            )
        return []

    def _expel(self, handle: bytes, last: messages.Closing | messages.Refused) -> list[Effect]:
        """Drop a connection that the hub still has, and return the resulting effects."""
        self._drop(Drop(handle, last))
        return self.hub.leave(handle, self._clock())

    def _drop(self, effect: Drop) -> None:
        connection = self._connections.get(effect.handle)
        if connection is not None and not connection.dropped:
            if isinstance(effect.last, messages.Refused):
                self.refusals[effect.last.code] += 1
            log.debug("dropping a connection: %s", getattr(effect.last, "code", "moved_to"))
            connection.drop(messages.encode(effect.last))

    def _join(self, effect: MediaJoin) -> tuple[list[Effect], list[Effect]]:
        """Return the answer and the effects that result. Both are empty if `_joined` sends them later."""
        try:
            answer = self.media.join(effect.room, effect.handle, effect.media)
        except ValueError:
            return self._no_place(effect.handle)
        if isinstance(answer, messages.Transport):
            return [Send(effect.handle, self._with_relays(effect.handle, answer))], []
        self._pending_media.setdefault(effect.handle, PendingMedia()).answers.append(answer)
        answer.add_done_callback(partial(self._joined, effect.handle))
        return [], []

    def _joined(self, handle: bytes, answer: asyncio.Future[messages.Transport]) -> None:
        """Send the answer of a media worker. Each `media` gets one, in order, and then a list of streams."""
        refused = answer.cancelled() or answer.exception() is not None
        waiting = self._pending_media.get(handle)
        if waiting is None or answer not in waiting.answers:
            return  # the connection has left in the meantime
        waiting.answers.remove(answer)
        last = not waiting.answers
        if last:
            del self._pending_media[handle]
        if not refused:
            after = waiting.streams if last else None
            listed = [] if after is None else [Send(handle, after)]
            self.perform([Send(handle, self._with_relays(handle, answer.result())), *listed])
        elif last:
            first, consequences = self._no_place(handle)
            self.perform([*first, *consequences])
        else:
            self.perform(self._no_place_for(handle))  # a later `media` is pending, and decides

    def _with_relays(self, handle: bytes, answer: messages.Transport) -> messages.Transport:
        connection = self._connections.get(handle)
        told = self.relays.told(None if connection is None else connection.client, handle)
        return msgspec.structs.replace(answer, turn=told)

    def _no_place(self, handle: bytes) -> tuple[list[Effect], list[Effect]]:
        return self._no_place_for(handle), self.hub.media_refused(handle)

    @staticmethod
    def _no_place_for(handle: bytes) -> list[Effect]:
        return [Send(handle, messages.Refused("media", "the media server has no capacity left", "media"))]

    def media_lost(self, room: bytes, handles: list[bytes]) -> None:
        """End the media of these connections of `room`, because their media worker has ended."""
        self.perform(self.hub.media_lost(room, handles))

    # -- one connection ------------------------------------------------------------------------

    def _refusal(self, client: Client) -> messages.Refused | None:
        """Return why `client` gets no WebSocket. If all are in use, the client with the most loses one."""
        if self._stopping:
            return messages.Refused("stopping", "the server is stopping", fatal=True)
        if self.memory > self._settings.memory_bytes:
            return messages.Refused("full", "the server's memory is in use", fatal=True)
        refusal = self.admission.refusal(client)
        if refusal is not None or self._sockets < self._settings.max_connections:
            return refusal
        victim = self.admission.victim(client, self.hub.population)
        if victim is None:
            return messages.Refused("full", "the server has no capacity for another connection", fatal=True)
        why = "all connections are in use, and your network has the most"
        self.perform(self._expel(victim, messages.Refused("full", why, fatal=True)))
        return None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve a request on the WebSocket path."""
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._origins and not _own_page(origin):
            raise web.HTTPForbidden(text="this origin may not connect\n")
        s = self._settings
        ws = web.WebSocketResponse(
            timeout=CLOSE_TIMEOUT,
            autoping=False,  # `_read` gets pings and pongs, because they extend the idle time
            heartbeat=s.heartbeat,
            compress=False,
            max_msg_size=s.frame_bytes,
        )
        byte_limiter = self.byte_limiters.get(request.protocol)
        client, address = self.admission.client(
            request, None if byte_limiter is None else byte_limiter.address
        )
        if not await self.admission.turn(client):
            self.refusals["handshakes"] += 1
            raise web.HTTPServiceUnavailable(text="too many connect at once\n", headers={"Retry-After": "5"})
        refusal = self._refusal(client)
        handle, challenge = (b"", None) if refusal is not None else self.hub.connect(client)
        if challenge is not None:
            self.admission.clients.connect(client, handle, address)
        self._sockets += 1
        visits = self.admission.entrance.visits
        if byte_limiter is not None:
            visits.leave(byte_limiter)  # a WebSocket has limits of its own
        try:
            await ws.prepare(request)
            if challenge is None:
                assert refusal is not None
                self.refusals[refusal.code] += 1
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await ws.send_frame(messages.encode(refusal), WSMsgType.TEXT)
                    await ws.close()
                return ws
            if byte_limiter is not None:
                byte_limiter.start(_DOOR_BYTES, self.hub.ledger)
            await self._serve(ws, request, byte_limiter, client, handle, challenge)
        except (ConnectionError, TimeoutError):
            pass  # the client has gone during the handshake
        finally:
            if byte_limiter is not None and byte_limiter.tcp is not None:
                visits.again(byte_limiter, self._clock())
            self._sockets -= 1
            if challenge is not None:
                self.perform(self.hub.leave(handle, self._clock()))
                self.admission.clients.disconnect(client, handle)
        return ws

    async def _serve(
        self,
        ws: web.WebSocketResponse,
        request: web.Request,
        byte_limiter: ByteLimiter | None,
        client: Client,
        handle: bytes,
        challenge: messages.Challenge,
    ) -> None:
        now = self._clock()
        ledger = self.hub.ledger
        connection = SignalingConnection(ws, request, self._settings, ledger, byte_limiter, client, now)
        self._connections[handle] = connection
        try:
            connection.put(messages.encode(challenge))
            await self._read(ws, connection, handle, now, byte_limiter)
            with contextlib.suppress(TimeoutError):  # what it said before it left is heard
                async with asyncio.timeout(PATIENCE):
                    await connection.handled()
        finally:
            group, sent, sent_bytes = self._group(handle), self.sent, self.sent_bytes
            self.perform(self.hub.leave(handle, self._clock()))
            self.pump.turns.forget(handle, group)
            self._charge(group, handle, sent, sent_bytes)
            del self._connections[handle]
            self._pending_media.pop(handle, None)
            await connection.finish()

    async def _read(
        self,
        ws: web.WebSocketResponse,
        connection: SignalingConnection,
        handle: bytes,
        since: float,
        byte_limiter: ByteLimiter | None,
    ) -> None:
        s = self._settings
        while True:
            inside = self.hub.inside(handle)
            if inside and byte_limiter is not None:
                byte_limiter.allow(2 * s.frame_bytes + 65_536)
            # nothing extends the time before the door, not even a ping
            limit = s.idle_time if inside else since + s.handshake_time - self._clock()
            try:
                message = await ws.receive(timeout=max(limit, 0.001))
            except TimeoutError:
                last = (
                    messages.Closing("idle", "no message arrived for too long")
                    if inside
                    else messages.Refused("time", "no door message arrived in time", fatal=True)
                )
                self.perform(self._expel(handle, last))
                return
            if connection.dropped:
                return
            if byte_limiter is not None and isinstance(message.data, bytes | bytearray | str):
                byte_limiter.claim(len(message.data))
            if message.type is WSMsgType.PING:
                # rate limits apply: pings must not make the server write without limit
                if self._within_rates(connection, handle, len(message.data)):
                    await ws.pong(message.data)
            elif message.type is WSMsgType.PONG:
                self._within_rates(connection, handle, len(message.data))
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                if self._within_rates(connection, handle, len(message.data)):
                    connection.receive(message.data, message.type is WSMsgType.TEXT)
                    self.pump.offer(self._group(handle, message.data), handle)
                    await connection.space()
            else:
                return

    def _within_rates(self, connection: SignalingConnection, handle: bytes, size: int) -> bool:
        if connection.rate_limits.allow_frame(size, self._clock()):
            return True
        self.perform(self._expel(handle, messages.Refused("rate", "too much at once", fatal=True)))
        return False

    def _group(self, handle: bytes, door: bytes | str = b"") -> bytes:
        """Return the name of the room or lobby of a connection, or of the room whose `door` waits.

        Each arrival is told to all members. A newcomer therefore waits for the room's turn, too.
        """
        group = self.hub.group(handle)
        if group is None and door:
            with contextlib.suppress(messages.WireError):
                group = self.hub.door_group(messages.decode_client(door))
        return group or handle

    def _charge(self, group: bytes, handle: bytes, sent: int, sent_bytes: int) -> float:
        """Let a room pay for what was sent since `sent` and `sent_bytes` were counted; return the cost."""
        deliveries, size = self.sent - sent, self.sent_bytes - sent_bytes
        return self.pump.turns.spend(group, handle, deliveries, size, self._clock())

    def _turn(self, handle: bytes) -> float:
        """Handle the message of `handle` whose turn it is; return its cost."""
        connection = self._connections.get(handle)
        if connection is None or not connection.waits:
            return 0.0
        sent, sent_bytes = self.sent, self.sent_bytes
        try:
            self._frame(connection, handle, *connection.take())
        except Exception:
            # an error about one message must not stop the others
            log.exception("a message failed")
            connection.cut()
        group = self._group(handle)
        if connection.waits:
            self.pump.turns.offer(group, handle, self._clock())
        return self._charge(group, handle, sent, sent_bytes)

    def _frame(
        self, connection: SignalingConnection, handle: bytes, data: bytes | str, is_text: bool
    ) -> None:
        if not is_text:
            self.perform([Send(handle, messages.Refused("message", "frames must be text"))])
            return
        try:
            message = messages.decode_client(data)
        except messages.WireError as error:
            self.perform([Send(handle, messages.Refused("message", str(error)))])
            return
        self.perform(self.hub.handle(handle, message, self._clock()))

    # -- all connections -----------------------------------------------------------------------

    async def tick(self) -> None:
        """Call the hub's `tick` every `TICK` seconds, until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            try:
                now = self._clock()
                self._relieve(now)
                self.admission.tick(now)
                self._refuse_heaviest(now)
                self.perform(self.hub.tick(now))
            except Exception:
                # an error in one room must not stop the ticks of the others
                log.exception("a tick failed")

    def _refuse_heaviest(self, now: float) -> None:
        """Refuse, in rooms whose messages wait for too long, the connection that has cost most."""
        turns = self.pump.turns
        turns.tick(now)
        why = "the room's messages wait for too long, and yours cost most: send less"
        for handle in list(turns.heaviest(now)):
            turns.withdraw(handle)
            self.perform(self._expel(handle, messages.Refused("rate", why, fatal=True)))

    def _relieve(self, now: float) -> None:
        """Take from readers of HTTP, then from the largest rooms, while the sum exceeds `memory_bytes`."""
        budget = self._settings.memory_bytes
        if self.memory <= budget:
            return
        entrance = self.admission.entrance
        entrance.cut(entrance.visits.relieve(self.memory - budget), "unread")
        total = self.memory
        for effect in memory.relief(self.hub.holdings(self._memory_of), total, budget):
            self.relieved[memory.WHAT[type(effect)]] += 1
            match effect:
                case memory.Trim(name, size):
                    self.hub.trim(name, size)
                case memory.DropReader(handle):
                    connection = self._connections.get(handle)
                    if connection is not None and not connection.dropped:
                        connection.clear_queue()
                        last = messages.Closing("slow", "too much was waiting for this connection")
                        self.perform(self._expel(handle, last))
                case memory.CloseRoom(name):
                    why = "the server's memory is in use, and this room holds the most of it"
                    self.perform(self.hub.close_room(name, why, now))

    def _memory_of(self, handle: bytes) -> int:
        connection = self._connections.get(handle)
        return 0 if connection is None else connection.memory

    async def stop(self) -> None:
        """Send `closing` to all connections, and wait at most `stop_time` until they are closed."""
        self._stopping = True
        self.pump.stop()
        connections = list(self._connections.items())
        last = messages.Closing("stopping", "the server is stopping")
        for handle, _ in connections:
            self.perform([Drop(handle, last)])
        tasks = [connection.finish() for _, connection in connections]
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.stop_time)

    @property
    def connections(self) -> int:
        """Number of open WebSockets."""
        return self._sockets

    @property
    def addresses(self) -> int:
        """Number of different addresses of open WebSockets."""
        return len({c.address_and_headers[0] for c in self._connections.values()})

    @property
    def memory(self) -> int:
        """Bytes that count against `memory_bytes`."""
        held = self.hub.ledger.total(len(self.byte_limiters), tls=bool(self._settings.tls))
        return held + self.admission.entrance.visits.unread

    def ready(self) -> list[str]:
        """Return why the server should get no new meetings; nothing if it should."""
        reasons = {
            "stopping": self._stopping,
            "memory": self.memory > self._settings.memory_bytes,
            "connections": self._sockets >= self._settings.max_connections,
        }
        return [reason for reason, holds in reasons.items() if holds]

    def queued_bytes(self) -> int:
        """Return the number of bytes in all queues."""
        return sum(c.queued_bytes for c in self._connections.values())

    def clients(self) -> list[tuple[bytes, str, dict[str, str]]]:
        """Return handle, address and request headers of each connection."""
        return [(handle, *c.address_and_headers) for handle, c in self._connections.items()]


def _own_page(origin: str) -> bool:
    """Return whether `origin` is a page on the participant's own machine.

    `snug page` has a random name below ``localhost``; a server on the same machine may have another of these.
    Such an origin gives no access: a connection proves its access with keys, never with a cookie or address.
    The check of origins keeps out pages of other sites, and none of them can have a loopback origin.
    """
    return _OWN_PAGE.fullmatch(origin) is not None
