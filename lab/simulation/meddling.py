"""Servers whose operators swallow or delay messages, and networks that lose packets in one direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from snugroom.client.session import events as ev
from snugroom.lab.simulation.servers import CONNECT_TIME, Servers
from snugroom.lab.simulation.world import ORIGIN, Link, Participant
from snugroom.wire import messages as wire
from snugroom.wire.messages import decode_client, encode

Way = Literal["up", "down"]
#: Seconds after the first SYN at which a lost one is sent again.
_SYN_AGAIN: Final = (1.0, 3.0)


@dataclass(frozen=True)
class Swallow:
    """Messages that the operator of a server keeps back: of these types, on one participant's connections.

    `author`: of heartbeats to the participant, only those that this one has sent. `origin`: at that server
    alone; empty: at all. `late`: seconds after which those to the participant go on; 0: never.
    """

    label: str
    way: Way
    kinds: tuple[type[wire.Message], ...]
    author: str = ""
    origin: str = ""
    late: float = 0.0


class Meddled(Servers):
    """A world in which operators swallow messages. It ticks less often than real shells, to save time."""

    TICK = 0.25
    SERVER_TICK = 0.1

    def __init__(self, seed: int) -> None:
        #: All that is swallowed now.
        self.swallows: list[Swallow] = []
        #: Until when no packet passes between a participant and a server, in one direction.
        self.stalled: dict[tuple[str, str, Way], float] = {}
        #: When each participant last sent a heartbeat to a server, by label.
        self.beat_at: dict[str, float] = {}
        self._author = ""
        super().__init__(seed)
        self.link_filter = self._passes

    def reached(self, label: str, origins: Sequence[str]) -> list[str]:
        """Return those of these servers that run, and to which a path leads for this participant."""
        closed = self.down | self.holes | self.dropping
        open_ones = [o for o in origins if o not in closed and (label, o) not in self.unreachable]
        return [origin for origin in open_ones if not self._stalls_for(label, origin)]

    def stall(self, label: str, origin: str, way: Way, seconds: float) -> None:
        """Packets are lost in one direction for so long: what was sent meanwhile comes after it, in order.

        A new connection is made when a SYN is sent again after it, or not at all.
        """
        until = self.now + seconds
        self.stalled[label, origin, way] = max(until, self.stalled.get((label, origin, way), 0.0))
        for link in self.handles.values():
            if link.who.label == label and link.hub is self.hubs[origin]:
                if way == "up":
                    link.last_up = max(link.last_up, until)
                else:
                    link.last_down = max(link.last_down, until)

    def _stalls_for(self, label: str, origin: str) -> float:
        """Return for how long packets are still lost on the way to that server, or back."""
        ways: tuple[Way, ...] = ("up", "down")
        return max(0.0, *(self.stalled.get((label, origin, way), 0.0) - self.now for way in ways))

    def _connect(self, who: Participant, endpoint: ev.Endpoint) -> None:
        seconds = self._stalls_for(who.label, who.origins.get(endpoint) or ORIGIN)
        if not seconds:
            super()._connect(who, endpoint)
            return
        number = who.tries[endpoint]
        again = next((at for at in _SYN_AGAIN if at >= seconds), None)
        if again is not None:
            self._after(again, partial(self._tried, who, endpoint, number))
        else:
            self._after(CONNECT_TIME, partial(self._gives_up, who, endpoint, number))

    def _gives_up(self, who: Participant, endpoint: ev.Endpoint, number: int) -> None:
        if who.alive and who.tries[endpoint] == number:
            self._feed(who, ev.Lost(endpoint, "no answer"))

    def _passes(self, link: Link, message: object) -> bool:
        """Return whether a message to a participant goes on now; one that is late does so later."""
        late = [rule.late for rule in self._rules(link, "down", message)]
        if late and all(late):
            assert isinstance(message, wire.Message)
            self._after(max(late), partial(self._deliver, link, encode(message)))
        return not late

    def _rules(self, link: Link, way: Way, message: object) -> list[Swallow]:
        return [
            rule
            for rule in self.swallows
            if rule.label == link.who.label
            and rule.way == way
            and isinstance(message, rule.kinds)
            and rule.author in ("", self._author)
            and (not rule.origin or link.hub is self.hubs[rule.origin])
        ]

    def _ascend(self, link: Link, frame: bytes) -> None:
        message = decode_client(frame)
        if self._rules(link, "up", message):
            return
        if isinstance(message, wire.Broadcast):
            self.beat_at[link.who.label] = self.now
        super()._ascend(link, frame)

    def _arrive(self, link: Link, frame: bytes) -> None:
        self._author = link.who.label
        super()._arrive(link, frame)
        self._author = ""
