"""A room's history as one member keeps it: slots, chain, passes and the last blobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from snugroom.crypto.agreed import envelope
from snugroom.crypto.entry.invite import chain_next, gate
from snugroom.crypto.entry.places import place_pass
from snugroom.crypto.errors import MalformedError
from snugroom.crypto.fields import uint
from snugroom.crypto.kdf import H

#: Slots whose blobs are kept, to hand over to a restarted server and to stragglers.
KEPT: Final = 8
#: Slots whose chain values are kept, to judge tickets.
CHAINS: Final = 64
#: The last places whose chain values are kept, and how many of them a newcomer is told.
PLACES: Final = 8
PLACES_TOLD: Final = 3


@dataclass(frozen=True)
class Entry:
    """One slot: its blob, the chain after it, and the pass of the epoch after it."""

    slot: int
    chain: bytes
    room_pass: bytes
    blob: bytes | None  # None for the slot at which this member began
    opening: bytes | None = None  # the room admin's signature over slot, gate and chain, if we have it
    places: tuple[bytes, ...] = ()  # numbers of the places where the blob may have been made

    @property
    def fitting(self) -> bytes | None:
        """The pass that fits the gate in the blob: ours, or a place's made of it; None without either."""
        if self.blob is None:
            return None
        named = envelope.gate(self.blob)
        if gate(self.room_pass) == named:
            return self.room_pass
        others = (place_pass(self.room_pass, number) for number in self.places)
        return next((each for each in others if gate(each) == named), None)

    @property
    def gate_fits(self) -> bool | None:
        """Whether we have what opens the gate that the blob names; None without a blob."""
        return None if self.blob is None else self.fitting is not None


class Journal:
    """Grows by one slot at a time; never forks, never goes back."""

    def __init__(
        self, slot: int, chain: bytes, room_pass: bytes, before: bytes = b"", places: bytes = b""
    ) -> None:
        """`before`, `places`: the results at the member that let us in; MalformedError if they are not."""
        first = Entry(slot, chain, room_pass, None)
        self._entries: deque[Entry] = deque([first], maxlen=KEPT + 1)
        #: The last slot that a host took, which closed the gates before it, or the one at which we began.
        self._floor = first
        self.chains: dict[int, bytes] = {slot: chain}
        #: H(blob) of the same slots; 32 zeros for the first of them.
        self.digests: dict[int, bytes] = {slot: bytes(32)}
        self._begin_earlier(before)
        #: The chain values of our history at places where we have seen it, by the place's number and by slot.
        self._placed: dict[bytes, dict[int, bytes]] = {}
        if len(places) % 48 or len(places) > 48 * PLACES_TOLD:
            raise MalformedError("an answer's list of places has another size")
        for at in range(0, len(places), 48):
            self._placed[places[at : at + 16]] = {slot: places[at + 16 : at + 48]}

    # -- places (protocol section 12) ------------------------------------------------------------------

    def places(self) -> bytes:
        """Return the last places and their chain values after the current slot, for a newcomer."""
        last = list(self._placed.items())[-PLACES_TOLD:]
        return b"".join(number + values[self.slot] for number, values in last if self.slot in values)

    def value_at(self, number: bytes, slot: int) -> bytes | None:
        """Return the chain value after that slot at the place with that number; None if it is not known."""
        return self._placed.get(number, {}).get(slot)

    def recognised(self, number: bytes, slot: int, value: bytes) -> None:
        """Record that the server of that place has our history, with this chain value after that slot."""
        values = self._placed.pop(number, {})
        if values.get(slot) != value:
            values = {slot: value}
            for each in range(slot + 1, self.slot + 1):
                values[each] = H(values[each - 1], uint(each, 8), self.digests[each])
        self._placed[number] = values  # the latest last
        while len(self._placed) > PLACES:
            del self._placed[next(iter(self._placed))]

    # -- slots -----------------------------------------------------------------------------------------

    def before(self) -> bytes:
        """Return the last slots before the current one, for a newcomer (protocol section 4)."""
        known = [each for each in self.chains if each < self.slot][-KEPT:]
        return b"".join(self.chains[each] + self.digests[each + 1] for each in known)

    def _begin_earlier(self, before: bytes) -> None:
        """Take over the slots before ours, if they lead to our chain value."""
        pairs = [(before[at : at + 32], before[at + 32 : at + 64]) for at in range(0, len(before), 64)]
        first = self.slot - len(pairs)
        if len(before) % 64 or len(pairs) > KEPT or first < 0:
            raise MalformedError("the history before an answer's slot has another size")
        chains, digests = dict(self.chains), dict(self.digests)
        for slot, (chain, digest) in enumerate(pairs, first):
            after = pairs[slot + 1 - first][0] if slot + 1 < self.slot else self.chain
            if after != H(chain, uint(slot + 1, 8), digest):
                raise MalformedError("the history before an answer's slot does not lead there")
            chains[slot], digests[slot + 1] = chain, digest
        if pairs:
            digests[first] = bytes(32)
        self.chains, self.digests = (dict(sorted(each.items())) for each in (chains, digests))

    @property
    def slot(self) -> int:
        """The last slot taken."""
        return self._entries[-1].slot

    @property
    def chain(self) -> bytes:
        """The chain after the last slot, 32 bytes."""
        return self._entries[-1].chain

    @property
    def room_pass(self) -> bytes:
        """The pass of the current epoch, 32 bytes."""
        return self._entries[-1].room_pass

    @property
    def newest(self) -> Entry:
        """The last slot taken."""
        return self._entries[-1]

    @property
    def oldest(self) -> Entry:
        """The earliest slot after which this member can hand over every blob."""
        return self._entries[0]

    def entry(self, slot: int) -> Entry | None:
        """Return the entry of that slot; None if it is no longer kept."""
        at = slot - self._entries[0].slot
        return self._entries[at] if 0 <= at < len(self._entries) else None

    @property
    def entries(self) -> Iterable[Entry]:
        """The slots that are kept, the earliest first."""
        return self._entries

    @property
    def room_passes(self) -> list[bytes]:
        """Our different passes of slots whose gates may be open, the newest first."""
        kept = [entry.room_pass for entry in reversed(self._entries)]
        return list(dict.fromkeys([*kept, self._floor.room_pass]))

    def signed(self, *, newest: bool = False) -> list[Entry]:
        """Return the slots that a room admin has signed, the earliest (or newest) first."""
        entries = reversed(self._entries) if newest else iter(self._entries)
        return [entry for entry in entries if entry.opening is not None]

    def chain_after(self, blob: bytes) -> bytes:
        """Return the chain value that results if `blob` takes the next slot."""
        return chain_next(self.chain, self.slot + 1, blob)

    def append(
        self, blob: bytes, room_pass: bytes, opening: bytes | None = None, places: Iterable[bytes] = ()
    ) -> None:
        """Record that `blob` has taken the next slot; `room_pass` is the pass from then on.

        `places`: the numbers of the places where the blob may have been made.
        """
        slot, chain = self.slot + 1, self.chain_after(blob)
        self._entries.append(Entry(slot, chain, room_pass, blob, opening, tuple(places)))
        if opening is not None:
            self._floor = self._entries[-1]
        self.chains[slot], self.digests[slot] = chain, H(blob)
        for values in self._placed.values():
            if slot - 1 in values:
                values[slot] = H(values[slot - 1], uint(slot, 8), self.digests[slot])
        for known in (self.chains, self.digests, *self._placed.values()):
            known.pop(slot - CHAINS, None)
