"""DTLS for SRTP, both roles, in memory: without a socket or a clock (RFC 6347, RFC 5764, RFC 8122).

Each association has a fresh ECDSA P-256 certificate. The SHA-256 fingerprint alone identifies the peer; until
it matches, nothing can be sent or read.
"""

from __future__ import annotations

import datetime
import hmac
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from snugroom.client.media.srtp import PROFILES, Srtp

#: Maximum number of bytes in a datagram of the handshake.
MTU: Final = 1_200
_RECORD_HEADER: Final = 13
#: The version on the wire (RFC 6347 4.1); pyOpenSSL has no name for it.
_DTLS_1_2: Final = 0xFEFD
_HANDSHAKE_MAX: Final = 65_536


class DtlsError(Exception):
    """The handshake failed, or the peer has the wrong certificate; the text says why."""


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate and its key; `fingerprint` is the SHA-256 of the DER form, 32 bytes."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def generate(cls) -> Certificate:
        """Generate from the system's randomness. The name is constant: it is sent in clear."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "snug")])
        # constant dates: nobody checks them, and they must not reveal the participant's clock
        begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=36_500))
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def fingerprint(self) -> bytes:
        return self.certificate.fingerprint(hashes.SHA256())


def _split(flight: bytes) -> list[bytes]:
    """Cut the output of a memory BIO into datagrams, at record boundaries (RFC 6347 4.1.1)."""
    out: list[bytes] = []
    datagram = b""
    at = 0
    while at < len(flight):
        size = _RECORD_HEADER + int.from_bytes(flight[at + 11 : at + 13], "big")
        record = flight[at : at + size]
        if datagram and len(datagram) + len(record) > MTU:
            out.append(datagram)
            datagram = b""
        datagram += record
        at += size
    return [*out, datagram] if datagram else out


class DtlsAssociation:
    """One handshake, and the SRTP keys that result from it.

    Every method returns the datagrams to send, except `timeout`. `srtp` is set when the handshake is complete
    and the fingerprint matches; `closed` when either side has closed the association.
    """

    def __init__(self, certificate: Certificate, peer_fingerprint: bytes, *, client: bool = True) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
        # accept any certificate here: `_finish` compares the fingerprint, all that is known of the peer
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(certificate.certificate)
        context.use_privatekey(certificate.key)
        context.set_cipher_list(b"ECDHE+AESGCM:ECDHE+CHACHA20")
        context.set_tlsext_use_srtp(b":".join(p.name for p in PROFILES))
        self._connection = SSL.Connection(context)
        if client:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()
        self._connection.set_ciphertext_mtu(MTU)
        self._client = client
        self._peer_fingerprint = peer_fingerprint
        self._received = 0
        self.srtp: Srtp | None = None
        self.closed = False

    def start(self) -> list[bytes]:
        """Return the client's first flight."""
        return self._handshake()

    def receive(self, data: bytes) -> list[bytes]:
        """Take one datagram from the peer; DtlsError if it makes the handshake fail."""
        if self.closed:
            return []
        if self.srtp is None:
            self._received += len(data)
            if self._received > _HANDSHAKE_MAX:
                raise DtlsError("the handshake is longer than any handshake is")
        self._connection.bio_write(data)
        if self.srtp is None:
            return self._handshake()
        try:
            # the peer sends no application data: read to process alerts, and drop the data
            self._connection.recv(2_048)
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error:
            pass
        return self._flush()

    def timeout(self) -> float | None:
        """Return the seconds until `tick` is due for a retransmission; None without a pending one."""
        return None if self.srtp is not None else self._connection.DTLSv1_get_timeout()

    def tick(self) -> list[bytes]:
        """Retransmit an unanswered flight; DtlsError when the peer does not answer."""
        if self.srtp is None and not self.closed:
            try:
                self._connection.DTLSv1_handle_timeout()
            except SSL.Error:
                raise DtlsError("the peer does not answer") from None
        return self._flush()

    def close(self) -> list[bytes]:
        """Close the association and return its close_notify."""
        if not self.closed:
            self.closed = True
            if self.srtp is not None:
                try:
                    self._connection.shutdown()
                except SSL.Error:
                    return []
                return self._flush()
        return []

    # -- inside ------------------------------------------------------------------------------

    def _handshake(self) -> list[bytes]:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return self._flush()
        except SSL.Error as error:
            raise DtlsError(f"the handshake failed: {error}") from None
        self._finish()
        return self._flush()

    def _finish(self) -> None:
        peer = self._connection.get_peer_certificate(as_cryptography=True)
        if peer is None or not hmac.compare_digest(peer.fingerprint(hashes.SHA256()), self._peer_fingerprint):
            raise DtlsError("the peer's certificate has another fingerprint than announced")
        selected = self._connection.get_selected_srtp_profile()
        profile = next((p for p in PROFILES if p.name == selected), None)
        if profile is None:
            raise DtlsError("no SRTP profile in common")
        material = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", profile.material_size)
        self.srtp = Srtp(profile, material, client=self._client)

    def _flush(self) -> list[bytes]:
        flight = b""
        while True:
            try:
                flight += self._connection.bio_read(16_384)
            except SSL.Error:
                return _split(flight)
