"""The shell around the hub: WebSockets in, effects out.

One reader and one writer task a connection, a bounded queue between: whoever reads slowly is dropped, and
nobody waits for anybody else. What the hub decides is performed at once, in order, on the one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from aiohttp import WSMsgType, web

from server.config import Settings
from server.effects import Drop, Effect, MediaJoin, MediaLeave, MediaWant, Send
from server.flow import Flow
from server.hub import Hub
from server.rate import Guard
from server.wire.messages import (
    Closing,
    Media,
    Message,
    Refused,
    Streams,
    Transport,
    WireError,
    decode_client,
    encode,
)

log = logging.getLogger(__name__)

TICK = 0.05
#: How long the last word and the WebSocket's closing handshake may take.
GOODBYE = 1.0
#: What is refused for no fault of the client's, and doesn't count as an error of its.
_NO_ERRORS: Final = frozenset({"lost"})


class MediaServer(Protocol):
    """What signaling needs of the SFU: `server.media.sfu.Sfu`, or `server.workers.Workers`."""

    def join(self, room: bytes, handle: bytes, media: Media) -> Transport | asyncio.Future[Transport]:
        """New or changed streams or transport; ValueError when it can't be. Either may come later."""

    def want(self, room: bytes, handle: bytes, ssrcs: list[int] | None, tops: list[int]) -> None:
        """Forward these, in layers up to those of `tops` (empty: the largest); None: all."""

    def leave(self, room: bytes, handle: bytes) -> None:
        """No media any more."""

    def totals(self) -> dict[str, int]:
        """Totals over everything."""


@dataclass(slots=True)
class Waiting:
    """A connection whose `media` has no answer yet, and the list of streams that comes behind the last."""

    answers: list[asyncio.Future[Transport]] = field(default_factory=list)
    streams: Streams | None = None


class Connection:
    """One WebSocket, its bounded queue and the task that empties it."""

    def __init__(
        self, ws: web.WebSocketResponse, request: web.Request, settings: Settings, now: float
    ) -> None:
        self.guard = Guard(settings, now)
        self.dropped = False
        self._ws = ws
        self._request = request
        self._settings = settings
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._writer = asyncio.create_task(self._write())
        self._finishing: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Bytes that wait for this reader."""
        return self._bytes

    @property
    def came_from(self) -> tuple[str, dict[str, str]]:
        """What HTTP told of this connection, and is kept with it: its address, and the request's headers."""
        return self._request.remote or "", dict(self._request.headers)

    def put(self, frame: bytes) -> bool:
        """Queue a frame; False if this reader is too slow for it."""
        s = self._settings
        if self._bytes + len(frame) > s.queue_bytes or len(self._queue) >= s.queue_messages:
            return False
        self._queue.append(frame)
        self._bytes += len(frame)
        self._wake.set()
        return True

    async def _write(self) -> None:
        try:
            while True:
                while self._queue:
                    frame = self._queue.popleft()
                    await self._ws.send_frame(frame, WSMsgType.TEXT)
                    self._bytes = max(0, self._bytes - len(frame))
                if self.dropped:
                    return
                self._wake.clear()
                await self._wake.wait()
        except ConnectionError:
            pass  # the reader notices, and takes the connection out

    def forget(self) -> None:
        """Nothing waits for this reader any more."""
        self._queue.clear()
        self._bytes = 0

    def drop(self, last: bytes) -> None:
        """Say one last thing after what is waiting (or instead, if that is too much), and close."""
        self.dropped = True
        if self._bytes + len(last) > self._settings.queue_bytes:
            self._queue.clear()
        self._queue.append(last)
        self._bytes += len(last)
        self._wake.set()
        self.finish()

    def finish(self) -> asyncio.Task[None]:
        """Let the last word out, close, and cut whatever doesn't close in time."""
        if self._finishing is None:
            self._finishing = asyncio.create_task(self._finish())
        return self._finishing

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(GOODBYE):
                if self.dropped:
                    await self._writer
                if not await self._ws.close() and not self._ws.closed:
                    self._cut()
        except (TimeoutError, ConnectionError):
            self._cut()
        finally:
            self._writer.cancel()

    def _cut(self) -> None:
        transport = self._request.transport
        if transport is not None:
            transport.abort()


