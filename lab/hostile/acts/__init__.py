"""All acts, by name."""

from typing import Final

from snugroom.lab.hostile.act import Act
from snugroom.lab.hostile.acts.alter_lobby import AlterLobby
from snugroom.lab.hostile.acts.commit_flood import CommitFlood
from snugroom.lab.hostile.acts.delay import Delay
from snugroom.lab.hostile.acts.downgrade import Downgrade
from snugroom.lab.hostile.acts.drop import Drop
from snugroom.lab.hostile.acts.end import End
from snugroom.lab.hostile.acts.excuse import Excuse
from snugroom.lab.hostile.acts.fingerprint import Fingerprint
from snugroom.lab.hostile.acts.flip import Flip
from snugroom.lab.hostile.acts.forged_roster import ForgedRoster
from snugroom.lab.hostile.acts.inject import Inject
from snugroom.lab.hostile.acts.kick import Kick
from snugroom.lab.hostile.acts.lie_about_slot import LieAboutSlot
from snugroom.lab.hostile.acts.old_receipts import OldReceipts
from snugroom.lab.hostile.acts.open_doors import OpenDoors
from snugroom.lab.hostile.acts.partition import Partition
from snugroom.lab.hostile.acts.record import Record
from snugroom.lab.hostile.acts.refuse import Refuse
from snugroom.lab.hostile.acts.reorder import Reorder
from snugroom.lab.hostile.acts.replay import Replay
from snugroom.lab.hostile.acts.restart_for_one import RestartForOne
from snugroom.lab.hostile.acts.shut_out import ShutOut
from snugroom.lab.hostile.acts.silence import Silence
from snugroom.lab.hostile.acts.swallow import Swallow
from snugroom.lab.hostile.acts.swap_streams import SwapStreams
from snugroom.lab.hostile.acts.vbr_and_levels import VbrAndLevels
from snugroom.lab.hostile.acts.withhold import Withhold

_KINDS: Final[tuple[type[Act], ...]] = (
    AlterLobby,
    CommitFlood,
    Delay,
    Downgrade,
    Drop,
    End,
    Excuse,
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
    RestartForOne,
    ShutOut,
    Silence,
    Swallow,
    SwapStreams,
    VbrAndLevels,
    Withhold,
)
ACTS: Final[dict[str, type[Act]]] = {kind.name: kind for kind in _KINDS}
