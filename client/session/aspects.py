"""The aspects of a membership, in the order in which their hooks run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.session.asking import Asking
from client.session.aspect import Aspect
from client.session.comparing import Comparing
from client.session.dropped import Dropped
from client.session.ending import Ending
from client.session.filesharing import Files
from client.session.granting import Granting
from client.session.identity import Vouching
from client.session.layering import Layering
from client.session.pages import Pages
from client.session.pictures import Pictures
from client.session.powers import Powers
from client.session.recovery import Recovery
from client.session.reporting import Reporting
from client.session.revoking import Revoking
from client.session.signing import Signing
from client.session.states import Reactions, States
from client.session.turning import Turning
from client.session.watch import Watch

if TYPE_CHECKING:
    from client.session.room import RoomSession


def make(room: RoomSession, now: float) -> list[Aspect]:
    """Return a new membership's aspects."""
    return [
        Granting(room),
        Powers(room),
        Revoking(room),
        Turning(room, now),
        Comparing(room, now),
        Vouching(room),
        Signing(room),
        Layering(room),
        Watch(room, now),
        Recovery(room),
        Ending(room),
        Dropped(room),
        Reporting(room, now),
        Pictures(room),
        States(room),
        Reactions(room),
        Pages(room),
        Files(room),
        Asking(room),
    ]
