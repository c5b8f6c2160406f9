"""The page's session as Python's: the same inputs, effects and events, over a Node process in JSON lines.

So the meetings of tests/session can have people who run the page's code among people who run ours. What the
page says comes in English, so that each sentence can be held to ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.content import AnyContent
from snugroom.client.session.features.host_key_transfer import HostKeyTransfer
from snugroom.client.session.features.revocation import Revocation
from snugroom.client.session.features.roles import Roles
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.intents import HealIntent, Intent
from snugroom.client.session.monitor.dropped import Dropped
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.client.session.options import Options
from snugroom.crypto import errors
from snugroom.crypto.agreed.room_state import Mode
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.keys import FutureEpochError, OpenedFrame
from snugroom.server.wire.messages import HandleStream, Transport, decode_client, decode_server, encode
from tests.interop.lines import LineProcess
from tests.interop.ts_setup import ROOT, Node

ANSWER_SECONDS: Final = 60.0
_PROGRAM: Final = ROOT / "tests" / "web" / "peers" / "session_peer.ts"
_T = TypeVar("_T")


class PageError(AssertionError):
    """The page's code failed in a way that it has no word for; the text has its stack."""


class SessionProcess(LineProcess):
    """The Node process of the page's sessions."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, _PROGRAM, ANSWER_SECONDS)

    def call(self, op: str, who: int, **arguments: object) -> dict[str, Any]:
        """One request. Raises what Python's session would, and PageError for what it never would."""
        plain = {name: _plain(value) for name, value in arguments.items()}
        answer = self.answer({"op": op, "who": who, **plain})
        if not answer.pop("ok"):
            raise _error(answer)
        return answer


def _error(answer: dict[str, Any]) -> Exception:
    kind, text = answer["kind"], answer["text"]
    if kind == "CommandError":
        return ValueError(text)
    if kind == "FutureEpochError":
        return FutureEpochError(text)
    if kind == "ValidationError":
        return errors.ValidationError(answer["rule"], text)
    known = getattr(errors, kind, None)
    return PageError(text) if known is None else known(text)


# -- there and back --------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return {"$bytes": bytes(value).hex()}
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    return value


def _real(value: Any) -> Any:
    """JSON back as Python's values: bytes as bytes, sentences as text, lists as tuples."""
    if isinstance(value, dict):
        if "$bytes" in value:
            return bytes.fromhex(value["$bytes"])
        if "$sentence" in value:
            return value["$sentence"]
        return {k: _real(v) for k, v in value.items()}
    if isinstance(value, list):
        return tuple(_real(v) for v in value)
    return value


_RENAMED: Final = {
    "looksLike": "looks_like",
    "newSince": "new_since",
    "usedBy": "used_by",
}
#: Fields that the page's events have and ours have not.
_MORE: Final = {"ShortCode": {"indices"}, "type": set()}


def _dataclass(kind: type[_T], fields: dict[str, Any]) -> _T:
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    given = {_RENAMED.get(k, k): v for k, v in fields.items() if k != "type"}
    extra = given.keys() - known - _MORE.get(kind.__name__, set())
    assert not extra, f"{kind.__name__} has no {extra}"
    return kind(**{k: v for k, v in given.items() if k in known})


def _members(rows: Sequence[dict[str, Any]], kind: type[Any] = ev.Member) -> tuple[Any, ...]:
    return tuple(_dataclass(kind, row) for row in rows)


def _event(raw: dict[str, Any]) -> ev.Event:
    kind: str = raw["type"]
    fields = dict(raw)
    if kind == "StateTold":
        return ev.StateTold(fields["leaf"], fields["name"], **fields["state"])
    if kind == "Pages":
        return ev.Pages(
            tuple(ev.RunsPage(p["leaf"], p["name"], bytes.fromhex(p["hash"])) for p in fields["pages"])
        )
    if kind == "Invites":
        return ev.Invites(tuple(_dataclass(ev.InviteRow, row) for row in fields["rows"]))
    for name in ("members", "added", "removed"):
        if name in fields:
            fields[name] = _members(fields[name], ev.Known if kind == "Comparison" else ev.Member)
    return _dataclass(getattr(ev, kind), fields)  # type: ignore[no-any-return]


