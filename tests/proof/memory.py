"""Search bytes, and the whole memory of a process, for many canaries at once, however they are written.

A canary is something that must not be where it is looked for. Each is searched as it is (raw), in hex (both
cases), and in base64 (both alphabets, at each of the three places where it can stand in a group of three
bytes, by those characters that depend on nothing around it); texts also as Python and JSON hold them.

One pass over the memory looks up every 8 bytes in a table of all patterns' beginnings, so that thousands
of canaries cost hardly more than one.
"""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

#: What was found: for each canary (encoding, address).
Found = dict[str, list[tuple[str, int]]]

_HEAD = 8
#: A canary has at least so many bytes: fewer would be found anywhere.
SHORTEST = 8
_CHUNK = 1 << 22
_TABLE_BITS = 22
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - _TABLE_BITS)
#: Places kept for each canary and encoding.
_PLACES = 8
#: The kernel's own, mapped into every process; some can't be read by anybody.
_KERNEL = ("[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]")


def base64_core(data: bytes, before: int, *, url: bool = False) -> bytes:
    """Those base64 characters of `data`, `before` bytes (0 to 2) into a group, that hang on `data` alone."""
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    whole = encode(bytes(before) + data)
    first = (before * 8 + 5) // 6
    last = (before + len(data)) * 8 // 6
    return whole[first:last]


def encodings(canary: bytes | str) -> Iterator[tuple[str, bytes]]:
    """All the ways to write a canary: (encoding's name, bytes)."""
    raw = canary.encode() if isinstance(canary, str) else canary
    if len(raw) < SHORTEST:
        raise ValueError(f"a canary of {len(raw)} bytes is too short to be told from chance")
    yield "raw", raw
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    for before in range(3):
        standard, safe = base64_core(raw, before), base64_core(raw, before, url=True)
        yield f"base64+{before}", standard
        if safe != standard:
            yield f"base64url+{before}", safe
    if isinstance(canary, str):
        yield "utf-16", canary.encode("utf-16-le")
        yield "utf-32", canary.encode("utf-32-le")
        if not canary.isascii():
            yield "json", json.dumps(canary)[1:-1].encode()
            if all(ord(c) < 256 for c in canary):
                yield "latin-1", canary.encode("latin-1")


class Searcher:
    """Looks for a fixed set of canaries, by name."""

    def __init__(self, canaries: Mapping[str, bytes | str]) -> None:
        self._patterns: dict[int, list[tuple[bytes, str, str]]] = {}
        self._longest = _HEAD
        for name, canary in canaries.items():
            for encoding, pattern in encodings(canary):
                head = int.from_bytes(pattern[:_HEAD], "little")
                self._patterns.setdefault(head, []).append((pattern, name, encoding))
                self._longest = max(self._longest, len(pattern))
        self._heads = np.array(sorted(self._patterns), np.uint64)
        self._table = np.zeros(1 << _TABLE_BITS, bool)
        self._table[(self._heads * _FACTOR) >> _SHIFT] = True

    def search(self, data: bytes, base: int = 0, found: Found | None = None) -> Found:
        """All canaries in `data`, which stands at address `base`; added to `found` if that is given."""
        found = {} if found is None else found
        for start in range(0, len(data), _CHUNK):
            # what begins in a chunk may end behind it
            self._chunk(data[start : start + _CHUNK + self._longest], base + start, found)
        return found

    def _chunk(self, data: bytes, base: int, found: Found) -> None:
        if not len(self._heads):
            return
        for shift in range(_HEAD):
            count = (len(data) - shift) // _HEAD
            if count <= 0:
                return
            words = np.frombuffer(data, "<u8", count, shift)
            likely = np.flatnonzero(self._table[(words * _FACTOR) >> _SHIFT])
            if not len(likely):
                continue
            place = np.searchsorted(self._heads, words[likely])
            place[place == len(self._heads)] = 0
            for index in likely[self._heads[place] == words[likely]]:
                at = int(index) * _HEAD + shift
                for pattern, name, encoding in self._patterns[int(words[index])]:
                    if data.startswith(pattern, at):
                        self._note(found, name, encoding, base + at)

    @staticmethod
    def _note(found: Found, name: str, encoding: str, address: int) -> None:
        places = found.setdefault(name, [])
        if (encoding, address) not in places and sum(e == encoding for e, _ in places) < _PLACES:
            places.append((encoding, address))


@dataclass(frozen=True)
class Mapping_:
    """One mapping of a process, as it was read."""

    address: int
    label: str
    data: bytes


@dataclass(frozen=True)
class Snapshot:
    """All that a process could read of its own memory at one moment."""

    mappings: list[Mapping_]
    #: Mappings that are readable, and that nobody could read from outside.
    unread: list[str]

    @property
    def size(self) -> int:
        return sum(len(m.data) for m in self.mappings)

    def search(self, canaries: Mapping[str, bytes | str]) -> Found:
        """The canaries that are there, with encodings and addresses."""
        searcher = Searcher(canaries)
        found: Found = {}
        for mapping in self.mappings:
            searcher.search(mapping.data, mapping.address, found)
        return found


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """Hold a child still: what moves while it is read could be missed."""
    os.kill(pid, signal.SIGSTOP)
    try:
        # a stop is a request: it is done when the kernel says so
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def snapshot(pid: int) -> Snapshot:
    """Read every readable mapping of a child process, which stands still meanwhile (well under a second).

    PermissionError if the process may not be traced.
    """
    mappings, unread = [], []
    with _stopped(pid), open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                fields = line.split(maxsplit=5)
                label = fields[5].strip() if len(fields) > 5 else ""
                if "r" not in fields[1] or label in _KERNEL:
                    continue
                low, high = (int(part, 16) for part in fields[0].split("-"))
                data, whole = _read(memory.fileno(), low, high)
                mappings.append(Mapping_(low, label, data))
                if not whole:
                    unread.append(f"{fields[0]} {label}")
    return Snapshot(mappings, unread)


def _read(file: int, low: int, high: int) -> tuple[bytes, bool]:
    parts = []
    at = low
    while at < high:
        try:
            part = os.pread(file, min(_CHUNK, high - at), at)
        except OSError:
            break  # behind the end of a file that is mapped, or a device's
        if not part:
            break
        parts.append(part)
        at += len(part)
    return b"".join(parts), at == high


def search(pid: int, canaries: Mapping[str, bytes | str]) -> Found:
    """Search the whole memory of a child process; see `snapshot`."""
    return snapshot(pid).search(canaries)


def search_all(pieces: Iterable[bytes], canaries: Mapping[str, bytes | str]) -> Found:
    """Search some byte strings, each by itself; the addresses are offsets."""
    searcher = Searcher(canaries)
    found: Found = {}
    for piece in pieces:
        searcher.search(piece, 0, found)
    return found
