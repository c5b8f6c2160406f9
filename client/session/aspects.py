"""Which aspects a membership has, in the order in which their hooks run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.session.aspect import Aspect
from client.session.granting import Granting

if TYPE_CHECKING:
    from client.session.room import RoomSession


def make(room: RoomSession) -> list[Aspect]:
    """A new membership's aspects."""
    return [Granting(room)]
