"""In step with the server's room: one connection after another, and the slot there compared with our own.

Protocol sections 3, 5 and 6. One method, `step`, compares the slot of the server's room with our own
history and takes the next step:

==========================  =================================================================
the room is not open        open it at the oldest slot that we can replay from
the room is ahead of us     show our pass, catch up
the room is behind us       show that slot's pass, hand over the blob that followed
no pass of ours fits        open it again, as soon as the server permits it; a host commits
we are in sync              show our pass; then `RoomSession` announces, commits and sends
==========================  =================================================================

A lost socket, a restarted server and a straggler are therefore one case: being at another slot.

Opening (`opening.open_room`) needs no host: a member passes on the last signature of the room admin that it
has (G1). Where that does not help, the server accepts any opening once nobody has been inside for
`OPEN_WAIT` seconds (G5).
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel import backoff
from snugroom.client.session.kernel.denials import Denials
from snugroom.client.session.kernel.door import Door
from snugroom.client.session.kernel.moving import Moving
from snugroom.client.session.kernel.opening import open_room, opening_to_pass_on, room_admin, signed_entry
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.relays import Relays
from snugroom.client.session.kernel.room_connection import RoomConnection
from snugroom.wire import messages as wire
from snugroom.wire.limits import OPEN_WAIT

#: Seconds until a catch-up that exceeded the server's rate limit is requested again.
CATCH_UP_RETRY: Final = 1.5
#: Seconds without an acknowledgement of our pass before we connect anew.
SHOW_WAIT: Final = 8.0
#: Seconds for which the slot of a restarted server's room must rest before anything new is sent there: while
#: members hand over blobs, the room passes through old slots and has not reached its members' slot.
SETTLE: Final = 0.8
#: Seconds for which members leave it to hosts to open the room, and to others to hand over blobs to it.
MEMBER_WAIT: Final = 1.0
HAND_OVER_WAIT: Final = 3.0
#: Seconds between two tries to open the room without a signature of the room admin.
OPEN_RETRY: Final = 3.0
#: Seconds until a blob is handed over again that the server has not taken.
HAND_OVER_RETRY: Final = 2.0
#: Seconds until our passes, all refused, are shown again at a slot beyond ours.
SHOW_RETRY: Final = 8.0
#: Seconds outside before a person is told, and until we ask to be let in again in the lobby.
OUTSIDE_TELL: Final = 5.0
OUTSIDE_WAIT: Final = 45.0


class Sync:
    """One membership's place in the server's room."""

    def __init__(self, room: Room, moving: Moving, now: float) -> None:
        self._room = room
        self._moving = moving
        self.door = Door(room, room.here, founds=room.membership.journal.slot == 0)
        self._server_key: bytes | None = None
        #: The open connection, None without one.
        self.connection: RoomConnection | None = None
        #: The server's current slot; None while it is unknown.
        self.slot: int | None = None
        #: The incarnation of the server's process, 8 bytes; None before we first entered.
        self.incarnation: bytes | None = None
        #: The slot whose commit we alone cannot read; None without one.
        self.stuck_at: int | None = None
        #: Whether the server's room was opened at a slot that we have, with another history.
        self.astray = False
        #: Whether a host's card shows that the others are elsewhere, and we have heard nobody since.
        self.elsewhere = False
        #: Since when no pass of ours fits, or the room is not open; None while one does.
        self._outside_since: float | None = None
        self._told_outside = False
        #: Since when we hear nobody in rooms that were new when we entered them; None: not so. The others may
        #: be in another one, under keys unknown to us.
        self.new_room_since: float | None = None
        self.relays = Relays()
        self._denials = Denials()
        self._settling = False
        self._moved_at = now
        #: Whether the server claims a slot that it does not hand over: we ask the members to let us in again.
        #: The membership stays, and goes on if the server yields (decision 43).
        self.seeks_readmission = False
        self._reconnect_at: float | None = None
        self._failures = 0
        self._waiting_since: float | None = None  # since when our pass waits for its acknowledgement

    # -- queries -----------------------------------------------------------------------------------

    @property
    def is_entered(self) -> bool:
        """Whether the server has let us into the room on this connection."""
        return self.connection is not None and self.connection.entered

    @property
    def catching_up(self) -> bool:
        """Whether incoming messages may be old, because we are catching up."""
        return self.connection is not None and self.connection.catching_up

    def is_synced(self, now: float) -> bool:
        """Whether we are connected and in step with the server, so that messages reach the others now."""
        connection, room = self.connection, self._room
        return (
            connection is not None
            and connection.entered
            and self.slot == room.membership.journal.slot
            and connection.shown is not None
            and connection.shown >= self.slot
            and connection.sync_done
            and not (self._settling and now - self._moved_at < SETTLE)
            and self.stuck_at is None
            and not room.needs_rejoin
            and room.ended is None
        )

    @property
    def is_unanswered(self) -> bool:
        """Whether the server has not answered our pass, or not taken the blob that we handed over."""
        connection = self.connection
        if connection is None or self.slot is None:
            return False
        return connection.showing is not None or connection.handing_over == self.slot + 1

    @property
    def may_only_commit(self) -> bool:
        """Whether the gate of our slot is wrong, and a commit of ours opens the room: we are a host."""
        connection, room = self.connection, self._room
        return (
            connection is not None
            and connection.refusals > 1
            and room.host_keys is not None
            and self.slot == room.membership.journal.slot
            and not self.astray
            and not room.needs_rejoin
            and self.stuck_at is None
        )

    @property
    def awaits_entry(self) -> bool:
        """Whether the room is open and at our slot, and the server has not let us in by our pass yet."""
        connection, mine = self.connection, self._room.membership.journal.slot
        return (
            connection is not None
            and self.slot == mine
            and connection.showing is not None
            and (connection.shown is None or connection.shown < mine)
        )

    # -- connections -------------------------------------------------------------------------------

    def lost(self) -> None:
        """Forget the connection."""
        self.connection = None
        self.slot = None
        self.relays.lost()

    def reconnect(self, why: str, now: float) -> None:
        """Connect again after a random time, longer after each failure."""
        if self._moving.went_away(silently=self._room.leaves_server):
            key = "away.first" if self.incarnation is None else "away"
            self._room.tell(sentences.status(key, why=why))
        self._reconnect_at = now + backoff.delay(self._moving.soon(self._failures, now), self._room.rng)
        self._failures += 1
        self._room.perform(ev.RemoteStreams(()))

    def hurry(self, now: float) -> None:
        """Connect at once, if we are about to: the network has changed."""
        if self._reconnect_at is not None:
            self._reconnect_at = now

    def tick(self, now: float) -> None:
        """Connect, or allow a catch-up, when its time has come."""
        if self._reconnect_at is not None and now >= self._reconnect_at:
            self._reconnect_at = None
            self._moving.connecting(now)
            self._room.perform(ev.Connect(ev.ROOM, origin=self._room.here.elsewhere))
        if self.elsewhere and self._hears_others(now):
            self.elsewhere = False
        connection = self.connection
        inside = self._is_inside and not self._denials.goes_on(self._room.here.origin, now)
        if self._moving.tick(now, inside, self.is_entered, self.slot) and self._reconnect_at is None:
            self.give_up(now)
            return
        if connection is None:
            return
        if connection.catch_up_again is not None and now >= connection.catch_up_again:
            connection.catch_up_again, connection.catching_up = None, False
        if not self.awaits_entry:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > SHOW_WAIT:
            self._waiting_since = None
            self.give_up(now)
            return
        self._wait_outside(now)

    @property
    def _is_inside(self) -> bool:
        connection, mine = self.connection, self._room.membership.journal.slot
        return connection is not None and self.slot == mine and (connection.shown or -1) >= mine

    def give_up(self, now: float, why: str = "away.unanswered") -> None:
        """Connect anew: this connection leads nowhere."""
        self._room.perform(ev.Disconnect(ev.ROOM))
        self._room.lost(sentence(why), now)

    def _hears_others(self, now: float) -> bool:
        m = self._room.membership
        return any(self._room.heard_recently(leaf, now) for leaf, _, _ in m.members() if leaf != m.own_leaf)

    def challenged(self, challenge: wire.Challenge, now: float) -> None:
        """Open the room's door on a new connection."""
        room = self._room
        self.connection = RoomConnection(challenge.nonce, challenge.server_key)
        # Another process knows no room of before; or it is another node, and sends us back to ours.
        same = self._server_key in (None, challenge.server_key) or not room.here.is_home
        key = room.here.room_admin_public if same else room.membership.policy.room_admin_public
        message = self.door.message(challenge, now, key)
        if message is not None:
            room.send(message)

    def entered(self, entered: wire.Entered, now: float) -> bool:
        """Take the state of the room that we have entered; return whether the server has restarted."""
        connection = self.connection
        assert connection is not None
        if self._server_key not in (None, connection.server_key):
            self._room.room_admin_keys.take_latest()
        self._server_key = connection.server_key
        if entered.slot is None and self._room.here.is_home and not self._room.room_admin_keys.is_latest:
            self._room.room_admin_keys.take_latest()  # the server has forgotten the room
            self._room.perform(ev.Disconnect(ev.ROOM))
            self.lost()
            self._reconnect_at = now
            return False
        connection.entered, connection.handle = True, entered.handle
        self.door.entered()
        self.opened(entered.slot, entered.chain, now)
        denies = self._denials.goes_on(self._room.here.origin, now)
        self._failures = self._failures if denies else 0
        incarnation = self._room.here.incarnation(entered.incarnation)
        restarted = self.incarnation is not None and self.incarnation != incarnation
        self.incarnation = incarnation
        if (restarted or entered.slot is None) and self.new_room_since is None:
            self.new_room_since = now
        if restarted:
            self.relays.restarted()
            self._settling = True
        if self._room.here.is_home and not denies:
            self._moving.came_back()
        return restarted

    # -- the server's answers ----------------------------------------------------------------------

    def move_to(self, slot: int | None, now: float) -> None:
        """Record the server's current slot."""
        if slot == self.slot:
            return
        self.slot, self._moved_at = slot, now
        connection, mine = self.connection, self._room.membership.journal.slot
        beyond = slot is not None and slot > mine
        if connection is not None and not (beyond and now - connection.refused_at < SHOW_RETRY):
            self.show_again()

    def opened(self, slot: int | None, chain: bytes | None, now: float) -> None:
        """The room was opened at that slot, with that chain, or moves on while we are outside."""
        connection = self.connection
        known = None if slot is None else self._room.membership.journal.chains.get(slot)
        if connection is not None:
            other = slot is not None and chain is not None and known != chain
            connection.claimed = (slot or 0, chain or b"") if other else None
        if slot is not None and known is not None and known != chain:
            if connection is not None and connection.shown is not None and slot == self.slot:
                connection.agreed = None
                return  # It has let us in there, with our chain. Refusals will show what is true.
            self.astray = True
        else:
            self.astray = False
        self.move_to(slot, now)
        if connection is not None:
            connection.committed = connection.shown = None
            connection.agreed = slot if known is not None and known == chain else None
            if known == chain:
                self.show_again()

    def another_history(self, message: wire.Committed) -> None:
        """The server's room has, in that slot, a blob that does not follow from our own history."""
        mine = self._room.membership.journal.slot
        if self.connection is not None and self.connection.tells_two_stories(mine, message):
            self._room.tell(sentences.two_stories(message.slot))
        else:
            self.astray = True

    def goes_on(self, slot: int) -> None:
        """The room goes on from our own history, up to that slot."""
        if slot > self._room.membership.journal.slot:
            self.astray = False
        if self.connection is not None:
            self.connection.agreed = max(self.connection.agreed or 0, slot)

    def show_again(self) -> None:
        """Show our passes anew, whatever was refused at the slot before."""
        if self.connection is not None:
            self.connection.refusals = 0

    def shown(self, slot: int) -> None:
        """The server knows that we hold the pass of `slot`."""
        connection = self.connection
        if connection is None:
            return
        wanted, connection.showing = connection.showing, None
        connection.shown = slot
        if wanted is not None and slot < wanted:
            connection.refusals += 1  # a gate that a host has closed

    def stale(self, slot: int, now: float) -> None:
        """Our commit came too late: the server is at `slot`."""
        self.move_to(slot, now)

    def caught_up(self, slot: int, now: float) -> None:
        """All commits up to `slot` have arrived, or are lost."""
        self.move_to(slot, now)
        if self.connection is not None:
            self.connection.catching_up = False

    def refused(self, connection: RoomConnection, refused: wire.Refused, now: float) -> None:
        """The server has refused one of our messages."""
        if refused.about == "room_door":
            self.door.refused(refused)
        elif refused.about == "show":
            self._show_refused(connection)
            if connection.refusals > 1:
                connection.refused_at = now
        elif refused.about == "commit":
            connection.handing_over = None
        elif refused.about == "catch_up":
            if refused.code in ("pass", "gone"):
                connection.reach_refused(self.slot, self._room.membership.journal.slot)
            elif refused.code == "rate":
                connection.catch_up_again = now + CATCH_UP_RETRY
            else:
                connection.catching_up = False
        elif refused.about == "media":
            connection.published = None
            connection.sync_done &= refused.code != "pass"
        if refused.code == "pass" and refused.about in ("commit", "media", "broadcast", "relay"):
            acknowledged = connection.shown is not None and connection.shown >= (self.slot or 0)
            connection.shown = None
            if acknowledged and self._denials.denied(self._room.here.origin, now):
                self.give_up(now, "away.denied")

    def _show_refused(self, connection: RoomConnection) -> None:
        entry = self._room.membership.journal.entry(connection.showing or 0)
        if (
            connection.refusals == 0
            and entry is not None
            and connection.committed == entry.slot
            and entry.gate_fits
        ):
            # The server has signed a chain over this gate, and says that it is another.
            self._room.tell(sentences.alarm("gate_denied"))
        connection.refusals += 1
        connection.showing = None

    def ask_again(self) -> None:
        """Request the way to the others' slot anew, as if nothing had been refused or left unanswered."""
        connection = self.connection
        if connection is not None and connection.entered:
            connection.catching_up = False
            connection.showing = connection.catch_up_again = None
            self.show_again()
            self.catch_up(connection)

    # -- steps -------------------------------------------------------------------------------------

    def step(self, now: float) -> RoomConnection | None:
        """Take the next step towards the server's slot; return the connection once we are in sync."""
        connection, room = self.connection, self._room
        if connection is None or not connection.entered or room.ended is not None or room.needs_rejoin:
            return None
        mine = room.membership.journal.slot
        if self.slot is None:
            if connection.opened_at is None and room_admin(room) is not None:
                open_room(room, connection, None, self.slot, now)
        elif self.astray:
            self.is_shown(connection, mine)  # and `_wait_outside` opens the room again
        elif self.slot > mine:
            # Any pass of the last slots is enough to catch up (G4).
            shown = connection.shown is not None or self.is_shown(connection, mine)
            if shown and self.stuck_at is None:
                self.catch_up(connection)
        elif self.slot < mine:
            self._hand_over(connection, self.slot, now)
        elif self.is_shown(connection, mine):
            return connection
        return None

    def has_settled(self, now: float) -> bool:
        """Whether anything new may be sent: the slot of a restarted server's room has come to rest."""
        if self._settling and now - self._moved_at < SETTLE:
            return False
        self._settling = False
        return True

    def catch_up(self, connection: RoomConnection) -> None:
        """Request what we have missed, unless that is under way."""
        if not connection.catching_up:
            connection.catching_up = True
            self._room.send(wire.CatchUp(self._room.membership.journal.slot, self.relays.number))

    def is_shown(self, connection: RoomConnection, slot: int) -> bool:
        """Whether the server knows that we hold the pass of `slot`; shows the pass if that is still to do."""
        if connection.shown is not None and connection.shown >= slot:
            return True
        if connection.showing is not None:
            return False
        if connection.refusals > 1:
            if self.stuck_at is None:
                connection.reach_refused(self.slot, self._room.membership.journal.slot)
            return False
        entry = self._room.membership.journal.entry(slot)
        if entry is not None and connection.refusals == 0 and entry.gate_fits is not False:
            connection.showing = slot
            self._room.send(wire.Show([entry.room_pass]))
        else:
            # The author of that slot named another gate: a gate before it is open too (G3).
            connection.showing, connection.refusals = slot, 1
            self._room.send(wire.Show(self._room.membership.journal.room_passes))
        return False

    def _wait_outside(self, now: float) -> None:
        """Open the room again if no pass of ours fits, or nobody opens it."""
        connection, room = self.connection, self._room
        if connection is None or not connection.entered or room.ended is not None or room.needs_rejoin:
            return
        if self.stuck_at is not None:
            return  # `Recovery` decides
        journal = room.membership.journal
        if not self._is_outside(connection, journal.oldest.slot, now):
            if connection.shown is not None:
                self._come_in()
            return
        if self._outside_since is None:
            self._outside_since = now
        waited = now - self._outside_since
        tell = self.slot is not None and waited > OUTSIDE_TELL and not self._told_outside
        if tell and not room.seeks_readmission:  # that has been reported
            self._told_outside = True
            room.tell(sentences.alarm("outside"))
        if connection.opened_at is None or connection.opened_slot != self.slot:
            if self.slot is not None or waited > MEMBER_WAIT:
                signed = signed_entry(room, newest=self.slot is not None)
                open_room(room, connection, signed, self.slot, now)
        elif waited > OPEN_WAIT and now - connection.opened_at > OPEN_RETRY:
            open_room(room, connection, None, self.slot, now)

    def _is_outside(self, connection: RoomConnection, oldest: int, now: float) -> bool:
        """Whether the room is not open, or stands where neither our passes nor our blobs lead to us."""
        if self.slot is None or self.astray or connection.refusals > 1:
            return True
        # Members with older blobs may still hand them over.
        return self.slot < oldest and now - self._moved_at > HAND_OVER_WAIT

    def is_shut_out(self, now: float) -> bool:
        """Return whether `Recovery` has to ask the members: no pass fits for long, or they are elsewhere."""
        since = self._outside_since
        return self.elsewhere or (since is not None and now - since > OUTSIDE_WAIT)

    def _come_in(self) -> None:
        self._outside_since = None
        if self._told_outside:
            self._told_outside = False
            self._room.tell(sentences.status("cleared.outside"))

    def _hand_over(self, connection: RoomConnection, slot: int, now: float) -> None:
        """Send the server, which is behind us, the blob that follows its slot."""
        journal = self._room.membership.journal
        following = journal.entry(slot + 1)
        if following is None or following.blob is None or journal.entry(slot) is None:
            return
        waits = connection.handing_over == slot + 1 and now - connection.handed_over_at < HAND_OVER_RETRY
        if not waits and self.is_shown(connection, slot):
            connection.handing_over, connection.handed_over_at = slot + 1, now
            self._room.send(wire.Commit(slot + 1, following.blob, opening_to_pass_on(self._room, following)))
