"""Messages of a newcomer behind its door message, before the server has let it in (decision 81).

The server handles a connection's messages in order. A member that was let in a moment ago is at the room's
slot, so that its pass fits, and its media may follow. The server refuses a message that comes too early, and
it goes out again in step.
"""

from __future__ import annotations

from snugroom.client.session.kernel.announcer import Announcer
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.sync import Sync


def go_ahead(room: Room, sync: Sync, announcer: Announcer) -> None:
    """Send our pass behind the first door message of a membership, and our media as soon as there are any."""
    connection, slot = sync.connection, room.membership.journal.slot
    if connection is None or room.ended is not None:
        return
    # Nobody has opened the room of a founder, and a place has passes of its own.
    if connection.early is None and sync.incarnation is None and slot > 0 and room.here.is_home:
        connection.early = True
        sync.is_shown(connection, slot)
    if connection.early and connection.showing is not None:
        announcer.send_media(connection)
