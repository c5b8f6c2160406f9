"""A room at a further server of the policy's list (protocol section 12)."""

from __future__ import annotations

from dataclasses import dataclass, field

from snugroom.crypto.entry import invite
from snugroom.crypto.entry.places import PlaceHistory
from snugroom.crypto.kdf import SigningKey


@dataclass
class Place:
    """A room at a further server: the hosts', or that of a member."""

    server: int  # its index in the policy's list, from 1
    attempt: int  # 0: the hosts' place; else the leaf of the member whose place it is, plus 1
    origin: str
    door_key: SigningKey
    room_admin_public: bytes
    opener: SigningKey | None = None  # ours, if it is our own place
    history: PlaceHistory = field(init=False)
    #: The server's chain values by slot, as it has told them.
    told: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.history = PlaceHistory(self.number)

    @property
    def number(self) -> bytes:
        """The room's number there, 16 bytes."""
        return invite.room_number(self.door_key.public, self.room_admin_public)
