"""Short codes: who opens a run, which messages members send when, and comparisons by people (section 8).

All members follow the server's order, for their own messages too: our message counts when it has come back.
Honest members are therefore in the same run and phase, even if two members open a run or a member lies,
unless the server sends them different messages; that shows (`code_fork`). If the order is lost (while
catching up, or at a restart of the server), a message waits for its run.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content, sentences
from snugroom.client.session.catalogue.sentence import CommandError, Sentence, sentence
from snugroom.client.session.features.answers import Answers
from snugroom.client.session.features.compared import Comparisons, ShownCode, members_of
from snugroom.client.session.kernel.feature import Contents, Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.errors import SnugError
from snugroom.crypto.kdf import H
from snugroom.crypto.proof.verification import SHARE_SIZE, SID_SIZE, CodeContext, CodeRun, code_emoji
from snugroom.wire import messages as wire

#: Seconds for all commitments, and again for all shares.
PHASE: Final = 8.0
#: Seconds after which a request that has not come back is given up, and its requester told.
OPEN_WAIT: Final = 5.0
#: Seconds after a run's opening within which a member joins it that could not speak then.
JOIN_LATE: Final = 4.0
#: Seconds for which commits wait while runs follow each other without a pause and commitments are missing.
HOLD_MAX: Final = 16.0
#: Seconds without a run that count as a pause.
PAUSE: Final = 1.0
#: Seconds between two runs of one opener, and after a code until anybody's next run.
OPEN_EVERY: Final = 5.0
REST: Final = 10.0
#: Extra seconds that an opener waits beyond the others' limits: its messages do not all take equally long.
MARGIN: Final = 1.0
#: Seconds that an OPEN may have been under way to a member that is catching up.
FRESH: Final = 3.0
#: Seconds after which a request for a code that could not be sent is given up.
REQUEST_MAX: Final = 30.0
#: Seconds after we came in during which a request waits for the others' first answer to us.
NEW: Final = 8.0
#: Seconds within which a person may still mean the previous code.
SLIP: Final = 2.0
#: Messages of ours that are resent: the three of a run.
OWN_MAX: Final = 3
#: Runs of this epoch whose ids are kept, so that no id is used twice.
SIDS_MAX: Final = 256


@dataclass
class _Running:
    """A run, and this member's state of it beside the arithmetic."""

    run: CodeRun
    opener: int
    names: dict[int, str]
    seen: ShownCode
    deadline: float
    showing: bool = False  # our share was sent, so somebody else may know the code
    cut: bool = False  # our connection was lost meanwhile
    leaver: bool = False  # a member is leaving, and will not wait
    again: bool = False  # opened by us, for the second time

    @property
    def out(self) -> bool:
        """Whether a share is out, so that an abort may be a member's choice."""
        return self.showing or self.run.shown


@dataclass
class _Request:
    """A request to open a run."""

    since: float
    again: bool = False  # the second attempt
    sid: bytes | None = None  # sent, and not yet come back
    sent_at: float = 0.0


