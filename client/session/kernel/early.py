"""Blobs of epochs that this member has not reached yet.

Nobody has authenticated them: the epoch's number is in clear, and the server can write any number. So their
number, bytes and time are bounded.
"""

from __future__ import annotations

from collections import deque


class EarlyBlobs:
    """Blobs in order of arrival. A blob that exceeds a limit displaces the oldest ones."""

    def __init__(self, *, most: int, size: int, seconds: float) -> None:
        """Keep at most `most` blobs and `size` bytes in all, and each blob for that many seconds."""
        self._most = most
        self._size = size
        self._seconds = seconds
        self._blobs: deque[tuple[float, bytes]] = deque()
        self._held = 0
        self._dropped = 0

    def add(self, blob: bytes, now: float) -> None:
        """Keep a blob."""
        self._blobs.append((now, blob))
        self._held += len(blob)
        self._trim(now)

    def take(self, now: float) -> tuple[list[bytes], int]:
        """Return the blobs, and the number of blobs that were dropped; both start anew."""
        self._trim(now)
        taken = [blob for _, blob in self._blobs], self._dropped
        self._blobs.clear()
        self._held = self._dropped = 0
        return taken

    def _trim(self, now: float) -> None:
        while self._blobs and (
            len(self._blobs) > self._most
            or self._held > self._size
            or self._blobs[0][0] + self._seconds <= now
        ):
            self._held -= len(self._blobs.popleft()[1])
            self._dropped += 1

    def __len__(self) -> int:
        return len(self._blobs)
