"""The page's session as Python's: the same inputs, effects and events, over a Node process in JSON lines.

So the meetings of tests/session can have page participants among Python participants. The page's sentences
come as keys and arguments, and become sentences of ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

from snugroom.client.session import events as ev
from snugroom.client.session.options import Options
from snugroom.crypto import errors
from snugroom.crypto.entry.member_recovery import MemberRecoveryData
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.crypto.media.clear_header import Kind
from snugroom.crypto.media.keys import FutureEpochError, OpenedFrame
from snugroom.wire.messages import HandleStream, Transport, decode_client, decode_server
from tests.interop.lines import LineProcess
from tests.interop.ts_setup import ROOT, Node
from tests.web.ts_room import TsRoom
from tests.web.ts_values import (
    from_input,
    from_options,
    from_plain,
    to_dataclass,
    to_endpoint,
    to_event,
    to_plain,
)

ANSWER_SECONDS: Final = 60.0
LATER_MAX: Final = 256
_PROGRAM: Final = ROOT / "tests" / "web" / "peers" / "session_peer.ts"


class PageError(AssertionError):
    """The page's code threw an unknown error; the text has its stack."""


class SessionProcess(LineProcess):
    """The Node process of the page's sessions."""

    def __init__(self, node: Node) -> None:
        self._due: list[tuple[dict[str, object], Callable[[dict[str, Any]], None]]] = []
        super().__init__(node, _PROGRAM, ANSWER_SECONDS)

    def call(self, op: str, who: int, **arguments: object) -> dict[str, Any]:
        """Send a request. Raises the errors of Python's session, and PageError for all others."""
        plain = {name: to_plain(value) for name, value in arguments.items()}
        (answer,) = self._send({"op": op, "who": who, **plain})
        if not answer.pop("ok"):
            raise _error(answer)
        return answer

    def later(self, then: Callable[[dict[str, Any]], None], **request: object) -> None:
        """Send a request with the next call, before it: most of the time of a call goes into changing
        processes. `then` gets the answer."""
        self._due.append((request, then))
        if len(self._due) == LATER_MAX:
            self.settle()

    def settle(self) -> None:
        """Send what waits for the next call."""
        if self._due:
            self._send()

    def _send(self, *requests: dict[str, object]) -> list[dict[str, Any]]:
        due, self._due = self._due, []
        answers = self.answers([*(request for request, _ in due), *requests])
        for (_, then), answer in zip(due, answers, strict=False):
            then(answer)
        return answers[len(due) :]


def _error(answer: dict[str, Any]) -> Exception:
    kind, text = answer["kind"], from_plain(answer["text"])
    if kind == "CommandError":
        return ValueError(text)
    if kind == "FutureEpochError":
        return FutureEpochError(text)
    if kind == "ValidationError":
        return errors.ValidationError(answer["rule"], text)
    known = getattr(errors, kind, None)
    return PageError(text) if known is None else known(text)


def _opened(answer: dict[str, Any]) -> OpenedFrame:
    opened = answer["value"]
    return OpenedFrame(**opened | {"frame": bytes.fromhex(opened["frame"])})


@dataclasses.dataclass(frozen=True)
class TsKept(MemberRecoveryData):
    """The record of a page's device. The keys in it are others: a browser lets nobody read its own."""

    number: int = -1

    @classmethod
    def of(cls, number: int, rest: bytes) -> TsKept:
        read = MemberRecoveryData.decode(b"\1" + bytes(32) + b"\1" + bytes(32) + b"\0" + rest)
        fields = {each.name: getattr(read, each.name) for each in dataclasses.fields(read)}
        return cls(**fields, number=number)


