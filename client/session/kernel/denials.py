"""A server that acknowledges our pass, and then refuses what the pass is for (protocol section 5).

An honest server does that only when the room has moved on meanwhile. Each denial has our pass shown again,
and what was refused sent again: without a limit, that goes on as fast as the server answers.
"""

from __future__ import annotations

from typing import Final

#: Denials of acknowledged passes at one server, until each further one costs us the connection.
DENIALS_MAX: Final = 3
#: Seconds between two denials that count together: less than between two heartbeats, even urgent ones. A
#: server that withholds a commit denies these, and nothing is sent again at once: `Recovery` attends to that.
BURST: Final = 0.9
#: Seconds without a denial until that is over: longer than any pause between two tries.
FORGIVEN: Final = 10.0


class Denials:
    """One membership's denials, by the server's origin."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[int, float]] = {}  # how many, and when the last one was

    def denied(self, origin: str, now: float) -> bool:
        """Count a denial; return whether the connection is to be given up."""
        count, at = self._of.get(origin, (0, now))
        counts = now - at < BURST or self.goes_on(origin, now)
        self._of[origin] = (count if counts else 0) + 1, now
        return self.goes_on(origin, now)

    def goes_on(self, origin: str, now: float) -> bool:
        """Return whether that server takes our passes and denies them: its acknowledgement proves nothing."""
        count, at = self._of.get(origin, (0, now))
        return count >= DENIALS_MAX and now - at < FORGIVEN
