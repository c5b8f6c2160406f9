"""All acts, by name."""

from typing import Final

from server.hostile.act import Act
from server.hostile.acts.alter_lobby import AlterLobby
from server.hostile.acts.commit_flood import CommitFlood
from server.hostile.acts.delay import Delay
from server.hostile.acts.downgrade import Downgrade
from server.hostile.acts.drop import Drop
from server.hostile.acts.end import End
from server.hostile.acts.fingerprint import Fingerprint
from server.hostile.acts.flip import Flip
from server.hostile.acts.forged_roster import ForgedRoster
from server.hostile.acts.inject import Inject
from server.hostile.acts.kick import Kick
from server.hostile.acts.lie_about_slot import LieAboutSlot
from server.hostile.acts.old_receipts import OldReceipts
from server.hostile.acts.open_doors import OpenDoors
from server.hostile.acts.partition import Partition
from server.hostile.acts.record import Record
from server.hostile.acts.reorder import Reorder
from server.hostile.acts.replay import Replay
from server.hostile.acts.silence import Silence
from server.hostile.acts.swap_streams import SwapStreams
from server.hostile.acts.vbr_and_levels import VbrAndLevels
from server.hostile.acts.withhold import Withhold

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
    Reorder,
    Replay,
    Silence,
    SwapStreams,
    VbrAndLevels,
    Withhold,
)
ACTS: Final[dict[str, type[Act]]] = {kind.name: kind for kind in _KINDS}
