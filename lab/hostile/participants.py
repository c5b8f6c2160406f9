"""An operator's knowledge of participants, from the order in which connections arrive."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

#: Seconds after a departure within which a new connection counts as a reconnection.
SAME_PERSON: Final = 10.0
_GONE_MAX: Final = 256


class Participants:
    """Numbers of participants in each place (a room's number or a lobby's key), from 1 in order of arrival.

    A connection that arrives within `SAME_PERSON` seconds after a participant's departure gets the number of
    that participant; of several, the number of the earliest departure. An operator that stores no addresses
    would guess so.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, tuple[bytes, int]] = {}
        self._next: dict[bytes, int] = {}
        self._gone: OrderedDict[tuple[bytes, int], float] = OrderedDict()

    def arrive(self, place: bytes, handle: bytes, now: float) -> int:
        """Register a connection at `place`, and return its number."""
        number = self.expected(place, now)
        if number is None:
            number = self._next.get(place, 1)
            self._next[place] = number + 1
        else:
            del self._gone[place, number]
        self._numbers[handle] = (place, number)
        return number

    def expected(self, place: bytes, now: float) -> int | None:
        """Return the number that the next connection at `place` would inherit; None for a new number."""
        for (where, number), at in self._gone.items():
            if where == place and now - at <= SAME_PERSON:
                return number
        return None

    def leave(self, handle: bytes, now: float) -> None:
        """Remove a connection."""
        known = self._numbers.pop(handle, None)
        if known is not None:
            self._gone[known] = now
            while len(self._gone) > _GONE_MAX:
                self._gone.popitem(last=False)

    def number(self, handle: bytes) -> int | None:
        """Return the number of a connection, or None if it is in no place."""
        known = self._numbers.get(handle)
        return None if known is None else known[1]

    def place(self, handle: bytes) -> bytes | None:
        """Return the place of a connection, or None."""
        known = self._numbers.get(handle)
        return None if known is None else known[0]

    def handles(self, place: bytes) -> dict[int, bytes]:
        """Return the connections at a place, by number."""
        return {number: handle for handle, (where, number) in self._numbers.items() if where == place}
