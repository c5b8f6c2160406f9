"""The reference: encodes and decodes by walking a shape, and says where each field stands.

It decides in every doubt: generated code (`encoders`, `decoders`) hands over to it whatever it refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from snugroom.wire.errors import MalformedError
from snugroom.wire.layout import kinds
from snugroom.wire.layout.shape import (
    EnumShape,
    ItemsShape,
    OptionShape,
    RecordShape,
    RestShape,
    Shape,
    fixed_size,
)


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes `start` to `end` of an encoding, which hold `value`. `path`: as ``got[2].leaf``."""

    path: str
    start: int
    end: int
    value: Any


def encode(shape: RecordShape, value: Any) -> bytes:
    """Return the one encoding of a value. MalformedError if it has none."""
    return _put(shape, value, shape.name)


def decode(shape: RecordShape, data: bytes) -> Any:
    """Decode all of `data`. MalformedError for anything but the one encoding of a value."""
    return _Reader(data, None).all(shape)


def spans(shape: RecordShape, data: bytes) -> list[Span]:
    """Return where each value of `data` stands, those in records and lists included. Raises like `decode`."""
    found: list[Span] = []
    _Reader(data, found).all(shape)
    return found


def _put(shape: Shape, value: Any, where: str) -> bytes:
    match shape:
        case kinds.Uint(size, most):
            return _uint(value, size, where, most)
        case kinds.Fixed(size):
            if len(value) != size:
                raise MalformedError(f"{where} has {size} bytes, not {len(value)}")
            return bytes(value)
        case kinds.Bytes(prefix, most, unit):
            return _length(len(value), prefix, most, where, unit) + bytes(value)
        case kinds.Text(prefix, most):
            text = _utf8(value, where)
            return _length(len(text), prefix, most, where) + text
        case kinds.Flag():
            return b"\1" if value else b"\0"
        case kinds.Bits(mask):
            return bytes([_bits(value, mask, where)])
        case EnumShape(kind):
            return bytes([_enum(kind, value, where)])
        case RestShape(text=is_text):
            return _utf8(value, where) if is_text else value
        case OptionShape(item):
            return b"\0" if value is None else b"\1" + _put(item, value, where)
        case ItemsShape():
            return _put_items(shape, value, where)
        case RecordShape(kind, fields, _, start):
            parts = value if kind is None else [getattr(value, each.name) for each in fields]
            return start + b"".join(
                _put(each.shape, part, f"{where}.{each.name}")
                for each, part in zip(fields, parts, strict=True)
            )


def _put_items(shape: ItemsShape, value: Iterable[Any], where: str) -> bytes:
    parts = [_put(shape.item, item, f"{where}[{at}]") for at, item in enumerate(value)]
    if shape.frozen:
        parts.sort()
    _check_items(shape, parts, where)
    return _uint(len(parts), shape.kind.count, where) + b"".join(parts)


