"""Whole DTLS handshakes whose datagrams are lost, doubled, overtaken, cut, broken, or fragmented otherwise.

One end is honest OpenSSL, the other is ours. Inputs say what happens to the next datagram on its way.
"""

from __future__ import annotations

import contextlib
import struct
from collections import deque
from typing import Final

from OpenSSL import SSL

from snugroom.client.media.dtls import Certificate as OwnCertificate
from snugroom.client.media.dtls import DtlsAssociation, DtlsError
from snugroom.server.sfu.io import dtls
from tests.fuzz.target import Target
from tests.media_server.peer import CERTIFICATE, CM, GCM, OTHER_CERTIFICATE

#: Datagrams on their way in one handshake; after that another one begins.
_STEPS: Final = 60
_HEADER: Final = 13


def records(datagram: bytes) -> list[bytes]:
    out: list[bytes] = []
    at = 0
    while at + _HEADER <= len(datagram):
        size = _HEADER + int.from_bytes(datagram[at + 11 : at + 13], "big")
        out.append(datagram[at : at + size])
        at += size
    return out


def fragments(record: bytes, at: int, lie: int, serial: int) -> list[bytes]:
    """The one handshake message of an unsealed record in two (RFC 6347 4.2.3), the second first.

    `lie` moves where the second says that it belongs: they overlap, leave a hole, or go beyond the end.
    """
    head, body = record[: _HEADER + 12], record[_HEADER + 12 :]
    if record[0] != 22 or record[3:5] != b"\0\0" or len(body) < 2:
        return [record]
    cut = 1 + at % (len(body) - 1)
    out: list[bytes] = []
    for offset, part in ((cut, body[cut:]), (0, body[:cut])):
        claimed = max(0, offset + (lie if offset else 0))
        message = head[13:19] + claimed.to_bytes(3, "big") + len(part).to_bytes(3, "big") + part
        out.append(
            head[:5] + (serial + len(out)).to_bytes(6, "big") + struct.pack("!H", len(message)) + message
        )
    return out