class Comparing(Feature):
    """Runs for short codes, and the memory of comparisons."""

    def __init__(self, room: Room, now: float) -> None:
        super().__init__(room)
        self._began = now
        self._running: _Running | None = None
        self._request: _Request | None = None
        self._asked = False  # whether our person waits for a code
        self._mine: dict[bytes, content.AnyContent] = {}  # H(blob) -> message that has not come back
        self._unsent: list[content.AnyContent] = []
        #: Our last messages and when they were sent: resent on every new connection, even if the run is over
        #: here, because it may go on elsewhere. Receivers drop duplicates.
        self._blobs: deque[tuple[bytes, float]] = deque(maxlen=OWN_MAX)
        #: Messages for runs that are unknown here: of each leaf for its last such run only.
        self._early: dict[int, list[content.CodeCommit | content.CodeReveal]] = {}
        self._deferred: tuple[int, content.CodeOpen, bool, float] | None = None  # a run to join, and its time
        self._opened: dict[int, float] = {}  # leaf -> when its last OPEN came
        self._own_open = float("-inf")
        self._sids: deque[bytes] = deque(maxlen=SIDS_MAX)
        self._seen: ShownCode | None = None  # the last code
        self._signs: tuple[tuple[str, str], ...] = ()
        self._slip_until = 0.0
        self._answered = True
        self._now = self._in_touch = now
        self._held_since = 0.0
        self._idle_since = float("-inf")
        self._compared = Comparisons()
        self._compared.begin(room.membership, now)

    def carry_over(self, old: Room) -> None:
        before = old.feature(Comparing)
        self._compared, self._seen, self._signs = before._compared, before._seen, before._signs
        self._answered = before._answered
        self._compared.begin(self.room.membership, self._in_touch)
        if before._running is not None and before._running.out:
            # Otherwise an attacker that can make us fall out of step could try out codes unnoticed.
            self._alarm_missing(before._running, sentence("no_code.anew_out"))
        elif before._asked:
            self.room.tell(sentences.status("no_code", why=sentence("no_code.anew")))
        self._tell_comparison(news=True)

    # -- commands ------------------------------------------------------------------------------------

    def compare(self, now: float) -> None:
        """Request a run; CommandError if none is possible."""
        count = len(self.room.membership.members())
        if count < 2:
            raise CommandError(sentence("cannot.nobody_to_compare"))
        if count > content.COMPARING_MAX:
            raise CommandError(sentence("cannot.compare_many", most=content.COMPARING_MAX))
        held = self.room.hold_reason(now)
        if held is not None and now - self._began > NEW:
            raise CommandError(held)
        self._asked = True
        self.room.tell(sentences.status("comparing"))
        if self._running is None and self._request is None:
            self._request = _Request(now)
            self._open(now)

    def compared(self, same: bool, digits: str | None, now: float) -> None:
        """Record a person's comparison; CommandError if the compared code is unclear."""
        if digits is not None:
            self._compared.digits(same, digits.replace(" ", ""), now)
        elif self._seen is None:
            raise CommandError(sentence("cannot.no_code_yet"))
        elif now < self._slip_until:
            raise CommandError(sentence("cannot.another_code"))
        else:
            self._answered = True
            self._compared.short(same, self._seen)
            self.room.feature(Answers).answer(same, now)
        if not same:
            self.room.tell(sentences.alarm("code_different"))
        self._tell_comparison(news=True)

    def show(self) -> None:
        """Show the codes again, and the changes since the comparison."""
        m = self.room.membership
        self.room.tell(ev.Code(m.group.epoch, m.code))
        if self._seen is not None and self._seen.epoch == m.group.epoch:
            self._tell_code()
        self._tell_comparison(news=True)

    def _tell_code(self) -> None:
        assert self._seen is not None
        members = tuple(ev.Member(*member) for member in self.room.membership.members())
        emoji, spelled = zip(*self._signs, strict=True)
        by = self.room.feature(Answers).by
        self.room.tell(ev.ShortCode(self._seen.epoch, emoji, spelled, members, by))

    def _tell_comparison(self, *, news: bool) -> None:
        comparison = self._compared.state(self.room.membership, news=news)
        if comparison is not None:
            self.room.tell(comparison)

    def _tell(self, kind: str, text: str) -> None:
        self.room.tell(ev.Status(kind, text))

    # -- hooks -----------------------------------------------------------------------------------------

    def synced(self, now: float) -> None:
        self._now = now
        for blob, said_at in self._blobs:
            if now - said_at <= 2 * PHASE:
                self.room.send(wire.Relay(blob))
        self._flush()
        self._open(now)

    def lost(self, why: str, now: float, *, by_server: bool) -> None:
        if self._running is not None:
            self._running.cut = True

    def tick(self, now: float) -> None:
        self._now = now
        if self.room.is_synced(now) and not self.room.catching_up:
            self._in_touch = now
        self._expire(now)
        self._join_deferred(now)
        self._flush()
        self._open(now)

    def adopted(self, change: Change, now: float) -> None:
        for leaf, _, _ in change.removed:
            self._opened.pop(leaf, None)
        self._deferred = None
        running, request = self._running, self._request
        unheard = request is not None and request.sid is not None
        again = request is not None and request.again
        self._over(now)
        self._mine.clear()
        self._blobs.clear()
        self._early.clear()
        self._sids.clear()  # messages are bound to their epoch
        if running is not None:
            if running.out:
                who = self.room.membership.name(change.by)
                self._alarm_missing(running, sentence("no_code.keys_out", who=who))
            elif running.opener == self.room.membership.own_leaf:
                unheard, again = True, running.again
            elif self._asked:
                self._no_code(sentence("no_code.changed"))
        if unheard:
            self._once_more(again, now)
        news = self._compared.adopted(change, self.room.membership, now)
        if self._compared.verified:
            self._tell_comparison(news=news)

    def relayed(self, number: int, digest: bytes, now: float) -> None:
        what = self._mine.pop(digest, None)
        if what is not None:
            self._take(self.room.membership.own_leaf, what, now)

    def contents(self) -> Contents:
        return dict.fromkeys((content.CodeOpen, content.CodeCommit, content.CodeReveal), self._received)

    def overheard(self) -> Contents:
        return {content.Leaving: self._leaves}

    def _received(self, received: mls.ApplicationMessage, what: content.AnyContent, now: float) -> None:
        if received.epoch == self.room.membership.group.epoch:
            self._take(received.sender, what, now)

    def _leaves(self, received: mls.ApplicationMessage, what: content.Leaving, now: float) -> None:
        if self._running is not None:
            self._running.leaver = True

    def holds_commits(self, now: float) -> bool:
        running = self._running
        if running is None or running.leaver:
            return False
        # Once shares may be out, a change of keys would look like a deliberate abort.
        return running.out or running.run.complete or now - self._held_since <= HOLD_MAX

    # -- sending ---------------------------------------------------------------------------------------

    def _say(self, what: content.AnyContent) -> None:
        self._unsent.append(what)
        self._flush()

    def _flush(self) -> None:
        if not self._unsent or not self.room.is_synced(self._now):
            return
        unsent, self._unsent = self._unsent, []
        for what in unsent:
            blob = self.room.relay(what)
            self._mine[H(blob)] = what
            self._blobs.append((blob, self._now))

    def _open(self, now: float) -> None:
        """Open the requested run, once that is possible."""
        request = self._request
        if request is None:
            return
        if request.sid is not None:
            if now - request.sent_at > OPEN_WAIT:
                self._no_code(sentence("no_code.not_passed"))
            return
        if now - request.since > REQUEST_MAX:
            held = self.room.hold_reason(now) is not None
            self._no_code(sentence("no_code.unanswered" if held else "no_code.unreachable"))
            return
        room, m = self.room, self.room.membership
        rested = self._seen is None or now - self._seen.at >= REST + MARGIN
        if (
            self._running is not None
            or not rested
            or now - self._own_open < OPEN_EVERY + MARGIN
            or not room.speaks(now)
            or room.catching_up
        ):
            return
        request.sid, request.sent_at = room.rng(SID_SIZE), now
        self._own_open = now
        leaves = [leaf for leaf, _, _ in m.members()]
        self._say(content.CodeOpen(request.sid, m.group.epoch, m.journal.chain, leaves))

    def _once_more(self, again: bool, now: float) -> None:
        """Open another run, but only once: ours ended before anybody had revealed a share."""
        if not again:
            self._request = _Request(now, again=True)
        else:
            self._no_code(sentence("no_code.changed"))

    def _no_code(self, why: str) -> None:
        self._request = None
        if self._asked:
            self._asked = False
            self.room.tell(sentences.status("no_code", why=why))

    # -- receiving -------------------------------------------------------------------------------------

    def _take(self, leaf: int, what: content.AnyContent, now: float) -> None:
        """Process a message of a run of this epoch, in the server's order."""
        self._now = now
        self._expire(now)
        running = self._running
        if isinstance(what, content.CodeOpen):
            self._take_open(leaf, what, now)
        elif not isinstance(what, content.CodeCommit | content.CodeReveal):
            return
        elif running is not None and what.sid == running.run.sid:
            _enter(running.run, leaf, what)
            self._advance(running, now)
        elif what.sid not in self._sids or (self._deferred and what.sid == self._deferred[1].sid):
            before = self._early.get(leaf, [])
            self._early[leaf] = [
                *(b for b in before if b.sid == what.sid and type(b) is not type(what)),
                what,
            ]

    def _take_open(self, leaf: int, what: content.CodeOpen, now: float) -> None:
        m = self.room.membership
        own = leaf == m.own_leaf
        if own and (self._request is None or self._request.sid != what.sid):
            return  # given up meanwhile
        last = self._opened.get(leaf)
        if last is not None and now - last < OPEN_EVERY:
            return
        self._opened[leaf] = now
        if what.sid in self._sids or (self._seen is not None and now - self._seen.at < REST):
            return
        self._sids.append(what.sid)
        members = m.members()
        if (what.epoch, what.chain) != (m.group.epoch, m.journal.chain) or what.leaves != [
            other for other, _, _ in members
        ]:
            if own and self._request is not None:
                self._once_more(self._request.again, now)
            return
        if self.room.catching_up and now - self._in_touch > FRESH:
            return  # others may have given it up long ago: we would blame them
        running = self._running
        if running is not None:
            if running.run.complete or (running.opener, running.run.sid) < (leaf, what.sid):
                if own:
                    self._request = None  # that run's code will do
                return
            self._over(now)
        again = own and self._request is not None and self._request.again
        if own or (self._request is not None and self._request.sid is None):
            self._request = None  # this run's code will do, whoever opened it
        self._begin(leaf, what, again, now)

    def _join_deferred(self, now: float) -> None:
        if self._deferred is not None:
            opener, what, again, since = self._deferred
            if now - since > JOIN_LATE or self._running is not None:
                self._deferred = None
            elif self.room.hold_reason(now) is None:
                self._deferred = None
                self._begin(opener, what, again, now)

    def _begin(self, opener: int, what: content.CodeOpen, again: bool, now: float) -> None:
        m = self.room.membership
        if self.room.hold_reason(now) is not None:
            # A code would vouch for members that may have been removed. We join as soon as we may.
            self._deferred = (opener, what, again, now)
            return
        ground = CodeContext(
            what.sid, m.group.group_id, what.chain, m.group.epoch_authenticator, m.group.tree_hash
        )
        keys = {leaf: m.signature_key(leaf) or b"" for leaf in what.leaves}
        try:
            run = CodeRun(ground, keys, m.own_leaf, self.room.rng(SHARE_SIZE))
        except SnugError:
            return  # a key of another size: no code is possible with that leaf
        names = {leaf: name for leaf, name, _ in m.members()}
        seen = ShownCode(m.group.epoch, members_of(m), now)
        for leaf, early in self._early.items():
            for said in early:
                if said.sid == what.sid:
                    _enter(run, leaf, said)
        self._running = _Running(run, opener, names, seen, now + PHASE, again=again)
        if now - self._idle_since >= PAUSE:
            self._held_since = now
        self._say(content.CodeCommit(what.sid, run.own_commitment()))
        # Incomplete without our own commitment: early messages are judged when that has come back.

    def _advance(self, running: _Running, now: float) -> None:
        run = running.run
        if run.complete and not running.showing:
            # Before judging: in a fork, the other side must see our share too.
            running.showing = True
            running.deadline = now + PHASE
            self._say(content.CodeReveal(run.sid, *run.own_reveal()))
        finding = run.judge()
        if finding is not None:
            name = running.names[finding.leaf]
            self._over(now)
            self._asked, self._request = False, None
            self.room.tell(sentences.alarm(f"code_{finding.kind}", name=name))
            return
        code = run.code
        if code is None:
            return
        self._over(now)
        self._asked, self._request = False, None
        if not self._answered:
            self._slip_until = now + SLIP
        self._answered = False
        self._seen, self._signs = ShownCode(running.seen.epoch, running.seen.members, now), code_emoji(code)
        self.room.feature(Answers).shown(run, running.opener, running.seen.epoch)
        self._tell_code()

    # -- ends ------------------------------------------------------------------------------------------

    def _over(self, now: float) -> None:
        """Discard the run, above all our share."""
        if self._running is not None:
            self._running, self._idle_since = None, now
        # An OPEN of ours that is under way stays: the others will accept it.
        self._mine = {
            digest: what for digest, what in self._mine.items() if isinstance(what, content.CodeOpen)
        }
        self._unsent.clear()

    def _expire(self, now: float) -> None:
        running = self._running
        if running is None or now <= running.deadline:
            return
        self._over(now)
        self._request = None
        if not running.out:
            self._no_code(sentence("no_code.nothing_from", names=_waited_for(running)))
            return
        self._asked = False
        gone = running.cut and not self.room.is_synced(now)
        why = sentence("no_code.broke") if gone else sentence("no_code.nothing", seconds=round(PHASE))
        self._alarm_missing(running, why)

    def _alarm_missing(self, running: _Running, why: str) -> None:
        self._asked, self._request = False, None
        self.room.tell(sentences.alarm("code_aborted", names=_waited_for(running), why=why))


def _enter(run: CodeRun, leaf: int, what: content.CodeCommit | content.CodeReveal) -> None:
    if isinstance(what, content.CodeCommit):
        run.committed(leaf, what.commitment)
    else:
        run.revealed(leaf, what.digest, what.share)


def _waited_for(running: _Running) -> list[str] | Sentence:
    """Return the names that the run waits for; ourselves only if there is nobody else."""
    waited = running.run.waiting_for()
    others = [running.names[leaf] for leaf in waited if leaf != running.run.own_leaf]
    return others or sentence("no_code.this_participant")
