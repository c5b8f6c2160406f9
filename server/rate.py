"""Token buckets. They do no I/O; time is an argument (seconds, monotonic)."""

from __future__ import annotations


class TokenBucket:
    """A bucket that holds at most `burst` tokens, gains `rate` tokens a second and starts full."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, tokens: float = 1.0) -> bool:
        """Take `tokens` and return True. If there are too few, take none and return False.

        A clock that goes back adds no tokens.
        """
        self._fill(now)
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True

    def spend(self, now: float, tokens: float) -> None:
        """Take `tokens` for something whose cost is known only afterwards. The bucket may be in debt then."""
        self._fill(now)
        self._tokens -= tokens

    def wait(self, now: float) -> float:
        """Return the seconds until a token is there; 0 if there is one."""
        self._fill(now)
        return max(0.0, 1.0 - self._tokens) / self._rate

    def full(self, now: float) -> bool:
        """Return whether the bucket is as full as at its start."""
        self._fill(now)
        return self._tokens >= self._burst

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
