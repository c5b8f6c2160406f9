"""Search the memory of this process for a text: "find my name" in the landlord's window.

A search must not find a text only because somebody searches for it. A request therefore has each form of the
text masked (XOR a mask). The search unmasks a form into a buffer of its own, and skips its own buffers.

The kernel copies the memory (``process_vm_readv``, Linux), also for a process that no other one may read.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

#: Bytes that are read at a time, and at most.
_PIECE: Final = 1 << 20
READ_MAX: Final = 1 << 30
FORM_MAX: Final = 512
FORMS_MAX: Final = 32
#: Occurrences of one form that are shown, and the characters before and after each.
_SHOWN: Final = 3
_AROUND: Final = 24
#: Bytes before and after a form that decide whether it is a word: a character of UTF-32.
_MARGIN: Final = 4
_CODECS: Final = {2: "utf-16-le", 4: "utf-32-le"}


class UnreadableError(Exception):
    """This process cannot read its own memory. The text says why."""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One form of a text: its bytes XOR the mask, which repeats.

    `width`: bytes of a character if the form is the text itself, which then counts as whole words only; 0 for
    an encoding of its bytes, such as hex.
    """

    masked: Annotated[bytes, msgspec.Meta(min_length=3, max_length=FORM_MAX)]
    width: Literal[0, 1, 2, 4] = 0


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request: forms under one mask."""

    mask: Annotated[bytes, msgspec.Meta(min_length=16, max_length=64)]
    forms: Annotated[list[Form], msgspec.Meta(min_length=1, max_length=FORMS_MAX)]


class Hits(msgspec.Struct):
    """The occurrences of one form: in files of the program that are mapped into memory, and elsewhere.

    `around`: the first of these others, with the text around them.
    """

    in_files: int = 0
    elsewhere: int = 0
    around: list[str] = []


class Found(msgspec.Struct):
    """The result of a search. `read`: bytes searched; `complete`: these were all. `hits`: by form."""

    read: int
    complete: bool
    hits: list[Hits]


@dataclass(frozen=True)
class Region:
    """A readable mapping: its addresses, and whether it is a file's, which the process cannot change."""

    start: int
    end: int
    file: bool


