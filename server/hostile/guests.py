"""Who is where, as an operator knows it: by the order in which connections came."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

#: Seconds in which a connection that comes is taken for the one that went: people reconnect.
SAME_PERSON: Final = 10.0
_GONE_MAX: Final = 256


class Guests:
    """Numbers from 1 on in each place (a room's number, a lobby's key), in the order of arrival.

    Who comes within `SAME_PERSON` seconds of somebody's going is taken for that one, the longest gone first:
    that is how an operator that keeps no address would guess.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, tuple[bytes, int]] = {}
        self._next: dict[bytes, int] = {}
        self._gone: OrderedDict[tuple[bytes, int], float] = OrderedDict()

    def arrive(self, place: bytes, handle: bytes, now: float) -> int:
        """A connection is inside; its number."""
        number = self.expected(place, now)
        if number is None:
            number = self._next.get(place, 1)
            self._next[place] = number + 1
        else:
            del self._gone[place, number]
        self._numbers[handle] = (place, number)
        return number

    def expected(self, place: bytes, now: float) -> int | None:
        """Whom the next connection at `place` would be taken for; None: for somebody new."""
        for (where, number), at in self._gone.items():
            if where == place and now - at <= SAME_PERSON:
                return number
        return None

    def leave(self, handle: bytes, now: float) -> None:
        """A connection is gone."""
        known = self._numbers.pop(handle, None)
        if known is not None:
            self._gone[known] = now
            while len(self._gone) > _GONE_MAX:
                self._gone.popitem(last=False)

    def number(self, handle: bytes) -> int | None:
        """The number of a connection, None where it is nowhere."""
        known = self._numbers.get(handle)
        return None if known is None else known[1]

    def place(self, handle: bytes) -> bytes | None:
        """Where a connection is."""
        known = self._numbers.get(handle)
        return None if known is None else known[0]

    def handles(self, place: bytes) -> dict[int, bytes]:
        """Connections at a place, by number."""
        return {number: handle for handle, (where, number) in self._numbers.items() if where == place}
