"""Video in several layers: protection against replay when the server switches layers.

Within a layer, counters prevent replay of older frames; between layers no counter does. The sender's lists do
(protocol section 10, decision 29): each list names the frames that all layers sealed in the same half second.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session.features.signing import Signing
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto.errors import ReplayError
from snugroom.crypto.media.keys import Stream, base_stream
from snugroom.crypto.media.signatures import UnverifiedFrameError

#: Lists by which a frame may be older than the newest of another layer: the layers of one video frame are
#: sealed in sequence, and a list may end between two of them.
SLACK: Final = 1

_VIDEO: Final = frozenset({Stream.VIDEO, Stream.SCREEN_VIDEO})

#: (epoch, number of the list in it): rises with the time at which a frame was sealed.
ListPosition = tuple[int, int]


class SimulcastGuard(Feature):
    """Bounded by members times layers; a removed member's state is forgotten."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        # (leaf, announced stream) -> layer -> place of its newest opened frame, a lower bound
        self._newest: dict[tuple[int, int], dict[int, ListPosition]] = {}

    def check_frame(self, ssrc: int, leaf: int, stream: int, frame: bytes, now: float) -> None:
        """ReplayError for a frame that was sealed before the newest frame of another layer.

        UnverifiedFrameError if lost lists make the order unknown: the next list will settle it.
        """
        base, layer = base_stream(stream)
        others = [at for each, at in self._newest.get((leaf, base), {}).items() if each != layer]
        if not others:
            return
        epoch, number = self.room.feature(Signing).listed_in(leaf, stream, frame)
        shown_epoch, shown_number = max(others)
        if epoch == shown_epoch and number is None:
            raise UnverifiedFrameError("a frame of another layer, of which no list says how old it is")
        if epoch < shown_epoch or (epoch == shown_epoch and (number or 0) < shown_number - SLACK):
            raise ReplayError("a frame that was sealed before what another layer has shown")

    def frame_opened(self, ssrc: int, leaf: int, stream: int, frame: bytes, now: float) -> None:
        base, layer = base_stream(stream)
        if base not in _VIDEO:
            return
        epoch, number = self.room.feature(Signing).listed_in(leaf, stream, frame)
        if number is not None:
            shown = self._newest.setdefault((leaf, base), {})
            shown[layer] = max(shown.get(layer, (-1, -1)), (epoch, number))

    def adopted(self, change: Change, now: float) -> None:
        gone = {leaf for leaf, _, _ in change.removed}
        self._newest = {which: shown for which, shown in self._newest.items() if which[0] not in gone}
