"""Where a meeting may lead a program, besides the server that its person has chosen (protocol section 12).

Hosts name further servers, and so does a link: strangers' words. Otherwise they could have each member's
program knock at machines inside the member's own network. A name is judged here by its form alone: the shell
judges the address to which it leads (`client.proxy`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal

from snugroom.client.session.catalogue import reasons
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.crypto.entry.invite import canonical_origin
from snugroom.crypto.errors import MalformedError
from snugroom.wire.limits import LOCAL_NAMES, SPECIAL_IPV4, SPECIAL_IPV6

#: Why a meeting does not lead somewhere; part of the key of a sentence.
Objection = Literal["http", "private"]

_ORIGIN: Final = re.compile(r"(?P<scheme>https?)://(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:]+))(?::[0-9]+)?\Z")
_V4: Final = [ipaddress.IPv4Network(each) for each in SPECIAL_IPV4]
_V6: Final = [ipaddress.IPv6Network(each) for each in SPECIAL_IPV6]
_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")
_TEREDO: Final = ipaddress.IPv6Network("2001::/32")
#: A label that browsers and resolvers may read as a number, and so as an IPv4 address (`127.0.0.0x1`).
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


@lru_cache(maxsize=256)  # sessions ask it at each tick, of the few servers of their policy
def objection(first: str, origin: str, *, anywhere: bool = False) -> Objection | None:
    """Return why a meeting that began at `first` does not lead to `origin`; None if it may.

    Both are canonical origins. It may lead anywhere if it began without https or in a private network, and
    `anywhere`: if the person has allowed it. An onion service proves itself without https.
    """
    if anywhere or origin == first or not is_confined(first):
        return None
    scheme, host = _parts(origin)
    if scheme == "http" and not host.endswith(".onion"):
        return "http"
    return None if _is_public_host(host) else "private"


def led(first: str, origins: Iterable[str], *, anywhere: bool) -> tuple[str, ...]:
    """Return those of the origins to which a meeting that began at `first` leads."""
    return tuple(each for each in origins if objection(first, each, anywhere=anywhere) is None)


def strange(first: str, origins: Iterable[str], *, anywhere: bool) -> list[tuple[str, Objection]]:
    """Return the other origins, with the reasons."""
    found = ((each, objection(first, each, anywhere=anywhere)) for each in origins)
    return [(origin, why) for origin, why in found if why is not None]


def typed_origin(text: str) -> str:
    """Return the origin that a person has typed, in canonical form; CommandError if it is none."""
    try:
        return canonical_origin(text)
    except MalformedError as error:
        raise CommandError(reasons.because(error)) from None


def check_all(first: str, origins: Iterable[str], *, anywhere: bool) -> None:
    """Check servers that we name ourselves; CommandError for one that others refuse."""
    for origin, why in strange(first, origins, anywhere=anywhere):
        why_not = sentence(f"room.strange_{why}")
        raise CommandError(sentence("room.strange_server", first=first, origin=origin, why=why_not))


def is_confined(first: str) -> bool:
    """Return whether a meeting that began at this canonical origin leads to public https servers only."""
    scheme, host = _parts(first)
    return scheme == "https" and _is_public_host(host)


def is_public(address: str) -> bool:
    """Return whether an IP address, perhaps with a zone, is one of the internet. ValueError for another text.

    One that stands for an IPv4 address, or leads to one through a translator, counts as that one.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in _V4)
    if embedded := _embedded(found):
        return all(is_public(str(each)) for each in embedded)
    return found in _GLOBAL and not any(found in network for network in _V6)


def _parts(origin: str) -> tuple[str, str]:
    """Return scheme and host of a canonical origin; an IPv6 address without brackets."""
    found = _ORIGIN.match(origin)
    assert found is not None, "an origin is in canonical form"
    return found["scheme"], found["six"] or found["host"]


def _is_public_host(host: str) -> bool:
    """Return whether a literal address is public, and whether a name may lead to a public one."""
    labels = host.split(".")
    if ":" in host or labels[-1].isdigit():
        return is_public(host)
    if len(labels) == 1 or _NUMBER.fullmatch(labels[-1]):
        return False
    return not any(host.endswith(f".{name}") for name in LOCAL_NAMES)


def _embedded(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address may stand for or lead to; none for an ordinary one."""
    raw = address.packed
    last = raw[12:]
    found = []
    if address in _MAPPED or address in _NAT64:
        found = [last]
    elif address in _LOCAL_NAT64:
        # only the network knows the length of its prefix (RFC 6052, 2.2): so each reading has to be harmless
        readings = (raw[6:8] + raw[9:11], raw[7:8] + raw[9:12], raw[9:13])
        found = [last, *(each for each in readings if each[0] != 0)]
    elif address in _SIX_TO_FOUR:
        found = [raw[2:6]]
    elif address in _TEREDO:
        found = [raw[4:8], bytes(byte ^ 0xFF for byte in last)]
    return [ipaddress.IPv4Address(each) for each in found]
