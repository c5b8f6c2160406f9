"""The sockets for media: in each address family one for UDP and one for TCP, all on one port.

Two families have two sockets, not one for both: each is bound to its own address, so that an answer leaves
from the address that received the request. Clients accept answers from no other address.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

#: Attempts to find a port that is free for all of the sockets.
_TRIES: Final = 32
_BACKLOG: Final = 64
_ANY: Final = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - where the settings ask for a wildcard


class BindError(OSError):
    """A socket cannot be opened. `what` names it: ``UDP port 40000 of 203.0.113.7``."""

    def __init__(self, error: OSError, what: str) -> None:
        super().__init__(error.errno, error.strerror)
        self.what = what


@dataclass(frozen=True)
class Sockets:
    """Non-blocking sockets; those in `tcp` listen. Each family has at most one of each kind."""

    port: int
    udp: list[socket.socket] = field(default_factory=list)
    tcp: list[socket.socket] = field(default_factory=list)

    def close(self) -> None:
        for sock in (*self.udp, *self.tcp):
            sock.close()


def bind_addresses(bind: str, advertised: Sequence[str]) -> list[str]:
    """Return the addresses to bind, one for each family: `bind`, then one of the other family, if advertised.

    For the other family it is the wildcard if `bind` is a wildcard or `advertised` has several of its
    addresses; otherwise it is the address in `advertised`. All are IP addresses; ValueError if not.
    """
    first = ipaddress.ip_address(bind)
    others = [other for other in map(ipaddress.ip_address, advertised) if other.version != first.version]
    if not others:
        return [bind]
    if first.is_unspecified or len(set(others)) > 1:
        return [bind, _ANY[others[0].version]]
    return [bind, str(others[0])]


def _one(kind: int, host: str, port: int, buffer: int) -> socket.socket:
    version6 = ipaddress.ip_address(host).version == 6
    name = "TCP" if kind == socket.SOCK_STREAM else "UDP"
    try:
        sock = socket.socket(socket.AF_INET6 if version6 else socket.AF_INET, kind)
    except OSError as error:
        raise BindError(error, f"{name} over IPv6") from None
    try:
        sock.setblocking(False)
        if version6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            sock.listen(_BACKLOG)
        else:
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, buffer)
            sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise BindError(error, f"{name} port {port} of {host}") from None
    return sock


def _all(hosts: Sequence[str], port: int, buffer: int, tcp: bool) -> Sockets:
    made: list[socket.socket] = []
    try:
        for host in hosts:
            made.append(_one(socket.SOCK_DGRAM, host, port, buffer))
            port = port or made[0].getsockname()[1]
        streams = [_one(socket.SOCK_STREAM, host, port, buffer) for host in hosts] if tcp else []
    except OSError:
        for sock in made:
            sock.close()
        raise
    return Sockets(port, made, streams)


def open_sockets(hosts: Sequence[str], port: int, buffer: int, *, tcp: bool) -> Sockets:
    """Open all sockets, or raise BindError. Port 0 takes one that is free for all of them.

    `buffer`: SO_RCVBUF and SO_SNDBUF to request for the UDP sockets, bytes.
    """
    for last in range(_TRIES):
        try:
            return _all(hosts, port, buffer, tcp)
        except BindError as error:
            if port or error.errno != errno.EADDRINUSE or last == _TRIES - 1:
                raise
    raise AssertionError("unreachable")
