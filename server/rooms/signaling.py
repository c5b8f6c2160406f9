"""The WebSockets of the server: read messages, pass them to the hub, and perform the hub's effects.

Effects are performed at once and in order, on a single event loop.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from aiohttp import WSMsgType, web

from snugroom.server.config import Settings
from snugroom.server.rooms.backpressure import ByteLimiter
from snugroom.server.rooms.connection import CLOSE_TIMEOUT, SignalingConnection
from snugroom.server.rooms.effects import Drop, Effect, MediaJoin, MediaLeave, MediaSubscribe, Send
from snugroom.server.rooms.hub import Hub
from snugroom.server.rooms.media_server import MediaServer, PendingMedia
from snugroom.server.wire import messages

log = logging.getLogger(__name__)

TICK = 0.05
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
    ) -> None:
        self.hub = hub
        self.media = media
        self._settings = settings
        self._origins = frozenset(origins)
        self._clock = clock
        self._connections: dict[bytes, SignalingConnection] = {}
        self._pending_media: dict[bytes, PendingMedia] = {}
        self._addresses: Counter[str] = Counter()
        self._sockets = 0
        self._stopping = False
        #: Protocols of the HTTP connections that are WebSockets now.
        self.upgraded: set[object] = set()
        #: The `ByteLimiter` of each open HTTP connection, WebSocket or not, by its protocol.
        self.byte_limiters: dict[object, ByteLimiter] = {}
        self.refusals: Counter[str] = Counter()

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
            log.debug("dropping a connection: %s", effect.last.code)
            connection.drop(messages.encode(effect.last))

    def _join(self, effect: MediaJoin) -> tuple[list[Effect], list[Effect]]:
        """Return the answer and the effects that result. Both are empty if `_joined` sends them later."""
        try:
            answer = self.media.join(effect.room, effect.handle, effect.media)
        except ValueError:
            return self._no_place(effect.handle)
        if isinstance(answer, messages.Transport):
            return [Send(effect.handle, answer)], []
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
            self.perform([Send(handle, answer.result()), *listed])
        elif last:
            first, consequences = self._no_place(handle)
            self.perform([*first, *consequences])
        else:
            self.perform(self._no_place_for(handle))  # a later `media` is pending, and decides

    def _no_place(self, handle: bytes) -> tuple[list[Effect], list[Effect]]:
        return self._no_place_for(handle), self.hub.media_refused(handle)

    @staticmethod
    def _no_place_for(handle: bytes) -> list[Effect]:
        return [Send(handle, messages.Refused("media", "the media server has no capacity left", "media"))]

    def media_lost(self, room: bytes, handles: list[bytes]) -> None:
        """End the media of these connections of `room`, because their media worker has ended."""
        self.perform(self.hub.media_lost(room, handles))

    # -- one connection ------------------------------------------------------------------------

    def _refusal(self, address: str) -> messages.Refused | None:
        s = self._settings
        if self._stopping:
            return messages.Refused("stopping", "the server is stopping", fatal=True)
        if self._sockets >= s.max_connections:
            return messages.Refused("full", "the server has no capacity for another connection", fatal=True)
        if s.max_connections_per_address and self._addresses[address] >= s.max_connections_per_address:
            return messages.Refused("full", "too many connections from one place", fatal=True)
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
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        address = peer[0] if isinstance(peer, tuple) else ""
        refusal = self._refusal(address)
        self._sockets += 1
        self._addresses[address] += 1
        self.upgraded.add(request.protocol)
        try:
            await ws.prepare(request)
            if refusal is not None:
                self.refusals[refusal.code] += 1
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await ws.send_frame(messages.encode(refusal), WSMsgType.TEXT)
                    await ws.close()
                return ws
            byte_limiter = self.byte_limiters.get(request.protocol)
            if byte_limiter is not None:
                byte_limiter.start(2 * s.frame_bytes + 65_536, self._count_exceeded)
            await self._serve(ws, request, byte_limiter)
        except (ConnectionError, TimeoutError):
            pass  # the client has gone during the handshake
        finally:
            self.upgraded.discard(request.protocol)
            self._sockets -= 1
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
        return ws

    def _count_exceeded(self) -> None:
        self.refusals["pieces"] += 1

    async def _serve(
        self, ws: web.WebSocketResponse, request: web.Request, byte_limiter: ByteLimiter | None
    ) -> None:
        now = self._clock()
        connection = SignalingConnection(ws, request, self._settings, now)
        handle, challenge = self.hub.connect()
        self._connections[handle] = connection
        try:
            connection.put(messages.encode(challenge))
            await self._read(ws, connection, handle, now, byte_limiter)
        finally:
            self.perform(self.hub.leave(handle, self._clock()))
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
                    self._frame(connection, handle, message.data, message.type is WSMsgType.TEXT)
            else:
                return

    def _within_rates(self, connection: SignalingConnection, handle: bytes, size: int) -> bool:
        if connection.rate_limits.allow_frame(size, self._clock()):
            return True
        self.perform(self._expel(handle, messages.Refused("rate", "too much at once", fatal=True)))
        return False

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
                self._limit_total_queue()
                self.perform(self.hub.tick(self._clock()))
            except Exception:
                # an error in one room must not stop the ticks of the others
                log.exception("a tick failed")

    def _limit_total_queue(self) -> None:
        """Drop connections, the longest queue first, while all queues exceed `queue_total_bytes`."""
        waiting = self.queued_bytes()
        if waiting <= self._settings.queue_total_bytes:
            return
        for handle, connection in sorted(self._connections.items(), key=lambda item: -item[1].queued_bytes):
            if waiting <= self._settings.queue_total_bytes:
                return
            waiting -= connection.queued_bytes
            if not connection.dropped:
                last = messages.Closing("slow", "too much was waiting for this connection")
                connection.clear_queue()
                self.perform(self._expel(handle, last))

    async def stop(self) -> None:
        """Send `closing` to all connections, and wait at most `stop_time` until they are closed."""
        self._stopping = True
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
        return len(self._addresses)

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
