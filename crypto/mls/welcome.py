"""Welcomes (RFC 9420 section 12.4.3.1): creating one for the added members, and joining with one.

Rules of a Welcome, each raised as `ValidationError`, in the order of the section:

===============  =========================================================================================
MLS-12.4.3.1-1   the Welcome is for our KeyPackage
MLS-12.4.3.1-2   ... and has its cipher suite
MLS-12.4.3.1-3   every PSK that it names is known
MLS-12.4.3.1-4   no PSK of a reinitialisation or branch (joining a successor of another group is unsupported)
MLS-12.4.3.1-5   the signer of the GroupInfo is a member other than us
MLS-12.4.3.1-6   we are not in a group with this id already
MLS-12.4.3.1-7   the GroupInfo has version MLS 1.0 and our cipher suite
MLS-12.4.3.1-8   the tree matches the tree hash
MLS-12.4.3.1-9   the tree contains our leaf
MLS-12.4.3.1-10  the confirmation tag is correct
MLS-13.4-3       we support every extension of the GroupContext, without counting our GREASE values
===============  =========================================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from snugroom.crypto.errors import MalformedError, MissingKeyError, ValidationError
from snugroom.crypto.kdf import Rng
from snugroom.crypto.mls import messages, nodes, schedule, treekem, treemath, validate
from snugroom.crypto.mls.codec import decode
from snugroom.crypto.mls.commit import StagedCommit, enter_epoch
from snugroom.crypto.mls.keypackage import KeyPackage, KeyPackageBundle
from snugroom.crypto.mls.labels import (
    decrypt_with_label,
    encrypt_with_label,
    sign_with_label,
    verify_with_label,
)
from snugroom.crypto.mls.proposals import ExternalPsk, HpkeCiphertext, PskId, PskUsage, ResumptionPsk
from snugroom.crypto.mls.state import EpochState, Limits
from snugroom.crypto.mls.tree import NodeIn, RatchetTree, read_tree
from snugroom.crypto.primitives import Buffer, Suite, suite_of

_INFO_LABEL = "GroupInfoTBS"
_WELCOME_LABEL = "Welcome"

#: Resumption PSKs by (group id, epoch).
ResumptionPsks = Mapping[tuple[bytes, int], Buffer]


# --- making ---


def make_group_info(state: EpochState, extensions: Sequence[nodes.Extension]) -> messages.GroupInfo:
    """Return a signed GroupInfo of the epoch (section 12.4.3)."""
    parts = (state.context, tuple(extensions), state.confirmation_tag, state.own_leaf)
    unsigned = messages.GroupInfo(*parts, signature=b"").to_be_signed()
    return messages.GroupInfo(*parts, sign_with_label(state.signature_private, _INFO_LABEL, unsigned))


def info_extensions(
    state: EpochState, tree: bytes | None, extra: Sequence[nodes.Extension], *, external_pub: bool, rng: Rng
) -> list[nodes.Extension]:
    """Return the tree unless it is None, the optional external key, the caller's extensions, and GREASE
    (section 13.5)."""
    extensions = [] if tree is None else [nodes.Extension(nodes.ExtensionType.RATCHET_TREE, tree)]
    if external_pub:
        public = state.secrets.external_public
        extensions.append(nodes.Extension(nodes.ExtensionType.EXTERNAL_PUB, bytes([len(public)]) + public))
    return [*extensions, *extra, nodes.Extension(nodes.pick_grease(rng), rng(rng(1)[0] % 16))]


def make_welcome(
    staged: StagedCommit, tree: bytes | None, extra: Sequence[nodes.Extension], rng: Rng
) -> messages.Welcome:
    """Create one Welcome for all members that a staged commit adds; `tree` is the encoded tree in it."""
    state = staged.next.state
    suite = state.suite
    info = make_group_info(state, info_extensions(state, tree, extra, external_pub=False, rng=rng))
    key, nonce = schedule.welcome_key(suite, staged.next.member_secret)
    encrypted_info = suite.seal(key, nonce, info.encode(), b"")
    psks = tuple(staged.applied.psks)
    secrets = []
    for leaf, package in staged.applied.added.items():
        ancestor = treemath.common_ancestor(leaf, state.own_leaf)
        path_secret = staged.path_secrets[ancestor] if staged.has_path else None
        plain = messages.GroupSecrets(staged.next.joiner_secret, path_secret, psks).encode()
        sealed = encrypt_with_label(suite, package.init_key, _WELCOME_LABEL, encrypted_info, plain, rng)
        secrets.append(messages.EncryptedGroupSecrets(package.reference, HpkeCiphertext(*sealed)))
    return messages.Welcome(suite.identifier, tuple(secrets), encrypted_info)


def welcome_for(message: bytes, package: KeyPackage) -> bytes:
    """Return an MLSMessage with the Welcome for one of the added members, and no other's secrets.

    A commit may have several Welcomes (section 12.4.1). ValidationError("MLS-12.4.3.1-1") if `message` is not
    for that KeyPackage; `MalformedError`.
    """
    welcome = messages.decode_message(message)
    if not isinstance(welcome, messages.Welcome):
        raise MalformedError("the message is not a Welcome")
    own = find_secrets(welcome, package)
    return messages.encode_message(replace(welcome, secrets=(own,)))


# --- joining ---


def of_our_suite(welcome: messages.Welcome, package: KeyPackage) -> None:
    if welcome.cipher_suite != package.cipher_suite:
        raise ValidationError("MLS-12.4.3.1-2", "the Welcome is of another cipher suite")


def find_secrets(welcome: messages.Welcome, package: KeyPackage) -> messages.EncryptedGroupSecrets:
    for secrets in welcome.secrets:
        if secrets.new_member == package.reference:
            return secrets
    raise ValidationError("MLS-12.4.3.1-1", "the Welcome is not for this key package")


def joins_no_successor(psk: PskId) -> None:
    if isinstance(psk, ResumptionPsk) and psk.usage != PskUsage.APPLICATION:
        raise ValidationError("MLS-12.4.3.1-4", "the Welcome continues another group")


def psk_known(secret: Buffer | None) -> Buffer:
    if secret is None:
        raise ValidationError("MLS-12.4.3.1-3", "the Welcome needs a pre-shared key that is not here")
    return secret


def find_welcome_psks(
    ids: Sequence[PskId], external: Mapping[bytes, Buffer], resumption: ResumptionPsks
) -> list[tuple[PskId, Buffer]]:
    found: list[tuple[PskId, Buffer]] = []
    for psk in ids:
        joins_no_successor(psk)
        secret = (
            external.get(psk.psk_id)
            if isinstance(psk, ExternalPsk)
            else resumption.get((psk.group_id, psk.epoch))
        )
        found.append((psk, psk_known(secret)))
    return found


def open_secrets(
    suite: Suite, welcome: messages.Welcome, sealed: HpkeCiphertext, init_private: Buffer
) -> messages.GroupSecrets:
    """Decrypt our secrets. Raises `AuthenticationError` or `MalformedError`."""
    plain = decrypt_with_label(
        suite,
        init_private,
        _WELCOME_LABEL,
        welcome.encrypted_group_info,
        sealed.kem_output,
        sealed.ciphertext,
    )
    return decode(plain, messages.GroupSecrets.read)


def open_info(suite: Suite, welcome: messages.Welcome, member_secret: Buffer) -> messages.GroupInfo:
    """Decrypt the GroupInfo, signature unchecked. Raises `AuthenticationError` or `MalformedError`."""
    key, nonce = schedule.welcome_key(suite, member_secret)
    return decode(suite.open(key, nonce, welcome.encrypted_group_info, b""), messages.GroupInfo.read)


def verify_info(info: messages.GroupInfo, signature_key: bytes) -> None:
    """Verify the signature of a GroupInfo. Raises `AuthenticationError`."""
    verify_with_label(signature_key, _INFO_LABEL, info.to_be_signed(), info.signature)


def of_our_context(context: messages.GroupContext, suite: Suite) -> None:
    if context.version != nodes.MLS10 or context.cipher_suite != suite.identifier:
        raise ValidationError("MLS-12.4.3.1-7", "the group is of another version or cipher suite")


def group_is_new(context: messages.GroupContext, known_groups: Collection[bytes]) -> None:
    if context.group_id in known_groups:
        raise ValidationError("MLS-12.4.3.1-6", "we are in a group of this id already")


def signer_leaf(info: messages.GroupInfo, tree_nodes: Sequence[NodeIn | None]) -> nodes.LeafNodeIn:
    index = 2 * info.signer
    signer = tree_nodes[index] if index < len(tree_nodes) else None
    if not isinstance(signer, nodes.LeafNodeIn):
        raise ValidationError("MLS-12.4.3.1-5", "the signer of the GroupInfo is not a member")
    return signer


def tree_hash_matches(tree: RatchetTree, info: messages.GroupInfo) -> None:
    if tree.tree_hash() != info.context.tree_hash:
        raise ValidationError("MLS-12.4.3.1-8", "the ratchet tree is not that of the tree hash")


def check_tree(tree: RatchetTree, info: messages.GroupInfo, now: int | None) -> None:
    """Check the integrity of a tree that has the right hash and signatures."""
    validate.tree_structure(tree)
    leaves = [leaf for _, leaf in tree.leaves()]
    validate.membership(leaves, info.context.cipher_suite, info.context.extensions)
    if now is not None:
        for leaf in leaves:
            validate.lifetime_now(leaf, now)


def find_own_leaf(tree: RatchetTree, package: KeyPackage) -> int:
    for index, leaf in tree.leaves():
        if leaf.encoded == package.leaf_node.encoded:
            return index
    raise ValidationError("MLS-12.4.3.1-9", "our leaf is not in the ratchet tree")


def signer_is_another(info: messages.GroupInfo, leaf: int) -> None:
    if info.signer == leaf:
        raise ValidationError("MLS-12.4.3.1-5", "the GroupInfo is signed by the newcomer's own leaf")


def we_support(package: KeyPackage, extensions: Sequence[nodes.Extension]) -> None:
    known = nodes.DEFAULT_EXTENSIONS.union(package.leaf_node.capabilities.without_grease().extensions)
    if any(extension.extension_type not in known for extension in extensions):
        raise ValidationError("MLS-13.4-3", "the group has an extension that we don't support")


def tag_matches(state: EpochState, info: messages.GroupInfo) -> None:
    confirmed = info.context.confirmed_transcript_hash
    if not state.suite.mac_matches(state.secrets.confirmation_key, confirmed, info.confirmation_tag):
        raise ValidationError("MLS-12.4.3.1-10", "the confirmation tag of the GroupInfo is wrong")


def join(
    message: bytes,
    bundle: KeyPackageBundle,
    *,
    psks: Mapping[bytes, Buffer],
    resumption: ResumptionPsks,
    ratchet_tree: bytes | None,
    now: int | None,
    known_groups: Collection[bytes],
    limits: Limits,
) -> EpochState:
    """Join a group with a Welcome. The bundle stays unchanged; see `Group.join` for the errors."""
    welcome = messages.decode_message(message)
    if not isinstance(welcome, messages.Welcome):
        raise MalformedError("the message is not a Welcome")
    package = bundle.key_package
    of_our_suite(welcome, package)
    own = find_secrets(welcome, package)
    suite = suite_of(package.cipher_suite)
    secrets = open_secrets(suite, welcome, own.sealed, bundle.init_private)
    found = find_welcome_psks(secrets.psks, psks, resumption)
    member = schedule.member_secret(suite, secrets.joiner_secret, schedule.psk_secret(suite, found))
    info = open_info(suite, welcome, member)
    validate.unique_extensions(info.extensions)
    of_our_context(info.context, suite)
    group_is_new(info.context, known_groups)
    encoded = nodes.find_extension(info.extensions, nodes.ExtensionType.RATCHET_TREE)
    encoded = ratchet_tree if encoded is None else encoded
    if encoded is None:
        raise MissingKeyError("the ratchet tree is missing")
    tree_nodes = decode(encoded, read_tree)
    verify_info(info, signer_leaf(info, tree_nodes).signature_key)
    tree = RatchetTree.unverified(suite, tree_nodes)
    tree_hash_matches(tree, info)  # first, as in the RFC: then a wrong tree costs no signatures
    tree.verify_leaves(info.context.group_id)
    check_tree(tree, info, now)
    we_support(package, info.context.extensions)
    leaf = find_own_leaf(tree, package)
    signer_is_another(info, leaf)

    private_keys = {2 * leaf: bundle.encryption_private}
    if secrets.path_secret is not None:
        ancestor = treemath.common_ancestor(leaf, info.signer)
        path = [i for i, _ in tree.filtered_direct_path(info.signer) if treemath.is_below(ancestor, i)]
        private_keys.update(treekem.derive_upwards(tree, path, secrets.path_secret)[0])
    state = enter_epoch(
        suite,
        limits,
        info.context,
        tree,
        leaf,
        signature_private=bundle.signature_private,
        private_keys=private_keys,
        epoch_secret=schedule.epoch_secret(suite, member, info.context.encoded),
    )
    tag_matches(state, info)
    state.welcomed_by = info.signer
    return state
