"""Attempts that break each rule on key packages, proposals, commits and senders. See `test_rules`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

import snugroom.crypto.mls.treekem
from snugroom.crypto.mls import (
    Add,
    Capabilities,
    Credential,
    Extension,
    ExternalInit,
    ExternalPsk,
    GroupContextExtensions,
    LeafNodeSource,
    Lifetime,
    Limits,
    PreSharedKey,
    PskUsage,
    ReInit,
    Remove,
    RequiredCapabilities,
    ResumptionPsk,
    Update,
)
from snugroom.crypto.mls.framing import to_be_signed
from snugroom.crypto.mls.labels import sign_with_label
from snugroom.crypto.mls.messages import (
    AuthenticatedContent,
    FramedContent,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
    encode_message,
)
from snugroom.crypto.mls.proposals import Commit, HpkeCiphertext, ProposalOrRef, UpdatePath, UpdatePathNode
from snugroom.crypto.mls.treekem import NewPath
from tests.mls.world import (
    NOW,
    OTHER_SUITE,
    SUITE,
    Room,
    add_of,
    forge,
    make_leaf,
    make_package,
    new_bundle,
    rng,
    state_of,
    wire,
)

MLS = "snugroom.crypto.mls"
Off = Callable[..., AbstractContextManager[None]]


@contextmanager
def switched_off(*targets: tuple[str, Any]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for target, instead in targets:
            patch.setattr(f"{MLS}.{target}", instead)
        yield


def nothing(*arguments: Any, **options: Any) -> None:
    """A rule that is switched off."""


@dataclass(frozen=True)
class Case:
    rule: str
    target: str
    """The rule's function, below `crypto.mls`."""
    attempt: Callable[[Off], object]
    """Attempts a breach of the rule; gets a context manager that switches the rule (and more) off."""
    instead: Any = nothing
    """Stands in for the rule when it is off."""

    def off(self, *others: str) -> AbstractContextManager[None]:
        return switched_off((self.target, self.instead), *((other, nothing) for other in others))


# --- key packages and their leaves ---


def package(
    leaf: dict[str, Any] | None = None, judge: bool = True, **changes: Any
) -> Callable[[Off], object]:
    """Verify a key package that is signed properly, with changes to it and to its leaf."""

    def attempt(off: Off) -> object:
        private = rng(32)
        made = make_package(make_leaf(private, **(leaf or {})), private, **changes)
        return wire(made).verify(SUITE, NOW if judge else None)

    return attempt


def twice_the_same_key(off: Off) -> object:
    private = rng(32)
    leaf = make_leaf(private)
    return wire(make_package(leaf, private, init_key=leaf.encryption_key)).verify(SUITE)


def tampered_leaf(off: Off) -> object:
    private = rng(32)
    leaf = replace(make_leaf(private), signature=bytes(64))
    return wire(make_package(leaf, private)).verify(SUITE)


def tampered_package(off: Off) -> object:
    private = rng(32)
    made = make_package(make_leaf(private), private)
    return wire(replace(made, signature=bytes(64))).verify(SUITE)


UNKNOWN = Extension(0xF123, b"")
TWICE = (Extension(1, b"a"), Extension(1, b"b"))

PACKAGES = [
    Case("MLS-5.1.1-1", "validate.usable_key", package({"encryption_key": bytes(32)})),
    Case("MLS-5.1.1-1", "validate.usable_key", package({"encryption_key": b"short"})),
    Case("MLS-5.1.1-1", "validate.usable_key", package(init_key=bytes(32))),
    Case(
        "MLS-7.2-1",
        "validate.capabilities_list_suite",
        package({"capabilities": Capabilities(cipher_suites=(3,))}),
    ),
    Case(
        "MLS-7.2-1", "validate.capabilities_list_suite", package({"capabilities": Capabilities(versions=())})
    ),
    Case(
        "MLS-7.2-2",
        "validate.capabilities_list_credential",
        package({"capabilities": Capabilities(credentials=(2,))}),
    ),
    Case("MLS-7.2-3", "validate.lifetime_length", package({"lifetime": Lifetime(0, 2**40)})),
    Case("MLS-7.3-1", "nodes.verify_with_label", tampered_leaf),
    Case("MLS-7.3-5", "validate.lifetime_now", package({"lifetime": Lifetime(NOW + 1, NOW + 2)})),
    Case("MLS-7.3-5", "validate.lifetime_now", package({"lifetime": Lifetime(NOW - 2, NOW - 1)})),
    Case("MLS-7.3-6", "validate.extensions_listed", package({"extensions": (UNKNOWN,)})),
    Case("MLS-7.3-7", "validate.source_key_package", package({"source": LeafNodeSource.UPDATE})),
    Case("MLS-10-1", "validate.key_package_extensions", package(extensions=(UNKNOWN,))),
    Case("MLS-10.1-1", "validate.key_package_suite", package(suite=OTHER_SUITE)),
    Case("MLS-10.1-1", "validate.key_package_suite", package(version=2)),
    Case("MLS-10.1-3", "keypackage.verify_with_label", tampered_package),
    Case("MLS-10.1-4", "validate.init_key_differs", twice_the_same_key),
    Case("MLS-13.4-1", "validate.unique_extensions", package(extensions=TWICE)),
    Case("MLS-13.4-1", "validate.unique_extensions", package({"extensions": TWICE})),
]


