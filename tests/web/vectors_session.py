"""Shared vectors of sessions, beside cryptography.

Freshness, draws of invites, names of files, oddities of a name, and the contact book's bytes.
"""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from snugroom.client.session.entry import contacts, identity_check, invites
from snugroom.client.session.features import filesharing
from snugroom.client.session.monitor.freshness import Freshness
from snugroom.client.session.monitor.heartbeats import interval
from snugroom.crypto.proof.identity import IdentityKey, fingerprint

_CHARACTERS: Final = (
    *range(0x20, 0x100),
    *(0x2D0, 0x300, 0x61C, 0x1680, 0x180E, 0x2000, 0x200B, 0x200D, 0x2028, 0x202E, 0x2060, 0x3000, 0x4E00),
    *(0xAC00, 0xD7A4, 0xE000, 0xFE0F, 0xFEFF, 0xFF21, 0xFFFD, 0xFFFF, 0x1F600, 0x1F1E6, 0xE0001, 0x10FFFF),
)
_NAMES: Final = ("Ada", "ADA", "A da", "Bo", "Bó", "\u0410da", "Cem")


def _freshness(draw: random.Random) -> list[dict[str, Any]]:
    cases = []
    for _ in range(60):
        others = {leaf: draw.random() < 0.3 for leaf in draw.sample(range(20), draw.randrange(1, 9))}
        words = [
            (leaf, until, until + draw.choice((-5, 0, 45)))
            for leaf in others
            for until in draw.sample(range(100), draw.randrange(3))
        ]
        host, now = draw.random() < 0.4, draw.randrange(100)
        fresh = Freshness()
        for leaf, until, lease in words:
            fresh.confirm(leaf, until, lease)
        ended = [leaf for leaf in others if draw.random() < 0.2]
        for leaf in ended:
            fresh.end_lease(leaf)
        lacks = fresh.lacks(others, now, host=host)
        cases.append(
            {
                "others": list(others.items()),
                "words": words,
                "host": host,
                "now": now,
                "ended": ended,
                "until": fresh.until(others, host=host),
                "lacks": [lacks.no_host, lacks.few],
                "missing": fresh.missing(others, now),
            }
        )
    return cases


def _draws(draw: random.Random) -> list[dict[str, Any]]:
    cases = []
    for _ in range(20):
        known = draw.sample(range(1 << 16), 40)
        drawn = [draw.choice([known[0], 0, 0xFFFF, 0x7FFF, draw.randrange(1 << 16)]) for _ in range(30)]
        left = [number.to_bytes(2, "big") for number in reversed(drawn)]
        single = draw.random() < 0.5
        book = invites.InviteBook()
        index = book.make("", single, bytes(32), known, partial(_next, left))
        cases.append({"known": known, "drawn": drawn, "single": single, "index": index})
    return cases


def _next(left: list[bytes], _: int) -> bytes:
    return left.pop()


def _looks() -> list[dict[str, Any]]:
    keys = {name: IdentityKey(bytes([n]) * 32).public for n, name in enumerate(("Ada", "Bo", "Eve"), 1)}
    book = contacts.Contacts(IdentityKey(bytes([9]) * 32))
    book.learn(keys["Ada"], "Ada", 0.0, verified=True)
    book.learn(keys["Bo"], "Bo", 0.0)
    waiting = [(3, "Cem"), (4, "CEM")]
    cases = []
    for name in _NAMES:
        for public in (None, *keys.values()):
            seen = identity_check.check_identity(name, public, book, waiting=waiting)
            cases.append(
                {
                    "name": name,
                    "public": None if public is None else public.hex(),
                    "standing": seen.standing,
                    "contact": seen.contact,
                    "fingerprint": seen.fingerprint,
                    "warnings": list(seen.warnings),
                }
            )
    return cases


def _book() -> dict[str, Any]:
    book = contacts.Contacts(IdentityKey(bytes(range(32))))
    for n, name in enumerate(("Zoë", "ada", "Bo", "äva", "\u5927", "Straße"), 1):
        public = IdentityKey(bytes([n]) * 32).public
        if n % 2:
            book.learn(public, name, 1000.5 * n, verified=n == 3)
        else:
            book.add(fingerprint(public), name, 1000.5 * n)
    return {"data": b64encode(book.encode()).decode(), "names": [c.petname for c in book.everybody()]}


def vectors() -> dict[str, Any]:
    """Deterministic."""
    draw = random.Random("session")
    return {
        "freshness": _freshness(draw),
        "intervals": [[n, interval(n)] for n in (1, 2, 49, 50, 51, 100, 1000)],
        "draws": _draws(draw),
        "file_names": [[c, filesharing.is_name(f"a{chr(c)}b")] for c in _CHARACTERS],
        "pieces": [[n, filesharing.pieces_of(n)] for n in (1, 61_439, 61_440, 61_441, 8 * 1024 * 1024)],
        "looks": _looks(),
        "book": _book(),
    }


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {"session": vectors}
