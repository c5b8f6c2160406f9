"""Why the meeting ended: a member ended it, the server is down, or the server has dropped us.

Protocol section 13. While the room is lost, a probe distinguishes these: a room that this member opens alone
at the same server, under a chain value that commits to the lost room's beats and receipts. The server's
receipt for it proves that the server was alive, and served others, after the members' last beats.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.monitor import ASLEEP, Monitor
from snugroom.crypto.entry import invite
from snugroom.crypto.errors import SnugCryptoError
from snugroom.crypto.kdf import SigningKey
from snugroom.crypto.proof import evidence
from snugroom.crypto.proof.evidence import (
    Evidence,
    Exhibit,
    NamedLeaf,
    Probe,
    ProbeReceipt,
    Receipt,
    ServerEvent,
    SignedHeartbeat,
)
from snugroom.server.wire import messages as wire

#: Seconds without the room before the first probe; and between two probes.
PROBE_AFTER: Final = 1.0
PROBE_EVERY: Final = 10.0
#: Seconds for one probe: more than for making a connection, so that one which is still open was made.
PROBE_TIME: Final = 6.0
#: Maximum probes of one drop.
PROBES_MAX: Final = 12
#: Seconds without the room before a drop by the server is reported.
TELL_AFTER: Final = 3.0
#: Seconds for the room's own connection to recover, after a probe has found the server, before a report;
#: twice as long as the probe took, if that is longer.
SETTLE: Final = 2.0
#: This many losses within so many seconds are reported, and not again for so many seconds.
OFTEN: Final = 10
OFTEN_WITHIN: Final = 60.0
OFTEN_AGAIN: Final = 300.0
#: Refusals of new connections that show that a server keeps us out, where the meeting has moved on: a notice
#: of the server counts twice. A single attempt can fail as the network comes back.
REFUSALS: Final = 2
#: Seconds after which a server that said that it was full no longer says so: we try more often than that.
FULL_HOLDS: Final = 5.0
#: Seconds for which a server that we have left is still asked why.
MOVED_TIME: Final = 20.0
#: Seconds of absence after which a server may honestly have forgotten the room (30 s, less a margin).
FORGOTTEN: Final = 25.0


@dataclass
class _Run:
    """One probe under way."""

    began: float
    door_key: SigningKey
    room_admin_key: SigningKey
    chain: bytes
    server_key: bytes = b""

    @property
    def number(self) -> bytes:
        return invite.room_number(self.door_key.public, self.room_admin_key.public)


@dataclass
class Drop:
    """One period without the room: the state when it began, and the findings since."""

    at: float
    beats: list[SignedHeartbeat]
    receipts: list[Receipt]
    server_key: bytes
    origin: str
    elsewhere: str = ""  # the same for `events.Connect`
    since: float = field(init=False)  # as `at`, or when this machine woke up
    probes: int = 0
    probed_at: float | None = None
    run: _Run | None = None
    probe: Probe | None = None  # the last finished one
    answered: bool = False  # whether the server was there at that probe
    answered_at: float | None = None  # when a probe first found it there
    took: float = 0.0  # seconds that this probe took: a busy computer needs more than that for the room
    told_at: float | None = None
    told_away: bool = False
    here_at: float | None = None  # since when we have been trying that server; None: we try others
    refusals: int = 0  # how often the server did not let us back in, although it was there
    last_words: list[ServerEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.since = self.at

    def woke_up(self, now: float, slept: float) -> None:
        """Begin anew after this machine has slept: the server was not asked, and our patience did not run."""
        self.since = now
        self.run = self.probe = self.probed_at = self.answered_at = None
        self.answered = False
        if self.told_at is not None:
            self.told_at += slept

    @property
    def proven(self) -> bool:
        """Whether the server with the lost room's key has signed the probe."""
        receipt = None if self.probe is None else self.probe.receipt
        return receipt is not None and receipt.server_key == self.server_key


