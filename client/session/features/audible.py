"""The microphones that all members receive in a large room whose host has chosen that: 16 of them.

All members compute the same set from the shown states, a key that all share, and the time. Open microphones
come first, in the order in which they opened. Closed ones stay for half a minute, and members whose
microphone is closed fill the rest. At each tick one slot changes. The server sees the set, and who speaks is
in it (docs/explanation/decisions/0080-sixteen-audible-streams.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.features.states import Microphone, States
from snugroom.client.session.kernel.large_room import is_large
from snugroom.client.session.kernel.ports import Room
from snugroom.crypto.fields import uint
from snugroom.crypto.kdf import H
from snugroom.wire import messages as wire
from snugroom.wire.limits import SUBSCRIBE_MAX

SLOTS: Final = 16
#: Seconds between two changes of the set.
TICK: Final = 2


def audible(
    microphones: Mapping[int, Microphone], leaves: Collection[int], key: bytes, tick: int
) -> tuple[frozenset[int], tuple[int, ...]]:
    """Return the leaves whose sound all receive at a tick, and those with an open microphone that wait.

    At each tick one slot is drawn anew, for `SLOTS` ticks. Whoever opens a microphone gets the slot of the
    next tick, and whoever closes one gets another for as long: neither changes more than a draw does. A leaf
    that is drawn twice has two slots.
    """
    shown = [
        (microphone.since // TICK + 1, leaf, microphone.is_open)
        for leaf, microphone in microphones.items()
        if leaf in leaves
    ]
    opened = sorted((since, leaf) for since, leaf, is_open in shown if is_open)
    closed = sorted((since, leaf) for since, leaf, is_open in shown if not is_open and tick - since < SLOTS)
    kept = max(0, SLOTS - len(opened))
    taken: dict[int, int] = {}
    for since, leaf in sorted([*opened[:SLOTS], *closed[max(0, len(closed) - kept) :]]):
        slot = next(at for at in range(since, since + SLOTS) if at % SLOTS not in taken)
        taken[slot % SLOTS] = leaf
    ticks = range(max(0, tick - SLOTS + 1), tick + 1)
    drawn = {_drawn(leaves, key, at) for at in ticks if at % SLOTS not in taken}
    return frozenset(taken.values()) | drawn, tuple(leaf for _, leaf in opened[SLOTS:])


def _drawn(leaves: Collection[int], key: bytes, tick: int) -> int:
    """Return the leaf that is drawn at a tick: mostly the same one when others come and go."""
    largest = max(leaves)
    digest = H(b"snug 1 audible", key, uint(tick, 8))
    tries = [int.from_bytes(digest[at : at + 4]) % (1 << largest.bit_length()) for at in range(0, 32, 4)]
    return next((leaf for leaf in tries if leaf in leaves), largest)


class Audible:
    """The set in one membership. It tells the person when it begins and ends, and when they are in it."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._tick = -1
        self._waits = False
        #: The leaves whose sound we receive; None: all.
        self.chosen: frozenset[int] | None = None

    def choose(self, now: float) -> bool:
        """Let time pass; return whether `chosen` may be another one.

        It changes at ticks, and when the room's size does.
        """
        m = self._room.membership
        leaves = [leaf for leaf, _, _ in m.members()]
        tick, before = int(now // TICK), self.chosen
        if not is_large(leaves):
            if before is None:
                return False
            self.chosen, self._waits = None, False
            self._room.tell(sentences.status("audible.all"))
        else:
            if before is not None and tick == self._tick:
                return False
            if before is None:
                self._room.tell(sentences.status("audible"))
            microphones = self._room.feature(States).microphones()
            self.chosen, waiting = audible(microphones, leaves, m.heartbeat_key, tick)
            own = microphones.get(m.own_leaf)
            self._tell(waiting, own is not None and own.is_open)
        self._tick = tick
        return True

    def ssrcs(self, listed: Sequence[wire.HandleStream], choice: Sequence[int] | None) -> tuple[int, ...]:
        """Return the streams to ask for: the sound of those leaves, and the videos of `choice`; None: all."""
        sound = sorted(stream.ssrc for stream in listed if stream.kind == "audio")
        leaves, announcers = self.chosen or frozenset(), self._room.announcements.announcers
        heard = [ssrc for ssrc in sound if not leaves.isdisjoint(announcers(ssrc))]
        others = [stream.ssrc for stream in listed] if choice is None else choice
        return (*heard, *(ssrc for ssrc in others if ssrc not in sound))[:SUBSCRIBE_MAX]

    def _tell(self, waiting: tuple[int, ...], is_open: bool) -> None:
        own = self._room.membership.own_leaf
        waits = own in waiting
        if waits and not self._waits:
            place = waiting.index(own) + 1
            self._room.tell(sentences.status("audible.waits", slots=SLOTS, place=place))
        elif self._waits and not waits and is_open:
            self._room.tell(sentences.status("audible.heard"))
        self._waits = waits
