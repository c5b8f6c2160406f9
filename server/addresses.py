"""The addresses that a server names to clients where its settings name none, out of those that it has.

`found` reads the addresses of this machine's interfaces. `choose` is pure: it decides from that list.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from snugroom.server import config
from snugroom.server.config import ConfigError, Settings
from snugroom.server.tls import SELF_SIGNED

#: Of net/if.h: the interface is up.
_UP: Final = 1
#: Offset and size of the address in sockaddr_in and sockaddr_in6.
_PLACES: Final = {int(socket.AF_INET): (4, 4), int(socket.AF_INET6): (8, 16)}
#: Addresses for documentation (RFC 5737, RFC 3849): nobody has them, so the default route leads to them.
_NOBODY: Final = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


class Found(NamedTuple):
    """An address of an interface that is up.

    `hardware`: the interface is a network card, and not a bridge, a tunnel or a container's. `default`: the
    default route uses this address.
    """

    interface: str
    address: str
    hardware: bool = False
    default: bool = False


@dataclass(frozen=True)
class Addresses:
    """The addresses of a server. `host` is for the URL where the settings have no origin.

    `media` and `bind` are for media; `beside` is another address for programs of this machine alone. `names`
    are for a certificate of the server's own, the first of them that of the URL. `chosen` is the address that
    the settings left open, and `others` could have been chosen as well.
    """

    host: str
    media: str
    bind: str
    beside: str | None = None
    names: list[str] = field(default_factory=list)
    chosen: Found | None = None
    others: list[Found] = field(default_factory=list)


# -- the choice ----------------------------------------------------------------------------------------


def usable(addresses: Sequence[Found]) -> list[Found]:
    """Return the addresses that other programs reach, the best one first: network cards, then default routes.

    Of two alike, IPv4 comes first. Loopback and link-local addresses are left out.
    """

    def reached(each: Found) -> bool:
        ip = ipaddress.ip_address(each.address)
        return not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)

    def rank(each: Found) -> tuple[bool, bool, bool]:
        return not each.hardware, not each.default, ":" in each.address

    return sorted(filter(reached, addresses), key=rank)


def choose(
    settings: Settings, host: str, address: str, addresses: Sequence[Found], machine: str = ""
) -> Addresses:
    """Return the addresses of a server that listens at `host`, which resolves to the IP address `address`.

    `addresses` are this machine's, and `machine` is its name. Raises ConfigError on a wildcard address if
    the settings have to name what clients connect to.
    """
    origin = urlsplit(settings.origin or "").hostname
    if not config.is_wildcard(address):
        media, bind = settings.media_address or address, settings.media_bind or address
        beside = _beside(settings, address, addresses)
        return Addresses(host, media, bind, beside, _names(origin, host, address, machine))
    if origin is not None and settings.media_address is not None:
        return Addresses(host, settings.media_address, settings.media_bind or address, names=[origin])
    if settings.tls[:1] != [SELF_SIGNED]:
        raise ConfigError(
            "the server listens on every address: set origin and media_address, or in a local network use "
            f"--tls {SELF_SIGNED}"
        )
    fit = [each for each in usable(addresses) if (":" in each.address) == (":" in address)]
    if settings.media_address is not None:
        media, bind, fit = settings.media_address, settings.media_bind or address, []
    elif fit:
        media, bind = fit[0].address, settings.media_bind or fit[0].address
    else:
        raise ConfigError(
            "the server listens on every address, and this machine has none that others reach: set origin "
            "and media_address"
        )
    names = _names(origin, media, media, machine)
    return Addresses(media, media, bind, names=names, chosen=next(iter(fit), None), others=fit[1:])


def _beside(settings: Settings, address: str, addresses: Sequence[Found]) -> str | None:
    """Return an address for media beside the loopback address `address`; None if it is not wanted.

    A server with an origin or a proxy may have participants elsewhere, who would be told an address of this
    machine: an onion service must not be found by it.
    """
    s = settings
    told = s.origin or s.media_address or s.media_bind or s.media_also or s.nodes or s.trusted_proxies
    if told or s.proxy_protocol or not s.media_beside_loopback:
        return None
    ip = ipaddress.ip_address(address)
    fit = (each.address for each in usable(addresses) if ip.version == 4 or ":" not in each.address)
    return next(fit, None) if ip.is_loopback else None


def _names(origin: str | None, host: str, address: str, machine: str) -> list[str]:
    """Return the names for a certificate. One for a configured origin tells no other name of this machine."""
    if origin is not None:
        return [origin]
    named = all(map(_LABEL.fullmatch, machine.split("."))) and not is_loopback(address)
    return list(dict.fromkeys([host, address, *([machine] if named else []), "localhost"]))


def is_loopback(host: str) -> bool:
    """Return whether `host` is a loopback address, or its name."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


# -- this machine's addresses --------------------------------------------------------------------------


class _IfAddrs(ctypes.Structure):
    """``struct ifaddrs`` of ifaddrs.h, up to the address."""


_IfAddrs._fields_ = [
    ("next", ctypes.POINTER(_IfAddrs)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
]


def found() -> list[Found]:
    """Return the addresses of this machine's interfaces; none if the system does not tell them."""
    routed = {_routed(family) for family in _NOBODY}
    return [
        Found(name, address, Path(f"/sys/class/net/{name}/device").exists(), address in routed)
        for name, address in _interfaces()
    ]


def _interfaces() -> Iterator[tuple[str, str]]:
    libc = ctypes.CDLL(None, use_errno=True)
    first = ctypes.POINTER(_IfAddrs)()
    if libc.getifaddrs(ctypes.byref(first)):
        return
    try:
        each = first
        while each:
            entry, each = each.contents, each.contents.next
            if not entry.flags & _UP or not entry.address:
                continue
            family = ctypes.c_ushort.from_address(entry.address).value
            if family in _PLACES:
                at, size = _PLACES[family]
                raw = ctypes.string_at(entry.address + at, size)
                yield entry.name.decode("utf-8", "replace"), socket.inet_ntop(family, raw)
    finally:
        libc.freeifaddrs(first)


def _routed(family: socket.AddressFamily) -> str | None:
    """Return our address on the default route; None without one. Connecting a UDP socket sends nothing."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.connect((_NOBODY[family], 9))
        return str(asked.getsockname()[0])
    return None
