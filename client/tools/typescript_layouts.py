"""Writes the page's tables of binary layouts, `client/web/src/wire/layouts/`, from the declarations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from snugroom.crypto.agreed import envelope, heartbeat, ledger, room_state, slot_author
from snugroom.crypto.entry import answers, invite, link, lobby, pieces, recovery
from snugroom.crypto.media import signatures
from snugroom.crypto.proof import evidence, identity, report
from snugroom.wire import layout, rights, signed
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

#: The layouts that the page encodes or decodes; a layout comes after those that it contains.
LAYOUTS: Final[tuple[type[Any], ...]] = (
    heartbeat.Got,
    heartbeat.PendingAct,
    heartbeat.Heartbeat,
    ledger.Rejoined,
    ledger.Away,
    ledger.Ledger,
    room_state.PolicyServer,
    room_state.Policy,
    room_state.Identity,
    room_state.RejoinMessage,
    room_state.RejoinTicket,
    room_state.HostReturn,
    room_state.HostReturnMessage,
    room_state.CommitContext,
    link.Relays,
    link.LinkBody,
    link.LinkText,
    envelope.Messages,
    slot_author.SlotAuthor,
    slot_author.SlotText,
    invite.HostSeed,
    invite.HostKeys,
    answers.Answer,
    answers.Refusal,
    answers.Received,
    answers.AlreadyMember,
    lobby.CardRequest,
    lobby.Card,
    lobby.CardMessage,
    lobby.Knock,
    lobby.Reply,
    lobby.RecoveryMessage,
    lobby.Piece,
    lobby.KnockContents,
    lobby.KnockInside,
    pieces.TreeAndLedger,
    pieces.PieceList,
    recovery.HelperQuery,
    recovery.HelperOffer,
    recovery.HostReturnRequest,
    recovery.RejoinRequest,
    recovery.RecoveryReply,
    recovery.HostRecoveryData,
    signatures.Scope,
    signatures.Certified,
    signatures.Run,
    signatures.FrameList,
    identity.ShownIdentity,
    identity.VouchContext,
    identity.OpenedVouch,
    report.Admission,
    evidence.Probed,
    signed.RoomDoor,
    signed.LobbyDoor,
    rights.Opens,
    rights.PasswordSalt,
    rights.TokenKey,
    rights.Voucher,
    signed.Opening,
    signed.Rekey,
    signed.RoomOpened,
    signed.SlotTaken,
    signed.RoomKeys,
    signed.ChainLink,
)
#: The sets of layouts with a number in front, by their name in the page.
ONE_OF: Final[dict[str, layout.OneOf[Any]]] = {
    "ReplyBody": answers.BODY,
    "LobbyMessage": lobby.MESSAGE,
    "InsideMessage": recovery.MESSAGE,
}
_HEAD: Final = """\
// Written by `python -m snugroom.client.tools.typescript`, from {source}: change it there.

