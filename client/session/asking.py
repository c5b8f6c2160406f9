"""Which streams the server is asked to forward to us, and up to which size: all, unless somebody chose.

What is asked for is seen by the server. Whoever asks for the picture of the person that speaks tells it who
speaks, so that is a choice. While fewer are asked for, our beats say that we don't want all, and nobody else
judges what reaches us: we alone know what was asked for. Sizes are between us and the server: whoever asks
for all streams, and for some of them small, still wants all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Final

from client.session.aspect import Aspect
from server.wire import messages as wire
from server.wire.limits import LAYERS_MAX, WANT_MAX

if TYPE_CHECKING:
    from client.session.room import RoomSession

#: Seconds between two that are told, at least: windows that are dragged larger change much in little time.
GAP: Final = 0.5
#: How every connection begins.
_ALL: Final = wire.Want(None)


class Asking(Aspect):
    """Says it again wherever the server can't know it: on each connection, and with other media of ours."""

    def __init__(self, room: RoomSession) -> None:
        super().__init__(room)
        self._ssrcs: tuple[int, ...] | None = None
        self._tops: dict[int, int] = {}
        self._layered: dict[int, bool] = {}  # the others' streams, and whether they come in several sizes
        self._wish = _ALL
        self._told: wire.Want | None = None  # as the server has it; None: it doesn't have our media
        self._told_at = -inf

    @property
    def everything(self) -> bool:
        """Whether a media engine is here, and every stream is asked for."""
        return self.room.has_media and self._ssrcs is None

    def asked(self, leaf: int) -> frozenset[int]:
        """Which of a leaf's streams (as announced) are asked for; none without a media engine."""
        if not self.room.has_media:
            return frozenset()
        streams = self.room.announced.streams(leaf)
        return frozenset(n for ssrc, n in streams.items() if self._ssrcs is None or ssrc in self._ssrcs)

    def ask(self, ssrcs: tuple[int, ...] | None, tops: Mapping[int, int], now: float) -> None:
        """These from now on, None: all; and the largest layer (0 to 2) that is of use, where it isn't 2.

        It goes out as soon as the server has our media, the last word of half a second. ValueError for a
        layer that there can't be.
        """
        if not all(0 <= top < LAYERS_MAX for top in tops.values()):
            raise ValueError(f"layers have the numbers 0 to {LAYERS_MAX - 1}")
        self._ssrcs, self._tops = ssrcs, dict(tops)
        self._changed(now)

    def carry_over(self, old: RoomSession) -> None:
        before = old.aspect(Asking)
        self._ssrcs, self._tops = before._ssrcs, before._tops

    def published(self, now: float) -> None:
        self._told, self._told_at = _ALL, -inf
        self._changed(now)

    def streams(self, streams: Sequence[wire.HandleStream], now: float) -> None:
        self._layered = {stream.ssrc: stream.layers > 0 for stream in streams}
        self._changed(now)

    def lost(self, why: str, now: float) -> None:
        self._told = None
        self._layered = {}

    def tick(self, now: float) -> None:
        self._tell(now)

    def _changed(self, now: float) -> None:
        self._wish = self._want()
        self._tell(now)

    def _tell(self, now: float) -> None:
        if self._told is not None and now - self._told_at >= GAP and self._wish != self._told:
            self._told, self._told_at = self._wish, now
            self.room.send(self._wish)

    def _want(self) -> wire.Want:
        ssrcs = self._ssrcs
        if ssrcs is None:
            # sizes go with a list; without a stream that has them the server need not be told one
            small = any(self._tops.get(ssrc, LAYERS_MAX) < LAYERS_MAX - 1 for ssrc in self._sized())
            if not small or len(self._layered) > WANT_MAX:
                return _ALL
            ssrcs = tuple(self._layered)
        tops = [self._tops.get(ssrc, LAYERS_MAX - 1) for ssrc in ssrcs]
        sized = any(top < LAYERS_MAX - 1 for top in tops)
        return wire.Want(list(ssrcs), tops if sized else [])

    def _sized(self) -> list[int]:
        return [ssrc for ssrc, layered in self._layered.items() if layered]
