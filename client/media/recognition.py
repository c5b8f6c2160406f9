"""Recognition of one sender's test card in what a participant decodes, frame by frame.

Each watcher takes what `MediaEngine` gives to `on_decoded`: the leaf is authenticated, and the test card has
to be the one of that leaf (its identity is the leaf modulo 20).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from snugroom.client.media import check, sources
from snugroom.client.media.codec import RawFrame, Sound
from snugroom.wire.messages import MediaKind

#: The sound that is looked at, in frames of 20 ms: one window of `check.tones_in`, 171 ms.
_SOUND_FRAMES: Final = 9
#: The least share of the sound's power that the tone has to have.
_STRENGTH_MIN: Final = 0.5


class Card:
    """Counts the video frames of `leaf` that show the test card of `leaf`."""

    def __init__(self, leaf: int) -> None:
        self._leaf = leaf
        self._identity = leaf % sources.IDENTITIES
        #: Decoded frames of that sender, and those among them that show its card.
        self.frames = self.recognised = 0
        #: The card that the last frame shows; None for no test card.
        self.last: int | None = None

    def decoded(self, leaf: int, kind: MediaKind, decoded: Sound | RawFrame) -> None:
        """Take a decoded frame of anybody."""
        if (leaf, kind) != (self._leaf, "video"):
            return
        self.frames += 1
        self.last = check.identity_of_colour(check.colour_in(decoded.astype(np.uint8, copy=False)))
        self.recognised += self.last == self._identity


class Tone:
    """Listens for the tone of the test card of `leaf` in the sound of `leaf`."""

    def __init__(self, leaf: int) -> None:
        self._leaf = leaf
        self._identity = leaf % sources.IDENTITIES
        self._sound: list[NDArray[np.float64]] = []
        self.frames = 0
        self.heard = False
        #: The strongest pitch of the last sound that had one, Hz.
        self.last: float | None = None

    def decoded(self, leaf: int, kind: MediaKind, decoded: Sound | RawFrame) -> None:
        """Take a decoded frame of anybody."""
        if (leaf, kind) != (self._leaf, "audio") or self.heard:
            return
        self.frames += 1
        self._sound = [*self._sound[1 - _SOUND_FRAMES :], decoded.astype(np.float64)]
        if len(self._sound) < _SOUND_FRAMES:
            return
        for tone in check.tones_in(np.concatenate(self._sound))[:1]:
            self.last = tone.hz
            self.heard = tone.strength >= _STRENGTH_MIN and (
                check.identity_of_pitch(tone.hz) == self._identity
            )
