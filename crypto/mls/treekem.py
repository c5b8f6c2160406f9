"""Update paths (RFC 9420 sections 7.4 to 7.6): a committer's new keys, and their distribution to the members.

Private keys are stored by node index: that of our leaf, and those of its known parents.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from snugroom.crypto.errors import AuthenticationError, MalformedError, ValidationError
from snugroom.crypto.kdf import Rng
from snugroom.crypto.mls import treemath
from snugroom.crypto.mls.labels import decrypt_with_label, derive_secret, encrypt_with_label
from snugroom.crypto.mls.nodes import LeafNode, LeafNodeSource, ParentNode
from snugroom.crypto.mls.proposals import HpkeCiphertext, UpdatePath, UpdatePathNode
from snugroom.crypto.mls.tree import RatchetTree
from snugroom.crypto.primitives import Buffer, Suite, hpke_derive_key_pair, hpke_generate

_LABEL = "UpdatePathNode"


def node_key_pair(suite: Suite, path_secret: Buffer) -> tuple[bytes, bytes]:
    """Return (private, public) of the node that a path secret belongs to (section 7.4)."""
    return hpke_derive_key_pair(derive_secret(suite, path_secret, "node"))


def next_path_secret(suite: Suite, path_secret: Buffer) -> bytes:
    """Return the path secret of the next node up; above the root it is the commit secret."""
    return derive_secret(suite, path_secret, "path")


@dataclass(frozen=True, repr=False)
class NewPath:
    """An update path of ours. `path_secrets` and `private_keys` are indexed by node."""

    path: UpdatePath
    path_secrets: Mapping[int, bytes]
    private_keys: Mapping[int, bytes]
    commit_secret: bytes


def _set_parents(tree: RatchetTree, leaf: int, keys: Mapping[int, bytes]) -> bytes:
    """Set new keys on a leaf's blanked direct path, top down so that the parent hashes chain (section 7.9).

    Return the parent hash for the leaf.
    """
    tree.blank_path(leaf)
    parent_hash = b""
    for index, other in reversed(tree.filtered_direct_path(leaf)):
        tree.set_node(index, ParentNode(keys[index], parent_hash))
        parent_hash = tree.parent_hash(index, other)
    return parent_hash


def create_path(
    tree: RatchetTree,
    leaf: int,
    current: LeafNode,
    *,
    group_id: bytes,
    signature_private: Buffer,
    context: Callable[[bytes], bytes],
    excluding: Collection[int],
    rng: Rng,
) -> NewPath:
    """Renew our leaf and its filtered direct path in `tree`, in place, and seal the path secrets.

    `current` is the leaf to renew: everything except its keys and signature stays. `context` maps the new
    tree hash to the encoded provisional GroupContext. `excluding` are the leaf indices that this commit adds:
    they get their path secret in the Welcome. Raises `MalformedError` if a member's public key is unusable.
    """
    suite = tree.suite
    private, public = hpke_generate(rng)
    filtered = tree.filtered_direct_path(leaf)
    secrets: dict[int, bytes] = {}
    private_keys, public_keys = {2 * leaf: private}, {}
    secret = rng(suite.nh)
    for index, _ in filtered:
        secrets[index] = secret
        private_keys[index], public_keys[index] = node_key_pair(suite, secret)
        secret = next_path_secret(suite, secret)
    parent_hash = _set_parents(tree, leaf, public_keys)
    renewed = LeafNode.sign(
        signature_private,
        encryption_key=public,
        signature_key=current.signature_key,
        credential=current.credential,
        capabilities=current.capabilities,
        source=LeafNodeSource.COMMIT,
        parent_hash=parent_hash,
        extensions=current.extensions,
        group_id=group_id,
        leaf=leaf,
    )
    tree.set_node(2 * leaf, renewed)
    sealed_for = context(tree.tree_hash())
    nodes = []
    for index, other in filtered:
        ciphertexts = []
        for receiver in _receivers(tree, other, excluding):
            node = tree.node(receiver)
            assert node is not None
            sealed = encrypt_with_label(suite, node.encryption_key, _LABEL, sealed_for, secrets[index], rng)
            ciphertexts.append(HpkeCiphertext(*sealed))
        nodes.append(UpdatePathNode(public_keys[index], tuple(ciphertexts)))
    return NewPath(UpdatePath(renewed, tuple(nodes)), secrets, private_keys, secret)


def _receivers(tree: RatchetTree, other: int, excluding: Collection[int]) -> list[int]:
    """Return the receivers of a path secret: the resolution of the copath child without the new leaves."""
    return [index for index in tree.resolution(other) if index % 2 or index // 2 not in excluding]


def path_length(path: UpdatePath, filtered: Sequence[tuple[int, int]]) -> None:
    if len(path.nodes) != len(filtered):
        raise ValidationError("MLS-7.6-1", f"an update path of {len(path.nodes)} nodes, not {len(filtered)}")


def ciphertext_count(node: UpdatePathNode, receivers: Sequence[int]) -> None:
    if len(node.encrypted_path_secret) != len(receivers):
        raise ValidationError("MLS-7.6-2", "a path secret is not sealed once to each receiver")


def check_shape(tree: RatchetTree, leaf: int, path: UpdatePath, excluding: Collection[int]) -> None:
    """Check that the path has a node per filtered direct path node, with a ciphertext per receiver."""
    filtered = tree.filtered_direct_path(leaf)
    path_length(path, filtered)
    for (_, other), node in zip(filtered, path.nodes, strict=False):
        ciphertext_count(node, _receivers(tree, other, excluding))


def parent_hash_follows(leaf: LeafNode, parent_hash: bytes) -> None:
    if leaf.parent_hash != parent_hash:
        raise ValidationError("MLS-7.9.2-2", "the parent hash of a path's leaf does not match the path")


def merge_path(tree: RatchetTree, leaf: int, path: UpdatePath, verified: LeafNode) -> None:
    """Merge a received update path into `tree`, in place (section 7.5). `check_shape` must have passed.

    Raises `ValidationError` MLS-7.9.2-2 if the leaf's parent hash does not match the path.
    """
    filtered = tree.filtered_direct_path(leaf)
    keys = {index: node.encryption_key for (index, _), node in zip(filtered, path.nodes, strict=True)}
    parent_hash = _set_parents(tree, leaf, keys)
    parent_hash_follows(verified, parent_hash)
    tree.set_node(2 * leaf, verified)


def open_path(
    tree: RatchetTree,
    own_leaf: int,
    private_keys: Mapping[int, bytes],
    leaf: int,
    path: UpdatePath,
    *,
    context: bytes,
    excluding: Collection[int],
) -> tuple[dict[int, bytes], bytes]:
    """Decrypt our share of a merged path: (private keys by node index, commit secret), section 7.5.

    Raises `ValidationError` MLS-7.5-1 if no path secret can be decrypted, MLS-7.5-2 if the decrypted secret
    does not lead to the keys of the path.
    """
    suite = tree.suite
    filtered = tree.filtered_direct_path(leaf)
    start = next(i for i, (_, other) in enumerate(filtered) if treemath.is_below(2 * own_leaf, other))
    receivers = _receivers(tree, filtered[start][1], excluding)
    ours = [(i, private_keys[node]) for i, node in enumerate(receivers) if node in private_keys]
    if not ours:
        raise ValidationError("MLS-7.5-1", "no path secret is sealed to a key of ours")
    position, private = ours[0]
    sealed = path.nodes[start].encrypted_path_secret[position]
    try:
        secret = decrypt_with_label(suite, private, _LABEL, context, sealed.kem_output, sealed.ciphertext)
    except (AuthenticationError, MalformedError):
        raise ValidationError("MLS-7.5-1", "the path secret sealed to us does not open") from None
    return derive_upwards(tree, [index for index, _ in filtered[start:]], secret)


def secret_matches(parent: ParentNode | None, public: bytes) -> None:
    if parent is None or parent.encryption_key != public:
        raise ValidationError("MLS-7.5-2", "a path secret is not that of its node's key")


def derive_upwards(tree: RatchetTree, nodes: list[int], secret: bytes) -> tuple[dict[int, bytes], bytes]:
    """Derive the private keys of `nodes` from the lowest node's path secret, and the secret above them.

    Raises `ValidationError` MLS-7.5-2 if a key differs from that in the tree.
    """
    suite, keys = tree.suite, {}
    for index in nodes:
        private, public = node_key_pair(suite, secret)
        secret_matches(tree.parent_node(index), public)
        keys[index] = private
        secret = next_path_secret(suite, secret)
    return keys, secret
