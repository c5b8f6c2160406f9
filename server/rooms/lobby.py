"""The core of a lobby: it sends each blob to some connections in it, or to all others, and stores none.

A lobby has no history, no slots and no media. It sends no list of its connections: a connection learns the
handle of another one from a blob that came from there. Its limits are smaller than a room's, and those of
blobs to all are smaller still. Time is an argument (seconds, monotonic); methods return effects.
"""

from __future__ import annotations

from dataclasses import dataclass

from snugroom.server.config import Settings
from snugroom.server.rate import TokenBucket
from snugroom.server.rooms.effects import Drop, Effect, Send
from snugroom.wire import limits
from snugroom.wire.messages import ClientMessage, Entered, Post, Posted, Refused


@dataclass(frozen=True, slots=True)
class _Rates:
    posts: TokenBucket
    broadcasts: TokenBucket


class Lobby:
    """One lobby. Its number is a public key, and the secret half opens its door."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rates: dict[bytes, _Rates] = {}

    def __len__(self) -> int:
        """Return the number of connections in the lobby."""
        return len(self._rates)

    @property
    def handles(self) -> tuple[bytes, ...]:
        """The handles of the connections in the lobby."""
        return tuple(self._rates)

    def arrive(self, handle: bytes, incarnation: bytes, now: float) -> list[Effect]:
        """Admit a connection whose door signature is valid. A full lobby drops it."""
        s = self._settings
        if len(self._rates) >= s.lobby_members:
            return [Drop(handle, Refused("full", "the lobby is full", "lobby_door", fatal=True))]
        self._rates[handle] = _Rates(
            TokenBucket(s.lobby_posts_per_second, s.lobby_post_burst, now),
            TokenBucket(s.lobby_broadcasts_per_second, s.lobby_broadcast_burst, now),
        )
        return [Send(handle, Entered(handle, incarnation))]

    def leave(self, handle: bytes) -> list[Effect]:
        """Remove a connection. The others get no message."""
        self._rates.pop(handle, None)
        return []

    def handle(self, handle: bytes, message: ClientMessage, now: float) -> list[Effect]:
        """Handle a message from `handle`, which must have arrived."""
        if not isinstance(message, Post):
            about = str(type(message).__struct_config__.tag)
            return [Send(handle, Refused("state", "a lobby does not take this message", about))]
        size = len(message.blob)
        if size not in limits.BUCKETS or size > self._settings.lobby_blob_bytes:
            text = "a blob in a lobby has the size of a bucket, and not of the largest"
            return [Send(handle, Refused("size", text, "post"))]
        if message.to is None and size > limits.LOBBY_BROADCAST_MAX:
            text = f"a blob for all in a lobby has at most {limits.LOBBY_BROADCAST_MAX} bytes"
            return [Send(handle, Refused("size", text, "post"))]
        rates, to = self._rates[handle], dict.fromkeys(message.to or ())
        if not rates.posts.take(now, len(to) or 1):
            return [Send(handle, Refused("rate", "too many posts", "post"))]
        if message.to is None and not rates.broadcasts.take(now):
            return [Send(handle, Refused("rate", "too many posts to all in the lobby", "post"))]
        posted = Posted(handle, message.blob)
        if message.to is not None:
            return [Send(each, posted) for each in to if each in self._rates]
        return [Send(other, posted) for other in self._rates if other != handle]
