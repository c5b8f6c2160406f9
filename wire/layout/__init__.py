"""Binary layouts, each declared once, as an annotated dataclass.

    @dataclass(frozen=True, slots=True)
    class Got(Layout, name="got"):
        leaf: U4
        frames: Annotated[tuple[Annotated[tuple[U1, U6], Named("stream", "frames")], ...], Items(1, most=8)]

Fields follow each other without gaps, in the order of the declaration. Each value has exactly one encoding,
and decoding refuses everything else. `tests.docs.generate` writes the protocol page's layouts from the
declarations, and `snugroom.client.tools.typescript` the page's tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

from snugroom.wire.errors import MalformedError, UnsupportedError
from snugroom.wire.layout import decoders, encoders, reference
from snugroom.wire.layout.kinds import (
    U1,
    U2,
    U4,
    U6,
    U8,
    UINT_MAX,
    Bits,
    Bool,
    Bytes,
    Bytes8,
    Bytes16,
    Bytes32,
    Enum,
    Fixed,
    Flag,
    Items,
    Named,
    Option,
    Rest,
    Signature,
    Text,
    Uint,
)
from snugroom.wire.layout.reference import Span
from snugroom.wire.layout.shape import RecordShape, record

__all__ = [
    "U1",
    "U2",
    "U4",
    "U6",
    "U8",
    "UINT_MAX",
    "Bits",
    "Bool",
    "Bytes",
    "Bytes8",
    "Bytes16",
    "Bytes32",
    "Enum",
    "Fixed",
    "Flag",
    "Items",
    "Layout",
    "Named",
    "OneOf",
    "Option",
    "Rest",
    "Signature",
    "Span",
    "Text",
    "Uint",
    "decoder",
    "shape",
]


class Layout:
    """Base of the declared dataclasses. Fields without a kind are not encoded, and have a default.

    `name`: in errors and documents. `start`: constant bytes in front of the fields: a version, or a label.
    Decoding calls a method ``check(self) -> None``, which raises MalformedError if fields disagree.
    """

    __slots__ = ()
    layout_name: ClassVar[str | None] = None
    layout_start: ClassVar[bytes] = b""

    def __init_subclass__(cls, *, name: str | None = None, start: bytes | None = None) -> None:
        # `dataclass(slots=True)` makes a second class of the first one's attributes, without arguments
        if name is not None:
            cls.layout_name = name
        if start is not None:
            cls.layout_start = start

    def encode(self) -> bytes:
        """Return the one encoding. MalformedError if a field has none."""
        return encoder(type(self))(self)

    def encode_before(self, field: str) -> bytes:
        """Return the encoding of the fields before that one. Raises like `encode`."""
        return encoder(type(self), field)(self)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Decode. MalformedError for anything but the one encoding of a value, and what `check` raises."""
        value: Self = decoder(cls)(data)
        return value

    @classmethod
    def spans(cls, data: bytes) -> list[Span]:
        """Return where each value of `data` stands. Raises like `decode`."""
        return reference.spans(shape(cls), data)


_One = TypeVar("_One", bound=Layout)


class OneOf(Generic[_One]):
    """Several layouts, each with a number in front, in one byte.

    `name` stands in errors about the number. `kinds`: the layouts by their numbers.
    """

    def __init__(self, name: str, kinds: Mapping[int, type[_One]]) -> None:
        self.name = name
        self.kinds = kinds
        self._encoders: dict[type[_One], encoders.Encoder] = {}
        self._decoders: dict[int, decoders.Decoder] = {}

    def encode(self, value: _One) -> bytes:
        """Return the number and the one encoding. MalformedError if a field has none."""
        encode = self._encoders.get(type(value))
        if encode is None:
            (number,) = (number for number, kind in self.kinds.items() if kind is type(value))
            encode = self._encoders[type(value)] = encoders.encoder(self._numbered(number))
        return encode(value)

    def decode(self, data: bytes) -> _One:
        """Decode. UnsupportedError for another number, MalformedError for anything else but an encoding."""
        if not data:
            raise MalformedError(f"{self.name} is cut short: 1 bytes expected, 0 are left")
        decode = self._decoders.get(data[0])
        if decode is None:
            if data[0] not in self.kinds:
                raise UnsupportedError(f"a {self.name} of the unknown kind {data[0]}")
            decode = self._decoders[data[0]] = decoders.decoder(self._numbered(data[0]))
        value: _One = decode(data)
        return value

    def _numbered(self, number: int) -> RecordShape:
        declared = shape(self.kinds[number])
        return replace(declared, start=bytes([number]) + declared.start)


_SHAPES: Final[dict[type[Any], RecordShape]] = {}
_ENCODERS: Final[dict[tuple[type[Any], str | None], encoders.Encoder]] = {}
_DECODERS: Final[dict[type[Any], decoders.Decoder]] = {}


def shape(cls: type[Any]) -> RecordShape:
    """Return what the class declares."""
    if cls not in _SHAPES:
        _SHAPES[cls] = record(cls)
    return _SHAPES[cls]


def decoder(cls: type[Any]) -> decoders.Decoder:
    """Return the class's decoder, generated when it is first needed."""
    if cls not in _DECODERS:
        _DECODERS[cls] = decoders.decoder(shape(cls))
    return _DECODERS[cls]


def encoder(cls: type[Any], before: str | None = None) -> encoders.Encoder:
    """Return the class's encoder, generated when it is first needed. `before`: a field where it ends."""
    found = _ENCODERS.get((cls, before))
    if found is None:
        fields = shape(cls).fields
        end = None if before is None else [each.name for each in fields].index(before)
        found = _ENCODERS[cls, before] = encoders.encoder(replace(shape(cls), fields=fields[:end]))
    return found
