"""Reading another process's memory, and searching what was read (Linux, ``/proc/PID/mem``).

A copy is taken first and searched later: the process goes on undisturbed, and the search can take its time.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_PIECE: Final = 1 << 20
#: More than this (bytes) is not copied.
COPY_MAX: Final = 1 << 30


class UnreadableError(Exception):
    """The memory of that process can't be read here; the text says why."""


@dataclass(frozen=True)
class Copy:
    """What a process held: `regions` without pieces that are all zero, `read` bytes with them."""

    regions: tuple[bytes, ...] = field(repr=False)
    read: int

    def holds(self, needles: Iterable[bytes]) -> bool:
        """Whether any of these is in there."""
        return any(needle in region for needle in needles for region in self.regions)


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
