"""When to look for the room at another server of the policy's list (protocol section 12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.places import Places
from snugroom.client.session.kernel.ports import Room
from snugroom.wire.limits import OPEN_WAIT

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
#: The same at a further server if no host was there, and members have places of their own.
UNOPENED_MEMBERS_WAIT: Final = 0.5
#: Seconds for which members look at each other's places; then they don't for as long, and so on by turns.
MEMBERS_TIME: Final = 30.0
#: The members whose places are tried at one server.
OPENERS_MAX: Final = 5
#: Seconds for which a member waits at a further server for a host that was with it to open the room there.
HOST_WAIT: Final = 0.75
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
        self._called: tuple[int, int] | None = None  # the server of the list, and attempt, to go to next
        #: The members, but hosts, at whose places we look; and whether a host was with us.
        self._openers: list[int] | None = None
        self._noted_at = now
        self._hosted = False
        self._reached = False  # whether the further server has let us in
        #: Whether the first server was tried again after another one had let us in, and whether it just is.
        self._checked = False
        self._checks = False
        self._looks = False  # for the others: they are not here
        self._away = False
        self._told = False  # whether a person was told that we are away
        self._promised = False  # a person was told that the meeting goes on at another server

    def tick(self, now: float, inside: bool, entered: bool, slot: int | None) -> bool:
        """Let time pass. Return whether this connection is to be given up for another server's.

        `entered`: this server has let us in; `inside`: and we are in step; `slot`: its open room's.
        """
        if slot != self._slot:
            self._slot, self._moved_at = slot, now  # others hand over what happened
        self._reached |= entered and not self._places.is_home
        if inside:
            self.came_back(in_step=True)
        if inside or self._room.needs_rejoin:
            self._without_since, self._openers, self._checked, self._looks = None, None, False, False
            return False
        self._without_since = now if self._without_since is None else self._without_since
        if self._openers is None:
            self._note_openers(now, own=True)
        if not self._is_due(now):
            return False
        if entered and slot is None and not self._places.is_home and self._goes_on_from_an_empty_server(now):
            return True
        waited = now - max(self._began_at, self._moved_at)
        slow = self._room.options.slowness
        return waited > self._wait(now, entered, slot) * slow or now - self._began_at > SERVER_MAX * slow

    def _wait(self, now: float, entered: bool, slot: int | None) -> float:
        """Return the seconds for which we wait at this place to come into step."""
        home = self._places.is_home
        if entered and slot is None and not self._places.attempt:
            if home or not self._leaves(now):
                return UNOPENED_WAIT
            if not self._hosted:
                return UNOPENED_MEMBERS_WAIT
        if self._checks and not entered:
            return CHECK_WAIT
        return HOME_WAIT if entered and home else PLACE_WAIT

    def _note_openers(self, now: float, *, own: bool) -> None:
        """Note at whose places to look: of all, in one order, whomever each of us has heard.

        `own`: at ours too; not if we look for others while we are in step.
        """
        room, m = self._room, self._room.membership
        hosts = [leaf for leaf, _, host in m.members() if host]
        self._hosted = any(leaf == m.own_leaf or room.heard_recently(leaf, now) for leaf in hosts)
        if self._openers is None:
            self._noted_at = now
        guests = (leaf for leaf, _, host in m.members() if not host)
        self._openers = [leaf for leaf in guests if own or leaf != m.own_leaf][:OPENERS_MAX]

    def _leaves(self, now: float) -> Sequence[int]:
        """Return the members at whose places we look now."""
        return (self._openers or ()) if (now - self._noted_at) % (2 * MEMBERS_TIME) < MEMBERS_TIME else ()

    def _goes_on_from_an_empty_server(self, now: float) -> bool:
        """Return whether to leave a place where nobody has opened the room.

        Perhaps our own network was away, and the others are where they were: so we look there once more
        before we open the room here. A host that was with us may be on its way: so it has a moment to come.
        """
        if self._looks or self._checked:
            return self._looks
        if self._hosted and now - self._began_at < HOST_WAIT * self._room.options.slowness:
            return False
        self._checked, self._called = True, (0, 0)
        return True

    def soon(self, failures: int, now: float) -> int:
        """Return the failures that count for the pause before the next connection: few while we search."""
        searches = self._without_since is not None and now - self._without_since < SEARCH_TIME
        return 0 if searches and self._places.leads_elsewhere else failures

    def connecting(self, now: float) -> None:
        """Choose the server for the next connection."""
        self._checks = self._checked and self._called == (0, 0)
        if self._called is not None:
            server, attempt = self._called
            if not self._places.go(server, attempt):
                self._places.go(server)
        elif self._is_due(now):
            self._places.next(self._leaves(now) if self._reached else ())
        self._looks &= not self._places.is_home
        self._began_at, self._called, self._reached = now, None, False

    def unanswered(self, now: float) -> None:
        """The server has not answered us for some seconds: the next connection goes to another one."""
        if self._openers is None:
            self._note_openers(now, own=True)
        self._without_since = now - MOVE_AFTER * self._room.options.slowness

    def leave(self, now: float, called: tuple[int, int] | None, *, together: bool = False) -> None:
        """Go on at another place, with the next connection: we are in step here.

        `called`: a server of the list, and an attempt there; None: the next. `together`: all go there.
        """
        self._promised = together and called is not None and called[0] != self._places.server
        self._note_openers(now, own=called is not None)
        self._without_since, self._called = now - MOVE_AFTER * self._room.options.slowness, called
        self._looks, self._checked = called is None, called is not None
        self._told |= called is None  # else a host has said so, or nobody notices

    def went_away(self, *, silently: bool) -> bool:
        """Note that the connection is lost; return whether to tell that: it was there before."""
        tells = not self._away and not silently
        self._away, self._told = True, self._told or tells
        return tells

    def came_back(self, *, in_step: bool = False) -> None:
        """Tell that a server has let us in again: a further one only once we are in step there.

        The same holds for the old one after a move that a host has called: the search may go on.
        """
        if not self._away or (self._promised and not in_step):
            return
        told, self._away, self._told = self._told, False, False
        promised, self._promised = self._promised, False
        moved, self._origin = self._room.here.origin != self._origin, self._room.here.origin
        if moved:
            self._room.tell(sentences.status("back.moved", origin=self._origin))
        elif promised:
            self._room.tell(sentences.status("back.stayed", origin=self._origin))
        elif told:
            self._room.tell(sentences.status("back"))

    def _is_due(self, now: float) -> bool:
        if self._without_since is None or (self._room.here.is_home and not self._places.leads_elsewhere):
            return False
        after = READY_MOVE_AFTER if self._room.next_is_ready else MOVE_AFTER
        return now - self._without_since >= after * self._room.options.slowness
