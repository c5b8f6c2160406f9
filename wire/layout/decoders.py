"""Generated decoders: each run of fields of fixed size is read by one `Struct` (`source`)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from snugroom.wire.layout import kinds, reference
from snugroom.wire.layout.shape import (
    EnumShape,
    ItemsShape,
    OptionShape,
    RecordShape,
    RestShape,
    Shape,
    fixed_size,
    key_type,
)
from snugroom.wire.layout.source import BEFORE, FORMATS, Source

Decoder = Callable[[bytes], Any]


def decoder(shape: RecordShape) -> Decoder:
    """Return a function that decodes all of its argument; MalformedError as of `reference.decode`."""
    writer = _Writer(Source("data", lambda data: reference.decode(shape, data)))
    writer.source.line("size = len(data); at = 0")
    made = writer.record(shape)
    writer.flush()
    writer.source.refuse_if("at != size")
    return writer.source.function(made, f"decoder of {shape.name}")


class _Writer:
    """Fields of fixed size wait in `_formats` until something else follows."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._formats: list[str] = []
        self._targets: list[str] = []
        self._checks: list[str] = []  # conditions under which what the run reads is refused

    def flush(self) -> None:
        """Read what waits in the run."""
        if self._formats:
            layout = struct.Struct(">" + "".join(self._formats))
            self.source.line(f"{', '.join(self._targets)}, = {self.source.new(layout.unpack_from)}(data, at)")
            self.source.line(f"at += {layout.size}")
            self._check()
            self._formats, self._targets = [], []

    def _check(self) -> None:
        for condition in self._checks:
            self.source.refuse_if(condition)
        self._checks = []

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        self.flush()
        with self.source.block(head):
            yield
            self.flush()

    def record(self, shape: RecordShape) -> str:
        """Write the reading of a record; return the expression that makes it."""
        if shape.start:
            self._checks.append(f"{self._fixed(f'{len(shape.start)}s')} != {shape.start!r}")
        return self._made(shape, [(each.name, self._read(each.shape)) for each in shape.fields])

    def _made(self, shape: RecordShape, values: list[tuple[str, str]]) -> str:
        row = "(" + "".join(f"{value}, " for _, value in values) + ")"
        if shape.type is None:
            return row
        made = self.source.new(shape.type)
        if issubclass(shape.type, tuple):
            return f"new({made}, {row})"
        text = f"{made}({', '.join(f'{name}={value}' for name, value in values)})"
        self.source.names["checked"] = _checked
        return f"checked({text})" if hasattr(shape.type, "check") else text

    def _fixed(self, form: str) -> str:
        target = self.source.new()
        self._formats.append(form)
        self._targets.append(target)
        return target

    def _uint(self, size: int, most: int = kinds.UINT_MAX) -> str:
        if size == 6:
            high, low = self.source.new(), self.source.new()
            self._formats.append(FORMATS[size])
            self._targets += [high, low]
            target = f"({high} << 32 | {low})"
        else:
            target = self._fixed(FORMATS[size])
        if most < 256**size - 1:
            self._checks.append(f"{target} > {most}")
        return target

    def _read(self, shape: Shape) -> str:
        """Write the reading of a value; return an expression of it."""
        match shape:
            case kinds.Uint(size, most):
                return self._uint(size, most)
            case kinds.Fixed(size):
                return self._fixed(f"{size}s")
            case kinds.Flag():
                return f"{self._uint(1, 1)} == 1"
            case kinds.Bits(mask):
                target = self._fixed("B")
                self._checks.append(f"{target} & {~mask & 0xFF}")
                return target
            case EnumShape(kind):
                return f"{self.source.new({each.value: each for each in kind})}[{self._fixed('B')}]"
            case kinds.Bytes(prefix, most, unit):
                return self._sized(prefix, most, unit)
            case kinds.Text(prefix, most):
                return f"{self._sized(prefix, most)}.decode()"
            case RestShape(text=text):
                self.flush()
                rest = self.source.new()
                self.source.line(f"{rest} = data[at:]; at = size")
                return f"{rest}.decode()" if text else rest
            case RecordShape():
                return self.record(shape)
            case OptionShape():
                return self._option(shape)
            case ItemsShape():
                return self._items(shape)

    def _sized(self, prefix: int, most: int | None, unit: int = 1) -> str:
        length = self._uint(prefix)
        self.flush()
        value = self.source.new()
        if most is not None and most < 256**prefix - 1:
            self.source.refuse_if(f"{length} > {most}")
        end = f"at + {length}" if unit == 1 else f"at + {length} * {unit}"
        self.source.line(f"end = {end}; {value} = data[at:end]; at = end")
        self.source.refuse_if("at > size")
        return value

    def _option(self, shape: OptionShape) -> str:
        flag, value = self._uint(1, 1), self.source.new()
        self.flush()
        self.source.line(f"{value} = None")
        with self._block(f"if {flag}:"):
            made = self._read(shape.item)
            self.flush()
            self.source.line(f"{value} = {made}")
        return value

    def _items(self, shape: ItemsShape) -> str:
        source, kind = self.source, shape.kind
        number = self._uint(kind.count)
        self.flush()
        if kind.least or kind.most < 256**kind.count - 1:
            source.refuse_if(f"not {kind.least} <= {number} <= {kind.most}")
        value, last = source.new(), source.new() if kind.rising else ""
        source.line(f"{value} = []")
        if last:
            source.line(f"{last} = {BEFORE[key_type(shape)]}")
        size = fixed_size(shape.item)
        if size is None:
            with self._block(f"for _ in range({number}):"):
                made, key = self._item(shape)
                self._append(value, made, key, last)
        else:
            self._table(shape, value, last, f"at + {number} * {size}")
        if kind.unique:
            source.refuse_if(f"len(set({value})) != {number}")
        return f"frozenset({value})" if shape.frozen else f"tuple({value})"

    def _table(self, shape: ItemsShape, value: str, last: str, end: str) -> None:
        """Write the reading of items of one size: `iter_unpack` is the fastest loop."""
        made, key = self._item(shape)
        rows = self.source.new(struct.Struct(">" + "".join(self._formats)).iter_unpack)
        targets, checks = self._targets, self._checks
        self._formats, self._targets, self._checks = [], [], []
        self.source.line(f"end = {end}")
        self.source.refuse_if("end > size")
        with self._block(f"for {', '.join(targets)}, in {rows}(data[at:end]):"):
            self._checks = checks
            self._check()
            self._append(value, made, key, last)
        self.source.line("at = end")

    def _item(self, shape: ItemsShape) -> tuple[str, str]:
        """Write the reading of an item; return the expressions of it and of the key by which items rise."""
        if not isinstance(shape.item, RecordShape):
            made = self._read(shape.item)
            return made, made
        values = [(each.name, self._read(each.shape)) for each in shape.item.fields]
        keys = values[:1] if isinstance(shape.kind.rising, str) else values
        key = keys[0][1] if len(keys) == 1 else f"({', '.join(value for _, value in keys)})"
        return self._made(shape.item, values), key

    def _append(self, value: str, made: str, key: str, last: str) -> None:
        self.flush()
        if last:
            self.source.refuse_if(f"{key} <= {last}")
            self.source.line(f"{last} = {key}")
        self.source.line(f"{value}.append({made})")


def _checked(value: Any) -> Any:
    value.check()
    return value
