"""Token buckets. They do no I/O; time is an argument (seconds, monotonic)."""

from __future__ import annotations

from snugroom.server.config import Settings


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
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True


class RateLimits:
    """The rate limits of one connection: a bucket each for messages, bytes and errors."""

    __slots__ = ("_bytes", "_errors", "_messages")

    def __init__(self, settings: Settings, now: float) -> None:
        self._messages = TokenBucket(settings.messages_per_second, settings.message_burst, now)
        self._bytes = TokenBucket(settings.bytes_per_second, settings.byte_burst, now)
        self._errors = TokenBucket(settings.errors_max / 60, settings.errors_max, now)

    def allow_frame(self, size: int, now: float) -> bool:
        """Count a frame of `size` bytes; return False if it exceeds a rate."""
        return self._messages.take(now) and self._bytes.take(now, size)

    def allow_error(self, now: float) -> bool:
        """Count one refusal; return False after too many refusals."""
        return self._errors.take(now)