def way(datagram: bytes, data: bytes, serial: int) -> list[bytes]:
    """The datagrams that arrive in place of one; the first byte of the input decides."""
    fate = data[0] if data else 0
    a, b = (data[1:3] + bytes(2))[:2]
    if fate < 120:
        return [datagram]
    if fate < 140:
        return []
    if fate < 155:
        return [datagram, datagram]
    if fate < 170:
        return [datagram[: len(datagram) * a // 256]]
    if fate < 185:
        at = a * 256 + b
        return [datagram[:at] + data[3:7] + datagram[at + len(data[3:7]) :]] if datagram else []
    if fate < 200:
        return records(datagram)  # one by one
    if fate < 215:
        return records(datagram)[::-1]
    if fate < 235:
        lie = (0, 0, 0, 1, -1, 5, 16_000)[b % 7]
        return [f for record in records(datagram) for f in fragments(record, a, lie, serial)]
    if fate < 245:
        return [datagram, data[3:] or b"\x16"]
    return [b"".join(records(datagram) * 2)[:2000]]


class Server:
    """Our server, and clients of many kinds: right certificate, wrong one, none; other profiles."""

    def __init__(self) -> None:
        self._context = dtls.server_context(CERTIFICATE)
        self._clients = [
            (self._client(certificate, profiles), certificate is CERTIFICATE and profiles != CM_32)
            for certificate, profiles in (
                (CERTIFICATE, GCM + b":" + CM),
                (CERTIFICATE, CM),
                (OTHER_CERTIFICATE, GCM),
                (None, GCM),
                (CERTIFICATE, CM_32),
            )
        ]
        self._count = self._serial = 0
        self._done = self._failed = 0
        self._begin()

    @staticmethod
    def _client(certificate: dtls.Certificate | None, profiles: bytes) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        if certificate is not None:
            context.use_certificate(certificate.certificate)
            context.use_privatekey(certificate.key)
        context.set_tlsext_use_srtp(profiles)
        return context

    def _begin(self, kind: int | None = None) -> None:
        context, self._right = self._clients[self._count % len(self._clients) if kind is None else kind]
        self._count += 1
        self._steps = self._in = self._out = 0
        self._server = dtls.DtlsServer(self._context, CERTIFICATE.fingerprint, 65_536)
        self._ssl = SSL.Connection(context, None)
        self._ssl.set_ciphertext_mtu(1200)
        self._ssl.set_connect_state()
        self._up: deque[bytes] = deque()
        self._shake()

    def _shake(self) -> None:
        with contextlib.suppress(SSL.Error):
            self._ssl.do_handshake()
        with contextlib.suppress(SSL.Error):
            while True:
                self._up.extend(dtls.datagrams(self._ssl.bio_read(65_536)))

    def feed(self, data: bytes) -> None:
        self._steps += 1
        self._serial += 2
        for arrived in way(self._up.popleft() if self._up else b"", data, 1000 + self._serial):
            if not arrived:
                continue
            self._in += len(arrived)
            for answer in self._server.receive(arrived):
                self._out += len(answer)
                self._ssl.bio_write(answer)
        self._server.timer()
        self._shake()
        state = self._server.state
        if state is dtls.State.ESTABLISHED:
            assert self._right, "who can't prove itself has got keys"
            assert self._server.keys is not None
        else:
            assert self._server.keys is None
        # whoever asks gets no more than a certificate for it, however often
        assert self._out <= 6 * self._in + 4096, (self._out, self._in)
        if state is dtls.State.HANDSHAKE and self._steps < _STEPS and (self._up or self._steps < 12):
            return
        self._done += state is dtls.State.ESTABLISHED
        self._failed += state is dtls.State.FAILED
        self._server.close()
        self._begin()

    def look(self) -> None:
        """A well-behaved peer completes its handshake in the midst, with the same context."""
        self._begin(0)
        for _ in range(8):
            if self._server.state is dtls.State.ESTABLISHED:
                break
            self.feed_honestly()
        assert self._server.state is dtls.State.ESTABLISHED
        assert self._done, "no handshake ever came to its end"
        assert self._failed, "none ever failed"
        self._begin()

    def feed_honestly(self) -> None:
        while self._up:
            for answer in self._server.receive(self._up.popleft()):
                self._ssl.bio_write(answer)
        self._shake()

    def close(self) -> None:
        self._server.close()


CM_32: Final = b"SRTP_AES128_CM_SHA1_32"


class Client:
    """Our client, and an honest server behind the same network."""

    def __init__(self) -> None:
        self._context = dtls.server_context(CERTIFICATE)
        self._certificate = OwnCertificate.generate()
        self._serial = self._done = self._failed = 0
        self._begin()

    def _begin(self) -> None:
        self._steps = 0
        self._server = dtls.DtlsServer(self._context, self._certificate.fingerprint, 10**9)
        self._ours = DtlsAssociation(self._certificate, CERTIFICATE.fingerprint)
        self._down: deque[bytes] = deque()
        self._carry(self._ours.start())

    def _carry(self, flight: list[bytes]) -> None:
        for datagram in flight:
            self._down.extend(self._server.receive(datagram))

    def feed(self, data: bytes) -> None:
        self._steps += 1
        self._serial += 2
        try:
            for arrived in way(self._down.popleft() if self._down else b"", data, 1000 + self._serial):
                if arrived:
                    self._carry(self._ours.receive(arrived))
            self._carry(self._ours.tick())
        except DtlsError:
            self._failed += 1
            self._begin()
            return
        if self._ours.srtp is not None:
            self._done += 1
        elif not self._ours.closed and self._steps < _STEPS and (self._down or self._steps < 12):
            return
        self._begin()

    def look(self) -> None:
        assert self._done, "no handshake ever came to its end"
        assert self._failed, "none ever failed"

    def close(self) -> None:
        pass


def _fates() -> list[bytes]:
    return [bytes([fate, 100, i]) + b"\x16\xfe\xfd" + bytes(8) for i, fate in enumerate(range(0, 256, 6))]


TARGETS: Final = [
    Target("dtls_server", Server, _fates, share=0.05),
    Target("dtls_client", Client, _fates, share=0.05),
]
