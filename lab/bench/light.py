"""Members for benches: they join like real members, with ICE, DTLS and SRTP, but without MLS and SFrame.

The server cannot distinguish them from members: it checks signatures and passes, and can open nothing that a
member seals. Hundreds of them therefore cost little, and the server does all of its work for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from hashlib import sha256
from typing import Final, TypeVar

import aiohttp
from nacl.signing import SigningKey

from snugroom.client.media.dtls import Certificate, DtlsAssociation, DtlsError
from snugroom.client.media.ice import Connected, ConsentLost, IceClient, IceEffect, Send, make_credentials
from snugroom.client.media.srtp import Srtp, SrtpError
from snugroom.client.media.twcc_arrivals import INTERVAL, Arrivals
from snugroom.wire import limits, messages, rtcp, rtp, signed, stun
from snugroom.wire.outgoing import http_session

M = TypeVar("M", bound=messages.Message)

#: Seconds to wait for an answer of the server.
PATIENCE: Final = 20.0
_TICK: Final = 0.025
_REPORT: Final = 1.0
_DRAIN: Final = 64
_DATAGRAM_MAX: Final = 2048
_BUFFER: Final = 1 << 21


class LightError(Exception):
    """A light member failed. The message is a full sentence that says why."""


class LightRoom:
    """A room's keys. To the server, each holder of these keys is a member."""

    def __init__(self, rng: Callable[[int], bytes] = os.urandom) -> None:
        self._door = SigningKey(rng(32))
        self._room_admin = SigningKey(rng(32))
        self._token = rng(32)
        door, room_admin = bytes(self._door.verify_key), bytes(self._room_admin.verify_key)
        self._keys = door, room_admin
        self.number = signed.room_number(door, room_admin)

    def door(self, challenge: messages.Challenge) -> messages.RoomDoor:
        """Return the answer to a challenge."""
        nonce = os.urandom(limits.NONCE_SIZE)
        text = signed.door(challenge.origin, self.number, challenge.nonce, nonce)
        return messages.RoomDoor(*self._keys, nonce, self._door.sign(text).signature)

    def open(self, challenge: messages.Challenge) -> messages.Open:
        """Return the message with which the room admin opens the room at slot 0."""
        gate, chain = signed.gate(self._token), bytes(32)
        text = signed.Opening(self.number, 0, gate, chain).encode()
        return messages.Open(0, gate, chain, self._room_admin.sign(text).signature)

    @property
    def show(self) -> messages.Show:
        """The message that shows the pass of slot 0."""
        return messages.Show([self._token])


