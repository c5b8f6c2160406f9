"""Our media parameters for the server, and our streams for the members."""

from __future__ import annotations

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.feature import Hooks
from snugroom.client.session.kernel.ports import Room
from snugroom.crypto import hpke


class Announcer:
    """Publishes on every connection, and announces whenever a member may not know our streams."""

    def __init__(self, room: Room, hooks: Hooks) -> None:
        self._room = room
        self._hooks = hooks
        #: The media engine's parameters and streams; None without an engine.
        self.media: ev.Publish | None = None
        self._announce_at: float | None = None

    def publish(self, now: float) -> None:
        """Publish on a connection that has come in sync."""
        if self.media is not None:
            self._room.send(self.media.message())
            for feature in self._hooks.features_with("published"):
                feature.published(now)
        self._announce_at = now

    def announce_at(self, at: float) -> None:
        """Announce our streams anew at that time."""
        self._announce_at = at

    def announce_if_due(self, now: float) -> None:
        """Send an announcement whose time has come; only while in sync."""
        if self._announce_at is not None and now >= self._announce_at:
            self._announce_at = None
            self._announce()

    def _announce(self) -> None:
        streams = [] if self.media is None else self.media.streams
        self._room.relay(
            content.Announce(
                self._room.handle,
                hpke.public_key(self._room.box),
                [content.OwnStream(ssrc, kind, number) for ssrc, kind, number in streams],
                self._room.here.openers,
            )
        )
