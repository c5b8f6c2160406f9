"""The search of the server's memory and log: the values to search for, and the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from snugroom.lab.demo.facts import Search
from snugroom.lab.demo.memory import Copy, find, forms

#: Bytes from the middle of each frame that are searched for, and their minimum number of different bytes.
#: Silence has fewer.
_SLICE: Final = 16
_DIFFERENT: Final = 10
_FRAME: Final = "frame before sealing"


@dataclass(frozen=True)
class Wanted:
    """Values to search for. `secrets`, by kind (such as "name"), and frames `before` sealing must be absent.

    `known`: values that the server must hold. `after`: sealed frames, which it may hold for retransmission.
    """

    secrets: Mapping[str, Sequence[bytes]] = field(repr=False)
    before: Sequence[bytes] = field(repr=False)
    after: Sequence[bytes] = field(repr=False)
    known: Sequence[bytes] = field(repr=False)


def search(memory: Copy, log: bytes, wanted: Wanted) -> Search:
    """Search for values in every form, and for frames as they are. Takes a second; call it in a thread."""
    shapes = {value: forms(value) for values in wanted.secrets.values() for value in values}
    before, after = slices(wanted.before), slices(wanted.after)
    needles = frozenset[bytes]().union(*shapes.values(), before, after, wanted.known)
    there = memory.find(needles)
    logged = find([log], needles)
    leaked = [
        kind
        for kind, values in wanted.secrets.items()
        for value in values
        if not shapes[value].isdisjoint(there | logged)
    ]
    leaked += [_FRAME] * sum(part in there | logged for part in before)
    return Search(
        searched=memory.read + len(log),
        sought={kind: len(values) for kind, values in wanted.secrets.items()} | {_FRAME: len(before)},
        found=tuple(leaked),
        known=len(wanted.known),
        known_found=sum(value in there for value in wanted.known),
        sealed=len(after),
        sealed_found=sum(part in there for part in after),
    )


def slices(frames: Sequence[bytes]) -> list[bytes]:
    """Return the middles of the frames, without middles that could occur by chance."""
    middles = [frame[len(frame) // 2 : len(frame) // 2 + _SLICE] for frame in frames]
    return [part for part in middles if len(part) == _SLICE and len(set(part)) >= _DIFFERENT]
