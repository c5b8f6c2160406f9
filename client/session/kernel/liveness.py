"""Whether the open connections still reach the server, by this client's own clock.

A connection whose network has gone tells nobody: TCP repeats for minutes. So a client that has heard nothing
for a while asks for an answer, and gives a connection up that brings none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from snugroom.client.session import events as ev
from snugroom.wire import messages as wire

#: Seconds of silence before a ping, and for its answer.
PING_EVERY: Final = 2.5
PING_WAIT: Final = 2.5
#: Seconds for the answer where the path of media has moved: the network may have changed.
SUSPECT_WAIT: Final = 1.5
#: Seconds from the wish to connect to the server's first message, and to the entry.
ENTRY_WAIT: Final = 10.0
#: A tick counts for at most so many seconds: a machine that stood still has heard nothing in that time.
TICK_MAX: Final = 1.0
#: Bytes a second of the slowest network that is allowed for: what we send delays the answer.
SLOWEST: Final = 16_384


@dataclass
class _Line:
    """One connection. Times are seconds of silence."""

    silent: float = 0.0
    asked: float | None = None
    wait: float = PING_WAIT
    entered: bool = False
    sent: int = 0  # bytes since it was heard last

    def heard(self) -> None:
        self.silent, self.asked, self.wait, self.sent = 0.0, None, PING_WAIT, 0

    def is_dead(self, slowness: float) -> bool:
        if not self.entered:
            return self.silent > ENTRY_WAIT * slowness
        wait = self.wait * slowness + self.sent / SLOWEST
        return self.asked is not None and self.silent - self.asked > wait


@dataclass(frozen=True)
class Silent:
    """Connections to ask for an answer, and those to give up."""

    asked: list[ev.Endpoint]
    dead: list[ev.Endpoint]


class Liveness:
    """The connections to the room and the lobbies; a probe has a limit of its own.

    `slowness`: answers may take this many times as long.
    """

    def __init__(self, now: float, slowness: float = 1.0) -> None:
        self._slowness = slowness
        self._lines: dict[ev.Endpoint, _Line] = {}
        self._ticked = now

    def performed(self, effects: Sequence[ev.Effect]) -> None:
        """Take note of what the session does with its connections."""
        for effect in effects:
            match effect:
                case ev.Connect(endpoint) if not endpoint.probe:
                    self._lines[endpoint] = _Line()
                case ev.Disconnect(endpoint):
                    self._lines.pop(endpoint, None)
                case ev.Transmit(endpoint, message) if endpoint in self._lines:
                    self._lines[endpoint].sent += len(getattr(message, "blob", b""))

    def heard(self, endpoint: ev.Endpoint, message: wire.ServerMessage) -> None:
        """The server has sent a message there."""
        line = self._lines.get(endpoint)
        if line is not None:
            line.heard()
            line.entered |= isinstance(message, wire.Entered)

    def lost(self, endpoint: ev.Endpoint) -> None:
        """That connection is gone."""
        self._lines.pop(endpoint, None)

    def tick(self, now: float) -> Silent:
        """Let time pass, and return what has been silent for too long."""
        step, self._ticked = min(max(now - self._ticked, 0.0), TICK_MAX), now
        asked = []
        for endpoint, line in self._lines.items():
            line.silent += step
            if line.entered and line.asked is None and line.silent >= PING_EVERY:
                line.asked = line.silent
                asked.append(endpoint)
        dead = [endpoint for endpoint, line in self._lines.items() if line.is_dead(self._slowness)]
        return Silent(asked, dead)

    def network_changed(self, certain: bool) -> Silent:
        """Return the same, because the network has changed, or may have."""
        entered = [endpoint for endpoint, line in self._lines.items() if line.entered]
        if certain:
            return Silent([], list(self._lines))
        for endpoint in entered:
            line = self._lines[endpoint]
            line.asked, line.wait = line.silent, SUSPECT_WAIT
        return Silent(entered, [])
