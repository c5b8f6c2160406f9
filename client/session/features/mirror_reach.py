"""Whether heartbeats come by the mirror, and what a person was told of that (protocol section 12).

A mirror that is down, or cut off, takes away a protection and nothing else: so it is told, once and calmly.
Its server's word counts for nothing here, as everywhere: only what members have sent by it does.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.second_room import SecondRoom

#: Seconds in step without anything by the mirror until that is told.
UNREACHED: Final = 30.0
#: Seconds that one tick counts for at most: a computer that slept has missed nothing.
TICK_MAX: Final = 1.0


class Reach:
    """One participant's mirror."""

    def __init__(self) -> None:
        #: Where the mirror is; empty without one.
        self.origin = ""
        #: When something last came by it; before that, since when it is the mirror.
        self.since = 0.0
        self._came = False
        self._missing = 0.0  # seconds without it in which we were in step
        self._ticked_at = 0.0
        self._told_of = ""  # the mirror that a person knows to be missing

    @property
    def is_reached(self) -> bool:
        """Whether something has come by it, a moment ago."""
        return self._came and self._missing < UNREACHED

    def came(self, now: float) -> None:
        """Something has come by the mirror."""
        self._came, self.since, self._missing = True, now, 0.0

    def tick(self, room: Room, mirror: SecondRoom | None, now: float) -> None:
        """Let time pass in step. Tell once that nothing comes by the mirror, and when it does again."""
        if mirror is not None and mirror.is_ready and not _hears_others(room, now):
            self.came(now)  # nobody is here who could say something there
        origin = "" if mirror is None else mirror.here.origin
        if origin == self.origin:
            self._missing += min(now - self._ticked_at, TICK_MAX)
        else:
            self.origin, self.since, self._came, self._missing = origin, now, False, 0.0
        self._ticked_at = now
        here = room.here.origin
        if self._told_of and (self.is_reached or not origin):
            self._told_of = ""
            key = "cleared.mirror" if origin else "cleared.mirror.none"
            room.tell(sentences.status(key, origin=origin or here))
        elif origin and self._missing >= UNREACHED and self._told_of != origin:
            self._told_of = origin
            room.tell(sentences.status("mirror", origin=origin, here=here, seconds=int(UNREACHED)))


def _hears_others(room: Room, now: float) -> bool:
    m = room.membership
    return any(leaf != m.own_leaf and room.heard_recently(leaf, now) for leaf, _, _ in m.members())
