"""Why a connection to a server failed: one true sentence for each cause.

A certificate that proves nothing is no absence: somebody may be between the participant and the server. So it
is a kind of failure by itself.
"""

from __future__ import annotations

import ssl
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from snugroom.client.proxy import ProxyFault, StrangeAddressError
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.wire.outgoing import RedirectedError

#: Statuses by which a proxy says that it does not reach the server behind it.
NOBODY_BEHIND: Final = frozenset({502, 503, 504})
#: OpenSSL's verification errors (`X509_V_ERR_*`), by the sentence that tells them.
_CERTIFICATE: Final = {9: "early", 10: "expired", 18: "unknown", 19: "unknown", 20: "unknown", 21: "unknown"}
_OTHER_NAME: Final = frozenset({62, 63, 64})


def reason(error: BaseException) -> Sentence:
    """Return why a connection could not be made, or broke."""
    if is_strange(error):
        return sentence("room.strange_name")
    match error:
        case ProxyFault(why=why):
            return why
        case RedirectedError(status=status):
            return sentence("terminal.redirects", status=status)
        case aiohttp.WSServerHandshakeError(status=status) if status in NOBODY_BEHIND:
            return sentence("terminal.nobody_behind", status=status)
        case aiohttp.WSServerHandshakeError(status=429):
            return sentence("terminal.too_many")
        case aiohttp.WSServerHandshakeError(status=status):
            return sentence("terminal.answered_status", status=status)
        case aiohttp.ClientConnectorDNSError():
            return sentence("terminal.no_such_host")
        case aiohttp.ClientSSLError():
            return sentence("terminal.no_tls")
        case aiohttp.ClientConnectorError():
            return _by_system(error.os_error)
        case TimeoutError():
            return sentence("shell.no_answer")
        case aiohttp.ClientResponseError() | aiohttp.InvalidURL():
            return sentence("terminal.no_http")
        case OSError() if error.errno is not None:
            return _by_system(error)
    return sentence("terminal.broke")


def is_strange(error: BaseException) -> bool:
    """Return whether no connection was made because a meeting does not lead to the address."""
    return isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, StrangeAddressError)


def by_server(error: BaseException) -> bool:
    """Return whether the server itself refused the connection: an HTTP answer that is no one else's.

    A proxy before a server that is down answers with a status from 500 on. 408 and 429 come of a slow network
    and of many clients behind one address.
    """
    return (
        isinstance(error, aiohttp.WSServerHandshakeError)
        and 400 <= error.status < 500
        and error.status not in (408, 429)
    )


def distrust(error: BaseException, origin: str) -> Sentence | None:
    """Return why the server's certificate does not prove that the server is `origin`; None if it may."""
    if not isinstance(error, aiohttp.ClientConnectorCertificateError):
        return None
    cause = error.certificate_error
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return sentence("terminal.untrusted_other", what=type(cause).__name__)
    if cause.verify_code in _OTHER_NAME:
        return sentence("terminal.untrusted_name", host=urlsplit(origin).hostname)
    key = _CERTIFICATE.get(cause.verify_code)
    return (
        sentence("terminal.untrusted_other", what=cause.verify_message)
        if key is None
        else sentence(f"terminal.untrusted_{key}")
    )


def _by_system(error: OSError) -> Sentence:
    if isinstance(error, ConnectionRefusedError):
        return sentence("shell.nobody_there")
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return sentence("terminal.broke")
    return sentence("terminal.no_way", what=error.strerror or str(error))