class Signaling:
    """All WebSockets of the server."""

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
        self._connections: dict[bytes, Connection] = {}
        self._waiting: dict[bytes, Waiting] = {}
        self._addresses: Counter[str] = Counter()
        self._sockets = 0
        self._stopping = False
        #: HTTP connections that are WebSockets now.
        self.upgraded: set[object] = set()
        #: What stands before each HTTP connection, WebSocket or not, as long as it is there.
        self.flows: dict[object, Flow] = {}
        self.refusals: Counter[str] = Counter()

    # -- effects -------------------------------------------------------------------------------

    def perform(self, effects: Iterable[Effect]) -> None:
        """Do what the hub wants done, and what follows from it."""
        todo = deque(effects)
        encoded: tuple[Message, bytes] | None = None
        while todo:
            effect = todo.popleft()
            if isinstance(effect, Send):
                # one message to many is the same object, and is encoded once
                if encoded is None or encoded[0] is not effect.message:
                    encoded = (effect.message, encode(effect.message))
                todo.extend(self._send(effect, encoded[1]))
            elif isinstance(effect, Drop):
                self._drop(effect)
            elif isinstance(effect, MediaJoin):
                answer, consequences = self._join(effect)
                # the answer comes before the lists of streams; what the hub decided since, after them
                todo.extendleft(answer)
                todo.extend(consequences)
            elif isinstance(effect, MediaWant):
                wanted = None if effect.ssrcs is None else list(effect.ssrcs)
                self.media.want(effect.room, effect.handle, wanted, list(effect.tops))
            elif isinstance(effect, MediaLeave):
                self._waiting.pop(effect.handle, None)
                self.media.leave(effect.room, effect.handle)

    def _send(self, effect: Send, frame: bytes) -> list[Effect]:
        connection = self._connections.get(effect.handle)
        if connection is None or connection.dropped:
            return []
        if isinstance(effect.message, Streams) and (waiting := self._waiting.get(effect.handle)) is not None:
            waiting.streams = effect.message  # each list is whole: only the last counts
            return []
        if isinstance(effect.message, Refused):
            code = effect.message.code
            self.refusals[code] += 1
            if code not in _NO_ERRORS and not connection.guard.error(self._clock()):
                return self._expel(effect.handle, Refused("errors", "too many errors", fatal=True))
        if not connection.put(frame):
            return self._expel(effect.handle, Closing("slow", "too much was waiting for this connection"))
        return []

    def _expel(self, handle: bytes, last: Closing | Refused) -> list[Effect]:
        """Drop a connection that the hub would have kept; what follows for the others comes back."""
        self._drop(Drop(handle, last))
        return self.hub.leave(handle, self._clock())

    def _drop(self, effect: Drop) -> None:
        connection = self._connections.get(effect.handle)
        if connection is not None and not connection.dropped:
            if isinstance(effect.last, Refused):
                self.refusals[effect.last.code] += 1
            log.debug("dropping a connection: %s", effect.last.code)
            connection.drop(encode(effect.last))

    def _join(self, effect: MediaJoin) -> tuple[list[Effect], list[Effect]]:
        """The answer, and what follows from it; neither yet if it comes later (`_joined`)."""
        try:
            answer = self.media.join(effect.room, effect.handle, effect.media)
        except ValueError:
            return self._no_place(effect.handle)
        if isinstance(answer, Transport):
            return [Send(effect.handle, answer)], []
        self._waiting.setdefault(effect.handle, Waiting()).answers.append(answer)
        answer.add_done_callback(partial(self._joined, effect.handle))
        return [], []

    def _joined(self, handle: bytes, answer: asyncio.Future[Transport]) -> None:
        """A media worker has answered. Each `media` has one answer, in order, and then come lists."""
        refused = answer.cancelled() or answer.exception() is not None
        waiting = self._waiting.get(handle)
        if waiting is None or answer not in waiting.answers:
            return  # it has left meanwhile
        waiting.answers.remove(answer)
        last = not waiting.answers
        if last:
            del self._waiting[handle]
        if not refused:
            after = waiting.streams if last else None
            listed = [] if after is None else [Send(handle, after)]
            self.perform([Send(handle, answer.result()), *listed])
        elif last:
            first, consequences = self._no_place(handle)
            self.perform([*first, *consequences])
        else:
            self.perform(self._no_place_for(handle))  # what was sent after it decides

    def _no_place(self, handle: bytes) -> tuple[list[Effect], list[Effect]]:
        return self._no_place_for(handle), self.hub.no_media(handle)

    @staticmethod
    def _no_place_for(handle: bytes) -> list[Effect]:
        return [Send(handle, Refused("media", "the media server has no place for this", "media"))]

    def media_lost(self, room: bytes, handles: list[bytes]) -> None:
        """The media worker that these had their media at is gone."""
        self.perform(self.hub.media_lost(room, handles))

    # -- one connection ------------------------------------------------------------------------

    def _refusal(self, address: str) -> Refused | None:
        s = self._settings
        if self._stopping:
            return Refused("stopping", "the server is stopping", fatal=True)
        if self._sockets >= s.max_connections:
            return Refused("full", "the server has no connection left", fatal=True)
        if s.max_connections_per_address and self._addresses[address] >= s.max_connections_per_address:
            return Refused("full", "too many connections from one place", fatal=True)
        return None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The WebSocket path."""
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._origins and not _own_page(origin):
            raise web.HTTPForbidden(text="this origin may not connect\n")
        s = self._settings
        ws = web.WebSocketResponse(
            timeout=GOODBYE,
            autoping=False,  # pings and pongs are seen here: they count as a sign of life
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
                async with asyncio.timeout(GOODBYE):
                    await ws.send_frame(encode(refusal), WSMsgType.TEXT)
                    await ws.close()
                return ws
            flow = self.flows.get(request.protocol)
            if flow is not None:
                flow.watch(2 * s.frame_bytes + 65_536, self._too_much)
            await self._serve(ws, request, flow)
        except (ConnectionError, TimeoutError):
            pass  # gone while it was being greeted
        finally:
            self.upgraded.discard(request.protocol)
            self._sockets -= 1
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
        return ws

    def _too_much(self) -> None:
        self.refusals["pieces"] += 1

    async def _serve(self, ws: web.WebSocketResponse, request: web.Request, flow: Flow | None) -> None:
        now = self._clock()
        connection = Connection(ws, request, self._settings, now)
        handle, challenge = self.hub.connect()
        self._connections[handle] = connection
        try:
            connection.put(encode(challenge))
            await self._read(ws, connection, handle, now, flow)
        finally:
            self.perform(self.hub.leave(handle, self._clock()))
            del self._connections[handle]
            self._waiting.pop(handle, None)
            await connection.finish()

    async def _read(
        self,
        ws: web.WebSocketResponse,
        connection: Connection,
        handle: bytes,
        since: float,
        flow: Flow | None,
    ) -> None:
        s = self._settings
        while True:
            inside = self.hub.inside(handle)
            # before the door, nothing extends the time, pings neither
            limit = s.idle_time if inside else since + s.handshake_time - self._clock()
            try:
                message = await ws.receive(timeout=max(limit, 0.001))
            except TimeoutError:
                last = (
                    Closing("idle", "nothing came for too long")
                    if inside
                    else Refused("time", "the door must be opened at once", fatal=True)
                )
                self.perform(self._expel(handle, last))
                return
            if connection.dropped:
                return
            if flow is not None and isinstance(message.data, bytes | bytearray | str):
                flow.claim(len(message.data))
            if message.type is WSMsgType.PING:
                # answered out of turn, it would be a way to make us write without reading
                if self._within_rates(connection, handle, len(message.data)):
                    await ws.pong(message.data)
            elif message.type is WSMsgType.PONG:
                self._within_rates(connection, handle, len(message.data))
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                if self._within_rates(connection, handle, len(message.data)):
                    self._frame(connection, handle, message.data, message.type is WSMsgType.TEXT)
            else:
                return

    def _within_rates(self, connection: Connection, handle: bytes, size: int) -> bool:
        if connection.guard.frame(size, self._clock()):
            return True
        self.perform(self._expel(handle, Refused("rate", "too much at once", fatal=True)))
        return False

    def _frame(self, connection: Connection, handle: bytes, data: bytes | str, is_text: bool) -> None:
        if not is_text:
            self.perform([Send(handle, Refused("message", "frames are text"))])
            return
        try:
            message = decode_client(data)
        except WireError as error:
            self.perform([Send(handle, Refused("message", str(error)))])
            return
        self.perform(self.hub.handle(handle, message, self._clock()))

    # -- all connections -----------------------------------------------------------------------

    async def tick(self) -> None:
        """Let time pass in the hub, for ever."""
        while True:
            await asyncio.sleep(TICK)
            try:
                self._relieve()
                self.perform(self.hub.tick(self._clock()))
            except Exception:
                # a fault in one room must not stop the time of all others
                log.exception("a tick failed")

    def _relieve(self) -> None:
        """Those who read slowest go first when too much is waiting for all together."""
        waiting = self.queued()
        if waiting <= self._settings.queue_total_bytes:
            return
        for handle, connection in sorted(self._connections.items(), key=lambda item: -item[1].waiting):
            if waiting <= self._settings.queue_total_bytes:
                return
            waiting -= connection.waiting
            if not connection.dropped:
                last = Closing("slow", "too much was waiting for this connection")
                connection.forget()
                self.perform(self._expel(handle, last))

    async def stop(self) -> None:
        """Tell everybody that the process stops, and wait (bounded) until they have been told."""
        self._stopping = True
        connections = list(self._connections.items())
        last = Closing("stopping", "the server is stopping")
        for handle, _ in connections:
            self.perform([Drop(handle, last)])
        tasks = [connection.finish() for _, connection in connections]
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.stop_time)

    @property
    def connections(self) -> int:
        """WebSockets now."""
        return self._sockets

    @property
    def addresses(self) -> int:
        """Different addresses that WebSockets come from now."""
        return len(self._addresses)

    def queued(self) -> int:
        """Bytes that wait for slow readers."""
        return sum(c.waiting for c in self._connections.values())

    def people(self) -> list[tuple[bytes, str, dict[str, str]]]:
        """Of each connection its handle, its address, and the headers of its request."""
        return [(handle, *c.came_from) for handle, c in self._connections.items()]


def _own_page(origin: str) -> bool:
    """Whether a page comes from the participant's own machine (`snug page`).

    Nothing is opened by it: no cookie or address lets anybody in here, a connection shows keys. What the
    check of origins keeps out are other sites' pages, and none of them can have this origin.
    """
    return re.fullmatch(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", origin) is not None
