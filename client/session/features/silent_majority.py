"""A meeting that is paused because too many are silent: a host's program goes on without them.

It takes them off the list as absent: each of them comes back by itself and without a question, as the
member that it was (SNUG-8). It takes off no more than it must, those that have been silent for longest first,
and no host. A server that makes members silent gains little: a program does this once in ten minutes for
each.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.features.absence import STEP
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.intents import RemoveIntent
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.monitor import Monitor

#: Seconds for which too few are heard, and always the same, before a host's program goes on without others.
PATIENCE: Final = 20.0
#: Seconds after which it may do that again for the same member.
AGAIN: Final = 600.0


class SilentMajority(Feature):
    """Goes on without silent members where we are a host and it is our turn."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._here: frozenset[int] = frozenset()  # the others that are heard
        self._since = 0.0  # when that last changed, or what else is needed came about
        self._done: dict[bytes, float] = {}  # signature key -> when we last took that member off the list

    def carry_over(self, old: Room) -> None:
        self._done = old.feature(SilentMajority)._done

    def tick(self, now: float) -> None:
        room, m = self.room, self.room.membership
        monitor = room.feature(Monitor)
        may = m.is_host(m.own_leaf) and not room.options.waits_for_silent
        if not (may and room.is_synced(now) and monitor.is_short(now)):
            self._since = now
            return
        others = [leaf for leaf, _, _ in m.members() if leaf != m.own_leaf]
        here = frozenset(leaf for leaf in others if room.heard_recently(leaf, now))
        if here != self._here:
            self._here, self._since = here, now
        if not here or now - self._since < PATIENCE + STEP * room.rank:
            return
        silent = [
            leaf for leaf in others if leaf not in here and not m.is_host(leaf) and self._may(leaf, now)
        ]
        count = len(others) - 2 * len(here)  # those who are left are more than half then
        if not 0 < count <= len(silent):
            return
        chosen = sorted(silent, key=lambda leaf: (monitor.last_heard(leaf), leaf))[:count]
        self._since = now
        room.tell(sentences.status("going_on_without", names=[m.name(leaf) for leaf in chosen]))
        for leaf in chosen:
            key = m.signature_key(leaf) or b""
            self._done[key] = now
            room.queue_once(RemoveIntent(leaf, key, absent=True), now)

    def _may(self, leaf: int, now: float) -> bool:
        at = self._done.get(self.room.membership.signature_key(leaf) or b"")
        return at is None or now - at > AGAIN
