"""The proxy through which everything goes that a participant sends: SOCKS5, or HTTP with CONNECT.

The proxy resolves the servers' names. No look-up, UDP packet or connection to a server goes past it: where
the proxy does not help, nothing is sent. Its libraries are imported where a proxy is used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import unquote

import aiohttp

from snugroom.client.session.addresses import is_public
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.wire.outgoing import http_session

if TYPE_CHECKING:
    import python_socks
    from aiohttp import AddrInfoType
    from aiohttp.abc import AbstractResolver

#: A proxy's address. `socks5h` is curl's name for what is always done here: the proxy resolves names.
_ADDRESS: Final = re.compile(
    r"(?P<kind>socks5h?|http)://(?:(?P<user>[^:@/]*)(?::(?P<password>[^@/]*))?@)?"
    r"(?P<host>\[[0-9a-f:.]+\]|[^\[\]:/@?# ]+):(?P<port>[0-9]{1,5})/?\Z",
    re.IGNORECASE,
)
_HOST: Final = re.compile(r"://(?:\[([^\]]+)\]|([^/:]+))")
#: With a proxy, waits for the network take this many times as long: Tor has six relays on the path.
SLOWNESS: Final = 4.0
#: Seconds for a connection through the proxy. Shorter than the program's own wait for the server.
DIAL_TIME: Final = 18.0
#: Maximum bytes of a user name or password (RFC 1929).
_CREDENTIAL_MAX: Final = 255
#: HTTP: statuses of a proxy that wants other credentials, and of one that has no path to the server.
_WANTS_CREDENTIALS: Final = 407
_NO_PATH: Final = frozenset({404, *range(500, 600)})
#: SOCKS5: the reply that a rule forbids the connection (RFC 1928, 6), and the library's words on credentials.
_FORBIDDEN: Final = 2
_CREDENTIALS: Final = (
    "No acceptable authentication methods were offered",
    "Username and password authentication failure",
)


class ProxyAddressError(ValueError):
    """The address of a proxy is malformed. `args[0]` is a sentence; it does not repeat the password."""


class ProxyFault(aiohttp.ClientConnectionError):
    """No connection came about, for a reason of the proxy or behind it. `why` is a sentence.

    It does not name the proxy: evidence of a lost connection is for strangers.
    """

    def __init__(self, key: str, **args: str | int) -> None:
        self.why = sentence(f"terminal.proxy_{key}", **args)
        super().__init__(self.why)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's kind, host, port and credentials; both credentials are empty if it wants none."""

    kind: Literal["socks5", "http"]
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> Proxy:
        """Parse ``socks5://[USER:PASSWORD@]HOST:PORT`` or ``http://...``; ProxyAddressError if malformed."""
        found = _ADDRESS.match(text) if text.isascii() and text.isprintable() else None
        if found is None or not 0 < int(found["port"]) < 65_536:
            raise ProxyAddressError(sentence("terminal.proxy_form"))
        user, password = unquote(found["user"] or ""), unquote(found["password"] or "")
        if bool(user) != bool(password) or ":" in user or not all(map(_is_credential, (user, password))):
            raise ProxyAddressError(sentence("terminal.proxy_credentials", most=_CREDENTIAL_MAX))
        kind: Literal["socks5", "http"] = "http" if found["kind"].lower() == "http" else "socks5"
        return cls(kind, found["host"].strip("[]").lower(), int(found["port"]), user, password)

    def connector(self, *, public_only: bool = False) -> aiohttp.TCPConnector:
        """Return a connector of aiohttp. All of its connections go through the proxy, or raise ProxyFault.

        `public_only`: as for `http_client`; where names lead, the proxy alone knows.
        """
        from aiohttp_socks import ProxyConnector

        proxy = self

        class Connector(ProxyConnector):
            """Raises what aiohttp's own connector raises, and ProxyFault."""

            async def connect(self, req: aiohttp.ClientRequest, *args: Any, **named: Any) -> Any:
                if public_only and _is_private_literal(req.url.host or ""):
                    raise aiohttp.ClientConnectorError(req.connection_key, StrangeAddressError())
                try:
                    return await super().connect(req, *args, **named)
                except (aiohttp.ClientError, TimeoutError):
                    raise
                except ssl.SSLCertVerificationError as error:
                    raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from error
                except ssl.SSLError as error:
                    raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
                except Exception as error:
                    fault = proxy._fault(error)
                    if fault is None:
                        raise
                    raise fault from error

        return Connector(self.host, self.port, self._type(), self.user, self.password, rdns=True)

    async def dial(self, host: str, port: int) -> socket.socket:
        """Return a TCP socket that the proxy has connected to this host and port; ProxyFault."""
        from python_socks.async_.asyncio import Proxy as Dialler

        dialler = Dialler(self._type(), self.host, self.port, self.user, self.password, rdns=True)
        if self.kind == "http" and ":" in host:
            host = f"[{host}]"
        try:
            return await dialler.connect(host, port, timeout=DIAL_TIME)
        except Exception as error:
            fault = self._fault(error)
            if fault is None:
                raise
            raise fault from error

    def _type(self) -> python_socks.ProxyType:
        from python_socks import ProxyType

        return ProxyType.HTTP if self.kind == "http" else ProxyType.SOCKS5

    def _fault(self, error: Exception) -> ProxyFault | None:
        """Return the fault that an error of the libraries means; None if it is none of the proxy."""
        import aiohttp_socks
        import python_socks

        match error:
            case aiohttp_socks.ProxyConnectionError() | python_socks.ProxyConnectionError():
                return ProxyFault("unreachable", what=_reason(error))
            case aiohttp_socks.ProxyTimeoutError() | python_socks.ProxyTimeoutError():
                return ProxyFault("timeout", seconds=round(DIAL_TIME))
            case aiohttp_socks.ProxyError(error_code=code) | python_socks.ProxyError(error_code=code):
                return self._reply(str(error), code)
            case asyncio.IncompleteReadError():
                return ProxyFault("alien", kind=self._kind)
            case ConnectionResetError() | BrokenPipeError():  # perhaps by the server, in TLS
                return ProxyFault("broke")
        return None

    def _reply(self, text: str, code: int | None) -> ProxyFault:
        """Return the fault for a reply that is no consent. `code`: SOCKS5 reply or HTTP status."""
        if code == _WANTS_CREDENTIALS or text in _CREDENTIALS:
            return ProxyFault("refuses" if self.user else "wants")
        if code is None:
            return ProxyFault("alien", kind=self._kind)
        what = f"{self._kind} {code}"
        if self.kind == "http":
            return ProxyFault("no_path" if code in _NO_PATH else "forbids", what=what)
        return ProxyFault("forbids" if code == _FORBIDDEN else "no_path", what=what)

    @property
    def _kind(self) -> str:
        return "HTTP" if self.kind == "http" else "SOCKS5"


