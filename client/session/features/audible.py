"""The microphones that all members receive in a large room whose host has chosen that: 16 of them.

All members compute the same set from the shown states, a key that all share, and the time. Open microphones
come first. Closed ones stay for half a minute, and members whose microphone is closed fill the rest. If too
many are open, hosts come first and the others take turns, whatever they say of themselves. The server sees
the set, and who speaks is in it (docs/explanation/decisions/0080-sixteen-audible-streams.md).
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
    microphones: Mapping[int, Microphone], leaves: Mapping[int, bool], key: bytes, tick: int
) -> tuple[frozenset[int], frozenset[int]]:
    """Return the leaves whose sound all receive at a tick, and those with an open microphone that wait.

    `leaves` says of each member whether it is a host. At each tick one slot is drawn anew, for `SLOTS` ticks.
    Whoever opens a microphone gets the slot of the next tick, and whoever closes one gets another for as
    long: neither changes more than a draw does. A leaf that is drawn twice has two slots. Nobody waits while
    at most `SLOTS` are open.
    """
    shown = [
        (microphone.since // TICK + 1, leaf, microphone.is_open)
        for leaf, microphone in microphones.items()
        if leaf in leaves
    ]
    opened = sorted((since, leaf) for since, leaf, is_open in shown if is_open)
    if len(opened) > SLOTS:
        every = frozenset(leaf for _, leaf in opened)
        chosen = _by_turns(every, leaves, key, tick)
        return chosen, every - chosen
    closed = sorted((since, leaf) for since, leaf, is_open in shown if not is_open and tick - since < SLOTS)
    kept = max(0, SLOTS - len(opened))
    taken: dict[int, int] = {}
    for since, leaf in sorted([*opened, *closed[max(0, len(closed) - kept) :]]):
        slot = next(at for at in range(since, since + SLOTS) if at % SLOTS not in taken)
        taken[slot % SLOTS] = leaf
    ticks = range(max(0, tick - SLOTS + 1), tick + 1)
    drawn = {_drawn(leaves, key, at) for at in ticks if at % SLOTS not in taken}
    return frozenset(taken.values()) | drawn, frozenset()


def _by_turns(opened: Collection[int], leaves: Mapping[int, bool], key: bytes, tick: int) -> frozenset[int]:
    """Return which of too many open microphones are heard: hosts' first, and the others by lot.

    A lot is for `SLOTS` ticks. What a member says of itself, such as since when it speaks, has no part in it:
    members that are there to be in the way have the same lots as others.
    """
    chosen: set[int] = set()
    for of_hosts in (True, False):
        group = {leaf for leaf in opened if leaves[leaf] is of_hosts}
        free = SLOTS - len(chosen)
        if len(group) <= free:
            chosen |= group
            continue
        for at in range(max(0, tick - SLOTS + 1), tick + 1):
            if at % SLOTS < free:
                found = min(group, key=lambda leaf, at=at: (_lot(key, at, leaf), leaf))  # type: ignore[misc]
                group.remove(found)
                chosen.add(found)
    return frozenset(chosen)


def _lot(key: bytes, tick: int, leaf: int) -> bytes:
    """Return a member's lot at a tick, 4 bytes: the lowest wins."""
    digest = H(b"snug 1 audible lot", key, uint(tick, 8), uint(leaf // 8, 4))
    return digest[leaf % 8 * 4 :][:4]


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
        leaves = {leaf: host for leaf, _, host in m.members()}
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

    def _tell(self, waiting: frozenset[int], is_open: bool) -> None:
        waits = self._room.membership.own_leaf in waiting
        if waits and not self._waits:
            self._room.tell(sentences.status("audible.waits", slots=SLOTS))
        elif self._waits and not waits and is_open:
            self._room.tell(sentences.status("audible.heard"))
        self._waits = waits
