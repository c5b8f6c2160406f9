"""The media transport: sockets, ICE, DTLS and SRTP joined into one connection to the server.

DTLS-SRTP to the server is transport, not protection: all media is sealed before it gets here.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from snugroom.client.media import reach
from snugroom.client.media.dtls import Certificate, DtlsAssociation, DtlsError
from snugroom.client.media.ice import make_credentials
from snugroom.client.media.sockets import TcpWire, UdpWire, Wire, connected
from snugroom.client.media.srtp import SrtpError
from snugroom.client.proxy import SLOWNESS, ProxyFault, Tunnel
from snugroom.client.session.addresses import is_public
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.wire.messages import Transport
from snugroom.wire.rtcp import is_rtcp

_TICK: Final = 0.025
_TICK_IDLE: Final = 0.25
#: Datagrams of the server's first flight that are kept until its answer to a check has come.
_HELD_MAX: Final = 4


class TransportError(Exception):
    """No media connection to the server: it is unreachable, silent, or has the wrong certificate.

    `final`: this server has no path at all, so that another try is useless.
    """

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


class Link(Protocol):
    """The interface of a transport that the engine uses; `MediaTransport` implements it."""

    on_rtp: Callable[[bytes], None]
    on_rtcp: Callable[[bytes], None]
    on_lost: Callable[[str], None]
    on_moved: Callable[[bool], None]

    @property
    def round_trip(self) -> float | None:
        """The last measured round trip to the server, seconds; None while unknown."""
        ...

    def parameters(self) -> tuple[str, str, bytes]: ...
    async def connect(self, transport: Transport, timeout: float = 10.0) -> None: ...  # noqa: ASYNC109 - a link's own limit
    def send_rtp(self, packet: bytes) -> None: ...
    def send_rtcp(self, packet: bytes) -> None: ...
    async def close(self) -> None: ...


def _ignore_packet(packet: bytes) -> None:
    """Default callback: does nothing."""


def _ignore_reason(reason: str) -> None:
    """Default callback: does nothing."""


def _ignore_move(address_changed: bool) -> None:
    """Default callback: does nothing."""


class MediaTransport:
    """One association with the server. It connects once; a new association needs a new object.

    The association outlives its sockets: when one socket receives nothing more from the server, the transport
    tries other sockets.

    `tunnel` is asked when the transport connects. With one, all goes through a proxy, over TCP: no UDP, and
    nothing directly. `public_only` is asked then, too: whether to send to addresses of the internet only.
    A server at a public address could name machines in the member's own network.

    `loss`, when given, is called for every incoming media packet; the packet is dropped if it returns true
    (for tests and netem). Callbacks run in the event loop and must not block.
    """

    def __init__(
        self,
        rng: Callable[[int], bytes] = os.urandom,
        *,
        loss: Callable[[], bool] | None = None,
        tunnel: Callable[[], Tunnel | None] = lambda: None,
        public_only: Callable[[], bool] = lambda: False,
    ) -> None:
        self.on_rtp: Callable[[bytes], None] = _ignore_packet
        self.on_rtcp: Callable[[bytes], None] = _ignore_packet
        self.on_lost: Callable[[str], None] = _ignore_reason
        self.on_moved: Callable[[bool], None] = _ignore_move
        #: Media packets refused by SRTP when received, and packets not sent (socket full, refused by SRTP).
        self.refused = 0
        self.unsent = 0
        self._loss = loss
        self._find_tunnel = tunnel
        self._public_only = public_only
        self._tunnel: Tunnel | None = None
        self._fault: ProxyFault | None = None  # the proxy's last one
        self._ufrag, self._password = make_credentials(rng)
        self._certificate = Certificate.generate()
        self._ice = reach.Reach((self._ufrag, self._password), rng)
        self._dtls: DtlsAssociation | None = None
        self._hello: list[bytes] = []  # while no flight of the server has come
        self._held: list[bytes] = []
        self._wires: dict[int, Wire] = {}
        self._chosen: Wire | None = None
        self._address: str | None = None  # ours, on the chosen path
        self._begun = False
        self._ready: asyncio.Future[None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._closed = False

    def parameters(self) -> tuple[str, str, bytes]:
        """Return (ufrag, password, SHA-256 fingerprint) for the `media` message."""
        return self._ufrag, self._password, self._certificate.fingerprint

    @property
    def connected(self) -> bool:
        """Whether media can flow now."""
        return self._dtls is not None and self._dtls.srtp is not None and not self._closed

    @property
    def round_trip(self) -> float | None:
        """The round trip to the server by the last connectivity check, seconds; None before the first."""
        return self._ice.round_trip

    async def connect(self, transport: Transport, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - a link's own limit
        """Connect to the server with the parameters in `transport`; TransportError on failure.

        Until the server's certificate matches `transport.fingerprint`, only connectivity checks and the DTLS
        handshake are sent. Relays (`transport.turn`) are for browsers.
        """
        if self._begun or self._closed:
            raise TransportError("a transport connects once")
        try:
            addresses = [str(ipaddress.ip_address(a)) for a in (transport.address, *transport.others)]
        except ValueError:
            raise TransportError("the server's media address is no IP address") from None
        self._tunnel = self._find_tunnel()
        if self._tunnel is not None:
            self._ice.slowness = SLOWNESS
            if not transport.tcp:
                raise TransportError(sentence("terminal.proxy_no_tcp"), final=True)
            # one address for each host that the proxy is asked for
            addresses = list({self._tunnel.target(address): address for address in addresses}.values())
        elif self._public_only():
            public = [address for address in addresses if is_public(address)]
            if not public:
                raise TransportError(sentence("shell.media_private", address=addresses[0]), final=True)
            addresses = public
        loop = asyncio.get_running_loop()
        self._begun = True
        self._ready = loop.create_future()
        self._dtls = DtlsAssociation(self._certificate, transport.fingerprint)
        self._hello = self._dtls.start()
        ufrag, password, port = transport.ufrag, transport.password, transport.port
        try:
            udp, tcp = self._tunnel is None, transport.tcp
            hello, now = b"".join(self._hello), loop.time()
            self._perform(
                self._ice.start(ufrag, password, addresses, port, udp=udp, tcp=tcp, now=now, hello=hello)
            )
            self._ticker = loop.create_task(self._tick())
            async with asyncio.timeout(timeout):
                await self._ready
        except TimeoutError:
            await self.close()
            if self._ice.connected:
                raise TransportError("the media server did not answer the DTLS handshake") from None
            raise TransportError(self._unreached()) from None
        except BaseException:
            await self.close()
            raise

    def send_rtp(self, packet: bytes) -> None:
        """Protect and send one RTP packet; dropped while not connected."""
        self._protect(packet, rtcp=False)

    def send_rtcp(self, packet: bytes) -> None:
        """Protect and send one compound RTCP packet; dropped while not connected."""
        self._protect(packet, rtcp=True)

    async def close(self) -> None:
        """Send close_notify and close the sockets. A waiting `connect` fails. Closing twice is harmless."""
        self._shut()
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(TransportError("the connection was closed here"))
        if self._ticker is not None and self._ticker is not asyncio.current_task():
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)

    # -- inside ------------------------------------------------------------------------------

    def _open(self, number: int, candidate: reach.Candidate) -> None:
        def receive(data: bytes) -> None:
            self._receive(data, number)

        def tell(event: Callable[[int, float], list[reach.ReachEffect]]) -> None:
            self._perform(event(number, asyncio.get_running_loop().time()))

        def broken() -> None:
            tell(self._ice.broken)
            if self._tunnel is not None and not self._ice.connected and not self._ice.trying:
                self._fail(self._unreached())

        if candidate.tcp:
            dial = partial(self._dial, candidate)
            self._wires[number] = TcpWire(dial, receive, lambda: tell(self._ice.opened), broken)
            return
        try:
            self._wires[number] = UdpWire(candidate, receive)
        except OSError:
            # this machine has no such network; another path may work
            tell(self._ice.broken)

    async def _dial(self, candidate: reach.Candidate) -> socket.socket:
        if self._tunnel is None:
            return await connected(candidate)
        try:
            return await self._tunnel.proxy.dial(self._tunnel.target(candidate.address), candidate.port)
        except ProxyFault as fault:
            self._fault = fault
            raise OSError from fault

    def _unreached(self) -> str:
        """Return why no path has answered."""
        if self._tunnel is None:
            return reach.unreached(self._ice.tried)
        if self._fault is not None:
            return self._fault.why
        hosts = dict.fromkeys(self._tunnel.target(candidate.address) for candidate in self._ice.tried)
        port = self._ice.tried[0].port if self._ice.tried else 0
        return sentence("terminal.proxy_no_media", port=port, hosts=", ".join(hosts))

    def _protect(self, packet: bytes, *, rtcp: bool) -> None:
        if self._closed or self._dtls is None or self._dtls.srtp is None:
            return
        try:
            self._send(self._dtls.srtp.protect(packet, rtcp=rtcp))
        except SrtpError:
            self.unsent += 1

    def _send(self, datagram: bytes, number: int | None = None) -> None:
        """Send by the chosen socket, or by the socket with this number."""
        wire = self._chosen if number is None else self._wires.get(number)
        if wire is not None and not self._closed and not wire.send(datagram):
            self.unsent += 1

    def _receive(self, data: bytes, number: int) -> None:
        first = data[0]  # RFC 7983
        if self._closed:
            return
        if 128 <= first <= 191:
            self._media(data)
        elif 20 <= first <= 63:
            if self._chosen is not None:
                self._shake_hands(data)
            elif len(self._held) < _HELD_MAX:
                self._held.append(data)
        elif first <= 3:
            self._perform(self._ice.receive(number, data, asyncio.get_running_loop().time()))

    def _media(self, data: bytes) -> None:
        if self._dtls is None or self._dtls.srtp is None or (self._loss is not None and self._loss()):
            return
        rtcp = is_rtcp(data)
        try:
            packet = self._dtls.srtp.unprotect(data, rtcp=rtcp)
        except SrtpError:
            self.refused += 1
            return
        self._ice.heard(asyncio.get_running_loop().time())
        (self.on_rtcp if rtcp else self.on_rtp)(packet)

    def _perform(self, effects: Sequence[reach.ReachEffect]) -> None:
        for effect in effects:
            if self._closed:
                return
            match effect:
                case reach.Open(number, candidate):
                    self._open(number, candidate)
                case reach.Send(number, data):
                    self._send(data, number)
                case reach.Shut(number):
                    gone = self._wires.pop(number, None)
                    if gone is not None:
                        gone.close()
                case reach.Chosen(number, first):
                    before, self._chosen = self._address, self._wires.get(number)
                    self._address = None if self._chosen is None else self._chosen.address
                    if not first:
                        self.on_moved(self._address != before)
                    else:
                        held, self._held = self._held, []
                        for data in held:
                            self._shake_hands(data)
                case reach.Unreachable():
                    self._fail("the media server has stopped answering")

    def _shake_hands(self, datagram: bytes) -> None:
        self._hello = []
        self._dtls_step(lambda dtls: dtls.receive(datagram))

    def _dtls_step(self, step: Callable[[DtlsAssociation], list[bytes]]) -> None:
        dtls = self._dtls
        assert dtls is not None
        try:
            datagrams = step(dtls)
        except DtlsError as error:
            self._fail(str(error))
            return
        for datagram in datagrams:
            self._send(datagram)
        if dtls.srtp is not None and self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        if dtls.closed:
            self._fail("the media server has closed the connection")

    def _fail(self, reason: str) -> None:
        if self._closed:
            return
        waiting = self._ready is not None and not self._ready.done()
        self._shut()
        if waiting:
            assert self._ready is not None
            self._ready.set_exception(TransportError(reason))
        else:
            self.on_lost(reason)

    def _shut(self) -> None:
        if self._closed:
            return
        if self._dtls is not None:
            for datagram in self._dtls.close():
                self._send(datagram)
        self._closed = True
        for wire in self._wires.values():
            wire.close()
        self._wires.clear()
        self._chosen = None

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closed:
            # DTLS needs its tick before its timer expires; ICE's shortest interval is 50 ms
            await asyncio.sleep(_TICK_IDLE if self.connected and self._ice.steady else _TICK)
            self._perform(self._ice.tick(loop.time()))
            if self._chosen is not None:
                hello, self._hello = self._hello, []
                for datagram in hello:  # no flight has come, perhaps because this path had no hello
                    self._send(datagram)
            if self._dtls is not None and not self._closed and self._dtls.timeout() == 0:
                self._dtls_step(DtlsAssociation.tick)
