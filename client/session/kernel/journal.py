"""A room's history as one member keeps it: slots, chain, passes and the last blobs."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from snugroom.crypto.agreed import envelope
from snugroom.crypto.entry.invite import chain_next, gate

#: Slots whose blobs are kept, to hand over to a restarted server and to stragglers.
KEPT: Final = 8
#: Slots whose chain values are kept, to judge tickets.
CHAINS: Final = 64


@dataclass(frozen=True)
class Entry:
    """One slot: its blob, the chain after it, and the pass of the epoch after it."""

    slot: int
    chain: bytes
    room_pass: bytes
    blob: bytes | None  # None for the slot at which this member began
    opening: bytes | None = None  # the room admin's signature over slot, gate and chain, if we have it

    @property
    def gate_fits(self) -> bool | None:
        """Whether the gate that the blob names is that of our pass; None without a blob."""
        return None if self.blob is None else envelope.gate(self.blob) == gate(self.room_pass)


class Journal:
    """Grows by one slot at a time; never forks, never goes back."""

    def __init__(self, slot: int, chain: bytes, room_pass: bytes) -> None:
        first = Entry(slot, chain, room_pass, None)
        self._entries: deque[Entry] = deque([first], maxlen=KEPT + 1)
        #: The last slot that a host took, which closed the gates before it, or the one at which we began.
        self._floor = first
        self.chains: dict[int, bytes] = {slot: chain}

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

    def append(self, blob: bytes, room_pass: bytes, opening: bytes | None = None) -> None:
        """Record that `blob` has taken the next slot; `room_pass` is the pass from then on."""
        slot, chain = self.slot + 1, self.chain_after(blob)
        self._entries.append(Entry(slot, chain, room_pass, blob, opening))
        if opening is not None:
            self._floor = self._entries[-1]
        self.chains[slot] = chain
        self.chains.pop(slot - CHAINS, None)
