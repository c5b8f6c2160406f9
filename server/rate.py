"""Token buckets, pure: time comes in as an argument (seconds, monotonic)."""

from __future__ import annotations

from server.config import Settings


class TokenBucket:
    """Holds at most `burst` tokens, gains `rate` a second, starts full."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, tokens: float = 1.0) -> bool:
        """Take `tokens`; False, and nothing taken, if there are too few. A clock that goes back adds none."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True


class Guard:
    """What one connection may do: messages, bytes and errors, each in a bucket of its own."""

    __slots__ = ("_bytes", "_errors", "_messages")

    def __init__(self, settings: Settings, now: float) -> None:
        self._messages = TokenBucket(settings.messages_per_second, settings.message_burst, now)
        self._bytes = TokenBucket(settings.bytes_per_second, settings.byte_burst, now)
        self._errors = TokenBucket(settings.errors_max / 60, settings.errors_max, now)

    def frame(self, size: int, now: float) -> bool:
        """Whether a frame of `size` bytes is within the rates."""
        return self._messages.take(now) and self._bytes.take(now, size)

    def error(self, now: float) -> bool:
        """Count one refusal; False when there have been too many."""
        return self._errors.take(now)
