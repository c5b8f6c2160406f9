"""The form of a verdict, and small helpers of all judgments."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

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
    """Return whether `address` is of a private network, of this machine or of no machine."""
    try:
        return not ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:
        return False