class StrangeAddressError(OSError):
    """Nothing was sent: the address is not on the internet, and a meeting does not lead elsewhere."""


def _public_socket(info: AddrInfoType) -> socket.socket:
    """Return a socket for an address that a name has led to, or a literal one; StrangeAddressError.

    aiohttp connects the socket to this very address: no second look-up could lead elsewhere.
    """
    family, kind, protocol, _, place = info
    if not is_public(str(place[0])):
        raise StrangeAddressError
    return socket.socket(family, kind, protocol)


def _is_private_literal(host: str) -> bool:
    try:
        return not is_public(host)
    except ValueError:
        return False  # a name


def http_client(
    proxy: Proxy | None,
    *,
    connect: float | None = None,
    total: float | None = None,
    public_only: bool = False,
    resolver: AbstractResolver | None = None,
) -> aiohttp.ClientSession:
    """Return an HTTP client that connects through the proxy only; directly without one.

    `connect`, `total`: seconds for a connection, and for a whole request. Through a proxy both take longer.
    `public_only`: it connects to addresses of the internet only, and raises a ClientConnectorError with a
    StrangeAddressError for others. `resolver` looks names up where there is no proxy.
    """
    if proxy is None:
        timeout = aiohttp.ClientTimeout(total=total, connect=connect, sock_connect=connect)
        own = aiohttp.TCPConnector(resolver=resolver, socket_factory=_public_socket if public_only else None)
        return http_session(timeout=timeout, auto_decompress=False, connector=own)
    timeout = aiohttp.ClientTimeout(total=None if total is None else SLOWNESS * total, sock_connect=DIAL_TIME)
    return http_session(
        timeout=timeout, auto_decompress=False, connector=proxy.connector(public_only=public_only)
    )


@dataclass(frozen=True, slots=True)
class Tunnel:
    """The path of media to the server with this URL: through the proxy."""

    proxy: Proxy
    url: str

    def target(self, address: str) -> str:
        """Return the host to ask the proxy for, in place of an IP address that the server has told.

        An onion service is reached by its name alone. So is a server that tells a private address, which
        would be another machine near the proxy.
        """
        found = _HOST.search(self.url)
        assert found is not None, "an origin is in canonical form"
        host = found[1] or found[2]
        onion = host.rpartition(".")[2] == "onion"
        return host if onion or not ipaddress.ip_address(address).is_global else address


def _is_credential(text: str) -> bool:
    return len(text) <= _CREDENTIAL_MAX and text.isascii()


def _reason(error: BaseException) -> str:
    """Return the system's words for the first cause of an error: of a socket, or of a look-up."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, OSError) and error.errno is not None:
        # a look-up has numbers of its own, below zero
        return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
    return str(error)
