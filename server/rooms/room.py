"""The core of a room: slots, gates and relay.

docs/reference/protocol.md, section 3, G1 to G7.

A room does no I/O: time is an argument (seconds, monotonic), and methods return effects. A room trusts no
client and reads no blob: it compares slots and hashes of passes, and verifies the room admin's signatures on
`open`, `regate` and `rekey`. A refused message changes nothing.

A connection receives blobs while it has shown the pass of the current slot. A connection that has shown the
pass of slot n-1 still receives for `PASS_GRACE` seconds after slot n was taken (G3). For earlier blobs, it
sends `catch_up`, and gets commits and relayed blobs in the order in which they arrived.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable
from dataclasses import dataclass

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from snugroom.server.config import Settings
from snugroom.server.rate import TokenBucket
from snugroom.server.rooms.backlog import Backlog
from snugroom.server.rooms.effects import Drop, Effect, Forget, Send, refuse
from snugroom.server.rooms.facts import RoomFacts
from snugroom.server.rooms.media import RoomMedia
from snugroom.server.rooms.seat import Seat
from snugroom.server.wire import limits, messages, signed


@dataclass(frozen=True, slots=True)
class _Held:
    """A commit on hold, in favour of a connection that has lost the last race (G6)."""

    seat: Seat
    commit: messages.Commit
    until: float


class Room:
    """One room. `number` has 16 bytes. `sign` makes the server's Ed25519 signatures for receipts."""

    def __init__(
        self, number: bytes, room_admin_key: bytes, settings: Settings, sign: Callable[[bytes], bytes]
    ) -> None:
        #: The room's number at its beginning, by which effects name it.
        self.number = number
        #: All numbers that lead here, the current one last (G7).
        self.numbers = [number]
        self.slot: int | None = None
        self.chain = b""
        self._room_admin_key = room_admin_key
        self._settings = settings
        self._sign = sign
        self._seats: dict[bytes, Seat] = {}
        self._gates: dict[int, bytes] = {}
        self._taken_at: dict[int, float] = {}
        self._backlog = Backlog(settings)
        self.media = RoomMedia(number, self._seats)
        self._held: _Held | None = None
        self._rivals: list[Seat] = []
        self._forget_at = math.inf
        #: The earliest time at which `tick` may have work; infinity if it has none.
        self.deadline = math.inf

    # -- coming and going ------------------------------------------------------------------

    def arrive(
        self, handle: bytes, number: bytes, nonce: bytes, incarnation: bytes, now: float
    ) -> list[Effect]:
        """Admit a connection whose door signature, for `number`, is valid. A full room drops it."""
        s = self._settings
        if len(self._seats) >= s.max_members:
            return [Drop(handle, messages.Refused("full", "the room is full", "room_door", fatal=True))]
        others = list(self._seats)
        self._seats[handle] = Seat(
            handle,
            nonce,
            now,
            TokenBucket(s.catch_ups_per_second, s.catch_up_burst, now),
            TokenBucket(s.media_changes_per_second, s.media_change_burst, now),
        )
        self._forget_at = math.inf
        is_open = self.slot is not None
        if not is_open:
            self._wake_by(now + s.idle_time)
        entered = messages.Entered(handle, incarnation, self.slot, self.chain if is_open else None, others)
        effects: list[Effect] = [Send(handle, entered)]
        if number != self.numbers[-1]:
            effects.append(Send(handle, messages.Rekeyed(self._room_admin_key)))
        return effects + [Send(h, messages.Arrived(handle)) for h in others]

    def leave(self, handle: bytes, now: float) -> list[Effect]:
        """Remove a connection. The last connection to leave starts the room's linger."""
        seat = self._seats.pop(handle, None)
        if seat is None:
            return []
        had_media = seat.media is not None
        effects = self.media.end(seat)
        effects += [Send(h, messages.Left(handle)) for h in self._seats]
        if had_media:
            effects += self.media.changed_lists()
        self._rivals = [rival for rival in self._rivals if rival is not seat]
        if self._held is not None and self._held.seat is seat:
            # its rivals for this slot have had no answer yet: let them try again
            rivals, self._held, self._rivals = self._rivals, None, []
            slot = self._held_slot()
            effects += [Send(rival.handle, messages.Stale(slot + 1, slot)) for rival in rivals]
        elif self._held is not None and not self._older_loser(self._held.seat):
            effects += self._take(self._held.seat, self._held.commit, now)
        if not self._seats:
            # a room that was never opened holds nothing, and needs no linger
            self._forget_at = now + (self._settings.room_linger if self.slot is not None else 0.0)
            self._wake_by(self._forget_at)
        return effects

    def close(self, code: str, text: str, now: float) -> list[Effect]:
        """Drop all connections."""
        effects: list[Effect] = []
        for handle in list(self._seats):
            effects += [Drop(handle, messages.Closing(code, text)), *self.leave(handle, now)]
        return effects

    def tick(self, now: float) -> list[Effect]:
        """Apply the passage of time: holds, lapsed passes, the wait in an unopened room, and the linger."""
        if now < self.deadline:
            return []
        effects: list[Effect] = []
        if self._held is not None and now >= self._held.until:
            effects += self._take(self._held.seat, self._held.commit, now)
        effects += self.media.lapse(now)
        if self.slot is None:
            for seat in list(self._seats.values()):
                if now >= seat.since + self._settings.idle_time:
                    effects.append(
                        Drop(seat.handle, messages.Closing("unopened", "nobody has opened this room"))
                    )
                    effects += self.leave(seat.handle, now)
        if now >= self._forget_at:
            effects.append(Forget(self.number))
        self._update_deadline()
        return effects

    def _wake_by(self, at: float) -> None:
        self.deadline = min(self.deadline, at)

    def _update_deadline(self) -> None:
        self.deadline = min(
            self._forget_at,
            math.inf if self._held is None else self._held.until,
            *(seat.until for seat in self._seats.values() if seat.media is not None),
            *(
                seat.since + self._settings.idle_time
                for seat in (self._seats.values() if self.slot is None else ())
            ),
        )

    # -- messages --------------------------------------------------------------------------

    def handle(self, handle: bytes, message: messages.ClientMessage, now: float) -> list[Effect]:
        """Handle a message from `handle`, which must have arrived."""
        seat = self._seats[handle]
        about = str(type(message).__struct_config__.tag)
        if (
            isinstance(message, messages.Commit | messages.Relay | messages.Broadcast)
            and len(message.blob) not in limits.BUCKETS
        ):
            return refuse(handle, "size", "a blob must have the size of a bucket", about)
        if isinstance(message, messages.Open):
            return self._open(seat, message, now)
        if isinstance(message, messages.Rekey):
            return self._rekey(seat, message)
        if not isinstance(
            message,
            messages.Show
            | messages.Commit
            | messages.Regate
            | messages.CatchUp
            | messages.Relay
            | messages.Broadcast
            | messages.Media
            | messages.Subscribe,
        ):
            return refuse(handle, "state", "a room does not take this message", about)
        if self.slot is None:
            return refuse(handle, "unopened", "nobody has opened this room yet", about)
        if isinstance(message, messages.Show):
            return self._show(seat, message, self.slot, now)
        if isinstance(message, messages.Commit):
            return self._commit(seat, message, self.slot, now)
        if isinstance(message, messages.Regate):
            return self._regate(seat, message, self.slot, now)
        if isinstance(message, messages.CatchUp):
            return self._catch_up(seat, message, self.slot, now)
        if now >= seat.until:
            return refuse(handle, "pass", "show the pass of the current slot first", about)
        if isinstance(message, messages.Relay | messages.Broadcast):
            if seat.shown is None or seat.shown < self.slot - 1:
                # still receiving, but two slots behind: no member has the keys of its blobs any more
                return refuse(handle, "pass", "catch up, and show the pass of the current slot", about)
            if isinstance(message, messages.Broadcast):
                broadcasted = messages.Broadcasted(message.blob)
                return [
                    Send(s.handle, broadcasted)
                    for s in self._seats.values()
                    if now < s.until and s is not seat
                ]
            return self._relay(message, self.slot, now)
        if isinstance(message, messages.Media):
            effects = self.media.join(seat, message, now)
            if seat.media is not None:
                self._wake_by(seat.until)
            return effects
        return self.media.subscribe(seat, message)

    def _signed_by_room_admin(self, text: bytes, signature: bytes) -> bool:
        try:
            VerifyKey(self._room_admin_key).verify(text, signature)
        except (BadSignatureError, ValueError):
            return False
        return True

    def _to_all(self, message: messages.Message) -> list[Effect]:
        return [Send(handle, message) for handle in self._seats]

    # -- G1: open ----------------------------------------------------------------------------

    def _opened(self) -> messages.Opened:
        slot = self.slot
        assert slot is not None
        return messages.Opened(
            slot, self.chain, self._sign(signed.receipt(self.numbers[-1], slot, self.chain))
        )

    def _open(self, seat: Seat, message: messages.Open, now: float) -> list[Effect]:
        text = signed.open_room(self.numbers[-1], message.slot, message.gate, message.chain, seat.nonce)
        if not self._signed_by_room_admin(text, message.signature):
            return refuse(seat.handle, "signature", "the room admin's signature is wrong", "open")
        if self.slot is not None:
            here = (self.slot, self._gates[self.slot], self.chain)
            if (message.slot, message.gate, message.chain) == here:
                return [Send(seat.handle, self._opened())]
            return refuse(seat.handle, "open", "the room is open already", "open")
        self.slot, self.chain = message.slot, message.chain
        self._gates = {message.slot: message.gate}
        return self._to_all(self._opened())

    # -- passes (G3) -------------------------------------------------------------------------

    def _show(self, seat: Seat, message: messages.Show, current: int, now: float) -> list[Effect]:
        gate = signed.gate(message.room_pass)
        slot = -1
        for n, expected in self._gates.items():
            # compare all gates, so that the time does not reveal which gate fits
            if hmac.compare_digest(gate, expected):
                slot = max(slot, n)
        if slot < 0:
            return refuse(seat.handle, "pass", "this pass fits no gate of the last slots", "show")
        shown: list[Effect] = [Send(seat.handle, messages.Shown(slot))]
        if seat.shown is None or slot > seat.shown:
            seat.below, seat.shown = seat.shown, slot
            until = self._grace_end(slot, current)
            seat.until = max(seat.until, until)
        return shown

    def _grace_end(self, slot: int, current: int) -> float:
        if slot == current:
            return math.inf
        return self._taken_at.get(slot + 1, -math.inf) + limits.PASS_GRACE

    # -- G2 and G6: commit -------------------------------------------------------------------

    def _commit(self, seat: Seat, message: messages.Commit, current: int, now: float) -> list[Effect]:
        if seat.shown is None:
            return refuse(seat.handle, "pass", "show the pass of the slot before", "commit")
        if message.slot != current + 1:
            if current - 1 <= message.slot <= current and seat.shown >= message.slot - 1:
                seat.lost = current
            return [Send(seat.handle, messages.Stale(message.slot, current))]
        if seat.shown != current:
            return refuse(seat.handle, "pass", "show the pass of the slot before", "commit")
        held = self._held
        if (held is not None and held.seat is seat) or seat in self._rivals:
            return refuse(seat.handle, "state", "your commit for this slot is being considered", "commit")
        if not self._older_loser(seat):
            return self._take(seat, message, now)
        if held is None:
            self._held = _Held(seat, message, now + limits.FAIRNESS_HOLD)
            self._wake_by(self._held.until)
        elif seat.won < held.seat.won:
            self._rivals.append(held.seat)
            self._held = _Held(seat, message, held.until)
        else:
            self._rivals.append(seat)
        return []

    def _older_loser(self, seat: Seat) -> bool:
        """Return whether another seat lost the last race, and won less recently than `seat`, or never."""
        return any(
            other.lost == self.slot and other.won < seat.won
            for other in self._seats.values()
            if other is not seat
        )

    def _held_slot(self) -> int:
        assert self.slot is not None
        return self.slot

    def _take(self, seat: Seat, message: messages.Commit, now: float) -> list[Effect]:
        slot = message.slot
        late = [s for s in (self._held.seat if self._held else None, *self._rivals) if s and s is not seat]
        self._held, self._rivals = None, []
        for other in self._seats.values():
            if other.shown == slot - 1:
                other.until = now + limits.PASS_GRACE
                if other.media is not None:
                    self._wake_by(other.until)
        self.slot = slot
        self.chain = signed.next_chain(self.chain, slot, message.blob)
        committed = messages.Committed(
            slot, message.blob, self.chain, self._sign(signed.receipt(self.numbers[-1], slot, self.chain))
        )
        self._gates[slot] = message.gate
        self._taken_at[slot] = now
        self._gates.pop(slot - limits.CATCH_UP_SLOTS, None)
        self._taken_at.pop(slot - limits.CATCH_UP_SLOTS, None)
        self._backlog.add_commit(committed)
        seat.won = slot
        seat.lost = -1
        effects: list[Effect] = []
        # `opened` tells connections that may not have the blob when to show their pass
        moved = messages.Opened(slot, self.chain, committed.signature)
        for other in self._seats.values():
            if now < other.until:
                effects.append(Send(other.handle, committed))
            else:
                effects.append(Send(other.handle, moved))
        for other in late:
            other.lost = slot
            effects.append(Send(other.handle, messages.Stale(slot, slot)))
        return effects

    # -- G5: regate --------------------------------------------------------------------------

    def _regate(self, seat: Seat, message: messages.Regate, current: int, now: float) -> list[Effect]:
        text = signed.regate(self.numbers[-1], message.slot, message.gate, seat.nonce)
        if not self._signed_by_room_admin(text, message.signature):
            return refuse(seat.handle, "signature", "the room admin's signature is wrong", "regate")
        if message.slot != current:
            return [Send(seat.handle, messages.Stale(message.slot, current))]
        effects: list[Effect] = []
        if message.gate != self._gates[current]:
            self._gates[current] = message.gate
            effects += self._close_gate(current, now)
        return effects + self._to_all(messages.Regated(current))

    def _close_gate(self, current: int, now: float) -> list[Effect]:
        """Void the passes shown at the old gate of the current slot, and refuse the commits on hold.

        Receiving connections with the pass of the previous slot get a new grace of `PASS_GRACE` seconds.
        """
        waiting = [s for s in (self._held.seat if self._held else None, *self._rivals) if s]
        self._held, self._rivals = None, []
        for seat in self._seats.values():
            if seat.shown == current:
                seat.shown, seat.below = seat.below, None
                seat.until = now
            receives = seat.until >= now
            if receives and seat.shown is not None and seat.shown == current - 1:
                seat.until = now + limits.PASS_GRACE
            if seat.media is not None:
                self._wake_by(seat.until)
        return [
            effect
            for seat in waiting
            for effect in refuse(
                seat.handle, "pass", "the gate has been mended: show the pass again", "commit"
            )
        ]

    # -- G7: rekey ---------------------------------------------------------------------------

    def _rekey(self, seat: Seat, message: messages.Rekey) -> list[Effect]:
        """Take another room admin key, and with it another number; earlier numbers lead here as well."""
        if message.room_admin_key == self._room_admin_key:
            return [Send(seat.handle, messages.Rekeyed(self._room_admin_key))]
        if signed.room_number(message.door_key, self._room_admin_key) != self.numbers[-1]:
            return refuse(seat.handle, "signature", "the door key is not this room's", "rekey")
        number = signed.room_number(message.door_key, message.room_admin_key)
        if not self._signed_by_room_admin(signed.rekey(number, seat.nonce), message.signature):
            return refuse(seat.handle, "signature", "the room admin's signature is wrong", "rekey")
        self._room_admin_key = message.room_admin_key
        earlier = [n for n in self.numbers if n != number]
        self.numbers = [*earlier[1 - limits.ROOM_NUMBERS :], number]
        return self._to_all(messages.Rekeyed(self._room_admin_key))

    # -- G4: catch up ------------------------------------------------------------------------

    def _catch_up(self, seat: Seat, message: messages.CatchUp, current: int, now: float) -> list[Effect]:
        """Send held commits to a connection with a pass of the last slots, and relays if it may receive.

        If it may not receive, `relay` in the answer has the value of the request: the client asks again after
        it has shown the current pass.
        """
        if seat.shown is None or seat.shown < message.slot - 1 or seat.shown not in self._gates:
            return refuse(seat.handle, "pass", "show the pass of that slot, or a later one", "catch_up")
        if message.slot > current:
            return refuse(seat.handle, "slot", "the room has not reached that slot", "catch_up")
        commits = self._backlog.commits
        if message.slot + 1 < (commits[0].slot if commits else current + 1):
            return refuse(seat.handle, "gone", "the blobs after that slot are no longer held", "catch_up")
        if not seat.catch_ups.take(now):
            return refuse(seat.handle, "rate", "too many catch-ups", "catch_up")
        receives = now < seat.until
        blobs, missing = self._backlog.since(message.slot, message.relay if receives else None)
        relay = self._backlog.last_relay if receives else message.relay
        return [
            *(Send(seat.handle, blob) for blob in blobs),
            Send(seat.handle, messages.CaughtUp(current, relay, missing)),
        ]

    # -- relay -------------------------------------------------------------------------------

    def _relay(self, message: messages.Relay, current: int, now: float) -> list[Effect]:
        relayed = self._backlog.add_relay(current, message.blob)
        return [Send(s.handle, relayed) for s in self._seats.values() if now < s.until]

    # -- facts -------------------------------------------------------------------------------

    def facts(self) -> RoomFacts:
        """Return everything that this room holds, for the operator's view."""
        return RoomFacts(
            number=self.number,
            numbers=tuple(self.numbers),
            room_admin_key=self._room_admin_key,
            slot=self.slot,
            handles=tuple(self._seats),
            commits=tuple(
                (c.slot, len(c.blob), self._taken_at.get(c.slot, math.nan)) for c in self._backlog.commits
            ),
            relays=tuple((r.relay, len(r.blob)) for _, r in self._backlog.relays),
            gates=len(self._gates),
            passes_current=sum(s.until == math.inf for s in self._seats.values()),
            streams=tuple(
                stream.kind for s in self._seats.values() if s.media is not None for stream in s.media.streams
            ),
            held_bytes=len(self._held.commit.blob) if self._held else 0,
            chain=self.chain,
            waiting=(self._held is not None) + len(self._rivals),
            seats=tuple((s.since, s.shown, s.won, s.lost) for s in self._seats.values()),
        )
