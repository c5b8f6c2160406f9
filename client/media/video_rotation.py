"""Selects the video streams that a headless participant subscribes to: a limited number, in rotation.

Pure. The selection rotates and never follows voice activity, because the server sees subscriptions. All audio
is always subscribed to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from snugroom.wire.messages import HandleStream

#: Seconds until the next video streams have their turn.
TURN: Final = 15.0


def turns(streams: Sequence[HandleStream], most: int, seconds: float) -> tuple[int, ...] | None:
    """Return the SSRCs to subscribe to, ascending: all audio, and `most` (0 or more) of the video streams.

    None if `most` covers all video streams.
    `seconds`: time since the meeting was entered. Every TURN seconds the next streams follow, and the first
    ones after the last.
    """
    videos = sorted(stream.ssrc for stream in streams if stream.kind == "video")
    if len(videos) <= most:
        return None
    first = int(seconds // TURN) * most % len(videos)
    shown = (videos[first:] + videos[:first])[:most]
    return tuple(sorted(shown + [stream.ssrc for stream in streams if stream.kind == "audio"]))
