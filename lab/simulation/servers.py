"""A world with further servers, to which its meeting can move."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import ORIGIN, Participant, World
from snugroom.server.rooms.effects import Drop, Send
from snugroom.server.rooms.hub import Hub

#: Seconds after which a client gives up a connection that is not made, as both clients do.
CONNECT_TIME = 5.0
OTHERS = ("http://127.0.0.1:8081", "http://127.0.0.1:8082")


class Servers(World):
    """The first server is `ORIGIN`. `down` has the origins of those that nobody reaches."""

    def __init__(self, seed: int = 1, **more: object) -> None:
        self.hubs: dict[str, Hub] = {}
        self.down: set[str] = set()
        #: Copies of servers that show their room to some members alone.
        self.copies: list[Hub] = []
        #: (participant, origin) -> the copy to which its next connections go.
        self.shown: dict[tuple[str, str], Hub] = {}
        #: Servers that let nobody into the room that they had, and others in.
        self.dropping: set[str] = set()
        #: Servers that answer nothing and close nothing.
        self.holes: set[str] = set()
        #: (participant, origin): paths that lead nowhere.
        self.unreachable: set[tuple[str, str]] = set()
        #: (participant, origin) of each connection to a room, tried or made.
        self.tried: list[tuple[str, str]] = []
        #: (participant, time, origin) of each connection to a lobby.
        self._visits: list[tuple[str, float, str]] = []
        super().__init__(seed, **more)  # type: ignore[arg-type]  # those of World
        self.hubs = {ORIGIN: self.hub} | {origin: self.new_hub(origin=origin) for origin in OTHERS}

    def is_up(self, hub: Hub) -> bool:
        return all(hub is not self.hubs.get(origin) for origin in self.down | self.holes)

    def _server_tick(self) -> None:
        off = self.down | self.holes
        for hub in (*(self.hubs[origin] for origin in self.hubs if origin not in off), *self.copies):
            self._of(hub, hub.tick(self.now))

    def _connect(self, who: Participant, endpoint: ev.Endpoint) -> None:
        if not who.alive or endpoint in who.links:
            return
        origin = who.origins.get(endpoint) or ORIGIN
        if endpoint.day is not None:
            self._visits.append((who.label, self.now, origin))
        if endpoint == ev.ROOM:
            self.tried.append((who.label, origin))
        if origin in self.holes:
            self._after(CONNECT_TIME, lambda: self._feed(who, ev.Lost(endpoint, "no answer")))
            return
        if endpoint == ev.ROOM and origin in self.dropping:
            self._feed(who, ev.Lost(endpoint, "dropped", answered=True, by_server=True))
            return
        if origin in self.down or (who.label, origin) in self.unreachable:
            self._feed(who, ev.Lost(endpoint, "refused"))
            return
        there = self.shown.get((who.label, origin)) if endpoint == ev.ROOM else None
        self._join(who, endpoint, there or self.hubs[origin])

    def fails(self, origin: str) -> None:
        """A server is gone: all connections to it break, and nobody reaches it any more."""
        self.down.add(origin)
        for link in list(self.handles.values()):
            if link.hub is self.hubs[origin]:
                self.cut(link)

    def restart(self, origin: str) -> None:
        """A server comes back as another process, which knows no room."""
        self.hubs[origin] = self.new_hub(origin=origin)
        self.down.discard(origin)

    def drops(self, origin: str) -> None:
        """A server ends a meeting, and goes on serving others."""
        self.dropping.add(origin)
        for link in list(self.handles.values()):
            if link.hub is self.hubs[origin] and link.endpoint == ev.ROOM:
                self.cut(link)

    def split(self, origin: str, beyond: Sequence[Participant]) -> None:
        """A server continues a room as two: those beyond are in a copy from now on."""
        hub, other = self.hubs[origin], copy.deepcopy(self.hubs[origin])
        self.copies.append(other)
        for link in self.handles.values():
            if link.hub is hub and link.endpoint == ev.ROOM and link.who in beyond:
                link.hub = other

    def _of(self, hub: Hub, effects: Sequence[object]) -> None:
        """A copy has the connections of the original as well, and serves its own alone."""
        mine = [
            each
            for each in effects
            if not isinstance(each, Send | Drop)
            or ((link := self.handles.get(each.handle)) is not None and link.hub is hub)
        ]
        super()._of(hub, mine)

    def lobby_visits(self, who: Participant) -> list[tuple[str, float]]:
        """The servers in whose lobbies somebody was, in order, and for how many seconds."""
        own = [(at, origin) for label, at, origin in self._visits if label == who.label]
        ends = [at for at, _ in own[1:]] + [self.now]
        return [(origin, end - at) for (at, origin), end in zip(own, ends, strict=True)]

    def at(self, origin: str, *endpoints: ev.Endpoint) -> set[str]:
        """The labels of all that are connected to a room at that server, for the meeting or for these."""
        hub, wanted = self.hubs[origin], endpoints or (ev.ROOM,)
        return {
            link.who.label
            for link in self.handles.values()
            if link.hub is hub and link.endpoint in wanted and link.up
        }


def listed(w: Servers, host: Participant, *origins: str) -> None:
    """Have a host name further servers, and members tell each other their keys for places of their own."""
    w.do(host, ev.NameServers(origins))

    def known() -> bool:
        people = [p for p in w.people if p.ended is None]
        return all(list(p.room.membership.policy.origins) == [*origins] for p in people) and all(
            p.room.announcements.opener(leaf, len(origins)) is not None
            for p in people
            for leaf, _, _ in p.room.membership.members()
            if origins and leaf != p.session.own_leaf
        )

    w.until(known)
