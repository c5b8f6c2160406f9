"""Search bytes, and the whole memory of a process, for many canaries at once, however they are written.

A canary is something that must not be where it is looked for. Each is searched as it is (raw), in hex (both
cases), and in base64 (both alphabets, at each of the three places where it can stand in a group of three
bytes, by those characters that depend on nothing around it); texts also as Python and JSON hold them.

Thousands of canaries cost hardly more than one: wherever a pattern of at least 11 bytes stands, one of its
first four runs of 8 bytes stands at a multiple of 4. So all these runs are put into a table, and the memory
is looked up in it at multiples of 4.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from tests.patience import PATIENCE

#: What was found: for each canary (encoding, address).
Found = dict[str, list[tuple[str, int]]]

_RUN = 8
_STEP = 4
#: A canary has at least so many bytes.
SHORTEST = _RUN + _STEP - 1
_CHUNK = 1 << 18  # the work on it stays in the processor's cache
_BLOCK = 1 << 16
_TABLE_BITS = 21
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
    if len(raw) < SHORTEST or bytes(_RUN) in raw[:SHORTEST]:
        raise ValueError(f"a canary of {len(raw)} bytes is too short, or too plain, to be told from chance")
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
        # by a run of 8 bytes: where in the pattern it stands, the pattern, its canary and encoding
        self._patterns: dict[int, list[tuple[int, bytes, str, str]]] = {}
        for name, canary in canaries.items():
            for encoding, pattern in encodings(canary):
                for offset in range(_STEP):
                    run = int.from_bytes(pattern[offset : offset + _RUN], "little")
                    self._patterns.setdefault(run, []).append((offset, pattern, name, encoding))
        self._runs = np.array(sorted(self._patterns), np.uint64)
        self._table = np.zeros(1 << _TABLE_BITS, bool)
        self._table[(self._runs * _FACTOR) >> _SHIFT] = True

    def search(self, data: bytes, base: int = 0, found: Found | None = None) -> Found:
        """All canaries in `data`, which stands at address `base`; added to `found` if that is given."""
        found = {} if found is None else found
        # the last bytes must be part of a whole run too
        data = data + bytes(_RUN)
        for start in range(0, len(data), _CHUNK):
            self._chunk(data, start, min(start + _CHUNK + _RUN, len(data)), base, found)
        return found

    def _chunk(self, data: bytes, start: int, end: int, base: int, found: Found) -> None:
        if not len(self._runs) or not data[start:end].strip(b"\0"):
            return  # no run is all zeros, and untouched memory is
        for first in (start, start + _STEP):
            count = (end - first) // _RUN
            if count <= 0:
                continue
            words = np.frombuffer(data, "<u8", count, first)
            # a hash below 2^21 is the same number signed, and that is what `take` wants
            likely = np.flatnonzero(self._table.take(((words * _FACTOR) >> _SHIFT).view(np.int64)))
            if not len(likely):
                continue
            place = np.searchsorted(self._runs, words[likely])
            place[place == len(self._runs)] = 0
            for index in likely[self._runs[place] == words[likely]]:
                for offset, pattern, name, encoding in self._patterns[int(words[index])]:
                    at = first + int(index) * _RUN - offset
                    if at >= 0 and data.startswith(pattern, at):
                        self._note(found, name, encoding, base + at)

    @staticmethod
    def _note(found: Found, name: str, encoding: str, address: int) -> None:
        places = found.setdefault(name, [])
        if (encoding, address) not in places and sum(e == encoding for e, _ in places) < _PLACES:
            places.append((encoding, address))


class Held:
    """Blocks of memory as they were read, equal ones once: in a file, because they are a gigabyte in all."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - `let_go` closes it
        self._places: dict[bytes, int] = {}
        self._end = 0

    def keep(self, block: bytes) -> tuple[int, bytes]:
        """Hold a block; its place in the file, and its SHA-256."""
        digest = sha256(block).digest()
        place = self._places.get(digest)
        if place is None:
            place = self._places[digest] = self._end
            assert os.pwrite(self._file.fileno(), block, place) == len(block), "the disk is full"
            self._end += len(block)
        return place, digest

    def read(self, place: int, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, place)

    def let_go(self) -> None:
        """Forget all that was read."""
        self._file.close()

    def __del__(self) -> None:
        self.let_go()