class _Span(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


@functools.cache
def _reader() -> ctypes._NamedFuncPointer:
    try:
        read = ctypes.CDLL(None, use_errno=True).process_vm_readv
    except AttributeError:
        raise UnreadableError("this system has no process_vm_readv") from None
    read.restype = ctypes.c_ssize_t
    span, count = ctypes.POINTER(_Span), ctypes.c_ulong
    read.argtypes = (ctypes.c_int, span, count, span, count, count)
    return read


class _Buffer:
    """A buffer that keeps its address, for bytes that the search must not find."""

    def __init__(self, size: int) -> None:
        self.data = bytearray(size)
        self._pin = (ctypes.c_char * size).from_buffer(self.data)
        self.start = ctypes.addressof(self._pin)
        self.end = self.start + size

    def read(self, start: int, end: int) -> int:
        """Copy memory from these addresses on; return how many bytes could be copied."""
        here, there = _Span(self.start, end - start), _Span(start, end - start)
        return int(_reader()(os.getpid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0))

    def wipe(self) -> None:
        self.data[:] = bytes(len(self.data))


class _Needle(_Buffer):
    """A form in the clear."""

    def __init__(self, form: Form, mask: bytes) -> None:
        super().__init__(len(form.masked))
        self.width = form.width
        self.hits = Hits(around=[])
        self._places: list[tuple[Region, int]] = []
        for i, byte in enumerate(form.masked):
            self.data[i] = byte ^ mask[i % len(mask)]

    def is_word(self, memory: bytearray, at: int) -> bool:
        """Return whether this occurrence is no part of a longer word."""
        width = self.width
        if not width:
            return True
        end = at + len(self.data)
        inside = self.data[:width], self.data[-width:]
        outside = memory[max(0, at - width) : at], memory[end : end + width]
        return not any(_in_word(own) and _in_word(other) for own, other in zip(inside, outside, strict=True))

    def take(self, region: Region, address: int) -> None:
        """Count an occurrence. Its surroundings are read later: they would be one more occurrence."""
        if region.file:
            self.hits.in_files += 1
            return
        self.hits.elsewhere += 1
        if len(self._places) < _SHOWN:
            self._places.append((region, address))

    def look(self, window: _Buffer) -> Hits:
        """Read what stands around the first occurrences, and return the result."""
        width = self.width or 1
        for region, address in self._places:
            start = max(address - _AROUND * width, region.start)
            start += (address - start) % width
            size = window.read(start, min(address + len(self.data) + _AROUND * width, region.end))
            text = window.data[:size].decode(_CODECS.get(width, "utf-8"), "replace")
            self.hits.around.append("".join(c if c.isprintable() and c != "\ufffd" else "·" for c in text))
        return self.hits


def _in_word(character: bytearray) -> bool:
    value = int.from_bytes(character, "little")
    return 0 < value < 128 and (chr(value).isalnum() or value == ord("_"))


def regions() -> list[Region]:
    """Return the readable mappings of this process. Raises UnreadableError without ``/proc``."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            lines = [line.split(maxsplit=5) for line in maps]
    except OSError as error:
        raise UnreadableError(f"/proc/self/maps: {error.strerror}") from None
    found = []
    for span, access, *rest in lines:
        start, _, end = span.partition("-")
        if access.startswith("r"):
            file = len(rest) == 4 and rest[3].startswith("/") and "w" not in access
            found.append(Region(int(start, 16), int(end, 16), file))
    return found


def search(wanted: Wanted) -> Found:
    """Search all memory of this process. Takes a second or so: call it in a thread, which leaves others time.

    Raises UnreadableError if the system does not let the process read its memory.
    """
    needles = [_Needle(form, wanted.mask) for form in wanted.forms]
    window = _Buffer(_PIECE)
    overlap = max(len(needle.data) for needle in needles) + 2 * _MARGIN
    own = [(each.start, each.end) for each in (window, *needles)]
    read = 0
    complete = True
    try:
        for region, base, size, first, end in _pieces(window, overlap):
            if read >= READ_MAX:
                complete = False
                break
            read += end - first
            for needle in needles:
                at = window.data.find(needle.data, first - base, size)
                while 0 <= at < end - base:
                    address = base + at
                    if not _inside(address, own) and needle.is_word(window.data, at):
                        needle.take(region, address)
                    at = window.data.find(needle.data, at + 1, size)
        return Found(read, complete, [needle.look(window) for needle in needles])
    finally:
        for each in (window, *needles):
            each.wipe()


def _inside(address: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(start <= address < end for start, end in spans)


def _pieces(window: _Buffer, overlap: int) -> Iterator[tuple[Region, int, int, int, int]]:
    """Copy one piece of memory after the other into `window`.

    Yields its region, the address of its first byte, its size, and the addresses between which an occurrence
    has to begin, so that each is seen once, with the bytes around it.
    """
    anything = False
    for region in regions():
        first = region.start
        while first < region.end:
            base = max(region.start, first - _MARGIN)
            wanted = min(len(window.data), region.end - base)
            size = window.read(base, base + wanted)
            if size <= first - base:
                break  # a device, a page of the kernel's, or a mapping that is gone by now
            anything = True
            last = size < wanted or base + size == region.end
            end = base + size if last else base + size - overlap
            yield region, base, size, first, end
            if last:
                break
            first = end
    if not anything:
        raise UnreadableError(os.strerror(ctypes.get_errno()))


def merged(found: list[Found]) -> Found:
    """Return the result of several processes together, which have searched for the same."""
    hits = [Hits(around=[]) for _ in found[0].hits]
    for each in found:
        for whole, part in zip(hits, each.hits, strict=True):
            whole.in_files += part.in_files
            whole.elsewhere += part.elsewhere
            whole.around = (whole.around + part.around)[:_SHOWN]
    return Found(sum(each.read for each in found), all(each.complete for each in found), hits)
