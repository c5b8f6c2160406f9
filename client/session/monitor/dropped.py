"""Why the meeting ended: a member ended it, the server is down, or the server has dropped us.

Protocol section 13. While the room is lost, a probe distinguishes these: a room that this member opens alone
at the same server, under a chain value that commits to the lost room's beats and receipts. The server's
receipt for it proves that the server was alive, and served others, after the members' last beats.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Final, Literal

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import CommandError, sentence
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.drop import EXCUSES, REFUSALS, STALLS, Drop, ProbeRun
from snugroom.client.session.monitor.monitor import ASLEEP, Monitor
from snugroom.crypto.entry import invite
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.proof import evidence
from snugroom.crypto.proof.evidence import (
    Evidence,
    Exhibit,
    NamedLeaf,
    Probe,
    ProbeReceipt,
    ServerEvent,
    SignedHeartbeat,
)
from snugroom.wire import messages as wire
from snugroom.wire import signed

#: Seconds without the room before the first probe; and between two probes.
PROBE_AFTER: Final = 1.0
PROBE_EVERY: Final = 10.0
#: Seconds for one probe: more than for making a connection, so that one which is still open was made.
PROBE_TIME: Final = 6.0
#: Maximum probes of one drop.
PROBES_MAX: Final = 12
#: Seconds without the room before a drop by the server is reported.
TELL_AFTER: Final = 3.0
#: This many losses within so many seconds are reported, and not again for so many seconds.
OFTEN: Final = 10
OFTEN_WITHIN: Final = 60.0
OFTEN_AGAIN: Final = 300.0
#: Seconds after which a server that said that it was full no longer says so: we try more often than that.
FULL_HOLDS: Final = 5.0
#: Seconds for which a server that we have left is still asked why.
MOVED_TIME: Final = 20.0


@dataclass
class _Full:
    """The server's claims that it has no place for us, or that it wants a password or token for the room.

    Strangers can cause the first, a restart the second.
    """

    code: Literal["full", "permission"]
    since: float
    at: float
    text: str
    told: bool = False


class Dropped(Feature):
    """Watches the room's connection, and keeps evidence of its end."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._ticked = inf
        self._server_key: bytes | None = None  # as of the last time in step, and where that was
        self._place: tuple[str, int] = "", 0
        self._drop: Drop | None = None
        self._last: Drop | None = None  # the previous drop that was reported
        #: The previous one that was not: the server refused us, or had another key afterwards.
        self._unreported: Drop | None = None
        self._saved = 0  # how many contradictions of the server are in the evidence file
        self._words: deque[ServerEvent] = deque(maxlen=evidence.SERVER_EVENTS_MAX)
        self._lost_at: deque[float] = deque(maxlen=OFTEN)
        self._often_told = -inf
        self._full: _Full | None = None
        self._heard_at = -inf  # when the server was heard last on the room's connection
        self._open_key = b""  # the server's, if the last connection's challenge asks for no permission
        self._excused = False  # whether the connection ends for a reason that accuses nobody
        self._refused = False  # whether it ends with a word of the server

    def carry_over(self, old: Room) -> None:
        before = old.feature(Dropped)
        self._server_key, self._drop, self._last = before._server_key, before._drop, before._last
        self._words, self._place, self._heard_at = before._words, before._place, before._heard_at
        self._open_key, self._unreported, self._saved = before._open_key, before._unreported, before._saved

    # -- the connection ------------------------------------------------------------------------------

    def synced(self, now: float) -> None:
        here = self.room.here
        self._server_key, self._place = self.room.server_key, (here.origin, here.attempt)

    def server_heard(self, now: float) -> None:
        self._heard_at = now

    def challenged(self, challenge: wire.Challenge) -> None:
        self._open_key = challenge.server_key if challenge.permission is None else b""
        if self._drop is not None and self._open_key:
            self._drop.open_keys.add(self._open_key)

    def server_notice(self, notice: wire.Refused | wire.Closing, now: float) -> None:
        code, text = notice.code, notice.text
        self._note(now, code, text)
        if isinstance(notice, wire.Refused) and not notice.fatal:
            return
        drop = self._drop if self._is_at_drop() else None
        self._refused = True
        if code in EXCUSES:
            self._excused = True  # and so is the end of the connection that follows
        elif drop is not None:
            drop.refusals += REFUSALS
        if code in ("full", "permission"):
            excuse: Literal["full", "permission"] = "full" if code == "full" else "permission"
            if self._full is None or self._full.code != code:
                self._full = _Full(excuse, now, now, text)
            self._full.at, self._full.text = now, text
            if drop is not None:
                drop.excuse = excuse
        if code == "permission" and drop is not None and self.room.server_key is not None:
            drop.permission_keys.add(self.room.server_key)

    def lost(self, why: str, now: float, *, by_server: bool) -> None:
        by_server, self._excused = by_server and not self._excused, False
        refused, self._refused = self._refused, False
        if self._server_key is None:
            return  # we were never in: nothing could be dropped
        if self._drop is not None and self._is_at_drop():
            self._drop.failures += 1
            self._drop.refusals += by_server
            self._drop.refused |= refused
        here = self.room.here
        if (here.origin, here.attempt) != self._place:
            return  # we only look whether the others are there
        if self._drop is None and not self.room.leaves_server:
            self._note(now, "lost", why)
            self._drop = self._new_drop(now, self._server_key)
            self._drop.refused = refused
            self._lost_at.append(now)

    def _new_drop(self, now: float, server_key: bytes) -> Drop:
        record, here = self.room.feature(Monitor).record, self.room.here
        beats = [SignedHeartbeat(key, beat) for beat, key in record.beats]
        return Drop(
            now,
            beats[-evidence.LISTED_MAX :],
            record.receipts,
            server_key,
            here.origin,
            here.elsewhere,
            self._heard_at,
            excuse="" if self._full is None else self._full.code,
            open_keys={self._open_key} - {b""},
        )

    def _note(self, now: float, code: str, text: str) -> None:
        """Keep a word of the server, or an act; a repeated one does not push out the others."""
        word = ServerEvent(int(now), code[: evidence.TEXT_MAX], text[: evidence.TEXT_MAX])
        if not self._words or (self._words[-1].code, self._words[-1].text) != (word.code, word.text):
            self._words.append(word)

    def _is_at_drop(self) -> bool:
        """Return whether we are trying the server that we have lost."""
        return self._drop is not None and self.room.here.origin == self._drop.origin

    def _inside(self) -> bool:
        """Return whether the server lets us into the room, and the room is open."""
        there = bool(self.room.handle) and self.room.server_slot is not None
        return there and not self.room.awaits_entry

    def _restarted(self, drop: Drop) -> bool:
        """Return whether the server of the drop lets us in with another key: a process that knows no rooms.

        We may have been in step at another server since.
        """
        key = self.room.server_key
        return bool(self.room.handle) and key is not None and key != drop.server_key

    def tick(self, now: float) -> None:
        slept, self._ticked = now - self._ticked, now
        drop, full = self._drop, self._full
        found = len(self.room.feature(Monitor).record.contradictions)
        if found > self._saved and self._server_key is not None:
            self._saved = found
            self._save(now)
        if full is not None and (self._inside() or now - full.at > FULL_HOLDS):
            full = self._full = None
        if drop is None:
            if full is not None:
                self._wait_for_a_place(full, None, now)
            return
        if slept > ASLEEP:
            if drop.run is not None:
                self.room.perform(ev.Disconnect(ev.PROBE))
            drop.woke_up(now, slept)
        moved = not self._is_at_drop()
        if self._inside() and (not moved or drop.told_at is not None or now - drop.since > MOVED_TIME):
            self._back(drop, now)
            return
        self._look_for_the_room(drop, now)
        self._tick_probe(drop, now)
        if full is not None and not drop.is_act(now):
            self._wait_for_a_place(full, drop, now)
        else:
            self._judge(drop, now, moved)

    def _look_for_the_room(self, drop: Drop, now: float) -> None:
        """Note when the process that had our room lets us in, and says that it has no such room."""
        here, key = self.room.here, self.room.server_key
        same = (here.origin, here.attempt) == self._place and key == drop.server_key
        if not (same and self.room.handle and self.room.server_slot is None):
            drop.roomless_at = None
        elif drop.roomless_at is None:
            drop.roomless_at = now

    def _wait_for_a_place(self, full: _Full, drop: Drop | None, now: float) -> None:
        """Report what the server says: its other rooms may go on. A member inside keeps evidence of it."""
        if not full.told and now - full.since >= TELL_AFTER:
            full.told = True
            lost = drop if drop is not None and drop.excuse else None  # else another server says so
            proof = None if lost is None else sentences.proof(self.room.options.evidence)
            self.room.tell(sentences.no_place(full.code, full.text, proof))
            if lost is not None:
                self._keep(lost, now)
        elif full.told and drop is not None and now - full.since > self.room.options.patience:
            self._save(now)
            why = sentence(f"dropped.{full.code}")
            self.room.finish("dropped", sentence("dropped.gave_up", what=why))

    def _keep(self, drop: Drop, now: float) -> None:
        """Keep the evidence of a drop of which a person was told."""
        if drop.told_at is None:
            drop.told_at = now
        self._save(now)

    def _back(self, drop: Drop, now: float) -> None:
        often = len(self._lost_at) == OFTEN and now - self._lost_at[0] < OFTEN_WITHIN
        if often and now - self._often_told > OFTEN_AGAIN:
            self._often_told = now
            self.room.tell(sentences.alarm("dropped.often", count=OFTEN))
        if drop.run is not None:
            self.room.perform(ev.Disconnect(ev.PROBE))
            drop.run = None
        self._drop = None
        if drop.told_at is not None or drop.excuse:
            self._last = drop
            self._save(now)
        elif drop.refused or self._restarted(drop):
            self._unreported = drop  # what was answered to whom; the others can have seen no restart
            self._save(now)

    # -- the probe -------------------------------------------------------------------------------------

    def _tick_probe(self, drop: Drop, now: float) -> None:
        run, slow = drop.run, self.room.options.slowness
        if run is not None and now - run.began > PROBE_TIME * slow:
            text = f"No new room was opened, signed or refused within {PROBE_TIME * slow:.0f} s."
            self._probe_over(drop, now, text, answered=run.server_key != b"")
        # the second of two probes, between which enough connections have failed, decides: it comes sooner
        every = PROBE_EVERY / 2 if drop.failures >= STALLS and not drop.stalls else PROBE_EVERY
        due = now - drop.since >= PROBE_AFTER if drop.probed_at is None else now - drop.probed_at >= every
        needed = not drop.proven or drop.told_at is None
        if drop.run is None and due and drop.probes < PROBES_MAX and needed:
            self._start_probe(drop, now)

    def _start_probe(self, drop: Drop, now: float) -> None:
        rng = self.room.rng
        chain = evidence.probe_chain(self.room.number, drop.beats, drop.receipts)
        drop.run = ProbeRun(now, SigningKey.generate(rng), SigningKey.generate(rng), chain)
        drop.probes += 1
        drop.probed_at = now
        self.room.perform(ev.Connect(ev.PROBE, origin=drop.elsewhere))

    def further(self, what: ev.Received | ev.Lost, now: float) -> None:
        if not what.endpoint.probe:
            return
        if isinstance(what, ev.Received):
            self._probe_received(what.message, now)
        else:
            self._probe_lost(what, now)

    def _probe_received(self, message: wire.ServerMessage, now: float) -> None:
        drop = self._drop
        if drop is None or drop.run is None:
            return
        run = drop.run
        match message:
            case wire.Challenge():
                run.server_key = message.server_key
                if message.permission is None:
                    drop.open_keys.add(message.server_key)
                nonce = self.room.rng(32)
                text = invite.door_message(drop.origin, run.number, message.nonce, nonce)
                door = run.door_key.public, run.room_admin_key.public
                permit = self.room.permit  # that of the lost room is good for a probe
                probe = None if permit is None else self.room.room_admin_keys.number
                signature = run.door_key.sign(text)
                self._send(wire.RoomDoor(*door, nonce, signature, permit=permit, probe=probe))
                gate = self.room.rng(32)
                text = signed.Opening(run.number, 0, gate, run.chain).encode()
                self._send(wire.Open(0, gate, run.chain, run.room_admin_key.sign(text)))
            case wire.Opened():
                self._opened(drop, run, message, now)
            case wire.Refused() | wire.Closing():
                if message.code == "permission":
                    drop.permission_keys.add(run.server_key)
                why = f"The server refused a new room with the code {message.code!r}: {message.text}"
                self._probe_over(drop, now, why, answered=True, refused=True)
            case _:
                pass

    def _opened(self, drop: Drop, run: ProbeRun, opened: wire.Opened, now: float) -> None:
        try:
            opening_id = opened.opening_id
            invite.verify_opened(run.server_key, run.number, opening_id, 0, run.chain, opened.signature)
        except SnugError:
            text = "The server opened a new room, and did not sign it."
            self._probe_over(drop, now, text, answered=True, refused=True)
            return
        receipt = ProbeReceipt(run.number, run.server_key, opening_id, opened.signature)
        same = run.server_key == drop.server_key
        text = "The server opened and signed a new room" + (
            "." if same else ", by another key: it was restarted."
        )
        self._probe_over(drop, now, text, answered=True, receipt=receipt)

    def _probe_lost(self, lost: ev.Lost, now: float) -> None:
        if self._drop is not None and self._drop.run is not None:
            there = lost.answered or self._drop.run.server_key != b""
            text = f"No new room was opened: {lost.why}"
            self._probe_over(self._drop, now, text, answered=there, refused=lost.by_server)

    def _probe_over(
        self,
        drop: Drop,
        now: float,
        text: str,
        *,
        answered: bool,
        refused: bool = False,
        receipt: ProbeReceipt | None = None,
    ) -> None:
        probe = Probe(int(now), text[: evidence.TEXT_MAX], receipt)
        if drop.probed(probe, answered=answered, refused=refused):
            self.room.hurry(now)  # our own pause between two tries is no act of the server
        self.room.perform(ev.Disconnect(ev.PROBE))
        if drop.told_at is not None:
            self._save(now)

    def _send(self, message: wire.ClientMessage) -> None:
        self.room.perform(ev.Transmit(ev.PROBE, message))

    # -- conclusions -------------------------------------------------------------------------------------

    def _judge(self, drop: Drop, now: float, moved: bool) -> None:
        if drop.probe is None or now - drop.since < TELL_AFTER * self.room.options.slowness:
            return
        if drop.is_act(now):
            # we went on elsewhere: it may be down by now, or a process that would let us in
            if not moved or (drop.answered and drop.what != "restarted"):
                self._accuse(drop, now, moved)
        elif not moved and (not drop.answered or self._restarted(drop)):
            if not drop.told_away and drop.told_at is None:
                drop.told_away = True
                why = "restarted" if self._restarted(drop) else "unreachable"
                self.room.tell(sentences.status(f"away.{why}"))
        elif not moved and drop.stalls and drop.told_at is None:
            self.room.tell(sentences.dropped("unclear", saved=self.room.options.evidence, count=STALLS))
            self._keep(drop, now)

    def _accuse(self, drop: Drop, now: float, moved: bool) -> None:
        if drop.accused_at is None:
            drop.accused_at = now
            self.room.tell(sentences.dropped(drop.what, saved=self.room.options.evidence))
            self._keep(drop, now)
        elif not moved and now - drop.accused_at + TELL_AFTER > self.room.options.patience:
            self._save(now)
            self.room.finish("dropped", sentence("dropped.gave_up", what=sentence(f"dropped.{drop.what}")))

    # -- evidence ------------------------------------------------------------------------------------------

    def save(self, path: str, names: bool, now: float) -> None:
        """Write evidence to a file; CommandError if no evidence exists yet."""
        self.room.perform(ev.Save("evidence", path, self.export(names, now)))

    def _save(self, now: float) -> None:
        options = self.room.options
        if options.evidence is not None:
            self.save(options.evidence, options.evidence_names, now)

    @property
    def last(self) -> Drop | None:
        """The last drop that was reported and is over: we are in the room again, here or elsewhere."""
        return self._last

    def export(self, names: bool, now: float) -> bytes:
        """Return the evidence file, of our own exhibits. CommandError if we were never in step."""
        return evidence.encode(Evidence(evidence.FORMAT, self.exhibits(names, now)))

    def exhibits(self, names: bool, now: float) -> list[Exhibit]:
        """Return our exhibits, on now and the last drops: at least one. CommandError if never in step.

        They are about one server: that of the last drop, if the meeting has moved since.
        """
        if self._server_key is None:
            raise CommandError(sentence("cannot.no_evidence"))
        drops = [drop for drop in (self._unreported, self._last, self._drop) if drop is not None]
        here = self._place[0]
        about = drops[-1].origin if drops else here
        exhibits = [
            self._exhibit(drop, int(drop.at), drop.probe, names, now)
            for drop in drops
            if drop.origin == about
        ]
        if self._drop is None and about == here:
            exhibits.append(self._exhibit(self._new_drop(now, self._server_key), None, None, names, now))
        return exhibits

    def _exhibit(
        self, drop: Drop, dropped_at: int | None, probe: Probe | None, names: bool, now: float
    ) -> Exhibit:
        m = self.room.membership
        leaves = []
        known = self.room.feature(Monitor).record.contradictions
        room_for = evidence.SERVER_EVENTS_MAX - len(known)
        if names:
            members = m.group.members()
            leaves = [NamedLeaf(x.leaf, m.group.group_id, x.leaf_node.encoded) for x in members]
        unsigned = Exhibit(
            at=int(now),
            origin=drop.origin[: evidence.TEXT_MAX],
            number=self.room.number,
            server_key=drop.server_key,
            dropped_at=dropped_at,
            beats=drop.beats,
            receipts=drop.receipts,
            last_words=[*known, *list(self._words)[-room_for:]],
            probe=probe,
            leaves=leaves,
            key=m.signature_key(m.own_leaf) or bytes(32),
            signature=bytes(64),
        )
        return unsigned.signed(m.sign)
