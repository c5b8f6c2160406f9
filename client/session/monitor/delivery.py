"""Which audio and video streams reach which members, by their signed counters of frames sent and received.

A stream does not reach Y if, in three successive beats of Y, its sender's counter of sealed frames has risen
and Y's counter of opened frames has not. A stream without frames shows nothing. The layers of a video are one
stream: the server forwards one of them, and a member that receives any layer receives the video.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from snugroom.crypto.media.keys import base_stream

#: Beats without a new frame before the loss is reported.
MISSES: Final = 3
#: Frames by which a sender's counter must rise for a beat to count.
RISE: Final = 5
#: Minimum seconds between two beats that count.
APART: Final = 3.0

#: (sender's leaf, the stream as it was announced)
Stream = tuple[int, int]


@dataclass
class _Pair:
    """One stream, as one listener reports it."""

    got: int
    mark: int  # the sent count when `got` last rose or a miss was last counted
    at: float
    misses: int = 0

    @property
    def lost(self) -> bool:
        return self.misses >= MISSES


class Judged(NamedTuple):
    """The streams that are now known not to reach a listener, and those that reach it again."""

    lost: list[Stream]
    back: list[Stream]


class Delivery:
    """Bounded by members times streams; a removed member's state is forgotten."""

    def __init__(self) -> None:
        self._sent: dict[int, dict[int, int]] = {}
        self._pairs: dict[int, dict[Stream, _Pair]] = {}  # by listener

    def record_sent(self, leaf: int, sent: Iterable[tuple[int, int]]) -> None:
        """Record a leaf's counters of sealed frames: (stream number, frames)."""
        self._sent[leaf] = _whole(sent)

    def senders(self) -> list[int]:
        """Return the leaves that have sent frames, in order."""
        return sorted(leaf for leaf, sent in self._sent.items() if sent)

    def record_received(
        self,
        listener: int,
        got: Mapping[int, Mapping[int, int]],
        settled: Iterable[int],
        now: float,
        *,
        wanted: Callable[[int], Collection[int]] | None = None,
    ) -> Judged:
        """Process a listener's counters of opened frames: leaf -> stream -> frames.

        Returns the streams that are now known not to reach it, and those that reach it again. `settled` are
        senders that have been here long enough to be judged. `wanted` returns which of a leaf's streams the
        listener has asked for; None: all.
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
        return Judged(lost, back)

    def not_reached(self, stream: Stream) -> list[int]:
        """Return the listeners that the stream does not reach."""
        return [listener for listener, pairs in self._pairs.items() if stream in pairs and pairs[stream].lost]

    def stop_judging(self, listener: int) -> None:
        """Stop judging a member that does not want all streams, because only it knows which."""
        self._pairs.pop(listener, None)

    def reset(self, leaf: int) -> None:
        """Start over for a member with a new connection: what it sends and receives counts from here."""
        self._pairs.pop(leaf, None)
        for pairs in self._pairs.values():
            for stream in [s for s in pairs if s[0] == leaf]:
                del pairs[stream]

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        self._sent.pop(leaf, None)
        self.reset(leaf)


def _whole(frames: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Sum the frames of all layers of a stream: each counter only rises, and so does the sum."""
    whole: dict[int, int] = {}
    for stream, count in frames:
        base, _ = base_stream(stream)
        whole[base] = whole.get(base, 0) + count
    return whole
