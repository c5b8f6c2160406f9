"""Whose sound and pictures reach whom, from what each has signed of what it sent and of what came.

A stream does not reach Y if, in three of Y's beats one after the other, what its sender has sealed has risen
and what Y could open has not. A stream that nothing is sent on says nothing. Layers are one stream: of
several sizes of one picture the server forwards one, and whoever gets any of them gets the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from crypto.media_keys import base_stream

#: Beats in which nothing came, until it is told.
MISSES: Final = 3
#: Frames by which a sender's counter has to rise for a beat to count.
RISE: Final = 5
#: Seconds that lie between two beats that count, at least.
APART: Final = 3.0

#: (sender's leaf, the stream as it was announced)
Stream = tuple[int, int]


@dataclass
class _Pair:
    """One stream, as one listener reports it."""

    got: int
    mark: int  # what had been sent when `got` rose, or a miss was counted, last
    at: float
    misses: int = 0

    @property
    def lost(self) -> bool:
        return self.misses >= MISSES


class Reaching:
    """Bounded by members times streams; leaves are forgotten with their members."""

    def __init__(self) -> None:
        self._sent: dict[int, dict[int, int]] = {}
        self._pairs: dict[int, dict[Stream, _Pair]] = {}  # by listener

    def sends(self, leaf: int, sent: Iterable[tuple[int, int]]) -> None:
        """What a leaf has sealed so far: (stream number, frames)."""
        self._sent[leaf] = _whole(sent)

    def reports(
        self,
        listener: int,
        got: Mapping[int, Mapping[int, int]],
        settled: Iterable[int],
        now: float,
        *,
        wanted: Callable[[int], Collection[int]] | None = None,
    ) -> tuple[list[Stream], list[Stream]]:
        """A listener's word on what it has opened: leaf -> stream -> frames.

        Gives the streams that are now known not to reach it, and those that do again. `settled` are senders
        who have been here long enough to be judged. `wanted`: which of a leaf's streams the listener has
        asked for, None: all.
        """
        pairs = self._pairs.setdefault(listener, {})
        lost: list[Stream] = []
        back: list[Stream] = []
        for leaf in settled:
            if leaf == listener:
                continue
            opened = _whole(got.get(leaf, {}).items())
            asked = None if wanted is None else wanted(leaf)
            for stream, sent in self._sent.get(leaf, {}).items():
                if asked is not None and stream not in asked:
                    pairs.pop((leaf, stream), None)
                    continue
                came = opened.get(stream, 0)
                pair = pairs.get((leaf, stream))
                if pair is None:
                    pairs[leaf, stream] = _Pair(came, sent, now)
                elif came != pair.got:
                    if pair.lost:
                        back.append((leaf, stream))
                    pairs[leaf, stream] = _Pair(came, sent, now)
                elif sent - pair.mark >= RISE and now - pair.at >= APART:
                    pair.misses, pair.mark, pair.at = pair.misses + 1, sent, now
                    if pair.misses == MISSES:
                        lost.append((leaf, stream))
        return lost, back

    def losers(self, stream: Stream) -> list[int]:
        """Listeners whom that stream does not reach."""
        return [listener for listener, pairs in self._pairs.items() if stream in pairs and pairs[stream].lost]

    def rests(self, listener: int) -> None:
        """That member doesn't want all streams now, and which it alone knows: counted from when it does."""
        self._pairs.pop(listener, None)

    def begin_again(self, leaf: int) -> None:
        """That member has a new connection: what it sends and hears is counted from here."""
        self._pairs.pop(leaf, None)
        for pairs in self._pairs.values():
            for stream in [s for s in pairs if s[0] == leaf]:
                del pairs[stream]

    def forget(self, leaf: int) -> None:
        """Nobody, or another, is at that leaf now."""
        self._sent.pop(leaf, None)
        self.begin_again(leaf)


def _whole(frames: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Frames of all layers of a stream together: each count only rises, and so does their sum."""
    whole: dict[int, int] = {}
    for stream, count in frames:
        base, _ = base_stream(stream)
        whole[base] = whole.get(base, 0) + count
    return whole
