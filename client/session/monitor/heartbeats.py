"""Heartbeats: send and receive beats; encoding, keys and timing. `monitor` draws the conclusions."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.ordering import Ordering
from snugroom.crypto.agreed import envelope, policy
from snugroom.crypto.agreed.heartbeat import NO_HEARTBEAT, Counters, Got, Heartbeat, PendingAct, server_mark
from snugroom.crypto.errors import AuthenticationError, MalformedError, SnugError, ValidationError
from snugroom.crypto.kdf import H
from snugroom.crypto.proof.evidence import TEXT_MAX, Receipt, ServerEvent
from snugroom.wire.limits import BUCKETS

#: Minimum seconds between two beats of one member, and seconds per member of a large room.
INTERVAL_MIN: Final = 5.0
INTERVAL_PER_MEMBER: Final = 0.1
#: Minimum seconds between two beats with urgent news, and seconds between two members that send them.
URGENT_INTERVAL_MIN: Final = 1.0
URGENT_STEP: Final = 0.02
#: Seconds for which the heartbeat key from before an eviction is kept.
OLD_KEY: Final = 15.0
#: Beats that are remembered: each member's to check new ones, and our own for their times of sending.
HISTORY_MAX: Final = 64
#: Heartbeats, and receipts, that are kept as evidence.
RECORDED: Final = 64
#: Receipts that contradict others, and other contradictions, of which so many are kept.
CONTRADICTING: Final = 8


def interval(members: int) -> float:
    """Return the seconds between two beats of one member in a room of that many."""
    return max(INTERVAL_MIN, INTERVAL_PER_MEMBER * members)


def _place(receipt: Receipt) -> tuple[bytes, bytes, int]:
    """Return what an honest server signs once."""
    return receipt.server_key, receipt.opening_id, receipt.slot


class Record:
    """Evidence: the last verified beats, as they were signed, and the last receipts.

    Bounded; a member that beats too often displaces only its own beats.
    """

    def __init__(self) -> None:
        #: (encoded `crypto.agreed.heartbeat.Heartbeat`, its leaf's signature key) of all, oldest first.
        self.beats: deque[tuple[bytes, bytes]] = deque()
        self._beats_of: Counter[bytes] = Counter()  # by key
        self._receipts: deque[Receipt] = deque(maxlen=RECORDED)
        #: Pairs of receipts that cannot both be an honest server's; the first ones stay.
        self._contradicting: list[Receipt] = []
        #: Acts of the server that no honest one does, in words; the first ones stay.
        self.contradictions: list[ServerEvent] = []

    @property
    def receipts(self) -> list[Receipt]:
        """The receipts to show: those that contradict each other, then the newest, at most RECORDED."""
        pairs = self._contradicting
        others = [receipt for receipt in self._receipts if receipt not in pairs]
        return [*pairs, *others[max(0, len(others) + len(pairs) - RECORDED) :]]

    def add_receipt(self, receipt: Receipt, *, ours: bool) -> None:
        """Store a verified receipt. One of another history counts only if it contradicts one of ours."""
        if ours:
            self._receipts.append(receipt)
            return
        place, pairs = _place(receipt), self._contradicting
        other = next((r for r in self._receipts if _place(r) == place and r.chain != receipt.chain), None)
        known = any(_place(r) == place and r.chain == receipt.chain for r in pairs)
        if other is None or known:
            return
        new = [receipt] if other in pairs else [other, receipt]
        if len(pairs) + len(new) <= CONTRADICTING:
            pairs += new

    def add_contradiction(self, now: float, code: str, text: str) -> None:
        """Store what the server has shown, in words; the same again is nothing new."""
        known = [(event.code, event.text) for event in self.contradictions]
        if len(known) < CONTRADICTING and (code, text) not in known:
            self.contradictions.append(ServerEvent(int(now), code, text[:TEXT_MAX]))

    def add(self, beat: bytes, key: bytes) -> None:
        """Store a beat; beyond RECORDED, drop the oldest beat of the key with most beats."""
        self.beats.append((beat, key))
        self._beats_of[key] += 1
        if len(self.beats) > RECORDED:
            most = max(self._beats_of.values())
            at = next(at for at, (_, by) in enumerate(self.beats) if self._beats_of[by] == most)
            busiest = self.beats[at][1]
            del self.beats[at]
            self._beats_of[busiest] -= 1
            if not self._beats_of[busiest]:
                del self._beats_of[busiest]


@dataclass(frozen=True)
class DoubleBeat:
    """A leaf has signed two beats that contradict each other; `text` says how."""

    leaf: int
    text: str


@dataclass
class BeatHistory:
    """The received beats of one membership."""

    key: bytes
    since: int
    known: OrderedDict[int, tuple[bytes, bytes]] = field(default_factory=OrderedDict)  # seq -> (prev, digest)
    last: Heartbeat | None = None
    handle: bytes = b""  # the connection of its last beat
    gaps: int = 0  # beats that never arrived

    def accept(self, beat: Heartbeat, digest: bytes) -> bool:
        """Check a beat against earlier ones; return False if it is late. ValidationError("SNUG-19")."""
        policy.snug_19(seq=beat.seq, prev=beat.prev, digest=digest, known=self.known)
        last = self.last
        goes_back = last is not None and (beat.slot < last.slot or beat.epoch < last.epoch)
        if goes_back and last is not None and beat.seq > last.seq:
            raise ValidationError("SNUG-19", f"beat {beat.seq} is of an earlier slot than one before it")
        self.known[beat.seq] = (beat.prev, digest)
        while len(self.known) > HISTORY_MAX:
            self.known.popitem(last=False)
        if self.last is not None and beat.seq < self.last.seq:
            return False
        if self.last is not None:  # earlier beats were not for us
            self.gaps += beat.seq - self.last.seq - 1
        self.last = beat
        return True


class Heartbeats:
    """Our own history, the others' histories, and the counters that we sign."""

    def __init__(self, room: Room, now: float) -> None:
        self._room = room
        self._key = room.membership.heartbeat_key
        self._old_key: tuple[bytes, float] | None = None  # and until when it is kept
        self._goodbye = False  # the next beat is also sent under the key from before an eviction
        self.since = room.membership.journal.slot
        self._seq = 0
        self._prev = NO_HEARTBEAT
        self._last_sent = 0.0
        self._due = now
        self._ours: OrderedDict[int, float] = OrderedDict()  # seq -> when it was sent
        self.sent: dict[int, int] = {}
        self.got: dict[int, dict[int, int]] = {}
        self.histories: dict[int, BeatHistory] = {}
        self._joined: dict[int, int] = {}  # leaf -> the slot that brought it in, if we saw it
        #: And whose commit that was.
        self.let_in_by: dict[int, int] = {}
        self.record = Record()

    # -- our beats ---------------------------------------------------------------------------------

    def schedule_soon(self, now: float, senders: list[int]) -> None:
        """Beat soon, in our turn, if we are one of those leaves: the others need to know of a change."""
        if self._room.membership.own_leaf not in senders:
            return
        n, rank = len(senders), senders.index(self._room.membership.own_leaf)
        turn = URGENT_STEP * rank if n * URGENT_STEP <= URGENT_INTERVAL_MIN else interval(n) * rank / n
        gap = max(URGENT_INTERVAL_MIN, interval(n) / 5)
        self._due = min(self._due, max(now + turn, self._last_sent + gap))

    def is_due(self, now: float) -> bool:
        return now >= self._due

    def send(
        self, now: float, ordering: Ordering, *, members: int, want: bool, pending: tuple[PendingAct, ...]
    ) -> Heartbeat:
        """Sign a beat and broadcast it."""
        room, m = self._room, self._room.membership
        relay, window = ordering.newest()
        heard = {
            leaf: history.last.seq for leaf, history in self.histories.items() if history.last is not None
        }
        beat = Heartbeat(
            leaf=m.own_leaf,
            handle=room.handle,
            since=self.since,
            seq=self._seq + 1,
            prev=self._prev,
            at=int(now),
            epoch=m.group.epoch,
            slot=m.journal.slot,
            chain=m.journal.chain,
            authenticator=H(m.group.epoch_authenticator),
            incarnation=ordering.incarnation,
            server=server_mark(self._prev, room.server_key or bytes(32)),
            relay=relay,
            window=window,
            words=room.messages.said(now),
            sent=_counters(self.sent),
            want=want,
            got=tuple(
                Got(leaf, heard.get(leaf, 0), _counters(self.got.get(leaf, {})))
                for leaf in sorted(heard.keys() | self.got.keys())
            ),
            pending=pending,
        ).signed(room.number, m.sign)
        payload = beat.encode()
        keys = [self._key]
        if self._goodbye and self._old_key is not None:
            # A member from whom the eviction is withheld reads only this key, and learns of it in seconds.
            keys.append(self._old_key[0])
        self._goodbye = False
        for key in keys:
            room.broadcast(
                envelope.seal(key, "beat", room.number, m.epoch_slot, payload, BUCKETS, rng=room.rng),
                heartbeat=True,
            )
        self._seq, self._prev, self._last_sent = beat.seq, beat.digest, now
        self._due = now + interval(members)
        self._ours[beat.seq] = now
        while len(self._ours) > HISTORY_MAX:
            self._ours.popitem(last=False)
        own_key = m.signature_key(m.own_leaf)
        if own_key is not None:
            self.record.add(payload, own_key)
        return beat

    def sent_at(self, seq: int) -> float | None:
        """Return when our beat of that number was sent; None if it is not one of the last 64."""
        return self._ours.get(min(seq, self._seq))

    def first_sent_after(self, seq: int, since: float) -> float | None:
        """Return when the first beat after `seq`, sent at `since` or later, was sent; None if none was."""
        return next((at for number, at in self._ours.items() if number > seq and at >= since), None)

    # -- the others' beats -------------------------------------------------------------------------

    def uncover(self, blob: bytes, now: float) -> bytes | None:
        """Return a beat's bytes; None if no key that we have opens the blob as a beat."""
        if self._old_key is not None and now >= self._old_key[1]:
            self._old_key = None
        for key in (self._key, self._old_key and self._old_key[0]):
            if key:
                try:
                    return envelope.open(key, "beat", self._room.number, blob)
                except (AuthenticationError, MalformedError):
                    continue
        return None

    def receive(self, payload: bytes) -> Heartbeat | DoubleBeat | None:
        """Return a verified new beat, or a DoubleBeat if it contradicts another (SNUG-19).

        None for anything else: malformed, of an unknown leaf or membership, late, or seen before.
        """
        m = self._room.membership
        try:
            beat = Heartbeat.decode(payload)
            key = m.signature_key(beat.leaf)
            if key is None or beat.leaf == m.own_leaf:
                return None
            if self._joined.get(beat.leaf, beat.since) != beat.since:
                return None
            history = self.histories.get(beat.leaf)
            if history is not None and beat.since < history.since:
                return None
            digest = beat.digest
            if history is not None and history.known.get(beat.seq, (b"", b""))[1] == digest:
                return None
            beat.verify(self._room.number, key)
        except SnugError:
            return None
        self.record.add(payload, key)
        if history is None or beat.since > history.since:
            history = self.histories[beat.leaf] = BeatHistory(key, beat.since)
        try:
            return beat if history.accept(beat, digest) else None
        except ValidationError as error:
            return DoubleBeat(beat.leaf, str(error))

    def change_key(self, now: float) -> None:
        """Switch to the membership's heartbeat key if a removal has changed it."""
        if self._key == self._room.membership.heartbeat_key:
            return
        self._old_key = (self._key, now + OLD_KEY)
        self._key = self._room.membership.heartbeat_key
        self._goodbye = True

    def member_joined(self, leaf: int, slot: int, by: int) -> None:
        """Record the slot that brought a member to that leaf, at first or by a rejoin, and its committer."""
        self._joined[leaf] = slot
        self.let_in_by[leaf] = by

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        for known in (self.histories, self.got, self._joined, self.let_in_by):
            known.pop(leaf, None)


def _counters(counters: dict[int, int]) -> Counters:
    return tuple(sorted(counters.items()))
