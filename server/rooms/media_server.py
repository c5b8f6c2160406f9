"""The SFU as signaling sees it, and the calls of its workers that are still without an answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from snugroom.wire import messages


class MediaServer(Protocol):
    """The SFU's interface to signaling: `server.sfu.sfu.Sfu` or `server.sfu.workers.pool.Workers`."""

    def join(
        self, room: bytes, handle: bytes, media: messages.Media
    ) -> messages.Transport | asyncio.Future[messages.Transport]:
        """Add or change streams and transport parameters of a connection. Raises ValueError on refusal.

        A future delivers the transport, or the exception, later.
        """

    def subscribe(self, room: bytes, handle: bytes, ssrcs: list[int] | None, max_layers: list[int]) -> None:
        """Forward the streams `ssrcs` (None: all), in layers up to `max_layers` (empty: the largest)."""

    def leave(self, room: bytes, handle: bytes) -> None:
        """End all media of a connection."""

    def totals(self) -> dict[str, int]:
        """Return the SFU's counts, over all rooms."""


@dataclass(slots=True)
class PendingMedia:
    """The pending `media` of a connection. `streams` is sent after the last of `answers`."""

    answers: list[asyncio.Future[messages.Transport]] = field(default_factory=list)
    streams: messages.Streams | None = None