def _endpoint(raw: dict[str, Any]) -> ev.Endpoint:
    return ev.Endpoint(raw["day"], raw["probe"])


def _input(what: ev.Input, state: ev.SetState) -> dict[str, Any]:
    kind = type(what).__name__
    if isinstance(what, ev.RaiseHand):
        what = dataclasses.replace(state, hand=what.up)
    if isinstance(what, ev.SetState):
        return {"type": "SetState", "state": dataclasses.asdict(what)}
    if isinstance(what, ev.Received):
        return {
            "type": kind,
            "endpoint": dataclasses.asdict(what.endpoint),
            "message": encode(what.message).decode(),
        }
    if isinstance(what, ev.RunPage):
        return {"type": "RunsPage", "hash": what.hash}
    fields = {f.name: getattr(what, f.name) for f in dataclasses.fields(what)}
    if isinstance(what, ev.Lost):
        fields["endpoint"] = dataclasses.asdict(what.endpoint)
    if isinstance(what, ev.Publish):
        fields["streams"] = [
            {
                "ssrc": s,
                "kind": k,
                "stream": n,
                "layers": what.layers.get(s, ()),
                "rtx": what.rtx.get(s, ()),
            }
            for s, k, n in what.streams
        ]
        fields["takesRtx"] = fields.pop("takes_rtx")
        del fields["layers"], fields["rtx"]
    if isinstance(what, ev.SelectStreams):
        fields["maxLayers"] = list(what.max_layers.items())
    if isinstance(what, ev.SaveReport | ev.SaveEvidence | ev.SendFile | ev.SendImage):
        del fields["path"]
    return {"type": kind, **fields}


def _options(options: Options) -> dict[str, Any]:
    return {
        "contacts": None if options.contacts is None else options.contacts.encode(),
        "showIdentity": options.show_identity,
        "reports": options.reports,
        "evidence": options.evidence is not None,
        "evidenceNames": options.evidence_names,
        "patience": options.patience,
    }


# -- what tests look at inside ---------------------------------------------------------------------------


class _Look:
    """Something of a page's membership, asked for anew each time; it can't be changed from here."""

    __slots__ = ("_session",)

    def __init__(self, session: TsSession) -> None:
        self._session = session

    def _at(self, *path: object) -> Any:
        return self._session.look(*path)


class _Group(_Look):
    __slots__ = ()

    @property
    def epoch(self) -> int:
        return int(self._at("m", "group", "epoch"))

    @property
    def group_id(self) -> bytes:
        return bytes(self._at("m", "group", "groupId"))


class _Journal(_Look):
    __slots__ = ()

    @property
    def slot(self) -> int:
        return int(self._at("m", "journal", "slot"))

    @property
    def chain(self) -> bytes:
        return bytes(self._at("m", "journal", "chain"))


@dataclasses.dataclass(frozen=True)
class PublicHalf:
    """All of a key that a page gives out."""

    public: bytes


@dataclasses.dataclass(frozen=True)
class _Policy:
    version: int
    hosts: tuple[bytes, ...]
    mode: Mode
    title: str
    encoded: bytes

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
        raw = self._at("m", "policy")
        return _Policy(
            raw["version"],
            raw["hosts"],
            Mode(raw["mode"]),
            raw["title"],
            self._at("m", "policy", ["encode"]),
        )

    @property
    def own_leaf(self) -> int:
        return int(self._at("m", "ownLeaf"))

    @property
    def code(self) -> str:
        return str(self._at("m", "code"))

    @property
    def heartbeat_key(self) -> bytes:
        return bytes(self._at("m", "heartbeatKey"))

    def ledger_bytes(self) -> bytes:
        return bytes(self._at("m", "ledger", ["encode"]))

    def signature_key(self, leaf: int) -> bytes | None:
        return self._at("m", ["signatureKey", leaf])  # type: ignore[no-any-return]

    def is_host(self, leaf: int) -> bool:
        return bool(self._at("m", ["isHost", leaf]))

    def name(self, leaf: int) -> str:
        return str(self._at("m", ["name", leaf]))

    def members(self) -> list[tuple[int, str, bool]]:
        return [(m["leaf"], m["name"], m["host"]) for m in self._at("m", ["members"])]