class _Reader:
    """Reads values from the front of `data`, and notes where they stand if `found` is a list."""

    def __init__(self, data: bytes, found: list[Span] | None) -> None:
        self._data = data
        self._found = found
        self._at = 0

    def all(self, shape: RecordShape) -> Any:
        """Read one value. MalformedError if bytes remain."""
        value = self._record(shape, shape.name, whole=True)
        if self._found is not None:
            self._found.append(Span("", 0, self._at, value))
        return value

    def _take(self, size: int, where: str) -> bytes:
        piece = self._data[self._at : self._at + size]
        if len(piece) != size:
            raise MalformedError(f"{where} is cut short: {size} bytes expected, {len(piece)} are left")
        self._at += size
        return piece

    def _number(self, size: int, where: str, most: int = kinds.UINT_MAX) -> int:
        number = int.from_bytes(self._take(size, where), "big")
        if number > most:
            raise MalformedError(f"{where} is above {most}")
        return number

    def _get(self, shape: Shape, where: str) -> Any:
        start = self._at
        value = self._value(shape, where)
        if self._found is not None:
            self._found.append(Span(where.partition(".")[2], start, self._at, value))
        return value

    def _value(self, shape: Shape, where: str) -> Any:
        match shape:
            case kinds.Uint(size, most):
                return self._number(size, where, most)
            case kinds.Fixed(size):
                return self._take(size, where)
            case kinds.Bytes(prefix, most, unit):
                return self._take(_limited(self._number(prefix, where), most, where, unit), where)
            case kinds.Text(prefix, most):
                return _text(self._take(_limited(self._number(prefix, where), most, where), where), where)
            case kinds.Flag():
                return self._flag(where)
            case kinds.Bits(mask):
                return _bits(self._number(1, where), mask, where)
            case EnumShape(kind):
                return kind(_enum(kind, self._number(1, where), where))
            case RestShape(text=is_text):
                rest = self._take(len(self._data) - self._at, where)
                return _text(rest, where) if is_text else rest
            case OptionShape(item):
                return self._get(item, where) if self._flag(where) else None
            case ItemsShape():
                return self._items(shape, where)
            case RecordShape():
                return self._record(shape, where)

    def _flag(self, where: str) -> bool:
        value = self._number(1, where)
        if value > 1:
            raise MalformedError(f"{where} is a flag, 0 or 1, not {value}")
        return value == 1

    def _items(self, shape: ItemsShape, where: str) -> Any:
        count = self._number(shape.kind.count, where)
        _check_count(shape.kind, count, where)
        values, parts = [], []
        for at in range(count):
            start = self._at
            values.append(self._get(shape.item, f"{where}[{at}]"))
            parts.append(self._data[start : self._at])
        _check_items(shape, parts, where)
        return frozenset(values) if shape.frozen else tuple(values)

    def _record(self, shape: RecordShape, where: str, *, whole: bool = False) -> Any:
        start = self._take(len(shape.start), where)
        if start != shape.start:
            raise MalformedError(f"{where} begins with {start.hex()}, not {shape.start.hex()}")
        values = {each.name: self._get(each.shape, f"{where}.{each.name}") for each in shape.fields}
        left = len(self._data) - self._at
        if whole and left:
            raise MalformedError(f"{where}: {left} bytes too many")
        if shape.type is None:
            return tuple(values.values())
        made = shape.type(**values)
        check = getattr(made, "check", None)
        if check is not None:
            check()
        return made


def _uint(value: int, size: int, where: str, most: int = kinds.UINT_MAX) -> bytes:
    if not 0 <= value < 1 << (8 * size):
        raise MalformedError(f"{where}: {value} is not an unsigned integer of {size} bytes")
    if value > most:
        raise MalformedError(f"{where} is above {most}")
    return int(value).to_bytes(size, "big")


def _length(size: int, prefix: int, most: int | None, where: str, unit: int = 1) -> bytes:
    if size % unit:
        raise MalformedError(f"{where} has {size} bytes, which is no multiple of {unit}")
    _limited(size // unit, 256**prefix - 1 if most is None else most, where, unit)
    return _uint(size // unit, prefix, where)


def _limited(number: int, most: int | None, where: str, unit: int = 1) -> int:
    """Return the number of bytes of that many units. MalformedError for more than `most`."""
    if most is not None and number > most:
        raise MalformedError(f"{where} has {number * unit} bytes, and at most {most * unit} are allowed")
    return number * unit


def _utf8(value: str, where: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise MalformedError(f"{where} has characters that UTF-8 lacks") from None


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError(f"{where} is not UTF-8") from None


def _bits(value: int, mask: int, where: str) -> int:
    if value & ~mask:
        raise MalformedError(f"{where} has bits that are not defined: {value & ~mask:#x}")
    return value


def _enum(kind: Any, value: int, where: str) -> int:
    if value not in kind.__members__.values():
        raise MalformedError(f"{where} has the unknown value {value}")
    return value


def _check_count(kind: kinds.Items, count: int, where: str) -> None:
    if not kind.least <= count <= kind.most:
        raise MalformedError(f"{where} has {kind.least} to {kind.most} entries, not {count}")


def _check_items(shape: ItemsShape, parts: list[bytes], where: str) -> None:
    """Judge the encodings of the items: integers are big-endian, so bytes rise as they do."""
    kind = shape.kind
    _check_count(kind, len(parts), where)
    if isinstance(kind.rising, str):
        size = _first_size(shape.item)
        parts = [part[:size] for part in parts]
    if kind.rising and any(one >= other for one, other in pairwise(parts)):
        raise MalformedError(f"{where} is not in order")
    if kind.unique and len(set(parts)) != len(parts):
        raise MalformedError(f"{where} has an entry twice")


def _first_size(item: Shape) -> int:
    assert isinstance(item, RecordShape)
    return fixed_size(item.fields[0].shape) or 0
