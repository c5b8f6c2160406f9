"""Read another process's memory and search it (Linux, ``/proc/PID/mem``).

The memory is copied first and searched later, so that the process continues undisturbed and the search can
take its time.
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
#: Maximum size of a copy in bytes.
COPY_MAX: Final = 1 << 30


class UnreadableError(Exception):
    """The memory of that process cannot be read here. The message says why."""


@dataclass(frozen=True)
class Copy:
    """The memory of a process: `regions` without pieces that are all zero, `read` bytes including them."""

    regions: tuple[bytes, ...] = field(repr=False)
    read: int

    def find(self, needles: Iterable[bytes]) -> frozenset[bytes]:
        """Return the needles (of at least 4 bytes each) that occur in the copy."""
        return find(self.regions, needles)


def find(regions: Iterable[bytes], needles: Iterable[bytes]) -> frozenset[bytes]:
    """Return the needles (of at least 4 bytes each) that occur in any region. ValueError for a shorter one.

    One pass finds all of them. Tables skip pairs of bytes that begin no needle.
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
    """Copy all readable mappings of a process, including files. It can take seconds; call it in a thread."""
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
                    break  # devices, the kernel's own pages, and mappings that are gone by now
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


def copy_all(pids: Iterable[int]) -> Copy:
    """Copy all readable mappings of several processes. UnreadableError if one of them can't be read."""
    copies = [copy(pid) for pid in pids]
    return Copy(tuple(region for each in copies for region in each.regions), sum(c.read for c in copies))


def _mapping(line: str) -> tuple[int, int, bool]:
    span, access = line.split()[:2]
    start, _, end = span.partition("-")
    return int(start, 16), int(end, 16), access.startswith("r")


def forms(value: bytes) -> frozenset[bytes]:
    """Return the forms in which a value may be in memory: raw, in hex, and in base64 at any position.

    Both base64 alphabets are included, without the characters that also depend on neighbouring bytes. Values
    have at least 6 bytes.
    """
    out = {value, value.hex().encode(), value.hex().upper().encode()}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(bytes(before) + value).rstrip(b"=")
            # only characters that consist of the value's own bits
            first = -(-before * 8 // 6)
            last = (before + len(value)) * 8 // 6
            out.add(encoded[first:last])
    return frozenset(out)
