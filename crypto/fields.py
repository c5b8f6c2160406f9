"""Byte fields of Snug's own messages: length prefixes, a strict reader, zero padding.

All data that Snug signs, hashes or seals outside MLS is a concatenation of fields. Integers are big-endian;
variable-length fields have a length prefix of 1, 2 or 4 bytes. Each value has exactly one encoding: decoding
rejects trailing bytes and non-zero padding.
"""

from __future__ import annotations

from typing import Final

from snugroom.crypto.errors import MalformedError

#: Largest integer. A browser's integers are exact up to it, and all members must read the same.
UINT_MAX: Final = (1 << 53) - 1


def uint(value: int, size: int) -> bytes:
    """Encode `value` in `size` bytes, big-endian. MalformedError if it does not fit or is above 2^53 - 1."""
    if not 0 <= value <= UINT_MAX or value >= 1 << (8 * size):
        raise MalformedError(f"{value} is not an unsigned integer of {size} bytes")
    return value.to_bytes(size, "big")


def prefixed(data: bytes, size: int) -> bytes:
    """Return `data` after its length in `size` bytes. MalformedError if the length does not fit."""
    if len(data) >= 1 << (8 * size):
        raise MalformedError(f"{len(data)} bytes are too many for a length of {size} bytes")
    return len(data).to_bytes(size, "big") + data


def exactly(data: bytes, size: int, what: str) -> bytes:
    """Return `data` if it has `size` bytes. Otherwise MalformedError that names `what`."""
    if len(data) != size:
        raise MalformedError(f"{what} has {size} bytes, not {len(data)}")
    return data


def padded(data: bytes, size: int) -> bytes:
    """Return `data` after its length (4 bytes), zero-padded to `size` bytes. MalformedError if too long."""
    whole = prefixed(data, 4)
    if len(whole) > size:
        raise MalformedError(f"{len(data)} bytes don't fit in {size}")
    return whole.ljust(size, b"\0")


def unpadded(data: bytes) -> bytes:
    """Return the data passed to `padded`. MalformedError if the padding is not all zeros."""
    reader = Reader(data)
    inner = reader.prefixed(4)
    rest = reader.rest()
    if rest.count(0) != len(rest):
        raise MalformedError("the padding must be zero")
    return inner


class Reader:
    """Reads fields from the front of `data`. Methods raise MalformedError on a missing or invalid field."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """Read the next `size` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise MalformedError(f"cut short: {size} bytes expected, {len(self._data) - self._at} are left")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def uint(self, size: int) -> int:
        """Read an unsigned integer of `size` bytes, at most 2^53 - 1."""
        value = int.from_bytes(self.take(size), "big")
        if value > UINT_MAX:
            raise MalformedError("an integer above 2^53 - 1")
        return value

    def prefixed(self, size: int) -> bytes:
        """Read bytes that follow their length of `size` bytes."""
        return self.take(self.uint(size))

    def text(self, size: int) -> str:
        """Read UTF-8 text that follows its length of `size` bytes."""
        try:
            return self.prefixed(size).decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("the text is not UTF-8") from None

    @property
    def left(self) -> int:
        """The number of bytes that remain."""
        return len(self._data) - self._at

    def rest(self) -> bytes:
        """Read all remaining bytes."""
        return self.take(self.left)

    def end(self) -> None:
        """Check that no bytes remain."""
        if self._at != len(self._data):
            raise MalformedError(f"{len(self._data) - self._at} bytes too many")
