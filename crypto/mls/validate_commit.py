"""The rules of RFC 9420 for senders, proposals and commits, one small function per number.

Each function raises `ValidationError` with the number below (`validate` has the rules on leaves and trees).

===============  =========================================================================================
MLS-6-1          application data comes in a PrivateMessage only
MLS-6-2          an external sender sends proposals only
MLS-6-3          a newcomer's proposal is an Add
MLS-6-4          a newcomer's commit has a path
MLS-6.3.2-1      the sender's leaf is not blank
MLS-7.5-1        the path secret sealed to us can be decrypted (this and the next four rules are in `treekem`)
MLS-7.5-2        ... and leads to the keys of the path
MLS-7.6-1        a path has one node for each node of the filtered direct path
MLS-7.6-2        ... and a ciphertext for each receiver
MLS-7.9.2-2      the parent hash of a path's leaf matches the path
MLS-12.1-1       the number of stored proposals is within the limit
MLS-12.1.2-1     an Update comes from a member
MLS-12.1.2-2     the private key of our own committed Update is known (raised in `commit`)
MLS-12.1.3-1     a Remove names a member
MLS-12.1.4-1     no resumption PSK of usage reinit outside a reinitialisation
MLS-12.1.4-2     no resumption PSK of usage branch outside a branching
MLS-12.1.4-3     a PSK's nonce has Nh bytes
MLS-12.1.5-1     a ReInit does not lower the version
MLS-12.1.8-1     an external sender is listed in the group's extensions
MLS-12.1.8-2     an external sender sends only proposal types allowed to it
MLS-12.2-1       each proposal is valid by itself (covers broken keys and bytes without a rule of their own)
MLS-12.2-2       no Update by the committer
MLS-12.2-3       no Remove of the committer
MLS-12.2-4       at most one Update or Remove per leaf
MLS-12.2-5       no two Adds with the same signature key
MLS-12.2-6       no Add of a client that stays in the group
MLS-12.2-7       no PSK twice
MLS-12.2-8       at most one GroupContextExtensions
MLS-12.2-9       a ReInit is the only proposal
MLS-12.2-10      no ExternalInit in a member's commit
MLS-12.2-13      an external commit has exactly one ExternalInit
MLS-12.2-14      ... at most one Remove
MLS-12.2-15      ... which replaces the newcomer's own old leaf
MLS-12.2-16      ... and otherwise only PSKs
MLS-12.4-1       there is a path if the proposals need one
MLS-12.4-2       a reference names a stored proposal of this epoch
MLS-12.4.2-1     every PSK is known
MLS-12.4.2-2     the public keys of a path are new
MLS-12.4.2-3     the confirmation tag is correct
MLS-12.4.3.2-1   an external commit has no references
===============  =========================================================================================

Numbers 11 and 12 of section 12.2 need no function here: proposals of other types cannot be decoded, and
`validate.membership` checks the resulting tree.
"""

from __future__ import annotations

from collections.abc import Sequence

from snugroom.crypto.errors import ValidationError
from snugroom.crypto.mls.messages import FramedContent, SenderType
from snugroom.crypto.mls.nodes import MLS10, ExternalSender, LeafNode, LeafNodeIn
from snugroom.crypto.mls.proposals import (
    AddIn,
    Commit,
    CommittedProposal,
    ProposalIn,
    ProposalOrRef,
    ProposalType,
    PskId,
    PskUsage,
    ReInit,
    Remove,
    ResumptionPsk,
    UpdatePath,
    of_type,
)
from snugroom.crypto.mls.tree import RatchetTree
from snugroom.crypto.primitives import Buffer

_EXTERNAL_MAY = frozenset(
    {
        ProposalType.ADD,
        ProposalType.REMOVE,
        ProposalType.PSK,
        ProposalType.REINIT,
        ProposalType.GROUP_CONTEXT_EXTENSIONS,
    }
)
_NEEDS_PATH = frozenset(
    {
        ProposalType.UPDATE,
        ProposalType.REMOVE,
        ProposalType.EXTERNAL_INIT,
        ProposalType.GROUP_CONTEXT_EXTENSIONS,
    }
)


# --- senders ---


def application_is_private(framed: FramedContent) -> None:
    """For content of a PublicMessage only."""
    if isinstance(framed.content, bytes):
        raise ValidationError("MLS-6-1", "application data outside a PrivateMessage")


def external_sends_proposals(framed: FramedContent) -> None:
    if isinstance(framed.content, bytes | Commit):
        raise ValidationError("MLS-6-2", "an external sender sends something else than a proposal")


