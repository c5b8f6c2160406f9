"""Conclusions from the members' signed beats: alarms, and when media may be sealed.

Protocol section 7. `heartbeats` sends and receives them. Each finding has a module, which reports it once,
and its end: `silence`, `withholding`, `disorder`, `removals`, `unreadable_commits`. `holding` says when
nothing may be sealed. This module gives them the beats, and judges the delivery of audio and video itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from typing import Final, Literal

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.client.session.features.subscriptions import Subscriptions
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.large_room import Pace
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.client.session.monitor.delivery import Delivery, Stream
from snugroom.client.session.monitor.disorder import Disorder
from snugroom.client.session.monitor.freshness import FRESH
from snugroom.client.session.monitor.going_on import GO_ON
from snugroom.client.session.monitor.heartbeats import DoubleBeat, Heartbeats, Record
from snugroom.client.session.monitor.holding import Holding
from snugroom.client.session.monitor.member_table import MemberTable
from snugroom.client.session.monitor.pending import Pending
from snugroom.client.session.monitor.removals import Removals
from snugroom.client.session.monitor.replacements import Replacements
from snugroom.client.session.monitor.server_keys import ServerKeys
from snugroom.client.session.monitor.silence import Silence
from snugroom.client.session.monitor.unreadable_commits import UnreadableCommits, trim
from snugroom.client.session.monitor.withholding import Withholding
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.crypto.kdf import H
from snugroom.crypto.proof.evidence import Receipt

#: Seconds between two ticks that indicate that this machine has slept.
ASLEEP: Final = 3.0


class Monitor(Feature):
    """One membership's monitoring of its server and its members."""

    def __init__(self, room: Room, now: float) -> None:
        super().__init__(room)
        self._ticked = now
        self._pace = Pace()
        self._members = MemberTable(room, now)
        self._heartbeats = Heartbeats(room, now)
        self._delivery = Delivery()
        self._silence = Silence(room, self._members, self._heartbeats)
        self._withholding = Withholding(room, self._members)
        self._disorder = Disorder(room, self._members)
        self._server_keys = ServerKeys(room, self._members, self.record)
        self._removals = Removals(room, self._members)
        self._replacements = Replacements(room, self._heartbeats)
        self._unreadable_commits = UnreadableCommits(room, self._members)
        self._pending = Pending(room, self._members)
        #: H(epoch_authenticator) -> when the next epoch began; None: it is the current epoch.
        self._epochs: OrderedDict[bytes, float | None] = OrderedDict()
        found = self._members.update(now)
        self._epochs[self._authenticator()] = None
        self._holding = Holding(room, self._members, self._withholding, self._pending)
        for leaf in found:
            self._holding.came_in(leaf, now)

    # -- for other modules ---------------------------------------------------------------------------

    @property
    def record(self) -> Record:
        """The last 64 verified beats and 64 valid receipts."""
        return self._heartbeats.record

    def verdict_on_slot(self, slot: int, *, doubted: bool = False) -> Literal["void", "valid"] | None:
        """Return the others' verdict on the commit in `slot` that we alone cannot read (protocol section 6).

        The beats of a host, or of more than half of the others, decide: at that slot or later and still in
        our epoch, the commit was void; in a later epoch, valid. None while too few have sent beats, or they
        contradict each other. With `doubted`, a host alone decides only if no beat contradicts it, and beats
        of later slots do not say that it was valid: the server may keep later commits from us.
        """
        ours, others = self._authenticator(), self._members.others
        epoch = self.room.membership.group.epoch
        verdicts: dict[str, list[int]] = {"void": [], "valid": []}
        for leaf, history in self._heartbeats.histories.items():
            if history.last is not None and leaf in others and history.last.slot >= slot:
                old = history.last.authenticator == ours
                later = history.last.epoch > epoch
                if old or (later and not (doubted and history.last.slot > slot)):
                    verdicts["void" if old else "valid"].append(leaf)
        carried = [
            verdict
            for verdict, leaves in verdicts.items()
            if 2 * len(leaves) > len(others)
            or (any(others[leaf] for leaf in leaves) and not (doubted and all(verdicts.values())))
        ]
        if len(carried) != 1:
            return None
        return "void" if carried == ["void"] else "valid"

    def oldest_epoch(self) -> int:
        """Return the number of the oldest epoch in which a member may still be; -1 if one was never heard.

        A member is past an epoch when its heartbeat names a later epoch of our history: nobody else can sign
        that. Only a removal, and not silence, makes us wait for a member no longer.
        """
        oldest = self.room.membership.group.epoch
        for leaf in self._members.others:
            history = self._heartbeats.histories.get(leaf)
            last = None if history is None else history.last
            oldest = min(oldest, -1 if last is None or last.authenticator not in self._epochs else last.epoch)
        return oldest

    def override(self, now: float) -> None:
        """Go on although the listeners are unknown; CommandError if nothing is held.

        It lasts until nothing holds any more, somebody comes in or goes, or something else holds: another
        confirmation is missing, another removal waits, or a host, two members or the server claim a change.
        """
        self._holding.override(now)
        self._heartbeats.schedule_soon(now, self._members.leaves)

    def let_in(self, age: float, *, by_member: bool) -> None:
        """Record how old the answer was by which we came in, in seconds, as far as two clocks show it.

        `by_member`: it need not be a host's, and we have no confirmations from before.
        """
        self._holding.let_in(age, by_member=by_member)

    def forget_confirmations(self) -> None:
        """Seal nothing until the others have answered us here.

        The member that lets us in need not be a host: an evicted member can do so too, in a room of its own
        that goes on from its last epoch.
        """
        self._holding.forget_confirmations()

    def carry_over(self, old: Room) -> None:
        before = old.feature(Monitor)
        self._holding.carry_over(before._holding)
        self._replacements.came_back(old)
        self._heartbeats.record = before.record
        self._pending.carry_over(before._pending)
        self._withholding.carry_over(before._withholding, self._ticked)
        self._server_keys = before._server_keys.taken_along(self.room, self._members)

    # -- hooks ---------------------------------------------------------------------------------------

    def synced(self, now: float) -> None:
        self._members.synced_at = now
        self._disorder.ordering.set_incarnation(self.room.incarnation or bytes(8))
        self._server_keys.synced(now)
        self._delivery.reset(self.room.membership.own_leaf)
        self._silence.reset()
        self._members.unsettle(self.room.membership.own_leaf, now)
        self._heartbeats.schedule_soon(now, self._members.leaves)

    def server_heard(self, now: float) -> None:
        self._members.server_heard_at = now

    def lost(self, why: str, now: float, *, by_server: bool) -> None:
        self._members.synced_at = None
        self._withholding.lost()
        self._disorder.ordering.disconnected()

    def adopted(self, change: Change, now: float) -> None:
        m = self.room.membership
        for leaf, _, _ in change.removed:
            self._forget(leaf)
        self._holding.adopted(change)
        for leaf, _, _ in change.added:
            self._heartbeats.member_joined(leaf, m.journal.slot, change.by)
        for authenticator, over in self._epochs.items():
            if over is None:
                self._epochs[authenticator] = now
        self._epochs[self._authenticator()] = None
        trim(self._epochs)
        for leaf in self._members.update(now):
            self._holding.came_in(leaf, now)
        evicted = [r for r in change.removed if r[0] not in change.left] if not change.rejoined else []
        self._heartbeats.change_key(now)
        if evicted:
            host = any(key in change.policy_before.hosts for _, _, key in evicted)
            self._removals.track((name for _, name, _ in evicted), now, host=host)
        self._replacements.adopted(change, now)
        self._unreadable_commits.adopted(change)
        if change.by == m.own_leaf:
            self._pending.committed()
        self._pending.adopted()
        self._withholding.adopted(change, now)
        first = self._members.leaves if evicted else self._members.first_to_beat(change.by)
        self._heartbeats.schedule_soon(now, first)

    def voided(self, slot: int, author: int | None, now: float) -> None:
        self._withholding.check_claims(slot, now)
        self._heartbeats.schedule_soon(now, self._members.leaves)

    def receipt(self, receipt: Receipt, now: float, *, ours: bool) -> None:
        self.record.add_receipt(receipt, ours=ours)

    def unsigned(self, what: str, now: float) -> None:
        self.record.add_contradiction(now, "receipt", what)

    def relayed(self, number: int, digest: bytes, now: float) -> None:
        self._disorder.relayed(number, digest)

    def frame_sealed(self, stream: int, frame: bytes, now: float) -> None:
        self._heartbeats.sent[stream] = self._heartbeats.sent.get(stream, 0) + 1

    def frame_opened(self, ssrc: int, leaf: int, stream: int, frame: bytes, now: float) -> None:
        if leaf in self._members.others:
            got = self._heartbeats.got.setdefault(leaf, {})
            got[stream] = got.get(stream, 0) + 1

    def hold_reason(self, now: float) -> str | None:
        return self._holding.hold_reason(now)

    def pause_reason(self, now: float) -> str | None:
        return self._holding.pause_reason(now)

    def at_incarnation(self, incarnation: bytes | None, now: float) -> list[int]:
        """Return the others whose last heartbeats, lately, are of our epoch and of that room at a server."""
        known, epoch = self._heartbeats.histories, self.room.membership.group.epoch
        recent = (leaf for leaf in self._members.others if self.heard_recently(leaf, now))
        beats = [known[leaf].last for leaf in recent if leaf in known]
        return [b.leaf for b in beats if b is not None and (b.incarnation, b.epoch) == (incarnation, epoch)]

    def acknowledged_at(self, leaf: int) -> float:
        """Return when we sent the heartbeat that a member's last one acknowledges; 0 without one."""
        history = self._heartbeats.histories.get(leaf)
        if history is None or history.last is None:
            return 0.0
        return self._heartbeats.sent_at(history.last.acknowledged(self.room.membership.own_leaf)) or 0.0

    @property
    def incarnations(self) -> dict[int, tuple[bytes, float]]:
        """The rooms that the others' last heartbeats name, 8 bytes each, and when these came, by leaf."""
        found = {leaf: self.last_room(leaf) for leaf in self._members.others}
        return {leaf: last for leaf, last in found.items() if last is not None}

    def last_room(self, leaf: int) -> tuple[bytes, float] | None:
        """Return the room of a member's last heartbeat, 8 bytes, and when that came; None without one."""
        history, at = self._heartbeats.histories.get(leaf), self._members.heard.get(leaf)
        if history is None or history.last is None or at is None:
            return None
        return history.last.incarnation, at

    def last_heard(self, leaf: int) -> float:
        """Return when another member was last heard; if never, when it came in; 0 for somebody unknown."""
        return self._members.last_heard(leaf)

    def is_silent(self, leaf: int, now: float) -> bool:
        """Return whether we have not heard another member for a while, although we are in step."""
        members = self._members
        known = leaf in members.others and self.room.is_synced(now)
        return known and members.quiet(leaf, now) > members.span(FRESH)

    def is_short(self, now: float) -> bool:
        """Return whether so few confirm our epoch that nothing may be sealed; for a host, that is all."""
        return self._holding.beginning.over and not self._holding.is_fresh(now)

    def is_ahead(self, now: float) -> bool:
        """Return whether more than half of the others have signed a slot that does not come.

        While too few others confirm our epoch, a host alone decides.
        """
        ahead = self._withholding.ahead(now)
        if not ahead:
            return False
        others = self._members.others
        if 2 * len(ahead) > len(others):
            return True
        return not self._holding.is_fresh(now) and any(others.get(leaf) for leaf in ahead)

    def heard_recently(self, leaf: int, now: float, since: float = 0.0) -> bool:
        if leaf not in self._members.others:
            return leaf == self.room.membership.own_leaf
        fresh = now - self._members.last_heard(leaf) <= self._members.span(FRESH)
        return fresh and (not since or self._members.heard.get(leaf, 0.0) > since)

    def broadcast_received(self, blob: bytes, now: float) -> bool:
        payload = self._heartbeats.uncover(blob, now)
        if payload is None:
            return False
        self._replacements.heard(payload)
        heard = self._heartbeats.receive(payload)
        if isinstance(heard, DoubleBeat):
            if self._withholding.contradicts(heard.leaf):
                who = self._members.name(heard.leaf)
                key = "double_beat.host" if self._members.host else "double_beat"
                self.room.tell(sentences.alarm(key, who=who, leaf=heard.leaf))
        elif heard is not None:
            self._heard_beat(heard, now)
        return True

    def replaced(self, now: float) -> None:
        self._heartbeats.send(
            now, self._disorder.ordering, members=len(self._members.leaves), want=True, pending=()
        )

    def tick(self, now: float) -> None:
        members = self._members
        if members.synced_at is not None and now - self._ticked > ASLEEP:
            members.synced_at = now  # we slept: missing beats are nobody's fault
        self._ticked = now
        self._holding.tick()
        if self._pending.tick(now):
            self._heartbeats.schedule_soon(now, members.leaves)
        if members.others and self._heartbeats.is_due(now) and self.room.is_synced(now):
            self._delivery.record_sent(self.room.membership.own_leaf, self._heartbeats.sent.items())
            subscriptions = self.room.feature(Subscriptions)
            want = subscriptions.subscribes_to_all
            self._heartbeats.send(
                now,
                self._disorder.ordering,
                members=len(members.leaves),
                want=want,
                pending=self._pending.overdue(*([GO_ON] if self._holding.goes_on else [])),
            )
            wanted = None if want else subscriptions.subscribed
            self._judge_delivery(self.room.membership.own_leaf, self._heartbeats.got, now, wanted)
        self._withholding.judge(now)
        if self._pace.is_due(now, len(members.leaves)):
            self._holding.judge(now)
            self._silence.judge(now)
            self._disorder.judge(now)
            self._removals.judge(now, self._holding.lease)

    # -- a beat ----------------------------------------------------------------------------------------

    def _heard_beat(self, beat: Heartbeat, now: float) -> None:
        leaf = beat.leaf
        history = self._heartbeats.histories[leaf]
        self._members.heard[leaf] = now
        if history.handle != beat.handle:
            history.handle = beat.handle
            self._members.unsettle(leaf, now)
            self._delivery.reset(leaf)
            self._silence.reset_member(leaf)
            committer = self._heartbeats.let_in_by.get(leaf)
            self._heartbeats.schedule_soon(now, self._members.first_to_beat(committer))
        acknowledged = beat.acknowledged(self.room.membership.own_leaf)
        if self._withholding.agrees(beat, now):
            self._confirm(beat, acknowledged, now)
            self._holding.going_on.heard(beat)
        else:
            self._holding.doubt(leaf)
        self._silence.heard(leaf, acknowledged, now)
        self._disorder.heard(beat, now)
        self._server_keys.heard(beat, now)
        self.room.messages.stated(leaf, beat.words)
        self._delivery.record_sent(leaf, beat.sent)
        if beat.want and beat.incarnation == self.room.incarnation:
            self._judge_delivery(leaf, {g.leaf: dict(g.frames) for g in beat.got if g.frames}, now)
        else:
            self._delivery.stop_judging(leaf)
        self._removals.heard(leaf, beat.slot)
        self._pending.heard(beat)

    def _confirm(self, beat: Heartbeat, acknowledged: int, now: float) -> None:
        """Extend the member's confirmation if its beat is of our epoch or of one that ended lately."""
        if beat.authenticator not in self._epochs:
            return
        sent_at, since = self._heartbeats.sent_at, self._members.since[beat.leaf]
        answered = sent_at(acknowledged) if acknowledged else since
        self._holding.confirm(beat, self._epochs[beat.authenticator], answered, now)

    # -- findings ----------------------------------------------------------------------------------------

    def _judge_delivery(
        self,
        listener: int,
        got: dict[int, dict[int, int]],
        now: float,
        wanted: Callable[[int], Collection[int]] | None = None,
    ) -> None:
        own, members = self.room.membership.own_leaf, self._members
        if not members.is_settled(listener, now):
            return
        settled = [leaf for leaf in self._delivery.senders() if members.is_settled(leaf, now)]
        lost, back = self._delivery.record_received(listener, got, settled, now, wanted=wanted)
        for blamed in (False, True):
            streams = [s for s in lost if self._is_blamed(s) == blamed]
            if streams:
                losers = {loser for s in streams for loser in self._delivery.not_reached(s)}
                whom = [*members.names(losers - {own}), *([sentence("watch.you")] if own in losers else [])]
                key = "not_reaching.blamed" if blamed else "not_reaching"
                self.room.tell(sentences.alarm(key, streams=self._streams(streams), whom=whom))
        if back:
            back_to = sentence("watch.you") if listener == own else members.name(listener)
            status = sentences.status("cleared.reaching", whom=back_to, streams=self._streams(back))
            self.room.tell(status)

    def _is_blamed(self, stream: Stream) -> bool:
        losers = self._delivery.not_reached(stream)
        return len(losers) > 1 or self.room.membership.own_leaf in losers

    # -- internals ---------------------------------------------------------------------------------------

    def _forget(self, leaf: int) -> None:
        for part in (
            self._members,
            self._heartbeats,
            self._delivery,
            self._silence,
            self._disorder,
            self._pending,
        ):
            part.forget(leaf)

    def _authenticator(self) -> bytes:
        return H(self.room.membership.group.epoch_authenticator)

    def _streams(self, streams: Iterable[Stream]) -> list[Sentence]:
        own, name = self.room.membership.own_leaf, self._members.name
        return [
            sentences.stream_of(None if leaf == own else name(leaf), number)
            for leaf, number in sorted(streams)
        ]
