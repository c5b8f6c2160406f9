"""The parts of a page's session that scenarios look at: its room, membership, features."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Protocol

from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.content import AnyContent
from snugroom.client.session.features.host_key_transfer import HostKeyTransfer
from snugroom.client.session.features.revocation import Revocation
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.intents import HealIntent, Intent
from snugroom.client.session.monitor.dropped import Dropped
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.crypto.agreed.ledger import Ledger
from snugroom.crypto.agreed.room_state import Mode, PolicyServer
from snugroom.crypto.entry.invite import HostKeys


class PageSession(Protocol):
    """The calls of `ts_session.TsSession` that answer what scenarios look at."""

    def call(self, op: str, **arguments: object) -> dict[str, Any]: ...

    def look(self, *path: object, feature: str | None = None) -> Any: ...


class _Look:
    """A read-only view of a page's membership; each access requests the value anew."""

    __slots__ = ("_session",)

    def __init__(self, session: PageSession) -> None:
        self._session = session

    def _at(self, *path: object) -> Any:
        return self._session.look(*path)


class _Group(_Look):
    __slots__ = ()

    @property
    def epoch(self) -> int:
        return int(self._at("membership", "group", "epoch"))

    @property
    def group_id(self) -> bytes:
        return bytes(self._at("membership", "group", "groupId"))


class _Journal(_Look):
    __slots__ = ()

    @property
    def slot(self) -> int:
        return int(self._at("membership", "journal", "slot"))

    @property
    def chain(self) -> bytes:
        return bytes(self._at("membership", "journal", "chain"))


@dataclasses.dataclass(frozen=True)
class PublicHalf:
    """The public half of a key: a page gives out no more."""

    public: bytes


@dataclasses.dataclass(frozen=True)
class _RoomAdminKeys:
    """The key under which the server holds the room."""

    current: bytes


@dataclasses.dataclass(frozen=True)
class _Policy:
    version: int
    hosts: tuple[bytes, ...]
    mode: Mode
    title: str
    host_public: bytes
    return_public: bytes
    room_admin_public: bytes
    link_keys: tuple[bytes, ...]
    servers: tuple[PolicyServer, ...]
    encoded: bytes

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(each.origin for each in self.servers)

    def encode(self) -> bytes:
        return self.encoded


class _Membership(_Look):
    __slots__ = ()

    @property
    def group(self) -> _Group:
        return _Group(self._session)

    @property
    def journal(self) -> _Journal:
        return _Journal(self._session)

    @property
    def policy(self) -> _Policy:
        raw = self._at("membership", "policy")
        return _Policy(
            raw["version"],
            raw["hosts"],
            Mode(raw["mode"]),
            raw["title"],
            raw["hostPublic"],
            raw["returnPublic"],
            raw["roomAdminPublic"],
            (raw["hostPublic"], *raw["laterKeys"]),
            tuple(PolicyServer(each["origin"], each["roomAdminPublic"]) for each in raw["servers"]),
            self._at("membership", "policy", ["encode"]),
        )

    @property
    def own_leaf(self) -> int:
        return int(self._at("membership", "ownLeaf"))

    @property
    def code(self) -> str:
        return str(self._at("membership", "code"))

    @property
    def heartbeat_key(self) -> bytes:
        return bytes(self._at("membership", "heartbeatKey"))

    @property
    def move_key(self) -> bytes:
        return bytes(self._at("membership", "moveKey"))

    @property
    def ledger(self) -> Ledger:
        return Ledger.decode(self.ledger_bytes())

    def ledger_bytes(self) -> bytes:
        return bytes(self._at("membership", "ledger", ["encode"]))

    def signature_key(self, leaf: int) -> bytes | None:
        return self._at("membership", ["signatureKey", leaf])  # type: ignore[no-any-return]

    def is_host(self, leaf: int) -> bool:
        return bool(self._at("membership", ["isHost", leaf]))

    def name(self, leaf: int) -> str:
        return str(self._at("membership", ["name", leaf]))

    def members(self) -> list[tuple[int, str, bool]]:
        return [(m["leaf"], m["name"], m["host"]) for m in self._at("membership", ["members"])]


