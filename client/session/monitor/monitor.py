"""Conclusions from the members' signed beats: alarms, and when media may be sealed.

Protocol section 7. `heartbeats` sends and receives them; `freshness`, `delivery` and `ordering` compute. This
module combines their results: it reports each finding once in one sentence, and reports when the finding is
over.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.features.subscriptions import Subscriptions
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.delivery import Delivery, Stream
from snugroom.client.session.monitor.freshness import Freshness
from snugroom.client.session.monitor.heartbeats import DoubleBeat, Heartbeats, Record, SignedReceipt, interval
from snugroom.client.session.monitor.ordering import Ordering
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.crypto.kdf import H

#: Seconds for which a member's confirmation holds, or that many beat intervals if they are longer.
FRESH: Final = (15.0, 3)
#: Maximum age of our acknowledged beat, in seconds or beat intervals: a held-back beat is not fresh.
ECHO: Final = (25.0, 5)
#: Seconds of silence (or beat intervals if longer) before hosts are offered a member's removal.
GONE: Final = (60.0, 12)
#: Seconds for which a change may be on its way to us while others have it.
WITHHELD: Final = 3.0
#: Seconds for which a single member's claim of a later slot stops us, while all others are with us.
DOUBT: Final = 15.0
#: Seconds on a new connection before lost freshness is reported: the others beat when they see us.
RETURN: Final = 8.0
#: Seconds between two ticks that indicate that this machine has slept.
ASLEEP: Final = 3.0
#: Seconds for which freshness must last before it is reported as restored.
STEADY: Final = 5.0
#: Beats of a member that acknowledge nothing newer of ours, and minimum age in seconds of the missed beat.
DEAF: Final = 3
DEAF_FOR: Final = 10.0
#: Seconds after which a beat of ours counts as missed in another member's beat.
UNDER_WAY: Final = 2.0
#: Seconds after coming in, or after a new connection, before a member's sending and receiving is judged.
SETTLED: Final = 15.0
#: Seconds for which messages that others have may be on their way to us.
BEHIND: Final = 10.0
#: Seconds, or beat intervals if they are longer, after which more members with messages that we lack are
#: news: the first to claim them may have lied.
NEWS: Final = (20.0, 3)
#: Seconds after which a report names the members that a removal has not reached.
REMOVAL_WAIT: Final = 10.0
#: Seconds for which further silent members are collected for one alarm.
GATHER: Final = 3.0
#: Epochs, slots and removals that are remembered.
EPOCHS: Final = 64
REMOVALS_MAX: Final = 8


@dataclass
class _Ahead:
    """A member that has signed a slot that we have not reached."""

    slot: int
    chain: bytes
    since: float


@dataclass
class _Removal:
    """A removal on its way to the others."""

    slot: int
    names: tuple[str, ...]
    waiting: set[int]
    total: int
    at: float
    told: bool = False


class Reported:
    """Leaves with one kind of finding that was reported and is not over."""

    def __init__(self) -> None:
        self.leaves: set[int] = set()

    def update(self, now_so: Iterable[int]) -> tuple[list[int], list[int]]:
        """Return (leaves to report now, leaves whose finding is over)."""
        so = set(now_so)
        new, over = sorted(so - self.leaves), sorted(self.leaves - so)
        self.leaves = so
        return new, over


class Monitor(Feature):
    """One membership's monitoring of its server and its members."""

    def __init__(self, room: Room, now: float) -> None:
        super().__init__(room)
        self._began = now
        self._synced_at: float | None = None
        self._ticked = now
        self._heartbeats = Heartbeats(room, now)
        self._fresh = Freshness()
        self._delivery = Delivery()
        self._ordering = Ordering()
        self._others: dict[int, bool] = {}  # leaf -> whether a host
        self._members: list[int] = []
        self._since: dict[int, float] = {}  # when each came in
        self._heard: dict[int, float] = {}  # when each last sent a beat
        self._settled: dict[int, float] = {}  # when judging of each begins
        self._deaf: dict[int, int] = {}  # each member's beats that did not acknowledge ours
        self._ahead: dict[int, _Ahead] = {}
        self._server_ahead: float | None = None
        #: H(epoch_authenticator) -> when the next epoch began; None: it is the current epoch.
        self._epochs: OrderedDict[bytes, float | None] = OrderedDict()
        self._committers: OrderedDict[int, tuple[int, bytes]] = OrderedDict()  # slot -> (leaf, its key)
        self._stuck: OrderedDict[int, set[bytes]] = OrderedDict()  # slot -> keys that rejoined as stuck there
        #: (key that rejoined as stuck, committer's key) -> how often
        self._unread: OrderedDict[tuple[bytes, bytes], int] = OrderedDict()
        self._removals: list[_Removal] = []
        # reported so far
        self._stale = False
        self._override: frozenset[int] | None = None
        self._silent, self._gone, self._unheard = Reported(), Reported(), Reported()
        self._gathered = 0.0
        self._deaf_since: float | None = None
        self._withheld: set[int] = set()
        self._withheld_at = 0.0
        self._server_withholds = False
        self._fork_reporters: set[int] = set()
        self._doubled: set[int] = set()
        self._disorder: set[int] = set()
        self._behind: set[int] = set()
        self._behind_at = 0.0
        self._contradicted = False
        self._update_members(now)
        self._epochs[self._authenticator()] = None

    # -- for other modules ---------------------------------------------------------------------------

    @property
    def record(self) -> Record:
        """The last 64 verified beats and 64 valid receipts."""
        return self._heartbeats.record

    def verdict_on_slot(self, slot: int, *, doubted: bool = False) -> Literal["void", "valid"] | None:
        """Return the others' verdict on the commit in `slot` that we alone cannot read (protocol section 6).

        The beats of a host, or of more than half of the others, decide: at that slot or later and still in
        our epoch, the commit was void; in a later epoch, valid. None while too few have sent beats, or they
        contradict each other. With `doubted`, a host alone decides only if no beat contradicts it.
        """
        ours = self._authenticator()
        verdicts: dict[str, list[int]] = {"void": [], "valid": []}
        for leaf, history in self._heartbeats.histories.items():
            if history.last is not None and leaf in self._others and history.last.slot >= slot:
                old = history.last.authenticator == ours
                if old or history.last.epoch > self.room.m.group.epoch:
                    verdicts["void" if old else "valid"].append(leaf)
        carried = [
            verdict
            for verdict, leaves in verdicts.items()
            if 2 * len(leaves) > len(self._others)
            or (any(self._others[leaf] for leaf in leaves) and not (doubted and all(verdicts.values())))
        ]
        if len(carried) != 1:
            return None
        return "void" if carried == ["void"] else "valid"

    def override(self, now: float) -> None:
        """Go on with audio and video although the listeners are unknown; ValueError if they are not paused.

        Holds until freshness is back, a member comes or goes, or another confirmation is missing.
        """
        if self.pause_reason(now) is None:
            raise ValueError("sound and pictures are not paused")
        self._override = frozenset(self._fresh.missing(self._others, now))
        self.room.tell(ev.Status("override", sentences.OVERRIDE))

    def forget_confirmations(self) -> None:
        """Seal nothing until the others have answered us here.

        The member that lets us in need not be a host: an evicted member can do so too, in a room of its own
        that goes on from its last epoch.
        """
        self._fresh = Freshness()

    def carry_over(self, old: Room) -> None:
        before = old.feature(Monitor)
        self.forget_confirmations()
        was = {old.m.signature_key(leaf): leaf for leaf in before._others}
        for leaf in self._others:
            known = was.get(self.room.m.signature_key(leaf))
            if known is not None:
                self._fresh.confirm(leaf, before._fresh.confirmed_until(known))
        self._heartbeats.record = before.record
        self._stale = before._stale
        if before._withheld or before._server_withholds:
            self.room.tell(ev.Status("cleared", sentences.HANDED_OVER))

    # -- hooks ---------------------------------------------------------------------------------------

    def synced(self, now: float) -> None:
        self._synced_at = now
        self._ordering.set_incarnation(self.room.incarnation or bytes(8))
        self._delivery.reset(self.room.m.own_leaf)
        self._deaf.clear()
        self._settled[self.room.m.own_leaf] = now + SETTLED
        self._heartbeats.schedule_soon(now, self._members)

    def lost(self, why: str, now: float) -> None:
        self._synced_at = None
        self._server_ahead = None
        self._ordering.disconnected()

    def adopted(self, change: Change, now: float) -> None:
        m = self.room.m
        for leaf, _, _ in change.removed:
            self._forget(leaf)
        for leaf, _ in change.added:
            self._heartbeats.member_joined(leaf, m.journal.slot)
        for authenticator, over in self._epochs.items():
            if over is None:
                self._epochs[authenticator] = now
        self._epochs[self._authenticator()] = None
        _trim(self._epochs)
        self._update_members(now)
        if change.added or change.removed:
            self._override = None
        evicted = [r for r in change.removed if r[0] not in change.left] if not change.rejoined else []
        if evicted:
            self._heartbeats.change_key(now)
            self._track_removal(tuple(name for _, name, _ in evicted), now)
        self._note_committer(change)
        self._check_claims(m.journal.slot)
        self._heartbeats.schedule_soon(now, self._members)

    def voided(self, slot: int, author: int | None, now: float) -> None:
        self._check_claims(slot)
        self._heartbeats.schedule_soon(now, self._members)

    def receipt(self, slot: int, chain: bytes, signature: bytes, now: float) -> None:
        key = self.room.server_key
        if key is not None:
            self.record.receipts.append(SignedReceipt(slot, chain, signature, key))

    def relayed(self, number: int, digest: bytes, now: float) -> None:
        self._ordering.set_incarnation(self.room.incarnation or bytes(8))
        if not self._ordering.record(number, digest):
            if not self._contradicted:
                self._contradicted = True
                self.room.tell(sentences.renumbered())
            return
        self._tell_disorder(self._ordering.check_waiting_claims())

    def frame_sealed(self, stream: int, frame: bytes, now: float) -> None:
        self._heartbeats.sent[stream] = self._heartbeats.sent.get(stream, 0) + 1

    def frame_opened(self, ssrc: int, leaf: int, stream: int, frame: bytes, now: float) -> None:
        if leaf in self._others:
            got = self._heartbeats.got.setdefault(leaf, {})
            got[stream] = got.get(stream, 0) + 1

    def pause_reason(self, now: float) -> str | None:
        if self._override is not None:
            return None
        fresh = self._fresh.until(self._others, host=self._is_host()) > now
        # A member with another chain than ours pauses nothing.
        ahead = [a for leaf, a in self._ahead.items() if leaf not in self._fork_reporters]
        doubt = any(now - a.since < DOUBT or not fresh for a in ahead)
        if doubt or self._server_withholds:
            return sentences.PAUSED_WITHHELD
        return None if fresh else sentences.PAUSED_STALE

    def heard_recently(self, leaf: int, now: float) -> bool:
        if leaf not in self._others:
            return leaf == self.room.m.own_leaf
        return now - max(self._heard.get(leaf, 0.0), self._since[leaf]) <= self._span(FRESH)

    def broadcast_received(self, blob: bytes, now: float) -> bool:
        payload = self._heartbeats.uncover(blob, now)
        if payload is None:
            return False
        heard = self._heartbeats.receive(payload)
        if isinstance(heard, DoubleBeat):
            if heard.leaf not in self._doubled:
                self._doubled.add(heard.leaf)
                self.room.tell(sentences.double_beat(self._name(heard.leaf), heard.leaf, self._is_host()))
        elif heard is not None:
            self._heard_beat(heard, now)
        return True

    def tick(self, now: float) -> None:
        if self._synced_at is not None and now - self._ticked > ASLEEP:
            self._synced_at = now  # we slept: missing beats are nobody's fault
        self._ticked = now
        if self._others and self._heartbeats.is_due(now) and self.room.is_synced(now):
            self._delivery.record_sent(self.room.m.own_leaf, self._heartbeats.sent.items())
            subscriptions = self.room.feature(Subscriptions)
            want = subscriptions.subscribes_to_all
            self._heartbeats.send(now, self._ordering, members=len(self._members), want=want)
            wanted = None if want else subscriptions.subscribed
            self._judge_delivery(self.room.m.own_leaf, self._heartbeats.got, now, wanted)
        self._judge_withheld(now)
        self._judge_freshness(now)
        self._judge_silence(now)
        self._judge_unheard(now)
        self._judge_behind(now)
        self._judge_removals(now)

    # -- a beat ----------------------------------------------------------------------------------------

    def _heard_beat(self, beat: Heartbeat, now: float) -> None:
        leaf, m = beat.leaf, self.room.m
        history = self._heartbeats.histories[leaf]
        self._heard[leaf] = now
        if history.handle != beat.handle:
            history.handle = beat.handle
            self._settled[leaf] = now + SETTLED
            self._delivery.reset(leaf)
            self._deaf[leaf] = 0
            self._heartbeats.schedule_soon(now, self._members)  # it is new or back, and knows nothing of us
        if beat.slot > m.journal.slot:
            ahead = self._ahead.setdefault(leaf, _Ahead(beat.slot, beat.chain, now))
            ahead.slot, ahead.chain = beat.slot, beat.chain
        else:
            self._ahead.pop(leaf, None)
            known = m.journal.chains.get(beat.slot)
            if known is not None and known != beat.chain:
                self._report_fork(leaf, beat.slot)
            else:
                self._confirm(beat, now)
        acknowledged = next((g.seq for g in beat.got if g.leaf == m.own_leaf), 0)
        missed = self._heartbeats.first_sent_after(
            acknowledged, max(self._since[leaf], self._synced_at or now)
        )
        deaf = missed is not None and now - missed > UNDER_WAY
        self._deaf[leaf] = self._deaf.get(leaf, 0) + 1 if deaf else 0
        if deaf and missed is not None and now - missed < DEAF_FOR:
            self._deaf[leaf] = min(self._deaf[leaf], DEAF - 1)
        if beat.incarnation != self.room.incarnation:
            self._tell_disorder([leaf])  # a server broadcasts within one incarnation only
        elif self._ordering.check_claim(leaf, beat.relay, beat.window, now):
            self._tell_disorder([leaf])
        self._delivery.record_sent(leaf, beat.sent)
        if beat.want:
            self._judge_delivery(leaf, {g.leaf: dict(g.frames) for g in beat.got}, now)
        else:
            self._delivery.stop_judging(leaf)
        for removal in self._removals:
            if beat.slot >= removal.slot:
                removal.waiting.discard(leaf)

    def _confirm(self, beat: Heartbeat, now: float) -> None:
        """Extend the member's confirmation if its beat is of our epoch or of one that ended lately."""
        if beat.authenticator not in self._epochs:
            return
        over = self._epochs[beat.authenticator]
        acknowledged = next((g.seq for g in beat.got if g.leaf == self.room.m.own_leaf), 0)
        answered = self._heartbeats.sent_at(acknowledged) if acknowledged else self._since[beat.leaf]
        if answered is None:
            return
        until = min(now, now if over is None else over) + self._span(FRESH)
        self._fresh.confirm(beat.leaf, min(until, answered + self._span(ECHO)))

    # -- findings ----------------------------------------------------------------------------------------

    def _report_fork(self, leaf: int, slot: int) -> None:
        if leaf in self._fork_reporters:
            return
        self._fork_reporters.add(leaf)
        if len(self._fork_reporters) <= 2:  # one may lie; more than two add nothing
            self.room.tell(sentences.two_stories(slot, self._names(self._fork_reporters)))

    def _check_claims(self, slot: int) -> None:
        """Check the claims of members that were ahead, now that this slot has been judged."""
        for leaf, ahead in list(self._ahead.items()):
            if ahead.slot <= slot:
                del self._ahead[leaf]
                known = self.room.m.journal.chains.get(ahead.slot)
                if known is not None and known != ahead.chain:
                    self._report_fork(leaf, ahead.slot)

    def _judge_withheld(self, now: float) -> None:
        room = self.room
        entered = room.server_slot is not None and room.stuck_at is None and not room.needs_rejoin
        if entered and (room.server_slot or 0) > room.m.journal.slot:
            self._server_ahead = self._server_ahead or now
        else:
            self._server_ahead = None
        late = self._server_ahead is not None and now - self._server_ahead > WITHHELD
        connected = self._connected_for(now)
        ahead = {leaf for leaf, a in self._ahead.items() if min(now - a.since, connected) > WITHHELD}
        ahead -= self._fork_reporters
        if room.stuck_at is not None or room.needs_rejoin:
            return
        told = bool(self._withheld) or self._server_withholds
        # Later claims of the same are no news, unless the first claim has stood alone for long.
        if (ahead or late) and (not told or (ahead - self._withheld and now - self._withheld_at > DOUBT)):
            self._override, self._withheld_at = None, now
            slot = max([a.slot for a in self._ahead.values()] + [room.server_slot or 0])
            room.tell(sentences.withheld(slot, self._names(ahead)))
        elif told and not ahead and not late:
            room.tell(ev.Status("cleared", sentences.HANDED_OVER))
        self._withheld, self._server_withholds = ahead, late

    def _judge_freshness(self, now: float) -> None:
        until = self._fresh.until(self._others, host=self._is_host())
        if until > now:
            if self._stale and until < now + STEADY:
                return  # confirmed by an old beat of ours: wait for a newer one
            if self._stale or self._override is not None:
                self.room.tell(ev.Status("cleared", sentences.FRESH_AGAIN))
            self._stale, self._override = False, None
            return
        missing = self._fresh.missing(self._others, now)
        if self._override is not None and not self._override.issuperset(missing):
            self._override, self._stale = None, False
        if not self._stale and self._override is None and self._connected_for(now) > RETURN:
            self._stale = True
            hosts = [leaf for leaf, host in self._others.items() if host]
            no_host = bool(hosts) and not self._is_host() and not set(hosts) - set(missing)
            self.room.tell(sentences.stale(self._names(missing), no_host))

    def _judge_silence(self, now: float) -> None:
        if self._synced_at is None or not self.room.is_synced(now):
            return
        quiet = {
            leaf: now - max(self._heard.get(leaf, 0.0), self._since[leaf], self._synced_at)
            for leaf in self._others
        }
        silent = {leaf for leaf, seconds in quiet.items() if seconds > self._span(FRESH)}
        if silent - self._silent.leaves and now < self._gathered:
            silent &= self._silent.leaves
        new, over = self._silent.update(silent)
        if new:
            self._gathered = now + GATHER
            self.room.tell(sentences.silent(self._names(new), self._span(FRESH)))
        self._over(over, lambda who: f"{who} can be heard again.")
        gone = {leaf for leaf, seconds in quiet.items() if seconds > self._span(GONE)}
        new, _ = self._gone.update(gone)
        if self._is_host():
            for leaf in new:
                self.room.tell(sentences.gone(self._name(leaf), leaf, self._span(GONE)))

    def _judge_unheard(self, now: float) -> None:
        deaf = {leaf for leaf, beats in self._deaf.items() if beats >= DEAF and leaf in self._others}
        everybody = deaf >= self._others.keys()
        if not deaf - self._unheard.leaves:
            self._deaf_since = None
        elif self._deaf_since is None:
            self._deaf_since = now
        if self._deaf_since is not None and not everybody and now - self._deaf_since < interval(len(deaf)):
            deaf &= self._unheard.leaves  # other beats follow within an interval: one alarm
        new, over = self._unheard.update(deaf)
        if new:
            everybody = everybody and len(new) > 1
            self.room.tell(sentences.unheard("The others" if everybody else self._names(new), everybody))
        self._over(over, lambda who: f"What you send reaches {who} again.")

    def _judge_delivery(
        self,
        listener: int,
        got: dict[int, dict[int, int]],
        now: float,
        wanted: Callable[[int], Collection[int]] | None = None,
    ) -> None:
        own = self.room.m.own_leaf
        if now < self._settled.get(listener, self._began + SETTLED):
            return
        settled = [leaf for leaf in self._members if now >= self._settled.get(leaf, self._began + SETTLED)]
        lost, back = self._delivery.record_received(listener, got, settled, now, wanted=wanted)
        for blamed in (False, True):
            streams = [s for s in lost if self._is_blamed(s) == blamed]
            if streams:
                losers = {loser for s in streams for loser in self._delivery.not_reached(s)}
                whom = self._names(losers - {own}, *(["you"] if own in losers else []))
                self.room.tell(sentences.not_reaching(self._streams(streams), whom, blamed))
        if back:
            whom = "you" if listener == own else self._name(listener)
            self.room.tell(ev.Status("cleared", f"Reaching {whom} again: {self._streams(back)}."))

    def _is_blamed(self, stream: Stream) -> bool:
        losers = self._delivery.not_reached(stream)
        return len(losers) > 1 or self.room.m.own_leaf in losers

    def _tell_disorder(self, leaves: list[int]) -> None:
        new = [leaf for leaf in leaves if leaf not in self._disorder]
        if new and len(self._disorder) < 2:
            self.room.tell(sentences.reordered(self._names(new)))
        self._disorder.update(new)

    def _judge_behind(self, now: float) -> None:
        connected = self.room.is_synced(now) and self._connected_for(now) > BEHIND
        behind = set(self._ordering.ahead_since(now - BEHIND)) if connected else set()
        # The others claim the same with their next beats; much later it is news: the first may have lied.
        if behind - self._behind and (not self._behind or now - self._behind_at > self._span(NEWS)):
            self._behind_at = now
            self.room.tell(sentences.held_back(self._names(behind - self._behind)))
        elif self._behind and not behind and connected:
            self.room.tell(ev.Status("cleared", "The messages that were missing here have come."))
        if connected:
            self._behind = behind

    def _track_removal(self, names: tuple[str, ...], now: float) -> None:
        if self._is_host() and self._others:
            slot = self.room.m.journal.slot
            self._removals.append(_Removal(slot, names, set(self._others), len(self._others), now))
            del self._removals[:-REMOVALS_MAX]

    def _judge_removals(self, now: float) -> None:
        for removal in list(self._removals):
            removal.waiting &= self._others.keys()
            if not removal.waiting:
                self._removals.remove(removal)
            elif removal.told or now - removal.at <= REMOVAL_WAIT:
                continue
            removal.told = True
            text = sentences.removal_reach(
                removal.names, removal.total, self._names(removal.waiting), len(removal.waiting)
            )
            self.room.tell(ev.Status("removal_reach", text))

    def _note_committer(self, change: Change) -> None:
        m = self.room.m
        self._committers[m.journal.slot] = (change.by, m.signature_key(change.by) or b"")
        _trim(self._committers)
        if change.stuck_slot is None:
            return
        victims = self._stuck.setdefault(change.stuck_slot, set())
        victims.update(key for _, _, key in change.removed)
        _trim(self._stuck)
        leaf, key = self._committers.get(change.stuck_slot, (-1, b""))
        if not self._is_host() or not key or m.signature_key(leaf) != key:
            return
        if len(victims) == 2:
            self.room.tell(sentences.unreadable_commit(self._name(leaf), leaf))
        for victim, name in change.added:
            pair = (m.signature_key(victim) or b"", key)
            self._unread[pair] = self._unread.get(pair, 0) + 1
            _trim(self._unread)
            if self._unread[pair] == 2:
                self.room.tell(sentences.unreadable_again(name, victim, self._name(leaf), leaf))

    # -- internals ---------------------------------------------------------------------------------------

    def _update_members(self, now: float) -> None:
        """Record the current members; a new member gets time before it is judged."""
        members = self.room.m.members()
        own = self.room.m.own_leaf
        self._members = [leaf for leaf, _, _ in members]
        self._others = {leaf: host for leaf, _, host in members if leaf != own}
        self._names_of = {leaf: name for leaf, name, _ in members}
        self._host = any(host for leaf, _, host in members if leaf == own)
        for leaf in self._others:
            if leaf not in self._since:
                self._since[leaf] = now
                self._settled[leaf] = now + SETTLED
                self._fresh.confirm(leaf, now + self._span(FRESH))

    def _forget(self, leaf: int) -> None:
        for known in (self._since, self._heard, self._settled, self._deaf, self._ahead):
            known.pop(leaf, None)
        for part in (self._heartbeats, self._fresh, self._delivery, self._ordering):
            part.forget(leaf)
        for told in (self._silent, self._gone, self._unheard):
            told.leaves.discard(leaf)
        for leaves in (self._withheld, self._fork_reporters, self._doubled, self._disorder, self._behind):
            leaves.discard(leaf)

    def _authenticator(self) -> bytes:
        return H(self.room.m.group.epoch_authenticator)

    def _is_host(self) -> bool:
        return self._host

    def _connected_for(self, now: float) -> float:
        return 0.0 if self._synced_at is None else now - self._synced_at

    def _span(self, least_and_intervals: tuple[float, int]) -> float:
        least, intervals = least_and_intervals
        return max(least, intervals * interval(len(self._members)))

    def _name(self, leaf: int) -> str:
        return self._names_of.get(leaf, "somebody")

    def _names(self, leaves: Iterable[int], *more: str) -> str:
        return sentences.listed([*(self._name(leaf) for leaf in sorted(leaves)), *more])

    def _streams(self, streams: Iterable[Stream]) -> str:
        own = self.room.m.own_leaf
        return sentences.listed(
            sentences.stream_of("your" if leaf == own else f"{self._name(leaf)}'s", number)
            for leaf, number in sorted(streams)
        )

    def _over(self, leaves: Iterable[int], sentence: Callable[[str], str]) -> None:
        here = [leaf for leaf in leaves if leaf in self._others]
        if here:
            self.room.tell(ev.Status("cleared", sentence(self._names(here))))


def _trim(known: OrderedDict[Any, Any]) -> None:
    while len(known) > EPOCHS:
        known.popitem(last=False)
