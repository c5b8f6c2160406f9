"""Probes of a server's name, certificate and answers: each returns facts, also about a bad server."""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal

import aiohttp
from cryptography import x509

from snugroom.server.doctor.facts import Names, Page, Tls
from snugroom.server.tls import fingerprint
from snugroom.wire.outgoing import RedirectedError

#: Seconds for one answer.
TIME: Final = 5.0
_Failure = Literal["expired", "name", "issuer", "other"]
#: OpenSSL's verification errors.
_FAILURES: Final[dict[int, _Failure]] = {
    10: "expired",
    62: "name",
    64: "name",
    18: "issuer",
    19: "issuer",
    20: "issuer",
    21: "issuer",
}


async def names(name: str, expected: tuple[str, ...] = ()) -> Names:
    """Resolve `name`."""
    try:
        async with asyncio.timeout(TIME):
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=1)
    except TimeoutError:
        return Names(name, (), expected, "no answer")
    except OSError as error:
        return Names(name, (), expected, error.strerror or "unknown")
    return Names(name, tuple(dict.fromkeys(str(address[0]) for *_, address in found)), expected)


def trusting(ca: str | None) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities, and those in the file `ca`. Raises OSError."""
    context = ssl.create_default_context()
    if ca is not None:
        context.load_verify_locations(ca)
    return context


def unverified() -> ssl.SSLContext:
    """Return a context for a look at a certificate that is not trusted."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def tls(host: str, port: int, context: ssl.SSLContext) -> Tls:
    """Connect as a client does, and read the certificate."""
    try:
        return await _certificate(host, port, context)
    except ssl.SSLCertVerificationError as error:
        failure = _FAILURES.get(error.verify_code, "other")
        try:
            seen = await _certificate(host, port, unverified())
        except (OSError, TimeoutError, ValueError):
            return Tls(host, port, failure, error.verify_message)
        # an expired certificate of one's own is first of all expired
        if seen.days_left < 0:
            failure = "expired"
        return Tls(
            host,
            port,
            failure,
            error.verify_message,
            seen.names,
            seen.days_left,
            seen.self_signed,
            seen.version,
            seen.fingerprint,
        )
    except TimeoutError:
        return Tls(host, port, "silent")
    except (ssl.SSLError, ConnectionResetError, ConnectionAbortedError) as error:
        return Tls(host, port, "plain", getattr(error, "reason", None) or "the connection was closed")
    except OSError as error:
        if refused(error):
            return Tls(host, port, "refused")
        return Tls(host, port, "other", error.strerror or str(error))


def refused(error: OSError) -> bool:
    """Return whether the other machine has said that nobody listens; also for several addresses at once."""
    return error.errno == errno.ECONNREFUSED or str(error).count(f"[Errno {errno.ECONNREFUSED}]") > 0


async def _certificate(host: str, port: int, context: ssl.SSLContext) -> Tls:
    async with asyncio.timeout(TIME):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    made = writer.get_extra_info("ssl_object")
    der, version = made.getpeercert(binary_form=True), made.version() or ""
    writer.transport.abort()
    found = x509.load_der_x509_certificate(der)
    try:
        named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        listed = tuple(str(each.value) for each in named)
    except x509.ExtensionNotFound:
        listed = ()
    left = (found.not_valid_after_utc - datetime.now(UTC)).total_seconds() / 86_400
    whole = (found.not_valid_after_utc - found.not_valid_before_utc).total_seconds() / 86_400
    return Tls(
        host,
        port,
        names=listed,
        days_left=left,
        self_signed=found.issuer == found.subject,
        version=version,
        fingerprint=fingerprint(der),
        lifetime=whole,
    )


async def page(http: aiohttp.ClientSession, origin: str) -> Page:
    """Request ``/healthz``, and compare clocks."""
    try:
        async with http.get(f"{origin}/healthz") as response:
            date = response.headers.get("Date", "")
            body = (await response.content.read(200)).strip()
            return Page(response.status, response.status == 200 and body == b'{"ok": true}', skew=_skew(date))
    except RedirectedError as error:
        return Page(error.status)
    except TimeoutError:
        return Page(error="no answer in time")
    except aiohttp.ClientConnectorError as error:
        return Page(error="nothing listens there" if refused(error.os_error) else str(error.strerror))
    except aiohttp.ClientError as error:
        return Page(error=str(error) or type(error).__name__)


def _skew(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return None
