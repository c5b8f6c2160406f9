"""The attributes of all live objects of the server, and the place of each in the disclosure.

An entry is ``PLACE`` or ``PLACE = KIND...``. A place is a path into the disclosure, such as ``rooms[].slot``.
The mark ``?`` is for paths that exist only with identifiers. An attribute that says nothing about any meeting
has ``- REASON`` instead of a path. Kinds (`server.disclosure.kinds`) name the bytes and texts that the
attribute may hold; an attribute without kinds may hold none. `inventory_media` has the SFU's part of the
table. `server.disclosure.audit` compares the table with the live objects, and so finds attributes that the
disclosure lacks.
"""

from __future__ import annotations

import sys
from typing import Final

from snugroom.server.disclosure import inventory_admission, inventory_media, inventory_nodes
from snugroom.server.disclosure.kinds import COUNT, LIMITS, MACHINERY, PAGE, SETTINGS, every

#: Attributes of a LoggerAdapter; the third is there from Python 3.13 on.
_ADAPTER: Final = "logger extra merge_extra" if sys.version_info >= (3, 13) else "logger extra"

ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    "snugroom.server.config.Settings": {},
    "snugroom.server.app.Server": {
        "settings": SETTINGS,
        "url": "- the server's own address = setting",
        "addresses": "- the server's own address",
        "certificate": "- the server's own certificate",
        "started_at": "uptime",
        "clock": MACHINERY,
        **every("_rng _in_process", MACHINERY),
        "_media": "- instead of the SFU, in tests",
        "_sfu": "media",
        "_workers": "media_workers",
        "_nodes": "nodes",
        "_signaling": "connections",
        **every("_runner _listener", "greeting = http"),
        "_tick": MACHINERY + " = http",
        "http_log": "refusals",
        "draining": MACHINERY,
        "forgetting": "forgetting",
    },
    "snugroom.server.addresses.Addresses": every(
        "host media bind beside names chosen others", "- the server's own address = setting"
    ),
    "snugroom.server.tls.Certificate": {
        **every("_files file", SETTINGS + " = setting"),
        **every("own made", MACHINERY),
        "fingerprint": "- the server's own certificate = setting",
        **every("_current context", "- the server's own certificate = tls"),
    },
    "snugroom.server.systemd.Service": {
        "_path": MACHINERY + " = setting",
        "interval": MACHINERY,
        "_watchdog": MACHINERY + " = http",
    },
    "snugroom.server.__main__._Console": {
        **every("_server _socket", MACHINERY),
        "_settings": SETTINGS,
        **every("_listeners _telling _service", MACHINERY + " = http"),
    },
    "snugroom.server.http.Log": {
        **every(_ADAPTER, MACHINERY + " = library"),
        "malformed": "refusals",
    },
    "snugroom.server.http.Request": every(
        "_cache _client_max_fields _client_max_size _headers _loop _match_info _message _method _payload"
        " _payload_writer _protocol _rel_url _state _task _transport_peername _transport_sockname"
        " _transport_sslcontext _version",
        "?people[].headers = http",
    ),
    "snugroom.server.http._Pieces": {
        **every("_encoding _filename _size _value", PAGE + " = page"),
        **every("_headers _protocol _meter", "greeting = http"),
    },
    "snugroom.server.memory.Forgetting": every("_interval _next _rounds", "forgetting"),
    "snugroom.server.logs.LineWriter": {
        "dropped": "log_lines_dropped",
        **every("_told _descriptor _closed", MACHINERY),
        "_lines": "- lines of the log, without anybody's data = http",
        "_thread": MACHINERY + " = http",
    },
    "snugroom.server.rooms.signaling.Signaling": {
        "hub": "rooms",
        "media": "media",
        "_settings": SETTINGS,
        "_origins": SETTINGS + " = setting",
        "_clock": MACHINERY,
        "_connections": "connections = handle",
        "_pending_media": "rooms[].streams = handle",
        "_sockets": "connections",
        **every("sent sent_bytes", COUNT),
        "relieved": "refusals = label",
        **every("admission pump", "connections"),
        "relays": SETTINGS,
        "_stopping": MACHINERY,
        "ask_bus": MACHINERY,
        "byte_limiters": "connections = http",
        "refusals": "refusals = label",
    },
    "snugroom.server.rooms.connection.SignalingConnection": {
        "rate_limits": LIMITS,
        "dropped": "connections",
        "client": "?people[].address",
        "_ws": "?people[].headers = http",
        "_request": "?people[].headers = http",
        "_settings": SETTINGS,
        "_ledger": "memory_bytes",
        "_byte_limiter": "connections",
        "_inbox": "memory_bytes = frame setting",
        "_inbox_bytes": "memory_bytes",
        "_moved": MACHINERY + " = http",
        "_queue": "queued_bytes = frame",
        "_bytes": "queued_bytes",
        "_wake": MACHINERY + " = http",
        "_writer": "queued_bytes = http",
        "_finishing": "queued_bytes = http",
    },
    "snugroom.server.rooms.backpressure.ByteLimiter": {
        **every("handler _on_lost _transport tcp", "connections = http"),
        "_early": "?people[].headers = http",
        "_aborted": MACHINERY,
        "address": "?people[].address = address",
        "_ledger": "memory_bytes",
        "unclaimed": "memory_bytes",
        "_limit": LIMITS,
        "_on_exceeded": MACHINERY + " = label",
    },
    "snugroom.server.rooms.media_server.PendingMedia": {
        "answers": "media = http",
        "streams": "rooms[].streams = handle label",
    },
    "snugroom.server.rate.TokenBucket": every("_at _burst _rate _tokens", LIMITS),
    "snugroom.server.rooms.rate_limits.RateLimits": every("_bytes _errors _messages", LIMITS),
    "snugroom.server.rooms.hub.Hub": {
        "_settings": SETTINGS,
        "_origin": SETTINGS + " = setting",
        "_server_key": "own_keys = own_key",
        "_incarnation": "- random, the server's own = incarnation",
        "placement": "nodes",
        "_sign": "own_keys = own_key",
        "_rng": MACHINERY,
        "_nonces": "?people[].nonce = handle nonce",
        "_rooms": "?rooms[].number = number",
        "_lobbies": "?lobbies[].number = lobby",
        "_in_room": "?rooms[].handles = handle",
        "_in_lobby": "?lobbies[].handles = handle lobby",
        "ledger": "memory_bytes",
        "_places": "rooms",
        "draining": MACHINERY,
        "permission": "permission",
    },
    "snugroom.server.rooms.permission.Permission": {
        "_origin": SETTINGS + " = setting",
        **every("_rng _wall", MACHINERY),
        "_salt": "- random, told to every client = number",
        "_password_key": "own_keys = own_key",
        **every("_secret _permit_key", "own_keys = own_key"),
        "_guesses": LIMITS,
        "_weeks": "permission",
    },
    "snugroom.server.rooms.permission.WeekKey": {
        "week": "permission",
        "evaluator": "own_keys = library",
        "public": "own_keys = own_key",
        "exchanged": "?permission.vouchers = voucher own_key",
        "spent": "?permission.tokens = nonce",
    },
    "snugroom.server.rooms.permission.RoomPermission": {
        "id": "?rooms[].permission = handle",
        "rekeys": "?rooms[].numbers",
        "probe": "?rooms[].permission",
    },
    "snugroom.server.rooms.lobby.Lobby": {
        "_settings": SETTINGS,
        "_rates": "?lobbies[].handles = handle",
    },
    "snugroom.server.rooms.lobby._Rates": every("posts broadcasts", LIMITS),
    "snugroom.server.rooms.room_signatures.RoomSignatures": {
        "_sign": "own_keys = own_key",
        "_rng": MACHINERY,
        "opening_id": "- random, the server's own = incarnation",
    },
    "snugroom.server.rooms.room.Room": {
        "number": "?rooms[].number = number",
        "permission": "?rooms[].permission",
        "numbers": "?rooms[].numbers = number",
        "slot": "rooms[].slot",
        "chain": "?rooms[].chain = chain",
        "chain_before": "?rooms[].chain = chain",
        "_room_admin_key": "?rooms[].room_admin_key = key",
        "_settings": SETTINGS,
        "_signatures": "own_keys",
        "_seats": "?rooms[].handles = handle",
        "_gates": "rooms[].gates",
        "_signed_slot": "rooms[].gates",
        "_slots": LIMITS,
        "_empty_since": MACHINERY,
        "_taken_at": "rooms[].commits[].age",
        "backlog": "rooms[].commits[].bytes",
        "media": "rooms[].streams",
        "race": "rooms[].waiting_commits",
        "_readiness": "rooms[].slot",
        **every("_shared active_at", MACHINERY),
        "_forget_at": MACHINERY,
        "deadline": MACHINERY,
    },
    "snugroom.server.rooms.gates.Gates": {
        "floor": "rooms[].gates",
        "_gates": "rooms[].gates = gate",
        "_slot_of": "rooms[].gates = gate",
        "_closed_at": "rooms[].commits[].age",
    },
    "snugroom.server.rooms.backlog.Backlog": {
        "_settings": SETTINGS,
        "_ledger": "memory_bytes",
        "commits": "rooms[].commits[].bytes = blob chain incarnation signature",
        "_commit_bytes": COUNT,
        "relays": "rooms[].relays[].bytes = blob",
        "_relay_bytes": COUNT,
        "last_relay": "rooms[].relays[].relay",
    },
    "snugroom.server.rooms.media.RoomMedia": {
        "_number": "?rooms[].number = number",
        "_seats": "?rooms[].handles = handle",
        "_ledger": "memory_bytes",
    },
    "snugroom.server.rooms.stream_blobs.Subscription": {
        **every("_before _ssrcs", "rooms[].streams"),
        "_until": MACHINERY,
    },
    "snugroom.server.rooms.stream_blobs.LastBlobs": {
        "_blobs": "rooms[].signature_lists.count",
        "_bytes": COUNT,
        "_ledger": "memory_bytes",
    },
    "snugroom.server.rooms.stream_blobs.StreamBlob": {
        "at": MACHINERY,
        "ssrc": "rooms[].streams",
        "blob": "rooms[].signature_lists.bytes = list",
    },
    "snugroom.server.rooms.seat.Seat": {
        "handle": "?rooms[].handles = handle",
        "nonce": "?people[].nonce = nonce",
        "since": "rooms[].seats[].age",
        "catch_ups": LIMITS,
        "media_changes": LIMITS,
        "outside_since": "rooms[].seats[].age",
        "shown": "rooms[].seats[].pass_slot",
        "seen": "rooms[].seats[].pass_slot",
        "admin": "rooms[].seats[].won",
        "until": "rooms[].connections_with_current_pass",
        "place_until": "rooms[].connections_with_current_pass",
        "won": "rooms[].seats[].won",
        "lost": "rooms[].seats[].lost",
        "media": "rooms[].streams = ice fingerprint label",
        "view": "rooms[].streams = handle label",
        "subscription": "rooms[].streams",
        "lists": "rooms[].signature_lists.count",
    },
    "snugroom.server.page.Bundle": every("files hash", PAGE + " = page"),
    "snugroom.server.page.File": every("name data sha256 packed brotli", PAGE + " = page"),
    "snugroom.server.disclosure.window.Window": {
        "_server": MACHINERY,
        "_address": SETTINGS + " = setting",
        "_port": SETTINGS,
        "_token": "- in the address that was printed for the operator = setting",
        "_hosts": "- its own address = setting",
        "_searching": MACHINERY,
        # its visitor is the operator, and not a participant of a meeting
        "_runner": MACHINERY + " = http",
    },
    "snugroom.server.disclosure.metrics.Metrics": {
        "_server": MACHINERY,
        "_address": SETTINGS + " = setting",
        "_port": SETTINGS,
        "_hosts": "- its own address = setting",
        "_runner": MACHINERY + " = http",
    },
    "snugroom.server.disclosure.command.DisclosureSocket": {
        "_server": MACHINERY,
        "_name": "- the process's number = setting",
        "_listener": MACHINERY + " = http",
        "_busy": MACHINERY,
    },
    "snugroom.server.sfu.workers.pool.Workers": {
        **every("slots replaced spare", "media_workers"),
        **every("on_lost _tickets", MACHINERY),
        "_setup": SETTINGS,
        **every("_spread _linked", "media_workers"),
        "_supervisors": MACHINERY + " = http",
    },
    "snugroom.server.sfu.workers.spare.Spare": {
        **every("replaced _child", "media_workers"),
        "silent": SETTINGS,
        "_watch": MACHINERY + " = http",
    },
    "snugroom.server.sfu.workers.child.WorkerProcess": {
        **every("on_message _pipe loaded _heard_at _links", MACHINERY),
        **every("gone _process _ready", MACHINERY + " = http"),
    },
    "snugroom.server.sfu.workers.slot.WorkerSlot": {
        **every("number port up exits heartbeat_at", MACHINERY),
        "inspections": MACHINERY + " = http",
        "child": "media_workers",
        **every("pending_joins queued heartbeat peers", "media"),
        **every("rate share", COUNT),
    },
    "snugroom.server.sfu.workers.spread.Spread": {
        "part_max": SETTINGS,
        "pins": "?rooms[].number = number",
        "_numbers": COUNT,
    },
    "snugroom.server.sfu.workers.spread.Pin": {
        **every("number home died", "media_workers"),
        **every("members lost", "?rooms[].handles = handle"),
        "until": MACHINERY,
    },
    "snugroom.server.sfu.workers.spread.Member": {"slot": "media_workers", "streams": "rooms[].streams"},
    "snugroom.server.sfu.workers.slot.PendingJoin": {
        "join": "media",
        "answer": "media = http",
        "retried": MACHINERY,
    },
    # facts of the SFU, held only while a disclosure is made from them
    "snugroom.server.sfu.workers.pool.MediaView": {
        "totals": "media = label",
        "held": "sealed_media",
        "streams": "rooms[].streams",
        "workers": "media_workers",
        "silent": "media_workers_silent",
        "files": "files_open_for_writing",
        "heartbeats": "media",
        "audited": MACHINERY,
    },
    "snugroom.server.sfu.facts.MediaFacts": {
        **every("packets packet_bytes ended_streams", "sealed_media"),
        "sessions": "srtp_sessions",
        "buffers": "datagram_buffers",
        "cached_addresses": "datagram_addresses",
        "addresses": "?people[].media_addresses = handle address",
    },
    "snugroom.server.sfu.facts.StreamFacts": {
        "room": "?rooms[].number = number",
        "handle": "?rooms[].handles = handle",
        "kind": "rooms[].streams = label",
        **every("ssrc packets receivers sizes", "rooms[].streams"),
    },
    # a search of the memory for the window, which forgets it with the answer (packet: bytes under a mask)
    "snugroom.server.memory_search.Wanted": {"mask": MACHINERY + " = packet", "forms": MACHINERY},
    "snugroom.server.memory_search.Form": {"masked": MACHINERY + " = packet", "width": MACHINERY},
    "snugroom.server.memory_search.Found": every("read complete hits", MACHINERY),
    "snugroom.server.memory_search.Hits": {
        **every("in_files elsewhere", MACHINERY),
        "around": "- found in the memory by the operator's own search = setting",
    },
    "snugroom.server.memory_search.Region": every("start end file", MACHINERY),
    "snugroom.server.memory_search._Buffer": {
        "data": MACHINERY + " = packet",
        **every("start end _pin", MACHINERY),
    },
    "snugroom.server.memory_search._Needle": every("width hits _places", MACHINERY),
    # messages between the server's process and its media workers
    "snugroom.server.sfu.workers.pipe.Pipe": {
        "_decoder": MACHINERY + " = library",
        "_on_message": MACHINERY,
        "_on_end": MACHINERY + " = http",
        "_transport": MACHINERY + " = http",
        "_received": MACHINERY + " = packet",
    },
    "snugroom.server.sfu.workers.pipe.Setup": {
        **every("port tcp limits forget_time", SETTINGS),
        **every("address bind also beside level", SETTINGS + " = setting"),
    },
    "snugroom.server.sfu.workers.pipe.Join": {
        "ticket": MACHINERY,
        "room": "?rooms[].number = number",
        "handle": "?rooms[].handles = handle",
        "media": "rooms[].streams = ice fingerprint label",
    },
    "snugroom.server.sfu.workers.pipe.Subscribe": {
        "room": "?rooms[].number = number",
        "handle": "?rooms[].handles = handle",
        "ssrcs": "rooms[].streams",
        "max_layers": "rooms[].streams",
    },
    "snugroom.server.sfu.workers.pipe.Leave": {
        "room": "?rooms[].number = number",
        "handle": "?rooms[].handles = handle",
    },
    "snugroom.server.sfu.workers.pipe.Remote": {
        "room": "?rooms[].number = number",
        "handle": "?rooms[].handles = handle",
        **every("worker number", "media_workers"),
        "streams": "rooms[].streams",
    },
    "snugroom.server.sfu.workers.pipe.Inspect": every("ticket held streams audit", MACHINERY),
    "snugroom.server.sfu.workers.pipe.LastFrame": {"ticket": MACHINERY, "ssrc": "rooms[].streams"},
    "snugroom.server.sfu.workers.pipe.Search": every("ticket wanted", MACHINERY),
    "snugroom.server.sfu.workers.pipe.Ready": {
        **every("port error", MACHINERY),
        "what": SETTINGS + " = setting",
    },
    "snugroom.server.sfu.workers.pipe.Joined": {
        "ticket": MACHINERY,
        "transport": "media = ice own_key address setting",
        "code": MACHINERY + " = label",
    },
    "snugroom.server.sfu.workers.pipe.Heartbeat": {
        "totals": "media = label",
        **every("cpu memory", "media"),
        "forgetting": "forgetting",
    },
    "snugroom.server.sfu.workers.pipe.Inspection": {
        "ticket": MACHINERY,
        "heartbeat": "media",
        "files": "files_open_for_writing",
        "held": "sealed_media",
        "streams": "rooms[].streams",
        "packets": "sealed_media.packets = packet",
        **every("audited searched", MACHINERY),
    },
    "snugroom.server.sfu.workers.pipe.AuditResult": every(
        "objects undeclared misplaced", MACHINERY + " = setting"
    ),
    "snugroom.server.sfu.workers.worker.Worker": {
        **every("ended _starting _sending_heartbeats _searches", MACHINERY + " = http"),
        "_forgetting": "forgetting",
        "_sfu": "media",
        "_pipe": MACHINERY,
    },
    **inventory_admission.ATTRIBUTES,
    **inventory_media.ATTRIBUTES,
    **inventory_nodes.ATTRIBUTES,
}


def entry(klass: type, attribute: str) -> tuple[str, tuple[str, ...]] | None:
    """Return place and kinds of an attribute of `klass` or of its base classes; None if there is no entry."""
    for base in klass.__mro__:
        holds = ATTRIBUTES.get(f"{base.__module__}.{base.__qualname__}")
        if holds is None:
            continue
        if attribute in holds:
            place, _, kinds = holds[attribute].partition(" = ")
            return place, tuple(kinds.split())
        # of all fields of the settings, so that none can be missing
        if base.__module__ in ("snugroom.server.config", "snugroom.server.sfu.limits"):
            return SETTINGS, ("setting",)
    return None
