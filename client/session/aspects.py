"""Which aspects a membership has, in the order in which their hooks run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.session.aspect import Aspect
from client.session.granting import Granting
from client.session.identity import Vouching
from client.session.signing import Signing
from client.session.turning import Turning

if TYPE_CHECKING:
    from client.session.room import RoomSession


def make(room: RoomSession, now: float) -> list[Aspect]:
    """A new membership's aspects."""
    return [Granting(room), Turning(room, now), Vouching(room), Signing(room)]
