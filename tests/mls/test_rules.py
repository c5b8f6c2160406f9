"""Every numbered rule of RFC 9420 refuses what it must, and without its function that would go through.

Each case attempts something that breaks one rule. `test_the_rule_refuses` wants exactly that rule's number;
`test_nothing_else_refuses_in_its_place` runs the same attempt with the rule's function switched off and wants
that number no more, so that a case can't pass for another reason than its rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

import crypto.mls.commit
import crypto.mls.keypackage
import crypto.mls.nodes
import crypto.mls.treekem
import crypto.mls.validate
import crypto.mls.validate_commit
import crypto.mls.welcome
from crypto.errors import ValidationError
from crypto.mls import (
    Add,
    Capabilities,
    CommitError,
    Credential,
    Extension,
    ExternalInit,
    ExternalPsk,
    ExternalSender,
    Group,
    GroupContextExtensions,
    KeyPackageIn,
    LeafNodeSource,
    Lifetime,
    Limits,
    PathError,
    PreSharedKey,
    Proposal,
    PskUsage,
    ReInit,
    Remove,
    RequiredCapabilities,
    ResumptionPsk,
    Update,
)
from crypto.mls.codec import decode, vector
from crypto.mls.framing import to_be_signed
from crypto.mls.labels import sign_with_label
from crypto.mls.messages import (
    AuthenticatedContent,
    FramedContent,
    GroupInfo,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
    encode_message,
)
from crypto.mls.nodes import GREASE, ExtensionType, ParentNode
from crypto.mls.proposals import Commit, HpkeCiphertext, ProposalOrRef, UpdatePath, UpdatePathNode
from crypto.mls.tree import RatchetTree, read_tree
from crypto.mls.treekem import NewPath
from crypto.primitives import hpke_generate
from tests.mls.newcomer import NEWCOMER, join_from_outside
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
    sign_framed,
    state_of,
    wire,
)

MLS = "crypto.mls"
Off = Callable[..., AbstractContextManager[None]]


@contextmanager
def switched_off(*targets: tuple[str, Any]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for target, instead in targets:
            patch.setattr(f"{MLS}.{target}", instead)
        yield


def nothing(*arguments: Any, **options: Any) -> None:
    """What a switched off rule does."""


@dataclass(frozen=True)
class Case:
    rule: str
    target: str
    """Where the rule's function is, below `crypto.mls`."""
    attempt: Callable[[Off], object]
    """Tries to get something through; gets a context manager under which the rule (and more) is off."""
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
    """The last member of a room processes what somebody has forged with the rule switched off."""

    def attempt(off: Off) -> object:
        room = Room(size, **options)
        forged = make(room, off)
        return room[-1].process(forged, psks=room.psks)

    return attempt


def committed(*items: ProposalOrRef) -> Callable[[Off], object]:
    """A commit of these by member 0, signed properly."""
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
        original = crypto.mls.treekem.create_path

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


# --- messages from outside ---


def outside(content: Callable[[Room], Any], kind: SenderType, index: int = 0) -> Callable[[Off], object]:
    """A PublicMessage of somebody outside, of a room that has one external sender."""

    def attempt(off: Off) -> object:
        private = rng(32)
        leaf = make_leaf(private)
        sender = ExternalSender(leaf.signature_key, leaf.credential)
        listed = Extension(ExtensionType.EXTERNAL_SENDERS, vector([sender.encode()]))
        room = Room(2, extensions=(listed,))
        signed = sign_framed(
            room[0], content(room), sender=Sender(kind, index), private=False, signature_private=private
        )
        return room[1].process(encode_message(PublicMessage(signed, None)))

    return attempt


def newcomer(*items: ProposalOrRef, others: tuple[str, ...] = ()) -> Callable[[Off], object]:
    """An external commit with a path of its own leaf."""

    def attempt(off: Off) -> object:
        room = Room(3)
        private = rng(32)
        leaf = make_leaf(private, source=LeafNodeSource.COMMIT, group_id=b"room", leaf=3)
        signed = sign_framed(
            room[0],
            Commit(items, UpdatePath(leaf, ())),
            sender=NEWCOMER,
            private=False,
            signature_private=private,
        )
        return room[1].process(encode_message(PublicMessage(signed, None)))

    return attempt


