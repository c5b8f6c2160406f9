"""At a further server, a member commits and stays only with more than half of all (protocol section 12).

Heartbeats name the incarnation of the room that their author is in. A server that plays a second room to some
members can therefore not count those of the first.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.monitor import Monitor

#: Seconds for which a member hears no more than half before it looks elsewhere.
MINORITY_WAIT: Final = 8.0


class PlaceQuorum(Feature):
    """Counts the members at our place."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._incarnation: bytes | None = None
        self._met = False  # more than half have been heard since we came here
        self._without_since: float | None = None

    def synced(self, now: float) -> None:
        if self._incarnation != self.room.incarnation:
            self._incarnation, self._met = self.room.incarnation, False

    def holds_commits(self, now: float) -> bool:
        return not self.room.here.is_home and not self._met

    def tick(self, now: float) -> None:
        room = self.room
        if room.here.is_home or not room.is_synced(now):
            self._without_since = None
            return
        heard = 1 + len(room.feature(Monitor).at_incarnation(room.incarnation))
        if 2 * heard > len(room.membership.members()):
            self._met, self._without_since = True, None
        elif self._without_since is None:
            self._without_since = now
        elif now - self._without_since > MINORITY_WAIT:
            self._without_since = None
            room.look_elsewhere(now)