class _HostKeyTransfer(_Look):
    __slots__ = ()

    @property
    def confirmed(self) -> set[bytes]:
        return {bytes.fromhex(key) for key in self._session.look("confirmed", feature="HostKeyTransfer")}


class _Roles(_Look):
    __slots__ = ()

    @property
    def seed_exposed(self) -> bool:
        return bool(self._session.look("seedExposed", feature="Roles"))


class _Revocation(_Look):
    __slots__ = ()

    @property
    def revoked(self) -> set[int]:
        return set(self._session.look("revoked", feature="Revocation"))


class _Monitor(_Look):
    __slots__ = ()

    def pause_reason(self, now: float) -> str | None:
        return self._session.look(["pauseReason", now], feature="Monitor")  # type: ignore[no-any-return]


class _Dropped(_Look):
    __slots__ = ()

    def export(self, names: bool, now: float) -> bytes:
        return bytes(self._session.look(["export", names, now], feature="Dropped"))


_FEATURES: Final[dict[type[Feature], type[_Look]]] = {
    HostKeyTransfer: _HostKeyTransfer,
    Roles: _Roles,
    Revocation: _Revocation,
    Monitor: _Monitor,
    Dropped: _Dropped,
}


class _Announcements(_Look):
    __slots__ = ()

    def boxes(self) -> list[tuple[int, bytes]]:
        return list(self._session.look("announcements", ["boxes"]))


class _Room(_Look):
    """As far as scenarios look into a `RoomSession`, and have it do what no person can ask for."""

    __slots__ = ()

    @property
    def m(self) -> _Membership:
        return _Membership(self._session)

    @property
    def frames(self) -> Any:
        return self._session

    def feature(self, kind: type[Feature]) -> Any:
        return _FEATURES[kind](self._session)

    def is_synced(self, now: float) -> bool:
        return bool(self._at(["isSynced", now]))

    @property
    def needs_rejoin(self) -> bool:
        return bool(self._at("needsRejoin"))

    @needs_rejoin.setter
    def needs_rejoin(self, value: bool) -> None:
        assert value
        self._session.call("rejoin")

    @property
    def stuck_at(self) -> int | None:
        return self._at("stuckAt")  # type: ignore[no-any-return]

    @property
    def host_seed(self) -> object | None:
        return self._at("hostSeed")  # type: ignore[no-any-return]

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
    def announcements(self) -> _Announcements:
        return _Announcements(self._session)

    def queue(self, intent: Intent, now: float) -> None:
        assert isinstance(intent, HealIntent), "of all intents a person's program can be told this one"
        self._session.call("heal", now=now)

    def relay(self, what: AnyContent) -> None:
        self._session.call("relay", content=content.encode(what))