class LightPeer:
    """One light member. `marks`: moments in seconds of `time.perf_counter`, see `connect`.

    `on_rtp` and `on_rtcp` get decrypted packets. A crowd that only counts reads the socket itself
    (`lab.bench.drain`), and passes everything except RTP to `receive`.
    """

    def __init__(
        self,
        crowd: Crowd,
        room: LightRoom,
        streams: Sequence[messages.Stream] = (),
        *,
        feedback: bool = False,
        rtx: bool = False,
    ) -> None:
        self.room = room
        self.streams = list(streams)
        self.marks: dict[str, float] = {}
        self.handle = b""
        self.remote: messages.Streams | None = None
        self.srtp: Srtp | None = None
        self.socket: socket.socket | None = None
        self.on_rtp: Callable[[bytes], None] = lambda _packet: None
        self.on_rtcp: Callable[[bytes], None] = lambda _packet: None
        #: Gets each message of the server that no method waits for; without it they are kept.
        self.on_message: Callable[[messages.Message], None] | None = None
        #: Returns whether an incoming RTP or RTCP packet is dropped, as if the network had lost it.
        self.drop: Callable[[bytes], bool] | None = None
        #: Last sequence number received from each SSRC, for reports.
        self.highest: dict[int, int] = {}
        self.refused = 0
        self._crowd = crowd
        self._options = {"feedback": feedback, "rtx": rtx}
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._inbox: asyncio.Queue[messages.Message | None] = asyncio.Queue()
        self._ice: IceClient | None = None
        self._dtls: DtlsAssociation | None = None
        self._transport: messages.Transport | None = None
        self._ready = asyncio.Event()
        self._failed = ""
        self._next_report = self._next_feedback = 0.0
        self._arrivals = Arrivals() if feedback else None

    # -- in and out ------------------------------------------------------------------------------

    async def enter(self) -> None:
        """Enter the room and show the pass; open the room if it is not open. LightError."""
        self._crowd.peers[self] = None
        self._ws = await self._crowd.http.ws_connect(
            self._crowd.url + "/ws", compress=0, max_msg_size=limits.FRAME_MAX
        )
        self._reader = asyncio.get_running_loop().create_task(self._read(self._ws))
        challenge = await self._expect(messages.Challenge)
        await self.say(self.room.door(challenge))
        entered = await self._expect(messages.Entered)
        self.handle = entered.handle
        if entered.slot is None:
            await self.say(self.room.open(challenge))
        await self.say(self.room.show)
        await self._expect(messages.Shown)

    async def connect(self) -> None:
        """Set up media, after `enter`. LightError.

        Marks: `media` (about to ask for media), `transport` (the server's parameters have come), `stun` (the
        server has answered a check), `dtls` (keys exist), and later `first` (first RTP packet that was
        opened).
        """
        ice = self._begin()
        self.marks["media"] = time.perf_counter()
        await self.say(self._media())
        self._transport = transport = await self._expect(messages.Transport)
        self.marks["transport"] = time.perf_counter()
        self.socket = sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        sock.connect((transport.address, transport.port))
        asyncio.get_running_loop().add_reader(sock.fileno(), self._readable)
        server = (transport.address, transport.port)
        self._perform(ice.start(transport.ufrag, transport.password, server, self._crowd.now))
        await self._settled()

    async def restart(self) -> None:
        """Restart ICE over the same socket (RFC 8445 section 9). DTLS and its keys continue. LightError."""
        ice = self._begin()
        await self.say(self._media())
        self._transport = transport = await self._expect(messages.Transport)
        self._ready.clear()
        server = (transport.address, transport.port)
        self._perform(ice.start(transport.ufrag, transport.password, server, self._crowd.now))
        await self._settled()

    async def subscribe(self, ssrcs: list[int] | None, max_layers: Sequence[int] = ()) -> None:
        """Subscribe to these streams, each up to its layer of `max_layers`; None: all."""
        await self.say(messages.Subscribe(ssrcs, list(max_layers)))

    def arrived(self, numbers: Sequence[int], times: Sequence[float]) -> None:
        """Record arrivals, by their transport-wide numbers, of packets that others have read."""
        assert self._arrivals is not None
        for number, at in zip(numbers, times, strict=True):
            self._arrivals.record(number, at)

    async def leave(self) -> None:
        """Leave and close everything. Harmless before `enter`, and when called twice."""
        self._crowd.peers.pop(self, None)
        if self.socket is not None:
            asyncio.get_running_loop().remove_reader(self.socket.fileno())
            if self._dtls is not None:
                for datagram in self._dtls.close():
                    self._send(datagram)
            self.socket.close()
            self.socket = None
        if self._ws is not None:
            with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                await self._ws.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    # -- signaling -------------------------------------------------------------------------------

    async def _read(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for frame in ws:
                message = messages.decode_server(frame.data)
                if isinstance(message, messages.Streams):
                    self.remote = message
                elif self.on_message is not None:
                    self.on_message(message)
                else:
                    self._inbox.put_nowait(message)
        except messages.WireError as error:
            self._failed = str(error)
        finally:
            self._inbox.put_nowait(None)

    async def say(self, message: messages.Message) -> None:
        """Send a message to the server. LightError."""
        assert self._ws is not None
        try:
            await self._ws.send_str(messages.encode(message).decode())
        except (aiohttp.ClientError, ConnectionError):
            raise LightError("The connection to the server is gone.") from None

    async def _expect(self, kind: type[M]) -> M:
        """Return the next message of this kind; skip others. LightError on a refusal, an end or a timeout."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    message = await self._inbox.get()
                    if isinstance(message, kind):
                        return message
                    if message is None or isinstance(message, messages.Refused | messages.Closing):
                        why = self._failed or ("it closed" if message is None else message.text)
                        raise LightError(f"The server did not answer with {kind.__name__}: {why}.")
        except TimeoutError:
            raise LightError(f"The server did not answer with {kind.__name__}.") from None

    def _begin(self) -> IceClient:
        self._ufrag, self._password = make_credentials(os.urandom)
        self._ice = IceClient((self._ufrag, self._password), os.urandom)
        return self._ice

    def _media(self) -> messages.Media:
        return messages.Media(
            self._ufrag, self._password, self._crowd.certificate.fingerprint, self.streams, **self._options
        )

    # -- transport -------------------------------------------------------------------------------

    async def _settled(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._ready.wait()
        except TimeoutError:
            at = "the DTLS handshake" if self._dtls is not None else "connectivity checks"
            raise LightError(f"The server did not answer over UDP: {at}.") from None
        if self._failed:
            raise LightError(f"The transport failed: {self._failed}.")

    def send_rtp(self, packet: bytes) -> bool:
        """Encrypt and send; return False if the socket is full, or there are no keys (yet)."""
        return self.srtp is not None and self._send(self.srtp.protect(packet))

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send a compound packet."""
        if self.srtp is not None:
            self._send(self.srtp.protect(packet, rtcp=True))

    def tick(self, now: float) -> None:
        """Let time pass: checks, the handshake's timer, a report a second, and feedback."""
        if self._ice is not None:
            self._perform(self._ice.tick(now))
        if self._dtls is not None and self.srtp is None and self._dtls.timeout() == 0:
            self._shake(self._dtls.tick)
        if self.srtp is not None and self.highest and now >= self._next_report:
            self._next_report = now + _REPORT
            highest = list(self.highest.items())[: rtcp.BLOCKS_MAX]
            blocks = [rtcp.ReportBlock(ssrc, 0, highest=high) for ssrc, high in highest]
            self.send_rtcp(rtcp.receiver_report(1, blocks))
        if self._arrivals is not None and now >= self._next_feedback:
            self._next_feedback = now + INTERVAL
            for report in self._arrivals.take(1):
                self.send_rtcp(report)

    def receive(self, data: bytes) -> None:
        """Handle one datagram."""
        first = data[0]  # the first byte selects the protocol (RFC 7983)
        if 128 <= first <= 191:
            self._packet(data)
        elif 20 <= first <= 63:
            if self._dtls is not None:
                dtls = self._dtls
                self._shake(lambda: dtls.receive(data))
        elif first <= 3 and self._ice is not None:
            self._perform(self._ice.receive(data, self._crowd.now))

    def check_from(self, sock: socket.socket) -> int:
        """Send a check that nominates, from another socket of this machine; return its bytes."""
        assert self._transport is not None
        username = f"{self._transport.ufrag}:{self._ufrag}".encode()
        password = self._transport.password.encode()
        check = stun.request(os.urandom(12), username, password, tie_breaker=1, nominate=True)
        return sock.sendto(check, (self._transport.address, self._transport.port))

    def _readable(self) -> None:
        for _ in range(_DRAIN):
            try:
                if self.socket is None:
                    return
                data = self.socket.recv(_DATAGRAM_MAX)
            except OSError:
                return
            if data:
                self.receive(data)

    def _packet(self, data: bytes) -> None:
        if self.srtp is None or (self.drop is not None and self.drop(data)):
            return
        is_rtcp = rtcp.is_rtcp(data)
        try:
            packet = self.srtp.unprotect(data, rtcp=is_rtcp)
        except SrtpError:
            self.refused += 1
            return
        if is_rtcp:
            self.on_rtcp(packet)
            return
        self.marks.setdefault("first", time.perf_counter())
        self.highest[int.from_bytes(packet[8:12], "big")] = int.from_bytes(packet[2:4], "big")
        if self._arrivals is not None and (number := rtp.twcc_number(packet)) is not None:
            self._arrivals.record(number, self._crowd.now)
        self.on_rtp(packet)

    def _perform(self, effects: list[IceEffect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect.data)
                case Connected():
                    self.marks.setdefault("stun", time.perf_counter())
                    if self._dtls is not None:  # an ICE restart: the keys exist already
                        self._ready.set()
                        continue
                    assert self._transport is not None
                    self._dtls = DtlsAssociation(self._crowd.certificate, self._transport.fingerprint)
                    self._shake(self._dtls.start)
                case ConsentLost():
                    self._fail("the server has stopped answering")

    def _shake(self, step: Callable[[], list[bytes]]) -> None:
        assert self._dtls is not None
        try:
            datagrams = step()
        except DtlsError as error:
            self._fail(str(error))
            return
        for datagram in datagrams:
            self._send(datagram)
        if self._dtls.srtp is not None and self.srtp is None:
            self.srtp = self._dtls.srtp
            self.marks["dtls"] = time.perf_counter()
            self._ready.set()

    def _fail(self, why: str) -> None:
        self._failed = why
        self._ready.set()

    def _send(self, datagram: bytes) -> bool:
        if self.socket is None:
            return False
        try:
            self.socket.send(datagram)
        except OSError:
            return False
        return True


class Crowd:
    """Light members of one server. They share one certificate: it says nothing, and making one costs time."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http
        self.certificate = Certificate.generate()
        self.peers: dict[LightPeer, None] = {}

    @property
    def now(self) -> float:
        """Monotonic time in seconds."""
        return asyncio.get_running_loop().time()

    async def admit(self, peers: Sequence[LightPeer], at_once: int = 8) -> None:
        """Let all peers enter and connect, `at_once` at a time. LightError."""
        gate = asyncio.Semaphore(at_once)

        async def one(peer: LightPeer) -> None:
            async with gate:
                await peer.enter()
                await peer.connect()

        if peers:
            await one(peers[0])  # the first peer opens the room
        async with asyncio.TaskGroup() as group:
            for peer in peers[1:]:
                group.create_task(one(peer))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            now = self.now
            for peer in list(self.peers):
                peer.tick(now)


@contextlib.asynccontextmanager
async def gathering(url: str, address: str | None = None) -> AsyncIterator[Crowd]:
    """A crowd on the server at `url`, which connects from `address`. All members leave on exit."""
    connector = aiohttp.TCPConnector(limit=0, local_addr=None if address is None else (address, 0))
    async with http_session(connector=connector) as http:
        crowd = Crowd(url, http)
        ticking = asyncio.get_running_loop().create_task(crowd._tick())
        try:
            yield crowd
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            await asyncio.gather(*(peer.leave() for peer in list(crowd.peers)))


def ssrc_of(*names: object) -> int:
    """Return an SSRC that is always the same for the same names."""
    return int.from_bytes(sha256(repr(names).encode()).digest()[:4], "big") | 1
