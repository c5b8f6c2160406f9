"""When to look for the room at another server of the policy's list (protocol section 12)."""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.places import Places
from snugroom.client.session.kernel.ports import Room
from snugroom.server.wire.limits import OPEN_WAIT

#: Seconds without the room before a member tries another server.
MOVE_AFTER: Final = 1.5
#: The same if the room at the next server is open for us: our network works, and the server does.
READY_MOVE_AFTER: Final = 0.5
#: Seconds for which a member waits to come into step at one server, before it tries the next.
PLACE_WAIT: Final = 3.0
#: The same where the meeting began, if that server has let us in: our own network may be slow.
HOME_WAIT: Final = 10.0
#: The same where nobody has opened the room yet: without a host, members can open it after `OPEN_WAIT`.
UNOPENED_WAIT: Final = OPEN_WAIT + 4.0
#: The same for a connection to the first server again, once another one has let us in: our network works.
CHECK_WAIT: Final = 1.0
#: Seconds at one server, however its slot changes, without coming into step.
SERVER_MAX: Final = 25.0
#: Seconds for which a member tries one server after the other without longer pauses.
SEARCH_TIME: Final = 15.0


class Moving:
    """One membership's search. It knows no server's word: only whether we are in step, and since when."""

    def __init__(self, room: Room, places: Places, now: float) -> None:
        self._room = room
        self._places = places
        self._origin = room.here.origin
        self._without_since: float | None = now
        self._began_at = self._moved_at = now
        self._slot: int | None = None
        self._called: int | None = None  # the server of the list to go to next
        #: Whether the first server was tried again after another one had let us in, and whether it just is.
        self._checked = False
        self._checks = False
        self._looks = False  # for the others: they are not here
        self._away = False
        self._told = False  # whether a person was told that we are away

    def tick(self, now: float, inside: bool, entered: bool, slot: int | None) -> bool:
        """Let time pass. Return whether this connection is to be given up for another server's.

        `entered`: this server has let us in; `inside`: and we are in step; `slot`: its open room's.
        """
        if slot != self._slot:
            self._slot, self._moved_at = slot, now  # others hand over what happened
        if inside:
            self.came_back()
        if inside or self._room.needs_rejoin:
            self._without_since, self._checked, self._looks = None, False, False
            return False
        if self._without_since is None:
            self._without_since = now
        if not self._is_due(now):
            return False
        if entered and slot is None and not self._places.is_home and self._goes_on_from_an_empty_server():
            return True
        wait = HOME_WAIT if entered and self._places.is_home else PLACE_WAIT
        if entered and slot is None:
            wait = UNOPENED_WAIT
        elif self._checks and not entered:
            wait = CHECK_WAIT
        waited = now - max(self._began_at, self._moved_at)
        slow = self._room.options.slowness
        return waited > wait * slow or now - self._began_at > SERVER_MAX * slow

    def _goes_on_from_an_empty_server(self) -> bool:
        """Return whether to leave a further server where nobody has opened the room.

        Perhaps our own network was away, and the others are where they were: so we look there once more
        before we open the room here.
        """
        if not self._looks and not self._checked:
            self._checked, self._called = True, 0
            return True
        return self._looks

    def soon(self, failures: int, now: float) -> int:
        """Return the failures that count for the pause before the next connection: few while we search."""
        searches = self._without_since is not None and now - self._without_since < SEARCH_TIME
        return 0 if searches and self._room.membership.policy.servers else failures

    def connecting(self, now: float) -> None:
        """Choose the server for the next connection."""
        self._checks = self._checked and self._called == 0
        if self._called is not None:
            self._places.go(self._called)
        elif self._is_due(now):
            self._places.next()
        self._looks &= not self._places.is_home
        self._began_at, self._called = now, None

    def unanswered(self, now: float) -> None:
        """The server has not answered us for some seconds: the next connection goes to another one."""
        self._without_since = now - MOVE_AFTER * self._room.options.slowness

    def leave(self, now: float, server: int | None) -> None:
        """Go on at that server of the list, or at the next, with the next connection: we are in step here."""
        self._without_since, self._called = now - MOVE_AFTER * self._room.options.slowness, server
        self._looks, self._checked = server is None, server is not None
        self._told |= server is None  # else a host has said so, or nobody notices

    def went_away(self, *, silently: bool) -> bool:
        """Note that the connection is lost; return whether to tell that: it was there before."""
        tells = not self._away and not silently
        self._away, self._told = True, self._told or tells
        return tells

    def came_back(self) -> None:
        """Tell that a server has let us in again: a further one only once we are in step there."""
        if not self._away:
            return
        told, self._away, self._told = self._told, False, False
        moved, self._origin = self._room.here.origin != self._origin, self._room.here.origin
        if moved:
            self._room.tell(sentences.status("back.moved", origin=self._origin))
        elif told:
            self._room.tell(sentences.status("back"))

    def _is_due(self, now: float) -> bool:
        servers = self._room.membership.policy.servers
        if self._without_since is None or (not servers and self._room.here.is_home):
            return False
        after = READY_MOVE_AFTER if self._room.next_is_ready else MOVE_AFTER
        return now - self._without_since >= after * self._room.options.slowness