class TsSession:
    """One participant who runs the page's code; what `client.session.Session` is for one who runs ours."""

    # a scenario that wants to change more of a session than it can must fail, and not run as if nothing was
    __slots__ = ("_first", "_number", "_options", "_path", "_process", "_shows", "_state")

    def __init__(self, process: SessionProcess, options: Options) -> None:
        self._process = process
        self._number = process.new_id()
        self._options = options
        self._first: list[ev.Effect] = []
        self._state: dict[str, Any] = {}
        self._path = ""
        self._shows = ev.SetState(False, False)

    # -- beginnings ---------------------------------------------------------------------------------------

    @classmethod
    def _begin(
        cls, process: SessionProcess, op: str, seed: str, now: float, options: Options, **more: Any
    ) -> TsSession:
        made = cls(process, options)
        made._first = made._effects(made.call(op, seed=seed, now=now, options=_options(options), **more))
        return made

    @classmethod
    def host(
        cls,
        process: SessionProcess,
        *,
        seed: str,
        now: float,
        options: Options,
        invites: Sequence[ev.NewInvite] = (),
        open_invite: bool = True,
        **facts: Any,
    ) -> TsSession:
        facts["invites"] = [dataclasses.asdict(wanted) for wanted in invites]
        facts["openInvite"] = open_invite
        return cls._begin(process, "host", seed, now, options, facts=facts)

    @classmethod
    def join(
        cls, process: SessionProcess, link: str, *, seed: str, now: float, options: Options, **facts: Any
    ) -> TsSession:
        return cls._begin(process, "join", seed, now, options, facts={"link": link, **facts})

    @classmethod
    def rejoin_as_host(
        cls, process: SessionProcess, kept: HostRecoveryData, *, seed: str, now: float, options: Options
    ) -> TsSession:
        return cls._begin(process, "rejoinAsHost", seed, now, options, kept=kept.encode())

    # -- the same as Python's -----------------------------------------------------------------------------

    def start(self) -> list[ev.Effect]:
        return self._first

    def handle(self, what: ev.Input, now: float) -> list[ev.Effect]:
        if isinstance(what, ev.SaveReport | ev.SaveEvidence):
            self._path = what.path
        answer = self.call("handle", input=_input(what, self._shows), now=now)
        if isinstance(what, ev.SetState):
            self._shows = what
        elif isinstance(what, ev.RaiseHand):
            self._shows = dataclasses.replace(self._shows, hand=what.up)
        return self._effects(answer)

    # most calls are these two: their bytes go without the wrapping that says that they are bytes

    def seal(self, kind: Kind, stream: int, frame: bytes, now: float) -> bytes | None:
        sealed = self.call("seal", kind=kind, stream=stream, frame=frame.hex(), now=now)["value"]
        return None if sealed is None else bytes.fromhex(sealed)

    def open(self, ssrc: int, kind: Kind, data: bytes, now: float) -> OpenedFrame:
        opened = self.call("open", ssrc=ssrc, kind=kind, data=data.hex(), now=now)["value"]
        return OpenedFrame(**opened | {"frame": bytes.fromhex(opened["frame"])})

    def kept(self) -> HostRecoveryData | None:
        raw = _real(self.call("kept")["value"])
        return None if raw is None else HostRecoveryData.decode(raw)

    @property
    def inside(self) -> bool:
        return bool(self._state["inside"])

    @property
    def ended(self) -> ev.Ended | None:
        raw = self._state["ended"]
        return None if raw is None else _dataclass(ev.Ended, raw)

    @property
    def own_leaf(self) -> int | None:
        return self._state["ownLeaf"]  # type: ignore[no-any-return]

    @property
    def names(self) -> dict[int, str]:
        return dict(self._state["names"])

    def name_of(self, leaf: int) -> str | None:
        return self.names.get(leaf)

    # -- inside -------------------------------------------------------------------------------------------

    @property
    def _room(self) -> _Room | None:
        return _Room(self) if self.inside else None

    @property
    def _host(self) -> object | None:
        """Something, once it is a host who can host."""
        return self if self._state["hosts"] else None

    def call(self, op: str, **arguments: object) -> dict[str, Any]:
        return self._process.call(op, self._number, **arguments)

    def look(self, *path: object, feature: str | None = None) -> Any:
        more = {} if feature is None else {"feature": feature}
        return _real(self.call("look", path=list(path), **more)["value"])

    def close(self) -> None:
        self.call("close")

    def _effects(self, answer: dict[str, Any]) -> list[ev.Effect]:
        self._state = _real(answer["state"])
        return [self._effect(raw) for raw in answer["effects"]]

    def _effect(self, raw: dict[str, Any]) -> ev.Effect:
        match raw["type"]:
            case "Connect":
                return ev.Connect(_endpoint(raw["endpoint"]))
            case "Disconnect":
                return ev.Disconnect(_endpoint(raw["endpoint"]))
            case "Transmit":
                return ev.Transmit(_endpoint(raw["endpoint"]), decode_client(raw["message"].encode()))
            case "Tell":
                event = _event(_real(raw["event"]))
                if isinstance(event, ev.BookChanged) and self._options.contacts is not None:
                    # as whoever keeps the book does; the page has a copy of its own
                    self._options.contacts.learn(event.public, event.name, event.at, verified=event.verified)
                return ev.Tell(event)
            case "Save":
                path = self._path or self._options.evidence or ""
                return ev.Save(raw["what"], path, _real(raw["data"]))
            case "MediaTransport":
                transport = decode_server(raw["transport"].encode())
                assert isinstance(transport, Transport)
                return ev.MediaTransport(transport)
            case "RemoteStreams":
                return ev.RemoteStreams(tuple(HandleStream(**_real(row)) for row in raw["streams"]))
            case other:
                raise PageError(f"an effect that nobody knows: {other}")


#: Which people run the page's code, by their name and whether they open the meeting.
Who = Callable[[str, bool], bool]
