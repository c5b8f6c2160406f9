"""The operator's view: what this process holds right now, and so all that it could disclose.

Identifiers that live only as long as a connection (addresses, handles) or that are meaningless keys (room
numbers, public keys) are counted here and shown only when asked for, so that the view itself can be printed,
kept and shown around without telling anything about anybody.
"""

from __future__ import annotations

import json
from typing import Any

from server import process
from server.app import Server
from server.hub import Hub
from server.media.sfu import MediaFacts, Sfu
from server.room import RoomFacts
from server.workers import MediaView, Workers

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


async def look(server: Server, *, streams: bool = False, audit: bool = False) -> MediaView:
    """What the SFU holds; with media workers they are asked, which takes a moment, and is bounded."""
    media = server.signaling.media
    if isinstance(media, Workers):
        return await media.look(held=True, streams=streams, audit=audit)
    return here(server, streams=streams)


def here(server: Server, *, streams: bool = False) -> MediaView:
    """What the SFU of this process holds."""
    media = server.signaling.media
    if isinstance(media, Workers):
        raise TypeError("media is in other processes: ask them (look)")
    if not isinstance(media, Sfu):
        return MediaView(media.totals())
    return MediaView(media.totals(), media.held(), tuple(media.streams()) if streams else ())


def _files(media: MediaView) -> int:
    """Of all processes together; -1 if one of them can't tell."""
    counts = [process.files_open_for_writing(), *media.files]
    return -1 if min(counts) < 0 else sum(counts)


def disclosure(
    server: Server, *, identifiers: bool = False, media: MediaView | None = None
) -> dict[str, Any]:
    """All that the process holds, as JSON-ready values: sizes in bytes, ages in seconds.

    `media` is what `look` has found: needed where there are media workers. `media_workers_silent` of them
    gave no answer, and what they hold is not in this.

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
    found = here(server) if media is None else media
    held = found.held
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
        "media": found.totals,
        "media_workers": found.workers,
        "media_workers_silent": found.silent,
        "sealed_media": {
            "packets": 0 if held is None else held.packets,
            "bytes": 0 if held is None else held.packet_bytes,
            "ended_streams": 0 if held is None else held.ended_streams,
        },
        "srtp_sessions": 0 if held is None else held.sessions,
        "datagram_buffers": 0 if held is None else held.buffers,
        "datagram_addresses": 0 if held is None else held.addresses_by_heart,
        "own_keys": list(OWN_KEYS),
        "files_open_for_writing": _files(found),
    }
    if identifiers:
        view["people"] = _people(server, held)
    return view


async def line(server: Server) -> str:
    """``disclosure `` and the JSON, on one line."""
    view = disclosure(server, media=await look(server))
    return "disclosure " + json.dumps(view, separators=(",", ":"))