class TsSession:
    """The session of a page participant, with the interface of `client.session.Session`."""

    # a scenario that sets an attribute that this class lacks must fail
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
        made._first = made._effects(made.call(op, seed=seed, now=now, options=from_options(options), **more))
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
        again: TsKept | None = None,
        **facts: Any,
    ) -> TsSession:
        facts["invites"] = [dataclasses.asdict(wanted) for wanted in invites]
        facts["openInvite"] = open_invite
        if isinstance(again, TsKept):
            facts["again"] = again.number
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

    @classmethod
    def come_back(
        cls, process: SessionProcess, kept: TsKept, *, seed: str, now: float, options: Options
    ) -> TsSession:
        return cls._begin(process, "comeBack", seed, now, options, kept=kept.number)

    # -- the same as Python's -----------------------------------------------------------------------------

    def start(self) -> list[ev.Effect]:
        return self._first

    def handle(self, what: ev.Input, now: float) -> list[ev.Effect]:
        if isinstance(what, ev.SaveReport | ev.SaveEvidence):
            self._path = what.path
        answer = self.call("handle", input=from_input(what, self._shows), now=now)
        if isinstance(what, ev.SetState):
            self._shows = what
        elif isinstance(what, ev.RaiseHand):
            self._shows = dataclasses.replace(self._shows, hand=what.up)
        return self._effects(answer)

    # most calls are these two: they send bytes as plain hex

    def seal(self, kind: Kind, stream: int, frame: bytes, now: float) -> bytes | None:
        sealed = self.call("seal", kind=kind, stream=stream, frame=frame.hex(), now=now)["value"]
        return None if sealed is None else bytes.fromhex(sealed)

    def open(self, ssrc: int, kind: Kind, data: bytes, now: float) -> OpenedFrame:
        return _opened(self.call("open", ssrc=ssrc, kind=kind, data=data.hex(), now=now))

    def open_later(
        self,
        ssrc: int,
        kind: Kind,
        data: bytes,
        now: float,
        then: Callable[[OpenedFrame | errors.SnugError], None],
    ) -> None:
        """Open a frame before the next call; `then` gets the frame, or why it is refused."""

        def answered(answer: dict[str, Any]) -> None:
            if answer.pop("ok"):
                then(_opened(answer))
            elif isinstance(error := _error(answer), errors.SnugError):
                then(error)
            else:
                raise error

        request = {"ssrc": ssrc, "kind": kind, "data": data.hex(), "now": now}
        self._process.later(answered, op="open", who=self._number, **request)

    def kept(self) -> HostRecoveryData | None:
        raw = from_plain(self.call("kept")["value"])
        return None if raw is None else HostRecoveryData.decode(raw)

    @property
    def inside(self) -> bool:
        return bool(self._state["inside"])

    @property
    def ended(self) -> ev.Ended | None:
        raw = self._state["ended"]
        return None if raw is None else to_dataclass(ev.Ended, raw)

    @property
    def own_leaf(self) -> int | None:
        return self._state["ownLeaf"]  # type: ignore[no-any-return]

    @property
    def names(self) -> dict[int, str]:
        return dict(self._state["names"])

    # -- inside -------------------------------------------------------------------------------------------

    @property
    def _room(self) -> TsRoom | None:
        return TsRoom(self) if self.inside else None

    @property
    def _host(self) -> object | None:
        """An object once this participant can host, otherwise None."""
        return self if self._state["hosts"] else None

    def call(self, op: str, **arguments: object) -> dict[str, Any]:
        return self._process.call(op, self._number, **arguments)

    def look(self, *path: object, feature: str | None = None) -> Any:
        more = {} if feature is None else {"feature": feature}
        return from_plain(self.call("look", path=list(path), **more)["value"])

    def close(self) -> None:
        self.call("close")

    def _effects(self, answer: dict[str, Any]) -> list[ev.Effect]:
        self._state = from_plain(answer["state"])
        return [self._effect(raw) for raw in answer["effects"]]

    def _effect(self, raw: dict[str, Any]) -> ev.Effect:
        match raw["type"]:
            case "Connect":
                return ev.Connect(to_endpoint(raw["endpoint"]), raw.get("path", ""), raw.get("origin", ""))
            case "ConnectSoon":
                return ev.ConnectSoon(raw["origin"])
            case "Disconnect":
                return ev.Disconnect(to_endpoint(raw["endpoint"]))
            case "Transmit":
                return ev.Transmit(to_endpoint(raw["endpoint"]), decode_client(raw["message"].encode()))
            case "Tell":
                event = to_event(from_plain(raw["event"]))
                if isinstance(event, ev.BookChanged) and self._options.contacts is not None:
                    # as the owner of the contact book does; the page has its own copy
                    self._options.contacts.learn(event.public, event.name, event.at, verified=event.verified)
                return ev.Tell(event)
            case "Save":
                path = self._path or self._options.evidence or ""
                return ev.Save(raw["what"], path, from_plain(raw["data"]))
            case "Keep":
                rest = from_plain(raw["rest"])
                return ev.Keep(None if rest is None else TsKept.of(raw["kept"], rest))
            case "MediaTransport":
                transport = decode_server(raw["transport"].encode())
                assert isinstance(transport, Transport)
                return ev.MediaTransport(transport)
            case "RemoteStreams":
                return ev.RemoteStreams(tuple(HandleStream(**from_plain(row)) for row in raw["streams"]))
            case other:
                raise PageError(f"an effect that nobody knows: {other}")


#: Whether a participant runs the page's code, by name and whether it opens the meeting.
Who = Callable[[str, bool], bool]
