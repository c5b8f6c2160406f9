"""Looking for a host that is not here at the meeting's other servers, beside staying (protocol section 12).

A server can cut off the host alone. The others then have more than half here, and seal nothing without it.
They stay together, and each has a further connection to one of the other servers after the other, for
heartbeats alone. The host's own heartbeats, which nobody else can sign, tell that it is there. The others
follow once it has been there for longer than it needs to come back by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.features.mirror import Mirror
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.places import further_place
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.second_room import SecondRoom
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.heartbeats import interval
from snugroom.client.session.monitor.monitor import Monitor

#: Seconds, or beat intervals, without a host here before a member looks for one.
LOOK_AFTER: Final = (6.0, 1.2)
#: The same for which it looks at one server.
LOOK_STAY: Final = (8.0, 1.6)
#: Seconds for which a host is heard elsewhere alone before a member follows. A host that hears us from there
#: looks here at once, and waits for us the next time. It does so for longer than this and a look together
#: (`place_quorum.AWAITED_WAIT`): so we are there before it goes on.
FOLLOW_WAIT: Final = 4.0


class HostSearch(Feature):
    """One membership's search for its hosts. A host itself does not take part."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._lookout: SecondRoom | None = None
        self._server = 0  # where the lookout is: an index in the policy's list, 0 where the meeting began
        self._looks_since = 0.0
        self._room: bytes | None = None  # the incarnation of ours
        self._hosted_at = 0.0  # when a host was last heard here, or we came
        self._elsewhere_since: float | None = None

    # -- the connection ------------------------------------------------------------------------------

    def further(self, what: ev.Received | ev.Lost, now: float) -> None:
        lookout = self._lookout
        if lookout is None or what.endpoint != lookout.endpoint:
            return
        if isinstance(what, ev.Lost):
            lookout.lost(now)
            return
        blob = lookout.received(what.message, now)
        self.room.feature(Mirror).entered(lookout)
        if blob is not None:
            self.room.feature(Monitor).broadcast_received(blob, now)

    def heartbeat_sent(self, blob: bytes) -> None:
        if self._lookout is not None:
            self._lookout.broadcast(blob)

    def adopted(self, change: Change, now: float) -> None:
        self._close()  # it may be another place by now

    def carry_over(self, old: Room) -> None:
        old.feature(HostSearch)._close()

    def ended(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._lookout is not None:
            self._lookout.close()
            self._lookout = None

    # -- the search ----------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        room, m = self.room, self.room.membership
        hosts = m.hosts()
        if not (hosts and m.policy.servers and room.is_synced(now)) or m.own_leaf in hosts:
            self._hosted_at, self._elsewhere_since = now, None
            self._close()
            return
        if self._is_hosted(hosts, now):
            self._close()
            return
        heard = [leaf for leaf in hosts if room.heard_recently(leaf, now, self._hosted_at)]
        if not heard:
            self._elsewhere_since = None
        elif self._elsewhere_since is None:
            self._elsewhere_since = now
        self._look(heard, now)
        if self._lookout is not None:
            self._lookout.tick(now)
        server = self._server_of(heard, now)
        if server is not None and now - (self._elsewhere_since or now) > FOLLOW_WAIT:
            self._follow(server, heard, now)

    def _is_hosted(self, hosts: tuple[int, ...], now: float) -> bool:
        """Return whether a host was heard here a moment ago, and none has been heard elsewhere since."""
        if self.room.incarnation != self._room:
            self._room, self._hosted_at = self.room.incarnation, now
        rooms = self._rooms_of(hosts)
        heard = max((at for where, at in rooms if where == self._room), default=0.0)
        self._hosted_at = max(self._hosted_at, heard)
        span = self._span(LOOK_AFTER)
        has_gone = now - heard > span and any(at > self._hosted_at for _, at in rooms)
        if has_gone or now - self._hosted_at > span:
            return False
        self._elsewhere_since = None
        return True

    def _span(self, least_and_intervals: tuple[float, float]) -> float:
        least, intervals = least_and_intervals
        return max(least, intervals * interval(len(self.room.membership.members())))

    def _look(self, heard: list[int], now: float) -> None:
        """Have the lookout at one of the other servers, at the next after a while; stay where a host is."""
        found = self._server_of(heard, now) is not None
        if found or (self._lookout is not None and now - self._looks_since < self._span(LOOK_STAY)):
            return
        room, m = self.room, self.room.membership
        mirror = room.feature(Mirror).mirrored
        origins = (room.origin, *m.policy.origins)
        skipped = {room.here.server, None if mirror is None else mirror.here.server}
        skipped |= {server for server, origin in enumerate(origins) if not room.servers.leads(origin)}
        count = len(origins)
        order = [(self._server + step) % count for step in range(1, count + 1)]
        server = next((each for each in order if each not in skipped), None)
        if server is None:
            return  # the mirror is at the only other server
        self._close()
        self._server, self._looks_since = server, now
        self._lookout = SecondRoom(room, ev.FOURTH, further_place(m, server), now, opens=False)

    def _server_of(self, heard: list[int], now: float) -> int | None:
        """Return where one of these hosts is, by a heartbeat a moment ago: an index in the policy's list."""
        rooms = [where for where, at in self._rooms_of(heard) if now - at <= self._span(LOOK_AFTER)]
        for second in (self._lookout, self.room.feature(Mirror).mirrored):
            if second is not None and second.incarnation in rooms:
                return second.here.server
        return None

    def _rooms_of(self, hosts: Iterable[int]) -> list[tuple[bytes, float]]:
        """Return the rooms that these hosts' last heartbeats name, and when these came."""
        monitor = self.room.feature(Monitor)
        return [last for leaf in hosts if (last := monitor.last_room(leaf)) is not None]

    def _follow(self, server: int, heard: list[int], now: float) -> None:
        room, m = self.room, self.room.membership
        origin = (room.origin, *m.policy.origins)[server]
        who = [m.name(leaf) for leaf in heard]
        self._elsewhere_since = None
        self._close()
        room.tell(sentences.status("following", who=who, origin=origin))
        room.look_elsewhere(now, server, together=False)