def newcomer_proposes_add(framed: FramedContent) -> AddIn:
    if not isinstance(framed.content, AddIn):
        raise ValidationError("MLS-6-3", "a newcomer proposes something else than an Add")
    return framed.content


def newcomer_commits_with_path(framed: FramedContent) -> UpdatePath:
    if not isinstance(framed.content, Commit) or framed.content.path is None:
        raise ValidationError("MLS-6-4", "a newcomer sends something else than a commit with a path")
    return framed.content.path


def sender_is_member(tree: RatchetTree, leaf: int) -> LeafNode:
    node = tree.leaf(leaf)
    if node is None:
        raise ValidationError("MLS-6.3.2-1", f"the sender's leaf {leaf} is blank")
    return node


def external_sender_listed(senders: Sequence[ExternalSender], index: int) -> ExternalSender:
    if index >= len(senders):
        raise ValidationError("MLS-12.1.8-1", f"there is no external sender {index}")
    return senders[index]


def external_may_propose(proposal: ProposalIn) -> None:
    if proposal.proposal_type not in _EXTERNAL_MAY:
        raise ValidationError("MLS-12.1.8-2", f"an external sender can't send {proposal.proposal_type.name}")


# --- single proposals ---


def update_from_member(kind: SenderType) -> None:
    if kind != SenderType.MEMBER:
        raise ValidationError("MLS-12.1.2-1", "an Update of somebody who is not a member")


def removes_member(tree: RatchetTree, proposal: Remove) -> None:
    if tree.leaf(proposal.removed) is None:
        raise ValidationError("MLS-12.1.3-1", f"a Remove of leaf {proposal.removed}, which is blank")


def psk_not_reinit(psk: PskId) -> None:
    if isinstance(psk, ResumptionPsk) and psk.usage == PskUsage.REINIT:
        raise ValidationError("MLS-12.1.4-1", "a reinit PSK outside a reinitialisation")


def psk_not_branch(psk: PskId) -> None:
    if isinstance(psk, ResumptionPsk) and psk.usage == PskUsage.BRANCH:
        raise ValidationError("MLS-12.1.4-2", "a branch PSK outside a branching")


def psk_nonce_size(psk: PskId, size: int) -> None:
    if len(psk.nonce) != size:
        raise ValidationError("MLS-12.1.4-3", f"a PSK nonce of {len(psk.nonce)} bytes, not {size}")


def reinit_version(proposal: ReInit) -> None:
    if proposal.version < MLS10:
        raise ValidationError("MLS-12.1.5-1", "a ReInit to an older version")


def psk_known(secret: Buffer | None) -> Buffer:
    if secret is None:
        raise ValidationError("MLS-12.4.2-1", "a commit needs a pre-shared key that is not here")
    return secret


def proposal_known(stored: CommittedProposal | None) -> CommittedProposal:
    if stored is None:
        raise ValidationError("MLS-12.4-2", "a commit refers to a proposal that is not here")
    return stored


def room_for_proposal(stored: int, limit: int) -> None:
    if stored >= limit:
        raise ValidationError("MLS-12.1-1", f"{stored} proposals are stored already")


# --- the list of a member's commit ---


def no_own_update(proposals: Sequence[CommittedProposal], committer: int) -> None:
    if any(item.sender == committer for item in of_type(proposals, ProposalType.UPDATE)):
        raise ValidationError("MLS-12.2-2", "the committer's own Update is committed")


def no_own_removal(proposals: Sequence[CommittedProposal], committer: int) -> None:
    if committer in removed_leaves(proposals):
        raise ValidationError("MLS-12.2-3", "the committer removes itself")


def one_change_a_leaf(proposals: Sequence[CommittedProposal]) -> None:
    updated = [item.sender for item in of_type(proposals, ProposalType.UPDATE)]
    leaves = [*updated, *removed_leaves(proposals)]
    if len(set(leaves)) != len(leaves):
        raise ValidationError("MLS-12.2-4", "two Updates or Removes of one leaf")


def distinct_adds(proposals: Sequence[CommittedProposal]) -> None:
    keys = added_keys(proposals)
    if len(set(keys)) != len(keys):
        raise ValidationError("MLS-12.2-5", "two Adds of one signature key")


def adds_are_new(proposals: Sequence[CommittedProposal], tree: RatchetTree) -> None:
    removed = set(removed_leaves(proposals))
    staying = {leaf.signature_key for index, leaf in tree.leaves() if index not in removed}
    if not staying.isdisjoint(added_keys(proposals)):
        raise ValidationError("MLS-12.2-6", "an Add of a client that is in the group already")


