"""Bytes that a browser transfers for a page and its worker, by its own counters; over https, too.

Browsers accept Brotli over https. The measured server listens on a port without TLS, as behind a proxy:
`Https` is that proxy.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import hashlib
import ipaddress
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Request

_HOST: Final = "127.0.0.1"
_READ_MAX: Final = 1 << 16


@dataclass(frozen=True)
class Answer:
    """One answer: the file's name, its size in bytes as transferred, and when its request began.

    `headers` and `body` together are the protocol's `encodedDataLength` (Network.loadingFinished). `began` is
    in ms since 1970.
    """

    name: str
    headers: int
    body: int
    began: float


class Transfers:
    """Counts all answers to a context's pages and workers, but not the meeting, which WebSockets carry."""

    def __init__(self, context: BrowserContext) -> None:
        self._finished: list[Request] = []
        context.on("requestfinished", self._note)

    def _note(self, request: Request) -> None:
        self._finished.append(request)

    async def until(self, moment: float) -> list[Answer]:
        """Return the answers so far to requests that began by then (ms since 1970), in their order."""
        answers: list[Answer] = []
        for request in list(self._finished):
            address, began = urlsplit(request.url), request.timing["startTime"]
            if address.scheme in ("http", "https") and began <= moment:
                name = address.path.rsplit("/", 1)[-1] or "index.html"
                sizes = await request.sizes()
                body = sizes["responseBodySize"]
                if body == 0 and name not in (answer.name for answer in answers):
                    # Chromium counts no body for a worker's first script
                    response = await request.response()
                    assert response is not None
                    body = int(await response.header_value("content-length") or 0)
                answers.append(Answer(name, sizes["responseHeadersSize"], body, began))
        return sorted(answers, key=lambda answer: answer.began)


class Https:
    """A proxy with TLS on a free port of 127.0.0.1, in front of the server at `target` (host, port)."""

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.port = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        #: For Chromium's `--ignore-certificate-errors-spki-list`: it then caches as over any https.
        self.key_hash = _certificate(self._context)

    @property
    def origin(self) -> str:
        """Its origin."""
        return f"https://{_HOST}:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.target is not None
        try:
            inner_reader, inner_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))


@asynccontextmanager
async def https() -> AsyncIterator[Https]:
    """Listen; `target` has to be set before somebody connects."""
    proxy = Https()
    listening = await asyncio.start_server(proxy._serve, _HOST, 0, ssl=proxy._context)
    proxy.port = listening.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listening.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.CancelledError):
        while data := await reader.read(_READ_MAX):
            writer.write(data)
            await writer.drain()
    writer.close()


def _certificate(context: ssl.SSLContext) -> str:
    """Make a certificate for 127.0.0.1, load it with its key, and return the public key's hash, in base64."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _HOST)])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(_HOST))])
    number = x509.random_serial_number()
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), number, now - day, now + day)
        .add_extension(alternatives, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # OpenSSL reads a key from a file only: this one is in memory
    with open(os.memfd_create("bench"), "w+b") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(public).digest()).decode()
