"""Reading another process's memory, and searching what was read (Linux, ``/proc/PID/mem``).

A copy is taken first and searched later: the process goes on undisturbed, and the search can take its time.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

_PIECE: Final = 1 << 20
_HEAD: Final = 4
#: More than this (bytes) is not copied.
COPY_MAX: Final = 1 << 30


class UnreadableError(Exception):
    """The memory of that process can't be read here; the text says why."""


@dataclass(frozen=True)
class Copy:
    """What a process held: `regions` without pieces that are all zero, `read` bytes with them."""

    regions: tuple[bytes, ...] = field(repr=False)
    read: int

    def find(self, needles: Iterable[bytes]) -> frozenset[bytes]:
        """Which of these (of at least 4 bytes each) are in there."""
        return find(self.regions, needles)


def find(regions: Iterable[bytes], needles: Iterable[bytes]) -> frozenset[bytes]:
    """Which of the needles (of at least 4 bytes each) are in any of the regions.

    One pass for all of them: pairs of bytes that begin none are passed over by table.
    """
    by_head: dict[bytes, list[bytes]] = {}
    first, second = np.zeros(1 << 16, np.bool_), np.zeros(1 << 16, np.bool_)
    for needle in set(needles):
        if len(needle) < _HEAD:
            raise ValueError(f"a needle of {len(needle)} bytes is found anywhere")
        by_head.setdefault(needle[:_HEAD], []).append(needle)
        first[int.from_bytes(needle[:2], "little")] = True
        second[int.from_bytes(needle[2:4], "little")] = True
    found: set[bytes] = set()
    for region in regions:
        whole = np.frombuffer(region, np.uint8)
        for start in range(0, len(region) - _HEAD + 1, _PIECE):
            piece = whole[start : start + _PIECE + _HEAD - 1].astype(np.uint16)
            pairs = piece[:-1] | piece[1:] << 8
            for at in start + np.flatnonzero(first[pairs[:-2]] & second[pairs[2:]]):
                for needle in by_head.get(region[at : at + _HEAD], ()):
                    if region.startswith(needle, at):
                        found.add(needle)
    return frozenset(found)


def copy(pid: int) -> Copy:
    """All readable mappings of a process, file mappings too. Takes some 0.1 s; call it in a thread."""
    regions: list[bytes] = []
    run: list[bytes] = []
    run_end = read = kept = 0
    try:
        with open(f"/proc/{pid}/maps") as maps:
            mappings = [_mapping(line) for line in maps]
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    except OSError as error:
        raise UnreadableError(f"{error.strerror}: {error.filename}") from None
    try:
        for start, end, readable in mappings:
            if not readable:
                continue
            for at in range(start, end, _PIECE):
                try:
                    piece = os.pread(memory, min(_PIECE, end - at), at)
                except (OSError, OverflowError):
                    break  # devices and the kernel's own pages, and what was unmapped meanwhile
                read += len(piece)
                empty = not piece.strip(b"\0")
                if empty or at != run_end:
                    regions.append(b"".join(run))
                    run = []
                if not empty:
                    kept += len(piece)
                    if kept > COPY_MAX:
                        raise UnreadableError(f"it is larger than {COPY_MAX >> 20} MB")
                    run.append(piece)
                    run_end = at + len(piece)
    finally:
        os.close(memory)
    regions.append(b"".join(run))
    if not read:
        raise UnreadableError("nothing of it is readable")
    return Copy(tuple(r for r in regions if r), read)


def _mapping(line: str) -> tuple[int, int, bool]:
    span, access = line.split()[:2]
    start, _, end = span.partition("-")
    return int(start, 16), int(end, 16), access.startswith("r")


def forms(value: bytes) -> frozenset[bytes]:
    """A value as it may stand in memory: raw, in hex, and in base64 whatever stands before it.

    Both alphabets of base64; of the characters that depend on neighbours none. Values have at least 6 bytes.
    """
    out = {value, value.hex().encode(), value.hex().upper().encode()}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(bytes(before) + value).rstrip(b"=")
            # whole characters of the value's own bits alone
            first = -(-before * 8 // 6)
            last = (before + len(value)) * 8 // 6
            out.add(encoded[first:last])
    return frozenset(out)
