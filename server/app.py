"""The whole server: HTTP, WebSockets, the hub, and media workers.

It stores nothing on disk, except a certificate of its own where the settings name a file for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import web
from nacl.signing import SigningKey

from snugroom.server import addresses, config, http, memory, page, tokens
from snugroom.server.addresses import Addresses
from snugroom.server.config import Settings
from snugroom.server.nodes.settings import NodeSettings
from snugroom.server.rooms import nodes
from snugroom.server.rooms.answers import Answers
from snugroom.server.rooms.backpressure import ByteLimiter
from snugroom.server.rooms.entrance import Arrival
from snugroom.server.rooms.hub import Hub
from snugroom.server.rooms.media_server import MediaServer
from snugroom.server.rooms.relays import Relays
from snugroom.server.rooms.signaling import Signaling
from snugroom.server.sfu.io.sockets import BindError
from snugroom.server.sfu.sfu import Sfu
from snugroom.server.sfu.workers.child import WorkerError
from snugroom.server.sfu.workers.pipe import Setup
from snugroom.server.sfu.workers.pool import Workers
from snugroom.server.tls import Certificate, TlsError
from snugroom.wire import limits

log = logging.getLogger(__name__)


class StartError(Exception):
    """The server cannot start. The text is one sentence with the reason."""


async def _resolve(host: str) -> tuple[socket.AddressFamily, str]:
    """Return family and IP address of the first address that `host` resolves to. Raises StartError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        raise StartError(f"the host name {host!r} can't be resolved") from None
    family, _, _, _, address = found[0]
    return family, str(address[0])


def _relays(settings: Settings) -> Relays:
    """Return the TURN servers with their secrets. Raises StartError."""
    try:
        return Relays([relay.read() for relay in settings.turn], settings.turn_time)
    except OSError as error:
        raise StartError(f"a TURN server's secret_file can't be read: {error.strerror}") from None
    except ValueError as error:
        raise StartError(str(error)) from None


