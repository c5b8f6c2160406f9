"""The part of `inventory` for a server that is one of several nodes."""

from __future__ import annotations

from typing import Final

from snugroom.server.disclosure.kinds import MACHINERY, SETTINGS, every

#: All names at the bus: keys, and the ids of sessions. They are random, or hashes under the nodes' secret.
_BUS: Final = "nodes = bus"

ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    "snugroom.server.nodes.settings.NodeSettings": every(
        "node secret_file lease bus bus_user bus_password_file bus_ca_file bus_plain", SETTINGS + " = setting"
    ),
    "snugroom.server.rooms.nodes.NodeService": {
        **every("_settings _now _leases placement _signaling _fault _bus", MACHINERY),
    },
    "snugroom.server.rooms.placement.Placement": {
        "leases": "nodes",
        "node": SETTINGS,
        "_secret": "- the nodes' secret, which opens no meeting = secret",
        "_waiting": _BUS,
        "_waits": "at_the_door = handle",
        "_served": "nodes = bus number lobby",
        "_lease_of": "nodes = bus number lobby",
    },
    "snugroom.server.rooms.effects.AskBus": {"request": "nodes"},
    "snugroom.server.rooms.placement.Waiting": {
        "handle": "at_the_door = handle",
        "door": "at_the_door = key nonce signature",
        "lease": _BUS,
        "early": "at_the_door = blob key nonce signature gate chain",
    },
    "snugroom.server.nodes.leases.Leases": {
        **every("node _timing _ticket _era _era_since _settled _revision _on_bus _until", MACHINERY),
        **every("_rng _beat_at _beating _scanned_at _predecessor _rival _seen _draining", MACHINERY),
        **every("_session _former _steps _held _before _asked", _BUS),
    },
    "snugroom.server.nodes.outcomes.Timing": {"lease": SETTINGS},
    "snugroom.server.nodes.leases._Held": every("era revision fencing until", MACHINERY),
    "snugroom.server.nodes.leases._Seen": every("session revision since", MACHINERY),
    "snugroom.server.nodes.leases._Step": {
        **every("era sent_at node revision", MACHINERY),
        "name": MACHINERY + " = label",
        "session": _BUS,
        "lease": _BUS,
    },
    "snugroom.server.nodes.records.Session": {"id": _BUS, "alive": MACHINERY},
    "snugroom.server.nodes.records.Place": {"node": MACHINERY, "session": _BUS},
    "snugroom.server.nodes.records.Settled": {},
    **{
        f"snugroom.server.nodes.records.{name}": {
            **every("ticket era record revision", MACHINERY),
            "key": _BUS,
        }
        for name in ("Read", "Write", "Delete", "Found", "Written", "Conflict", "Failed", "Connected")
    },
    "snugroom.server.nodes.bus.Bus": {
        **every("_settings _on_connected _on_answer _time _looking", MACHINERY),
        **every("_client _stream _tasks _error", MACHINERY + " = http"),
    },
}