def replacing_another(off: Off) -> object:
    room = Room(3)
    commit, _ = join_from_outside(room[0].group_info(), new_bundle("not member 2"), resync=2)
    return room[1].process(commit)


INIT = ExternalInit(bytes(range(32)))
AN_UPDATE = Update(make_leaf(bytes(32), source=LeafNodeSource.UPDATE))

OUTSIDE = [
    Case("MLS-6-2", f"{NEW}.external_sends_proposals", outside(lambda r: Commit(()), SenderType.EXTERNAL)),
    Case(
        "MLS-6-3",
        f"{NEW}.newcomer_proposes_add",
        outside(lambda r: Remove(0), SenderType.NEW_MEMBER_PROPOSAL),
    ),
    Case(
        "MLS-6-4",
        f"{NEW}.newcomer_commits_with_path",
        outside(lambda r: Commit(()), SenderType.NEW_MEMBER_COMMIT),
    ),
    Case(
        "MLS-6-4",
        f"{NEW}.newcomer_commits_with_path",
        outside(lambda r: Remove(0), SenderType.NEW_MEMBER_COMMIT),
    ),
    Case(
        "MLS-12.1.8-1",
        f"{NEW}.external_sender_listed",
        outside(lambda r: Remove(0), SenderType.EXTERNAL, 1),
    ),
    Case("MLS-12.1.8-2", f"{NEW}.external_may_propose", outside(lambda r: AN_UPDATE, SenderType.EXTERNAL)),
    Case("MLS-12.1.2-1", f"{NEW}.update_from_member", newcomer(INIT, AN_UPDATE)),
    Case("MLS-12.2-13", f"{NEW}.one_external_init", newcomer()),
    Case("MLS-12.2-13", f"{NEW}.one_external_init", newcomer(INIT, INIT)),
    Case("MLS-12.2-14", f"{NEW}.one_removal", newcomer(INIT, Remove(0), Remove(1))),
    Case("MLS-12.2-15", f"{NEW}.replaces_own_leaf", replacing_another),
    Case("MLS-12.2-16", f"{NEW}.nothing_else", newcomer(INIT, GCE)),
    Case("MLS-12.2-7", f"{NEW}.distinct_psks", newcomer(INIT, PSK, PSK)),
    Case("MLS-12.4.3.2-1", f"{NEW}.external_by_value", newcomer(INIT, bytes(32))),
]


# --- trees ---


def tree_with(change: Callable[[RatchetTree], None]) -> Callable[[Off], object]:
    """The shape of a tree of eight leaves, all parents set, is changed and then checked."""

    def attempt(off: Off) -> object:
        room = Room(8)
        for place in (1, 2, 4, 6):
            room.commit(by=place)
        tree = state_of(room[0]).tree.copy()
        crypto.mls.validate.tree_structure(tree)
        change(tree)
        crypto.mls.validate.tree_structure(tree)
        return None

    return attempt


def unmerged(index: int, *leaves: int) -> Callable[[RatchetTree], None]:
    def change(tree: RatchetTree) -> None:
        node = tree.parent_node(index)
        assert node is not None
        tree.set_node(index, ParentNode(node.encryption_key, node.parent_hash, leaves))

    return change


def another_parent_key(tree: RatchetTree) -> None:
    node = tree.parent_node(3)
    assert node is not None
    tree.set_node(3, ParentNode(hpke_generate(rng)[1], node.parent_hash))


def same_parent_keys(tree: RatchetTree) -> None:
    one = tree.parent_node(1)
    assert one is not None
    tree.set_node(5, one)


CHECK_PARENTS = "tree.RatchetTree.check_parent_hashes"
TREES = [
    Case("MLS-7.1-1", "validate.unmerged_sorted", tree_with(unmerged(7, 2, 1))),
    Case("MLS-7.1-1", "validate.unmerged_sorted", tree_with(unmerged(7, 1, 1))),
    Case("MLS-12.4.3-1", "validate.unmerged_are_members", tree_with(unmerged(1, 5))),
    Case("MLS-12.4.3-1", "validate.unmerged_are_members", tree_with(unmerged(7, 99))),
    Case("MLS-12.4.3-2", "validate.unmerged_all_the_way", tree_with(unmerged(7, 3))),
    Case("MLS-12.4.3-3", "validate.unique_parent_keys", tree_with(same_parent_keys)),
    Case("MLS-7.9.2-1", CHECK_PARENTS, tree_with(another_parent_key)),
    # the hashes are right, but a leaf that vouches for a parent is said to be unmerged at it
    Case("MLS-7.9.2-1", CHECK_PARENTS, tree_with(unmerged(13, 6))),
]


