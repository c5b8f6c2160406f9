"""The sockets for media: in each address family one for UDP and one for TCP, all on one port.

Two families have two sockets, not one for both: each is bound to its own address, so that an answer leaves
from the address that received the request. Clients accept answers from no other address.

An address beside loopback has sockets as well. A filter in the kernel (classic BPF) lets them take only
packets that came in by the interface `lo`, which only programs of this machine use.
"""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

#: Attempts to find a port that is free for all of the sockets.
_TRIES: Final = 32
_BACKLOG: Final = 64
_ANY: Final = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - where the settings ask for a wildcard
#: In front of an IPv4 address that an IPv6 socket has (RFC 4291 2.5.5.2).
_MAPPED: Final = "::ffff:"
#: Of asm-generic/socket.h: Python's module does not have it.
_SO_ATTACH_FILTER: Final = 26
#: SKF_AD_OFF + SKF_AD_IFINDEX of linux/filter.h: where a filter finds the number of a packet's interface.
_INTERFACE: Final = 0xFFFF_F008
_TAKE: Final = 0xFFFF_FFFF


class BindError(OSError):
    """A socket cannot be opened. `what` names it: ``UDP port 40000 of 203.0.113.7``."""

    def __init__(self, error: OSError, what: str) -> None:
        super().__init__(error.errno, error.strerror)
        self.what = what


@dataclass(frozen=True)
class Sockets:
    """Non-blocking sockets; those in `tcp` listen. Each family has at most one of each kind.

    `beside`: whether the address beside loopback has sockets.
    """

    port: int
    udp: list[socket.socket] = field(default_factory=list)
    tcp: list[socket.socket] = field(default_factory=list)
    beside: bool = False

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


def _only_from_this_machine(sock: socket.socket) -> None:
    """Drop all packets but those of the interface `lo`. Call it before `bind`. Raises OSError.

    Not SO_BINDTODEVICE: Linux counts a packet to an own address as received by the address's interface.
    """
    program = [
        (0x20, 0, 0, _INTERFACE),  # load it
        (0x15, 0, 1, socket.if_nametoindex("lo")),  # equal: the next line; other: skip that
        (0x06, 0, 0, _TAKE),
        (0x06, 0, 0, 0),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    option = struct.pack("@HP", len(program), ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, option)


def _one(kind: int, host: str, port: int, buffer: int, *, beside: bool = False) -> socket.socket:
    version6 = ipaddress.ip_address(host).version == 6
    name = "TCP" if kind == socket.SOCK_STREAM else "UDP"
    try:
        sock = socket.socket(socket.AF_INET6 if version6 else socket.AF_INET, kind)
    except OSError as error:
        raise BindError(error, f"{name} over IPv6") from None
    try:
        sock.setblocking(False)
        if version6:
            mapped = host.startswith(_MAPPED)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if mapped else 1)
        if beside:
            _only_from_this_machine(sock)
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


def _beside_of(host: str, beside: str) -> str:
    """Return `beside` as an address of the family that `host` does not have: a family has one socket."""
    both4 = ipaddress.ip_address(host).version == ipaddress.ip_address(beside).version == 4
    return _MAPPED + beside if both4 else beside


def _all(hosts: Sequence[str], port: int, buffer: int, tcp: bool, beside: str | None) -> Sockets:
    made = Sockets(port)
    kinds = [socket.SOCK_DGRAM, socket.SOCK_STREAM][: 2 if tcp else 1]
    free = not port
    try:
        for kind, opened in zip(kinds, (made.udp, made.tcp), strict=False):
            for host in hosts:
                opened.append(_one(kind, host, port, buffer))
                port = port or made.udp[0].getsockname()[1]
        more: list[socket.socket] = []
        if beside is not None:
            more = _all_beside(kinds, _beside_of(hosts[0], beside), port, buffer, must=free)
    except OSError:
        made.close()
        raise
    return Sockets(port, made.udp + more[:1], made.tcp + more[1:], beside=bool(more))


def _all_beside(
    kinds: Sequence[int], host: str, port: int, buffer: int, *, must: bool
) -> list[socket.socket]:
    """Open the sockets beside loopback; return none where this machine has no such address, or no filters.

    `must`: raise BindError if only the port is taken, for another one to be tried.
    """
    more: list[socket.socket] = []
    try:
        # not a comprehension: after an error, the sockets so far are to be closed
        for kind in kinds:
            more += [_one(kind, host, port, buffer, beside=True)]
    except BindError as error:
        for sock in more:
            sock.close()
        if must and error.errno == errno.EADDRINUSE:
            raise
        return []
    return more


def open_sockets(
    hosts: Sequence[str], port: int, buffer: int, *, tcp: bool, beside: str | None = None
) -> Sockets:
    """Open all sockets, or raise BindError. Port 0 takes one that is free for all of them.

    `buffer`: SO_RCVBUF and SO_SNDBUF to request for the UDP sockets, bytes. `beside`: an address of this
    machine for its own programs; `hosts` is then one loopback address, and IPv4 if `beside` is IPv6. There is
    no error if it cannot be had: addresses come and go with networks.
    """
    for last in range(_TRIES):
        try:
            return _all(hosts, port, buffer, tcp, beside)
        except BindError as error:
            if port or error.errno != errno.EADDRINUSE or last == _TRIES - 1:
                raise
    raise AssertionError("unreachable")
