"""The inventory's part about clients, turns and memory: see `inventory`."""

from __future__ import annotations

from typing import Final

from snugroom.server.disclosure.kinds import LIMITS, MACHINERY, SETTINGS, every

#: A group of `server.rooms.turns` is named by a room, a lobby or, before the door, a connection.
_GROUP: Final = "?rooms[].handles = handle number lobby"

ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    "snugroom.server.rooms.addresses.Proxies": {"_networks": SETTINGS + " = http"},
    "snugroom.server.rooms.admission.Admission": {
        "clients": "clients_known",
        "entrance": MACHINERY,
        "handshakes": "connections",
        "_settings": SETTINGS,
        "_clock": MACHINERY,
        "_turns": "connections = http",
        "_timer": MACHINERY + " = http",
    },
    "snugroom.server.rooms.clients.Client": {
        **every("arrivals openings requests wider", LIMITS),
        **every("handshakes lobbies rooms visits unread", "clients_known"),
        "handles": "?people[].handle = handle",
        "network": "clients_known",
        "prefix": "?people[].address = prefix",
        "unlimited": MACHINERY,
    },
    "snugroom.server.rooms.clients.Clients": {
        "_settings": SETTINGS,
        "_rng": MACHINERY,
        "_keys": "own_keys = hash",
        **every("_known _before", "clients_known = hash"),
        "_until": MACHINERY,
        "unknown": "connections",
    },
    "snugroom.server.rooms.entrance.Entrance": {
        "proxies": SETTINGS,
        "header": SETTINGS + " = setting",
        **every("with_header time", SETTINGS),
        "clients": "clients_known",
        "visits": "greeting",
        "_refusals": "refusals = label",
        "_clock": MACHINERY,
    },
    "snugroom.server.rooms.visits.Visits": {
        "_settings": SETTINGS,
        "_clients": "clients_known",
        **every("_known _new _readers _of", "greeting = http"),
        "unread": "memory_bytes",
    },
    "snugroom.server.rooms.visits.Visit": {
        "key": "greeting = http",
        "client": "clients_known",
        "at": MACHINERY,
        "unread": "memory_bytes",
    },
    "snugroom.server.rooms.answers.Answers": {
        "_admission": "connections",
        "_byte_limiters": "connections = http",
        "_clock": MACHINERY,
    },
    "snugroom.server.rooms.entrance.Arrival": {
        "_entrance": MACHINERY,
        **every("_then _turned_away", MACHINERY + " = http"),
        "_transport": "connections = http",
        "_data": "?people[].address = packet",
        **every("_tls _securing", "connections = http"),
    },
    "snugroom.server.rooms.handshakes.Handshakes": {
        "_tokens": LIMITS,
        **every("_queue _waiting _tickets _number", "connections"),
    },
    "snugroom.server.rooms.memory.Ledger": every("blobs frames inbox most", "memory_bytes"),
    "snugroom.server.rooms.memory.Holding": {
        "name": "?rooms[].number = number lobby",
        **every("connections blobs relays", "memory_bytes"),
        "queues": "?rooms[].handles = handle",
    },
    "snugroom.server.rooms.memory.Trim": {"name": "?rooms[].number = number lobby", "size": "memory_bytes"},
    "snugroom.server.rooms.memory.DropReader": {"handle": "?rooms[].handles = handle"},
    "snugroom.server.rooms.memory.CloseRoom": {"name": "?rooms[].number = number lobby"},
    "snugroom.server.rooms.places.Places": {
        "_settings": SETTINGS,
        "_unknown": "connections",
        "_clients": "?people[].handle = handle",
        "_holders": "rooms",
        "_lobbies": "?lobbies[].number = lobby",
    },
    "snugroom.server.rooms.pump.Pump": {
        "turns": "connections",
        "_handle": MACHINERY + " = http",
        "_clock": MACHINERY,
        **every("_left _running", MACHINERY),
        "_next": MACHINERY + " = http",
    },
    "snugroom.server.rooms.turns.Turns": {
        "_settings": SETTINGS,
        **every("_groups _group_of _new _old _blocked", _GROUP),
        **every("_number delayed", MACHINERY),
        "_egress": LIMITS,
    },
    "snugroom.server.rooms.turns._Group": {
        **every("waiting spent", "?rooms[].handles = handle"),
        **every("bytes deliveries credit", LIMITS),
        **every("eased_at spent_at listed", MACHINERY),
    },
    "snugroom.server.rooms.readiness.Readiness": {
        "_slot": "rooms[].slot",
        "_waiting": "?rooms[].handles = handle",
        "deadline": MACHINERY,
    },
    "snugroom.server.rooms.race.Race": {
        "_ledger": "memory_bytes",
        "held": "rooms[].waiting_commit_bytes",
        "rivals": "rooms[].waiting_commits",
    },
    "snugroom.server.rooms.race.Held": {
        "seat": "rooms[].waiting_commits",
        "commit": "rooms[].waiting_commit_bytes = blob signature",
        "until": MACHINERY,
    },
}