# --- welcomes ---


def welcomed(
    change: Callable[[GroupInfo], GroupInfo] = lambda info: info, **options: Any
) -> Callable[[Off], object]:
    """Join by a Welcome whose GroupInfo is changed before it is signed."""

    def attempt(off: Off) -> object:
        room = Room(2)
        bundle = new_bundle("newcomer")
        original = crypto.mls.welcome.make_group_info

        def changed(*arguments: Any) -> GroupInfo:
            info = change(original(*arguments))
            private = state_of(room[0]).signature_private
            return replace(info, signature=sign_with_label(private, "GroupInfoTBS", info.to_be_signed()))

        with switched_off(("welcome.make_group_info", changed)):
            stage = room[0].stage([add_of(bundle)])
        assert stage.welcome is not None
        return Group.join(stage.welcome, bundle, **{"now": NOW, **options})

    return attempt


def in_context(**changes: Any) -> Callable[[GroupInfo], GroupInfo]:
    return lambda info: replace(info, context=replace(info.context, **changes))


def for_another(off: Off) -> object:
    room = Room(1)
    stage = room[0].stage([add_of(new_bundle("invited"))])
    assert stage.welcome is not None
    return Group.join(stage.welcome, new_bundle("somebody else"))


def of_other_suite(off: Off) -> object:
    room = Room(1)
    stage = room[0].stage([add_of(new_bundle("invited"))])
    assert stage.welcome is not None
    return Group.join(stage.welcome, new_bundle("somebody else", suite=OTHER_SUITE))


def with_psk(psk: PreSharedKey, *others: str) -> Callable[[Off], object]:
    def attempt(off: Off) -> object:
        room = Room(2)
        bundle = new_bundle("newcomer")
        with switched_off(*((other, nothing) for other in others)):
            stage = room[0].stage([add_of(bundle), psk], psks={b"id": b"secret"})
        assert stage.welcome is not None
        return Group.join(stage.welcome, bundle)

    return attempt


def leaf_elsewhere(off: Off) -> object:
    return crypto.mls.welcome.find_own_leaf(state_of(Room(2)[0]).tree, new_bundle("x").key_package)


def grease_in_context(off: Off) -> object:
    capable = Capabilities(extensions=(GREASE[0],))
    room = Room(1, capabilities=capable, extensions=(Extension(GREASE[0], b""),))
    return room.add("newcomer")


def tampered_tree(off: Off) -> object:
    """The tree beside a Welcome loses a parent, and the hash of it is let through."""
    room = Room(4)
    bundle = new_bundle("newcomer")
    stage = room[0].stage([add_of(bundle)])
    nodes = list(decode(stage.group.ratchet_tree(), read_tree))
    nodes[1] = ParentNode(hpke_generate(rng)[1])
    tree = RatchetTree.unverified(state_of(room[0]).suite, nodes).encode()
    original = crypto.mls.welcome.info_extensions
    assert stage.welcome is not None
    with switched_off(
        ("welcome.info_extensions", lambda *a, **o: original(*a, **o)[1:]),
        ("welcome.tree_hash_matches", nothing),
    ):
        welcome = room[0].stage([add_of(bundle)]).welcome
        assert welcome is not None
        return Group.join(welcome, bundle, ratchet_tree=tree)


