"""The shell around a session: WebSockets in and out, the media engine, a clock.

It makes no decisions. It passes inputs to `Session.handle` and performs the resulting effects in order. The
media engine calls the session for every frame that it seals or opens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver

from snugroom.client import failures
from snugroom.client.media.engine import MediaEngine, StreamStats, TransportError
from snugroom.client.media.transport import MediaTransport
from snugroom.client.proxy import SLOWNESS, Proxy, ProxyFault, Tunnel, http_client
from snugroom.client.reachable import answers
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.addresses import is_confined, is_public
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import recognised, sentence
from snugroom.client.session.kernel.large_room import is_large
from snugroom.client.spare import GOODBYE_TIME, NETWORK, SpareConnection, part_with
from snugroom.crypto.errors import SnugError
from snugroom.crypto.media.keys import OpenedFrame, Stream, layer_stream
from snugroom.wire import limits, messages

#: Seconds between two ticks of a session.
TICK: Final = 0.1
#: Seconds by which the wall clock has to be ahead for the session's clock to follow it.
_FOLLOW: Final = 1.0
_CONNECT_TIME: Final = 5.0
_MEDIA_RETRY: Final = 1.0
_MEDIA_RETRY_PROXY: Final = 10.0
#: Seconds for which a lost media link is not reported if another one is about to replace it.
_MEDIA_WAIT: Final = 10.0
#: Seconds for a media link.
_MEDIA_TIME: Final = 10.0
_CLOSED: Final = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)
_STREAM_OF: Final[dict[messages.MediaKind, Stream]] = {"audio": Stream.AUDIO, "video": Stream.VIDEO}


class Clock:
    """Unix seconds that never go back: the wall clock at the start, advanced by a monotonic clock.

    Where a monotonic clock stands still while a machine is suspended, this clock follows the wall clock
    forward: else freshness would outlast the suspension, and a host's cards would look expired.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def __call__(self) -> float:
        now, wall = self._monotonic() + self._offset, self._wall()
        if wall - now > _FOLLOW:
            self._offset += wall - now
            return wall
        return now


@dataclass
class SessionCrypto:
    """Gives the media engine access to a session's keys (`client.media.receiving.FrameCrypto`)."""

    session: Session
    clock: Clock

    def seal(self, kind: messages.MediaKind, frame: bytes, layer: int = 0) -> bytes | None:
        """Return the sealed frame; None if it may not be sent now. `layer`: 0 is the smallest; audio: 0."""
        frames = self.session.frames  # those of another membership after a rejoin
        if frames is None:
            return None
        return frames.seal(kind, layer_stream(_STREAM_OF[kind], layer), frame, self.clock())

    def open(self, ssrc: int, kind: messages.MediaKind, data: bytes) -> OpenedFrame:
        """Return the authenticated frame; a SnugError if it is refused."""
        frames = self.session.frames
        if frames is None:
            raise SnugError("not in a room")
        return frames.open(ssrc, kind, data, self.clock())


