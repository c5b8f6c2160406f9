"""A disclosure as plain sentences, to read aloud."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final

from snugroom.server.disclosure.catalogue import Language, number, say


def _size(value: int, language: Language) -> str:
    for unit, name in ((2**20, "MB"), (2**10, "kB")):
        if value >= unit:
            return f"{number(value / unit, language, 1)} {name}"
    return say(language, "bytes", n=str(value))


def _age(seconds: float, language: Language) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= unit:
            return say(language, name, n=int(seconds // unit))
    return say(language, "seconds", n=int(seconds))


def _nodes(nodes: dict[str, Any] | None, language: Language) -> list[str]:
    if nodes is None:
        return []
    places = say(language, "places", n=nodes["leases"])
    return [say(language, "nodes", node=str(nodes["node"]), places=places)]


def _workers(view: dict[str, Any], language: Language) -> list[str]:
    workers, silent = view.get("media_workers"), view["media_workers_silent"]
    if not workers:
        return []
    processes = say(language, "processes", n=workers)
    if silent:
        return [say(language, "workers_silent", processes=processes, silent=silent)]
    return [say(language, "workers", processes=processes)]


def _audit(found: dict[str, Any] | None, language: Language) -> list[str]:
    if found is None:
        return []
    missing = [*found["undeclared"], *found["misplaced"]]
    key = "audit_missing" if missing else "audit_complete"
    return [say(language, key, objects=found["objects"], missing=", ".join(missing))]


def sentences(view: dict[str, Any], language: Language = "en") -> list[str]:
    """Return sentences that say what the server holds, and what it does not know.

    `view` is a disclosure (`server.disclosure.view.disclosure`). No sentence uses its identifiers.
    """
    told = partial(say, language)
    rooms, lobbies, media, sealed = view["rooms"], view["lobbies"], view["media"], view["sealed_media"]
    streams = {kind: sum(room["streams"][kind] for room in rooms) for kind in ("audio", "video")}
    slots = max((room["slot"] or 0 for room in rooms), default=0)
    files = view["files_open_for_writing"]
    return [
        told("running", age=_age(view["uptime"], language)),
        told(
            "here",
            connections=told("connections", n=view["connections"]),
            addresses=told("addresses", n=view["addresses"]),
            inside=str(sum(room["connections"] for room in rooms)),
            rooms=told("rooms", n=len(rooms)),
            waiting=str(sum(lobby["connections"] for lobby in lobbies)),
            lobbies=told("lobbies", n=len(lobbies)),
            door=str(view["at_the_door"]),
        ),
        told("known_overwritten" if view["freed_memory_is_overwritten"] else "known_remains"),
        told("counted_clients", clients=told("clients", n=view["clients_known"])),
        told("of_rooms", slots=str(slots)) if rooms else told("no_room"),
        told("holds_blobs", blobs=told("blobs", n=view["blobs"]), size=_size(view["blob_bytes"], language)),
        told(
            "carries",
            **{kind: told(kind, n=count) for kind, count in streams.items()},
            packets=told("sealed_packets", n=sealed["packets"]),
            size=_size(sealed["bytes"], language),
        ),
        told("transport_keys", connections=told("connections", n=view["srtp_sessions"])),
        told("own_keys"),
        told(
            "counted",
            packets=told("packets", n=media.get("received", 0)),
            refusals=told("refusals", n=sum(view["refusals"].values())),
        ),
        _permission(view["permission"], language),
        told("files_none")
        if files == 0
        else told("files_some", files=told("files", n=files))
        if files > 0
        else told("files_unknown"),
        told("unknown"),
        told("leakage"),
        *_nodes(view.get("nodes"), language),
        *_workers(view, language),
        *_audit(view.get("audit"), language),
    ]


def _permission(permission: dict[str, Any], language: Language) -> str:
    """Return what the server learns of those who open rooms, by policy."""
    counts = {name: str(permission.get(name, 0)) for name in ("vouchers_exchanged", "tokens_spent")}
    return say(language, f"permission_{permission['policy']}", **counts)


#: Maximum number of rooms, and of lobbies, that `brief` lists one by one.
_EACH: Final = 4
_LISTED: Final = frozenset({"rooms", "lobbies", "commits", "relays", "seats"})


def brief(value: Any, name: str = "") -> Any:
    """Return a disclosure that is short enough to read aloud and still covers everything.

    Lists become ``{"count": n}`` with a summary of each field: the sum (for bytes), the common value, or the
    smallest and the largest value. Up to four rooms and up to four lobbies stay listed one by one.
    """
    if isinstance(value, dict):
        return {inner: brief(item, inner) for inner, item in value.items()}
    if name not in _LISTED or not isinstance(value, list):
        return value
    if name in ("rooms", "lobbies") and len(value) <= _EACH:
        return [brief(item) for item in value]
    names = dict.fromkeys(inner for item in value for inner in item)
    return {"count": len(value), **{inner: _several(inner, value) for inner in names}}


def _several(name: str, items: list[dict[str, Any]]) -> Any:
    values = [item[name] for item in items if name in item]
    if all(isinstance(value, dict) for value in values):
        return {inner: _several(inner, values) for inner in values[0]}
    if all(isinstance(value, list) for value in values):
        return brief([item for value in values for item in value], name)
    if not all(isinstance(value, int | float) for value in values):
        return sorted({json.dumps(value) for value in values})
    if name == "bytes":
        return sum(values)
    least, greatest = min(values), max(values)
    return least if least == greatest else [least, greatest]