def distinct_psks(proposals: Sequence[CommittedProposal]) -> None:
    ids = [item.proposal.body() for item in of_type(proposals, ProposalType.PSK)]
    if len(set(ids)) != len(ids):
        raise ValidationError("MLS-12.2-7", "two PSK proposals of one id")


def one_extensions(proposals: Sequence[CommittedProposal]) -> None:
    if len(of_type(proposals, ProposalType.GROUP_CONTEXT_EXTENSIONS)) > 1:
        raise ValidationError("MLS-12.2-8", "two GroupContextExtensions")


def reinit_alone(proposals: Sequence[CommittedProposal]) -> None:
    if of_type(proposals, ProposalType.REINIT) and len(proposals) > 1:
        raise ValidationError("MLS-12.2-9", "a ReInit together with other proposals")


def no_external_init(proposals: Sequence[CommittedProposal]) -> None:
    if of_type(proposals, ProposalType.EXTERNAL_INIT):
        raise ValidationError("MLS-12.2-10", "an ExternalInit in a member's commit")


def member_list(proposals: Sequence[CommittedProposal], committer: int, tree: RatchetTree) -> None:
    """Apply all rules on the list of a member's commit, under the tree of the old epoch."""
    no_own_update(proposals, committer)
    no_own_removal(proposals, committer)
    one_change_a_leaf(proposals)
    distinct_adds(proposals)
    adds_are_new(proposals, tree)
    distinct_psks(proposals)
    one_extensions(proposals)
    reinit_alone(proposals)
    no_external_init(proposals)


# --- the list of an external commit ---


def one_external_init(proposals: Sequence[CommittedProposal]) -> None:
    if len(of_type(proposals, ProposalType.EXTERNAL_INIT)) != 1:
        raise ValidationError("MLS-12.2-13", "an external commit without exactly one ExternalInit")


def one_removal(proposals: Sequence[CommittedProposal]) -> None:
    if len(removed_leaves(proposals)) > 1:
        raise ValidationError("MLS-12.2-14", "an external commit with several Removes")


def replaces_own_leaf(proposals: Sequence[CommittedProposal], tree: RatchetTree, new: LeafNodeIn) -> None:
    for index in removed_leaves(proposals):
        old = tree.leaf(index)
        if old is None or old.credential != new.credential or old.encryption_key == new.encryption_key:
            raise ValidationError("MLS-12.2-15", "an external commit removes somebody else's leaf")


def nothing_else(proposals: Sequence[CommittedProposal]) -> None:
    allowed = (ProposalType.EXTERNAL_INIT, ProposalType.REMOVE, ProposalType.PSK)
    if any(item.proposal.proposal_type not in allowed for item in proposals):
        raise ValidationError("MLS-12.2-16", "an external commit with a proposal it can't have")


def external_by_value(items: Sequence[ProposalOrRef]) -> None:
    if any(isinstance(item, bytes) for item in items):
        raise ValidationError("MLS-12.4.3.2-1", "an external commit refers to a proposal")


def external_list(proposals: Sequence[CommittedProposal]) -> None:
    """Apply all rules on the list of an external commit except those on the leaf that it removes."""
    one_external_init(proposals)
    one_removal(proposals)
    nothing_else(proposals)
    distinct_psks(proposals)


# --- the commit ---


def needs_path(proposals: Sequence[CommittedProposal]) -> bool:
    """Return whether a commit of these proposals must have a path (section 12.4)."""
    return not proposals or any(item.proposal.proposal_type in _NEEDS_PATH for item in proposals)


def has_path(proposals: Sequence[CommittedProposal], path: UpdatePath | None) -> None:
    if path is None and needs_path(proposals):
        raise ValidationError("MLS-12.4-1", "a commit lacks the path that it needs")


def path_keys_new(tree: RatchetTree, path: UpdatePath) -> None:
    """Compare with the tree after the proposals, before the path is merged."""
    keys = [path.leaf_node.encryption_key, *(node.encryption_key for node in path.nodes)]
    if len(set(keys)) != len(keys) or not set(keys).isdisjoint(tree.encryption_keys()):
        raise ValidationError("MLS-12.4.2-2", "a public key of a path is in the tree already")


# --- reading a list ---


def removed_leaves(proposals: Sequence[CommittedProposal]) -> list[int]:
    return [item.proposal.removed for item in proposals if isinstance(item.proposal, Remove)]


def added_keys(proposals: Sequence[CommittedProposal]) -> list[bytes]:
    """Return the signature keys of the added clients."""
    adds = (item.proposal for item in proposals)
    return [add.key_package.leaf_node.signature_key for add in adds if isinstance(add, AddIn)]