{imports}
"""


def files(folder: Path) -> dict[Path, str]:
    """Return the content of the generated files in the page's folder of the wire: one for each module.

    A file that the page loads later has its layouts in files of their own.
    """
    parts: dict[str, dict[str, str]] = {}
    for module, name, text in _declarations():
        parts.setdefault(module, {})[name] = text
    owners = {name: module for module, named in parts.items() for name in named}
    return {
        folder / "layouts" / f"{_file(module)}.ts": _content(module, "\n".join(named.values()), owners)
        for module, named in parts.items()
    }


def _file(module: str) -> str:
    return _camel(module.rpartition(".")[2])


def _declarations() -> Iterator[tuple[str, str, str]]:
    """Yield all declarations: the Python module, the name, and the text in TypeScript."""
    for module in (heartbeat, ledger, room_state, link):
        for name, value in vars(module).items():
            own = name not in vars(kinds) and not (module is link and name in vars(room_state))
            if name.isupper() and not name.startswith("_") and isinstance(value, int) and own:
                yield module.__name__, name, f"export const {name} = {value};"
    for enum in _enums():
        yield enum.__module__, enum.__name__, _enum(enum)
    for kind in LAYOUTS:
        yield kind.__module__, kind.__name__, _interface(kind)
        yield kind.__module__, _constant(kind.__name__), _table(kind)
    for name, one_of in ONE_OF.items():
        first = next(iter(one_of.kinds.values()))
        yield first.__module__, name, _one_of(name, one_of)


def _content(module: str, text: str, owners: dict[str, str]) -> str:
    """Return a file: its imports, and its declarations."""
    used = set(re.findall(r"\b[A-Za-z_]+\b", re.sub(r"/\*\*.*?\*/", "", text)))
    types = [name for name in ("Layout", "OneOf") if name in used]
    lines = ['import type { Bytes } from "../../crypto/bytes";'] if "Bytes" in used else []
    lines += [f'import type {{ {", ".join(types)} }} from "../layout";'] if types else []
    for other in sorted(set(owners.values()) - {module}):
        names = sorted(name for name, owner in owners.items() if owner == other and name in used)
        if names:
            marked = [name if name.isupper() else f"type {name}" for name in names]
            lines.append(f'import {{ {", ".join(marked)} }} from "./{_file(other)}";')
    source = module.removeprefix("snugroom.").replace(".", "/") + ".py"
    return _HEAD.format(source=source, imports="\n".join(lines)) + text


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def _constant(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def _enums() -> list[type[IntEnum]]:
    found: dict[type[IntEnum], None] = {}
    for kind in LAYOUTS:
        for field in layout.shape(kind).fields:
            if isinstance(field.shape, EnumShape):
                found.setdefault(field.shape.type)
    return list(found)


def _enum(kind: type[IntEnum]) -> str:
    doc = (kind.__doc__ or "").strip().splitlines()[0]
    rows = "".join(f"  {each.name}: {each.value},\n" for each in kind)
    name = kind.__name__
    return (
        f"/** {doc} */\nexport const {name} = {{\n{rows}}} as const;\n"
        f"export type {name} = (typeof {name})[keyof typeof {name}];\n"
    )


def _interface(kind: type[Any]) -> str:
    doc = (kind.__doc__ or "").strip().splitlines()[0]
    told_apart = any(kind in each.kinds.values() for each in ONE_OF.values())
    lines = [f'  readonly type: "{kind.__name__}";'] if told_apart else []
    for field in layout.shape(kind).fields:
        size = fixed_size(field.shape) if isinstance(field.shape, kinds.Fixed) else None
        if size is not None:
            lines.append(f"  /** {size} bytes. */")
        lines.append(f"  readonly {_camel(field.name)}: {_type(field.shape)};")
    return f"/** {doc} */\nexport interface {kind.__name__} {{\n" + "\n".join(lines) + "\n}\n"


def _one_of(name: str, one_of: layout.OneOf[Any]) -> str:
    names = {number: kind.__name__ for number, kind in one_of.kinds.items()}
    rows = "".join(f"    {each}: [{number}, {_constant(each)}],\n" for number, each in names.items())
    return (
        f"export type {name} = {' | '.join(names.values())};\n"
        f"export const {_constant(name)}: OneOf<{name}> = {{\n"
        f"  name: {json.dumps(one_of.name)},\n  kinds: {{\n{rows}  }},\n}};\n"
    )


def _type(shape: Shape) -> str:
    match shape:
        case kinds.Uint() | kinds.Bits():
            return "number"
        case kinds.Fixed() | kinds.Bytes() | RestShape(text=False):
            return "Bytes"
        case kinds.Text() | RestShape():
            return "string"
        case kinds.Flag():
            return "boolean"
        case EnumShape(kind):
            return kind.__name__
        case OptionShape(item):
            return f"{_type(item)} | null"
        case ItemsShape(frozen=True):
            return f"ReadonlySet<{'number' if isinstance(shape.item, kinds.Uint) else 'string'}>"
        case ItemsShape(item=item):
            inner = _type(item)
            return f"readonly ({inner})[]" if " " in inner else f"readonly {inner}[]"
        case RecordShape(type=None):
            return f"readonly [{', '.join(_type(each.shape) for each in shape.fields)}]"
        case RecordShape():
            assert shape.type is not None
            return shape.type.__name__


def _row(shape: Shape) -> str:
    """Return the row for a shape that `wire/layout.ts` describes."""
    match shape:
        case kinds.Uint(size, most):
            return str(size) if most == kinds.UINT_MAX else f'["u", {size}, {most}]'
        case kinds.Fixed(size):
            return str(-size)
        case kinds.Flag():
            return "0"
        case kinds.Bytes(prefix, most) | kinds.Text(prefix, most):
            letter = "b" if isinstance(shape, kinds.Bytes) else "t"
            unit = f", {shape.unit}" if isinstance(shape, kinds.Bytes) and shape.unit > 1 else ""
            return f'["{letter}", {prefix}, {256**prefix - 1 if most is None else most}{unit}]'
        case kinds.Bits(mask):
            return f'["m", {mask}]'
        case EnumShape(kind):
            return f'["e", {json.dumps([each.value for each in kind])}]'
        case RestShape(text=text):
            return f'["r", {json.dumps(text)}]'
        case OptionShape(item):
            return f'["o", {_row(item)}]'
        case ItemsShape(kind, item, frozen):
            order = 1 if kind.rising is True else 2 if kind.rising else 3 if kind.unique else 0
            numbers = f"{kind.count}, {kind.least}, {kind.most}"
            return f'["l", {numbers}, {_row(item)}, {order}, {json.dumps(frozen)}]'
        case RecordShape(type=None, fields=fields):
            return f'["p", [{", ".join(_row(each.shape) for each in fields)}]]'
        case RecordShape():
            assert shape.type is not None
            return _constant(shape.type.__name__)


def _table(kind: type[Any]) -> str:
    shape = layout.shape(kind)
    fields = "".join(f"    [{json.dumps(_camel(each.name))}, {_row(each.shape)}],\n" for each in shape.fields)
    start = json.dumps(shape.start.decode("ascii"))
    name = json.dumps(shape.name)
    return (
        f"export const {_constant(kind.__name__)}: Layout<{kind.__name__}> = {{\n"
        f"  name: {name},\n  start: {start},\n  fields: [\n{fields}  ],\n}};\n"
    )