class Server:
    """One server. Its media has processes of its own (`server.sfu.workers`).

    `in_process`: media is handled in this process, where a test, or an act of a hostile server, can look into
    it. `media` replaces it altogether.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        media: MediaServer | None = None,
        in_process: bool = False,
        rng: Callable[[int], bytes] = os.urandom,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.settings = settings
        self.url = ""
        #: The addresses of this server. Available after `start`.
        self.addresses: Addresses | None = None
        self.certificate: Certificate | None = None
        self.clock = clock or (time.monotonic if settings.nodes is None else nodes.clock)
        self.started_at = self.clock()
        self._rng = rng
        self._media = media
        self._in_process = in_process
        self._sfu: Sfu | None = None
        self._workers: Workers | None = None
        self._nodes: nodes.NodeService | None = None
        self._signaling: Signaling | None = None
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._tick: asyncio.Task[None] | None = None
        self.http_log = http.Log()
        #: Whether the server ends soon, and opens no more rooms.
        self.draining = False
        #: When to overwrite the traces of connections that have ended (`server.__main__`).
        self.forgetting = memory.Forgetting(settings.forget_time)

    @property
    def signaling(self) -> Signaling:
        """The WebSockets. Available after `start`."""
        assert self._signaling is not None
        return self._signaling

    @property
    def greeting(self) -> int:
        """Number of open TCP connections that are not WebSockets."""
        return len(self.signaling.admission.entrance.visits)

    async def start(self) -> str:
        """Listen, and return the URL.

        Raises StartError if the server cannot start, ConfigError if settings contradict each other.
        """
        s = self.settings
        make_permission = tokens.policy(s)
        host, port = config.host_and_port(s.listen)
        family, address = await _resolve(host)
        found, machine = addresses.found(), socket.gethostname()
        relays = _relays(s)
        self.addresses = where = addresses.choose(s, host, address, found, machine)
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # connections inherit it: the kernel keeps a piece of what nobody reads, and not megabytes
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, http.PIECE)
            listening.bind((address, port))
            if s.nodes is None:  # a node may have to wait for its turn: nobody should wait in its backlog
                listening.listen(256)
            listening.setblocking(False)
            self.url = config.url(where.host, listening.getsockname()[1], tls=bool(s.tls))
        except OSError as error:
            listening.close()
            raise StartError(f"can't listen on {s.listen}: {os.strerror(error.errno or 0)}") from None
        try:
            self.certificate = self._read_certificate(where.names)
            media = self._media or await self._start_media(where)
        except BaseException:
            listening.close()
            raise
        key = SigningKey(self._rng(32))
        origin = s.origin or self.url
        if s.nodes is not None:
            self._nodes = self._make_nodes(s.nodes)
        hub = self._make_hub(origin, key)
        hub.permission = None if make_permission is None else make_permission(origin, self._rng)
        self._signaling = self._make_signaling(hub, media, [origin, self.url, *s.allowed_origins, *s.peers])
        self._signaling.relays = relays
        if self._workers is not None:
            self._workers.on_lost = self._signaling.media_lost
        self._runner = await self._run_http(self._signaling, origin)
        self._tick = asyncio.create_task(self._signaling.tick())
        if self._nodes is not None:
            try:
                await self._nodes.start(self._signaling)
            except nodes.NodesError as error:
                raise StartError(str(error)) from None
        self._listener = await self._accept(listening)
        log.info("started")
        return self.url

    async def _run_http(self, signaling: Signaling, origin: str) -> web.AppRunner:
        answers = Answers(signaling.admission, signaling.byte_limiters, self.clock)
        app = web.Application(client_max_size=1024)
        app.add_routes(
            [
                *self._node_routes(signaling),
                web.get("/healthz", self._health),
                web.get("/readyz", self._ready),
                *self._page(origin),
            ]
        )
        return await http.run(
            app,
            self.http_log,
            answers,
            shutdown_timeout=0.5,
            keepalive_timeout=self.settings.handshake_time,
            lingering_time=1.0,
        )

    def _read_certificate(self, names: list[str]) -> Certificate | None:
        if not self.settings.tls:
            return None
        try:
            return Certificate(self.settings.tls, names)
        except TlsError as error:
            raise StartError(str(error)) from None

    async def _accept(self, listening: socket.socket) -> asyncio.Server:
        # not `ssl=`: a client that may not come in gets no handshake (`Arrival`)
        return await asyncio.get_running_loop().create_server(self._greet, sock=listening)

    def reload(self) -> None:
        """Serve the renewed certificate to new connections. A bad one is logged, and changes nothing."""
        if self.certificate is None:
            return
        try:
            changed = self.certificate.reload()
        except TlsError:
            log.warning("the renewed certificate can't be used: the old one stays; `doctor` tells why")
            return
        log.warning("the certificate has been read again: %s", "a new one" if changed else "the same one")

    async def _start_media(self, where: Addresses) -> MediaServer:
        s = self.settings
        config.check_ports(s)
        told = [(await _resolve(host))[1] for host in (where.media, *s.media_also)]
        setup = Setup(
            address=told[0],
            port=s.media_port,
            bind=(await _resolve(where.bind))[1],
            also=list(dict.fromkeys(told[1:])),
            beside=where.beside,
            tcp=s.media_tcp,
            limits=s.media,
            forget_time=s.forget_time,
        )
        try:
            if self._in_process:
                self._sfu = self._make_sfu(**setup.options())
                await self._sfu.start()
                return self._sfu
            self._workers = Workers(s.workers, setup)
            await self._workers.start()
        except BindError as error:
            raise StartError(f"can't open {error.what} for media: {error.strerror}") from None
        except WorkerError as error:
            raise StartError(f"the media worker can't be started: {error}") from None
        return self._workers

    # -- parts of the server, which `lab.hostile` replaces -----------------------------------

    def _make_hub(self, origin: str, key: SigningKey) -> Hub:
        return Hub(
            self.settings,
            origin=origin,
            server_key=bytes(key.verify_key),
            incarnation=self._rng(limits.HANDLE_SIZE),
            sign=lambda text: key.sign(text).signature,
            rng=self._rng,
            placement=None if self._nodes is None else self._nodes.placement,
        )

    def _make_nodes(self, settings: NodeSettings) -> nodes.NodeService:
        try:
            return nodes.NodeService(settings, self._rng, self.clock)
        except nodes.NodesError as error:
            raise StartError(str(error)) from None

    def _make_signaling(self, hub: Hub, media: MediaServer, origins: list[str]) -> Signaling:
        return Signaling(hub, media, self.settings, origins=origins, clock=self.clock, rng=self._rng)

    def _make_sfu(self, **options: Any) -> Sfu:
        return Sfu(**options)

    def hostile(self) -> dict[str, Any] | None:
        """Return the acts of a hostile server, for its window; None for an honest one."""
        return None

    def drain(self) -> None:
        """Open no more rooms, and report that the server is not ready. Meetings go on until `stop`."""
        self.draining = True
        if self._signaling is not None:
            self._signaling.hub.draining = True

    def unready(self) -> list[str]:
        """Return the reasons why the server can serve no new meeting now; none if it can."""
        reasons = ["stopping"] if self.draining else []
        if self._signaling is None or self._listener is None or not self._listener.is_serving():
            return [*reasons, "not listening"]
        reasons += [reason for reason in self._signaling.ready() if reason not in reasons]
        try:
            os.close(os.dup(self._listener.sockets[0].fileno()))
        except OSError:
            reasons.append("no file descriptor is left")
        if self._workers is not None and (silent := self._workers.unanswered()):
            reasons.append(f"media workers that do not answer: {silent} of {len(self._workers.slots)}")
        if self._nodes is not None and not self._nodes.ready:
            reasons.append("the bus of the nodes lets this one open no room")
        return reasons

    async def stop(self) -> None:
        """Send all connections the last message, and close everything.

        Takes a bounded time. Harmless if not started.
        """
        self.drain()
        if self._listener is not None:
            self._listener.close()
        if self._nodes is not None:
            await self._nodes.stop()
        if self._signaling is not None:
            await self._signaling.stop()
        if self._tick is not None:
            self._tick.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._signaling is not None:
            for limiter in list(self._signaling.byte_limiters.values()):
                limiter.abort()  # it is closed, and would stay until its peer has read everything
        if self._sfu is not None:
            self._sfu.close()
        if self._workers is not None:
            await self._workers.close()
        log.info("stopped")

    # -- HTTP ----------------------------------------------------------------------------------

    def _greet(self) -> asyncio.Protocol:
        """Make the protocol of a new TCP connection.

        The connection is cut unless it becomes a WebSocket or gets an answer within `handshake_time`.
        """
        assert self._runner is not None
        assert self._runner.server is not None
        handler, signaling = self._runner.server(), self.signaling
        entrance = signaling.admission.entrance

        def lost() -> None:
            # nothing may refer to the handler, which knows the client's address
            self.forgetting.left(self.clock())
            if (limiter := signaling.byte_limiters.pop(handler, None)) is not None:
                entrance.visits.leave(limiter)

        limiter = ByteLimiter(handler, partial(entrance.refuse, "pieces"), lost)
        signaling.byte_limiters[handler] = limiter
        tls = None if self.certificate is None else self.certificate.context
        return Arrival(entrance, limiter, lost, tls)

    def _node_routes(self, signaling: Signaling) -> list[web.RouteDef]:
        """Return the paths of WebSockets. One of several nodes has a path of its own as well."""
        own = [] if self.settings.nodes is None else [f"/n/{self.settings.nodes.node}"]
        return [
            *(web.get(f"{path}/ws", signaling.handle) for path in ["", *own]),
            *(web.get(f"{path}/", self._hello) for path in own),
        ]

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _ready(self, _: web.Request) -> web.Response:
        reasons = self.unready()
        body = {"ready": not reasons, "reasons": reasons}
        return web.json_response(body, status=503 if reasons else 200, headers={"Cache-Control": "no-store"})

    def _page(self, origin: str) -> list[web.RouteDef]:
        if not self.settings.page:
            return [web.get("/", self._hello)]
        try:
            bundle = page.load()
        except page.PageError:
            log.warning("the page is missing or damaged, and is not served: run `make page`")
            return [web.get("/", self._hello)]
        peers = self.settings.peers
        where = {"origin": origin, "lecture": False, "peers": peers}
        return page.routes(bundle, where=where, connect=map(page.sockets, [origin, *peers]))

    async def _hello(self, _: web.Request) -> web.Response:
        return web.Response(text="Snug: a landlord that can't see in\n")
