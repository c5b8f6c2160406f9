"""Our media parameters for the server; our streams for the members, and the members for newcomers."""

from __future__ import annotations

from typing import Final

import msgspec

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.announcements import LABEL, announcement_text
from snugroom.client.session.kernel.feature import Hooks
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.room_connection import RoomConnection
from snugroom.crypto import hpke, mls

#: Seconds between two members' announcements, to spare a large room's server a burst.
STEP: Final = 0.01
#: Seconds after an Add for which a member expects that its committer introduces all members to the newcomer.
PATIENCE: Final = 2.0
_LEAF_MAX: Final = 0xFFFFFFFF


class Announcer:
    """Publishes on every connection, and announces whenever a member may not know our streams.

    After an Add, its committer hands on the announcements of all members. A member announces itself only
    if it is missing there, or if nothing comes.
    """

    def __init__(self, room: Room, hooks: Hooks) -> None:
        self._room = room
        self._hooks = hooks
        #: The media engine's parameters and streams; None without an engine.
        self.media: ev.Publish | None = None
        self._announce_at: float | None = None
        #: The newest announcement of ours, and how many there were.
        self._own: content.Announcement | None = None
        self._count = 0
        #: The epoch of the last Add, and when we announce unless its committer introduces us before.
        self._added_in = 0
        self._unless_introduced_at: float | None = None
        self._introduces = False

    def own_ssrc(self, stream: int) -> int | None:
        """Return the SSRC of that stream of ours; None if we have no such stream."""
        streams = () if self.media is None else self.media.streams
        return next((ssrc for ssrc, _, number in streams if number == stream), None)

    def send_media(self, connection: RoomConnection) -> None:
        """Send our parameters, unless this connection has them."""
        if self.media is not None and connection.published is not self.media:
            connection.published = self.media
            self._room.send(self.media.message())

    def publish(self, connection: RoomConnection, now: float) -> None:
        """Publish on a connection that has come in sync."""
        if self.media is not None:
            self.send_media(connection)
            for feature in self._hooks.features_with("published"):
                feature.published(now)
        self._announce_at = now

    def announce_at(self, at: float) -> None:
        """Announce our streams anew at that time."""
        self._announce_at = at

    def announce_in_turn(self, now: float) -> None:
        """Announce our streams anew, as all members do now, one after the other."""
        self._announce_at = now + STEP * self._room.member_index

    def members_added(self, now: float, *, by_us: bool) -> None:
        """Have the members of a new epoch introduced: by us if the commit is ours, else by its committer."""
        self._introduces |= by_us
        self._added_in = self._room.membership.group.epoch
        self._unless_introduced_at = now + PATIENCE + STEP * self._room.member_index

    def announce_if_due(self, now: float) -> None:
        """Send announcements whose time has come; only while in sync."""
        due = [at for at in (self._announce_at, self._unless_introduced_at) if at is not None]
        if due and now >= min(due):
            self._announce()
        if self._introduces:
            self._introduce()

    def heard(self, received: mls.ApplicationMessage, what: content.Announce, now: float) -> None:
        """Store the announcements that a member has sent; find out whether ours is among them.

        We have to be introduced only once in an epoch: empty introductions cost no more than an Add.
        """
        room, m = self._room, self._room.membership
        for each in what.announcements:
            if each.leaf != m.own_leaf and room.announcements.store(
                each, m.group.group_id, m.signature_key(each.leaf)
            ):
                for feature in self._hooks.features_with("announced"):
                    feature.announced(each)
        expected, there = self._unless_introduced_at, what.first <= m.own_leaf <= what.last
        if expected is not None and received.epoch >= self._added_in and there:
            known = self._own in what.announcements
            self._unless_introduced_at = None if known else min(expected, now + STEP * room.member_index)

    def _announce(self) -> None:
        room, m = self._room, self._room.membership
        self._announce_at = self._unless_introduced_at = None
        self._count += 1
        streams = [] if self.media is None else self.media.streams
        unsigned = content.Announcement(
            m.own_leaf,
            m.group.epoch,
            self._count,
            room.handle,
            hpke.public_key(room.box),
            [content.OwnStream(ssrc, kind, number) for ssrc, kind, number in streams],
            b"",
            room.here.openers,
        )
        signature = m.sign(LABEL, announcement_text(m.group.group_id, unsigned))
        self._own = msgspec.structs.replace(unsigned, signature=signature)
        room.relay(content.Announce(m.own_leaf, m.own_leaf, [self._own]))

    def _introduce(self) -> None:
        """Hand on the announcements of all members, in as many messages as they need."""
        self._introduces = False
        if self._own is None:
            return  # no connection has been in step yet: all announce themselves
        known = sorted([self._own, *self._room.announcements.newest()], key=lambda each: each.leaf)
        most = content.ANNOUNCEMENTS_MAX
        parts = [known[at : at + most] for at in range(0, len(known), most)]
        firsts = [0, *(part[0].leaf for part in parts[1:]), _LEAF_MAX + 1]
        for part, first, end in zip(parts, firsts, firsts[1:], strict=False):
            self._room.relay(content.Announce(first, end - 1, part))
        self._unless_introduced_at = None