@dataclass(repr=False)
class Region:
    """One mapping of a process, as it was read: (place, size) of its blocks."""

    address: int
    label: str
    size: int
    digest: bytes
    held: Held
    blocks: list[tuple[int, int]]

    @property
    def data(self) -> bytes:
        return b"".join(self.held.read(place, size) for place, size in self.blocks)


@dataclass(frozen=True, repr=False)
class Snapshot:
    """All that a process could read of its own memory at one moment."""

    regions: list[Region]
    #: Mappings that are readable, and that nobody could read from outside.
    unread: list[str]

    @property
    def size(self) -> int:
        return sum(r.size for r in self.regions)

    def search(self, canaries: Mapping[str, bytes | str]) -> Found:
        """The canaries that are there, with encodings and addresses."""
        return search_snapshots([self], canaries)[0]


def search_snapshots(snapshots: Iterable[Snapshot], canaries: Mapping[str, bytes | str]) -> list[Found]:
    """The same in several snapshots. Equal parts, such as libraries, are searched once."""
    searcher = Searcher(canaries)
    known: dict[bytes, Found] = {}
    results = []
    for whole in snapshots:
        found: Found = {}
        for region in whole.regions:
            if region.digest not in known:
                known[region.digest] = searcher.search(region.data)
            for name, places in known[region.digest].items():
                found.setdefault(name, []).extend((e, region.address + at) for e, at in places)
        results.append(found)
    return results


def _states(process: Path) -> set[str]:
    """The states of all threads, as proc(5) has them: T is stopped."""
    stats = [(task / "stat").read_text() for task in (process / "task").iterdir()]
    return {stat.rpartition(")")[2].split()[0] for stat in stats}


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """Hold a process still: what moves while it is read could be missed."""
    os.kill(pid, signal.SIGSTOP)
    try:
        # a stop is a request: it is done when the kernel says so
        end = time.monotonic() + PATIENCE
        while not _states(Path("/proc", str(pid))) <= {"T", "t", "X", "Z"}:
            assert time.monotonic() < end, f"process {pid} does not stop"
            time.sleep(0.001)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def snapshot(pid: int, held: Held | None = None) -> Snapshot:
    """Read every readable mapping of a process, which stands still meanwhile (well under a second).

    Several snapshots in one `held` hold equal blocks once. PermissionError if the process may not be traced.
    """
    held = held or Held()
    regions, unread = [], []
    process = Path("/proc", str(pid))
    with _stopped(pid), (process / "mem").open("rb", buffering=0) as memory:
        for line in (process / "maps").read_text(encoding="utf-8", errors="replace").splitlines():
            fields = line.split(maxsplit=5)
            label = fields[5].strip() if len(fields) > 5 else ""
            if "r" not in fields[1] or label in _KERNEL:
                continue
            low, high = (int(part, 16) for part in fields[0].split("-"))
            region = Region(low, label, *_read(memory.fileno(), low, high, held))
            regions.append(region)
            if low + region.size < high:
                unread.append(f"{fields[0]} {label}")
    return Snapshot(regions, unread)


def processes(pid: int) -> list[int]:
    """A process and its children: a server and its media workers."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    return [pid, *map(int, children.split())]


def snapshot_all(pid: int, held: Held | None = None) -> Snapshot:
    """Read a process and its children, one after the other; see `snapshot`."""
    held = held or Held()
    parts = []
    for each in processes(pid):
        try:
            parts.append(snapshot(each, held))
        except (ProcessLookupError, FileNotFoundError):
            assert each != pid, "the server has ended"  # a spare worker may be replaced meanwhile
    assert len(parts) > 1, "media has a process of its own"
    return Snapshot([r for part in parts for r in part.regions], [u for part in parts for u in part.unread])


def _read(file: int, low: int, high: int, held: Held) -> tuple[int, bytes, Held, list[tuple[int, int]]]:
    """Return what a `Region` has of these addresses."""
    blocks: list[tuple[int, int]] = []
    digests = sha256()
    at = low
    while at < high:
        try:
            part = os.pread(file, min(_BLOCK, high - at), at)
        except OSError:
            break  # behind the end of a file that is mapped, or a device's
        if not part:
            break
        place, digest = held.keep(part)
        blocks.append((place, len(part)))
        digests.update(digest)
        at += len(part)
    return at - low, digests.digest(), held, blocks


def search(pid: int, canaries: Mapping[str, bytes | str]) -> Found:
    """Search the whole memory of a child process; see `snapshot`."""
    return snapshot(pid).search(canaries)
