"""The aspects of a membership, in the order in which their hooks run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snugroom.client.session.asking import Asking
from snugroom.client.session.aspect import Aspect
from snugroom.client.session.comparing import Comparing
from snugroom.client.session.dropped import Dropped
from snugroom.client.session.ending import Ending
from snugroom.client.session.filesharing import Files
from snugroom.client.session.granting import Granting
from snugroom.client.session.identity import Vouching
from snugroom.client.session.layering import Layering
from snugroom.client.session.pages import Pages
from snugroom.client.session.pictures import Pictures
from snugroom.client.session.powers import Powers
from snugroom.client.session.recovery import Recovery
from snugroom.client.session.reporting import Reporting
from snugroom.client.session.revoking import Revoking
from snugroom.client.session.signing import Signing
from snugroom.client.session.states import Reactions, States
from snugroom.client.session.turning import Turning
from snugroom.client.session.watch import Watch

if TYPE_CHECKING:
    from snugroom.client.session.room import RoomSession


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
