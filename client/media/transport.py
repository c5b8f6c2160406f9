"""The shell between one UDP socket and the server: ICE, DTLS and SRTP put together.

DTLS-SRTP to the server is transport, not protection: what goes through here is sealed already.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from collections.abc import Callable
from typing import Final, Protocol

from client.media.dtls import Certificate, DtlsAssociation, DtlsError
from client.media.ice import Connected, ConsentLost, IceClient, IceEffect, Send, make_credentials
from client.media.rtp import is_rtcp
from client.media.seam import SrtpError
from server.wire.messages import Transport

_DRAIN: Final = 64  # datagrams read in one turn of the loop
_DATAGRAM_MAX: Final = 2_048
_BUFFER: Final = 1 << 21
_TICK: Final = 0.025
_TICK_IDLE: Final = 0.25


class TransportError(Exception):
    """No media connection to the server: unreachable, silent, or not who it said it is."""


class Link(Protocol):
    """What the engine needs of a transport; `MediaTransport` is the real one."""

    on_rtp: Callable[[bytes], None]
    on_rtcp: Callable[[bytes], None]
    on_lost: Callable[[str], None]

    @property
    def round_trip(self) -> float | None:
        """Seconds to the server and back, as last measured; None: not known."""
        ...

    def parameters(self) -> tuple[str, str, bytes]: ...
    async def connect(self, transport: Transport, timeout: float = 10.0) -> None: ...  # noqa: ASYNC109 - a link's own limit
    def send_rtp(self, packet: bytes) -> None: ...
    def send_rtcp(self, packet: bytes) -> None: ...
    async def close(self) -> None: ...


def _ignore_packet(packet: bytes) -> None:
    """Default callback: nobody listens."""


def _ignore_reason(reason: str) -> None:
    """Default callback: nobody listens."""


class MediaTransport:
    """One association with the server: made, connected once, closed. For another, make another.

    `loss`, when given, is asked for every media packet that comes in, and drops it when true
    (tests and netem). Callbacks run in the event loop and must not block.
    """

    def __init__(
        self,
        rng: Callable[[int], bytes] = os.urandom,
        *,
        loss: Callable[[], bool] | None = None,
    ) -> None:
        self.on_rtp: Callable[[bytes], None] = _ignore_packet
        self.on_rtcp: Callable[[bytes], None] = _ignore_packet
        self.on_lost: Callable[[str], None] = _ignore_reason
        #: Media packets dropped: refused by SRTP (incoming), not sent because the socket was full.
        self.refused = 0
        self.unsent = 0
        self._loss = loss
        self._ufrag, self._password = make_credentials(rng)
        self._certificate = Certificate.generate()
        self._ice = IceClient(self._ufrag, rng)
        self._dtls: DtlsAssociation | None = None
        self._socket: socket.socket | None = None
        self._ready: asyncio.Future[None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._fingerprint = b""
        self._closed = False

    def parameters(self) -> tuple[str, str, bytes]:
        """(ufrag, password, SHA-256 fingerprint) for the `media` message."""
        return self._ufrag, self._password, self._certificate.fingerprint

    @property
    def connected(self) -> bool:
        """Whether media can flow now."""
        return self._dtls is not None and self._dtls.srtp is not None and not self._closed

    @property
    def round_trip(self) -> float | None:
        """Seconds to the server and back, by the last connectivity check; None before the first."""
        return self._ice.round_trip

    async def connect(self, transport: Transport, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - a link's own limit
        """Reach the server at these parameters of its; TransportError if that doesn't work out.

        No packet leaves but connectivity checks and the DTLS handshake until the certificate's
        fingerprint has matched `transport.fingerprint`.
        """
        if self._socket is not None or self._closed:
            raise TransportError("a transport connects once")
        try:
            address = ipaddress.ip_address(transport.address)
        except ValueError:
            raise TransportError("the server's media address is no IP address") from None
        loop = asyncio.get_running_loop()
        self._fingerprint = transport.fingerprint
        self._socket = self._open(str(address), transport.port, address.version == 6)
        loop.add_reader(self._socket.fileno(), self._readable)
        self._ready = loop.create_future()
        try:
            self._perform(self._ice.start(transport.ufrag, transport.password, loop.time()))
            self._ticker = loop.create_task(self._tick())
            async with asyncio.timeout(timeout):
                await self._ready
        except TimeoutError:
            await self.close()
            reached = "the DTLS handshake" if self._ice.connected else "connectivity checks"
            raise TransportError(f"the media server did not answer {reached}") from None
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
        """Say goodbye and let go of the socket. Closing twice is harmless."""
        self._shut()
        if self._ticker is not None and self._ticker is not asyncio.current_task():
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)

    # -- inside ------------------------------------------------------------------------------

    def _open(self, host: str, port: int, version_6: bool) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if version_6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
            # connected, so the kernel picks our address (loopback for loopback) and takes no
            # datagram from anybody but the server
            sock.connect((host, port))
        except OSError as error:
            sock.close()
            raise TransportError(f"the media server can't be reached: {error.strerror}") from None
        return sock

    def _protect(self, packet: bytes, *, rtcp: bool) -> None:
        if self._closed or self._dtls is None or self._dtls.srtp is None:
            return
        try:
            self._send(self._dtls.srtp.protect(packet, rtcp=rtcp))
        except SrtpError:
            self.unsent += 1

    def _send(self, datagram: bytes) -> None:
        if self._socket is None or self._closed:
            return
        try:
            self._socket.send(datagram)
        except OSError:
            # full, or an ICMP error of an earlier datagram: consent will tell if it lasts
            self.unsent += 1

    def _readable(self) -> None:
        for _ in range(_DRAIN):
            if self._socket is None or self._closed:
                return
            try:
                data = self._socket.recv(_DATAGRAM_MAX)
            except OSError:
                return
            if data:
                self._receive(data)

    def _receive(self, data: bytes) -> None:
        first = data[0]  # RFC 7983
        if 128 <= first <= 191:
            self._media(data)
        elif 20 <= first <= 63:
            if self._dtls is not None:
                self._dtls_step(lambda dtls: dtls.receive(data))
        elif first <= 3:
            self._perform(self._ice.receive(data, asyncio.get_running_loop().time()))

    def _media(self, data: bytes) -> None:
        if self._dtls is None or self._dtls.srtp is None or (self._loss is not None and self._loss()):
            return
        rtcp = is_rtcp(data)
        try:
            packet = self._dtls.srtp.unprotect(data, rtcp=rtcp)
        except SrtpError:
            self.refused += 1
            return
        (self.on_rtcp if rtcp else self.on_rtp)(packet)

    def _perform(self, effects: list[IceEffect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect.data)
                case Connected():
                    self._dtls = DtlsAssociation(self._certificate, self._fingerprint)
                    self._dtls_step(DtlsAssociation.start)
                case ConsentLost():
                    self._fail("the media server has stopped answering")

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
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closed:
            # DTLS must hear of its timer before it runs out, ICE's shortest wait is 50 ms
            await asyncio.sleep(_TICK_IDLE if self.connected else _TICK)
            self._perform(self._ice.tick(loop.time()))
            if self._dtls is not None and not self._closed and self._dtls.timeout() == 0:
                self._dtls_step(DtlsAssociation.tick)
