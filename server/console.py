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
from server.media.sfu import MediaFacts, Sfu
from server.room import RoomFacts

#: Keys that the server makes for itself when it starts. No meeting's content can be opened with them.
OWN_KEYS = ("Ed25519, for receipts", "ECDSA P-256, for the transport of media")


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
        "waiting_commits": facts.waiting,
        "waiting_commit_bytes": facts.held_bytes,
        "seats": [
            {"age": round(now - since, 1), "pass_slot": shown, "won": won, "lost": lost}
            for since, shown, won, lost in facts.seats
        ],
        "streams": {kind: facts.streams.count(kind) for kind in ("audio", "video")},
    }
    if identifiers:
        view["number"] = facts.number.hex()
        view["steward_key"] = facts.steward_key.hex()
        view["chain"] = facts.chain.hex()
        view["handles"] = [handle.hex() for handle in facts.handles]
    return view


def _people(server: Server, media: MediaFacts | None) -> list[dict[str, Any]]:
    signaling = server.signaling
    return [
        {
            "handle": handle.hex(),
            "nonce": signaling.hub.nonce(handle).hex(),
            "address": address,
            "headers": headers,
            "media_addresses": [] if media is None else media.addresses.get(handle, []),
        }
        for handle, address, headers in signaling.people()
    ]


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

    Blobs and packets are ciphertext and are given by size. With `identifiers`, rooms carry number, steward
    key and chain (hex) and the handles of those connected, lobbies number and handles, and `people` tells of
    each connection what lasts as long as it: handle, challenge, addresses, the headers of its HTTP request.
    What secures the way to the server and no more (SRTP keys, passwords of ICE) is counted and never printed.
    `addresses` is how many different ones are connected now. `server.holdings` says where each attribute is
    disclosed.
    """
    signaling = server.signaling
    hub: Hub = signaling.hub
    now = server.clock()
    rooms = [_room(facts, now, identifiers) for facts in hub.rooms()]
    lobbies: list[dict[str, Any]] = [{"connections": n} for n in hub.lobbies()]
    if identifiers:
        for lobby, (number, handles) in zip(lobbies, hub.lobbies_held(), strict=True):
            lobby["number"] = number.hex()
            lobby["handles"] = [handle.hex() for handle in handles]
    media = signaling.media.held() if isinstance(signaling.media, Sfu) else None
    view = {
        "uptime": round(now - server.started_at, 1),
        "connections": signaling.connections,
        "greeting": server.greeting,
        "at_the_door": hub.at_the_door(),
        "addresses": signaling.addresses,
        "queued_bytes": signaling.queued(),
        "refusals": dict(signaling.refusals),
        "lobbies": lobbies,
        "rooms": rooms,
        "blobs": sum(len(r["commits"]) + len(r["relays"]) for r in rooms),
        "blob_bytes": sum(b["bytes"] for r in rooms for b in [*r["commits"], *r["relays"]]),
        "media": signaling.media.totals(),
        "sealed_media": {
            "packets": 0 if media is None else media.packets,
            "bytes": 0 if media is None else media.packet_bytes,
            "ended_streams": 0 if media is None else media.ended_streams,
        },
        "srtp_sessions": 0 if media is None else media.sessions,
        "datagram_buffers": 0 if media is None else media.buffers,
        "datagram_addresses": 0 if media is None else media.addresses_by_heart,
        "own_keys": list(OWN_KEYS),
        "files_open_for_writing": _files_open_for_writing(),
    }
    if identifiers:
        view["people"] = _people(server, media)
    return view


def line(server: Server) -> str:
    """``disclosure `` and the JSON, on one line."""
    return "disclosure " + json.dumps(disclosure(server), separators=(",", ":"))
