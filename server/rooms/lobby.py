"""The core of a lobby: it sends each blob to all other connections in it, and stores none.

A lobby has no history, no slots and no media. It sends no list of its connections, and it has smaller limits
than a room. Time is an argument (seconds, monotonic); methods return effects.
"""

from __future__ import annotations

from snugroom.server.config import Settings
from snugroom.server.rate import TokenBucket
from snugroom.server.rooms.effects import Drop, Effect, Send
from snugroom.server.wire import limits
from snugroom.server.wire.messages import ClientMessage, Entered, Post, Posted, Refused


class Lobby:
    """One lobby. Its number is a public key, and the secret half opens its door."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._posts: dict[bytes, TokenBucket] = {}

    def __len__(self) -> int:
        """Return the number of connections in the lobby."""
        return len(self._posts)

    @property
    def handles(self) -> tuple[bytes, ...]:
        """The handles of the connections in the lobby."""
        return tuple(self._posts)

    def arrive(self, handle: bytes, incarnation: bytes, now: float) -> list[Effect]:
        """Admit a connection whose door signature is valid. A full lobby drops it."""
        s = self._settings
        if len(self._posts) >= s.lobby_members:
            return [Drop(handle, Refused("full", "the lobby is full", "lobby_door", fatal=True))]
        self._posts[handle] = TokenBucket(s.lobby_posts_per_second, s.lobby_post_burst, now)
        return [Send(handle, Entered(handle, incarnation))]

    def leave(self, handle: bytes) -> list[Effect]:
        """Remove a connection. The others get no message."""
        self._posts.pop(handle, None)
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
        if not self._posts[handle].take(now):
            return [Send(handle, Refused("rate", "too many posts", "post"))]
        posted = Posted(message.blob)
        return [Send(other, posted) for other in self._posts if other != handle]
