"""Joins parts of sound, 20 ms each, to the packets of a large room. A pure core."""

from __future__ import annotations

import numpy as np

from snugroom.client.media.codec import Sound
from snugroom.client.media.sources import silence
from snugroom.wire.limits import AUDIO_PARTS


class Framer:
    """Sound in the lengths that are encoded. `large` applies from the next whole multiple of 60 ms on."""

    def __init__(self) -> None:
        self.large = False
        self._first = 0  # index of the first part of the packet
        self._parts: list[Sound | None] | None = None

    def add(self, index: int, part: Sound) -> tuple[int, Sound] | None:
        """Take the part with this index; indices rise. Return the sound that is complete, with its index.

        Silence replaces parts that were skipped. A packet whose last part was skipped is lost.
        """
        first = index - index % AUDIO_PARTS
        if first != self._first or (self._parts is None and index == first):
            self._first, self._parts = first, [None] * AUDIO_PARTS if self.large else None
        if self._parts is None:
            return index, part
        self._parts[index - first] = part
        if index - first < AUDIO_PARTS - 1:
            return None
        joined = np.concatenate([silence() if each is None else each for each in self._parts])
        self._parts = None
        return first, joined
