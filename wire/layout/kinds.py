"""The kinds of fields of which layouts are made (docs/reference/protocol.md, notation).

A kind stands in the annotation of a field: ``slot: Annotated[int, Uint(8)]``. The short names at the end of
this module are the usual ones. Sizes are in bytes, integers big-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

#: Largest integer. A browser's integers are exact up to it, and all members must read the same.
UINT_MAX: Final = (1 << 53) - 1
SIGNATURE_SIZE: Final = 64


@dataclass(frozen=True, slots=True)
class Uint:
    """An unsigned integer of `size` bytes, at most `most`, and never above 2^53 - 1."""

    size: int
    most: int = UINT_MAX


@dataclass(frozen=True, slots=True)
class Fixed:
    """`size` bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class Bytes:
    """At most `most` units of `unit` bytes each, after the number of units, which has `prefix` bytes."""

    prefix: int
    most: int | None = None
    unit: int = 1


@dataclass(frozen=True, slots=True)
class Text:
    """Text of at most `most` bytes in UTF-8, after their number, which has `prefix` bytes."""

    prefix: int
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """0 or 1, in one byte."""


@dataclass(frozen=True, slots=True)
class Enum:
    """A value of the annotated `IntEnum`, in one byte."""


@dataclass(frozen=True, slots=True)
class Bits:
    """One byte, in which no bit outside of `mask` is set."""

    mask: int


@dataclass(frozen=True, slots=True)
class Items:
    """`least` to `most` items after their number, which has `count` bytes.

    The annotation is ``tuple[item, ...]``, or ``frozenset[item]``, which needs `rising`. `rising`: each item
    is larger than the one before (True), or its field of that name is. `unique`: no item is there twice.
    """

    count: int
    most: int
    least: int = 0
    rising: bool | str = False
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """The names of the items of a plain tuple: ``Annotated[tuple[U1, U6], Named("stream", "frames")]``."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


@dataclass(frozen=True, slots=True)
class Option:
    """0, or 1 and the value: None, or the other type of the annotation."""


@dataclass(frozen=True, slots=True)
class Rest:
    """All bytes that remain: `bytes`, or `str` in UTF-8."""


Kind = Uint | Fixed | Bytes | Text | Flag | Enum | Bits | Items | Named | Option | Rest

U1 = Annotated[int, Uint(1)]
U2 = Annotated[int, Uint(2)]
U4 = Annotated[int, Uint(4)]
U6 = Annotated[int, Uint(6)]
U8 = Annotated[int, Uint(8)]
Bool = Annotated[bool, Flag()]
Bytes8 = Annotated[bytes, Fixed(8)]
Bytes16 = Annotated[bytes, Fixed(16)]
Bytes32 = Annotated[bytes, Fixed(32)]
Signature = Annotated[bytes, Fixed(SIGNATURE_SIZE)]
