"""Writes the protocol page's layouts from their declarations (`snugroom.wire.layout`).

A block stands below a comment ``<!-- layout heartbeat -->``, with the name of a layout or of a `OneOf`.
"""

from __future__ import annotations

import re
from textwrap import fill
from typing import Final

from snugroom.client.tools.typescript_layouts import LAYOUTS, ONE_OF
from snugroom.wire import layout
from snugroom.wire.layout import kinds
from snugroom.wire.layout.shape import (
    EnumShape,
    Field,
    ItemsShape,
    OptionShape,
    RecordShape,
    RestShape,
    Shape,
)

_BLOCK: Final = re.compile(r"^(( *)<!-- layout ([\w' ]+) -->\n\n)(?:\2 {4}.*\n)*", re.MULTILINE)
_SHAPES: Final = {layout.shape(kind).name: layout.shape(kind) for kind in LAYOUTS}
_ONE_OF: Final = {each.name: each for each in ONE_OF.values()}


def protocol(text: str) -> str:
    """Return the protocol page with the layouts of now. KeyError for a name that no layout has."""
    return _BLOCK.sub(lambda found: found[1] + _blocks(found[3], found[2]), text)


def _blocks(name: str, indent: str) -> str:
    if name in _ONE_OF:
        kinds = _ONE_OF[name].kinds.items()
        return "".join(block(layout.shape(kind), indent, number) for number, kind in kinds)
    return block(_SHAPES[name], indent)


def block(shape: RecordShape, indent: str = "", number: int | None = None) -> str:
    """Return the lines of a layout, as code below `indent`. `number`: the byte in front of it."""
    name = shape.name.replace(" ", "\N{NO-BREAK SPACE}")
    front = [] if number is None else [str(number)]
    text = f"{name} = {' | '.join([*front, *_parts(shape)])}".replace(" ", "\0").replace("\0|\0", " | ")
    lines = fill(
        text, 116 - len(indent), subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return "".join(
        f"{indent}    {line}\n"
        for line in lines.replace("\0", " ").replace("\N{NO-BREAK SPACE}", " ").split("\n")
    )


def told(shape: RecordShape) -> str:
    """Return the fields of a record, in the notation of the protocol page."""
    return " | ".join(_parts(shape))


def _parts(shape: RecordShape) -> list[str]:
    if re.fullmatch(rb"[ -~]+", shape.start):
        start = [f'"{shape.start.decode()}"']
    else:
        start = [str(byte) for byte in shape.start]
    return [*start, *map(_field, shape.fields)]


def _field(field: Field) -> str:
    name, shape = field.name, field.shape
    match shape:
        case kinds.Uint(size, most):
            return f"{name} {size}" + ("" if most == kinds.UINT_MAX else f" (at most {most})")
        case kinds.Fixed(size):
            return f"{name} {size}"
        case kinds.Bytes(prefix, most, unit) if unit > 1:
            return f"count {prefix} (at most {most}), {name} {unit} each"
        case kinds.Bytes(prefix, most) | kinds.Text(prefix, most):
            return f"len{8 * prefix}({name})" + ("" if most is None else f" (at most {most})")
        case kinds.Flag():
            return f"{name} 1 (0 or 1)"
        case kinds.Bits(mask):
            return f"{name} 1 (bits of {mask:#x})"
        case EnumShape(kind):
            return f"{name} 1 (" + ", ".join(f"{each.value} {each.name.lower()}" for each in kind) + ")"
        case RestShape():
            return f"{name}, to the end"
        case RecordShape():
            return f"{name} ({told(shape)})"
        case OptionShape(item):
            return f"0, or 1 and {_field(Field(name, item))}"
        case ItemsShape(kind, item):
            return f"count {kind.count} ({_bounds(kind)}), {_item(name, item)} each{_order(kind)}"


def _item(name: str, item: Shape) -> str:
    if isinstance(item, RecordShape):
        return f"{name} ({told(item)})"
    return _field(Field(name, item))


def _bounds(kind: kinds.Items) -> str:
    return f"{kind.least} to {kind.most}" if kind.least else f"at most {kind.most}"


def _order(kind: kinds.Items) -> str:
    if kind.unique:
        return ", none twice"
    if kind.rising is True:
        return ", rising"
    return f", by {kind.rising}" if kind.rising else ""
