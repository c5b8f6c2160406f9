"""How long a client waits before it connects again: full jitter, so that a crowd does not return at once."""

from __future__ import annotations

from typing import Final

from snugroom.crypto.kdf import Rng

#: Seconds in which the first try falls; each failure doubles them, up to the second number.
FIRST: Final = 0.5
MOST: Final = 4.0


def delay(failures: int, rng: Rng, most: float = MOST) -> float:
    """Return the seconds before the next try, at most `most`, after so many failures in a row.

    The whole span is random, not a part of it: with a fixed part, clients that lost one server together would
    return together.
    """
    span = min(FIRST * 2.0 ** min(failures, 8), most)
    return span * int.from_bytes(rng(4), "big") / 2**32
