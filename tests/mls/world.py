"""Members in memory, a group in step, and a forger who signs content that no honest member would."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from snugroom.crypto.mls import (
    Add,
    CandidateCommit,
    Capabilities,
    CipherSuite,
    Credential,
    Extension,
    Group,
    GroupView,
    KeyPackage,
    KeyPackageBundle,
    KeyPackageIn,
    LeafNode,
    LeafNodeSource,
    Lifetime,
    Limits,
    Proposal,
    Stage,
    create_key_package,
    generate_signature_key,
)
from snugroom.crypto.mls.commit import send
from snugroom.crypto.mls.framing import sign_content
from snugroom.crypto.mls.labels import sign_with_label
from snugroom.crypto.mls.messages import (
    AuthenticatedContent,
    Content,
    ContentType,
    FramedContent,
    Sender,
    SenderType,
    WireFormat,
)
from snugroom.crypto.mls.nodes import MLS10
from snugroom.crypto.mls.state import EpochState
from snugroom.crypto.mls.treemath import direct_path
from snugroom.crypto.primitives import hpke_generate, hpke_public, signature_public

SUITE = CipherSuite.X25519_AES128GCM_SHA256_ED25519
OTHER_SUITE = CipherSuite.X25519_CHACHA20POLY1305_SHA256_ED25519
LIFE = Lifetime(1_000, 2_000)
NOW = 1_500


class SeededRng:
    """Seeded randomness, so that a failing test can be repeated."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0

    def __call__(self, length: int) -> bytes:
        self._count += 1
        return hashlib.shake_128(f"{self._seed}/{self._count}".encode()).digest(length)


rng = SeededRng("tests/mls")


def new_bundle(
    name: str,
    *,
    suite: CipherSuite = SUITE,
    signature_private: bytes | None = None,
    capabilities: Capabilities | None = None,
    lifetime: Lifetime = LIFE,
    **options: Any,
) -> KeyPackageBundle:
    return create_key_package(
        suite,
        signature_private=signature_private or generate_signature_key(suite, rng)[0],
        credential=Credential.basic(name.encode()),
        capabilities=capabilities,
        lifetime=lifetime,
        rng=rng,
        **options,
    )


def add_of(bundle: KeyPackageBundle) -> Add:
    """An Add of the bundle's KeyPackage."""
    return Add(KeyPackageIn.decode(bundle.encoded).verify(bundle.suite, NOW))


class Room:
    """The groups of all members. All process and adopt every commit, and must agree after each."""

    def __init__(
        self,
        size: int = 1,
        *,
        suite: CipherSuite = SUITE,
        extensions: Sequence[Extension] = (),
        capabilities: Capabilities | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        psks: Mapping[bytes, bytes] | None = None,
    ) -> None:
        self.suite, self.capabilities, self.limits = suite, capabilities, limits
        self.psks = dict(psks or {})
        first = self.bundle("member 0")
        self.groups = [Group.create(first, b"room", extensions, limits=limits, rng=rng)]
        for number in range(1, size):
            self.add(f"member {number}")

    def __getitem__(self, place: int) -> Group:
        return self.groups[place]

    def bundle(self, name: str, **options: Any) -> KeyPackageBundle:
        return new_bundle(name, **{"suite": self.suite, "capabilities": self.capabilities, **options})

    def at(self, leaf: int) -> Group:
        """The group of the member at a leaf index."""
        return next(group for group in self.groups if group.own_leaf == leaf)

    def add(self, name: str, by: int = 0, **options: Any) -> Group:
        """Admit another member; `by` is the place of the member that commits."""
        bundle = self.bundle(name)
        stage = self.commit([add_of(bundle)], by=by, **options)
        return self.enter(stage, bundle)

    def enter(self, stage: Stage, bundle: KeyPackageBundle) -> Group:
        assert stage.welcome is not None
        joined = Group.join(stage.welcome, bundle, psks=self.psks, now=NOW, limits=self.limits, rng=rng)
        self.groups.append(joined)
        self.check()
        return joined

    def commit(self, proposals: Sequence[Proposal] = (), *, by: int = 0, **options: Any) -> Stage:
        """Stage, deliver, adopt. The members whom it removes leave the room."""
        committer = self.groups[by]
        stage = committer.stage(proposals, psks=self.psks, **options)
        self.deliver(stage, committer)
        return stage

    def deliver(self, stage: Stage, committer: Group) -> None:
        for group in list(self.groups):
            if group is committer:
                continue
            candidate = group.process(stage.message, psks=self.psks)
            assert isinstance(candidate, CandidateCommit)
            assert candidate.sender == committer.own_leaf
            if candidate.removes_us:
                self.groups.remove(group)
                continue
            group.adopt(candidate)
        committer.adopt(stage)
        self.check()

    def tell(self, message: bytes, by: Group) -> None:
        """Let all members except the author process a message."""
        for group in self.groups:
            if group is not by:
                group.process(message, psks=self.psks)

    def check(self) -> None:
        views = {
            (
                group.epoch,
                group.epoch_authenticator,
                group.tree_hash,
                group.confirmed_transcript_hash,
                group.export("label", b"context", 40),
                tuple((m.leaf, m.leaf_node.credential.identity) for m in group.members()),
            )
            for group in self.groups
        }
        assert len(views) == 1, "the members disagree"
        for group in self.groups:
            tree = state_of(group).tree
            for index, private in state_of(group).private_keys.items():
                node = tree.node(index) if index < 2 * tree.size else None
                assert node is not None, f"a private key of node {index}, which is blank"
                assert hpke_public(private) == node.encryption_key
                assert index in (2 * group.own_leaf, *direct_path(2 * group.own_leaf, tree.size))


