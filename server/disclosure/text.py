"""A disclosure as plain sentences, to read aloud."""

from __future__ import annotations

import json
from typing import Any, Final


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _size(number: int) -> str:
    for unit, name in ((2**20, "MB"), (2**10, "kB")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number} bytes"


def _age(seconds: float) -> str:
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            return _count(int(seconds // unit), name)
    return _count(int(seconds), "second")


#: What the server learns of those who open rooms, by policy.
_PERMISSION: Final = {
    "anyone": "Anyone may open a room here, and nothing is asked of them.",
    "password": "Rooms are opened with one password, the same for everybody: it learns that somebody knows "
    "it, and not who.",
    "tokens": "Rooms are opened with anonymous tokens. Under the keys of this week and of yesterday's, "
    "{vouchers_exchanged} vouchers were exchanged and {tokens_spent} tokens spent. The operator that gave "
    "out vouchers can tell whose was exchanged; which token came of which voucher is in no memory and "
    "can't be computed. An exchange and an opening from one address, soon after each other, look like one "
    "person's.",
}


def _known_of_a_connection(view: dict[str, Any]) -> str:
    known = (
        "Of each connection it knows, while it lasts: its IP addresses, the headers of its HTTP request, a "
        "random handle, and since when it is there. "
    )
    if view["freed_memory_is_overwritten"]:
        return known + "Within a minute after its end it overwrites all of that."
    return known + "After its end, remains of that stay in memory until something else is written there."


def _nodes(nodes: dict[str, Any] | None) -> list[str]:
    if nodes is None:
        return []
    places = _count(nodes["leases"], "room or lobby", "rooms and lobbies")
    return [
        f"It is node {nodes['node']} of several. The bus of the nodes learns that this node has {places}, "
        "under hashes that only the nodes can compute, and when each begins and ends; no address, no key and "
        "no connection."
    ]


def _workers(view: dict[str, Any]) -> list[str]:
    workers, silent = view.get("media_workers"), view["media_workers_silent"]
    if not workers:
        return []
    return [
        f"Media passes through {_count(workers, 'process', 'processes')} of its own, which were asked too"
        + (f"; {silent} of them did not answer, and what they hold is not in this." if silent else ".")
    ]


def sentences(view: dict[str, Any]) -> list[str]:
    """Return sentences that say what the server holds, and what it does not know.

    `view` is a disclosure (`server.disclosure.view.disclosure`). No sentence uses its identifiers.
    """
    rooms, lobbies, media, sealed = view["rooms"], view["lobbies"], view["media"], view["sealed_media"]
    inside = sum(room["connections"] for room in rooms)
    streams = {kind: sum(room["streams"][kind] for room in rooms) for kind in ("audio", "video")}
    slots = max((room["slot"] or 0 for room in rooms), default=0)
    refused = sum(view["refusals"].values())
    files = view["files_open_for_writing"]
    here = _count(view["connections"], "connection")
    places = _count(view["addresses"], "address", "addresses")
    waiting = sum(lobby["connections"] for lobby in lobbies)
    blobs, packets = _count(view["blobs"], "sealed blob"), _count(sealed["packets"], "sealed packet")
    audio, video = (_count(streams[kind], f"{kind} stream") for kind in ("audio", "video"))
    said = [
        f"This server has been running for {_age(view['uptime'])}, and remembers nothing from before.",
        f"It has {here} from {places}: {inside} in {_count(len(rooms), 'room')}, {waiting} in "
        f"{_count(len(lobbies), 'lobby', 'lobbies')}, {view['at_the_door']} at a door.",
        _known_of_a_connection(view),
        f"It counts what {_count(view['clients_known'], 'client')} opened, under a keyed hash of its "
        "address; it forgets hash and key within a minute after the last connection from there.",
        "Of a room it knows a number that is a hash, the public key of its hosts, who is connected, and how "
        f"often the members changed their keys (at most {slots} times so far). A room without streams may "
        "mirror a meeting at another server."
        if rooms
        else "It holds no room.",
        f"It holds {blobs} of {_size(view['blob_bytes'])} together, for members who lose their connection; "
        "it has no key to any of them.",
        f"It carries {audio} and {video}, and holds their last {packets}, {_size(sealed['bytes'])}, to send "
        "again what gets lost; it has no key to what is in them.",
        f"It shares transport keys with {_count(view['srtp_sessions'], 'connection')}: they open the "
        "transport between it and them, not the frames.",
        "Its own keys sign receipts and secure that transport; they were made when it started and open no "
        "meeting.",
        f"It has counted {_count(media.get('received', 0), 'packet')} and {_count(refused, 'refusal')} since "
        "it started, and not whose they were.",
        _PERMISSION[view["permission"]["policy"]].format(**view["permission"]),
        "It writes to no file."
        if files == 0
        else f"It could write to {_count(files, 'file')}: ask what for."
        if files > 0
        else "Whether it writes to files can't be told here.",
        "It does not know names, titles, what is said, shown or written, nor an account, an e-mail address "
        "or a telephone number of anybody. Who is host or who speaks is written nowhere, though whoever "
        "opens a room has a host's key.",
        "Sizes and times it sees as they pass; what can be guessed from them is measured in "
        "docs/explanation/leakage.md.",
    ]
    said += _nodes(view.get("nodes")) + _workers(view)
    found = view.get("audit")
    if found is not None:
        missing = [*found["undeclared"], *found["misplaced"]]
        said.append(
            f"All {found['objects']:,} objects in its memory were compared with this: "
            + ("nothing was left out." if not missing else "this was left out: " + ", ".join(missing) + ".")
        )
    return said


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
