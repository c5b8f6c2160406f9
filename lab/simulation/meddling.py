"""Servers whose operators swallow chosen messages, and the time at which each person was told each thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from snugroom.client.session import events as ev
from snugroom.lab.simulation.servers import Servers
from snugroom.lab.simulation.world import Link, Participant
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
        #: When each person was told each event, by label.
        self.told_at: dict[str, list[float]] = {}
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
        link.last_up = max(link.last_up, self.now + self.random.uniform(0, self.latency))

        def arrive() -> None:
            if self.is_up(link.hub) and link.handle in self.handles:
                self._author = link.who.label
                self._of(link.hub, link.hub.handle(link.handle, decode_client(frame), self.now))
                self._author = ""

        self._at(link.last_up, arrive)

    def _perform(self, who: Participant, effects: Sequence[ev.Effect]) -> None:
        super()._perform(who, effects)
        times = self.told_at.setdefault(who.label, [])
        times += [self.now] * (len(who.told) - len(times))