# --- messages, proposals and commits of members ---


def message(make: Callable[[Room, Off], bytes], size: int = 3, **options: Any) -> Callable[[Off], object]:
    """The last member of a room processes a message that was forged with the rule switched off."""

    def attempt(off: Off) -> object:
        room = Room(size, **options)
        forged = make(room, off)
        return room[-1].process(forged, psks=room.psks)

    return attempt


def committed(*items: ProposalOrRef) -> Callable[[Off], object]:
    """A correctly signed commit of these proposals by member 0."""
    return message(lambda room, off: forge(room[0], Commit(items)))


def proposed(make: Callable[[Room], Any], by: int = 1) -> Callable[[Off], object]:
    return message(lambda room, off: forge(room[by], make(room)))


def update(room: Room, source: LeafNodeSource = LeafNodeSource.UPDATE, **changes: Any) -> Update:
    """An Update of member 1."""
    private = changes.pop("signature_private", state_of(room[1]).signature_private)
    return Update(make_leaf(private, source=source, group_id=b"room", leaf=1, **changes))


def own_key_again(room: Room) -> Update:
    leaf = room[1].member(1)
    assert leaf is not None
    return update(room, encryption_key=leaf.encryption_key)


def adding(leaf: dict[str, Any], *others: str, **options: Any) -> Callable[[Off], object]:
    """A commit that adds a leaf which the members must refuse."""

    def make(room: Room, off: Off) -> bytes:
        private = rng(32)
        made = make_package(make_leaf(private, **leaf), private)
        with off(*others):
            return room[0].stage([Add(made)]).message

    return message(make, **options)


def key_of_a_member(room: Room, off: Off) -> bytes:
    private = rng(32)
    leaf = room[1].member(1)
    assert leaf is not None
    package = make_package(make_leaf(private, encryption_key=leaf.encryption_key), private)
    with off("validate.unique_parent_keys"):
        return room[0].stage([Add(package)]).message


def key_of_a_parent(room: Room, off: Off) -> bytes:
    private = rng(32)
    room.commit(by=2)
    node = state_of(room[0]).tree.parent_node(5)
    assert node is not None
    key = node.encryption_key
    with off():
        return room[0].stage([Add(make_package(make_leaf(private, encryption_key=key), private))]).message


def identity_of_another(room: Room, off: Off) -> bytes:
    """Member 1 takes the signature key of member 0 by an Update, which member 0 commits."""
    stolen = update(room, signature_private=state_of(room[0]).signature_private)
    proposal = forge(room[1], stolen)
    room.tell(proposal, room[1])
    with off():
        return room[0].stage(include_stored=True).message


def own_update(room: Room, off: Off) -> bytes:
    proposal = room[0].propose(room[0].make_update())
    room.tell(proposal, room[0])
    with off():
        return room[0].stage(include_stored=list(room[0].stored_proposals)).message


def twice_one_key() -> tuple[Add, Add]:
    private = rng(32)
    return tuple(Add(make_package(make_leaf(private), private)) for _ in range(2))  # type: ignore[return-value]


def key_of(room: Room) -> Add:
    private = state_of(room[1]).signature_private
    return Add(make_package(make_leaf(private), private))


def path_of(leaf_source: LeafNodeSource) -> Callable[[Room, Off], bytes]:
    def make(room: Room, off: Off) -> bytes:
        private = state_of(room[0]).signature_private
        leaf = make_leaf(private, source=leaf_source, group_id=b"room")
        return forge(room[0], Commit((), UpdatePath(leaf, ())))

    return make


def stage_with(change: Callable[[Room, NewPath], NewPath]) -> Callable[[Room, Off], bytes]:
    """A commit whose path is changed before it is signed."""

    def make(room: Room, off: Off) -> bytes:
        original = snugroom.crypto.mls.treekem.create_path

        def changed(*arguments: Any, **options: Any) -> NewPath:
            return change(room, original(*arguments, **options))

        with switched_off(("treekem.create_path", changed)):
            return room[0].stage().message

    return make


