"""Whether the members are here too, or go on at another server (protocol section 12).

At a further server, a member commits and stays only with more than half of all. Where the meeting began, a
member looks elsewhere that is alone, or hears no more than half and sends nothing for want of the others:
they may have gone on while it slept. So does a host that hears them, and that they do not hear: they look for
it there (`host_search`). A member hears the host that acknowledges the host's heartbeats. Coming here proves
nothing, and neither does a rejoin: a server that delivers heartbeats to the host alone has members do both.

Heartbeats name the incarnation of the room that their author is in. A server that plays a second room to some
members can therefore not count those of the first.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.features.mirror import Mirror
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.intents import (
    HealIntent,
    HostReturnIntent,
    RejoinIntent,
    SelfRemoveIntent,
)
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.freshness import ECHO
from snugroom.client.session.monitor.heartbeats import interval
from snugroom.client.session.monitor.monitor import Monitor

#: Seconds for which a member hears no more than half before it looks elsewhere.
MINORITY_WAIT: Final = 8.0
#: The same at most where the meeting began: twice as long each time.
ALONE_MAX: Final = 120.0
#: The same for a host that hears more than half from elsewhere, because they look for it (`host_search`): it
#: goes to them soon. If it did not get in there, or does not know where they are, it waits until they come.
CALLED_WAIT: Final = 1.0
AWAITED_WAIT: Final = 20.0
#: Seconds between two counts.
COUNT_EVERY: Final = 1.0


class PlaceQuorum(Feature):
    """Counts the members at our place."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._incarnation: bytes | None = None
        self._came_at = 0.0
        #: By signature key, when we sent the newest heartbeat that the member acknowledges; until there is
        #: one, since when we count the member here.
        self._answered: dict[bytes, float] = {}
        self._met = False  # more than half have been heard since we came here
        self._searched = False  # for the others, elsewhere, since then
        self._without_since: float | None = None
        self._alone_wait = MINORITY_WAIT
        self._called_at: float | None = None  # when they were first heard from elsewhere, since then
        self._went_to_them = False  # as a host that hears them from elsewhere
        self._counted_at = 0.0

    def synced(self, now: float) -> None:
        if self._incarnation != self.room.incarnation:
            self._incarnation, self._met, self._came_at = self.room.incarnation, False, now
            self._answered = {}

    def holds_commits(self, now: float) -> bool:
        room = self.room
        if room.here.is_home:
            return self._holds_at_home(now)
        if not self._met or room.here.is_outdated:
            return True  # a newcomer cannot know the gate of a place that was left
        # Others shall come into our history only while more than half stand in it (docs/model/places.pml).
        rejoins = any(isinstance(each, RejoinIntent | HostReturnIntent) for each in room.waiting_intents)
        return rejoins and 2 * self._heard(now) <= len(room.membership.members())

    def _holds_at_home(self, now: float) -> bool:
        """Return whether too few are here for our changes: they can wait, or we are a host that just came.

        The others may be elsewhere, and make changes there: then we would be alone with ours.
        """
        room, m = self.room, self.room.membership
        heard = self._heard(now)
        if not m.policy.servers or 2 * heard > len(m.members()):
            return False
        is_host = m.is_host(m.own_leaf)
        if is_host and heard == 1 and not self._searched:
            return True
        kinds = HealIntent if is_host else HealIntent | SelfRemoveIntent
        return all(isinstance(each, kinds) for each in room.waiting_intents)

    def _heard(self, now: float) -> int:
        """Return how many members have said in our epoch that they are here, with ourselves."""
        return 1 + len(self._here(now))

    def _here(self, now: float) -> list[int]:
        """Return the others that have said here, since we came, that they are here.

        At another server we hear the lookouts of members that stayed here.
        """
        monitor = self.room.feature(Monitor)
        here = monitor.at_incarnation(self.room.incarnation, now)
        return [leaf for leaf in here if self.room.heard_recently(leaf, now, self._came_at)]

    def tick(self, now: float) -> None:
        room = self.room
        home = room.here.is_home
        if not room.is_synced(now) or not room.here.leads_elsewhere:
            self._without_since = None
            return
        if now - self._counted_at < COUNT_EVERY:
            return
        self._counted_at = now
        heard, members = self._heard(now), len(room.membership.members())
        is_mute = self._is_mute(now)
        if 2 * heard > members and not is_mute:
            self._met, self._searched = True, False
            self._without_since, self._alone_wait = None, MINORITY_WAIT
            self._went_to_them = False
        elif home and heard > 1 and not is_mute and room.hold_reason(now) is None:
            self._without_since = None  # we speak, whoever is missing
        elif self._without_since is None:
            self._without_since, self._called_at = now, None
        elif self._has_waited(now, self._without_since):
            called_to = None if self._went_to_them else self._called_to(now)
            self._went_to_them |= called_to is not None or is_mute  # they hear us where we go, and follow
            self._without_since = None
            if home:
                self._searched = True
                self._alone_wait = min(2 * self._alone_wait, ALONE_MAX)
            if not is_mute:
                room.tell(sentences.status("looking", count=heard, of=members))
            room.look_elsewhere(now, called_to, together=False)

    def _is_mute(self, now: float) -> bool:
        """Return whether we are a host that hears more than half, and that no more than half acknowledge."""
        m, monitor = self.room.membership, self.room.feature(Monitor)
        if not m.is_host(m.own_leaf):
            return False
        keys = {leaf: m.signature_key(leaf) or b"" for leaf, _, _ in m.members()}
        self._answered = {
            key: max(self._answered.get(key, now), monitor.acknowledged_at(leaf))
            for leaf, key in keys.items()
        }
        span = max(ECHO[0], ECHO[1] * interval(len(keys)))
        here = self._here(now)
        hear_us = [leaf for leaf in here if now - self._answered[keys[leaf]] <= span]
        return 2 * (1 + len(hear_us)) <= len(keys) < 2 * (1 + len(here))

    def _has_waited(self, now: float, since: float) -> bool:
        """Return whether we have waited here for the others for long enough, without them `since` then."""
        usual = self._alone_wait if self.room.here.is_home else MINORITY_WAIT
        if not self._is_called(now):
            self._called_at = None
            return now - since > usual
        if self._called_at is None:
            self._called_at = now
        if self._went_to_them:
            return now - since > AWAITED_WAIT
        if self._called_to(now) is None:
            return now - self._called_at > AWAITED_WAIT
        # By a mirror, a host hears them at once, and they may be on their way.
        return now - since > (usual if self.room.membership.policy.mirrored else CALLED_WAIT)

    def _is_called(self, now: float) -> bool:
        """Return whether we are a host, and hear more than half from elsewhere since we are alone here."""
        return 2 * (1 + len(self._heard_elsewhere(now))) > len(self.room.membership.members())

    def _called_to(self, now: float) -> int | None:
        """Return the server where most of them are; None if we are not called, or don't know it."""
        if not self._is_called(now):
            return None
        rooms = Counter(self.room.feature(Mirror).server_of(each) for each in self._heard_elsewhere(now))
        return max(rooms, key=lambda server: (rooms[server], server is not None))

    def _heard_elsewhere(self, now: float) -> list[bytes]:
        """Return the rooms that members name whom we hear as a host that is alone here."""
        m, since = self.room.membership, self._without_since
        if since is None or not m.is_host(m.own_leaf):
            return []
        known = self.room.feature(Monitor).incarnations
        return [where for leaf, (where, at) in known.items() if at > since and where != self.room.incarnation]