class _HostKeyTransfer(_Look):
    __slots__ = ()

    @property
    def confirmed(self) -> set[bytes]:
        return {bytes.fromhex(key) for key in self._session.look("confirmed", feature="HostKeyTransfer")}


class _Revocation(_Look):
    __slots__ = ()

    @property
    def revoked(self) -> set[int]:
        return set(self._session.look("revoked", feature="Revocation"))


class _Monitor(_Look):
    __slots__ = ()

    def hold_reason(self, now: float) -> str | None:
        return self._session.look(["holdReason", now], feature="Monitor")  # type: ignore[no-any-return]


class _Dropped(_Look):
    __slots__ = ()

    def export(self, names: bool, now: float) -> bytes:
        return bytes(self._session.look(["export", names, now], feature="Dropped"))


_FEATURES: Final[dict[type[Feature], type[_Look]]] = {
    HostKeyTransfer: _HostKeyTransfer,
    Revocation: _Revocation,
    Monitor: _Monitor,
    Dropped: _Dropped,
}


class _Announcements(_Look):
    __slots__ = ()

    def boxes(self) -> list[tuple[int, bytes]]:
        return list(self._session.look("announcements", ["boxes"]))

    def streams(self, leaf: int) -> dict[int, int]:
        return dict(self._session.look("announcements", ["streams", leaf]))

    def opener(self, leaf: int, server: int) -> bytes | None:
        return self._session.look("announcements", ["opener", leaf, server])  # type: ignore[no-any-return]


class _Here(_Look):
    __slots__ = ()

    @property
    def origin(self) -> str:
        return str(self._at("here", "origin"))

    @property
    def attempt(self) -> int:
        return int(self._at("here", "attempt"))


class TsRoom(_Look):
    """The parts of a `RoomSession` that scenarios read, and the acts that no command offers."""

    __slots__ = ()

    @property
    def membership(self) -> _Membership:
        return _Membership(self._session)

    @property
    def frames(self) -> Any:
        return self._session

    def feature(self, kind: type[Feature]) -> Any:
        return _FEATURES[kind](self._session)

    def is_synced(self, now: float) -> bool:
        return bool(self._at(["isSynced", now]))

    def speaks(self, now: float) -> bool:
        return bool(self._at(["speaks", now]))

    def pause_reason(self, now: float) -> str | None:
        return self._at(["pauseReason", now])  # type: ignore[no-any-return]

    @property
    def needs_rejoin(self) -> bool:
        return bool(self._at("needsRejoin"))

    @needs_rejoin.setter
    def needs_rejoin(self, value: bool) -> None:
        assert value
        self._session.call("rejoin")

    @property
    def seeks_readmission(self) -> bool:
        return bool(self._at("seeksReadmission"))

    @property
    def stuck_at(self) -> int | None:
        return self._at("stuckAt")  # type: ignore[no-any-return]

    @property
    def host_keys(self) -> HostKeys | None:
        if self._at("hostKeys") is None:
            return None
        return HostKeys.decode(bytes(self._at("hostKeys", ["encode"])))

    @property
    def room_admin_keys(self) -> _RoomAdminKeys:
        return _RoomAdminKeys(bytes(self._at("roomAdminKeys", "current")))

    @property
    def number(self) -> bytes:
        return bytes(self._at("number"))

    @property
    def handle(self) -> bytes:
        return bytes(self._at("handle"))

    @property
    def door_key(self) -> PublicHalf:
        return PublicHalf(self._at("doorKey", "public"))

    @property
    def here(self) -> _Here:
        return _Here(self._session)

    @property
    def announcements(self) -> _Announcements:
        return _Announcements(self._session)

    def queue(self, intent: Intent, now: float) -> None:
        assert isinstance(intent, HealIntent), "of all intents a person's program can be told this one"
        self._session.call("heal", now=now)

    def relay(self, what: AnyContent) -> None:
        self._session.call("relay", content=content.encode(what))
