"""Transition from one epoch to the next (RFC 9420 sections 12.2 to 12.4.2): creating and processing commits.

The current epoch stays unchanged, except for the handshake key that a staged commit consumes. The result is a
new `EpochState` that `Group` adopts or discards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from snugroom.crypto.errors import ValidationError
from snugroom.crypto.kdf import Rng
from snugroom.crypto.mls import messages, schedule, treekem, treemath, validate
from snugroom.crypto.mls import validate_commit as rules
from snugroom.crypto.mls.apply import AppliedProposals, apply_proposals, attributed_to, find_psks, resolve
from snugroom.crypto.mls.framing import PadTo, VerifiedContent, protect_private, protect_public, sign_content
from snugroom.crypto.mls.nodes import Extension, LeafNode, LeafNodeIn
from snugroom.crypto.mls.proposals import (
    Commit,
    CommittedProposal,
    PreSharedKey,
    ProposalOrRef,
    PskId,
    UpdatePath,
)
from snugroom.crypto.mls.secrets import SecretTree
from snugroom.crypto.mls.state import EpochState, Limits
from snugroom.crypto.mls.tree import RatchetTree
from snugroom.crypto.primitives import Buffer, Suite, hpke_receive_export

EXTERNAL_INIT_LABEL = b"MLS 1.0 external init secret"


# --- the next epoch ---


def enter_epoch(
    suite: Suite,
    limits: Limits,
    context: messages.GroupContext,
    tree: RatchetTree,
    own_leaf: int,
    *,
    signature_private: bytes,
    private_keys: dict[int, bytes],
    epoch_secret: Buffer,
) -> EpochState:
    """Return the state of an epoch derived from its epoch secret, including its confirmation tag."""
    secrets, encryption_secret = schedule.epoch_secrets(suite, epoch_secret)
    tag = secrets.confirmation_tag(context.confirmed_transcript_hash)
    return EpochState(
        suite=suite,
        limits=limits,
        context=context,
        tree=tree,
        own_leaf=own_leaf,
        signature_private=signature_private,
        private_keys=private_keys,
        secrets=secrets,
        secret_tree=SecretTree(
            suite, tree.size, encryption_secret, max_gap=limits.max_gap, window=limits.window
        ),
        confirmation_tag=tag,
        interim_transcript_hash=schedule.interim_transcript_hash(
            suite, context.confirmed_transcript_hash, tag
        ),
        resumption_psks={context.epoch: secrets.resumption_psk},
    )


def provisional_context(
    state: EpochState, applied: AppliedProposals, tree_hash: bytes
) -> messages.GroupContext:
    """Return the next GroupContext, still with the old confirmed transcript hash (section 12.4.1)."""
    old = state.context
    return messages.GroupContext(
        cipher_suite=old.cipher_suite,
        group_id=old.group_id,
        epoch=old.epoch + 1,
        tree_hash=tree_hash,
        confirmed_transcript_hash=old.confirmed_transcript_hash,
        extensions=applied.extensions,
    )


@dataclass(repr=False)
class NextEpoch:
    """The next state, and the two secrets that a Welcome needs."""

    state: EpochState
    joiner_secret: bytes
    member_secret: bytes


def next_epoch(
    state: EpochState,
    applied: AppliedProposals,
    private_keys: dict[int, bytes],
    commit: messages.AuthenticatedContent,
    *,
    commit_secret: Buffer,
    psks: Sequence[tuple[PskId, Buffer]],
    init_secret: Buffer,
) -> NextEpoch:
    """Run the key schedule for a signed commit whose proposals and path are in `applied.tree`."""
    suite = state.suite
    context = messages.GroupContext(
        cipher_suite=state.context.cipher_suite,
        group_id=state.group_id,
        epoch=state.context.epoch + 1,
        tree_hash=applied.tree.tree_hash(),
        confirmed_transcript_hash=schedule.confirmed_transcript_hash(
            suite, state.interim_transcript_hash, commit
        ),
        extensions=applied.extensions,
    )
    joiner = schedule.joiner_secret(suite, init_secret, commit_secret, context.encoded)
    member = schedule.member_secret(suite, joiner, schedule.psk_secret(suite, psks))
    following = enter_epoch(
        suite,
        state.limits,
        context,
        applied.tree,
        state.own_leaf,
        signature_private=state.signature_private,
        private_keys=private_keys,
        epoch_secret=schedule.epoch_secret(suite, member, context.encoded),
    )
    following.reinit = applied.reinit
    return NextEpoch(following, joiner, member)


def _remaining_keys(state: EpochState, applied: AppliedProposals) -> dict[int, bytes]:
    """Return the private keys of nodes that the proposals kept, and the new key of our Update."""
    tree = applied.tree
    width = treemath.node_width(tree.size)
    keys = {
        index: key
        for index, key in state.private_keys.items()
        if index < width and tree.node(index) is not None
    }
    mine = applied.updated.get(state.own_leaf)
    if mine is not None:
        try:
            keys[2 * state.own_leaf] = state.update_keys[mine.encryption_key]
        except KeyError:
            raise ValidationError("MLS-12.1.2-2", "an Update of ours whose key is not here") from None
    return keys


# --- making a commit ---


@dataclass(repr=False)
class StagedCommit:
    """A commit of ours and the epoch that it leads to."""

    next: NextEpoch
    applied: AppliedProposals
    proposals: tuple[CommittedProposal, ...]
    path_secrets: Mapping[int, bytes]
    has_path: bool
    message: bytes


def stage_commit(
    state: EpochState,
    items: Sequence[ProposalOrRef],
    *,
    authenticated_data: bytes,
    force_path: bool,
    private: bool,
    pad_to: PadTo | None,
    psks: Mapping[bytes, Buffer],
    leaf_extensions: Sequence[Extension] | None,
    now: int | None,
    rng: Rng,
) -> StagedCommit:
    """Create a commit (section 12.4.1). Validation is complete before the handshake key is consumed.

    Raises `ValidationError` if the proposals are not valid together.
    """
    suite, own = state.suite, messages.Sender(messages.SenderType.MEMBER, state.own_leaf)
    proposals = resolve(state, items, own, now)
    rules.member_list(proposals, state.own_leaf, state.tree)
    found = find_psks(state, applied_psks(proposals), psks)
    applied = apply_proposals(state, proposals)
    private_keys = _remaining_keys(state, applied)
    path, commit_secret = None, suite.zero
    path_secrets: Mapping[int, bytes] = {}
    if force_path or rules.needs_path(proposals):
        current = applied.tree.leaf(state.own_leaf)
        assert current is not None
        if leaf_extensions is not None:
            current = replace(current, extensions=tuple(leaf_extensions))
        new = treekem.create_path(
            applied.tree,
            state.own_leaf,
            current,
            group_id=state.group_id,
            signature_private=state.signature_private,
            context=lambda tree_hash: provisional_context(state, applied, tree_hash).encoded,
            excluding=applied.added.keys(),
            rng=rng,
        )
        path, path_secrets, commit_secret = new.path, new.path_secrets, new.commit_secret
        for index in treemath.direct_path(2 * state.own_leaf, applied.tree.size):
            private_keys.pop(index, None)
        private_keys.update(new.private_keys)
    check_members(state, applied)
    framed = messages.FramedContent(
        state.group_id, state.context.epoch, own, authenticated_data, Commit(tuple(items), path)
    )
    wire_format = messages.WireFormat.PRIVATE_MESSAGE if private else messages.WireFormat.PUBLIC_MESSAGE
    signed = sign_content(wire_format, framed, state.context.encoded, state.signature_private)
    following = next_epoch(
        state,
        applied,
        private_keys,
        signed,
        commit_secret=commit_secret,
        psks=found,
        init_secret=state.secrets.init,
    )
    signed = messages.AuthenticatedContent(
        wire_format, framed, signed.signature, following.state.confirmation_tag
    )
    message = send(state, signed, pad_to, rng)
    return StagedCommit(following, applied, proposals, path_secrets, path is not None, message)


def applied_psks(proposals: Sequence[CommittedProposal]) -> list[PskId]:
    """Return the ids of the PSKs in a list, in order."""
    return [item.proposal.psk for item in proposals if isinstance(item.proposal, PreSharedKey)]


def check_members(state: EpochState, applied: AppliedProposals) -> None:
    """Check that all members of the resulting tree are valid (section 12.2, last rule)."""
    leaves = [leaf for _, leaf in applied.tree.leaves()]
    validate.membership(leaves, state.suite.identifier, applied.extensions)
    validate.unique_parent_keys(applied.tree)


def send(state: EpochState, content: messages.AuthenticatedContent, pad_to: PadTo | None, rng: Rng) -> bytes:
    """Return our signed content as an encoded MLSMessage, in the wire format that it was signed for."""
    if content.wire_format == messages.WireFormat.PRIVATE_MESSAGE:
        return messages.encode_message(
            protect_private(
                state.suite,
                content,
                state.secret_tree,
                state.secrets.sender_data,
                pad_to=pad_to,
                rng=rng,
            )
        )
    return messages.encode_message(
        protect_public(state.suite, content, state.context.encoded, state.secrets.membership_key)
    )


# --- processing a commit ---


@dataclass(repr=False)
class ProcessedCommit:
    """A received, valid commit. `state` is None if it removes us, or if its path fails for us."""

    state: EpochState | None
    sender: int | None
    proposals: tuple[CommittedProposal, ...]
    path_leaf: LeafNode | None
    added: tuple[int, ...]
    removed: tuple[int, ...]
    removes_us: bool
    path_failure: ValidationError | None = None


def process_commit(
    state: EpochState, verified: VerifiedContent, psks: Mapping[bytes, Buffer], now: int | None
) -> ProcessedCommit:
    """Process a commit with a verified signature (section 12.4.2). Raises `CommitError`."""
    sender = verified.framed.sender
    with attributed_to(sender.leaf):
        return _process(state, verified.content, sender, psks, now)


def _process(
    state: EpochState,
    content: messages.AuthenticatedContent,
    sender: messages.Sender,
    psks: Mapping[bytes, Buffer],
    now: int | None,
) -> ProcessedCommit:
    commit = content.framed.content
    assert isinstance(commit, Commit)
    external = sender.kind == messages.SenderType.NEW_MEMBER_COMMIT
    if external:
        rules.external_by_value(commit.proposals)
    proposals = resolve(state, commit.proposals, sender, now)
    if external:
        rules.external_list(proposals)
    else:
        rules.member_list(proposals, sender.index, state.tree)
    rules.has_path(proposals, commit.path)
    applied = apply_proposals(state, proposals)
    leaf = applied.tree.blank_leaf() if external else sender.index
    path_leaf = None
    if commit.path is not None:
        if external:
            rules.replaces_own_leaf(proposals, state.tree, commit.path.leaf_node)
        path_leaf = _check_path(state, applied, leaf, commit.path, external)
        treekem.merge_path(applied.tree, leaf, commit.path, path_leaf)
    check_members(state, applied)

    added = (*applied.added, leaf) if external else tuple(applied.added)
    removes_us = state.own_leaf in applied.removed
    outcome = ProcessedCommit(None, sender.leaf, proposals, path_leaf, added, applied.removed, removes_us)
    if removes_us:
        return outcome
    found = find_psks(state, applied.psks, psks)
    try:
        private_keys, commit_secret = _decrypt_path(state, applied, leaf, commit.path)
    except ValidationError as failure:
        outcome.path_failure = failure
        return outcome
    following = next_epoch(
        state,
        applied,
        private_keys,
        content,
        commit_secret=commit_secret,
        psks=found,
        init_secret=_init_secret(state, applied),
    )
    check_confirmation(following.state, content.confirmation_tag)
    outcome.state = following.state
    return outcome


def _decrypt_path(
    state: EpochState, applied: AppliedProposals, leaf: int, path: UpdatePath | None
) -> tuple[dict[int, bytes], bytes]:
    """Return (our private keys in the new tree, commit secret). Other members cannot see a failure here.

    Raises `ValidationError` MLS-7.5-1, MLS-7.5-2 and MLS-12.1.2-2.
    """
    private_keys = _remaining_keys(state, applied)
    if path is None:
        return private_keys, state.suite.zero
    context = provisional_context(state, applied, applied.tree.tree_hash()).encoded
    opened, commit_secret = treekem.open_path(
        applied.tree,
        state.own_leaf,
        private_keys,
        leaf,
        path,
        context=context,
        excluding=applied.added.keys(),
    )
    for index in treemath.direct_path(2 * leaf, applied.tree.size):
        private_keys.pop(index, None)
    return {**private_keys, **opened}, commit_secret


def _check_path(
    state: EpochState, applied: AppliedProposals, leaf: int, path: UpdatePath, external: bool
) -> LeafNode:
    tree, wire_leaf = applied.tree, path.leaf_node
    validate.source_commit(wire_leaf)
    if not external:
        validate.new_encryption_key(wire_leaf, _current(tree, leaf))
    verified = wire_leaf.verify(state.group_id, leaf)
    for key in (wire_leaf.encryption_key, *(node.encryption_key for node in path.nodes)):
        validate.usable_key(key)
    rules.path_keys_new(tree, path)
    treekem.check_shape(tree, leaf, path, applied.added.keys())
    return verified


def _current(tree: RatchetTree, leaf: int) -> LeafNodeIn:
    node = tree.leaf(leaf)
    assert node is not None, "a committer that is removed has been refused before"
    return node


def _init_secret(state: EpochState, applied: AppliedProposals) -> bytes:
    """Return the last epoch's init secret, or for an external commit the newcomer's (section 8.3)."""
    if applied.external_init is None:
        return state.secrets.init
    return hpke_receive_export(
        state.suite,
        state.secrets.external_private,
        applied.external_init.kem_output,
        EXTERNAL_INIT_LABEL,
        state.suite.nh,
    )


def check_confirmation(state: EpochState, tag: bytes | None) -> None:
    """Check that the received confirmation tag matches the new epoch's secrets."""
    confirmed = state.context.confirmed_transcript_hash
    if tag is None or not state.suite.mac_matches(state.secrets.confirmation_key, confirmed, tag):
        raise ValidationError("MLS-12.4.2-3", "the confirmation tag is wrong")