def with_nodes(new: NewPath, *nodes: UpdatePathNode) -> NewPath:
    return replace(new, path=UpdatePath(new.path.leaf_node, nodes))


def old_key_in_path(room: Room, new: NewPath) -> NewPath:
    known = state_of(room[0]).tree.encryption_keys()[2]
    nodes = new.path.nodes
    return with_nodes(new, UpdatePathNode(known, nodes[0].encrypted_path_secret), *nodes[1:])


def unusable_key_in_path(room: Room, new: NewPath) -> NewPath:
    nodes = new.path.nodes
    return with_nodes(new, UpdatePathNode(bytes(32), nodes[0].encrypted_path_secret), *nodes[1:])


def own_key_in_path(room: Room, new: NewPath) -> NewPath:
    return resigned(room, new, encryption_key=room[0].members()[0].leaf_node.encryption_key)


def resigned(room: Room, new: NewPath, **changes: Any) -> NewPath:
    leaf = new.path.leaf_node
    parts = {
        "credential": leaf.credential,
        "encryption_key": leaf.encryption_key,
        "parent_hash": leaf.parent_hash,
        **changes,
    }
    private = state_of(room[0]).signature_private
    made = make_leaf(private, source=LeafNodeSource.COMMIT, group_id=b"room", leaf=0, **parts)
    return replace(new, path=UpdatePath(made, new.path.nodes))


def without_ciphertexts(room: Room, new: NewPath) -> NewPath:
    return with_nodes(new, *(UpdatePathNode(node.encryption_key, ()) for node in new.path.nodes))


def garbled(room: Room, new: NewPath) -> NewPath:
    """Ciphertexts that nobody can open."""
    return with_nodes(
        new,
        *(
            UpdatePathNode(
                node.encryption_key,
                tuple(HpkeCiphertext(c.kem_output, bytes(48)) for c in node.encrypted_path_secret),
            )
            for node in new.path.nodes
        ),
    )


def blank_sender(room: Room, off: Off) -> bytes:
    room.commit([Remove(1)])
    return forge(room[0], b"data", sender=Sender(SenderType.MEMBER, 1))


def public_application(room: Room, off: Off) -> bytes:
    state = state_of(room[0])
    framed = FramedContent(b"room", room[0].epoch, Sender(SenderType.MEMBER, 0), b"", b"data")
    signed = to_be_signed(WireFormat.PUBLIC_MESSAGE, framed, state.context.encoded)
    signature = sign_with_label(state.signature_private, "FramedContentTBS", signed)
    content = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, framed, signature)
    tag = state.suite.mac(state.secrets.membership_key, signed + content.encode_auth())
    return encode_message(PublicMessage(content, tag))


def resumption(usage: PskUsage) -> PreSharedKey:
    return PreSharedKey(ResumptionPsk(usage, b"room", 1, bytes(32)))


def unknown_psk(room: Room, off: Off) -> bytes:
    return room[0].stage([PreSharedKey.external(b"nobody's", rng)], psks={b"nobody's": b"secret"}).message


def wrong_tag(room: Room, off: Off) -> bytes:
    return forge(room[0], Commit((add_of(new_bundle("x")),)))


def third_proposal(room: Room, off: Off) -> bytes:
    for _ in range(2):
        room.tell(forge(room[0], PreSharedKey.external(b"id", rng)), room[0])
    return forge(room[0], PreSharedKey.external(b"id", rng))


def extend(*extensions: Extension) -> Callable[[Off], object]:
    def make(room: Room, off: Off) -> bytes:
        with off():
            return room[0].stage([GroupContextExtensions(extensions)]).message

    return message(make)


REQUIRED = RequiredCapabilities(extensions=(0xF001,)).extension()
KNOWING = {"capabilities": Capabilities(extensions=(0xF001,)), "extensions": (REQUIRED,)}
X509 = {
    "credential": Credential(credential_type=2, certificates=(b"der",)),
    "capabilities": Capabilities(credentials=(1, 2)),
}
NEW = "validate_commit"
GCE = GroupContextExtensions(())
PSK = PreSharedKey(ExternalPsk(b"id", bytes(32)))

