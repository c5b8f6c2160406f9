"""A media server for tests: ICE-lite, DTLS server, SRTP, one peer; on 127.0.0.1 with a port of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial

from aioice import stun

from snugroom.client.media.dtls import Certificate, DtlsAssociation, DtlsError
from snugroom.client.media.srtp import SrtpError
from snugroom.wire import stun as stun_of_ours
from snugroom.wire.messages import Transport
from snugroom.wire.rtcp import is_rtcp


class IceLiteServer:
    """`on_media(packet, rtcp)` gets what the peer sends; `send` sends. The knobs are faults.

    `early`: it takes the ClientHello from a check, and the flight comes "after" the answer or "before" it.
    """

    def __init__(
        self, peer: tuple[str, str, bytes], *, deaf: bool = False, drop_first: int = 0, early: str = ""
    ) -> None:
        self.peer_ufrag, self.peer_password, self.peer_fingerprint = peer
        self.certificate = Certificate.generate()
        self.ufrag, self.password = "srvu", "p" * 24
        self.on_media: Callable[[bytes, bool], None] = lambda packet, rtcp: None
        self.deaf = deaf
        self.drop_first = drop_first
        self.early = early
        self.datagrams: list[bytes] = []
        self.errors: list[str] = []
        self.checks = 0
        self.dtls: DtlsAssociation | None = None
        self.peer_address: tuple[str, int] | None = None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        asyncio.get_running_loop().add_reader(self.socket.fileno(), self._readable)

    def transport(self, **changes: object) -> Transport:
        values: dict[str, object] = {
            "ufrag": self.ufrag,
            "password": self.password,
            "fingerprint": self.certificate.fingerprint,
            "address": "127.0.0.1",
            "port": self.port,
        }
        return Transport(**(values | changes))  # type: ignore[arg-type]  # the values above have these types

    def send(self, packet: bytes, *, rtcp: bool = False) -> None:
        assert self.dtls is not None
        assert self.dtls.srtp is not None
        self.raw(self.dtls.srtp.protect(packet, rtcp=rtcp))

    def raw(self, datagram: bytes) -> None:
        assert self.peer_address is not None
        self.socket.sendto(datagram, self.peer_address)

    def close(self) -> None:
        if self.socket.fileno() < 0:
            return
        if self.dtls is not None and self.peer_address is not None:
            for datagram in self.dtls.close():
                self.raw(datagram)
        asyncio.get_running_loop().remove_reader(self.socket.fileno())
        self.socket.close()

    def _readable(self) -> None:
        while True:
            try:
                data, address = self.socket.recvfrom(2_048)
            except OSError:
                return
            self.datagrams.append(data)
            if self.deaf:
                continue
            if len(self.datagrams) <= self.drop_first:
                continue
            if data[0] < 4:
                self._stun(data, address)
            elif 20 <= data[0] < 64:
                self._dtls(data)
            elif self.dtls is not None and self.dtls.srtp is not None:
                rtcp = is_rtcp(data)
                try:
                    packet = self.dtls.srtp.unprotect(data, rtcp=rtcp)
                except SrtpError as error:
                    self.errors.append(str(error))
                else:
                    self.on_media(packet, rtcp)

    def _stun(self, data: bytes, address: tuple[str, int]) -> None:
        request = stun.parse_message(data)
        if not request.check_message_integrity(self.password.encode()):
            self.errors.append("integrity")
            return
        assert request.attributes["USERNAME"] == f"{self.ufrag}:{self.peer_ufrag}"
        assert "ICE-CONTROLLING" in request.attributes
        assert "USE-CANDIDATE" in request.attributes
        assert "FINGERPRINT" in request.attributes
        self.checks += 1
        self.peer_address = address
        response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = address
        response.add_message_integrity(self.password.encode())
        replies = [partial(self.raw, bytes(response))]
        hello = stun_of_ours.parse_request(data).attributes.get(stun_of_ours.CLIENT_HELLO)
        if self.early and hello is not None and self.dtls is None:
            replies.append(partial(self._dtls, hello.rstrip(b"\0")))
        for reply in replies if self.early != "before" else reversed(replies):
            reply()

    def _dtls(self, data: bytes) -> None:
        if self.dtls is None:
            self.dtls = DtlsAssociation(self.certificate, self.peer_fingerprint, client=False)
        try:
            for datagram in self.dtls.receive(data):
                self.raw(datagram)
        except DtlsError as error:
            self.errors.append(str(error))
