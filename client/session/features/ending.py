"""A host ends the meeting for all (SNUG-18)."""

from __future__ import annotations

from typing import Final

from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.features.announcement import Announcement
from snugroom.client.session.kernel.ports import Room

#: Seconds after which a host who ended the meeting leaves, even if the server has not relayed the end.
END_WAIT: Final = 5.0


class Ending(Announcement[content.End]):
    """Leaves when the end has come back, or after `END_WAIT`."""

    KIND = content.End
    ALARM = "false_end"

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self._since: float | None = None

    def end(self, now: float) -> None:
        """End the meeting, as soon as we are in step with the server; CommandError if we are not a host."""
        self.room.host_only()
        if self._since is None:
            self._since = now
        self.tick(now)

    def wanted(self, chain: bytes) -> content.End | None:
        return None if self._since is None or self.room.ended is not None else content.End(chain)

    def tick(self, now: float) -> None:
        super().tick(now)
        if self._since is not None and self.room.ended is None and now - self._since > END_WAIT:
            self.room.finish("ended", sentence("room.ended_unheard"))

    def follow(self, what: content.End, by: int, now: float) -> None:
        m = self.room.membership
        ended = sentence("room.you_ended") if by == m.own_leaf else sentence("room.ended_by", name=m.name(by))
        self.room.finish("ended", ended)
