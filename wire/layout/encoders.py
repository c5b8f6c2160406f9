"""Generated encoders: each run of fields of fixed size is written by one `Struct` (`source`)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from snugroom.wire.layout import kinds, reference
from snugroom.wire.layout.shape import (
    EnumShape,
    Field,
    ItemsShape,
    OptionShape,
    RecordShape,
    RestShape,
    Shape,
    key_type,
)
from snugroom.wire.layout.source import BEFORE, FORMATS, Source

Encoder = Callable[[Any], bytes]


def encoder(shape: RecordShape) -> Encoder:
    """Return a function that encodes its argument; MalformedError as of `reference.encode`."""
    writer = _Writer(Source("value", lambda value: reference.encode(shape, value)))
    writer.source.line("out = []")
    writer.record(shape, "value")
    writer.flush()
    return writer.source.function("b''.join(out)", f"encoder of {shape.name}")


class _Writer:
    """Fields of fixed size wait in `_run` until something else follows."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._formats: list[str] = []
        self._values: list[str] = []

    def flush(self) -> None:
        """Write what waits in the run."""
        if self._formats:
            pack = self.source.new(struct.Struct(">" + "".join(self._formats)).pack)
            self.source.line(f"out.append({pack}({', '.join(self._values)}))")
            self._formats, self._values = [], []

    def record(self, shape: RecordShape, value: str) -> None:
        """Write a record."""
        if shape.start:
            self._add(f"{len(shape.start)}s", repr(shape.start))
        for field, part in self._parts(shape, value):
            self._put(field.shape, part)

    def _parts(self, shape: RecordShape, value: str) -> list[tuple[Field, str]]:
        names = [self.source.new() for _ in shape.fields]
        if shape.type is None or issubclass(shape.type, tuple):
            self.source.line(f"{', '.join(names)}, = {value}")
        else:
            for name, field in zip(names, shape.fields, strict=True):
                self.source.line(f"{name} = {value}.{field.name}")
        return list(zip(shape.fields, names, strict=True))

    def _add(self, form: str, value: str) -> None:
        self._formats.append(form)
        self._values.append(value)

    def _uint(self, size: int, most: int, value: str) -> None:
        if most < 256**size - 1:
            self.source.refuse_if(f"{value} > {most}")
        self._add(FORMATS[size], f"{value} >> 32, {value} & 0xFFFFFFFF" if size == 6 else value)

    def _put(self, shape: Shape, value: str) -> None:
        source = self.source
        match shape:
            case kinds.Uint(size, most):
                self._uint(size, most, value)
            case kinds.Fixed(size):
                source.refuse_if(f"len({value}) != {size}")
                self._add(f"{size}s", value)
            case kinds.Flag():
                self._add("?", value)
            case kinds.Bits(mask):
                source.refuse_if(f"{value} & {~mask}")
                self._add("B", value)
            case EnumShape(kind):
                self._add("B", f"{source.new({each.value: each.value for each in kind})}[{value}]")
            case kinds.Bytes(prefix, most, unit):
                self._sized(prefix, most, value, unit)
            case kinds.Text(prefix, most):
                self._sized(prefix, most, self._utf8(value))
            case RestShape(text):
                rest = self._utf8(value) if text else value
                self.flush()
                source.line(f"out.append({rest})")
            case RecordShape():
                self.record(shape, value)
            case OptionShape(item):
                self._add("B", f"{value} is not None")
                self.flush()
                with source.block(f"if {value} is not None:"):
                    self._put(item, value)
                    self.flush()
            case ItemsShape():
                self._items(shape, value)

    def _utf8(self, value: str) -> str:
        text = self.source.new()
        self.source.line(f"{text} = {value}.encode()")
        return text

    def _sized(self, prefix: int, most: int | None, value: str, unit: int = 1) -> None:
        if unit > 1:
            self.source.refuse_if(f"len({value}) % {unit}")
        if most is not None:
            self.source.refuse_if(f"len({value}) > {most * unit}")
        self._uint(prefix, kinds.UINT_MAX, f"len({value})" if unit == 1 else f"len({value}) // {unit}")
        self.flush()
        self.source.line(f"out.append({value})")

    def _items(self, shape: ItemsShape, value: str) -> None:
        source, kind = self.source, shape.kind
        size = source.new()
        source.line(f"{size} = len({value})")
        source.refuse_if(f"not {kind.least} <= {size} <= {kind.most}")
        if kind.unique:
            source.refuse_if(f"len(set({value})) != {size}")
        self._uint(kind.count, kinds.UINT_MAX, size)
        self.flush()
        item = source.new()
        # the items of a set differ: sorted, they rise
        last = source.new() if kind.rising and not shape.frozen else ""
        if last:
            source.line(f"{last} = {BEFORE[key_type(shape)]}")
        with source.block(f"for {item} in {f'sorted({value})' if shape.frozen else value}:"):
            self._item(shape, item, last)
            self.flush()

    def _item(self, shape: ItemsShape, item: str, last: str) -> None:
        key = item
        if isinstance(shape.item, RecordShape):
            parts = self._parts(shape.item, item)
            keys = parts[:1] if isinstance(shape.kind.rising, str) else parts
            key = keys[0][1] if len(keys) == 1 else f"({', '.join(part for _, part in keys)})"
            for field, part in parts:
                self._put(field.shape, part)
        else:
            self._put(shape.item, item)
        if last:
            self.source.refuse_if(f"{key} <= {last}")
            self.source.line(f"{last} = {key}")
