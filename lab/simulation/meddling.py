"""Servers whose operators swallow chosen messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from snugroom.lab.simulation.servers import Servers
from snugroom.lab.simulation.world import Link
from snugroom.wire import messages as wire
from snugroom.wire.messages import decode_client

Way = Literal["up", "down"]


@dataclass(frozen=True)
class Swallow:
    """Messages that the operator of a server keeps back: of these types, on one participant's connections.

    `author`: of heartbeats to the participant, only those that this one has sent. `origin`: at that server
    alone; empty: at all.
    """

    label: str
    way: Way
    kinds: tuple[type[wire.Message], ...]
    author: str = ""
    origin: str = ""


class Meddled(Servers):
    """A world in which operators swallow messages. It ticks less often than real shells, to save time."""

    TICK = 0.25
    SERVER_TICK = 0.1

    def __init__(self, seed: int) -> None:
        #: All that is swallowed now.
        self.swallows: list[Swallow] = []
        #: When each participant last sent a heartbeat to a server, by label.
        self.beat_at: dict[str, float] = {}
        self._author = ""
        super().__init__(seed)
        self.link_filter = lambda link, message: not self._swallowed(link, "down", message)

    def reaches(self, label: str, origins: Sequence[str]) -> bool:
        """Return whether one of these servers runs, and a path leads there for this participant."""
        closed = self.down | self.holes | self.dropping
        return any(o not in closed and (label, o) not in self.unreachable for o in origins)

    def _swallowed(self, link: Link, way: Way, message: object) -> bool:
        return any(
            rule.label == link.who.label
            and rule.way == way
            and isinstance(message, rule.kinds)
            and rule.author in ("", self._author)
            and (not rule.origin or link.hub is self.hubs[rule.origin])
            for rule in self.swallows
        )

    def _ascend(self, link: Link, frame: bytes) -> None:
        message = decode_client(frame)
        if self._swallowed(link, "up", message):
            return
        if isinstance(message, wire.Broadcast):
            self.beat_at[link.who.label] = self.now
        super()._ascend(link, frame)

    def _arrive(self, link: Link, frame: bytes) -> None:
        self._author = link.who.label
        super()._arrive(link, frame)
        self._author = ""