MEMBERS = [
    Case("MLS-6-1", f"{NEW}.application_is_private", message(public_application)),
    Case("MLS-6.3.2-1", f"{NEW}.sender_is_member", message(blank_sender)),
    Case("MLS-7.3-2", "validate.supports_required", adding({}, **KNOWING)),
    Case("MLS-7.3-2", "validate.supports_required", extend(REQUIRED)),
    Case(
        "MLS-7.3-2",
        "validate.supports_required",
        extend(RequiredCapabilities(proposals=(0xF000,)).extension()),
    ),
    Case(
        "MLS-7.3-2", "validate.supports_required", extend(RequiredCapabilities(credentials=(2,)).extension())
    ),
    Case("MLS-7.3-3", "validate.supports_credentials", adding(X509)),
    Case("MLS-7.3-8", "validate.source_update", proposed(lambda room: update(room, LeafNodeSource.COMMIT))),
    Case("MLS-7.3-9", "validate.new_encryption_key", proposed(own_key_again)),
    Case("MLS-7.3-9", "validate.new_encryption_key", message(stage_with(own_key_in_path))),
    Case("MLS-7.3-10", "validate.source_commit", message(path_of(LeafNodeSource.UPDATE))),
    Case("MLS-7.3-11", "validate.unique_signature_keys", message(identity_of_another)),
    Case("MLS-7.3-12", "validate.unique_encryption_keys", message(key_of_a_member)),
    Case("MLS-12.4.3-3", "validate.unique_parent_keys", message(key_of_a_parent, 4)),
    Case("MLS-13.4-2", "validate.supports_extensions", extend(Extension(0xF001, b""))),
    Case("MLS-13.4-1", "validate.unique_extensions", extend(*TWICE)),
    Case("MLS-5.1.1-1", "validate.usable_key", message(stage_with(unusable_key_in_path))),
    Case(
        "MLS-5.1.1-1",
        "validate.usable_key",
        proposed(lambda room: update(room, encryption_key=bytes(32))),
    ),
    Case(
        "MLS-7.6-1",
        "treekem.path_length",
        message(stage_with(lambda room, new: with_nodes(new, *new.path.nodes[1:]))),
    ),
    Case("MLS-7.6-2", "treekem.ciphertext_count", message(stage_with(without_ciphertexts))),
    Case(
        "MLS-7.9.2-2",
        "treekem.parent_hash_follows",
        message(stage_with(lambda room, new: resigned(room, new, parent_hash=b"another"))),
    ),
    Case(
        "MLS-12.1-1", f"{NEW}.room_for_proposal", message(third_proposal, limits=Limits(stored_proposals=2))
    ),
    Case("MLS-12.1.3-1", f"{NEW}.removes_member", committed(Remove(7))),
    Case("MLS-12.1.3-1", f"{NEW}.removes_member", proposed(lambda room: Remove(7))),
    Case("MLS-12.1.4-1", f"{NEW}.psk_not_reinit", committed(resumption(PskUsage.REINIT))),
    Case("MLS-12.1.4-2", f"{NEW}.psk_not_branch", committed(resumption(PskUsage.BRANCH))),
    Case("MLS-12.1.4-3", f"{NEW}.psk_nonce_size", committed(PreSharedKey(ExternalPsk(b"id", bytes(31))))),
    Case("MLS-12.1.5-1", f"{NEW}.reinit_version", committed(ReInit(b"next", 0, SUITE, ()))),
    Case("MLS-12.2-2", f"{NEW}.no_own_update", message(own_update)),
    Case("MLS-12.2-3", f"{NEW}.no_own_removal", committed(Remove(0))),
    Case("MLS-12.2-4", f"{NEW}.one_change_a_leaf", committed(Remove(1), Remove(1))),
    Case("MLS-12.2-5", f"{NEW}.distinct_adds", committed(*twice_one_key())),
    Case(
        "MLS-12.2-6",
        f"{NEW}.adds_are_new",
        message(lambda room, off: forge(room[0], Commit((key_of(room),)))),
    ),
    Case("MLS-12.2-7", f"{NEW}.distinct_psks", committed(PSK, PSK)),
    Case("MLS-12.2-8", f"{NEW}.one_extensions", committed(GCE, GCE)),
    Case("MLS-12.2-9", f"{NEW}.reinit_alone", committed(ReInit(b"next", 1, SUITE, ()), PSK)),
    Case("MLS-12.2-10", f"{NEW}.no_external_init", committed(ExternalInit(bytes(32)))),
    Case("MLS-12.4-1", f"{NEW}.has_path", committed()),
    Case("MLS-12.4-1", f"{NEW}.has_path", committed(Remove(1))),
    Case("MLS-12.4-1", f"{NEW}.has_path", committed(GCE)),
    Case("MLS-12.4-2", f"{NEW}.proposal_known", committed(bytes(32))),
    Case("MLS-12.4.2-1", f"{NEW}.psk_known", message(unknown_psk), lambda secret: b"public"),
    Case("MLS-12.4.2-2", f"{NEW}.path_keys_new", message(stage_with(old_key_in_path))),
    Case("MLS-12.4.2-3", "commit.check_confirmation", message(wrong_tag)),
]
