"""Our commits: the queue of intents, and the commit that is out for the first of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from snugroom.client.session.catalogue import reasons, sentences
from snugroom.client.session.kernel.batches import Batches
from snugroom.client.session.kernel.feature import Hooks
from snugroom.client.session.kernel.intents import (
    EntryIntent,
    HealIntent,
    Intent,
    RemoveIntent,
    SelfRemoveIntent,
)
from snugroom.client.session.kernel.opening import sign_opening
from snugroom.client.session.kernel.ports import Owner, Room
from snugroom.client.session.kernel.verdict import Staged
from snugroom.crypto.agreed import envelope
from snugroom.crypto.errors import SnugError
from snugroom.wire import messages as wire

#: Seconds without an answer to our commit before it is sent again.
COMMIT_RETRY: Final = 3.0


class CommitQueue:
    """One membership's intents: each is staged anew in every epoch until it is done or fails."""

    def __init__(self, room: Room, hooks: Hooks, owner: Owner) -> None:
        self._room = room
        self._hooks = hooks
        self._owner = owner
        self._intents: deque[Intent] = deque()
        self._staged: Staged | None = None
        self._sent_at = 0.0  # 0: it is to be sent
        self._batches = Batches()

    def carry_over(self, old: CommitQueue) -> None:
        """Take over the intents of `old` that outlive its leaf."""
        self._intents = deque(i for i in old._intents if not isinstance(i, SelfRemoveIntent | HealIntent))

    def add(self, intent: Intent) -> None:
        """Add an intent: removals first, the others in order."""
        at = len(self._intents)
        if isinstance(intent, RemoveIntent):
            # also before those whose commit is under way: it may lose its slot
            at = next((n for n, i in enumerate(self._intents) if not isinstance(i, RemoveIntent)), at)
        self._intents.insert(at, intent)

    def __contains__(self, intent: Intent) -> bool:
        return intent in self._intents

    @property
    def waiting(self) -> Sequence[Intent]:
        """The intents that have not been done yet, in order."""
        return tuple(self._intents)

    @property
    def idle(self) -> bool:
        """Whether no intent is queued and no commit is under way."""
        return not self._intents and self._staged is None

    def tick(self, now: float) -> None:
        """Have a commit sent again that got no answer."""
        if self._staged is not None and now - self._sent_at > COMMIT_RETRY:
            self._sent_at = 0.0

    def send_next(self, now: float) -> None:
        """Send the commit of the first intent that can be staged; only while in sync."""
        room = self._room
        slot = room.membership.journal.slot + 1
        if self._staged is not None and self._staged.slot == slot:
            if self._sent_at == 0.0:
                self._sent_at = now
                self._send(self._staged)
            return
        while self._intents:
            if any(feature.holds_commits(now) for feature in self._hooks.features_with("holds_commits")):
                # A removal never waits, and goes before all other intents.
                self._intents = deque(sorted(self._intents, key=lambda i: not isinstance(i, RemoveIntent)))
                if not isinstance(self._intents[0], RemoveIntent):
                    return
            batch = self._batches.next(tuple(self._intents), now)
            if not batch:
                return
            try:
                staged = room.membership.stage(*batch)
            except SnugError as error:
                refused = self._batches.refused(room.membership, batch, error)
                if refused is not None:
                    intent, why = refused
                    self._remove([intent])
                    self._failed(intent, reasons.because(why))
                continue
            # the others are done: a member has their key already
            self._remove([each for each in batch if staged is None or each not in staged.intents])
            if staged is None:
                continue
            self._staged, self._sent_at = staged, now
            self._batches.sent(batch, now)
            self._send(staged)
            return

    def _send(self, staged: Staged) -> None:
        chain = self._room.membership.journal.chain_after(staged.blob)
        opening = sign_opening(self._room, staged.slot, envelope.gate(staged.blob), chain)
        self._room.send(wire.Commit(staged.slot, staged.blob, opening))

    def refused(self, why: str) -> None:
        """Give up an admission whose commit the server says that it never takes, and tell the newcomer.

        Several newcomers are tried again in smaller parts. Other intents stay: nobody has signed the refusal,
        and `monitor.pending` reports what waits.
        """
        if self._staged is None or not isinstance(self._staged.intents[0], EntryIntent):
            return
        self._staged.stage.drop()
        intents, self._staged = self._staged.intents, None
        if self._batches.gives_up(intents):
            self._remove(intents)
            self._failed(intents[0], why)

    def slot_taken(self, blob: bytes) -> Staged | None:
        """Return our commit if `blob` is it; else drop it, and stage its intent anew in the next epoch."""
        staged, self._staged = self._staged, None
        if staged is not None and staged.blob != blob:
            staged.stage.drop()
            self._batches.slot_lost()
            return None
        return staged

    def adopted(self, staged: Staged) -> None:
        """Remove the intents of our commit, which has been adopted."""
        self._batches.adopted()
        self._remove(staged.intents)
        for intent in staged.intents:
            if isinstance(intent, EntryIntent):
                assert staged.stage.welcome is not None
                self._owner.admitted(intent, staged.stage.welcome, staged.stage.tree)

    def _remove(self, intents: Sequence[Intent]) -> None:
        gone = {id(intent) for intent in intents}
        self._intents = deque(intent for intent in self._intents if id(intent) not in gone)

    def _failed(self, intent: Intent, why: str) -> None:
        if isinstance(intent, EntryIntent):
            self._owner.not_admitted(intent, why)
        else:
            self._room.tell(sentences.alarm("not_done", why=why))
