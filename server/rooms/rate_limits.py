"""The rate limits of one signaling connection."""

from __future__ import annotations

from snugroom.server.config import Settings
from snugroom.server.rate import TokenBucket


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
