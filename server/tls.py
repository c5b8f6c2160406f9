"""TLS of the server's own, for a server without a proxy in front.

Only TLS 1.3, without session tickets: the server then remembers nothing about a client after its connection,
and yesterday's connections stay secret from tomorrow's thief of the key. The state is one certificate and its
key, in memory that OpenSSL keeps.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
import ssl
import stat
from asyncio import sslproto
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: The first value of the setting `tls` that asks for a certificate of the server's own.
SELF_SIGNED: Final = "self-signed"
#: Days for which such a certificate is valid: browsers accept no more than 398.
_DAYS: Final = 397
#: A kept certificate is made anew when it is valid for less: a server may run for weeks.
_LEFT: Final = datetime.timedelta(days=30)
#: The bytes of one read, and of each connection's buffer; asyncio's own value is 256 KiB.
_READ_MAX: Final = 16_384
#: Permissions that a key's file must not have: others may do nothing, and the group may only read.
_TOO_OPEN: Final = stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP


class TlsError(ValueError):
    """The certificate or its key can't be used. The text is one sentence with the reason."""


class Certificate:
    """The server's certificate. `context` serves new connections; `reload` changes what it serves.

    `fingerprint` is the SHA-256 of the certificate, as ``openssl x509 -fingerprint`` prints it.
    """

    def __init__(self, files: list[str], names: Sequence[str]) -> None:
        """Read `files`, a certificate chain and a private key; or ``["self-signed"]``, for `names`.

        After ``"self-signed"``, a second item is the file where the certificate is kept. Raises TlsError if
        files can't be read or written, don't belong together, or if others may read the key.
        """
        sslproto.SSLProtocol.max_size = _READ_MAX
        self._files = files
        #: Whether the certificate is one of the server's own.
        self.own = files[0] == SELF_SIGNED
        #: Where such a certificate is kept.
        self.file = files[1] if self.own and len(files) > 1 else None
        #: Whether it has been made at this start.
        self.made = self.own and (self.file is None or _keep(self.file, names, _now()))
        if self.file is not None:
            self._current, self.fingerprint = _read([self.file, self.file])
        else:
            self._current, self.fingerprint = _in_memory(names) if self.own else _read(files)
        self.context = _context()
        # called for every connection, with or without a name
        self.context.sni_callback = self._serve

    def _serve(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current

    def reload(self) -> bool:
        """Read the files again, for new connections; return whether the certificate is another one.

        After a TlsError the server goes on with the certificate that it has.
        """
        if self.own:
            return False
        before = self.fingerprint
        self._current, self.fingerprint = _read(self._files)
        return self.fingerprint != before


def key_problem(path: str) -> str | None:
    """Return what is wrong with the permissions of a secret's file, or None. Raises OSError."""
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & _TOO_OPEN:
        return f"others may read or change it (mode {mode:04o})"
    return None


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    return context


def _read(files: list[str]) -> tuple[ssl.SSLContext, str]:
    chain, key = files
    for what, path in (("certificate", chain), ("key", key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise TlsError(f"the TLS {what} {path} can't be read: {error.strerror}") from None
    problem = key_problem(key)
    if problem is not None:
        raise TlsError(f"the TLS key {key} is not secret: {problem}; run chmod 640 on it")
    try:
        return _loaded(chain, key)
    except (ssl.SSLError, ValueError, IndexError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise TlsError(f"the TLS key {key} belongs to another certificate than {chain}") from None
        raise TlsError(
            f"{chain} and {key} must be a certificate chain and its key, without password, as PEM"
        ) from None


def _loaded(chain: str, key: str) -> tuple[ssl.SSLContext, str]:
    context = _context()
    # without this password, OpenSSL would ask for one at the terminal
    context.load_cert_chain(chain, key, password=lambda: b"")
    first = x509.load_pem_x509_certificates(Path(chain).read_bytes())[0]
    return context, fingerprint(first.public_bytes(serialization.Encoding.DER))


def fingerprint(der: bytes) -> str:
    """Return the SHA-256 of a certificate, as pairs of hex digits with colons between."""
    return hashlib.sha256(der).digest().hex(":").upper()


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def self_signed(names: Sequence[str], now: datetime.datetime) -> tuple[bytes, bytes]:
    """Return a new certificate for `names`, host names or IP addresses, and its key, as PEM.

    It is no certificate authority: whoever trusts it trusts these names only.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # a client's clock may be somewhat behind
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(map(_general, names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _keep(path: str, names: Sequence[str], now: datetime.datetime) -> bool:
    """Make a certificate in that file, unless the one there serves; return whether it is a new one.

    It serves if it is for the first of `names`, and valid for `_LEFT` more. Raises TlsError, and leaves the
    file as it is, if it has anything but a certificate of a server's own.
    """
    try:
        held = Path(path).read_bytes()
    except FileNotFoundError:
        held = b""
    except OSError as error:
        raise TlsError(f"the kept certificate {path} can't be read: {error.strerror}") from None
    if held:
        try:
            old = x509.load_pem_x509_certificates(held)[0]
            named = old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, x509.ExtensionNotFound):
            named = None
        if named is None or old.issuer != old.subject:
            raise TlsError(f"{path} has no certificate that a server has kept there: name another file")
        if _general(names[0]) in named and old.not_valid_after_utc - now > _LEFT:
            return False
    try:
        _write(path, b"".join(self_signed(names, now)))
    except OSError as error:
        raise TlsError(f"the certificate can't be kept in {path}: {error.strerror}") from None
    return True


def _write(path: str, data: bytes) -> None:
    """Write a file that only this user can read, as a whole or not at all. Raises OSError."""
    beside = f"{path}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
            file.write(data)
        os.replace(beside, path)
    except OSError:
        Path(beside).unlink(missing_ok=True)
        raise


def _in_memory(names: Sequence[str]) -> tuple[ssl.SSLContext, str]:
    """Return the context and the fingerprint of a new certificate for `names`, which is never on disk."""
    # OpenSSL reads a key from a file only: this one is in memory
    with open(os.memfd_create("tls"), "w+b") as file:
        file.write(b"".join(self_signed(names, _now())))
        file.flush()
        path = f"/proc/self/fd/{file.fileno()}"
        return _loaded(path, path)