def state_of(group: GroupView) -> EpochState:
    """The group's state, which is private to the package."""
    assert group._state is not None
    return group._state


def sign_framed(
    group: Group,
    content: Content,
    *,
    sender: Sender | None = None,
    private: bool = True,
    tag: bytes = bytes(32),
    signature_private: bytes | None = None,
    authenticated_data: bytes = b"",
    epoch: int | None = None,
) -> AuthenticatedContent:
    """Any content under any sender, signed by `signature_private` (by default the group's own key)."""
    state = state_of(group)
    framed = FramedContent(
        state.group_id,
        state.context.epoch if epoch is None else epoch,
        sender or Sender(SenderType.MEMBER, state.own_leaf),
        authenticated_data,
        content,
    )
    wire_format = WireFormat.PRIVATE_MESSAGE if private else WireFormat.PUBLIC_MESSAGE
    key = signature_private or state.signature_private
    signed = sign_content(wire_format, framed, state.context.encoded, key)
    return replace(signed, confirmation_tag=tag if framed.content_type == ContentType.COMMIT else None)


def forge(group: Group, content: Content, **options: Any) -> bytes:
    """`sign_framed`, protected with the keys of the group's member: an MLSMessage."""
    return send(state_of(group), sign_framed(group, content, **options), None, rng)


def make_leaf(
    signature_private: bytes,
    name: str = "forged",
    *,
    source: LeafNodeSource = LeafNodeSource.KEY_PACKAGE,
    encryption_key: bytes | None = None,
    **changes: Any,
) -> LeafNode:
    """A correctly signed leaf with any content."""
    made: dict[str, Any] = {
        "encryption_key": encryption_key or hpke_generate(rng)[1],
        "signature_key": signature_public(signature_private),
        "credential": Credential.basic(name.encode()),
        "capabilities": Capabilities(),
        "source": source,
        "lifetime": LIFE if source == LeafNodeSource.KEY_PACKAGE else None,
        **changes,
    }
    return LeafNode.sign(signature_private, **made)


def make_package(
    leaf: LeafNode,
    signature_private: bytes,
    *,
    suite: int = SUITE,
    version: int = MLS10,
    init_key: bytes | None = None,
    extensions: Sequence[Extension] = (),
) -> KeyPackage:
    """A correctly signed key package around any leaf, without checks."""
    init = init_key or hpke_generate(rng)[1]
    parts = (version, suite, init, leaf, tuple(extensions))
    content = KeyPackage(*parts, b"")._content()
    return KeyPackage(*parts, sign_with_label(signature_private, KeyPackage.LABEL, content))


def wire(package: KeyPackage) -> KeyPackageIn:
    """The value as the other side decodes it."""
    return KeyPackageIn.decode(package.encoded)


Forger = Callable[[Room], bytes]
