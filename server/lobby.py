"""The core of a lobby: a blob goes to everybody else who is there now, and is forgotten.

No history, no slots, no media, no list of who is there; small limits of its own. Time comes in as an
argument (seconds, monotonic), facts go out as effects.
"""

from __future__ import annotations

from server.config import Settings
from server.effects import Drop, Effect, Send
from server.rate import TokenBucket
from server.wire import limits
from server.wire.messages import ClientMessage, Entered, Post, Posted, Refused


class Lobby:
    """One lobby; its number is the public key whose secret half opens its door."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._posts: dict[bytes, TokenBucket] = {}

    def __len__(self) -> int:
        """Connections in it now."""
        return len(self._posts)

    @property
    def handles(self) -> tuple[bytes, ...]:
        """Who is in it now."""
        return tuple(self._posts)

    def arrive(self, handle: bytes, incarnation: bytes, now: float) -> list[Effect]:
        """A connection whose door signature was right; a full lobby drops it."""
        s = self._settings
        if len(self._posts) >= s.lobby_members:
            return [Drop(handle, Refused("full", "the lobby is full", "lobby_door", fatal=True))]
        self._posts[handle] = TokenBucket(s.lobby_posts_per_second, s.lobby_post_burst, now)
        return [Send(handle, Entered(handle, incarnation))]

    def leave(self, handle: bytes) -> list[Effect]:
        """A connection is gone; nobody is told."""
        self._posts.pop(handle, None)
        return []

    def handle(self, handle: bytes, message: ClientMessage, now: float) -> list[Effect]:
        """What `handle`, who has arrived, sends."""
        if not isinstance(message, Post):
            about = str(type(message).__struct_config__.tag)
            return [Send(handle, Refused("state", "this has no place in a lobby", about))]
        size = len(message.blob)
        if size not in limits.BUCKETS or size > self._settings.lobby_blob_bytes:
            text = "a blob in a lobby has the size of a bucket, and not of the largest"
            return [Send(handle, Refused("size", text, "post"))]
        if not self._posts[handle].take(now):
            return [Send(handle, Refused("rate", "too many posts", "post"))]
        posted = Posted(message.blob)
        return [Send(other, posted) for other in self._posts if other != handle]
