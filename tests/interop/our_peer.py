"""`crypto.mls` as a group member of the interop tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from snugroom.crypto.errors import SnugError
from snugroom.crypto.mls import (
    Add,
    ApplicationMessage,
    CandidateCommit,
    Capabilities,
    CipherSuite,
    Credential,
    Extension,
    ExternalPsk,
    Group,
    GroupContextExtensions,
    KeyPackageIn,
    Lifetime,
    PreSharedKey,
    Proposal,
    ReceivedProposal,
    Remove,
    Stage,
    create_key_package,
    generate_signature_key,
)
from tests.interop.peer import NOTHING, USUAL, Changes, Manner, Peer, PeerError, Psk, Received, Staged, View

KEY_PACKAGE_HEAD = bytes([0, 1, 0, 5])
"""mls10, mls_key_package: what makes a KeyPackage an MLSMessage."""
ALWAYS = Lifetime(0, 2**63)
Rng = Callable[[int], bytes]


def to_bucket(length: int) -> int:
    """Pad to the next multiple of 512 bytes."""
    return -length % 512 + length


class OurPeer:
    """One member of ours. Commits are adopted as soon as they are processed, there being no policy here."""

    kind = "snug"

    def __init__(
        self,
        name: str,
        *,
        suite: int = 1,
        extensions: Sequence[int] = (),
        lifetime: Lifetime = ALWAYS,
        pad_to: Callable[[int], int] | None = to_bucket,
        again: OurPeer | None = None,
        rng: Rng = os.urandom,
    ) -> None:
        """A leaf that supports `extensions`; `again` lends its signature key."""
        self.name = name.encode()
        self._suite, self._rng, self._pad_to = CipherSuite(suite), rng, pad_to
        self._signature_keys: tuple[bytes, bytes] = (
            generate_signature_key(self._suite, rng) if again is None else again._signature_keys
        )
        private, public = self._signature_keys
        self.signature_key: bytes = public
        self._bundle = create_key_package(
            self._suite,
            signature_private=private,
            credential=Credential.basic(self.name),
            capabilities=Capabilities(extensions=tuple(extensions)),
            lifetime=lifetime,
            rng=rng,
        )
        self.key_package = KEY_PACKAGE_HEAD + self._bundle.encoded
        self._group: Group | None = None
        self._stage: Stage | None = None
        self._psks: dict[bytes, bytes] = {}

    @property
    def group(self) -> Group:
        assert self._group is not None, "not in a group"
        return self._group

    @property
    def encryption_key(self) -> bytes:
        """The public key of our present leaf."""
        leaf = self.group.member(self.group.own_leaf)
        assert leaf is not None
        return leaf.encryption_key

    def create(self, group_id: bytes, extensions: Sequence[tuple[int, bytes]] = ()) -> None:
        self._group = Group.create(
            self._bundle, group_id=group_id, extensions=[Extension(*e) for e in extensions], rng=self._rng
        )

    def know(self, psks: Sequence[Psk]) -> None:
        """Remember the secrets, for commits and joins to come."""
        self._psks.update((psk.id, psk.secret) for psk in psks)

    def join(self, welcome: bytes, psks: Sequence[Psk] = ()) -> None:
        self.know(psks)
        self._group = Group.join(welcome, self._bundle, psks=self._psks, rng=self._rng)

    def proposals(self, changes: Changes) -> list[Proposal]:
        """The proposals that make the changes, in an order of our own: RFC 9420 12.3 has its own anyway."""
        made: list[Proposal] = [Add(key_package_of(p).verify(self._suite)) for p in changes.adds]
        made += [Remove(self.leaf_of(peer)) for peer in changes.removes]
        made += [PreSharedKey(ExternalPsk(psk.id, psk.nonce)) for psk in changes.psks]
        if changes.extensions is not None:
            made.append(GroupContextExtensions(tuple(Extension(*e) for e in changes.extensions)))
        return made

    def stage(self, changes: Changes = NOTHING, manner: Manner = USUAL) -> Staged:
        self.know(changes.psks)
        self._stage = self.group.stage(
            self.proposals(changes),
            include_stored=True,
            authenticated_data=manner.authenticated_data,
            force_path=manner.force_path,
            private=manner.private,
            pad_to=self._pad_to if manner.private else None,
            psks=self._psks,
        )
        return Staged(self._stage.message, self._stage.welcome)

    def adopt(self) -> None:
        assert self._stage is not None, "nothing is staged"
        self.group.adopt(self._stage)
        self._stage = None

    def drop(self) -> None:
        """Drop the staged commit."""
        assert self._stage is not None, "nothing is staged"
        self._stage.drop()
        self._stage = None

    def propose(self, proposal: Proposal, *, private: bool = True) -> bytes:
        """A by-reference proposal."""
        return self.group.propose(proposal, private=private, pad_to=self._pad_to if private else None)

    def propose_remove(self, peer: Peer, *, private: bool = True) -> bytes:
        return self.propose(Remove(self.leaf_of(peer)), private=private)

    def process(self, message: bytes) -> Received:
        """Raises PeerError with our own error as its cause."""
        try:
            got = self.group.process(message, psks=self._psks)
        except SnugError as error:
            raise PeerError(f"{type(error).__name__}: {error}") from error
        if isinstance(got, ApplicationMessage):
            return Received("application", got.sender, got.data, got.authenticated_data)
        if isinstance(got, ReceivedProposal):
            names = (got.proposal.proposal_type.name.lower(),)
            return Received("proposal", got.sender, b"", got.authenticated_data, names)
        assert isinstance(got, CandidateCommit)
        kinds = tuple(p.proposal.proposal_type.name.lower() for p in got.proposals)
        if got.removes_us:
            return Received("removed", got.sender, b"", got.authenticated_data, kinds)
        self.group.adopt(got)
        return Received("commit", got.sender, b"", got.authenticated_data, kinds)

    def protect(self, data: bytes, *, authenticated_data: bytes = b"") -> bytes:
        return self.group.protect(data, authenticated_data=authenticated_data, pad_to=self._pad_to)

    def view(self, label: str = "interop", context: bytes = b"", length: int = 32) -> View:
        group = self.group
        return View(
            epoch=group.epoch,
            exported=group.export(label, context, length),
            tree=group.ratchet_tree(),
            authenticator=group.epoch_authenticator,
            transcript=group.confirmed_transcript_hash,
            tree_hash=group.tree_hash,
            extensions=tuple((e.extension_type, e.data) for e in group.extensions),
            members={
                m.leaf: (m.leaf_node.credential.identity, m.leaf_node.signature_key) for m in group.members()
            },
        )

    def leaf_of(self, peer: Peer) -> int:
        """The leaf that holds the peer's signature key in our tree."""
        return next(m.leaf for m in self.group.members() if m.leaf_node.signature_key == peer.signature_key)


def key_package_of(peer: Peer) -> KeyPackageIn:
    """A peer's key package as it comes off the wire."""
    assert peer.key_package.startswith(KEY_PACKAGE_HEAD)
    return KeyPackageIn.decode(peer.key_package[len(KEY_PACKAGE_HEAD) :])
