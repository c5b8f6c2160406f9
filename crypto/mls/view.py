"""The readable half of a group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snugroom.crypto.errors import StateError
from snugroom.crypto.kdf import NotCopyable
from snugroom.crypto.mls import treemath
from snugroom.crypto.mls.nodes import Extension, LeafNode
from snugroom.crypto.mls.proposals import CommittedProposal
from snugroom.crypto.mls.state import EpochState
from snugroom.crypto.primitives import CipherSuite


@dataclass(frozen=True)
class Member:
    """A member of an epoch, with its leaf index."""

    leaf: int
    leaf_node: LeafNode


@dataclass(frozen=True)
class TreeNode:
    """A node that is not blank. `identity`: of a leaf. `held`: this member has its private key."""

    encryption_key: bytes
    identity: bytes | None
    unmerged_leaves: tuple[int, ...]
    held: bool


class GroupView(NotCopyable):
    """One epoch of a group as a member can read it: the current epoch, or a candidate for the next one."""

    def __init__(self, state: EpochState) -> None:
        self._state: EpochState | None = state

    @property
    def _live(self) -> EpochState:
        if self._state is None:
            raise StateError("this group is gone: wiped, or its state was adopted elsewhere")
        return self._state

    @property
    def epoch(self) -> int:
        return self._live.context.epoch

    @property
    def group_id(self) -> bytes:
        return self._live.group_id

    @property
    def suite(self) -> CipherSuite:
        return self._live.suite.identifier

    @property
    def own_leaf(self) -> int:
        """The leaf index of this member."""
        return self._live.own_leaf

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The extensions of the GroupContext."""
        return self._live.context.extensions

    @property
    def epoch_authenticator(self) -> bytes:
        """Section 8.7; 32 bytes, equal for all members of the epoch."""
        return self._live.secrets.epoch_authenticator

    @property
    def confirmed_transcript_hash(self) -> bytes:
        """32 bytes; empty in epoch 0."""
        return self._live.context.confirmed_transcript_hash

    @property
    def tree_hash(self) -> bytes:
        return self._live.context.tree_hash

    @property
    def leaf_count(self) -> int:
        """Number of leaves including blank ones, a power of two; every leaf index is lower."""
        return self._live.tree.size

    @property
    def welcomed_by(self) -> int | None:
        """The leaf that signed the Welcome of the epoch in which this member joined; None in other epochs."""
        return self._live.welcomed_by

    @property
    def ended(self) -> bool:
        """Whether a ReInit has ended the group."""
        return self._live.reinit is not None

    @property
    def wiped(self) -> bool:
        """Whether the group's state has been deleted or handed over."""
        return self._state is None

    def members(self) -> list[Member]:
        """Return all members, ordered by leaf index."""
        return [Member(leaf, node) for leaf, node in self._live.tree.leaves()]

    def member(self, leaf: int) -> LeafNode | None:
        """Return the leaf node at a leaf index, or None if it is blank."""
        return self._live.tree.leaf(leaf)

    @property
    def stored_proposals(self) -> Mapping[bytes, CommittedProposal]:
        """Proposals of this epoch that a commit can refer to, including ours, by reference.

        RFC 9420 section 12.4 asks to commit the valid ones before sending application data. The caller
        decides whether they are valid under the application's policy: see `discard`.
        """
        return dict(self._live.proposals)

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """MLS-Exporter (section 8.5): return `length` bytes, at most 8,160."""
        return self._live.secrets.export(label, context, length)

    def ratchet_tree(self) -> bytes:
        """Return the encoded tree, in the format that `join` accepts."""
        return self._live.tree.encode()

    def tree_view(self) -> list[TreeNode | None]:
        """Return the tree's nodes in the order of node indices (appendix C); None: a blank one."""
        tree, private_keys = self._live.tree, self._live.private_keys
        nodes: list[TreeNode | None] = []
        for index in range(treemath.node_width(tree.size)):
            node, held = tree.node(index), index in private_keys
            if isinstance(node, LeafNode):
                nodes.append(TreeNode(node.encryption_key, node.credential.identity, (), held))
            elif node is not None:
                nodes.append(TreeNode(node.encryption_key, None, node.unmerged_leaves, held))
            else:
                nodes.append(None)
        return nodes

    def _release(self) -> EpochState:
        state, self._state = self._live, None
        return state

    def wipe(self) -> None:
        """Delete all state; the group is unusable afterwards. For members that leave or were removed."""
        state, self._state = self._state, None
        if state is not None:
            state.wipe()
