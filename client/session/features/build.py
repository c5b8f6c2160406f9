"""The features of a membership, in the order in which their hooks run."""

from __future__ import annotations

from snugroom.client.session.features.absence import Absence
from snugroom.client.session.features.answers import Answers
from snugroom.client.session.features.collected_evidence import CollectedEvidence
from snugroom.client.session.features.comparing import Comparing
from snugroom.client.session.features.ending import Ending
from snugroom.client.session.features.filesharing import Files
from snugroom.client.session.features.host_key_rotation import HostKeyRotation
from snugroom.client.session.features.host_key_transfer import HostKeyTransfer
from snugroom.client.session.features.host_search import HostSearch
from snugroom.client.session.features.identity import Vouching
from snugroom.client.session.features.images import Images
from snugroom.client.session.features.maintenance import Maintenance
from snugroom.client.session.features.mirror import Mirror
from snugroom.client.session.features.moves import Moves
from snugroom.client.session.features.pages import Pages
from snugroom.client.session.features.place_quorum import PlaceQuorum
from snugroom.client.session.features.reporting import Reporting
from snugroom.client.session.features.revocation import Revocation
from snugroom.client.session.features.roles import Roles
from snugroom.client.session.features.signing import Signing
from snugroom.client.session.features.silent_majority import SilentMajority
from snugroom.client.session.features.simulcast_guard import SimulcastGuard
from snugroom.client.session.features.states import Reactions, States
from snugroom.client.session.features.subscriptions import Subscriptions
from snugroom.client.session.kernel.feature import Feature
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.recovery import Recovery
from snugroom.client.session.monitor.dropped import Dropped
from snugroom.client.session.monitor.monitor import Monitor


def build(room: Room, now: float) -> list[Feature]:
    """Return a new membership's features."""
    return [
        HostKeyTransfer(room),
        HostKeyRotation(room),
        Roles(room),
        Revocation(room),
        Maintenance(room, now),
        Comparing(room, now),
        Answers(room),
        Vouching(room),
        Signing(room),
        SimulcastGuard(room),
        Monitor(room, now),
        PlaceQuorum(room),
        Recovery(room, now),
        Ending(room),
        Moves(room),
        Mirror(room),
        HostSearch(room),
        Dropped(room),
        CollectedEvidence(room),
        Reporting(room, now),
        Images(room),
        States(room),
        Absence(room),
        SilentMajority(room),
        Reactions(room),
        Pages(room),
        Files(room),
        Subscriptions(room),
    ]
