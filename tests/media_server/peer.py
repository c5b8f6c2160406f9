"""A client for the tests, as small as one can be: STUN, DTLS, SRTP. It shares no code with the server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from aioice import stun
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL
from pylibsrtp import Policy, Session

from snugroom.server.sfu.io.dtls import Certificate
from snugroom.wire.messages import Media, Stream, Transport
from tests.patience import PATIENCE

GCM = b"SRTP_AEAD_AES_128_GCM"
CM = b"SRTP_AES128_CM_SHA1_80"
_LIBSRTP = {
    GCM: (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    CM: (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
}
#: Certificates cost a millisecond each and say nothing: two for all tests.
CERTIFICATE = Certificate.generate()
OTHER_CERTIFICATE = Certificate.generate()


def text(size: int) -> str:
    return base64.b64encode(os.urandom(size)).decode()


def rtp(
    ssrc: int,
    sequence: int,
    payload: bytes = b"payload",
    *,
    kind: str = "video",
    timestamp: int = 0,
    extension: bytes | None = None,
    first: int = 0x80,
) -> bytes:
    """`extension`: profile, length and elements, ready made."""
    head = struct.pack(
        "!BBHLL",
        first | (0x10 if extension is not None else 0),
        96 if kind == "video" else 111,
        sequence & 0xFFFF,
        timestamp & 0xFFFFFFFF,
        ssrc,
    )
    return head + (extension or b"") + payload


class Peer:
    """`rtp` and `rtcp` collect what arrived, in the clear."""

    def __init__(
        self,
        *streams: tuple[int, str],
        profiles: bytes = GCM + b":" + CM,
        certificate: Certificate = CERTIFICATE,
        claims: Certificate | None = None,
        shows_certificate: bool = True,
    ) -> None:
        self.ufrag, self.password = text(6), text(18)
        self.certificate = certificate
        self.media = Media(
            ufrag=self.ufrag,
            password=self.password,
            fingerprint=(claims or certificate).fingerprint,
            streams=[Stream(ssrc=ssrc, kind=kind) for ssrc, kind in streams],  # type: ignore[arg-type]
        )
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        if shows_certificate:
            context.use_certificate(certificate.certificate)
            context.use_privatekey(certificate.key)
        context.set_tlsext_use_srtp(profiles)
        self.context = context
        self.transport: Transport | None = None
        self.ssl: SSL.Connection | None = None
        self.profile = b""
        self.send_session: Session | None = None
        self.receive_session: Session | None = None
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        #: Answers to its checks; `asked` counts the server's, which it answers if `proves`.
        self.stun: list[stun.Message] = []
        self.asked = 0
        self.proves = True
        self.raw: list[bytes] = []
        self.changed = asyncio.Event()
        self.drop: Callable[[bytes], bool] = lambda _datagram: False
        asyncio.get_running_loop().add_reader(self.socket.fileno(), self._readable)

    def close(self) -> None:
        if self.socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.socket.fileno())
        self.socket.close()

    def take_over(self, other: Peer) -> None:
        """Be that client at this address: its credentials, and its keys if there are any."""
        for name in ("ufrag", "password", "transport", "ssl", "send_session", "receive_session", "media"):
            setattr(self, name, getattr(other, name))

    # -- sending -----------------------------------------------------------------------------

    @property
    def server(self) -> tuple[str, int]:
        assert self.transport is not None
        return self.transport.address, self.transport.port

    def send(self, datagram: bytes) -> None:
        self.socket.sendto(datagram, self.server)

    def request(self, *, nominate: bool = True, **changes: Any) -> bytes:
        """A binding request; `changes` are attributes (underscores for hyphens), None removes one."""
        assert self.transport is not None
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        attributes: dict[str, Any] = {
            "USERNAME": f"{self.transport.ufrag}:{self.ufrag}",
            "PRIORITY": 1853824767,
            "ICE-CONTROLLING": 7,
        }
        if nominate:
            attributes["USE-CANDIDATE"] = None
        password = changes.pop("password", self.transport.password)
        for name, value in changes.items():
            name = name.replace("_", "-")
            if value is None:
                attributes.pop(name, None)
            else:
                attributes[name] = value
        message.attributes.update(attributes)
        message.add_message_integrity(password.encode())
        return bytes(message)

    def proof(self, request: stun.Message) -> bytes:
        """The answer to a check of the server."""
        reply = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        reply.attributes["XOR-MAPPED-ADDRESS"] = self.server
        reply.add_message_integrity(self.password.encode())
        return bytes(reply)

    def send_rtp(self, packet: bytes) -> None:
        assert self.send_session is not None
        self.send(self.send_session.protect(packet))

    def send_rtcp(self, packet: bytes) -> None:
        assert self.send_session is not None
        self.send(self.send_session.protect_rtcp(packet))

    # -- connecting --------------------------------------------------------------------------

    async def connect(self, transport: Transport) -> None:
        await self.check(transport)
        self.hello()
        await self.until(lambda: self.send_session is not None)

    async def check(self, transport: Transport, **changes: Any) -> stun.Message:
        self.transport = transport
        before = len(self.stun)
        self.send(self.request(**changes))
        await self.until(lambda: len(self.stun) > before)
        return self.stun[-1]

    def hello(self) -> None:
        """Begin an association. The last words of one before, an alert mostly, must not end this one."""
        with contextlib.suppress(BlockingIOError):
            while self.ssl is not None:
                self.socket.recv(4096)
        self.ssl = SSL.Connection(self.context, None)
        self.ssl.set_connect_state()
        self._shake_hands()

    def _shake_hands(self) -> None:
        assert self.ssl is not None
        try:
            self.ssl.do_handshake()
        except SSL.WantReadError:
            pass
        else:
            self._secure()
        self.flush()

    def flush(self) -> None:
        assert self.ssl is not None
        try:
            while True:
                self.send(self.ssl.bio_read(1500))
        except SSL.WantReadError:
            pass

    def _secure(self) -> None:
        assert self.ssl is not None
        assert self.transport is not None
        shown = self.ssl.get_peer_certificate(as_cryptography=True)
        assert shown is not None
        der = shown.public_bytes(serialization.Encoding.DER)
        assert hashlib.sha256(der).digest() == self.transport.fingerprint
        self.profile = self.ssl.get_selected_srtp_profile()
        number, key, salt = _LIBSRTP[self.profile]
        material = self.ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))

        def session(index: int, direction: int) -> Session:
            at, salts = index * key, 2 * key + index * salt
            policy = Policy(
                key=material[at : at + key] + material[salts : salts + salt],
                ssrc_type=direction,
                srtp_profile=number,
            )
            policy.window_size = 1024
            policy.allow_repeat_tx = True
            return Session(policy)

        self.send_session = session(0, Policy.SSRC_ANY_OUTBOUND)
        self.receive_session = session(1, Policy.SSRC_ANY_INBOUND)

    # -- receiving ---------------------------------------------------------------------------

    def _readable(self) -> None:
        while True:
            try:
                datagram = self.socket.recv(4096)
            except BlockingIOError:
                break
            if self.drop(datagram):
                continue
            self.raw.append(datagram)
            self._datagram(datagram)
        self.changed.set()

    def _datagram(self, datagram: bytes) -> None:
        if datagram[0] < 4:
            message = stun.parse_message(datagram)
            if message.message_class is stun.Class.REQUEST:
                self.asked += 1
                if self.proves and message.check_message_integrity(self.password.encode()):
                    self.send(self.proof(message))
            else:
                self.stun.append(message)
        elif datagram[0] < 64:
            if self.ssl is None:
                return
            self.ssl.bio_write(datagram)
            if self.send_session is None:
                self._shake_hands()
            else:
                self.flush()
        elif self.receive_session is not None:
            if 191 < datagram[1] < 224:
                self.rtcp.append(self.receive_session.unprotect_rtcp(datagram))
            else:
                self.rtp.append(self.receive_session.unprotect(datagram))

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until something received makes `condition` true; TimeoutError otherwise."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def feedback(self, kind: int, form: int) -> list[bytes]:
        """RTCP parts of this type and format (or count) that have come."""
        found = []
        for compound in self.rtcp:
            at = 0
            while at < len(compound):
                size = 4 * (int.from_bytes(compound[at + 2 : at + 4], "big") + 1)
                if compound[at + 1] == kind and compound[at] & 31 == form:
                    found.append(compound[at : at + size])
                at += size
        return found
