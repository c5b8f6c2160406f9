"""Shared vectors of the addresses to which a meeting leads."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address

from snugroom.client.session import addresses
from snugroom.crypto.entry import invite
from snugroom.wire import limits
from tests.session.test_addresses import FIRST, ORIGINS, OTHER_IPV6, embedded
from tests.web.cases import Cases


def cases() -> Cases:
    found = Cases(objection=addresses.objection, public=addresses.is_public)
    for origin in ORIGINS:
        found.do("objection", FIRST, origin)
        found.do("objection", origin, "http://10.0.0.1")
    fours = [IPv4Address("8.8.8.8")]
    for network in limits.SPECIAL_IPV4:
        start = IPv4Address(network.partition("/")[0])
        fours += [start, IPv4Address(max(int(start) - 1, 0))]
    source = random.Random(1)
    fours += [IPv4Address(source.getrandbits(32)) for _ in range(20)]
    for four in fours:
        found.do("public", str(four))
    for four in fours[::3]:
        for six in embedded(four).values():
            # not `str`: Python's own format depends on its version
            found.do("public", invite._compressed(six.packed))
    for text in OTHER_IPV6.split():
        found.do("public", text)
    for _ in range(40):
        found.do("public", invite._compressed(IPv6Address(1 << 125 | source.getrandbits(125)).packed))
    return found


FILES = {"addresses": cases}
