"""The monitor's parts on a room of paper, driven by steps: the twin of tests/web/peers/module_peer.ts.

A step is (kind, target, name, values): "set" an attribute, "put" an entry of one, "get" one, or "call" a
method. It has a result, effects on the room, and the state that everybody can see.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from snugroom.client.session.catalogue.sentence import Sentence
from snugroom.client.session.features.states import States
from snugroom.client.session.monitor.delivery import Delivery
from snugroom.client.session.monitor.disorder import Disorder
from snugroom.client.session.monitor.freshness import Beginning, Freshness
from snugroom.client.session.monitor.member_table import MemberTable
from snugroom.client.session.monitor.removals import Removals
from snugroom.client.session.monitor.silence import Silence
from snugroom.client.session.monitor.unreadable_commits import UnreadableCommits
from snugroom.client.session.monitor.withholding import Withholding
from snugroom.wire import messages as wire

Step = tuple[Any, ...]
#: The parts' public state.
STATE: Final = (
    ("members", "leaves"),
    ("members", "others"),
    ("members", "host"),
    ("members", "since"),
    ("members", "heard"),
    ("beginning", "over"),
    ("beginning", "before_us"),
    ("withholding", "server_withholds"),
)


def camel(name: str) -> str:
    """Return a name as the page writes it."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def sent(value: Any) -> Any:
    """Return a value in JSON for the page, which reads it as a value of its own."""
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, dict):
        return {"$map": [[sent(key), sent(each)] for key, each in value.items()]}
    if isinstance(value, set | frozenset):
        return {"$set": [sent(each) for each in sorted(value)]}
    if (fields := _fields(value)) is not None:
        return {camel(name): sent(each) for name, each in fields.items()}
    return [sent(each) for each in value] if isinstance(value, tuple | list) else value


def plain(value: Any) -> Any:
    """Return a value as JSON has the same value of the page."""
    if isinstance(value, Sentence):
        return {"key": value.key} | (
            {"args": {k: plain(v) for k, v in value.args.items()}} if value.args else {}
        )
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, dict):
        return [[plain(key), plain(each)] for key, each in value.items()]
    if isinstance(value, set | frozenset):
        return [plain(each) for each in sorted(value)]
    if value == math.inf:
        return "infinity"
    if (fields := _fields(value)) is not None:
        typed = dataclasses.is_dataclass(value) and type(value).__module__.endswith("events.events")
        named = {"type": type(value).__name__} if typed else {}
        # the page leaves out what is as always
        told = {name: each for name, each in fields.items() if (name, each) != ("count", 1)}
        return named | {camel(name): plain(each) for name, each in told.items()}
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value


def _fields(value: Any) -> dict[str, Any] | None:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    return None


class _Sent(NamedTuple):
    type: str


class Paper:
    """All that the parts ask of a room. Steps set its attributes."""

    def __init__(self) -> None:
        self.rows: Sequence[tuple[int, str, bool]] = ()
        self.keys: dict[int, bytes] = {}
        self.own_leaf = 0
        self.slot = 0
        self.chains: dict[int, bytes] = {}
        self.servers: tuple[str, ...] = ()
        self.mirrored = False
        self.away: dict[int, float] = {}
        self.synced = True
        self.incarnation: bytes | None = None
        self.needs_rejoin = False
        self.seeks_readmission = False
        self.server_slot: int | None = None
        self.stuck_at: int | None = None
        self.origin = "https://snug.test"
        self.missed: float | None = None
        self.effects: list[Any] = []

    # itself as what a room has
    membership = journal = policy = here = property(lambda self: self)

    def members(self) -> Sequence[tuple[int, str, bool]]:
        return self.rows

    def signature_key(self, leaf: int) -> bytes | None:
        return self.keys.get(leaf)

    def is_synced(self, _: float) -> bool:
        return self.synced

    def feature(self, kind: type) -> Paper:
        assert kind is States
        return self

    def tell(self, event: Any) -> None:
        self.effects.append(event)

    def send(self, message: Any) -> None:
        assert isinstance(message, wire.Ping)
        self.effects.append(_Sent("ping"))

    # as heartbeats of ours

    def first_sent_after(self, acknowledged: int, since: float) -> float | None:
        return self.missed


class Parts:
    """The parts of one member's monitor."""

    def __init__(self, others: Sequence[int], now: float) -> None:
        self.room = cast(Any, Paper())
        self.members = MemberTable(self.room, now)
        self.disorder = Disorder(self.room, self.members)
        self.ordering = self.disorder.ordering
        self.delivery = Delivery()
        self.freshness = Freshness()
        self.beginning = Beginning(others)
        self.silence = Silence(self.room, self.members, self.room)
        self.removals = Removals(self.room, self.members)
        self.withholding = Withholding(self.room, self.members)
        self.unreadable = UnreadableCommits(self.room, self.members)

    def take(self, step: Step) -> Any:
        """Take a step; return its result, its effects and the state as the page's program returns them."""
        kind, target, name, *values = step
        part = getattr(self, target)
        result = None
        if kind == "set":
            setattr(part, name, values[0])
        elif kind == "put":
            getattr(part, name)[values[0]] = values[1]
        elif kind == "get":
            result = getattr(part, name)
        else:
            named = values.pop() if values and isinstance(values[-1], Named) else {}
            result = getattr(part, name)(*values, **named)
        effects, self.room.effects = self.room.effects, []
        state = [plain(getattr(getattr(self, of), field)) for of, field in STATE]
        return [plain(result), [plain(each) for each in effects], state]


class Named(dict[str, Any]):
    """Arguments by name: the page has them in this order behind the others."""


def for_page(step: Step) -> list[Any]:
    """Return a step as the page's program takes it."""
    kind, target, name, *values = step
    named = list(values.pop().values()) if values and isinstance(values[-1], Named) else []
    return [kind, target, camel(name), *(sent(each) for each in (*values, *named))]