WELCOMES = [
    Case("MLS-12.4.3.1-1", "welcome.find_secrets", for_another),
    Case("MLS-12.4.3.1-2", "welcome.of_our_suite", of_other_suite),
    Case("MLS-12.4.3.1-3", "welcome.psk_known", with_psk(PSK), lambda secret: b"public"),
    Case(
        "MLS-12.4.3.1-4",
        "welcome.joins_no_successor",
        with_psk(resumption(PskUsage.BRANCH), f"{NEW}.psk_not_branch"),
    ),
    Case(
        "MLS-12.4.3.1-4",
        "welcome.joins_no_successor",
        with_psk(resumption(PskUsage.REINIT), f"{NEW}.psk_not_reinit"),
    ),
    Case("MLS-12.4.3.1-5", "welcome.signer_leaf", welcomed(lambda i: replace(i, signer=9))),
    Case("MLS-12.4.3.1-6", "welcome.group_is_new", welcomed(known_groups={b"room"})),
    Case("MLS-12.4.3.1-7", "welcome.of_our_context", welcomed(in_context(cipher_suite=3))),
    Case("MLS-12.4.3.1-7", "welcome.of_our_context", welcomed(in_context(version=2))),
    Case("MLS-12.4.3.1-8", "welcome.tree_hash_matches", welcomed(in_context(tree_hash=bytes(32)))),
    Case("MLS-12.4.3.1-9", "welcome.find_own_leaf", leaf_elsewhere),
    Case(
        "MLS-12.4.3.1-10",
        "welcome.tag_matches",
        welcomed(lambda i: replace(i, confirmation_tag=bytes(32))),
    ),
    Case(
        "MLS-13.4-1",
        "validate.unique_extensions",
        welcomed(lambda i: replace(i, extensions=(*i.extensions, *TWICE))),
    ),
    Case("MLS-7.3-5", "validate.lifetime_now", welcomed(now=NOW * 2)),
    Case("MLS-13.4-3", "welcome.we_support", grease_in_context),
    Case("MLS-7.9.2-1", CHECK_PARENTS, tampered_tree),
]