@dataclass
class _Full:
    """The server's claims that it has no place for us, or that it wants a password or token for the room.

    Strangers can cause the first, a restart the second, and nothing proves more.
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
        self._words: deque[ServerEvent] = deque(maxlen=evidence.SERVER_EVENTS_MAX)
        self._lost_at: deque[float] = deque(maxlen=OFTEN)
        self._often_told = -inf
        self._full: _Full | None = None

    def carry_over(self, old: Room) -> None:
        before = old.feature(Dropped)
        self._server_key, self._drop, self._last = before._server_key, before._drop, before._last
        self._words, self._place = before._words, before._place

    # -- the connection ------------------------------------------------------------------------------

    def synced(self, now: float) -> None:
        here = self.room.here
        self._server_key, self._place = self.room.server_key, (here.origin, here.attempt)

    def server_notice(self, code: str, text: str, now: float) -> None:
        self._words.append(_word(now, code, text))
        self._refused(REFUSALS)
        if code in ("full", "permission"):
            if self._full is None or self._full.code != code:
                self._full = _Full("full" if code == "full" else "permission", now, now, text)
            self._full.at, self._full.text = now, text

    def lost(self, why: str, now: float, *, answered: bool) -> None:
        if self._server_key is None:
            return  # we were never in: nothing could be dropped
        if answered:
            self._refused(1)
        here = self.room.here
        if (here.origin, here.attempt) != self._place:
            return  # we only look whether the others are there
        if self._drop is None and not self.room.leaves_server:
            self._words.append(_word(now, "lost", why))
            beats, receipts = self._record()
            self._drop = Drop(now, beats, receipts, self._server_key, here.origin, here.elsewhere)
            self._lost_at.append(now)

    def _refused(self, count: int) -> None:
        """Note that the server did not let us back in."""
        if self._drop is not None and self.room.here.origin == self._drop.origin:
            self._drop.refusals += count

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
        if full is not None and (self._inside() or now - full.at > FULL_HOLDS):
            full = self._full = None
        if full is not None:
            self._wait_for_a_place(full, now)
            return
        if drop is None:
            return
        if slept > ASLEEP:
            if drop.run is not None:
                self.room.perform(ev.Disconnect(ev.PROBE))
            drop.woke_up(now, slept)
        moved = self.room.here.origin != drop.origin
        drop.here_at = None if moved else now if drop.here_at is None else drop.here_at
        if self._inside() and (not moved or drop.told_at is not None or now - drop.since > MOVED_TIME):
            self._back(drop, now)
            return
        slow = self.room.options.slowness
        if drop.run is not None and now - drop.run.began > PROBE_TIME * slow:
            self._probe_over(drop, now, "The server took a new connection, and said nothing.", answered=True)
        due = (
            now - drop.since >= PROBE_AFTER if drop.probed_at is None else now - drop.probed_at >= PROBE_EVERY
        )
        if drop.run is None and due and drop.probes < PROBES_MAX and not drop.proven:
            self._start_probe(drop, now)
        self._judge(drop, now, moved)

    def _wait_for_a_place(self, full: _Full, now: float) -> None:
        """Report what the server says, without evidence: its other rooms go on."""
        if not full.told and now - full.since >= TELL_AFTER:
            full.told = True
            told = (
                sentences.alarm("full", why=full.text) if full.code == "full" else sentences.alarm("unopened")
            )
            self.room.tell(told)
        elif full.told and self._drop is not None and now - full.since > self.room.options.patience:
            why = sentence(f"dropped.{full.code}")
            self.room.finish("dropped", sentence("dropped.gave_up", what=why))

    def _back(self, drop: Drop, now: float) -> None:
        often = len(self._lost_at) == OFTEN and now - self._lost_at[0] < OFTEN_WITHIN
        if often and now - self._often_told > OFTEN_AGAIN:
            self._often_told = now
            self.room.tell(sentences.alarm("dropped.often", count=OFTEN))
        if drop.run is not None:
            self.room.perform(ev.Disconnect(ev.PROBE))
            drop.run = None
        if drop.told_at is not None:
            self._last = drop
        self._drop = None

    # -- the probe -------------------------------------------------------------------------------------

    def _start_probe(self, drop: Drop, now: float) -> None:
        rng = self.room.rng
        chain = evidence.probe_chain(self.room.number, drop.beats, drop.receipts)
        drop.run = _Run(now, SigningKey.generate(rng), SigningKey.generate(rng), chain)
        drop.probes += 1
        drop.probed_at = now
        self.room.perform(ev.Connect(ev.PROBE, origin=drop.elsewhere))

    def further(self, what: ev.Received | ev.Lost, now: float) -> None:
        if not what.endpoint.probe:
            return
        if isinstance(what, ev.Received):
            self._probe_received(what.message, now)
        else:
            self._probe_lost(what.why, what.answered, now)

    def _probe_received(self, message: wire.ServerMessage, now: float) -> None:
        drop = self._drop
        if drop is None or drop.run is None:
            return
        run = drop.run
        match message:
            case wire.Challenge():
                run.server_key = message.server_key
                nonce = self.room.rng(32)
                text = invite.door_message(drop.origin, run.number, message.nonce, nonce)
                door = run.door_key.public, run.room_admin_key.public
                permit = self.room.permit  # that of the lost room is good for a probe
                probe = None if permit is None else self.room.room_admin_keys.number
                signature = run.door_key.sign(text)
                self._send(wire.RoomDoor(*door, nonce, signature, permit=permit, probe=probe))
                gate = self.room.rng(32)
                text = invite.open_message(run.number, 0, gate, run.chain)
                self._send(wire.Open(0, gate, run.chain, run.room_admin_key.sign(text)))
            case wire.Opened():
                self._opened(drop, run, message, now)
            case wire.Refused() | wire.Closing():
                self._probe_over(drop, now, f"The server refused a new room: {message.text}", answered=True)
            case _:
                pass

    def _opened(self, drop: Drop, run: _Run, opened: wire.Opened, now: float) -> None:
        try:
            invite.verify_receipt(run.server_key, run.number, 0, run.chain, opened.signature)
        except SnugCryptoError:
            self._probe_over(drop, now, "The server opened a new room, and did not sign it.", answered=True)
            return
        receipt = ProbeReceipt(run.number, run.server_key, opened.signature)
        same = run.server_key == drop.server_key
        text = "The server opened and signed a new room" + (
            "." if same else ", by another key: it was restarted."
        )
        self._probe_over(drop, now, text, answered=True, receipt=receipt)

    def _probe_lost(self, why: str, answered: bool, now: float) -> None:
        if self._drop is not None and self._drop.run is not None:
            there = answered or self._drop.run.server_key != b""
            self._probe_over(self._drop, now, f"The server did not serve a new room: {why}", answered=there)

    def _probe_over(
        self, drop: Drop, now: float, text: str, *, answered: bool, receipt: ProbeReceipt | None = None
    ) -> None:
        drop.run = None
        drop.probe = Probe(int(now), text[: evidence.TEXT_MAX], receipt)
        drop.answered = answered
        if answered and drop.answered_at is None:
            drop.answered_at = now
            drop.took = now - (drop.probed_at or now)
            self.room.hurry(now)  # our own pause between two tries is no act of the server
        self.room.perform(ev.Disconnect(ev.PROBE))
        if drop.told_at is not None:
            self._save(now)

    def _send(self, message: wire.ClientMessage) -> None:
        self.room.perform(ev.Transmit(ev.PROBE, message))

    # -- conclusions -------------------------------------------------------------------------------------

    def _judge(self, drop: Drop, now: float, moved: bool) -> None:
        slow = self.room.options.slowness
        if drop.probe is None or now - drop.since < TELL_AFTER * slow:
            return
        if moved and (not drop.answered or drop.refusals < REFUSALS or self._what(drop) == "restarted"):
            return  # we went on elsewhere: it may be down, out of reach, or a process that would let us in
        if not drop.answered or (self._restarted(drop) and not moved):
            if not drop.told_away and drop.told_at is None:
                drop.told_away = True
                why = "restarted" if self._restarted(drop) else "unreachable"
                self.room.tell(sentences.status(f"away.{why}"))
            return
        settle = max(SETTLE * slow, 2 * drop.took)
        if now - max(drop.answered_at or drop.at, drop.here_at or drop.at) < settle:
            return  # the network is back, or we are: perhaps the room is as well
        if drop.told_at is None:
            drop.told_at = now
            self.room.tell(sentences.dropped(self._what(drop), saved=self.room.options.evidence))
            self._save(now)
        elif not moved and now - drop.told_at + TELL_AFTER > self.room.options.patience:
            self._save(now)
            why = sentence(f"dropped.{self._what(drop)}")
            self.room.finish("dropped", sentence("dropped.gave_up", what=why))

    def _what(self, drop: Drop) -> sentences.Drop:
        receipt = None if drop.probe is None else drop.probe.receipt
        if receipt is None:
            return "refuses"
        if receipt.server_key != drop.server_key:
            return "restarted"
        absent = drop.probed_at is not None and drop.probed_at - drop.at > FORGOTTEN
        return "forgotten" if self.room.handle and absent else "serves"

    # -- evidence ------------------------------------------------------------------------------------------

    def save(self, path: str, names: bool, now: float) -> None:
        """Write evidence to a file; ValueError if no evidence exists yet."""
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
        """Return the evidence file, of our own exhibits. ValueError if we were never in step."""
        return evidence.encode(Evidence(evidence.FORMAT, self.exhibits(names, now)))

    def exhibits(self, names: bool, now: float) -> list[Exhibit]:
        """Return our exhibits, on now and the last drop, at least one. ValueError if we were never in step.

        They are about one server: that of the last drop, if the meeting has moved since.
        """
        if self._server_key is None:
            raise ValueError(sentence("cannot.no_evidence"))
        drops = [drop for drop in (self._last, self._drop) if drop is not None]
        here = self._place[0]
        about = drops[-1].origin if drops else here
        exhibits = [
            self._exhibit(drop, int(drop.at), drop.probe, names, now)
            for drop in drops
            if drop.origin == about
        ]
        if self._drop is None and about == here:
            beats, receipts = self._record()
            current = Drop(now, beats, receipts, self._server_key, here)
            exhibits.append(self._exhibit(current, None, None, names, now))
        return exhibits

    def _exhibit(
        self, drop: Drop, dropped_at: int | None, probe: Probe | None, names: bool, now: float
    ) -> Exhibit:
        m = self.room.membership
        leaves = []
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
            last_words=list(self._words),
            probe=probe,
            leaves=leaves,
            key=m.signature_key(m.own_leaf) or bytes(32),
            signature=bytes(64),
        )
        return unsigned.signed(m.sign)

    def _record(self) -> tuple[list[SignedHeartbeat], list[Receipt]]:
        record = self.room.feature(Monitor).record
        beats = [SignedHeartbeat(key, beat) for beat, key in record.beats]
        receipts = [Receipt(r.number, r.server_key, r.slot, r.chain, r.signature) for r in record.receipts]
        return beats[-evidence.LISTED_MAX :], receipts[-evidence.LISTED_MAX :]


def _word(now: float, code: str, text: str) -> ServerEvent:
    return ServerEvent(int(now), code[: evidence.TEXT_MAX], text[: evidence.TEXT_MAX])
