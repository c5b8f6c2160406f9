"""Encodes values that a layout forbids: what a dishonest member would send."""

from __future__ import annotations

from dataclasses import replace

from snugroom.wire import layout
from snugroom.wire.layout import kinds, reference
from snugroom.wire.layout.shape import EnumShape, ItemsShape, OptionShape, RecordShape, Shape


def loosely(value: layout.Layout) -> bytes:
    """Encode the value by its layout without limits, orders and masks: sizes and counts are as declared."""
    shape = _loose(layout.shape(type(value)))
    assert isinstance(shape, RecordShape)
    return reference.encode(shape, value)


def _loose(shape: Shape) -> Shape:
    match shape:
        case kinds.Uint(size):
            return kinds.Uint(size)
        case kinds.Bytes(prefix):
            return kinds.Bytes(prefix)
        case kinds.Text(prefix):
            return kinds.Text(prefix)
        case kinds.Bits() | EnumShape():
            return kinds.Uint(1)
        case OptionShape(item):
            return OptionShape(_loose(item))
        case ItemsShape(kind, item):
            return replace(shape, kind=kinds.Items(kind.count, 256**kind.count - 1), item=_loose(item))
        case RecordShape():
            return replace(
                shape, fields=tuple(replace(each, shape=_loose(each.shape)) for each in shape.fields)
            )
        case _:
            return shape