CASES = [*PACKAGES, *MEMBERS, *OUTSIDE, *TREES, *WELCOMES]
IDS = [f"{case.rule} {number}" for number, case in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_rule_refuses(case: Case) -> None:
    with pytest.raises(ValidationError) as caught:
        case.attempt(case.off)
    assert caught.value.rule == case.rule


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_nothing_else_refuses_in_its_place(case: Case) -> None:
    with case.off():
        try:
            case.attempt(case.off)
        except Exception as error:
            assert getattr(error, "rule", None) != case.rule  # noqa: PT017 - most go through, some break later


def test_every_rule_has_a_case() -> None:
    import re

    modules = (crypto.mls.validate, crypto.mls.validate_commit, crypto.mls.welcome)
    listed = {
        rule
        for module in modules
        for rule in re.findall(r"^(MLS-\d[\w.]*-\d+)\s", module.__doc__ or "", re.MULTILINE)
    }
    # 7.5 and 12.1.2-2 are tested below; 12.2-1 is what has no function of its own
    elsewhere = {"MLS-7.5-1", "MLS-7.5-2", "MLS-12.1.2-2", "MLS-12.2-1"}
    assert listed - elsewhere == {case.rule for case in CASES} - elsewhere
    assert len(listed) > 60


# --- blame ---


@pytest.mark.parametrize("case", [c for c in MEMBERS if c.rule not in ("MLS-6-1", "MLS-6.3.2-1")])
def test_a_signed_message_that_breaks_a_rule_names_its_sender(case: Case) -> None:
    with pytest.raises(CommitError) as caught:
        case.attempt(case.off)
    assert caught.value.sender in (0, 1)
    assert not isinstance(caught.value, PathError)


@pytest.mark.parametrize("case", OUTSIDE[-6:])
def test_a_newcomer_who_breaks_a_rule_has_no_leaf_to_name(case: Case) -> None:
    with pytest.raises(CommitError) as caught:
        case.attempt(case.off)
    assert caught.value.sender is None


def test_the_committer_is_held_to_the_same_rules() -> None:
    room = Room(3)
    refused: list[tuple[str, list[Proposal]]] = [
        ("MLS-12.2-3", [Remove(0)]),
        ("MLS-12.2-4", [Remove(1), Remove(1)]),
        ("MLS-12.2-7", [PSK, PSK]),
        ("MLS-12.2-8", [GCE, GCE]),
        ("MLS-12.2-9", [ReInit(b"next", 1, SUITE, ()), PSK]),
        ("MLS-12.1.3-1", [Remove(9)]),
        ("MLS-12.4.2-1", [PSK]),
        ("MLS-13.4-2", [GroupContextExtensions((UNKNOWN,))]),
    ]
    for rule, proposals in refused:
        with pytest.raises(ValidationError) as caught:
            room[0].stage(proposals)
        assert caught.value.rule == rule
    # none of the refusals has used up a handshake key
    assert room[1].process(room[0].stage().message)
    with pytest.raises(ValidationError, match=r"MLS-7\.3-5"):
        room[0].stage([add_of(new_bundle("late"))], now=NOW * 2)
    with pytest.raises(ValidationError, match=r"MLS-12\.1\.3-1"):
        room[0].propose(Remove(9))


def test_a_path_that_does_not_open_for_us_is_told_apart() -> None:
    room = Room(3)
    forged = stage_with(garbled)(room, switched_off)
    before = room[2].epoch_authenticator
    for place in (1, 2):
        with pytest.raises(PathError) as caught:
            room[place].process(forged)
        error = caught.value
        assert (error.rule, error.sender) == ("MLS-7.5-1", 0)
        assert error.commit.path_leaf is not None
        assert error.commit.group is None
    assert room[2].epoch_authenticator == before
    room.commit(by=1)


def test_a_path_secret_of_other_keys_is_told_apart() -> None:
    def other_keys(room: Room, new: NewPath) -> NewPath:
        changed = tuple(
            UpdatePathNode(hpke_generate(rng)[1], node.encrypted_path_secret) for node in new.path.nodes
        )
        tree = state_of(room[0]).tree.copy()
        keys = {i: n.encryption_key for (i, _), n in zip(tree.filtered_direct_path(0), changed, strict=True)}
        parent_hash = crypto.mls.treekem._set_parents(tree, 0, keys)
        return resigned(room, with_nodes(new, *changed), parent_hash=parent_hash)

    room = Room(3)
    with pytest.raises(PathError) as caught:
        room[2].process(_with_context_of(room, other_keys))
    assert caught.value.rule in ("MLS-7.5-1", "MLS-7.5-2")


def _with_context_of(room: Room, change: Callable[[Room, NewPath], NewPath]) -> bytes:
    return stage_with(change)(room, switched_off)


def test_an_update_of_ours_whose_key_we_lack_is_told_apart() -> None:
    room = Room(3)
    proposal = forge(room[1], update(room))
    for place in (0, 2):
        room[place].process(proposal)
    [(reference, stored)] = room[0].stored_proposals.items()
    state_of(room[1]).proposals[reference] = stored
    with pytest.raises(PathError) as caught:
        room[1].process(room[0].stage(include_stored=True).message)
    assert (caught.value.rule, caught.value.sender) == ("MLS-12.1.2-2", 0)


def test_a_path_secret_that_is_sealed_to_no_key_of_ours() -> None:
    room = Room(3)
    stage = room[0].stage()
    state_of(room[2]).private_keys.clear()
    with pytest.raises(PathError, match=r"MLS-7\.5-1"):
        room[2].process(stage.message)


def test_a_welcome_signed_by_the_newcomers_own_leaf_is_refused() -> None:
    def by_the_newcomer(info: GroupInfo) -> GroupInfo:
        return replace(info, signer=2)

    with switched_off(("welcome.verify_info", nothing)), pytest.raises(ValidationError) as caught:
        welcomed(by_the_newcomer)(switched_off)
    assert caught.value.rule == "MLS-12.4.3.1-5"


def test_broken_contents_of_a_signed_proposal_are_the_senders_fault() -> None:
    room = Room(2)
    broken = Extension(ExtensionType.REQUIRED_CAPABILITIES, b"\xff")
    with pytest.raises(CommitError) as caught:
        room[1].process(forge(room[0], Commit((Add(_unknown_suite()),))))
    assert caught.value.sender == 0
    with switched_off(("commit.check_members", nothing)):
        forged = room[0].stage([GroupContextExtensions((broken,))]).message
    with pytest.raises(CommitError) as caught:
        room[1].process(forged)
    assert (caught.value.rule, caught.value.sender) == ("MLS-12.2-1", 0)


def _unknown_suite() -> Any:
    private = rng(32)
    return make_package(make_leaf(private), private, suite=7)


def test_a_key_package_of_an_unknown_suite_is_unsupported() -> None:
    from crypto.errors import UnsupportedError

    with pytest.raises(UnsupportedError):
        KeyPackageIn.decode(_unknown_suite().encoded).verify()
