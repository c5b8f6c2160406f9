"""All acts, by name."""

from typing import Final

from snugroom.server.hostile.act import Act
from snugroom.server.hostile.acts.alter_lobby import AlterLobby
from snugroom.server.hostile.acts.commit_flood import CommitFlood
from snugroom.server.hostile.acts.delay import Delay
from snugroom.server.hostile.acts.downgrade import Downgrade
from snugroom.server.hostile.acts.drop import Drop
from snugroom.server.hostile.acts.end import End
from snugroom.server.hostile.acts.fingerprint import Fingerprint
from snugroom.server.hostile.acts.flip import Flip
from snugroom.server.hostile.acts.forged_roster import ForgedRoster
from snugroom.server.hostile.acts.inject import Inject
from snugroom.server.hostile.acts.kick import Kick
from snugroom.server.hostile.acts.lie_about_slot import LieAboutSlot
from snugroom.server.hostile.acts.old_receipts import OldReceipts
from snugroom.server.hostile.acts.open_doors import OpenDoors
from snugroom.server.hostile.acts.partition import Partition
from snugroom.server.hostile.acts.record import Record
from snugroom.server.hostile.acts.refuse import Refuse
from snugroom.server.hostile.acts.reorder import Reorder
from snugroom.server.hostile.acts.replay import Replay
from snugroom.server.hostile.acts.shut_out import ShutOut
from snugroom.server.hostile.acts.silence import Silence
from snugroom.server.hostile.acts.swallow import Swallow
from snugroom.server.hostile.acts.swap_streams import SwapStreams
from snugroom.server.hostile.acts.vbr_and_levels import VbrAndLevels
from snugroom.server.hostile.acts.withhold import Withhold

_KINDS: Final[tuple[type[Act], ...]] = (
    AlterLobby,
    CommitFlood,
    Delay,
    Downgrade,
    Drop,
    End,
    Fingerprint,
    Flip,
    ForgedRoster,
    Inject,
    Kick,
    LieAboutSlot,
    OldReceipts,
    OpenDoors,
    Partition,
    Record,
    Refuse,
    Reorder,
    Replay,
    ShutOut,
    Silence,
    Swallow,
    SwapStreams,
    VbrAndLevels,
    Withhold,
)
ACTS: Final[dict[str, type[Act]]] = {kind.name: kind for kind in _KINDS}
