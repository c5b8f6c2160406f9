"""Cases as JSON and back: one text a case, bytes in hex, so that another client can read the same."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from snugroom.crypto.agreed.commit_view import CommitView, LeafView, ProposalView
from snugroom.crypto.agreed.ledger import Ledger
from snugroom.crypto.agreed.room_state import Policy
from tests.policy.cases import Case


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case Ledger() | Policy():
            return value.encode().hex()
        case LeafView() | ProposalView() | CommitView():
            return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        case tuple():
            return [_plain(item) for item in value]
        case dict():
            return [[key, _plain(item)] for key, item in sorted(value.items())]
        case None | bool() | int() | str():
            return value
    raise TypeError(f"no JSON for {value!r}")


def dumps(case: Case) -> str:
    """Canonical: sorted keys, no spaces, ASCII."""
    value = {"name": case.name, "rule": case.rule, "view": _plain(case.view)}
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _leaf(value: Any) -> LeafView | None:
    return None if value is None else LeafView(**{k: bytes.fromhex(v) for k, v in value.items()})


def _pairs(value: Any) -> tuple[tuple[int, bytes], ...]:
    return tuple((kind, bytes.fromhex(data)) for kind, data in value)


def _proposal(value: Any) -> ProposalView:
    ticket = value["ticket"]
    changed = {
        "added": _leaf(value["added"]),
        "package": bytes.fromhex(value["package"]),
        "init_key": bytes.fromhex(value["init_key"]),
        "ticket": None if ticket is None else bytes.fromhex(ticket),
        "psk_id": bytes.fromhex(value["psk_id"]),
        "extensions": _pairs(value["extensions"]),
    }
    return ProposalView(**(value | changed))


def loads(text: str) -> Case:
    """The case that `dumps` was given."""
    value = json.loads(text)
    view = value["view"]
    members = {}
    for place, member in view["members"]:
        members[place] = _leaf(member)
    changed = {
        "proposals": tuple(_proposal(p) for p in view["proposals"]),
        "path_leaf": _leaf(view["path_leaf"]),
        "members": members,
        "policy": Policy.decode(bytes.fromhex(view["policy"])),
        "extensions": _pairs(view["extensions"]),
        "ledger": Ledger.decode(bytes.fromhex(view["ledger"])),
        **{name: bytes.fromhex(view[name]) for name in ("authenticated_data", "group_id", "room", "chain")},
    }
    return Case(value["name"], CommitView(**(view | changed)), value["rule"])
