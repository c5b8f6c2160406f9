"""All acts in play: take orders, report deeds, and pass every message and packet through each act."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import msgspec

from snugroom.lab.hostile.act import Act
from snugroom.lab.hostile.context import Context, OrderError
from snugroom.wire.messages import Challenge, ClientMessage, Message

#: Maximum seconds of an act that ends by itself.
_FOR_MAX = 3600


class Runner(Context):
    """The acts of one server. `say` receives each report, one line of JSON."""

    def __init__(self, kinds: Mapping[str, type[Act]], say: Callable[[str], None]) -> None:
        super().__init__(say)
        self._kinds = dict(kinds)
        self._until: dict[str, float] = {}
        self.active: dict[str, Act] = {}

    def facts(self) -> dict[str, Any]:
        """Return what the window says of this server: the acts that may begin, and those in play.

        Acts in play have the seconds that are left, or None. `numbers`: of members, by handle (hex).
        """
        now = self.now
        room = next(self.hub.all_rooms(), None)
        numbers = {} if room is None else self.participants.handles(room.number)
        return {
            "acts": sorted(self._kinds),
            "playing": {name: self._left(name, now) for name in self.active},
            "numbers": {handle.hex(): number for number, handle in numbers.items()},
        }

    def _left(self, name: str, now: float) -> float | None:
        until = self._until.get(name)
        return None if until is None else round(max(0.0, until - now), 1)

    # -- orders --------------------------------------------------------------------------------

    def order(self, line: str | bytes) -> None:
        """Carry out an order, one line of standard input. A faulty order is reported with its error."""
        act = ""
        try:
            order = msgspec.json.decode(line, type=dict[str, Any])
            act = str(order.pop("act", ""))
            if "begin" in order and set(order) <= {"begin", "for"}:
                self.begin(act, order["begin"], order.get("for"))
            elif order == {"end": True}:
                self.end(act)
            else:
                raise OrderError(
                    'an order is {"act": NAME, "begin": {...}}, with "for": SECONDS if it ends by itself, '
                    'or {"act": NAME, "end": true}'
                )
        except (OrderError, msgspec.DecodeError, UnicodeDecodeError) as error:
            self.report({"act": act, "error": str(error)})

    def begin(self, name: str, orders: object, seconds: object = None) -> Act:
        """Begin an act; if it is in play, end it first. Raises OrderError for a faulty order.

        With `seconds`, the server itself ends the act after that time.
        """
        kind = self._kinds.get(name)
        if kind is None:
            raise OrderError(f"there is no act {name!r} here: it has to be named at the start")
        timed = isinstance(seconds, int | float) and seconds is not True and 0 < seconds <= _FOR_MAX
        if seconds is not None and not timed:
            raise OrderError(f'"for" has to be a number of seconds, up to {_FOR_MAX}')
        try:
            read = msgspec.convert(orders, kind.orders_type)
        except msgspec.ValidationError as error:
            raise OrderError(f"{name}: {error}") from None
        if name in self.active:
            self.end(name)
        make = cast(Callable[..., Act], kind)
        act = make(self, read) if kind.orders_type.__struct_fields__ else make(self)
        self.active[name] = act
        try:
            act.begin(self.now)
        except OrderError:
            del self.active[name]
            raise
        if isinstance(seconds, int | float):
            self._until[name] = self.now + seconds
        self.report({"act": name, "began": True})
        return act

    def end(self, name: str, **more: object) -> None:
        """End an act, and report that with the fields `more`. Raises OrderError if it is not in play."""
        act = self.active.pop(name, None)
        self._until.pop(name, None)
        if act is None:
            raise OrderError(f"{name!r} is not running")
        act.end(self.now)
        self.report({"act": name, "ended": True, "done": act.times, **more})

    # -- hooks ---------------------------------------------------------------------------------

    def _acts(self) -> Collection[Act]:
        return list(self.active.values())

    def tick(self, now: float) -> None:
        for name, until in list(self._until.items()):
            if until <= now:
                self.end(name, by="time")
        for act in self._acts():
            act.tick(now)

    def challenge(self, handle: bytes, challenge: Challenge) -> Challenge:
        message: Message = challenge
        for act in self._acts():
            message = act.challenge(handle, message)
        return cast(Challenge, message)

    def opens(self, handle: bytes) -> bool:
        return any(act.opens(handle) for act in self._acts())

    def arrived(self, handle: bytes, now: float) -> None:
        for act in self._acts():
            act.arrived(handle, now)

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        messages: list[ClientMessage] = [message]
        for act in self._acts():
            messages = [out for one in messages for out in act.from_client(handle, one, now)]
        return messages

    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]:
        messages: list[Message] = [message]
        for act in self._acts():
            messages = [out for one in messages for out in act.to_client(handle, one, now)]
        return messages

    def packet(self, sender: bytes | None, packet: bytes, now: float) -> None:
        number = None if sender is None else self.participants.number(sender)
        for act in self._acts():
            act.packet(number, packet, now)

    def rtp(self, sender: bytes | None, receiver: bytes, packet: bytes, now: float) -> Sequence[bytes]:
        who = None if sender is None else self.participants.number(sender)
        whom = self.participants.number(receiver)
        packets: list[bytes] = [packet]
        for act in self._acts():
            packets = [out for one in packets for out in act.rtp(who, whom, one, now)]
        return packets
