"""Convert objects of crypto.mls to the plain facts that crypto.agreed.policy judges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from snugroom.crypto import mls
from snugroom.crypto.agreed.commit_view import CommitView, LeafView, ProposalView
from snugroom.crypto.agreed.ledger import Ledger
from snugroom.crypto.agreed.room_state import REJOIN_EXTENSION, REJOIN_KEY_EXTENSION, Policy
from snugroom.crypto.kdf import H, SigningKey


def leaf_view(leaf: mls.LeafNode) -> LeafView:
    """Return the facts of a leaf."""
    return LeafView(
        signature_key=leaf.signature_key,
        identity=leaf.credential.identity,
        encryption_key=leaf.encryption_key,
        capabilities=leaf.capabilities.encode(),
        extensions=b"".join(e.encode() for e in leaf.extensions if e.extension_type != REJOIN_KEY_EXTENSION),
        rejoin_key=mls.find_extension(leaf.extensions, REJOIN_KEY_EXTENSION) or b"",
    )


def rejoin_key_extension(key: SigningKey) -> mls.Extension:
    """Return the extension of a leaf that names its rejoin key."""
    return mls.Extension(REJOIN_KEY_EXTENSION, key.public)


def ticket_of(package: mls.KeyPackage) -> bytes | None:
    """Return the encoded rejoin ticket of a KeyPackage; None without one."""
    return mls.find_extension(package.extensions, REJOIN_EXTENSION)


def proposal_view(proposal: mls.Proposal, sender: int | None, by_reference: bool = False) -> ProposalView:
    """Return the facts of one proposal."""
    if isinstance(proposal, mls.Add):
        package = proposal.key_package
        return ProposalView(
            "add",
            sender,
            by_reference,
            added=leaf_view(package.leaf_node),
            package=H(package.encoded),
            init_key=package.init_key,
            ticket=ticket_of(package),
            suite=package.cipher_suite,
            version=package.version,
        )
    if isinstance(proposal, mls.Remove):
        return ProposalView("remove", sender, by_reference, removed=proposal.removed)
    if isinstance(proposal, mls.PreSharedKey):
        external = isinstance(proposal.psk, mls.ExternalPsk)
        psk_id = proposal.psk.psk_id if isinstance(proposal.psk, mls.ExternalPsk) else b""
        return ProposalView("psk", sender, by_reference, psk_external=external, psk_id=psk_id)
    if isinstance(proposal, mls.GroupContextExtensions):
        extensions = tuple((e.extension_type, e.data) for e in proposal.extensions)
        return ProposalView("gce", sender, by_reference, extensions=extensions)
    if isinstance(proposal, mls.Update):
        return ProposalView("update", sender, by_reference)
    if isinstance(proposal, mls.ReInit):
        return ProposalView("reinit", sender, by_reference)
    if isinstance(proposal, mls.ExternalInit):
        return ProposalView("external_init", sender, by_reference)
    assert_never(proposal)


@dataclass(frozen=True)
class PriorState:
    """The state that a commit is judged against: this member's, before the commit."""

    members: Mapping[int, LeafView]
    policy: Policy
    extensions: tuple[tuple[int, bytes], ...]
    group_id: bytes
    suite: int
    room: bytes
    slot: int  # the slot that the commit would take
    chain: bytes  # before that slot
    ledger: Ledger

    def view(
        self,
        *,
        sender: int | None,
        proposals: Iterable[ProposalView],
        path_leaf: LeafView | None,
        authenticated_data: bytes,
        private: bool = True,
    ) -> CommitView:
        """Return the view of a commit against this state."""
        return CommitView(
            private=private,
            sender=sender,
            proposals=tuple(proposals),
            path_leaf=path_leaf,
            authenticated_data=authenticated_data,
            members=self.members,
            policy=self.policy,
            extensions=self.extensions,
            group_id=self.group_id,
            suite=self.suite,
            room=self.room,
            slot=self.slot,
            chain=self.chain,
            ledger=self.ledger,
        )

    def of_candidate(self, commit: mls.CandidateCommit) -> CommitView:
        """Return the view of another member's commit."""
        return self.view(
            sender=commit.sender,
            proposals=[proposal_view(p.proposal, p.sender, p.by_reference) for p in commit.proposals],
            path_leaf=None if commit.path_leaf is None else leaf_view(commit.path_leaf),
            authenticated_data=commit.authenticated_data,
            private=commit.private,
        )


def names_of(members: Sequence[mls.Member]) -> dict[int, LeafView]:
    """Return the members' views by leaf."""
    return {m.leaf: leaf_view(m.leaf_node) for m in members}
