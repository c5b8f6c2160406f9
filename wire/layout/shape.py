"""Declarations, resolved: the tree of shapes that interpreter, generators and documents walk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from snugroom.wire.layout import kinds


@dataclass(frozen=True, slots=True)
class EnumShape:
    """A value of this enumeration, in one byte."""

    type: type[IntEnum]


@dataclass(frozen=True, slots=True)
class RestShape:
    """All bytes that remain; `text`: they are UTF-8."""

    text: bool


@dataclass(frozen=True, slots=True)
class ItemsShape:
    """Several items of one shape; `frozen`: as a frozenset."""

    kind: kinds.Items
    item: Shape
    frozen: bool


@dataclass(frozen=True, slots=True)
class OptionShape:
    """A value of this shape, or None."""

    item: Shape


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record or a tuple."""

    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class RecordShape:
    """Fields after the constant bytes `start`. `type`: a dataclass or a NamedTuple; None: a plain tuple."""

    type: type[Any] | None
    fields: tuple[Field, ...]
    name: str = ""
    start: bytes = b""


Leaf = kinds.Uint | kinds.Fixed | kinds.Bytes | kinds.Text | kinds.Flag | kinds.Bits
Shape = Leaf | EnumShape | RestShape | ItemsShape | OptionShape | RecordShape


def record(cls: type[Any]) -> RecordShape:
    """Return the shape of a declared class. TypeError if a field's annotation and kind do not fit."""
    fields = []
    for name, hint in get_type_hints(cls, include_extras=True).items():
        try:
            shape = _shape(hint)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}.{name}: {error}") from None
        if shape is not None:
            fields.append(Field(name, shape))
    name = getattr(cls, "layout_name", cls.__name__.lower())
    return RecordShape(cls, tuple(fields), name, getattr(cls, "layout_start", b""))


def fixed_size(shape: Shape) -> int | None:
    """Return the number of bytes of every value of that shape; None if values differ."""
    match shape:
        case kinds.Uint(size) | kinds.Fixed(size):
            return size
        case kinds.Flag() | kinds.Bits() | EnumShape():
            return 1
        case RecordShape():
            sizes = [fixed_size(each.shape) for each in shape.fields]
            return None if None in sizes else len(shape.start) + sum(size or 0 for size in sizes)
        case _:
            return None


def key_type(shape: ItemsShape) -> type[Any]:
    """Return the type of the keys by which the items rise."""
    item = shape.item
    if isinstance(item, RecordShape):
        if shape.kind.rising is True and len(item.fields) > 1:
            return tuple
        item = item.fields[0].shape
    return bytes if isinstance(item, kinds.Fixed) else int


def _shape(hint: Any) -> Shape | None:
    """Return the shape of an annotation; None for a field that is not encoded."""
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        for note in notes:
            if isinstance(note, kinds.Kind):
                return _of_kind(inner, note)
        return _shape(inner)
    if isinstance(hint, type) and getattr(hint, "layout_name", None) is not None:
        return record(hint)
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return record(hint)
    return None


def _needed(hint: Any) -> Shape:
    shape = _shape(hint)
    if shape is None:
        raise TypeError(f"{hint} has no kind")
    return shape


def _of_kind(inner: Any, kind: kinds.Kind) -> Shape:
    origin, arguments = get_origin(inner), get_args(inner)
    match kind:
        case kinds.Uint() | kinds.Bits() if inner is int:
            return kind
        case kinds.Fixed() | kinds.Bytes() if inner is bytes:
            return kind
        case kinds.Text() if inner is str:
            return kind
        case kinds.Flag() if inner is bool:
            return kind
        case kinds.Enum() if isinstance(inner, type) and issubclass(inner, IntEnum):
            return EnumShape(inner)
        case kinds.Rest() if inner in (bytes, str):
            return RestShape(inner is str)
        case kinds.Items() if origin is tuple and arguments[1:] == (...,):
            return _items(kind, _needed(arguments[0]), False)
        case kinds.Items(rising=True) if origin is frozenset:
            return _items(kind, _needed(arguments[0]), True)
        case kinds.Named(names) if origin is tuple and len(names) == len(arguments):
            return RecordShape(None, tuple(map(Field, names, map(_needed, arguments))))
        case kinds.Option() if origin in (Union, UnionType) and NoneType in arguments:
            (one,) = (each for each in arguments if each is not NoneType)
            return OptionShape(_needed(one))
    raise TypeError(f"{kind} does not fit {inner}")


def _items(kind: kinds.Items, item: Shape, frozen: bool) -> ItemsShape:
    if kind.rising is True and fixed_size(item) is None:
        raise TypeError("items that rise as a whole have one size")
    if isinstance(kind.rising, str):
        first = item.fields[0] if isinstance(item, RecordShape) else None
        if first is None or first.name != kind.rising or fixed_size(first.shape) is None:
            raise TypeError(f"the items' first field is not {kind.rising}, or its size differs")
    return ItemsShape(kind, item, frozen)
