"""The presentation language of RFC 9420 section 2.1: integers, vectors with variable-size headers, optionals.

Decoding is strict, so every value has exactly one encoding: a length header that is longer than needed, a
presence octet other than 0 and 1, and trailing bytes raise `MalformedError`. Re-encoding a decoded object
therefore returns the bytes that were signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from snugroom.crypto.errors import MalformedError

T = TypeVar("T")

#: The longest vector in bytes that a header can announce.
MAX_VECTOR = 2**30 - 1


def u8(value: int) -> bytes:
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def varint(value: int) -> bytes:
    """Encode a length header of 1, 2 or 4 bytes, the shortest that holds `value` (RFC 9420 section 2.1.2)."""
    if value < 0x40:
        return u8(value)
    if value < 0x4000:
        return u16(value | 0x4000)
    if value <= MAX_VECTOR:
        return u32(value | 0x8000_0000)
    raise ValueError(f"a vector of {value} bytes is too long for MLS")


def opaque(data: bytes | bytearray) -> bytes:
    """Encode `opaque data<V>`."""
    return varint(len(data)) + data


def vector(items: Iterable[bytes]) -> bytes:
    """Encode `T items<V>` from encoded items."""
    return opaque(b"".join(items))


def optional(item: bytes | None) -> bytes:
    """Encode `optional<T>` from an encoded item (RFC 9420 section 2.1.1)."""
    return b"\x00" if item is None else b"\x01" + item


class Reader:
    """Reads values from bytes, front to back. Raises `MalformedError` on non-canonical input."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = bytes(data)
        self._position = 0
        self._end = len(self._data)

    @property
    def remaining(self) -> int:
        """Number of unread bytes."""
        return self._end - self._position

    def take(self, length: int) -> bytes:
        """Read the next `length` bytes."""
        start, stop = self._position, self._position + length
        if stop > self._end:
            raise MalformedError(f"{length} bytes were announced where {self.remaining} are left")
        self._position = stop
        return self._data[start:stop]

    def _integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def u8(self) -> int:
        return self._integer(1)

    def u16(self) -> int:
        return self._integer(2)

    def u32(self) -> int:
        return self._integer(4)

    def u64(self) -> int:
        return self._integer(8)

    def varint(self) -> int:
        """Read a length header. The prefix 11 and encodings longer than needed are rejected."""
        first = self.u8()
        prefix = first >> 6
        if prefix == 3:
            raise MalformedError("a vector's length header has the invalid prefix 11")
        value = first & 0x3F
        for byte in self.take((1 << prefix) - 1):
            value = value << 8 | byte
        if (prefix == 1 and value < 0x40) or (prefix == 2 and value < 0x4000):
            raise MalformedError("a vector's length header is longer than needed")
        return value

    def opaque(self) -> bytes:
        return self.take(self.varint())

    def vector(self, read: Callable[[Reader], T]) -> tuple[T, ...]:
        """Read `T items<V>`, each item with `read`, which must consume at least one byte."""
        inner = Reader(self.opaque())
        items = []
        while inner.remaining:
            items.append(read(inner))
        return tuple(items)

    def optional(self, read: Callable[[Reader], T]) -> T | None:
        present = self.u8()
        if present > 1:
            raise MalformedError(f"an optional's presence octet is {present}")
        return read(self) if present else None

    def rest(self) -> bytes:
        """Read all remaining bytes."""
        return self.take(self.remaining)

    def finish(self) -> None:
        """Raise `MalformedError` if bytes remain."""
        if self.remaining:
            raise MalformedError(f"{self.remaining} bytes are left over at the end")


def decode(data: bytes, read: Callable[[Reader], T]) -> T:
    """Read exactly one value that occupies all of `data`."""
    reader = Reader(data)
    value = read(reader)
    reader.finish()
    return value
