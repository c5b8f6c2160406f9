"""The core of a room: slots, gates, seats and relay (docs/reference/protocol.md, section 3, G1 to G8).

A room does no I/O: time is an argument (seconds, monotonic), and methods return effects. A room trusts no
client, and of a blob it reads only the gate. It compares slots and hashes of passes, and verifies the room
admin's signatures on `open`, `commit` and `rekey`. A refused message changes nothing.

A connection receives blobs while it has shown a pass that fits an open gate (`server.rooms.gates`). After a
host's slot has closed that gate, it still receives for `PASS_GRACE` seconds (G3). For earlier blobs, it sends
`catch_up`, and gets commits and relayed blobs in the order in which they arrived.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from snugroom.server.config import Settings
from snugroom.server.rate import TokenBucket
from snugroom.server.rooms.backlog import Backlog
from snugroom.server.rooms.effects import Drop, Effect, Forget, Send, refuse
from snugroom.server.rooms.facts import RoomFacts
from snugroom.server.rooms.gates import Gates
from snugroom.server.rooms.media import RoomMedia
from snugroom.server.rooms.memory import Ledger
from snugroom.server.rooms.permission import RoomPermission
from snugroom.server.rooms.race import Held, Race
from snugroom.server.rooms.readiness import Readiness
from snugroom.server.rooms.room_signatures import RoomSignatures
from snugroom.server.rooms.seat import Seat
from snugroom.server.rooms.stream_blobs import has_valid_size
from snugroom.wire import limits, messages, signed


class Room:
    """One room. `number` has 16 bytes. `sign` makes the server's Ed25519 signatures, `rng` random bytes."""

    def __init__(
        self,
        number: bytes,
        room_admin_key: bytes,
        settings: Settings,
        sign: Callable[[bytes], bytes],
        rng: Callable[[int], bytes],
        ledger: Ledger,
    ) -> None:
        #: The room's number at its beginning, by which effects name it.
        self.number = number
        self.permission: RoomPermission | None = None  # how it was opened, where not anyone may
        #: All numbers that lead here, the current one last (G8).
        self.numbers = [number]
        self.slot: int | None = None
        self.chain = b""
        #: The chain value of the slot before the current one.
        self.chain_before = b""
        self._room_admin_key = room_admin_key
        self._settings = settings
        self._signatures = RoomSignatures(sign, rng)
        self._seats: dict[bytes, Seat] = {}
        self._gates = Gates()
        #: The last slot that the room admin has signed; -1 in a room that nobody opened, or a member alone.
        self._signed_slot = -1
        self._taken_at: dict[int, float] = {}
        self._slots = TokenBucket(settings.slots_per_second, settings.slot_burst, 0.0)
        #: Since when nobody is inside; None while somebody is, or nobody has ever come.
        self._empty_since: float | None = None
        self.backlog = Backlog(settings, ledger)
        self.media = RoomMedia(number, self._seats, ledger)
        self.race = Race(ledger)
        self._readiness = Readiness()
        self._shared = False  # whether there were ever two connections
        self.active_at = 0.0  # when the last message came
        self._forget_at = math.inf
        #: The earliest time at which `tick` may have work; infinity if it has none.
        self.deadline = math.inf

    # -- coming and going ------------------------------------------------------------------

    def arrive(
        self, handle: bytes, number: bytes, nonce: bytes, incarnation: bytes, now: float
    ) -> list[Effect]:
        """Admit a connection whose door signature, for `number`, is valid.

        A full room drops the connection that has been there for longest without a pass, or this one if the
        others are members (G7).
        """
        s = self._settings
        effects: list[Effect] = []
        if len(self._seats) >= s.max_members:
            outside = [seat for seat in self._seats.values() if not seat.keeps_place(now)]
            if not outside:
                return [Drop(handle, messages.Refused("full", "the room is full", "room_door", fatal=True))]
            first = min(outside, key=lambda seat: seat.outside_since)
            effects += self._drop_outsider(first, "the room is full, and needs this place for a member", now)
        others = list(self._seats)
        self._shared = self._shared or bool(others)
        self.active_at = now
        self._seats[handle] = Seat(
            handle,
            nonce,
            now,
            TokenBucket(s.catch_ups_per_second, s.catch_up_burst, now),
            TokenBucket(s.media_changes_per_second, s.media_change_burst, now),
            outside_since=now,
            # behind all that are here, so that a new connection gains no turn (G6)
            won=-1 if self.slot is None else self.slot,
        )
        self._forget_at = math.inf
        self._note_insiders(now)
        is_open = self.slot is not None
        self._wake_by(now + (limits.PASS_WAIT if is_open else s.idle_time))
        entered = messages.Entered(handle, incarnation, self.slot, self.chain if is_open else None, others)
        effects.append(Send(handle, entered))
        if number != self.numbers[-1]:
            effects.append(Send(handle, messages.Rekeyed(self._room_admin_key)))
        return effects + [Send(h, messages.Arrived(handle)) for h in others]

    def leave(self, handle: bytes, now: float) -> list[Effect]:
        """Remove a connection. The last one starts the linger: others may come, or a commit let them in."""
        seat = self._seats.pop(handle, None)
        if seat is None:
            return []
        had_media = seat.media is not None
        effects = self.media.end(seat)
        effects += [*self._to_all(messages.Left(handle)), *self._ready(self._readiness.left(handle), now)]
        if had_media:
            effects += self.media.changed_lists()
        self.race.leave(seat)
        held = self.race.held
        if held is not None and held.seat is seat:
            # its rivals for this slot have had no answer yet: let them try again
            rivals, slot = self.race.end(), held.commit.slot
            effects += [Send(rival.handle, messages.Stale(slot, slot - 1)) for rival in rivals]
        elif held is not None and self._wait(held.seat, held.commit, now) == 0:
            effects += self._take(held.seat, held.commit, now)
        self._note_insiders(now)
        if not self._seats:
            lingers = self.slot is not None and (self._shared or bool(self.backlog.commits))
            self._forget_at = now + (self._settings.room_linger if lingers else 0.0)
            self._wake_by(self._forget_at)
        return effects

    def _drop_outsider(self, seat: Seat, why: str, now: float) -> list[Effect]:
        return [Drop(seat.handle, messages.Closing("pass", why)), *self.leave(seat.handle, now)]

    def _note_insiders(self, now: float) -> None:
        """Note since when nobody has a pass that fits: then G5 applies, and nobody is dropped for it."""
        if not any(seat.inside for seat in self._seats.values()):
            if self._empty_since is None:
                self._empty_since = now
        elif self._empty_since is not None:
            self._empty_since = None
            for seat in self._seats.values():
                seat.outside_since = max(seat.outside_since, now)
            self._wake_by(now + limits.PASS_WAIT)

    def close(self, last: messages.Closing | messages.Refused, now: float) -> list[Effect]:
        """Drop all connections with this last message."""
        effects: list[Effect] = []
        for handle in list(self._seats):
            effects += [Drop(handle, last), *self.leave(handle, now)]
        return effects

    def tick(self, now: float) -> list[Effect]:
        """Apply the passage of time: holds, lapsed passes, waits for a pass or an opening, the linger."""
        if now < self.deadline:
            return []
        effects: list[Effect] = []
        held = self.race.held
        if held is not None and now >= held.until:
            effects += self._take(held.seat, held.commit, now)
        effects += [*self._ready(self._readiness.tick(now), now), *self.media.lapse(now)]
        for seat in list(self._seats.values()):
            if now >= self._seat_deadline(seat):
                if self.slot is None:
                    last = messages.Closing("unopened", "nobody has opened this room")
                    effects += [Drop(seat.handle, last), *self.leave(seat.handle, now)]
                else:
                    effects += self._drop_outsider(seat, "this connection has shown no pass in time", now)
        if now >= self._forget_at:
            effects.append(Forget(self.number))
        self._update_deadline()
        return effects

    def _wake_by(self, at: float) -> None:
        self.deadline = min(self.deadline, at)

    def _update_deadline(self) -> None:
        self.deadline = min(
            self._forget_at,
            self._readiness.deadline,
            self.media.deadline,
            math.inf if self.race.held is None else self.race.held.until,
            *(seat.until for seat in self._seats.values() if seat.media is not None),
            *(self._seat_deadline(seat) for seat in self._seats.values()),
        )

    def _seat_deadline(self, seat: Seat) -> float:
        """Return the time at which a connection is dropped that has no pass, or waits for an opening."""
        if self.slot is None:
            return seat.since + self._settings.idle_time
        if seat.inside or self._empty_since is not None:
            return math.inf
        return seat.outside_since + limits.PASS_WAIT

    # -- messages --------------------------------------------------------------------------

    def handle(self, handle: bytes, message: messages.ClientMessage, now: float) -> list[Effect]:
        """Handle a message from `handle`, which must have arrived."""
        seat = self._seats[handle]
        self.active_at = now
        about = str(type(message).__struct_config__.tag)
        if not has_valid_size(message):
            return refuse(handle, "size", "a blob must have the size of a bucket", about)
        if isinstance(message, messages.Open):
            return self._open(seat, message, now)
        if isinstance(message, messages.Rekey):
            return self._rekey(seat, message)
        if not isinstance(message, messages.RoomMessage):
            return refuse(handle, "state", "a room does not take this message", about)
        if self.slot is None:
            return refuse(handle, "unopened", "nobody has opened this room yet", about)
        if isinstance(message, messages.Show):
            return self._show(seat, message, self.slot, now)
        if isinstance(message, messages.Commit):
            return self._commit(seat, message, self.slot, now)
        if isinstance(message, messages.CatchUp):
            return self._catch_up(seat, message, self.slot, now)
        if now >= seat.until:
            return refuse(handle, "pass", "show the pass of the current slot first", about)
        if isinstance(message, messages.Relay | messages.Broadcast):
            if max(seat.seen or 0, seat.shown or 0) < self.slot - 1:
                # still receiving, but two slots behind: no member has the keys of its blobs any more
                return refuse(handle, "pass", "catch up, and show the pass of the current slot", about)
            if isinstance(message, messages.Broadcast):
                if message.ssrc is not None:
                    self._wake_by(now + limits.LISTS_KEPT)
                    return self.media.broadcast(seat, message.ssrc, message.blob, now)
                return self._to_receivers(messages.Broadcasted(message.blob), now, seat)
            return self._relay(message, self.slot, now)
        if isinstance(message, messages.Media):
            effects = self.media.join(seat, message, now)
            if seat.media is not None:
                self._wake_by(seat.until)
            return effects
        return self.media.subscribe(seat, message, now)

    def _signed_by_room_admin(self, text: bytes, signature: bytes) -> bool:
        try:
            VerifyKey(self._room_admin_key).verify(text, signature)
        except (BadSignatureError, ValueError):
            return False
        return True

    def _is_opening(self, slot: int, gate: bytes, chain: bytes, signature: bytes) -> bool:
        """Return whether the present room admin has signed it, under the present number."""
        text = signed.Opening(self.numbers[-1], slot, gate, chain).encode()
        return self._signed_by_room_admin(text, signature)

    def _to_all(self, message: messages.Message) -> list[Effect]:
        return [Send(handle, message) for handle in self._seats]

    def _to_receivers(self, message: messages.Message, now: float, but: Seat | None = None) -> list[Effect]:
        return [Send(s.handle, message) for s in self._seats.values() if now < s.until and s is not but]

    def _ready(self, slot: int | None, now: float) -> list[Effect]:
        return [] if slot is None else self._to_receivers(messages.Ready(slot), now)

    # -- G1 and G5: open ---------------------------------------------------------------------

    def _opened(self) -> messages.Opened:
        assert self.slot is not None
        return self._signatures.opened(self.numbers[-1], self.slot, self.chain)

    def _open(self, seat: Seat, message: messages.Open, now: float) -> list[Effect]:
        slot, gate, chain, signature = message.slot, message.gate, message.chain, message.signature
        if signature is not None and not self._is_opening(slot, gate, chain, signature):
            return refuse(seat.handle, "signature", "the room admin's signature is wrong", "open")
        if (slot, chain) == (self.slot, self.chain) and self._gates.is_gate(slot, gate):
            self._signed_slot = self._signed_slot if signature is None else slot
            return [Send(seat.handle, self._opened())]
        empty = self._empty_since is not None and now >= self._empty_since + limits.OPEN_WAIT
        if not empty and (signature is None or (self.slot is not None and slot <= self._signed_slot)):
            # A connection that waits for its turn to open sends this every few seconds.
            why = "nobody has opened this room yet" if self.slot is None else "the room is open already"
            return refuse(seat.handle, "open", why, "open")
        self._signed_slot = -1 if signature is None else slot
        self._restart(slot, gate, chain, now)
        return [*self._to_all(self._opened()), *self.media.lapse(now)]

    def _restart(self, slot: int, gate: bytes, chain: bytes, now: float) -> None:
        """Continue at another slot: no pass has been shown for it, and no commit is held."""
        self.slot, self.chain, self.chain_before = slot, chain, b""
        self._signatures.begin()
        self._gates.reset(slot, gate)
        self._taken_at.clear()
        self.backlog.forget_commits()
        self.race.end()
        self._readiness.end()
        for seat in self._seats.values():
            seat.place_until = now + limits.PASS_GRACE if seat.inside else seat.until
            seat.shown, seat.seen, seat.until = None, None, -math.inf
            seat.won, seat.lost, seat.outside_since = -1, -1, now
        self._empty_since = now
        self._update_deadline()

    # -- passes (G3) -------------------------------------------------------------------------

    def _show(self, seat: Seat, message: messages.Show, current: int, now: float) -> list[Effect]:
        slot = self._gates.fits(message.room_passes)
        if slot is None:
            return refuse(seat.handle, "pass", "this pass fits no gate of the last slots", "show")
        seat.shown = slot if seat.shown is None else max(seat.shown, slot)
        seat.until = max(seat.until, self._gates.end(slot))
        if seat.inside:
            seat.seen = current
            self._note_insiders(now)
        shown = messages.Shown(current if slot >= self._gates.floor else slot)
        return [Send(seat.handle, shown), *self._ready(self._readiness.showed(seat), now)]

    # -- G2 and G6: commit -------------------------------------------------------------------

    def _commit(self, seat: Seat, message: messages.Commit, current: int, now: float) -> list[Effect]:
        if message.slot != current + 1:
            if current - 1 <= message.slot <= current and now < seat.until:
                seat.lost = current
                seat.admin = seat.admin or (
                    message.slot == current and self._is_signed(message, self.chain_before)
                )
            return [Send(seat.handle, messages.Stale(message.slot, current))]
        if message.opening is not None:
            if not self._is_signed(message, self.chain):
                return refuse(seat.handle, "signature", "the room admin's signature is wrong", "commit")
            seat.admin = True
        elif not seat.inside:
            return refuse(seat.handle, "pass", "show a pass that fits an open gate", "commit")
        if seat in self.race:
            return refuse(seat.handle, "state", "your commit for this slot is being considered", "commit")
        held, wait = self.race.held, self._wait(seat, message, now)
        behind_host = held is not None and held.commit.opening is not None and message.opening is None
        if wait == 0 and not behind_host:
            return self._take(seat, message, now)
        if held is None:
            self.race.hold(Held(seat, message, now + wait))
            self._wake_by(now + wait)
        elif (message.opening is None, seat.won) < (held.commit.opening is None, held.seat.won):
            self.race.rivals.append(held.seat)
            self.race.hold(Held(seat, message, held.until))
        else:
            self.race.rivals.append(seat)
        return []

    def _is_signed(self, message: messages.Commit, before: bytes) -> bool:
        """Return whether the room admin has signed a commit for its slot after the chain value `before`."""
        if message.opening is None or not before:  # empty: the room was opened at this very slot
            return False
        chain = signed.chain_next(before, message.slot, message.blob)
        return self._is_opening(message.slot, signed.gate_of(message.blob), chain, message.opening)

    def _wait(self, seat: Seat, message: messages.Commit, now: float) -> float:
        """Return the seconds for which a commit waits: for an older loser, and for the room's next slot."""
        fair = limits.FAIRNESS_HOLD if self._older_loser(seat, message) else 0.0
        return fair if message.opening is not None else max(fair, self._slots.wait(now))

    def _older_loser(self, seat: Seat, message: messages.Commit) -> bool:
        """Return whether another seat lost the last race, and won less recently than `seat`, or never.

        A host's commit goes before those of other members, and takes turns with those of hosts.
        """
        return any(
            other.lost == self.slot and other.won < seat.won and (other.admin or message.opening is None)
            for other in self._seats.values()
            if other is not seat
        )

    def _take(self, seat: Seat, message: messages.Commit, now: float) -> list[Effect]:
        slot, closes = message.slot, message.opening is not None
        held = self.race.held
        late = [s for s in (held.seat if held else None, *self.race.end()) if s and s is not seat]
        if closes:
            self._signed_slot = slot
            for other in self._seats.values():
                if other.inside:
                    other.until = other.outside_since = now + limits.PASS_GRACE
        else:
            self._slots.take(now)
        committed = self._signatures.committed(self.numbers[-1], self.chain, message)
        self.slot, self.chain, self.chain_before = slot, committed.chain, self.chain
        in_use = {other.shown for other in self._seats.values() if other.shown is not None}
        self._gates.add(slot, signed.gate_of(message.blob), closes=closes, in_use=in_use, now=now)
        self._readiness.begin(slot, self._seats.values(), now)
        self._taken_at[slot] = now
        self._taken_at.pop(slot - limits.CATCH_UP_SLOTS, None)
        self.backlog.add_commit(committed)
        self._note_insiders(now)
        self._update_deadline()
        seat.won = slot
        seat.lost = -1
        effects: list[Effect] = []
        outside = [other.handle for other in self._seats.values() if now >= other.until]
        effects += [Send(other.handle, committed) for other in self._seats.values() if now < other.until]
        if outside:  # connections that may not have the blob have to know when to show their pass
            opened = self._opened()
            effects += [Send(handle, opened) for handle in outside]
        for other in late:
            other.lost = slot
            effects.append(Send(other.handle, messages.Stale(slot, slot)))
        return effects

    # -- G8: rekey ---------------------------------------------------------------------------

    def _rekey(self, seat: Seat, message: messages.Rekey) -> list[Effect]:
        """Take another room admin key, and with it another number; earlier numbers lead here as well."""
        if message.room_admin_key == self._room_admin_key:
            return [Send(seat.handle, messages.Rekeyed(self._room_admin_key))]
        if signed.room_number(message.door_key, self._room_admin_key) != self.numbers[-1]:
            return refuse(seat.handle, "signature", "the door key is not this room's", "rekey")
        if len(self.numbers) >= limits.ROOM_NUMBERS:
            # A number that members look for stays, however often a hostile host goes on to another key.
            return refuse(seat.handle, "state", "the room has had too many keys", "rekey")
        number = signed.room_number(message.door_key, message.room_admin_key)
        if not self._signed_by_room_admin(signed.Rekey(number, seat.nonce).encode(), message.signature):
            return refuse(seat.handle, "signature", "the room admin's signature is wrong", "rekey")
        self._room_admin_key = message.room_admin_key
        self.numbers = [*(n for n in self.numbers if n != number), number]
        return self._to_all(messages.Rekeyed(self._room_admin_key))

    # -- G4: catch up ------------------------------------------------------------------------

    def _catch_up(self, seat: Seat, message: messages.CatchUp, current: int, now: float) -> list[Effect]:
        """Send held commits to a connection with a pass of the last slots, and relays if it may receive.

        If it may not receive, `relay` in the answer has the value of the request: the client asks again after
        it has shown the current pass.
        """
        if seat.shown is None or (seat.shown not in self._gates and not seat.inside):
            return refuse(seat.handle, "pass", "show a pass of the last slots", "catch_up")
        if message.slot > current:
            return refuse(seat.handle, "slot", "the room has not reached that slot", "catch_up")
        commits = self.backlog.commits
        if message.slot + 1 < (commits[0].slot if commits else current + 1):
            return refuse(seat.handle, "gone", "the blobs after that slot are no longer held", "catch_up")
        if not seat.catch_ups.take(now):
            return refuse(seat.handle, "rate", "too many catch-ups", "catch_up")
        receives = now < seat.until
        blobs, missing = self.backlog.since(message.slot, message.relay if receives else None)
        relay = self.backlog.last_relay if receives else message.relay
        return [
            *(Send(seat.handle, blob) for blob in blobs),
            Send(seat.handle, messages.CaughtUp(current, relay, missing)),
        ]

    # -- relay -------------------------------------------------------------------------------

    def _relay(self, message: messages.Relay, current: int, now: float) -> list[Effect]:
        relayed = self.backlog.add_relay(current, message.blob)
        return self._to_receivers(relayed, now)

    # -- memory and facts -------------------------------------------------------------------------------

    @property
    def handles(self) -> tuple[bytes, ...]:
        """The connections, in order of arrival."""
        return tuple(self._seats)

    def facts(self) -> RoomFacts:
        """Return everything that this room holds, for the operator's view."""
        return RoomFacts(
            number=self.number,
            numbers=tuple(self.numbers),
            room_admin_key=self._room_admin_key,
            slot=self.slot,
            handles=self.handles,
            commits=tuple(
                (c.slot, len(c.blob), self._taken_at.get(c.slot, math.nan)) for c in self.backlog.commits
            ),
            relays=tuple((r.relay, len(r.blob)) for _, r in self.backlog.relays),
            gates=len(self._gates),
            passes_current=sum(s.inside for s in self._seats.values()),
            streams=tuple(
                stream.kind for s in self._seats.values() if s.media is not None for stream in s.media.streams
            ),
            signature_lists=self.media.list_sizes,
            held_bytes=len(self.race.held.commit.blob) if self.race.held else 0,
            chain=self.chain,
            waiting=len(self.race),
            permission=b"" if self.permission is None else self.permission.id,
            seats=tuple((s.since, s.shown, s.won, s.lost) for s in self._seats.values()),
        )
