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

    #: Generations that one message may skip.
    max_gap: int = 200
    #: Skipped message keys kept for each ratchet.
    window: int = 200
    #: Epochs before the present one whose application messages are still opened.
    past_epochs: int = 1
    #: Epochs before the present one whose resumption PSK is kept.
    resumption_epochs: int = 0
    #: Proposals that are held for later commits, at most.
    stored_proposals: int = 1000


@dataclass(repr=False, eq=False)
class PastEpoch(NotCopyable):
    """Keys that open late application messages of a past epoch."""

    context: GroupContext
    tree: RatchetTree
    sender_data_secret: bytes
    secret_tree: SecretTree
    #: Leaf indices of that epoch that have been removed since: nothing of theirs is opened.
    departed: set[int] = field(default_factory=set)


@dataclass(repr=False, eq=False)
class EpochState(NotCopyable):
    """One epoch of one member. Adopting a commit replaces it as a whole."""

    suite: Suite
    limits: Limits
    context: GroupContext
    tree: RatchetTree
    own_leaf: int
    signature_private: bytes
    #: HPKE private keys by node index: our leaf's, and those of the parents that we know.
    private_keys: dict[int, bytes]
    secrets: EpochSecrets
    secret_tree: SecretTree
    confirmation_tag: bytes
    interim_transcript_hash: bytes
    #: Proposals of this epoch by reference.
    proposals: dict[bytes, CommittedProposal] = field(default_factory=dict)
    #: Private keys of our own Update proposals, by public key.
    update_keys: dict[bytes, bytes] = field(default_factory=dict)
    #: The latest first.
    past: list[PastEpoch] = field(default_factory=list)
    #: By epoch, the present one's included.
    resumption_psks: dict[int, bytes] = field(default_factory=dict)
    #: The leaf that signed the Welcome's GroupInfo, in the epoch that we entered by it.
    welcomed_by: int | None = None
    #: Tells this epoch's candidates from others', without keeping the epoch's secrets alive.
    token: object = field(default_factory=object)
    #: Set when the commit that started this epoch ended the group.
    reinit: ReInit | None = None

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