class Connection:
    """Runs one session against its server until it ends.

    `make_engine` is called once the session has entered the room, when its leaf is known; it may return None
    for no media. `on_event` receives every event, in order; `on_save` receives data to write to files;
    `on_message` receives every server message before the session does (for measurements). `addresses`: the
    URLs of servers on this machine, to connect to in place of their origins. With a `proxy`, all connections
    go through it, except these. `tick`: seconds between two ticks, for a slow clock. `allows` is asked about
    each origin before a connection to it; a server that it refuses counts as one that can't be reached.
    `resolver` looks names up, in place of the system.
    """

    def __init__(
        self,
        session: Session,
        *,
        make_engine: Callable[[Session, SessionCrypto], MediaEngine | None],
        on_event: Callable[[ev.Event], None],
        on_message: Callable[[ev.Endpoint, messages.ServerMessage], None] | None = None,
        on_save: Callable[[ev.Save], None] | None = None,
        clock: Clock | None = None,
        tick: float = TICK,
        addresses: Mapping[str, str] = MappingProxyType({}),
        proxy: Proxy | None = None,
        allows: Callable[[str], bool] = lambda _: True,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.session = session
        self.clock = clock or Clock()
        self.engine: MediaEngine | None = None
        #: Streams of other members, as the server lists them.
        self.streams: tuple[messages.HandleStream, ...] = ()
        self._make_engine = make_engine
        self._on_event = on_event
        self._on_message = on_message
        self._on_save = on_save
        self._addresses = addresses
        self._proxy = proxy
        self._tick = tick
        self._allows = allows
        self._slowness = 1.0 if proxy is None else SLOWNESS
        #: By proxy, and whether it connects to public addresses only.
        self._http: dict[tuple[Proxy | None, bool], aiohttp.ClientSession] = {}
        self._resolver = resolver
        self._is_confined = not session.options.private_servers and is_confined(session.origin)
        self._connections: dict[ev.Endpoint, asyncio.Task[None]] = {}
        self._queues: dict[ev.Endpoint, asyncio.Queue[bytes]] = {}
        self._clients = AsyncExitStack()
        self._spare = SpareConnection(self._open)
        self._tasks: set[asyncio.Task[None]] = set()
        self._done = asyncio.Event()
        self._broken: Exception | None = None
        self._engine_made = False
        self._closing: set[ev.Endpoint] = set()
        self._room_url = session.origin
        self._media_is_public = False  # the server is at a public address, and so is its media
        self._media_told = False  # that no media comes, for now or for good

    # -- from outside --------------------------------------------------------------------------

    def feed(self, what: ev.Input) -> None:
        """Pass an input to the session; ValueError, with a sentence, for a command that can't be done."""
        self._perform(self.session.handle(what, self.clock()))
        if self.session.ended is not None:
            self._done.set()

    def _feed_late(self, what: ev.Input) -> None:
        if self.session.ended is None and not self._done.is_set():
            self.feed(what)

    def stats(self) -> list[StreamStats]:
        """Return the counters of remote media streams."""
        return [] if self.engine is None else self.engine.stats()

    def make_link(self) -> MediaTransport:
        """Return a transport for media: through the proxy, if there is one."""
        return MediaTransport(tunnel=self._tunnel, public_only=lambda: self._media_is_public)

    def _tunnel(self) -> Tunnel | None:
        proxy = self._proxy_to(self._room_url)
        return None if proxy is None else Tunnel(proxy, self._room_url)

    def _proxy_to(self, url: str) -> Proxy | None:
        """Return the proxy to the server with this URL; None for a direct connection."""
        return None if self._is_own(url) else self._proxy

    def _is_own(self, url: str) -> bool:
        return any(_is_below(url, each) for each in self._addresses.values())

    def _public_only(self, url: str) -> bool:
        """Return whether to connect to public addresses only: the person has not named this server."""
        return self._is_confined and not self._is_own(url) and not _is_below(url, self.session.origin)

    async def _client(self, url: str) -> aiohttp.ClientSession:
        """Return the HTTP client for the server with this URL."""
        proxy, public_only = self._proxy_to(url), self._public_only(url)
        if (proxy, public_only) not in self._http:
            client = http_client(
                proxy, connect=_CONNECT_TIME, public_only=public_only, resolver=self._resolver
            )
            self._http[proxy, public_only] = await self._clients.enter_async_context(client)
        return self._http[proxy, public_only]

    async def run(self) -> ev.Ended:
        """Run until the session ends. An error of this machine, and not of a connection, is raised."""
        async with self._clients:
            self._perform(self.session.start())
            try:
                while not self._done.is_set():
                    try:
                        async with asyncio.timeout(self._tick):
                            await self._done.wait()
                    except TimeoutError:
                        self.feed(ev.Tick())
                    self._consider_engine()
            finally:
                await self._close()
        if self._broken is not None:
            raise self._broken
        assert self.session.ended is not None
        return self.session.ended

    async def _close(self) -> None:
        if self.engine is not None:
            await self.engine.close()
        for task in self._tasks:
            task.cancel()
        # send the queued messages: the session's last ones are among them
        for endpoint in list(self._connections):
            self._closing.add(endpoint)
            self._queues[endpoint].put_nowait(b"")
        closing_spare = asyncio.get_running_loop().create_task(self._spare.close())
        remaining = [*self._tasks, *self._connections.values(), closing_spare]
        if remaining:
            _, late = await asyncio.wait(remaining, timeout=GOODBYE_TIME)
            for task in late:
                task.cancel()
            await asyncio.gather(*remaining, return_exceptions=True)

    # -- effects ---------------------------------------------------------------------------------

    def _perform(self, effects: list[ev.Effect]) -> None:
        for effect in effects:
            match effect:
                case ev.Tell(event):
                    self._on_event(event)
                    if isinstance(event, ev.Roster) and self.engine is not None:
                        self.engine.enlarge(is_large(self.session.names))
                        self.engine.keys_changed()
                case ev.Save():
                    if self._on_save is not None:
                        self._on_save(effect)
                case ev.Transmit(endpoint, message):
                    queue = self._queues.get(endpoint)
                    if queue is not None:
                        queue.put_nowait(messages.encode(message))
                case ev.Connect(endpoint, path, origin):
                    origin = origin or self.session.origin
                    if self._allows(origin):
                        self._connect(endpoint, self._addresses.get(origin, origin) + path)
                    else:
                        lost = ev.Lost(endpoint, sentence("shell.ended"))
                        asyncio.get_running_loop().call_soon(self._feed_late, lost)
                case ev.ConnectSoon(origin):
                    if self._allows(origin):
                        self._spare.open(self._addresses.get(origin, origin))
                case ev.Disconnect(endpoint):
                    self._closing.add(endpoint)
                    if endpoint == ev.ROOM:  # the next connection is another one for the media server, too
                        asyncio.get_running_loop().call_soon(self._publish)
                    if endpoint in self._queues:
                        self._queues[endpoint].put_nowait(b"")
                case ev.MediaTransport(transport):
                    if self.engine is not None:
                        self._spawn(self._connect_media(self.engine, transport))
                case ev.RemoteStreams(streams):
                    self.streams = streams
                    if self.engine is not None:
                        self.engine.set_remote(list(streams))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- connections -------------------------------------------------------------------------------------

    def _connect(self, endpoint: ev.Endpoint, url: str) -> None:
        old = self._connections.pop(endpoint, None)
        if old is not None:
            old.cancel()
        self._closing.discard(endpoint)
        if endpoint == ev.ROOM:
            self._room_url = url
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._queues[endpoint] = queue
        self._connections[endpoint] = asyncio.get_running_loop().create_task(
            self._serve(endpoint, url, queue)
        )

    async def _serve(self, endpoint: ev.Endpoint, url: str, queue: asyncio.Queue[bytes]) -> None:
        """Run one connection from its beginning to its end. Only an error of the connection is a lost one."""
        try:
            lost = await self._talk(endpoint, url, queue)
            if self._connections.get(endpoint) is asyncio.current_task():
                del self._connections[endpoint]
                self._queues.pop(endpoint, None)
            if endpoint not in self._closing and self.session.ended is None and not self._done.is_set():
                self.feed(lost)
                if endpoint == ev.ROOM:
                    self._publish()
        except Exception as error:
            self._broken = self._broken or error
            self._done.set()

    async def _talk(self, endpoint: ev.Endpoint, url: str, queue: asyncio.Queue[bytes]) -> ev.Lost:
        """Connect, read until the end, and return how it ended."""
        proxy = self._proxy_to(url)
        try:
            # a frozen server takes a connection, and says nothing
            async with asyncio.timeout(self._slowness * _CONNECT_TIME):
                taken = await self._spare.take(url) if endpoint == ev.ROOM else None
                ws, first = taken or (await self._open(url), None)
        except NETWORK as error:
            if failures.is_strange(error):
                return ev.Lost(endpoint, failures.reason(error), strange=True)
            distrust = failures.distrust(error, self.session.origin)
            # a proxy that makes no connection says nothing of the server
            faulty = distrust is not None or isinstance(error, ProxyFault)
            answered = not faulty and await answers(url, proxy, public_only=self._public_only(url))
            refused = failures.by_server(error)
            return ev.Lost(endpoint, failures.reason(error), answered, distrust, by_server=refused)
        if endpoint == ev.ROOM:
            self._media_is_public = not self.session.options.private_servers and _is_at_public_address(ws)
        writer = asyncio.get_running_loop().create_task(_write(ws, queue))
        try:
            why, by_server = await self._read(endpoint, ws, first)
            return ev.Lost(endpoint, why, answered=True, by_server=by_server)
        finally:
            if endpoint in self._closing:
                await asyncio.wait([writer], timeout=GOODBYE_TIME)
            writer.cancel()
            await part_with(ws)

    async def _open(self, url: str) -> aiohttp.ClientWebSocketResponse:
        client = await self._client(url)
        return await client.ws_connect(url + "/ws", compress=0, max_msg_size=limits.FRAME_MAX)

    async def _read(
        self, endpoint: ev.Endpoint, ws: aiohttp.ClientWebSocketResponse, first: aiohttp.WSMessage | None
    ) -> tuple[str, bool]:
        """Pass on the frames, beginning with `first`; return why they end, and whether the server ended them.

        A close frame is the server's. An end of the bytes, or a reset, can be made by any network.
        """
        while True:
            try:
                frame = first or await ws.receive()
                first = None
            except NETWORK as error:
                return failures.reason(error), False
            if frame.type in _CLOSED:
                return sentence("shell.ended"), frame.type is aiohttp.WSMsgType.CLOSE
            if frame.type is aiohttp.WSMsgType.ERROR:
                return failures.reason(frame.data), False
            try:
                message = messages.decode_server(frame.data if frame.type is aiohttp.WSMsgType.TEXT else "")
            except messages.WireError:
                return sentence("shell.alien"), False
            self._hear(endpoint, message)

    def _hear(self, endpoint: ev.Endpoint, message: messages.ServerMessage) -> None:
        if self._on_message is not None:
            self._on_message(endpoint, message)
        if isinstance(message, messages.Challenge) and message.version != limits.PROTOCOL_VERSION:
            self._on_event(sentences.alarm("version", theirs=message.version, ours=limits.PROTOCOL_VERSION))
        self.feed(ev.Received(endpoint, message))
        if (
            endpoint == ev.ROOM
            and self.engine is not None
            and isinstance(message, messages.Committed | messages.Relayed | messages.Broadcasted)
        ):
            self.engine.keys_changed()  # retry frames that arrived before their keys or announcement
        if isinstance(message, messages.Closing):
            return
        if isinstance(message, messages.Refused) and message.about == "media" and self.engine is not None:
            if message.code == "lost":
                self.media_lost(sentence("shell.media_gone"))
            elif message.code == "ssrc":
                # an earlier connection of ours still holds our SSRCs: its end has not reached the server
                self.engine.renumber()
                self._publish()
        self._consider_engine()

    # -- media -------------------------------------------------------------------------------------

    def _consider_engine(self) -> None:
        if self._engine_made or not self.session.inside or self.session.ended is not None:
            return
        self._engine_made = True
        self.engine = self._make_engine(self.session, SessionCrypto(self.session, self.clock))
        if self.engine is not None:
            self.engine.enlarge(is_large(self.session.names))
        self._publish()

    def _publish(self) -> None:
        """Pass fresh transport parameters to the session, for the next `media` message."""
        if self.engine is None or self.session.ended is not None:
            return
        ufrag, password, fingerprint = self.engine.parameters()
        streams = tuple((s.ssrc, s.kind, int(_STREAM_OF[s.kind])) for s in self.engine.streams)
        layers = {s.ssrc: tuple(s.layers) for s in self.engine.streams}
        rtx = {s.ssrc: tuple(s.rtx) for s in self.engine.streams}
        # the engine reports on numbered packets, and unwraps RTX
        self.feed(
            ev.Publish(ufrag, password, fingerprint, streams, layers, rtx, feedback=True, takes_rtx=True)
        )

    def media_moved(self, address_changed: bool) -> None:
        """Handle a move of the media link to another path (the engine's `on_moved`)."""
        if self.session.ended is None:
            self.feed(ev.NetworkChanged(certain=address_changed))

    def media_lost(self, why: str) -> None:
        """Handle a lost media link (the engine's `on_lost`): request another one, and report it.

        The server closes the link of a connection that we have given up. That is reported only if no other
        link has come after `_MEDIA_WAIT`.
        """
        if self.session.ended is not None:
            return  # the server closes media at the end of a meeting
        alarm = sentences.alarm("media_lost", why=recognised(why, "shell"))
        if self.engine is not None and self.engine.renewing:
            self._spawn(self._tell_later(alarm, self.engine))
        else:
            self._on_event(alarm)
            self._publish()

    async def _tell_later(self, alarm: ev.Alarm, engine: MediaEngine) -> None:
        await asyncio.sleep(_MEDIA_WAIT)
        if not engine.connected and self.session.ended is None:
            self._on_event(alarm)

    async def _connect_media(self, engine: MediaEngine, transport: messages.Transport) -> None:
        if not engine.waiting:
            return  # a second answer to the same parameters: the first one is in use
        try:
            await engine.connect(transport, self._slowness * _MEDIA_TIME)
            if self._media_told and engine.connected and self.session.ended is None:
                self._media_told = False
                self.feed(ev.SelectStreams(None))
        except TransportError as error:
            if self.session.ended is None and not self._done.is_set():
                await self._media_failed(error)

    async def _media_failed(self, error: TransportError) -> None:
        """Report that there is no media link, and try again.

        Where it may never come about, as through a proxy, that is told once. Until media comes, no stream is
        subscribed to: otherwise members would conclude that the server keeps their media from us.
        """
        why = recognised(error.args[0], "shell")
        if self._proxy is None and not error.final:
            self._on_event(sentences.alarm("media_unreachable", why=why))
            await asyncio.sleep(_MEDIA_RETRY)
        else:
            if not self._media_told:
                self._media_told = True
                cause = "private" if self._proxy is None else "proxy"
                self._on_event(sentences.alarm(f"media_unreachable.{cause}", why=why))
                self.feed(ev.SelectStreams(()))
            if error.final:
                return
            await asyncio.sleep(_MEDIA_RETRY_PROXY)
        self._publish()


def _is_below(url: str, origin: str) -> bool:
    return url == origin or url.startswith(f"{origin}/")


def _is_at_public_address(ws: aiohttp.ClientWebSocketResponse) -> bool:
    peer = ws.get_extra_info("peername")
    return peer is not None and is_public(str(peer[0]))


async def _write(ws: aiohttp.ClientWebSocketResponse, queue: asyncio.Queue[bytes]) -> None:
    while True:
        frame = await queue.get()
        if not frame:
            await ws.close()
            return
        try:
            await ws.send_str(frame.decode())
        except NETWORK:
            return  # the reader notices
