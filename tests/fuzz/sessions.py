"""Members' sessions, and a server that sends anything: messages changed, repeated, misplaced.

Only well-formed messages: `decode_server` refuses others before a session sees them (`parsers`).
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import msgspec

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire import messages as wire
from tests.fuzz.hub import Tape
from tests.fuzz.target import Target

#: Inputs after which another meeting begins: by then these sessions have been led astray.
_LIFE: Final = 400
_KEPT: Final = 256
_NUMBERS: Final = (0, 1, 2, 63, 64, 255, 2**32 - 1, 2**53 - 1)


class SessionHarness:
    """Three members and an invented server message at a time; time goes on between them."""

    def __init__(self) -> None:
        self._worlds = 0
        self._fed = 0
        self.changed: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        self._worlds += 1
        self._fed = 0
        self.w = World(self._worlds)
        self._kept: deque[tuple[ev.Endpoint, wire.ServerMessage]] = deque(maxlen=_KEPT)
        deliver = self.w._deliver

        def keep(link: Any, frame: bytes) -> None:
            self._kept.append((link.endpoint, wire.decode_server(frame)))
            deliver(link, frame)

        self.w._deliver = keep  # type: ignore[method-assign]  # listens in
        self.people = self.w.meeting("Ada", "Bo", "Cem")
        for number, who in enumerate(self.people):
            self.w.do(who, ev.Publish("ufrag", "p" * 22, bytes(32), ((number + 1, "audio", 0),)))
            self.w.do(who, ev.Say("hello"))
        self.people[1].room.queue(HealIntent(self.people[1].room.membership.group.epoch), self.w.now)
        self.w.run(6)

    def feed(self, data: bytes) -> None:
        tape = Tape(data)
        self._fed += 1
        if self._fed > _LIFE or all(who.ended is not None for who in self.people):
            self._begin()
        who: Participant = tape.pick(self.people)
        endpoint, message = tape.pick(self._kept)
        if tape.byte() % 16 == 0:
            endpoint = ev.PROBE if tape.byte() % 2 else ev.ROOM
        changed = self._change(message, tape)
        if changed is not None:
            self.changed.add(str(type(changed).__struct_config__.tag))
            self.w._feed(who, ev.Received(endpoint, changed))
        match tape.byte() % 8:
            case 0:
                self.w.run(0.2)
            case 1:
                self.w._feed(who, ev.Lost(endpoint, "cut", bool(tape.byte() % 2)))
            case _:
                self.w._feed(who, ev.Tick())

    def _change(self, message: wire.ServerMessage, tape: Tape) -> wire.ServerMessage | None:
        fields = msgspec.structs.fields(message)
        for _ in range(tape.byte() % 3):
            if not fields:
                break
            name = tape.pick(fields).name
            value = self._other(getattr(message, name), tape)
            message = msgspec.structs.replace(message, **{name: value})
        try:
            return wire.decode_server(wire.encode(message))
        except wire.WireError:
            return None

    def _other(self, value: Any, tape: Tape) -> Any:
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return tape.pick((*_NUMBERS, value + 1, max(0, value - 1), value + tape.byte()))
        if isinstance(value, bytes) and value:
            at = tape.byte() * 257 % len(value)
            return value[:at] + bytes([value[at] ^ (1 << tape.byte() % 8)]) + value[at + 1 :]
        if isinstance(value, str):
            return tape.pick(("", "pass", "gone", "slot", "media", "open", "x" * 200, "\x1b[2J\u202e"))
        if isinstance(value, list):
            return tape.pick(([], value[:1], value * 2))
        return value

    def look(self) -> None:
        for who in self.people:
            if who.ended is None and who.session.inside:
                assert len(who.room.messages._early) <= 256

    def close(self) -> None:
        """Nothing is held."""


TARGETS: Final = [
    Target(
        "sessions", SessionHarness, lambda: [bytes(range(n, n + 12)) for n in range(0, 240, 12)], share=0.2
    )
]
