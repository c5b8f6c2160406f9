"""A member's state in one epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

from snugroom.crypto.kdf import NotCopyable
from snugroom.crypto.mls.messages import GroupContext
from snugroom.crypto.mls.proposals import CommittedProposal, ReInit
from snugroom.crypto.mls.schedule import EpochSecrets
from snugroom.crypto.mls.secrets import SecretTree
from snugroom.crypto.mls.tree import RatchetTree
from snugroom.crypto.primitives import Suite


@dataclass(frozen=True)
class Limits:
    """Bounds of a group's memory and work."""

    max_gap: int = 200
    """Generations that one message may skip."""
    window: int = 200
    """Skipped message keys kept for each ratchet."""
    past_epochs: int = 1
    """Epochs before the present one whose application messages are still opened."""
    resumption_epochs: int = 0
    """Epochs before the present one whose resumption PSK is kept."""
    stored_proposals: int = 1000
    """Proposals that are held for later commits, at most."""


@dataclass(repr=False, eq=False)
class PastEpoch(NotCopyable):
    """Keys that open late application messages of a past epoch."""

    context: GroupContext
    tree: RatchetTree
    sender_data_secret: bytes
    secret_tree: SecretTree
    departed: set[int] = field(default_factory=set)
    """Leaf indices of that epoch that have been removed since: nothing of theirs is opened."""


@dataclass(repr=False, eq=False)
class EpochState(NotCopyable):
    """One epoch of one member. Adopting a commit replaces it as a whole."""

    suite: Suite
    limits: Limits
    context: GroupContext
    tree: RatchetTree
    own_leaf: int
    signature_private: bytes
    private_keys: dict[int, bytes]
    """HPKE private keys by node index: our leaf's, and those of the parents that we know."""
    secrets: EpochSecrets
    secret_tree: SecretTree
    confirmation_tag: bytes
    interim_transcript_hash: bytes
    proposals: dict[bytes, CommittedProposal] = field(default_factory=dict)
    """Proposals of this epoch by reference."""
    update_keys: dict[bytes, bytes] = field(default_factory=dict)
    """Private keys of our own Update proposals, by public key."""
    past: list[PastEpoch] = field(default_factory=list)
    """The latest first."""
    resumption_psks: dict[int, bytes] = field(default_factory=dict)
    """By epoch, the present one's included."""
    welcomed_by: int | None = None
    """The leaf that signed the Welcome's GroupInfo, in the epoch that we entered by it."""
    token: object = field(default_factory=object)
    """Tells this epoch's candidates from others', without keeping the epoch's secrets alive."""
    reinit: ReInit | None = None
    """Set when the commit that started this epoch ended the group."""

    @property
    def group_id(self) -> bytes:
        return self.context.group_id

    def wipe(self) -> None:
        """Delete all secrets."""
        self.secret_tree.wipe()
        for past in self.past:
            past.secret_tree.wipe()
        self.private_keys.clear()
        self.update_keys.clear()
        self.proposals.clear()
        self.past.clear()
        self.resumption_psks.clear()
