"""The operator's view: everything that this process holds now, and so everything that it could disclose.

Some identifiers live only as long as a connection (addresses, handles); others are keys without meaning (room
numbers, public keys). The view counts them, and contains them only on request. Without them, the view can be
printed, stored and shared without identifying anyone.
"""

from __future__ import annotations

import json
from typing import Any

from snugroom.server import logs, memory, process
from snugroom.server.app import Server
from snugroom.server.rooms.facts import RoomFacts
from snugroom.server.rooms.hub import Hub
from snugroom.server.sfu.facts import MediaFacts
from snugroom.server.sfu.sfu import Sfu
from snugroom.server.sfu.workers.pool import MediaView, Workers

#: Keys that the server makes at its start. They cannot decrypt the content of any meeting.
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
        "signature_lists": {"count": len(facts.signature_lists), "bytes": sum(facts.signature_lists)},
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
        view["numbers"] = [number.hex() for number in facts.numbers]
        view["room_admin_key"] = facts.room_admin_key.hex()
        view["chain"] = facts.chain.hex()
        view["permission"] = facts.permission.hex()
        view["handles"] = [handle.hex() for handle in facts.handles]
    return view


def _permission(hub: Hub, policy: str, identifiers: bool) -> dict[str, Any]:
    held = hub.permission
    counts = {"vouchers_exchanged": 0, "tokens_spent": 0} if held is None else held.counts()
    named = {"vouchers": [], "tokens": []} if held is None else held.identifiers()
    return {"policy": policy, **counts, **(named if identifiers else {})}


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
        for handle, address, headers in signaling.clients()
    ]


async def media_view(server: Server, *, streams: bool = False, audit: bool = False) -> MediaView:
    """Return what the SFU holds. With media workers this asks all workers, within a time limit."""
    media = server.signaling.media
    if isinstance(media, Workers):
        return await media.inspect(held=True, streams=streams, audit=audit)
    return local_media_view(server, streams=streams)


def local_media_view(server: Server, *, streams: bool = False) -> MediaView:
    """Return what the SFU of this process holds. Raises TypeError if media is in worker processes."""
    media = server.signaling.media
    if isinstance(media, Workers):
        raise TypeError("media is in other processes: ask them (media_view)")
    if not isinstance(media, Sfu):
        return MediaView(media.totals())
    return MediaView(media.totals(), media.held(), tuple(media.streams()) if streams else ())


def _nodes(hub: Hub) -> dict[str, Any] | None:
    """Return what this node holds of its leases, all of which the bus of the nodes learns; None without."""
    if hub.placement is None:
        return None
    return {"node": hub.placement.node, "leases": hub.placement.leases.held}


def _files(media: MediaView) -> int:
    """Return the files open for writing in all processes together; -1 if one process has no number."""
    counts = [process.files_open_for_writing(), *media.files]
    return -1 if min(counts) < 0 else sum(counts)


def disclosure(
    server: Server, *, identifiers: bool = False, media: MediaView | None = None
) -> dict[str, Any]:
    """Return everything that the process holds, as JSON-ready values: sizes in bytes, ages in seconds.

    `media` is the result of `media_view`; it is required with media workers. `media_workers_silent` counts
    the workers that gave no answer; the view lacks what they hold.

    Blobs and packets are ciphertext, and the view gives their sizes. With `identifiers`, rooms have their
    numbers, room admin key, chain and handles (hex), lobbies have their number and handles, and
    `people` has the data that last as long as each connection: handle, challenge, addresses and the headers
    of its HTTP request. Secrets of the transport to the server (SRTP keys, ICE passwords) are counted and
    never printed.
    `addresses` is the number of different addresses that are connected now; `clients_known` is the number of
    clients and networks whose keyed hashes are kept, including those that left within the last minute.
    `forgetting`: traces of a client that has left may still be in memory (`server.memory`).
    `server.disclosure.inventory` names the place of each attribute in the view.
    """
    signaling = server.signaling
    hub: Hub = signaling.hub
    now = server.clock()
    rooms = [_room(facts, now, identifiers) for facts in hub.rooms()]
    lobbies: list[dict[str, Any]] = [{"connections": n} for n in hub.lobby_sizes()]
    if identifiers:
        for lobby, (number, handles) in zip(lobbies, hub.lobby_members(), strict=True):
            lobby["number"] = number.hex()
            lobby["handles"] = [handle.hex() for handle in handles]
    found = local_media_view(server) if media is None else media
    held = found.held
    view = {
        "uptime": round(now - server.started_at, 1),
        "connections": signaling.connections,
        "greeting": server.greeting,
        "at_the_door": hub.at_the_door(),
        "addresses": signaling.addresses,
        "clients_known": len(signaling.admission.clients),
        "memory_bytes": signaling.memory,
        "queued_bytes": signaling.queued_bytes(),
        "refusals": {**signaling.refusals, "http": server.http_log.malformed},
        "lobbies": lobbies,
        "rooms": rooms,
        "blobs": sum(len(r["commits"]) + len(r["relays"]) + r["signature_lists"]["count"] for r in rooms),
        "blob_bytes": sum(
            b["bytes"] for r in rooms for b in [*r["commits"], *r["relays"], r["signature_lists"]]
        ),
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
        "datagram_addresses": 0 if held is None else held.cached_addresses,
        "permission": _permission(hub, server.settings.open, identifiers),
        "own_keys": list(OWN_KEYS),
        "nodes": _nodes(hub),
        "files_open_for_writing": _files(found),
        "log_lines_dropped": logs.dropped(),
        "freed_memory_is_overwritten": memory.wipes(),
        "forgetting": server.forgetting.pending or any(h.forgetting for h in found.heartbeats.values()),
    }
    if identifiers:
        view["people"] = _people(server, held)
    return view


async def line(server: Server) -> str:
    """Return the word ``disclosure``, a space and the disclosure as JSON, on one line."""
    view = disclosure(server, media=await media_view(server))
    return "disclosure " + json.dumps(view, separators=(",", ":"))
