"""``snug schema``: the lines that ``snug host``, ``snug join`` and ``snug crowd`` print, as JSON Schema and
TypeScript types, for programs in other languages.

The events come from the table by which they are printed (`client.headless.json_output`) and from the types
of the fields. The commands, and the notes of this program itself, are described here; tests compare them with
the parser, and with the output of real meetings. `tests.docs.generate` writes both files into docs/reference.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec
from msgspec import inspect

from snugroom.client.headless.json_output import EVENTS, MEDIA, SENDING
from snugroom.client.media.stats import OwnStats, StreamStats
from snugroom.client.session.catalogue.content import ReactionKind
from snugroom.lab.crowd.summary import Summary

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
#: Fields that are no fields of the printed object, by event.
_MORE: Final[dict[str, dict[str, Any]]] = {
    "media": {"from": str},
    "sending": {"round_trip": float | None},
}
#: Events about the program itself: their fields, besides `text`.
_NOTES: Final[dict[str, dict[str, Any]]] = {
    "landlord": {
        "state": Literal["starting", "listening", "ended"],
        "origin": str | None,
        "pid": int | None,
    },
    "recording": {"path": str},
    "saved": {"what": Literal["evidence", "report"], "path": str},
    "error": {"status": int},
    "crowd": get_type_hints(Summary),
}

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_True = Literal[True]


class Invite(msgspec.Struct, forbid_unknown_fields=True):
    """The argument of `invite`."""

    for_: str = msgspec.field(name="for", default="")
    once: bool = False


class Know(msgspec.Struct, forbid_unknown_fields=True):
    """The argument of `know`."""

    leaf: int
    name: str | None = None


class Report(msgspec.Struct, forbid_unknown_fields=True):
    """The argument of `report`."""

    messages: list[str]
    file: _Text


class Evidence(msgspec.Struct, forbid_unknown_fields=True):
    """The long form of the argument of `evidence`."""

    file: _Text
    names: bool = False


#: Each command is an object with this one key, and with a value of this type.
COMMANDS: Final[dict[str, Any]] = {
    "admit": int | Literal["all"],
    "refuse": int | Literal["all"],
    "replace": int,
    "chat": str,
    "remove": int,
    "deputy": int,
    "undeputy": int,
    "handover": int,
    "lock": bool,
    "servers": _True | list[str],
    "allow": str,
    "move": _True | str,
    "here": _True,
    "withdraw": str,
    "invite": Invite,
    "invites": _True,
    "revoke": int,
    "vouch": int,
    "know": Know,
    "verified": int,
    "compare": _True,
    "compared": bool,
    "same": str,
    "different": str,
    "code": _True,
    "override": _True,
    "send": _True,
    "discard": _True,
    "image": _Text,
    "file": _Text,
    "hand": bool,
    "react": ReactionKind,
    "report": Report,
    "evidence": _Text | Evidence,
    "leave": _True,
    "end": _True,
}


def _fields(spec: str, source: type) -> Iterator[tuple[str, Any]]:
    """Yield the keys of a printed object, and their types."""
    hints = get_type_hints(source)
    for each in spec.split()[1:]:
        key, _, field = each.partition("=")
        yield key, int if key == "bytes" else hints[field or key]


def _event(name: str, fields: dict[str, Any], strict: bool) -> type[msgspec.Struct]:
    # a Python keyword, such as `from`, is no name of a field
    listed = [(f"{key}_", kind, msgspec.field(name=key)) for key, kind in fields.items()]
    title = "".join(part.title() for part in name.split("_"))
    return msgspec.defstruct(
        f"{title}Event", listed, tag_field="event", tag=name, forbid_unknown_fields=strict, kw_only=True
    )


def events(*, strict: bool = False) -> list[type[msgspec.Struct]]:
    """Return a type for each event, in the order of the table.

    Later versions may add fields, so only the `strict` types refuse unknown ones.
    """
    specs = {spec: source for source, spec in EVENTS.items()} | {MEDIA: StreamStats, SENDING: OwnStats}
    found = [
        _event(name, dict(_fields(spec, source)) | _MORE.get(name, {}), strict)
        for spec, source in specs.items()
        for name in spec.split()[:1]
    ]
    return found + [_event(name, {"text": str, **fields}, strict) for name, fields in _NOTES.items()]


def commands() -> list[type[msgspec.Struct]]:
    """Return a type for each command."""
    return [
        msgspec.defstruct(
            f"{name.title()}Command", [(f"{name}_", kind, msgspec.field(name=name))],
            forbid_unknown_fields=True,
        )
        for name, kind in COMMANDS.items()
    ]  # fmt: skip


def _printed(part: Any) -> Any:
    """Return a part of a schema as the program prints it: bytes are hex digits."""
    if isinstance(part, dict):
        if "contentEncoding" in part:
            return {"type": "string", "pattern": "^[0-9a-f]*$"}
        return {key: _printed(value) for key, value in part.items()}
    return [_printed(each) for each in part] if isinstance(part, list) else part


def json_schema() -> str:
    """Return the JSON Schema: `$defs/Event` and `$defs/Command`; a line has to match one of the two."""
    kinds = {"Event": events(), "Command": commands()}
    every = [kind for group in kinds.values() for kind in group]
    references, components = msgspec.json.schema_components(every, ref_template="#/$defs/{name}")
    names = dict(zip(every, references, strict=True))
    groups = {group: {"anyOf": [names[kind] for kind in found]} for group, found in kinds.items()}
    schema = {
        "$schema": _DRAFT,
        "title": "Lines of `snug host`, `snug join` and `snug crowd` with `--json`",
        "anyOf": [{"$ref": f"#/$defs/{group}"} for group in groups],
        "$defs": groups | _printed(components),
    }
    return json.dumps(schema, indent=2) + "\n"


# -- TypeScript ------------------------------------------------------------------------------


def _type(kind: inspect.Type) -> str:
    """Return a type in TypeScript. Bytes are printed as hex digits."""
    match kind:
        case inspect.IntType() | inspect.FloatType():
            return "number"
        case inspect.BoolType():
            return "boolean"
        case inspect.StrType() | inspect.BytesType():
            return "string"
        case inspect.NoneType():
            return "null"
        case inspect.LiteralType(values):
            return " | ".join(json.dumps(value) for value in values)
        case inspect.ListType() | inspect.VarTupleType():
            inner = _type(kind.item_type)
            return f"readonly ({inner})[]" if "|" in inner else f"readonly {inner}[]"
        case inspect.UnionType():
            return " | ".join(_type(each) for each in kind.types)
        case inspect.StructType() | inspect.DataclassType():
            return kind.cls.__name__
        case _:
            raise TypeError(f"no TypeScript for {kind}")


def _interface(kind: inspect.StructType | inspect.DataclassType) -> str:
    tag = kind.tag if isinstance(kind, inspect.StructType) else None
    lines = [] if tag is None else [f'  readonly event: "{tag}";']
    lines += [
        f"  readonly {each.encode_name}{'' if each.required else '?'}: {_type(each.type)};"
        for each in kind.fields
    ]
    return f"export interface {kind.cls.__name__} {{\n" + "\n".join(lines) + "\n}\n"


def _nested(kind: inspect.Type, found: dict[str, inspect.StructType | inspect.DataclassType]) -> None:
    if isinstance(kind, inspect.StructType | inspect.DataclassType):
        for field in kind.fields:
            _nested(field.type, found)
        found.setdefault(kind.cls.__name__, kind)
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType):
        _nested(kind.item_type, found)
    elif isinstance(kind, inspect.UnionType):
        for each in kind.types:
            _nested(each, found)


def typescript() -> str:
    """Return the same types in TypeScript: the unions `SnugEvent` and `SnugCommand`, and their parts."""
    parts: dict[str, inspect.StructType | inspect.DataclassType] = {}
    for kind in (*events(), *commands()):
        _nested(inspect.type_info(kind), parts)
    unions = {"SnugEvent": events(), "SnugCommand": commands()}
    return "\n".join(
        (
            "// Written by `python -m tests.docs.generate`; `snug schema --typescript` prints it.\n",
            *map(_interface, parts.values()),
            *(
                f"export type {name} =\n  | " + "\n  | ".join(kind.__name__ for kind in kinds) + ";\n"
                for name, kinds in unions.items()
            ),
        )
    )


# -- the command -----------------------------------------------------------------------------


def add_parser(commands: Any) -> None:
    """Add `schema` to the commands (argparse's subparsers)."""
    parser = commands.add_parser("schema")
    parser.add_argument("--typescript", action="store_true", help="print them as TypeScript types")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    print(typescript() if arguments.typescript else json_schema(), end="")
    return 0
