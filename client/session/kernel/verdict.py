"""The verdicts on a commit, and the changes by an adopted one."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import NamedTuple

from snugroom.client.session.kernel.intents import Intent
from snugroom.crypto import mls
from snugroom.crypto.agreed import commit_view
from snugroom.crypto.agreed.room_state import Policy
from snugroom.crypto.errors import ValidationError


@dataclass(frozen=True)
class Valid:
    """A commit that passed every check."""

    candidate: mls.CandidateCommit
    view: commit_view.CommitView
    removes_us: bool


@dataclass(frozen=True)
class Void:
    """A void slot: the epoch stays. `author` is the leaf that signed it; None if none did."""

    author: int | None
    rule: str
    text: str


@dataclass(frozen=True)
class Stuck:
    """The commit passes every check, but this member alone cannot read its path secret."""

    author: int | None
    text: str


@dataclass(frozen=True)
class Staged:
    """Our own commit, made but not yet accepted in a slot."""

    intents: tuple[Intent, ...]  # several: newcomers whom it adds together
    slot: int
    blob: bytes
    stage: mls.Stage
    view: commit_view.CommitView


class Added(NamedTuple):
    """A member that a commit adds. `invite`: at a rejoin, of its first entry."""

    leaf: int
    name: str
    invite: int | None


class Gone(NamedTuple):
    """A member that a commit removes, with its signature key."""

    leaf: int
    name: str
    key: bytes


@dataclass(frozen=True)
class Change:
    """The changes by an adopted commit."""

    by: int
    added: tuple[Added, ...]
    removed: tuple[Gone, ...]
    rejoined: bool  # a member's new leaf has replaced its old one
    policy_before: Policy
    policy_after: Policy
    left: frozenset[int]  # removed leaves that proposed it themselves, or were away
    returned: bool = False  # a host has come back by the host key (SNUG-9)
    rotated: bool = False  # the hosts' keys have changed
    stuck_slot: int | None = None  # at a rejoin: the slot of the commit that the member could not read
    back: bool = False  # the added member was one before: a host had removed it for absence
    replaced: bool = False  # a host has put the added member in the place of the removed one, who was silent
    withdrawn: tuple[str, ...] = ()  # names of absent members whose ways back a host has ended


def self_contained(commit: mls.CandidateCommit, carried: Set[bytes | None]) -> None:
    """ValidationError("SNUG-3") if a commit references a proposal that its blob does not carry.

    Only members that have the proposal from elsewhere could read the commit: the room would split.
    """
    for item in commit.proposals:
        if item.by_reference and item.reference not in carried:
            raise ValidationError("SNUG-3", "the commit names a proposal that it does not carry")
