"""DTLS 1.2 server for one peer, in memory: RFC 6347, RFC 5764 (SRTP keys), RFC 8122 (fingerprints).

The association carries only the handshake. The client must show the certificate whose SHA-256 it gave over
signaling. The comparison is part of the handshake, which otherwise fails and leaves no keys.
"""

from __future__ import annotations

import datetime
import enum
import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

from snugroom.server.sfu.io.srtp import PROFILES, Keys
from snugroom.server.sfu.limits import DTLS_MTU

_CIPHERS: Final = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
_DTLS_1_2: Final = 0xFEFD  # pyOpenSSL has no name for it
_RECORD_HEADER: Final = 13
_EXPORTER: Final = b"EXTRACTOR-dtls_srtp"
#: Flights of one association: two, and those that are sent again. OpenSSL's timer alone asks for three more.
FLIGHTS_MAX: Final = 8
#: Bytes of the server's first flight, at most, for clients that offer X25519 or P-256.
FIRST_FLIGHT: Final = 768
#: Reads after one datagram, which cannot hold more records of application data.
_READS_MAX: Final = 256


class State(enum.Enum):
    """`HANDSHAKE` -> `ESTABLISHED` -> `CLOSED`, or `HANDSHAKE` -> `FAILED`."""

    HANDSHAKE = enum.auto()
    ESTABLISHED = enum.auto()
    CLOSED = enum.auto()
    FAILED = enum.auto()


@dataclass(frozen=True, slots=True)
class Certificate:
    """ECDSA P-256, self-signed, made for one process. `fingerprint`: SHA-256 of the DER, 32 bytes."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    fingerprint: bytes

    @classmethod
    def generate(cls) -> Certificate:
        """Generate a certificate that names nobody.

        It is valid for so long that no clock matters, since only the fingerprint is compared.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "snug")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
            .not_valid_after(datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC))
            .sign(key, hashes.SHA256())
        )
        der = certificate.public_bytes(serialization.Encoding.DER)
        return cls(certificate, key, hashlib.sha256(der).digest())


def _judge(connection: SSL.Connection, shown: crypto.X509, _error: int, depth: int, _ok: int) -> bool:
    """OpenSSL's verify callback: only the fingerprint counts (RFC 8122 5)."""
    if depth:
        return True
    digest = bytes.fromhex(shown.digest("sha256").replace(b":", b"").decode())
    return hmac.compare_digest(digest, connection.get_app_data())


def server_context(certificate: Certificate) -> SSL.Context:
    """Return the context that all of the server's handshakes share."""
    context = SSL.Context(SSL.DTLS_SERVER_METHOD)
    context.set_min_proto_version(_DTLS_1_2)
    context.set_options(
        SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_NO_QUERY_MTU
    )
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # an association is silent after its handshake
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _judge)
    context.use_certificate(certificate.certificate)
    context.use_privatekey(certificate.key)
    context.set_cipher_list(_CIPHERS)
    context.set_tlsext_use_srtp(b":".join(profile.name for profile in PROFILES))
    return context


def is_client_hello(datagram: bytes) -> bool:
    """Whether this could begin a handshake, by the record's header and the first byte of its message."""
    return (
        len(datagram) >= _RECORD_HEADER + 12
        and datagram[0] == 22
        and datagram[1] == 0xFE
        and datagram[3:5] == b"\0\0"
        and datagram[_RECORD_HEADER] == 1
    )


def first_record(data: bytes) -> bytes:
    """Return the first record of `data`, which may have zeros behind it."""
    return data[: _RECORD_HEADER + int.from_bytes(data[11:13], "big")]


def datagrams(flight: bytes, mtu: int = DTLS_MTU) -> list[bytes]:
    """Split records, as OpenSSL wrote them one after another, into datagrams that end where a record ends."""
    out: list[bytes] = []
    current = b""
    position = 0
    while position + _RECORD_HEADER <= len(flight):
        (length,) = struct.unpack_from("!H", flight, position + 11)
        record = flight[position : position + _RECORD_HEADER + length]
        if current and len(current) + len(record) > mtu:
            out.append(current)
            current = b""
        current += record
        position += len(record)
    return [*out, current] if current else out


class DtlsServer:
    """One association. Datagrams in, datagrams out; `keys` once it is established.

    `withheld` counts flights beyond `FLIGHTS_MAX`, which are not sent: a flight is larger than its cause.
    """

    def __init__(self, context: SSL.Context, fingerprint: bytes, bytes_max: int) -> None:
        """Accept a certificate with this `fingerprint`, and at most `bytes_max` bytes in the handshake."""
        self.state = State.HANDSHAKE
        self.keys: Keys | None = None
        self.withheld = 0
        self._left = bytes_max
        self._flights = FLIGHTS_MAX
        self._first: list[bytes] = []
        self._connection = SSL.Connection(context, None)
        self._connection.set_app_data(fingerprint)
        self._connection.set_ciphertext_mtu(DTLS_MTU)
        self._connection.set_accept_state()

    def receive(self, datagram: bytes) -> list[bytes]:
        """Process a datagram, and return the datagrams to send. Never raises: see `state`."""
        if self.state is State.HANDSHAKE:
            self._left -= len(datagram)
            if self._left < 0:
                self.state = State.FAILED
                return []
        elif self.state is not State.ESTABLISHED:
            return []
        try:
            self._connection.bio_write(datagram)
            if self.state is State.HANDSHAKE:
                self._shake_hands()
            else:
                self._read()
        except SSL.Error:
            # OpenSSL's verdict; its alert, if any, goes out below.
            self.state = State.FAILED if self.state is State.HANDSHAKE else State.CLOSED
        return self._flight(is_client_hello(datagram))

    def _shake_hands(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        shown = self._connection.get_peer_certificate(as_cryptography=True)
        selected = self._connection.get_selected_srtp_profile()
        profile = next((p for p in PROFILES if p.name == selected), None)
        if shown is None or profile is None:
            self.state = State.FAILED
            return
        size = 2 * (profile.key + profile.salt)
        self.keys = Keys.split(profile, self._connection.export_keying_material(_EXPORTER, size))
        self.state = State.ESTABLISHED

    def _read(self) -> None:
        """Read after the handshake: the client's last flight again, or its close. Other data is ignored."""
        try:
            for _ in range(_READS_MAX):
                self._connection.recv(2048)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.state = State.CLOSED

    def timer(self) -> list[bytes]:
        """Resend the last flight if its time has come. Call this often during a handshake."""
        if self.state is not State.HANDSHAKE:
            return []
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error:
            self.state = State.FAILED
        return self._flight()

    def close(self) -> list[bytes]:
        """Close the association; return the datagrams that say goodbye, if it was established."""
        established = self.state is State.ESTABLISHED
        self.state = State.CLOSED
        if not established:
            return []
        try:
            self._connection.shutdown()
        except SSL.Error:
            return []
        return self._outgoing()

    def _flight(self, repeat: bool = False) -> list[bytes]:
        """Return what is to be sent. `repeat`: if that is nothing, the first flight (RFC 6347 4.2.4)."""
        outgoing = self._outgoing()
        if self.state is not State.HANDSHAKE:
            self._first = []
        elif repeat:
            self._first = outgoing = outgoing or self._first
        if not outgoing or self._flights:
            self._flights -= bool(outgoing)
            return outgoing
        self.withheld += 1
        return []

    def _outgoing(self) -> list[bytes]:
        flight = b""
        try:
            while True:
                flight += self._connection.bio_read(65_536)
        except SSL.Error:  # WantReadError: empty
            return datagrams(flight)
