"""Lines that a server with a certificate of its own prints for people: where to go, and what to check."""

from __future__ import annotations

import os
import sys
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from snugroom.server import qr
from snugroom.server.addresses import Addresses, Found, is_loopback
from snugroom.server.tls import SELF_SIGNED, Certificate

#: Further addresses that are listed: a machine with containers has dozens.
_OTHERS_MAX: Final = 4
#: Black on white, whatever the terminal's colours are; and the end of that.
_PAPER, _END = "\x1b[30;47m", "\x1b[0m"
_WARNING: Final = (
    "A browser warns at its first visit, because no authority has signed this certificate. View the "
    "certificate there, and compare its SHA-256 fingerprint with the one above. Go on only if both are equal."
)


class Screen(NamedTuple):
    """A terminal: its width in characters, and its encoding."""

    columns: int
    encoding: str


def screen() -> Screen | None:
    """Return the terminal at standard output; None for a file, a pipe, or no colours."""
    if not os.isatty(1) or os.environ.get("TERM", "dumb") == "dumb":
        return None
    return Screen(os.get_terminal_size(1).columns, sys.stdout.encoding)


def lines(origin: str, where: Addresses, certificate: Certificate, shown_at: Screen | None) -> list[str]:
    """Return the lines, with a QR code of `origin` if `shown_at` has room; none for another's certificate."""
    if not certificate.own:
        return []
    told = [] if is_loopback(urlsplit(origin).hostname or "") else _invitation(origin, shown_at)
    if where.chosen is not None and where.others:
        told.append(_choice(where.chosen, where.others, urlsplit(origin).port or 443))
    return [*told, _WARNING, _keeping(certificate)]


def _invitation(origin: str, shown_at: Screen | None) -> list[str]:
    code = None if shown_at is None else qr.fitting(origin, *shown_at)
    if code is None:
        return [f"open {origin} on any device in this network"]
    told = f"open {origin} on any device in this network, or scan it:"
    return [told, *(f"{_PAPER}{line}{_END}" for line in code)]


def _choice(chosen: Found, others: list[Found], port: int) -> str:
    listed = ", ".join(f"{each.address} ({each.interface})" for each in others[:_OTHERS_MAX])
    more = ", ..." if len(others) > _OTHERS_MAX else ""
    another = others[0].address
    listen = f"[{another}]:{port}" if ":" in another else f"{another}:{port}"
    return (
        f"The server chose the address {chosen.address} ({chosen.interface}). This machine also has "
        f"{listed}{more}. For another one, start with --listen {listen}."
    )


def _keeping(certificate: Certificate) -> str:
    if certificate.file is None:
        return (
            "The certificate is new at each start, and browsers warn each time. "
            f"To keep it, start with --tls {SELF_SIGNED} FILE."
        )
    if certificate.made:
        return f"The certificate is new. It is kept in {certificate.file} for the next starts."
    return f"The certificate is the one kept in {certificate.file}."
