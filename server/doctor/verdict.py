"""The form of a verdict, and small helpers of all judgments."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

#: Of one machine, of a link, of private networks, and of providers behind NAT.
PRIVATE: Final = [
    ipaddress.ip_network(text)
    for text in (
        *("127.0.0.0/8", "169.254.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
        *("::1/128", "fe80::/10", "fc00::/7"),
    )
]
Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Verdict:
    """One line of the doctor: what is, why that matters or how it comes, and what to do."""

    level: Level
    check: str
    what: str
    why: str = ""
    do: str = ""


def ok(check: str, what: str) -> Verdict:
    """Return the verdict that all is well."""
    return Verdict("ok", check, what)


def shown(addresses: Iterable[str]) -> str:
    """Return a list of addresses or names as text."""
    return ", ".join(addresses)


def is_private(address: str) -> bool:
    """Return whether only this machine or its own network knows `address`."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(found in network for network in PRIVATE)
