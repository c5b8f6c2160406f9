"""The meeting at a second server besides its own (protocol section 12).

In a mirrored meeting, heartbeats also go through the next server of the policy's list: each server brings
what the other one withholds. A member that departs knows the key of the place that the others had so far.
They leave it for a new one, and stay for a while to be heard by members from whom the departure is withheld.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.features.apart import Apart
from snugroom.client.session.features.mirror_reach import Reach
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.places import further_place
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.second_room import SecondRoom
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.monitor import Monitor

#: Seconds for which all stay at the place of before a departure, to be heard there.
FAREWELL: Final = 15.0
#: Seconds for which one member stays there, to hand the departure over to members that missed it (M6).
STRAGGLERS: Final = 60.0


class Mirror(Feature):
    """One membership's second connections."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self.reach = Reach()
        self._mirror: SecondRoom | None = None
        self._former: SecondRoom | None = None
        self._move_key = room.membership.move_key
        self._departure: tuple[int, bytes, float] | None = None  # slot, the move key before it, and when
        self._origins: dict[bytes, str] = {}  # of the rooms that we have seen, by incarnation
        self._apart = Apart()

    @property
    def _all(self) -> list[SecondRoom]:
        return [each for each in (self._mirror, self._former) if each is not None]

    # -- the connections -----------------------------------------------------------------------------

    def further(self, what: ev.Received | ev.Lost, now: float) -> None:
        second = next((each for each in self._all if each.endpoint == what.endpoint), None)
        if second is None:
            return
        if isinstance(what, ev.Lost):
            second.lost(now)
            return
        blob = second.received(what.message, now)
        if blob is not None:
            known = self.room.feature(Monitor).broadcast_received(blob, now)
            if known and second is self._mirror:
                self.reach.came(now)

    def tick(self, now: float) -> None:
        if self.room.needs_rejoin:
            return
        if self.room.handle and self.room.incarnation is not None:
            self._origins[self.room.incarnation] = self.room.here.origin
        if self.room.here.is_outdated and self.room.handle:
            self.room.look_elsewhere(now, self.room.here.server, self.room.here.attempt)
        elif self.room.is_synced(now):
            self._keep_mirror(now)
            self.reach.tick(self.room, self._mirror, now)
            self._keep_former(now)
            if self.room.membership.policy.servers:  # else no heartbeat comes from elsewhere
                if self._mirror is not None:
                    self.entered(self._mirror)
                self._apart.tick(self.room, self._origins, now)
        for second in self._all:
            second.tick(now)

    def adopted(self, change: Change, now: float) -> None:
        m = self.room.membership
        if m.move_key == self._move_key:
            return
        self._departure, self._move_key = (m.journal.slot, self._move_key, now), m.move_key
        if self._mirror is not None:
            self._close_former()
            self._former, self._mirror = self._mirror, None
            self._former.departs(m.journal.slot)

    def _keep_mirror(self, now: float) -> None:
        """Connect to the next server of the list, if the meeting is mirrored; leave any other."""
        m, here = self.room.membership, self.room.here
        servers = m.policy.servers if m.policy.mirrored else ()
        ours = [n for n, each in enumerate(servers, 1) if self.room.servers.leads(each.origin)]
        number = next((n for n in ours if n > here.server), ours[0] if ours else 0)
        wanted = servers[number - 1] if number else None
        if wanted is None or wanted.origin == here.origin:
            self._close_mirror()
            return
        there = None if self._mirror is None else self._mirror.here
        # under another move key there is no mirror yet: see `adopted`
        if there is None or (there.origin, there.room_admin_public) != (
            wanted.origin,
            wanted.room_admin_public,
        ):
            self._close_mirror()
            new = further_place(m, number)
            assert new is not None
            self._mirror = SecondRoom(self.room, self._free(), new, now)

    def _keep_former(self, now: float) -> None:
        """Stay where the others may look that do not know of a departure, for as long as that is our turn."""
        departure = self._departure
        if departure is None:
            return
        slot, key, at = departure
        if now - at > STRAGGLERS:
            self._departure = None
            self._close_former()
            return
        helps = not self.room.here.is_home and self._is_lowest(now)
        place = self.room.here.under(key) if helps else None
        former = None if self._former is None else self._former.here.current
        if place is not None and (former is None or former.number != place.number):
            self._close_former()
            self._former = SecondRoom(self.room, self._free(), place, now, slot)
        if self._former is not None:
            self._former.hands_over_departure = helps
            if not helps and now - at > FAREWELL:
                self._close_former()

    def _is_lowest(self, now: float) -> bool:
        m = self.room.membership
        return not any(
            leaf < m.own_leaf and self.room.heard_recently(leaf, now) for leaf, _, _ in m.members()
        )

    def _free(self) -> ev.Endpoint:
        used = {each.endpoint for each in self._all}
        return ev.SECOND if ev.SECOND not in used else ev.THIRD

    def _close_mirror(self) -> None:
        if self._mirror is not None:
            self._mirror.close()
            self._mirror = None

    def _close_former(self) -> None:
        if self._former is not None:
            self._former.close()
            self._former = None

    # -- hooks ---------------------------------------------------------------------------------------

    def carry_over(self, old: Room) -> None:
        self.reach = old.feature(Mirror).reach
        for second in old.feature(Mirror)._all:
            self.room.perform(ev.Disconnect(second.endpoint))

    def ended(self) -> None:
        self._close_mirror()
        self._close_former()

    def heartbeat_sent(self, blob: bytes) -> None:
        for second in self._all:
            if not second.hands_over_departure:
                second.broadcast(blob)

    def entered(self, second: SecondRoom) -> None:
        """Remember how heartbeats name the room of that connection, once it has entered it."""
        if second.incarnation is not None:
            self._origins[second.incarnation] = second.here.origin

    def server_of(self, incarnation: bytes) -> int | None:
        """Return where that room is: an index in the policy's list, 0 for the first; None if unknown."""
        origins = [self.room.origin, *self.room.membership.policy.origins]
        origin = self._origins.get(incarnation)
        return origins.index(origin) if origin in origins else None

    @property
    def mirrored(self) -> SecondRoom | None:
        """The connection to the mirror; None without one."""
        return self._mirror

    def next_is_ready(self) -> bool:
        return self._mirror is not None and self._mirror.is_ready
