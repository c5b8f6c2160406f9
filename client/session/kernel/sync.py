"""In step with the server's room: one connection after another, and the slot there compared with our own.

Protocol sections 3, 5 and 6. One method, `step`, compares the slot of the server's room with our own
history and takes the next step:

==========================  =================================================================
the room is not open        hosts open it at the oldest slot that they can replay from
the room is ahead of us     show our pass, catch up
the room is behind us       show that slot's pass, hand over the blob that followed
we are in sync              show our pass; then `RoomSession` announces, commits and sends
==========================  =================================================================

A lost socket, a restarted server and a straggler are therefore one case: being at another slot.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.room_connection import RoomConnection
from snugroom.crypto.entry import invite
from snugroom.crypto.kdf import SigningKey
from snugroom.server.wire import messages as wire

#: Seconds until a catch-up that exceeded the server's rate limit is requested again.
CATCH_UP_RETRY: Final = 1.5
#: Seconds for which the slot of a restarted server's room must rest before anything new is sent there: while
#: members hand over blobs, the room passes through old slots and has not reached its members' slot.
SETTLE: Final = 0.8


class Sync:
    """One membership's place in the server's room."""

    def __init__(self, room: Room, room_admin_public: bytes, now: float) -> None:
        """`room_admin_public` (32 bytes) is the key under which the server holds the room."""
        self._room = room
        self.room_admin_public = room_admin_public
        #: All keys that may have been it, the newest last.
        self._room_admins = [room_admin_public]
        self._told_admin = b""  # the server's word, which counts when the policy names the key
        self._server_key: bytes | None = None
        self.keys_changed()
        #: The open connection, None without one.
        self.connection: RoomConnection | None = None
        #: The server's current slot; None while it is unknown.
        self.slot: int | None = None
        #: The incarnation of the server's process, 8 bytes; None before we first entered.
        self.incarnation: bytes | None = None
        #: The slot whose commit we alone cannot read; None without one.
        self.stuck_at: int | None = None
        #: When we entered a room that was new then: others may be in another one, under keys unknown to us.
        self.new_room_since: float | None = None
        self._relay = 0
        self._settling = False
        self._moved_at = now
        self._reconnect_at: float | None = None
        self._failures = 0
        self._away = False

    # -- queries -----------------------------------------------------------------------------------

    @property
    def numbers(self) -> list[bytes]:
        """The room's numbers at the server since we came in (16 bytes each), the current one last."""
        return [invite.room_number(self._room.door_key.public, key) for key in self._room_admins]

    @property
    def server_number(self) -> bytes:
        """The number by which we enter the room at the server, 16 bytes."""
        return invite.room_number(self._room.door_key.public, self.room_admin_public)

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
    def regated(self) -> bool:
        """Whether a host has set the gate of the slot that we are stuck at to our pass: it is void."""
        shown = None if self.connection is None else self.connection.shown
        return shown is not None and self.stuck_at is not None and shown >= self.stuck_at

    # -- connections -------------------------------------------------------------------------------

    def lost(self) -> None:
        """Forget the connection."""
        self.connection = None
        self.slot = None

    def reconnect(self, why: str, now: float) -> None:
        """Connect again after 0.2 s, later after up to 1.5 s."""
        if not self._away:
            self._away = True
            self._room.tell(sentences.status("away", why=why))
        delay = min(0.2 * 2**self._failures, 1.5)
        self._failures += 1
        self._reconnect_at = now + delay
        self._room.perform(ev.RemoteStreams(()))

    def tick(self, now: float) -> None:
        """Connect, or allow a catch-up, when its time has come."""
        if self._reconnect_at is not None and now >= self._reconnect_at:
            self._reconnect_at = None
            self._room.perform(ev.Connect(ev.ROOM))
        connection = self.connection
        if (
            connection is not None
            and connection.catch_up_again is not None
            and now >= connection.catch_up_again
        ):
            connection.catch_up_again, connection.catching_up = None, False

    def challenged(self, challenge: wire.Challenge) -> None:
        """Open the room's door on a new connection."""
        room = self._room
        if self._server_key is not None and challenge.server_key != self._server_key:
            # Another process knows no room of before: members meet under the current key.
            self.room_admin_public, self._told_admin = room.membership.policy.room_admin_public, b""
        self._server_key = challenge.server_key
        self.connection = RoomConnection(challenge.nonce, challenge.server_key)
        nonce = room.rng(32)
        signature = room.door_key.sign(
            invite.door_message(room.origin, self.server_number, challenge.nonce, nonce)
        )
        room.send(wire.RoomDoor(room.door_key.public, self.room_admin_public, nonce, signature))

    def entered(self, entered: wire.Entered, now: float) -> bool:
        """Take the state of the room that we have entered; return whether the server has restarted."""
        connection = self.connection
        assert connection is not None
        current = self._room.membership.policy.room_admin_public
        if entered.slot is None and self.room_admin_public != current:
            # The server has forgotten the room: members meet under the current key.
            self.room_admin_public, self._told_admin = current, b""
            self._room.perform(ev.Disconnect(ev.ROOM))
            self.lost()
            self._reconnect_at = now
            return False
        connection.entered, connection.handle = True, entered.handle
        self.move_to(entered.slot, now)
        self._failures = 0
        restarted = self.incarnation is not None and self.incarnation != entered.incarnation
        self.incarnation = entered.incarnation
        if restarted or entered.slot is None:
            self.new_room_since = now
        if restarted:
            self._relay = 0
            self._settling = True
        if self._away:
            self._away = False
            self._room.tell(sentences.status("back"))
        return restarted

    # -- the server's answers ----------------------------------------------------------------------

    def move_to(self, slot: int | None, now: float) -> None:
        """Record the server's current slot."""
        if slot != self.slot:
            self.slot, self._moved_at = slot, now

    def shown(self, slot: int) -> None:
        """The server knows that we hold the pass of `slot`."""
        connection = self.connection
        if connection is None:
            return
        wanted, connection.showing = connection.showing, None
        connection.shown = slot
        if wanted is not None and slot < wanted:
            connection.refused_at = wanted  # our pass fits an older gate only: this slot's gate is wrong

    def stale(self, slot: int, now: float) -> None:
        """Our commit came too late: the server is at `slot`."""
        self.move_to(slot, now)
        if self.connection is not None:
            self.connection.handing_over = None

    def rekeyed(self, room_admin_public: bytes) -> None:
        """The server holds the room under that key (G7)."""
        self._told_admin = room_admin_public
        self._follow()

    def keys_changed(self) -> None:
        """The policy names a room admin key, perhaps another one than before."""
        named = self._room.membership.policy.room_admin_public
        if named not in self._room_admins:
            self._room_admins.append(named)
        self._follow()

    def _follow(self) -> None:
        if self._told_admin in self._room_admins:
            self.room_admin_public = self._told_admin

    def gate_replaced(self, slot: int) -> None:
        """A host has replaced the gate of `slot`."""
        connection = self.connection
        if connection is None:
            return
        connection.refused_at = connection.showing = None
        if connection.shown is not None:
            connection.shown = min(connection.shown, slot - 1)
        if self.stuck_at is not None:
            self.show_while_stuck()

    def relayed(self, number: int) -> None:
        """A relay has arrived."""
        if number == self._relay + 1:
            # Only without a gap: the missing relays can still be lost with the connection.
            self._relay = number

    def caught_up(self, relay: int) -> None:
        """All relays up to `relay` have arrived, or are lost."""
        self._relay = max(self._relay, relay)
        if self.connection is not None:
            self.connection.catching_up = False

    def refused(self, connection: RoomConnection, refused: wire.Refused, now: float) -> None:
        """The server has refused one of our messages."""
        if refused.about == "show":
            connection.refused_at, connection.showing = connection.showing, None
        elif refused.about == "commit":
            connection.handing_over = None
            if refused.code == "pass":
                connection.shown = None
        elif refused.about == "catch_up":
            if refused.code in ("pass", "gone"):
                self._room.give_up()  # the missed blobs are no longer available
            elif refused.code == "rate":
                connection.catch_up_again = now + CATCH_UP_RETRY
            else:
                connection.catching_up = False
        elif refused.about == "media":
            if refused.code == "pass":
                connection.shown, connection.sync_done = None, False
        elif refused.about in ("broadcast", "relay") and refused.code == "pass":
            connection.shown = None

    def show_while_stuck(self) -> None:
        """Show the pass that we have: hosts that find the slot void set its gate to that pass."""
        connection = self.connection
        if connection is not None:
            connection.shown = connection.refused_at = None
            connection.showing = self.stuck_at
            self._room.send(wire.Show(self._room.membership.journal.room_pass))

    # -- steps -------------------------------------------------------------------------------------

    def step(self) -> RoomConnection | None:
        """Take the next step towards the server's slot; return the connection once we are in sync."""
        connection, room = self.connection, self._room
        if connection is None or not connection.entered or room.ended is not None or room.needs_rejoin:
            return None
        mine = room.membership.journal.slot
        if self.slot is None:
            self._open_room(connection)
        elif self.slot > mine:
            if self._is_shown(connection, mine):
                self.catch_up(connection)
        elif self.slot < mine:
            self._hand_over(connection, self.slot)
        elif self._regate_wanted(connection, mine):
            self._regate(connection, mine)
        elif self._is_shown(connection, mine):
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
            self._room.send(wire.CatchUp(self._room.membership.journal.slot, self._relay))

    def _is_shown(self, connection: RoomConnection, slot: int) -> bool:
        """Whether the server knows that we hold the pass of `slot`; shows the pass if that is still to do."""
        if connection.shown is not None and connection.shown >= slot:
            return True
        if connection.showing is not None:
            return False
        if connection.refused_at == slot:
            if self.slot is not None and self.slot > slot and self.stuck_at is None:
                self._room.give_up()  # too far behind for the server and for blobs handed over
            return False
        entry = self._room.membership.journal.entry(slot)
        if entry is not None:
            connection.showing = slot
            self._room.send(wire.Show(entry.room_pass))
        return False

    def _room_admin(self) -> SigningKey | None:
        """Return the key under which the server holds the room, if we are a host that has it."""
        keys = self._room.host_keys
        if keys is None:
            return None
        return keys.room_admin_key(self._room.membership.group.group_id, self.room_admin_public)

    def _open_room(self, connection: RoomConnection) -> None:
        room = self._room
        room_admin = self._room_admin()
        if room_admin is None or connection.opening:
            return
        oldest = room.membership.journal.oldest
        gate = invite.gate(oldest.room_pass)
        message = invite.open_message(self.server_number, oldest.slot, gate, oldest.chain, connection.nonce)
        connection.opening = True
        room.send(wire.Open(oldest.slot, gate, oldest.chain, room_admin.sign(message)))

    def _hand_over(self, connection: RoomConnection, slot: int) -> None:
        """Send the server, which is behind us, the blob that follows its slot."""
        journal = self._room.membership.journal
        following = journal.entry(slot + 1)
        if following is None or following.blob is None or journal.entry(slot) is None:
            return
        if self._is_shown(connection, slot) and connection.handing_over != slot + 1:
            connection.handing_over = slot + 1
            self._room.send(wire.Commit(slot + 1, following.blob, invite.gate(following.room_pass)))

    def _regate_wanted(self, connection: RoomConnection, slot: int) -> bool:
        return (
            connection.refused_at == slot and self._room_admin() is not None and connection.regated_at != slot
        )

    def _regate(self, connection: RoomConnection, slot: int) -> None:
        """Replace the gate of this slot: its author posted a gate that is not our pass's (G5)."""
        room, room_admin = self._room, self._room_admin()
        assert room_admin is not None
        gate = invite.gate(room.membership.journal.room_pass)
        message = invite.regate_message(self.server_number, slot, gate, connection.nonce)
        connection.regated_at = slot
        room.send(wire.Regate(slot, gate, room_admin.sign(message)))
