"""Applying the proposals of a commit to the ratchet tree (RFC 9420 sections 12.2 and 12.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from snugroom.crypto.errors import SnugError, StateError, ValidationError
from snugroom.crypto.mls import validate
from snugroom.crypto.mls import validate_commit as rules
from snugroom.crypto.mls.errors import CommitError
from snugroom.crypto.mls.keypackage import KeyPackage
from snugroom.crypto.mls.messages import Sender, SenderType
from snugroom.crypto.mls.nodes import Extension, LeafNode
from snugroom.crypto.mls.proposals import (
    Add,
    AddIn,
    CommittedProposal,
    ExternalInit,
    ExternalPsk,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ProposalIn,
    ProposalOrRef,
    PskId,
    ReInit,
    Remove,
    Update,
    UpdateIn,
)
from snugroom.crypto.mls.state import EpochState
from snugroom.crypto.mls.tree import RatchetTree
from snugroom.crypto.primitives import Buffer


@contextmanager
def attributed_to(sender: int | None) -> Iterator[None]:
    """Raise errors as `CommitError` that names `sender`, whose signature has verified."""
    try:
        yield
    except (CommitError, StateError):
        raise
    except ValidationError as error:
        text = str(error).removeprefix(f"{error.rule}: ")
        raise CommitError(error.rule, text, sender) from error
    except SnugError as error:
        raise CommitError("MLS-12.2-1", str(error), sender) from error


def verify_proposal(state: EpochState, proposal: ProposalIn, sender: Sender, now: int | None) -> Proposal:
    """Verify a proposal by itself, in this epoch. Raises `ValidationError` and `MalformedError`."""
    if sender.kind == SenderType.EXTERNAL:
        rules.external_may_propose(proposal)
    suite = state.suite
    match proposal:
        case AddIn():
            return Add(proposal.key_package.verify(suite.identifier, now))
        case UpdateIn():
            rules.update_from_member(sender.kind)
            current = rules.sender_is_member(state.tree, sender.index)
            leaf = proposal.leaf_node.verify(state.group_id, sender.index)
            validate.source_update(leaf)
            validate.new_encryption_key(leaf, current)
            validate.new_leaf(leaf, suite.identifier)
            return Update(leaf)
        case Remove():
            rules.removes_member(state.tree, proposal)
        case PreSharedKey():
            rules.psk_not_reinit(proposal.psk)
            rules.psk_not_branch(proposal.psk)
            rules.psk_nonce_size(proposal.psk, suite.nh)
        case ReInit():
            rules.reinit_version(proposal)
            validate.unique_extensions(proposal.extensions)
        case GroupContextExtensions():
            validate.unique_extensions(proposal.extensions)
        case ExternalInit():
            pass
    return proposal


def resolve(
    state: EpochState, items: Sequence[ProposalOrRef], sender: Sender, now: int | None
) -> tuple[CommittedProposal, ...]:
    """Return the verified proposals for a commit's items, which are proposals or references."""
    resolved = []
    for item in items:
        if isinstance(item, bytes):
            stored = rules.proposal_known(state.proposals.get(item))
            resolved.append(CommittedProposal(stored.proposal, stored.sender, True, item))
        else:
            resolved.append(CommittedProposal(verify_proposal(state, item, sender, now), sender.leaf))
    return tuple(resolved)


def selected(state: EpochState, include: bool | Iterable[bytes]) -> list[bytes]:
    """Return the references to commit; for True, Remove takes precedence over Update (section 12.2)."""
    if include is False:
        return []
    if include is not True:
        return list(include)
    leaving = {
        item.proposal.removed for item in state.proposals.values() if isinstance(item.proposal, Remove)
    }
    chosen: dict[object, bytes] = {}
    for reference, item in state.proposals.items():
        match item.proposal:
            case Update():
                if item.sender != state.own_leaf and item.sender not in leaving:
                    chosen["leaf", item.sender] = reference
            case Remove(leaf):
                if leaf != state.own_leaf:
                    chosen["leaf", leaf] = reference
            case _:
                chosen[reference] = reference
    return list(chosen.values())


@dataclass
class AppliedProposals:
    """Result of applying a list of proposals to an epoch's tree and extensions (section 12.3)."""

    tree: RatchetTree
    extensions: tuple[Extension, ...]
    #: By leaf index, in the order of the proposals.
    added: dict[int, KeyPackage] = field(default_factory=dict)
    removed: tuple[int, ...] = ()
    updated: dict[int, LeafNode] = field(default_factory=dict)
    psks: list[PskId] = field(default_factory=list)
    external_init: ExternalInit | None = None
    reinit: ReInit | None = None


def apply_proposals(state: EpochState, proposals: Sequence[CommittedProposal]) -> AppliedProposals:
    """Apply a valid list of proposals to a copy of the tree, in the order of section 12.3."""
    applied = AppliedProposals(state.tree.copy(), state.context.extensions)
    tree = applied.tree
    for item in proposals:
        match item.proposal:
            case GroupContextExtensions(extensions):
                applied.extensions = extensions
            case Update(leaf):
                assert item.sender is not None
                tree.update(item.sender, leaf)
                applied.updated[item.sender] = leaf
            case PreSharedKey(psk):
                applied.psks.append(psk)
            case ExternalInit():
                applied.external_init = item.proposal
            case ReInit():
                applied.reinit = item.proposal
    applied.removed = tuple(rules.removed_leaves(proposals))
    for leaf_index in applied.removed:
        tree.remove(leaf_index)
    tree.truncate()
    for item in proposals:
        if isinstance(item.proposal, Add):
            package = item.proposal.key_package
            applied.added[tree.add(package.leaf_node)] = package
    return applied


def find_psks(
    state: EpochState, ids: Sequence[PskId], external: Mapping[bytes, Buffer]
) -> list[tuple[PskId, Buffer]]:
    """Return the PSKs for `ids`. Raises `ValidationError` MLS-12.4.2-1: a missing PSK has no substitute."""
    found: list[tuple[PskId, Buffer]] = []
    for psk in ids:
        if isinstance(psk, ExternalPsk):
            secret = external.get(psk.psk_id)
        else:
            secret = state.resumption_psks.get(psk.epoch) if psk.group_id == state.group_id else None
        found.append((psk, rules.psk_known(secret)))
    return found
