"""Results of processing a message, and staged commits."""

from __future__ import annotations

from dataclasses import dataclass, field

from snugroom.crypto.errors import StateError
from snugroom.crypto.kdf import NotCopyable
from snugroom.crypto.mls.nodes import LeafNode
from snugroom.crypto.mls.proposals import CommittedProposal, Proposal
from snugroom.crypto.mls.view import GroupView


@dataclass(frozen=True)
class ApplicationMessage:
    """Authentic application data; `sender` is a leaf index in `epoch`, which may be the previous epoch."""

    sender: int
    epoch: int
    generation: int
    authenticated_data: bytes
    data: bytes
    #: FramedContentTBS (section 6.1), which includes the epoch's GroupContext, and the sender's signature of
    #: it, as proof for third parties where a meeting allows that.
    tbs: bytes = field(default=b"", compare=False, repr=False)
    signature: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True)
class ReceivedProposal:
    """A proposal that the group stores until its epoch ends; commits name it by `reference`.

    `sender` is a leaf index, or None for a proposal from outside the group.
    """

    sender: int | None
    proposal: Proposal
    reference: bytes
    authenticated_data: bytes


class _NextEpoch(NotCopyable):
    """Holds the candidate next group of a base epoch until it is adopted or dropped."""

    def __init__(self, base: object, group: GroupView | None) -> None:
        self._base = base
        self._group = group
        self._dropped = False

    @property
    def dropped(self) -> bool:
        """Whether the candidate was dropped or adopted; it is unusable in both cases."""
        return self._dropped

    def drop(self) -> None:
        """Wipe the candidate, which then cannot be adopted. Dropping it twice has no effect."""
        group, self._group, self._dropped = self._group, None, True
        if group is not None:
            group.wipe()

    def _take(self, base: object) -> GroupView:
        """Hand over the candidate for adoption. Raises `StateError`."""
        if self._dropped:
            raise StateError("this candidate was dropped or adopted before")
        if self._base is not base:
            raise StateError("this candidate does not follow from the group's present epoch")
        if self._group is None:
            raise StateError("this commit removes us: there is no next epoch for us")
        group, self._group, self._dropped = self._group, None, True
        return group

    def _candidate(self) -> GroupView:
        if self._group is None:
            raise StateError("this candidate is spent")
        return self._group


class Stage(_NextEpoch):
    """A commit of ours that takes effect with `Group.adopt`.

    `message` is the MLSMessage to send, `welcome` the MLSMessage for the added members (None if there are
    none), `tree` the encoded ratchet tree if the Welcome doesn't contain it, `epoch` the number of the epoch
    that it starts.
    """

    def __init__(
        self,
        base: object,
        group: GroupView,
        *,
        message: bytes,
        welcome: bytes | None,
        tree: bytes | None,
        proposals: tuple[CommittedProposal, ...],
        added: tuple[int, ...],
        removed: tuple[int, ...],
    ) -> None:
        super().__init__(base, group)
        self.message = message
        self.welcome = welcome
        self.tree = tree
        self.proposals = proposals
        self.added = added
        self.removed = removed
        self.epoch = group.epoch

    @property
    def group(self) -> GroupView:
        """The candidate: readable, not usable for messages. Raises `StateError` if spent."""
        return self._candidate()


class CandidateCommit(_NextEpoch):
    """A received commit, valid by all rules of RFC 9420. The caller applies its policy, then `Group.adopt`.

    `sender` is the committer's leaf index, None for an external commit. `path_leaf` is the committer's new
    leaf, None without a path. `added` and `removed` are leaf indices in the new and in the old epoch. If
    `removes_us`, this member has no next epoch, and the confirmation tag could not be checked.
    """

    def __init__(
        self,
        base: object,
        group: GroupView | None,
        *,
        sender: int | None,
        epoch: int,
        proposals: tuple[CommittedProposal, ...],
        path_leaf: LeafNode | None,
        authenticated_data: bytes,
        added: tuple[int, ...],
        removed: tuple[int, ...],
        removes_us: bool,
        private: bool,
    ) -> None:
        super().__init__(base, group)
        self.sender = sender
        self.epoch = epoch
        self.proposals = proposals
        self.path_leaf = path_leaf
        self.authenticated_data = authenticated_data
        self.added = added
        self.removed = removed
        self.removes_us = removes_us
        #: Whether it came as a PrivateMessage.
        self.private = private

    @property
    def external(self) -> bool:
        """Whether it is an external commit by a newcomer."""
        return self.sender is None

    @property
    def group(self) -> GroupView | None:
        """The candidate: readable, not usable for messages. None if it removes us, or if spent."""
        return self._group
