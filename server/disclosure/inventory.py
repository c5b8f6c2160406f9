"""The attributes of all live objects of the server, and the place of each in the disclosure.

An entry is ``PLACE`` or ``PLACE = KIND...``. A place is a path into the disclosure, such as ``rooms[].slot``.
The mark ``?`` is for paths that exist only with identifiers. An attribute that says nothing about any meeting
has ``- REASON`` instead of a path. Kinds (`KINDS`) name the bytes and texts that the attribute may hold; an
attribute without kinds may hold none. `server.disclosure.audit` compares this table with the live objects,
and so finds attributes that the disclosure lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from snugroom.server.wire import limits

_LABEL: Final = re.compile(r"[a-z_][a-z0-9_:,' -]{0,79}\Z")
_ICE: Final = re.compile(r"[A-Za-z0-9+/]{4,64}(:[A-Za-z0-9+/]{4,64})?\Z")
_ADDRESS: Final = re.compile(r"[0-9a-fA-F:.]{2,45}(%[\w.-]{1,20})?\Z")


def _bytes(*sizes: int) -> Callable[[bytes | str], bool]:
    return lambda value: not isinstance(value, str) and len(value) in sizes


def _text(pattern: re.Pattern[str]) -> Callable[[bytes | str], bool]:
    return lambda value: isinstance(value, str) and pattern.match(value) is not None


#: Kinds of bytes and texts, each with a function that recognises its values.
KINDS: Final[dict[str, Callable[[bytes | str], bool]]] = {
    "blob": _bytes(*limits.BUCKETS),
    "packet": lambda value: not isinstance(value, str),
    "frame": lambda value: not isinstance(value, str),
    "handle": _bytes(limits.HANDLE_SIZE),
    "incarnation": _bytes(limits.HANDLE_SIZE),
    "number": _bytes(limits.NUMBER_SIZE),
    "lobby": _bytes(limits.KEY_SIZE),
    "key": _bytes(limits.KEY_SIZE),
    "own_key": _bytes(limits.KEY_SIZE),
    "nonce": _bytes(limits.NONCE_SIZE),
    "chain": _bytes(0, limits.HASH_SIZE),
    "gate": _bytes(limits.HASH_SIZE),
    "fingerprint": _bytes(limits.FINGERPRINT_SIZE),
    "signature": _bytes(limits.SIGNATURE_SIZE),
    "address": lambda v: isinstance(v, str) and (v == "" or _ADDRESS.match(v) is not None),
    "sockaddr": lambda value: not isinstance(value, str) and (not value or len(value) % 4 == 0),
    "ice": lambda v: _ICE.match(v if isinstance(v, str) else v.decode("ascii", "replace")) is not None,
    "srtp": lambda value: not isinstance(value, str) and len(value) <= 30,
    "stamp": lambda value: not isinstance(value, str) and len(value) <= 4,
    "counts": lambda value: not isinstance(value, str),  # memory of arrays of numbers
    "label": _text(_LABEL),
    "setting": lambda value: isinstance(value, str),
    "page": lambda value: True,  # files that are the same for every visitor
    "http": lambda value: True,  # foreign: data that aiohttp and asyncio keep for one connection
    "tls": lambda value: True,
    "library": lambda value: False,  # names of functions and the like, only inside a foreign object
}

_LIMITS: Final = "- a limit"
_MACHINERY: Final = "- machinery"
_SETTINGS: Final = "- the operator's own settings"
_PAGE: Final = "- the page, the same for everybody"
_COUNT: Final = "- a count of bytes or packets, within what is counted there"

ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    "snugroom.server.app.Server": {
        "settings": _SETTINGS,
        "url": "- the server's own address = setting",
        "started_at": "uptime",
        "clock": _MACHINERY,
        "_rng": _MACHINERY,
        "_media": "- instead of the SFU, in tests",
        "_sfu": "media",
        "_workers": "media_workers",
        "_signaling": "connections",
        "_runner": "greeting = http",
        "_listener": "greeting = http",
        "_tick": _MACHINERY + " = http",
        "_greeting": "greeting = http",
        "_reading": "greeting = http",
    },
    "snugroom.server.config.Settings": dict.fromkeys(
        ("listen", "origin", "allowed_origins", "media_address", "media_bind", "media_also", "metrics"),
        _SETTINGS + " = setting",
    ),
    "snugroom.server.sfu.io.turn.TurnServer": dict.fromkeys(
        ("urls", "secret", "secret_file"), _SETTINGS + " = setting"
    ),
    "snugroom.server.sfu.limits.MediaLimits": {},
    "snugroom.server.rooms.signaling.Signaling": {
        "hub": "rooms",
        "media": "media",
        "_settings": _SETTINGS,
        "_origins": _SETTINGS + " = setting",
        "_clock": _MACHINERY,
        "_connections": "connections = handle",
        "_pending_media": "rooms[].streams = handle",
        "_addresses": "addresses = address",
        "_sockets": "connections",
        "_stopping": _MACHINERY,
        "upgraded": "connections = http",
        "byte_limiters": "connections = http",
        "refusals": "refusals = label",
    },
    "snugroom.server.rooms.signaling.SignalingConnection": {
        "rate_limits": _LIMITS,
        "dropped": "connections",
        "_ws": "?people[].headers = http",
        "_request": "?people[].headers = http",
        "_settings": _SETTINGS,
        "_queue": "queued_bytes = frame",
        "_bytes": "queued_bytes",
        "_wake": _MACHINERY + " = http",
        "_writer": "queued_bytes = http",
        "_finishing": "queued_bytes = http",
    },
    "snugroom.server.rooms.backpressure.ByteLimiter": {
        "handler": "connections = http",
        "_on_lost": "connections = http",
        "_transport": "connections = http",
        "_unclaimed": _LIMITS,
        "_limit": _LIMITS,
        "_on_exceeded": _MACHINERY,
    },
    "snugroom.server.rooms.signaling.PendingMedia": {
        "answers": "media = http",
        "streams": "rooms[].streams = handle label",
    },
    "snugroom.server.sfu.workers.pool.Workers": {
        "slots": "media_workers",
        "on_lost": _MACHINERY,
        "replaced": "media_workers",
        "silent": _SETTINGS,
        "_setup": _SETTINGS,
        "_pins": "?rooms[].number = number",
        "_tickets": _MACHINERY,
        "_supervisors": _MACHINERY + " = http",
        "_spare": "media_workers",
        "_starting_spare": _MACHINERY,
    },
    "snugroom.server.sfu.workers.child.WorkerProcess": {
        "on_message": _MACHINERY,
        "gone": _MACHINERY + " = http",
        "_pipe": _MACHINERY,
        "_process": _MACHINERY + " = http",
        "_ready": _MACHINERY + " = http",
    },
    "snugroom.server.sfu.workers.pool.WorkerSlot": {
        **dict.fromkeys(("number", "port", "up", "exits"), _MACHINERY),
        "inspections": _MACHINERY + " = http",
        "child": "media_workers",
        "pending_joins": "media",
        "queued": "media",
        "heartbeat": "media",
        "heartbeat_at": _MACHINERY,
        "peers": "media",
        "rate": _COUNT,
    },
    "snugroom.server.sfu.workers.pool._Pin": {
        "slot": "media_workers",
        "handles": "?rooms[].handles = handle",
        "until": _MACHINERY,
    },
    "snugroom.server.sfu.workers.pool._PendingJoin": {
        "join": "media",
        "answer": "media = http",
        "retried": _MACHINERY,
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
        "audited": _MACHINERY,
    },
    "snugroom.server.sfu.facts.MediaFacts": {
        **dict.fromkeys(("packets", "packet_bytes", "ended_streams"), "sealed_media"),
        "sessions": "srtp_sessions",
        "buffers": "datagram_buffers",
        "cached_addresses": "datagram_addresses",
        "addresses": "?people[].media_addresses = handle address",
    },
    "snugroom.server.sfu.facts.StreamFacts": {
        "room": "?rooms[].number = number",
        "handle": "?rooms[].handles = handle",
        "kind": "rooms[].streams = label",
        **dict.fromkeys(("ssrc", "packets", "receivers", "sizes"), "rooms[].streams"),
    },
    # messages between the server's process and its media workers
    "snugroom.server.sfu.workers.pipe.Pipe": {
        "_decoder": _MACHINERY + " = library",
        "_on_message": _MACHINERY,
        "_on_end": _MACHINERY + " = http",
        "_transport": _MACHINERY + " = http",
        "_received": _MACHINERY + " = packet",
    },
    "snugroom.server.sfu.workers.pipe.Setup": {
        **dict.fromkeys(("port", "tcp", "turn", "turn_time", "limits"), _SETTINGS),
        **dict.fromkeys(("address", "bind", "also", "level"), _SETTINGS + " = setting"),
    },
    "snugroom.server.sfu.workers.pipe.Join": {
        "ticket": _MACHINERY,
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
    "snugroom.server.sfu.workers.pipe.Inspect": dict.fromkeys(
        ("ticket", "held", "streams", "audit"), _MACHINERY
    ),
    "snugroom.server.sfu.workers.pipe.LastFrame": {"ticket": _MACHINERY, "ssrc": "rooms[].streams"},
    "snugroom.server.sfu.workers.pipe.Ready": {
        **dict.fromkeys(("port", "error"), _MACHINERY),
        "what": _SETTINGS + " = setting",
    },
    "snugroom.server.sfu.workers.pipe.Joined": {
        "ticket": _MACHINERY,
        "transport": "media = ice own_key address setting",
        "code": _MACHINERY + " = label",
    },
    "snugroom.server.sfu.workers.pipe.Heartbeat": {
        "totals": "media = label",
        "cpu": "media",
        "memory": "media",
    },
    "snugroom.server.sfu.workers.pipe.Inspection": {
        "ticket": _MACHINERY,
        "heartbeat": "media",
        "files": "files_open_for_writing",
        "held": "sealed_media",
        "streams": "rooms[].streams",
        "packets": "sealed_media.packets = packet",
        "audited": _MACHINERY,
    },
    "snugroom.server.sfu.workers.pipe.AuditResult": dict.fromkeys(
        ("objects", "undeclared", "misplaced"), _MACHINERY + " = setting"
    ),
    "snugroom.server.sfu.workers.worker.Worker": {
        "ended": _MACHINERY + " = http",
        "_sfu": "media",
        "_starting": _MACHINERY + " = http",
        "_sending_heartbeats": _MACHINERY + " = http",
        "_pipe": _MACHINERY,
    },
    "snugroom.server.rate.TokenBucket": dict.fromkeys(("_at", "_burst", "_rate", "_tokens"), _LIMITS),
    "snugroom.server.rooms.rate_limits.RateLimits": dict.fromkeys(
        ("_bytes", "_errors", "_messages"), _LIMITS
    ),
    "snugroom.server.rooms.hub.Hub": {
        "_settings": _SETTINGS,
        "_origin": _SETTINGS + " = setting",
        "_server_key": "own_keys = own_key",
        "_incarnation": "- random, the server's own = incarnation",
        "_sign": "own_keys = own_key",
        "_rng": _MACHINERY,
        "_nonces": "?people[].nonce = handle nonce",
        "_rooms": "?rooms[].number = number",
        "_lobbies": "?lobbies[].number = lobby",
        "_in_room": "?rooms[].handles = handle",
        "_in_lobby": "?lobbies[].handles = handle lobby",
    },
    "snugroom.server.rooms.lobby.Lobby": {
        "_settings": _SETTINGS,
        "_posts": "?lobbies[].handles = handle",
    },
    "snugroom.server.rooms.room.Room": {
        "number": "?rooms[].number = number",
        "slot": "rooms[].slot",
        "chain": "?rooms[].chain = chain",
        "_room_admin_key": "?rooms[].room_admin_key = key",
        "_settings": _SETTINGS,
        "_sign": "own_keys = own_key",
        "_seats": "?rooms[].handles = handle",
        "_gates": "rooms[].gates = gate",
        "_taken_at": "rooms[].commits[].age",
        "_backlog": "rooms[].commits[].bytes",
        "media": "rooms[].streams",
        "_held": "rooms[].waiting_commit_bytes",
        "_rivals": "rooms[].waiting_commits",
        "_forget_at": _MACHINERY,
        "deadline": _MACHINERY,
    },
    "snugroom.server.rooms.backlog.Backlog": {
        "_settings": _SETTINGS,
        "commits": "rooms[].commits[].bytes = blob chain signature",
        "_commit_bytes": _COUNT,
        "relays": "rooms[].relays[].bytes = blob",
        "_relay_bytes": _COUNT,
        "last_relay": "rooms[].relays[].relay",
    },
    "snugroom.server.rooms.media.RoomMedia": {
        "_number": "?rooms[].number = number",
        "_seats": "?rooms[].handles = handle",
    },
    "snugroom.server.rooms.seat.Seat": {
        "handle": "?rooms[].handles = handle",
        "nonce": "?people[].nonce = nonce",
        "since": "rooms[].seats[].age",
        "catch_ups": _LIMITS,
        "media_changes": _LIMITS,
        "shown": "rooms[].seats[].pass_slot",
        "below": "rooms[].seats[].pass_slot",
        "until": "rooms[].connections_with_current_pass",
        "won": "rooms[].seats[].won",
        "lost": "rooms[].seats[].lost",
        "media": "rooms[].streams = ice fingerprint label",
        "view": "rooms[].streams = handle label",
    },
    "snugroom.server.rooms.room._Held": {
        "seat": "rooms[].waiting_commits",
        "commit": "rooms[].waiting_commit_bytes = blob gate",
        "until": _MACHINERY,
    },
    "snugroom.server.sfu.sfu.Sfu": {
        "_advertised": _SETTINGS + " = setting",
        "_bind": _SETTINGS + " = setting",
        "_also": _SETTINGS + " = setting",
        "_tcp": _SETTINGS,
        "_turn": _SETTINGS,
        "_turn_time": _SETTINGS,
        "_wall": _MACHINERY,
        "port": _SETTINGS,
        "_limits": _SETTINGS,
        "_clock": _MACHINERY,
        "_core": "sealed_media.packets",
        "_subscriptions": "rooms[].streams",
        "_egress": "datagram_buffers",
        "_transports": "?people[].media_addresses",
        "_links": "?people[].media_addresses = number handle",
        "_by_address": "?people[].media_addresses = address",
        "_arrived": "media",
        "_counts": "media = label",
        "_now": _MACHINERY,
        "_length": _MACHINERY,
        "_socket": _MACHINERY,
        "_timer": _MACHINERY + " = http",
        "_loop": _MACHINERY,
        "_next_sweep": _MACHINERY,
        "_next_heartbeat": _MACHINERY,
    },
    "snugroom.server.sfu.transports.Transports": {
        "_limits": _SETTINGS,
        "_subscriptions": "rooms[].streams",
        "_egress": "datagram_buffers",
        "_counts": "media = label",
        "_rng": _MACHINERY,
        "links": "?people[].media_addresses = number handle",
        "by_ufrag": "media = ice",
        "by_address": "?people[].media_addresses = address",
        "handshaking": "media",
        "certificate": "own_keys",
        "_context": "own_keys = tls",
    },
    "snugroom.server.sfu.egress.Egress": {
        "_counts": "media = label",
        "packet_io": "datagram_buffers",
        "multi_transport": "datagram_buffers",
        "stamp": _MACHINERY + " = stamp",
    },
    "snugroom.server.sfu.link.Link": {
        "key": "?rooms[].handles = number handle",
        "media": "rooms[].streams = ice fingerprint label",
        "ice": "?people[].media_addresses",
        "dtls": "srtp_sessions",
        "deadline": _MACHINERY,
        "tries": _MACHINERY,
        "inbound": "srtp_sessions",
        "outbound": "srtp_sessions",
        "address": "?people[].media_addresses = address",
        "rtcp_sources": "rooms[].streams = stamp",
        "twcc_row": _MACHINERY,
        "arrivals": _COUNT,
        "rtcp_allowance": _LIMITS,
    },
    "snugroom.server.sfu.io.ice.IceLite": {
        "local": "media",
        "_username": "media = ice",
        "_password": "media = ice",
        "_addresses_max": _LIMITS,
        "_rebinding": _LIMITS,
        "addresses": "?people[].media_addresses = address",
        "selected": "?people[].media_addresses = address",
        "consent_at": _MACHINERY,
        "_checks": _LIMITS,
        "_moves": _LIMITS,
        "refused": _LIMITS,
    },
    "snugroom.server.sfu.io.ice.Credentials": {"ufrag": "media = ice", "password": "media = ice"},
    "snugroom.server.sfu.io.dtls.Certificate": {
        "certificate": "own_keys = tls",
        "key": "own_keys = tls",
        "fingerprint": "own_keys = own_key",
    },
    "snugroom.server.sfu.io.dtls.DtlsServer": {
        "state": "srtp_sessions",
        "keys": "srtp_sessions",
        "_left": _LIMITS,
        "_connection": "srtp_sessions = tls",
    },
    "snugroom.server.sfu.io.srtp.Keys": {
        "profile": _MACHINERY,
        "client": "srtp_sessions = srtp",
        "server": "srtp_sessions = srtp",
    },
    "snugroom.server.sfu.io.srtp.Profile": {
        "name": "- a public name = srtp",
        **dict.fromkeys(("number", "key", "salt", "tag"), _MACHINERY),
    },
    "snugroom.server.sfu.io.srtp.SrtpSession": {
        "profile": _MACHINERY,
        "_session": "srtp_sessions",
        "pointer": "srtp_sessions",
    },
    "snugroom.server.sfu.io.srtp.Buffer": {"data": "datagram_buffers", "view": "datagram_buffers = packet"},
    "snugroom.server.sfu.io.packet_io.PlainPacketIo": {
        "_socket": _MACHINERY,
        "_inbox": "datagram_buffers",
        "_outbox": "datagram_buffers",
        "_length": _MACHINERY,
        "now": _MACHINERY,
        "twcc_sequence": _COUNT,
        "sent": "media",
        "unsent": "media",
        "octets": "media",
    },
    "snugroom.server.sfu.io.packet_io.BatchPacketIo": {
        "_socket": _MACHINERY,
        "segments_max": _MACHINERY,
        "_descriptor": _MACHINERY,
        "_family": _MACHINERY,
        "_inbox": "datagram_buffers",
        "_outbox": "datagram_buffers",
        "_incoming": "datagram_buffers",
        "_outgoing": "datagram_buffers",
        "_name_size": _MACHINERY,
        "_inboxes": "datagram_buffers = packet sockaddr",
        "_slots": "datagram_buffers = packet",
        "_data": "datagram_buffers",
        "_columns": "datagram_buffers",
        **dict.fromkeys(("_lengths", "_length_at"), _MACHINERY),
        "_sizes": _MACHINERY + " = counts",
        "now": _MACHINERY,
        "twcc_sequence": _COUNT,
        "_slots_used": _MACHINERY,
        "_messages_used": _MACHINERY,
        "_batches": _MACHINERY,
        "_length": _MACHINERY,
        "_addresses": "datagram_addresses = sockaddr address",
        "_plans": "datagram_addresses",
        "sent": "media",
        "unsent": "media",
        "octets": "media",
    },
    "snugroom.server.sfu.io.multi_transport.MultiTransport": {
        "_udp": "datagram_buffers",
        "_sockets": _MACHINERY,
        "_packet_ios": "datagram_buffers",
        "_only_udp": "datagram_buffers",
        "_tcp": "datagram_buffers",
        "_split_fanouts": "rooms[].streams",
        "_now": _MACHINERY,
        "twcc_sequence": _COUNT,
    },
    "snugroom.server.sfu.io.tcp.Tcp": {
        "_listeners": _MACHINERY,
        "_limits": _SETTINGS,
        "_clock": _MACHINERY,
        "_handle": _MACHINERY,
        "_then": _MACHINERY,
        "_gone": _MACHINERY,
        "_connections": "datagram_buffers = address",
        "_places": _LIMITS + " = address",
        "_dirty": _MACHINERY,
        "_chunk": "datagram_buffers = packet",
        "_inbox": "datagram_buffers",
        "_loop": _MACHINERY,
        "_numbers": _MACHINERY,
        "_deaf": _MACHINERY,
        "ever": _MACHINERY,
        "counts": "media = label",
    },
    "snugroom.server.sfu.io.tcp.TcpConnection": {
        "sock": _MACHINERY,
        "address": "?people[].media_addresses = address",
        "place": _LIMITS + " = address",
        "incoming": "datagram_buffers = packet",
        "outgoing": "datagram_buffers = packet",
        "greeted": _MACHINERY,
        "known_at": _MACHINERY,
        "moved_at": _MACHINERY,
        "waits": _MACHINERY,
    },
    "snugroom.server.sfu.io.packet_io._SendPlan": {
        **dict.fromkeys(("count", "batch", "tags"), _MACHINERY),
        "names": "datagram_addresses = sockaddr",
        "pointers": "srtp_sessions",
        "sessions": "srtp_sessions",
        **dict.fromkeys(("offsets", "ssrc"), "rooms[].streams"),
        **dict.fromkeys(("offset_columns", "rows"), _COUNT + " = counts"),
    },
    "snugroom.server.sfu.io.packet_io._GsoBatch": dict.fromkeys(
        ("lengths", "message", "plan", "capacity", "size", "slot", "used"), _MACHINERY
    ),
    "snugroom.server.sfu.io.mmsg.Vector": {
        "_libc": _MACHINERY + " = library",
        "count": _MACHINERY,
        "name_size": _MACHINERY,
        "_names": "datagram_buffers",
        "_iov": _MACHINERY,
        "_first_iov": _MACHINERY,
        "_control": _MACHINERY,
        "messages": _MACHINERY,
        "names": "datagram_buffers = sockaddr",
        **dict.fromkeys(
            ("lengths", "_iov_words", "_iovlen_words", "_control_words", "_segments"),
            _MACHINERY + " = packet",
        ),
    },
    "snugroom.server.sfu.core.forwarding.Forwarding": {
        "subscriptions": "rooms[].streams",
        "_pacing": "media",
        "_limits": _SETTINGS,
        "_peers": "media",
        "_repairing": _MACHINERY,
        "_allocation": "media",
        "_reports": "media",
        "counts": "media = label",
    },
    "snugroom.server.sfu.core.allocation.BandwidthAllocation": {
        "_subscriptions": "rooms[].streams",
        **dict.fromkeys(("_pacing", "_peers", "_busy"), "media"),
        **dict.fromkeys(("_next_allocation", "_allocated_at"), _MACHINERY),
    },
    "snugroom.server.sfu.core.reports.Reports": {
        "_subscriptions": "rooms[].streams",
        "_limits": _SETTINGS,
        "_peers": "media",
        "_next_report": _MACHINERY,
    },
    "snugroom.server.sfu.core.pacing.Pacing": {"_subscriptions": "rooms[].streams", "busy": "media"},
    "snugroom.server.sfu.core.subscriptions.Subscriptions": {
        "_limits": _SETTINGS,
        "rooms": "?rooms[].number = number",
        "peers": "media",
        "repairing": _MACHINERY,
        "counts": "media = label",
    },
    "snugroom.server.sfu.core.peers.Room": {
        "number": "?rooms[].number = number",
        "peers": "media",
        "tracks": "rooms[].streams",
        "sources": "rooms[].streams",
        "rewritten_ssrcs": "sealed_media.ended_streams",
        "rtx_ssrcs": "sealed_media.ended_streams",
        "retired_ssrcs": "sealed_media.ended_streams",
        "forbidden_ssrcs": "sealed_media.ended_streams",
    },
    "snugroom.server.sfu.core.peers.Peer": {
        "room": "rooms[].streams",
        **dict.fromkeys(
            (
                "tracks",
                "tracks_by_rtx",
                "receives",
                "subscribed_ssrcs",
                "max_layers",
                "unrewritten_ssrcs",
                "stream_rewriters",
                "rtx_sequences",
                "videos",
                "stopped",
                "resumed",
                "ranks",
            ),
            "rooms[].streams",
        ),
        **dict.fromkeys(("ready", "feedback", "rtx"), "media"),
        **dict.fromkeys(("resend_budget", "key_frames"), _LIMITS),
        "budget": _COUNT,
        "pacer": "sealed_media.packets",
        "remb": _COUNT,
        "remb_at": _MACHINERY,
    },
    "snugroom.server.sfu.core.bandwidth.budget.Budget": dict.fromkeys(
        (
            "_padded",
            "_probed",
            "_since",
            "_tried",
            "_wait",
            "allocator",
            "estimate",
            "has_estimate",
            "prober",
            "rate",
        ),
        _COUNT,
    ),
    "snugroom.server.sfu.core.bandwidth.budget.PathEstimate": dict.fromkeys(
        (
            "_base",
            "_base_until",
            "_before",
            "_lowered",
            "queue",
            "_by_delay",
            "_by_loss",
            "_ceiling",
            "_delayed_at",
            "_feedback_at",
            "_floor",
            "_quiet",
            "_remb",
            "_remb_at",
            "_report_at",
            "_throughput",
            "_trend",
            "target",
            "rtt",
        ),
        _COUNT,
    ),
    "snugroom.server.sfu.core.bandwidth.delay.DelayTrend": dict.fromkeys(
        (
            "_anchor",
            "_arrived",
            "_backwards",
            "_begun",
            "_came",
            "_delay",
            "_deltas",
            "_first",
            "_fresh",
            "_last",
            "_modified_at",
            "_over",
            "_over_count",
            "_points",
            "_prior_came",
            "_prior_last",
            "_slope",
            "_smoothed",
            "_sx",
            "_sxx",
            "_sxy",
            "_sy",
            "_threshold",
            "usage",
        ),
        _COUNT,
    ),
    "snugroom.server.sfu.core.bandwidth.loss.LossBasedController": dict.fromkeys(
        (
            "_before",
            "_bits",
            "_count",
            "_end",
            "_lost",
            "_not_before",
            "_shown",
            "_start",
            "inherent",
            "limit",
        ),
        _COUNT,
    ),
    "snugroom.server.sfu.core.bandwidth.probe.Prober": dict.fromkeys(
        ("_arrived", "_end", "_failed", "_next", "_plan", "_start", "_reports", "_waits"), _COUNT
    ),
    "snugroom.server.sfu.core.bandwidth.estimate.Throughput": dict.fromkeys(
        ("_begin", "_bytes", "_slot"), _COUNT
    ),
    "snugroom.server.sfu.core.bandwidth.estimate.LinkCapacity": dict.fromkeys(("_deviation", "mean"), _COUNT),
    "snugroom.server.sfu.core.bandwidth.estimate.DelayBasedController": dict.fromkeys(
        ("_capacity", "_changed", "_growing", "rate"), _COUNT
    ),
    "snugroom.server.sfu.core.layer_allocator.LayerAllocator": {"_videos": "rooms[].streams"},
    "snugroom.server.sfu.core.layer_allocator._VideoState": dict.fromkeys(
        ("layer", "raised_at", "hold_until", "changed_at", "hold", "shown"), "rooms[].streams"
    ),
    "snugroom.server.sfu.core.pacer.Pacer": dict.fromkeys(
        (
            "_allowance",
            "_at",
            "_blocked",
            "_keys",
            "_lost",
            "_audio",
            "_rate",
            "_resent",
            "_video",
            "queued",
        ),
        "sealed_media.packets = packet",
    ),
    "snugroom.server.sfu.core.effects.SendRtp": {
        "to": "media",
        "packet": "sealed_media.packets = packet",
        "twcc": _MACHINERY,
    },
    "snugroom.server.sfu.core.tracks.SimulcastSource": dict.fromkeys(
        ("owner", "ssrc", "subscriptions", "tracks"), "rooms[].streams"
    ),
    "snugroom.server.sfu.core.tracks.Subscription": dict.fromkeys(
        (
            "allocated_layer",
            "first",
            "paced",
            "peer",
            "sent",
            "source",
            "stream_rewriter",
            "max_layer",
            "track",
            "pending_track",
        ),
        "rooms[].streams",
    ),
    "snugroom.server.sfu.core.rewriter.StreamRewriter": dict.fromkeys(
        ("_segments", "_last", "layer", "offsets"), _COUNT
    ),
    "snugroom.server.sfu.core.fanout.Fanout": {
        **dict.fromkeys(("receivers", "offsets", "ssrc"), "rooms[].streams"),
        **dict.fromkeys(("twcc", "once"), _MACHINERY),
        "plan": "datagram_addresses",
    },
    "snugroom.server.sfu.core.twcc_sequence.TwccSequence": {
        **dict.fromkeys(("_next", "_log"), _COUNT + " = counts"),
        "_free": _MACHINERY,
        "_ticks": _COUNT,
    },
    "snugroom.server.sfu.core.twcc_arrivals.Arrivals": dict.fromkeys(
        ("_feedback", "_high", "_last", "_new", "_next", "_ticks"), _COUNT
    ),
    "snugroom.server.sfu.io.packet_io._Columns": {
        "_outbox": "datagram_buffers = packet",
        **dict.fromkeys(("bytes", "sequence", "timestamp", "ssrc", "number"), "datagram_buffers = counts"),
        "_others": "datagram_buffers = counts",
    },
    "snugroom.server.sfu.io.srtp.Lengths": {"_data": _MACHINERY, "view": _MACHINERY + " = packet"},
    "snugroom.server.sfu.core.tracks.Track": {
        "owner": "rooms[].streams",
        "ssrc": "rooms[].streams",
        "kind": "rooms[].streams = label",
        "clock": _MACHINERY,
        **dict.fromkeys(
            ("receivers", "fanouts", "paced", "paused", "rtx", "source", "layer", "pending_subscriptions"),
            "rooms[].streams",
        ),
        "cache": "sealed_media.packets = packet",
        "mask": _LIMITS,
        "stamp": _COUNT + " = stamp",
        **dict.fromkeys(
            ("high", "floor", "base", "received", "prior", "arrived", "latest", "transit", "jitter"), _COUNT
        ),
        **dict.fromkeys(("missing", "octets", "window", "rate", "estimates"), _COUNT),
        **dict.fromkeys(("last_pli", "pli_due", "last_sr", "sr_at"), _MACHINERY),
        **dict.fromkeys(("bytes_rate", "allowance", "allowed_at", "packet_cost_min", "nack_budget"), _LIMITS),
    },
    "snugroom.server.page.Bundle": dict.fromkeys(("files", "hash"), _PAGE + " = page"),
    "snugroom.server.page.File": dict.fromkeys(("name", "data", "sha256", "packed"), _PAGE + " = page"),
    "snugroom.server.disclosure.window.Window": {
        "_server": _MACHINERY,
        "_address": _SETTINGS + " = setting",
        "_port": _SETTINGS,
        "_token": "- in the address that was printed for the operator = setting",
        "_hosts": "- its own address = setting",
        # its visitor is the operator, and not a participant of a meeting
        "_runner": _MACHINERY + " = http",
    },
    "snugroom.server.disclosure.metrics.Metrics": {
        "_server": _MACHINERY,
        "_address": _SETTINGS + " = setting",
        "_port": _SETTINGS,
        "_hosts": "- its own address = setting",
        "_runner": _MACHINERY + " = http",
    },
    "snugroom.server.disclosure.command.DisclosureSocket": {
        "_server": _MACHINERY,
        "_name": "- the process's number = setting",
        "_listener": _MACHINERY + " = http",
        "_busy": _MACHINERY,
    },
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
        # in structs of settings, all attributes that the table does not name are numbers
        if base.__module__ in ("snugroom.server.config", "snugroom.server.sfu.limits"):
            return _SETTINGS, ()
    return None
