"""The operator's view: what this process holds right now, and so all that it could disclose.

Identifiers that live only as long as a connection (addresses, handles) or that are meaningless keys (room
numbers, public keys) are counted here and shown only when asked for, so that the view itself can be printed,
kept and shown around without telling anything about anybody.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from typing import Any

from server.app import Server
from server.hub import Hub
from server.room import RoomFacts


def _room(facts: RoomFacts, now: float, identifiers: bool) -> dict[str, Any]:
    view: dict[str, Any] = {
        "slot": facts.slot,
        "connections": len(facts.handles),
        "connections_with_current_pass": facts.passes_current,
        "gates": facts.gates,
        "commits": [
            {"slot": slot, "bytes": size, "age": round(now - taken_at, 1)}
            for slot, size, taken_at in facts.commits
        ],
        "relays": [{"relay": relay, "bytes": size} for relay, size in facts.relays],
        "waiting_commit_bytes": facts.held_bytes,
        "streams": {kind: facts.streams.count(kind) for kind in ("audio", "video")},
    }
    if identifiers:
        view["number"] = facts.number.hex()
        view["steward_key"] = facts.steward_key.hex()
        view["handles"] = [handle.hex() for handle in facts.handles]
    return view


def _files_open_for_writing() -> int:
    """Regular files that this process could write to, standard streams aside; -1: it can't be told."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return -1
    count = 0
    for number in numbers:
        try:
            writable = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
            count += number > 2 and writable and stat.S_ISREG(os.fstat(number).st_mode)
        except OSError:
            continue  # the directory's own, closed by now
    return count


def disclosure(server: Server, *, identifiers: bool = False) -> dict[str, Any]:
    """All that the process holds, as JSON-ready values: sizes in bytes, ages in seconds.

    Blobs are ciphertext and are given by size. With `identifiers`, rooms carry number and steward key (hex)
    and the handles of those connected. `addresses` is how many different ones are connected now.
    """
    signaling = server.signaling
    hub: Hub = signaling.hub
    now = server.clock()
    rooms = [_room(facts, now, identifiers) for facts in hub.rooms()]
    lobbies = hub.lobbies()
    return {
        "uptime": round(now - server.started_at, 1),
        "connections": signaling.connections,
        "addresses": signaling.addresses,
        "queued_bytes": signaling.queued(),
        "refusals": dict(signaling.refusals),
        "lobbies": [{"connections": n} for n in lobbies],
        "rooms": rooms,
        "blobs": sum(len(r["commits"]) + len(r["relays"]) for r in rooms),
        "blob_bytes": sum(b["bytes"] for r in rooms for b in [*r["commits"], *r["relays"]]),
        "media": signaling.media.totals(),
        "files_open_for_writing": _files_open_for_writing(),
    }


def line(server: Server) -> str:
    """``disclosure `` and the JSON, on one line."""
    return "disclosure " + json.dumps(disclosure(server), separators=(",", ":"))
