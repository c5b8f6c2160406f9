"""Which pictures a headless participant asks for: so many at a time, by turns.

Pure. By turns and never by voice, for the server sees what is asked for. All sound is asked for always.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from server.wire.messages import HandleStream

#: Seconds until the next pictures have their turn.
TURN: Final = 15.0


def turns(streams: Sequence[HandleStream], most: int, seconds: float) -> tuple[int, ...] | None:
    """SSRCs to ask for, rising: all sound, and `most` (0 or more) of the pictures; None where those are all.

    `seconds` since the meeting was entered: every TURN the next ones come, and after the last the first.
    """
    pictures = sorted(stream.ssrc for stream in streams if stream.kind == "video")
    if len(pictures) <= most:
        return None
    first = int(seconds // TURN) * most % len(pictures)
    shown = (pictures[first:] + pictures[:first])[:most]
    return tuple(sorted(shown + [stream.ssrc for stream in streams if stream.kind == "audio"]))
