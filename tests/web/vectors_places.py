"""Shared vectors of places: their keys, passes and chain values, and histories as their servers have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from snugroom.crypto.entry import places
from snugroom.crypto.entry.invite import chain_next
from snugroom.crypto.kdf import H
from tests.web.cases import ORIGIN, OTHER, Cases, filled

NUMBER: Final = H(b"number")[:16]


def _blob(slot: int) -> bytes:
    return H(f"blob {slot}".encode())


def _history(first: int, last: int, asked: list[tuple[int, bytes]]) -> list[bool]:
    """Whether a history of these slots has these values."""
    chain = H(b"chain")
    history = places.PlaceHistory(NUMBER, [(first, chain, bytes(32))])
    for slot in range(first + 1, last + 1):
        chain = chain_next(chain, slot, _blob(slot))
        history.append(slot, chain, H(_blob(slot)))
    return [history.has(slot, value) for slot, value in asked]


def _opened(first: int, at: int, last: int) -> list[tuple[int, bytes]]:
    """The values of a server whose place was opened at that slot, with slots before and after it."""
    chain = H(b"chain")
    for slot in range(first + 1, at + 1):
        chain = chain_next(chain, slot, _blob(slot))
    value = places.place_chain(chain, NUMBER)
    values = [(at - 1, value), (at, value)]
    for slot in range(at + 1, last + 1):
        value = chain_next(value, slot, _blob(slot))
        values.append((slot, value))
    return values


def cases() -> Cases:
    found = Cases(
        door=lambda key, origin, attempt: places.place_door_key(key, origin, attempt).public,
        opener=lambda seed, origin: places.opener_key(seed, origin).public,
        room_pass=places.place_pass,
        chain=places.place_chain,
        history=_history,
    )
    for origin in (ORIGIN, OTHER):
        for attempt in (0, 1, 1000, 65_535):
            found.do("door", filled("move key"), origin, attempt)
    for wrong in ((bytes(31), ORIGIN, 0), (bytes(32), f"{ORIGIN}/", 0), (bytes(32), ORIGIN, 65_536)):
        found.do("door", *wrong)
    for seed, origin in ((filled("a"), ORIGIN), (filled("a"), OTHER), (bytes(31), ORIGIN), (bytes(32), "x")):
        found.do("opener", seed, origin)
    for operation in ("room_pass", "chain"):
        for value, number in ((filled("a"), NUMBER), (bytes(31), NUMBER), (bytes(32), bytes(15))):
            found.do(operation, value, number)
    for first, at, last in ((0, 0, 3), (5, 6, 9), (0, 3, 70), (0, 6, 70), (0, 7, 70), (0, 70, 70)):
        found.do("history", first, last, _opened(first, at, last))
        found.do("history", first, last, [(slot, bytes(32)) for slot in (first, last)])
    return found


#: By the name of the file.
FILES: Final[dict[str, Callable[[], Any]]] = {"places": cases}
