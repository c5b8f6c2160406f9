"""Writes what the page shares with the server and the headless client: wire types, limits, tables, sentences.

`python -m snugroom.client.tools.typescript` writes the files below `client/web/src`; a test fails if they are
stale. The files contain TypeScript types, and the tables that `wire/codec.ts` uses to check incoming
messages: it refuses wrong sizes, wrong ranges and unknown fields as msgspec refuses them here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

from snugroom.client.session import incidents
from snugroom.client.session.catalogue import content
from snugroom.client.tools import typescript_layouts, typescript_names, typescript_sentences
from snugroom.wire import limits, messages

WEB: Final = Path(__file__).parents[1] / "web" / "src"
_HEAD: Final = "// Written by `python -m snugroom.client.tools.typescript`, from {source}: change it there.\n"


def _literals(values: Iterable[Any]) -> str:
    return " | ".join(json.dumps(v) for v in values)


def _type(kind: inspect.Type) -> str:
    """Return the name of a type in TypeScript."""
    match kind:
        case inspect.BytesType():
            return "Bytes"
        case inspect.IntType() | inspect.FloatType():
            return "number"
        case inspect.BoolType():
            return "boolean"
        case inspect.StrType():
            return "string"
        case inspect.NoneType():
            return "null"
        case inspect.LiteralType(values):
            return _literals(values)
        case inspect.ListType():
            inner = _type(kind.item_type)
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case inspect.UnionType():
            return " | ".join(_type(t) for t in kind.types)
        case inspect.StructType():
            return kind.cls.__name__
        case _:
            raise TypeError(f"no TypeScript for {kind}")


def _schema(kind: inspect.Type) -> list[Any]:
    """Return the row of the table that `wire/codec.ts` uses to check a value of this type."""
    match kind:
        case inspect.BytesType():
            return ["bytes", kind.min_length or 0, kind.max_length]
        case inspect.IntType():
            return ["int", kind.ge, kind.le if kind.lt is None else kind.lt - 1]
        case inspect.BoolType():
            return ["bool"]
        case inspect.StrType():
            # the end of a text is \Z in Python and $ in JavaScript
            pattern = None if kind.pattern is None else kind.pattern.replace(r"\Z", "$")
            return ["str", kind.min_length or 0, kind.max_length, pattern]
        case inspect.LiteralType(values):
            return ["one of", list(values)]
        case inspect.ListType():
            return ["list", _schema(kind.item_type), kind.min_length or 0, kind.max_length]
        case inspect.UnionType() if len(kind.types) == 2 and kind.includes_none:
            inner = next(t for t in kind.types if not isinstance(t, inspect.NoneType))
            return ["or null", _schema(inner)]
        case inspect.StructType():
            return ["struct", kind.cls.__name__]
        case _:
            raise TypeError(f"no table for {kind}")


def _structs(union: Any) -> list[type[msgspec.Struct]]:
    """Return the structs of a union, nested structs first."""
    found: dict[type[msgspec.Struct], None] = {}

    def look(kind: inspect.Type) -> None:
        if isinstance(kind, inspect.StructType):
            for each in kind.fields:
                look(each.type)
            found.setdefault(kind.cls)
        elif isinstance(kind, inspect.ListType):
            look(kind.item_type)
        elif isinstance(kind, inspect.UnionType):
            for each_type in kind.types:
                look(each_type)

    look(inspect.type_info(union))
    return list(found)


def _interface(cls: type[msgspec.Struct]) -> str:
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    lines = [] if info.tag is None else [f"  readonly type: {json.dumps(info.tag)};"]
    lines += [f"  readonly {f.encode_name}: {_type(f.type)};" for f in info.fields]
    doc = (cls.__doc__ or "").strip().splitlines()[0]
    return f"/** {doc} */\nexport interface {cls.__name__} {{\n" + "\n".join(lines) + "\n}\n"


def _row(cls: type[msgspec.Struct]) -> str:
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    fields: dict[str, Any] = {}
    for f in info.fields:
        row: list[Any] = [_schema(f.type)]
        if not f.required:
            default = f.default if f.default is not msgspec.NODEFAULT else f.default_factory()
            row.append(default)
        fields[f.encode_name] = row
    return f"  {cls.__name__}: {json.dumps({'tag': info.tag, 'fields': fields})},"


def _file(source: str, unions: dict[str, Any]) -> str:
    structs: dict[type[msgspec.Struct], None] = {}
    for union in unions.values():
        for cls in _structs(union):
            structs.setdefault(cls)
    parts = [
        _HEAD.format(source=source),
        'import type { Bytes } from "../crypto/bytes";\nimport type { Schemas } from "./codec";\n',
    ]
    parts += [_interface(cls) for cls in structs]
    for name, union in unions.items():
        parts.append(f"export type {name} = {' | '.join(c.__name__ for c in get_args(union))};\n")
    parts.append("export const schemas: Schemas = {\n" + "\n".join(_row(c) for c in structs) + "\n};\n")
    for name, union in unions.items():
        parts.append(f"export const {name}Names = {json.dumps([c.__name__ for c in get_args(union)])};\n")
    return "\n".join(parts)


def _incident_rules() -> str:
    """Return the tables of incidents; a field that has its default is left out."""
    empty = incidents.Rule()
    rows = {
        key: {name: value for name, value in asdict(rule).items() if value != getattr(empty, name)}
        for key, rule in incidents.rules().items()
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(row)}," for key, row in rows.items()]
    head = _HEAD.format(source="client/session/catalogue/incidents.toml")
    return (
        f"{head}/** A table. Without a severity it only ends others. */\n"
        "export interface Rule {\n"
        '  readonly severity?: "calm" | "attention" | "attack";\n'
        "  readonly cause?: string;\n"
        "  readonly parts?: string;\n"
        "  readonly by?: string;\n"
        "  readonly leaves?: boolean;\n"
        "  readonly lasts?: number;\n"
        "  readonly ends?: readonly string[];\n"
        "  readonly under?: readonly string[];\n"
        "  readonly under_same?: readonly string[];\n"
        "  readonly action?: string;\n"
        "}\n\n"
        "export const RULES: Readonly<Record<string, Rule>> = {\n" + "\n".join(lines) + "\n};\n"
    )


def files() -> dict[Path, str]:
    """Return the expected content of each generated file."""
    numbers = {k: v for k, v in vars(limits).items() if k.isupper() and isinstance(v, int | float | tuple)}
    numbers |= {
        f"CONTENT_{k}": v for k, v in vars(content).items() if k.isupper() and isinstance(v, int | float)
    }
    lines = [f"export const {k} = {json.dumps(v)};" for k, v in numbers.items()]
    return {
        WEB / "wire" / "messages.ts": _file(
            "wire/messages.py",
            {"ClientMessage": messages.ClientMessage, "ServerMessage": messages.ServerMessage},
        ),
        WEB / "wire" / "content.ts": _file(
            "client/session/catalogue/content.py", {"AnyContent": content.AnyContent}
        ),
        WEB / "wire" / "limits.ts": _HEAD.format(source="wire/limits.py, client/session/catalogue/content.py")
        + "\n".join(lines)
        + "\n",
        WEB / "session" / "catalogue" / "incidentRules.ts": _incident_rules(),
        **typescript_layouts.files(WEB / "wire"),
        **typescript_names.files(WEB / "crypto"),
        **typescript_sentences.files(WEB / "words"),
    }


def main() -> None:
    """Write all generated files."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
