"""Options, inputs and events of sessions as the page's process has them in JSON, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.client.session.options import Options
from snugroom.wire.messages import encode

_T = TypeVar("_T")


def to_plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return {"$bytes": bytes(value).hex()}
    if isinstance(value, dict):
        return {k: to_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(v) for v in value]
    return value


def from_plain(value: Any) -> Any:
    """Python's values of the page's JSON: bytes as bytes, sentences as text, lists as tuples."""
    if isinstance(value, dict):
        if "$bytes" in value:
            return bytes.fromhex(value["$bytes"])
        if "$sentence" in value:
            return _sentence(value["$sentence"])
        return {k: from_plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return tuple(from_plain(v) for v in value)
    return value


def _sentence(raw: dict[str, Any]) -> Sentence:
    """A sentence by its key and arguments: one that the catalogue lacks, or that lacks an argument, fails."""

    def arg(value: Any) -> Any:
        if isinstance(value, dict):
            return _sentence(value)
        return [arg(each) for each in value] if isinstance(value, list) else value

    return Sentence(raw["key"], {name: arg(value) for name, value in raw.get("args", {}).items()})


_RENAMED: Final = {
    "looksLike": "looks_like",
    "newSince": "new_since",
    "usedBy": "used_by",
}
#: The kinds of members in events.
_KINDS: Final[dict[tuple[str, str], type[Any]]] = {
    ("Comparison", "members"): ev.Known,
    ("CodeAnswers", "members"): ev.Answered,
    ("Roster", "added"): ev.Newcomer,
}
#: Fields that only the page's events have.
_MORE: Final = {"ShortCode": {"indices"}, "type": set()}


def to_dataclass(kind: type[_T], fields: dict[str, Any]) -> _T:
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    given = {_RENAMED.get(k, k): v for k, v in fields.items() if k != "type"}
    extra = given.keys() - known - _MORE.get(kind.__name__, set())
    assert not extra, f"{kind.__name__} has no {extra}"
    return kind(**{k: v for k, v in given.items() if k in known})


def _members(rows: Sequence[dict[str, Any]], kind: type[Any] = ev.Member) -> tuple[Any, ...]:
    return tuple(to_dataclass(kind, row) for row in rows)


def to_event(raw: dict[str, Any]) -> ev.Event:
    kind: str = raw["type"]
    fields = dict(raw)
    if kind == "StateTold":
        shown = {
            name: value for name, value in fields["state"].items() if name != "since"
        }  # for sessions alone
        return ev.StateTold(fields["leaf"], fields["name"], **shown)
    if kind == "Pages":
        return ev.Pages(
            tuple(ev.RunsPage(p["leaf"], p["name"], bytes.fromhex(p["hash"])) for p in fields["pages"])
        )
    if kind == "Held":
        return ev.Held(tuple(to_dataclass(ev.HeldMessage, message) for message in fields["messages"]))
    if kind == "Invites":
        return ev.Invites(tuple(to_dataclass(ev.InviteRow, row) for row in fields["rows"]))
    for name in ("members", "added", "removed"):
        if name in fields:
            fields[name] = _members(fields[name], _KINDS.get((kind, name), ev.Member))
    return to_dataclass(getattr(ev, kind), fields)  # type: ignore[no-any-return]


def to_endpoint(raw: dict[str, Any]) -> ev.Endpoint:
    return ev.Endpoint(raw["day"], raw["further"])


def from_input(what: ev.Input, state: ev.SetState) -> dict[str, Any]:
    kind = type(what).__name__
    if isinstance(what, ev.RaiseHand):
        what = dataclasses.replace(state, hand=what.up)
    if isinstance(what, ev.SetState):
        return {"type": "SetState", "state": dataclasses.asdict(what)}
    if isinstance(what, ev.Received):
        return {
            "type": kind,
            "endpoint": dataclasses.asdict(what.endpoint),
            "message": encode(what.message).decode(),
        }
    if isinstance(what, ev.RunPage):
        return {"type": "RunsPage", "hash": what.hash}
    fields = {f.name: getattr(what, f.name) for f in dataclasses.fields(what)}
    if isinstance(what, ev.Lost):
        fields["endpoint"] = dataclasses.asdict(what.endpoint)
        fields["byServer"] = fields.pop("by_server")
    if isinstance(what, ev.Publish):
        fields["streams"] = [
            {
                "ssrc": s,
                "kind": k,
                "stream": n,
                "layers": what.layers.get(s, ()),
                "rtx": what.rtx.get(s, ()),
            }
            for s, k, n in what.streams
        ]
        fields["takesRtx"] = fields.pop("takes_rtx")
        del fields["layers"], fields["rtx"]
    if isinstance(what, ev.SelectStreams):
        fields["maxLayers"] = list(what.max_layers.items())
    if isinstance(what, ev.SaveReport | ev.SaveEvidence | ev.SendFile | ev.SendImage):
        del fields["path"]
    return {"type": kind, **fields}


def from_options(options: Options) -> dict[str, Any]:
    return {
        "contacts": None if options.contacts is None else options.contacts.encode(),
        "showIdentity": options.show_identity,
        "reports": options.reports,
        "mirror": options.mirror,
        "sixteen": options.sixteen,
        "strict": options.strict,
        "waitsForSilent": options.waits_for_silent,
        "keep": options.keep,
        "evidence": options.evidence is not None,
        "evidenceNames": options.evidence_names,
        "patience": options.patience,
        "servers": options.servers,
    }
