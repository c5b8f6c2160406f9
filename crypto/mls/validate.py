"""The rules of RFC 9420 for leaves, KeyPackages and trees, one small function per number.

Each function raises `ValidationError` with the number below: the section, then a count of our own.
`validate_commit` has the rules for messages, proposals and commits. (MLS-7.3-1, 10.1-3 and 7.9.2-1 are raised
where the signature or hash is computed: `nodes`, `keypackage`, `tree`.)

==============  ========================================================================================
MLS-5.1.1-1     an HPKE public key can be sealed to
MLS-7.1-1       the unmerged leaves of a parent are in increasing order, without duplicates
MLS-7.2-1       a leaf's capabilities list MLS 1.0 and the cipher suite in use
MLS-7.2-2       a leaf's capabilities list the type of its credential
MLS-7.2-3       a lifetime is not longer than the application allows
MLS-7.3-1       the signature of a leaf verifies
MLS-7.3-2       a leaf supports all requirements of `required_capabilities`
MLS-7.3-3       every member supports the credential types that members use
MLS-7.3-5       the current time is within a leaf's lifetime
MLS-7.3-6       a leaf's extensions are listed in its capabilities
MLS-7.3-7       the leaf of a KeyPackage has the source `key_package`
MLS-7.3-8       the leaf of an Update has the source `update`
MLS-7.3-9       the leaf of an Update (or of a commit's path) has a new encryption key
MLS-7.3-10      the leaf of a commit's path has the source `commit`
MLS-7.3-11      no two members have the same signature key
MLS-7.3-12      no two members have the same encryption key
MLS-7.9.2-1     every parent node is parent-hash valid
MLS-10-1        a KeyPackage's extensions are listed in its leaf's capabilities
MLS-10.1-1      a KeyPackage has the group's version and cipher suite
MLS-10.1-3      the signature of a KeyPackage verifies
MLS-10.1-4      `init_key` differs from the leaf's `encryption_key`
MLS-12.4.3-1    an unmerged leaf is a member below its parent node
MLS-12.4.3-2    if a node lists an unmerged leaf, all parents between the two list it as well
MLS-12.4.3-3    no other node has the key of a parent node
MLS-13.4-1      a list of extensions has at most one of each type
MLS-13.4-2      every member supports every extension of the GroupContext
==============  ========================================================================================

(The two halves of section 7.3's rule on credential types are one rule: every member supports all types in
use.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from snugroom.crypto.errors import ValidationError
from snugroom.crypto.mls import nodes, treemath
from snugroom.crypto.mls.tree import RatchetTree
from snugroom.crypto.primitives import hpke_usable

#: Seconds: the longest total lifetime of a key package that is accepted unless the caller says otherwise.
MAX_LIFETIME = 366 * 86400


# --- one leaf by itself ---


def usable_key(public: bytes) -> None:
    if not hpke_usable(public):
        raise ValidationError("MLS-5.1.1-1", "an HPKE public key is unusable")


def capabilities_list_suite(leaf: nodes.LeafNodeIn, suite: int) -> None:
    if nodes.MLS10 not in leaf.capabilities.versions or suite not in leaf.capabilities.cipher_suites:
        raise ValidationError("MLS-7.2-1", "a leaf does not list its own version or cipher suite")


def capabilities_list_credential(leaf: nodes.LeafNodeIn) -> None:
    if leaf.credential.credential_type not in leaf.capabilities.credentials:
        raise ValidationError("MLS-7.2-2", "a leaf does not list the type of its own credential")


def lifetime_length(leaf: nodes.LeafNodeIn, longest: int) -> None:
    if leaf.lifetime is not None and leaf.lifetime.not_after - leaf.lifetime.not_before > longest:
        raise ValidationError("MLS-7.2-3", f"a leaf's lifetime is longer than {longest} seconds")


def lifetime_now(leaf: nodes.LeafNodeIn, now: int) -> None:
    if leaf.lifetime is not None and not leaf.lifetime.not_before <= now <= leaf.lifetime.not_after:
        raise ValidationError("MLS-7.3-5", "a leaf's lifetime does not include now")


def lifetime(leaf: nodes.LeafNodeIn, now: int, longest: int) -> None:
    """Apply both rules on lifetimes; only leaves of KeyPackages have a lifetime."""
    lifetime_length(leaf, longest)
    lifetime_now(leaf, now)


def extensions_listed(leaf: nodes.LeafNodeIn) -> None:
    known = nodes.DEFAULT_EXTENSIONS.union(leaf.capabilities.extensions)
    if any(extension.extension_type not in known for extension in leaf.extensions):
        raise ValidationError("MLS-7.3-6", "a leaf has an extension that its capabilities don't list")


def unique_extensions(extensions: Sequence[nodes.Extension]) -> None:
    if len({extension.extension_type for extension in extensions}) != len(extensions):
        raise ValidationError("MLS-13.4-1", "a list of extensions has two of one type")


def leaf_alone(leaf: nodes.LeafNodeIn, suite: int) -> None:
    """Apply all rules on a leaf that need no other data."""
    capabilities_list_suite(leaf, suite)
    capabilities_list_credential(leaf)
    extensions_listed(leaf)
    unique_extensions(leaf.extensions)


def new_leaf(leaf: nodes.LeafNodeIn, suite: int) -> None:
    """Apply all rules on a newly received leaf that need no other data."""
    usable_key(leaf.encryption_key)
    leaf_alone(leaf, suite)


def source_key_package(leaf: nodes.LeafNodeIn) -> None:
    if leaf.source != nodes.LeafNodeSource.KEY_PACKAGE:
        raise ValidationError("MLS-7.3-7", "the leaf of a key package is not of that source")


def source_update(leaf: nodes.LeafNodeIn) -> None:
    if leaf.source != nodes.LeafNodeSource.UPDATE:
        raise ValidationError("MLS-7.3-8", "the leaf of an Update is not of that source")


def new_encryption_key(leaf: nodes.LeafNodeIn, replaced: nodes.LeafNodeIn) -> None:
    if leaf.encryption_key == replaced.encryption_key:
        raise ValidationError("MLS-7.3-9", "a leaf is replaced by one with the same encryption key")


def source_commit(leaf: nodes.LeafNodeIn) -> None:
    if leaf.source != nodes.LeafNodeSource.COMMIT:
        raise ValidationError("MLS-7.3-10", "the leaf of a commit's path is not of that source")


# --- key packages ---


class KeyPackageFields(Protocol):
    """The fields of a KeyPackage that the rules read."""

    @property
    def version(self) -> int: ...
    @property
    def cipher_suite(self) -> int: ...
    @property
    def init_key(self) -> bytes: ...
    @property
    def leaf_node(self) -> nodes.LeafNodeIn: ...
    @property
    def extensions(self) -> tuple[nodes.Extension, ...]: ...


def key_package_suite(package: KeyPackageFields, suite: int | None) -> None:
    if package.version != nodes.MLS10 or (suite is not None and package.cipher_suite != suite):
        raise ValidationError("MLS-10.1-1", "a key package is of another version or cipher suite")


def key_package_extensions(package: KeyPackageFields) -> None:
    known = nodes.DEFAULT_EXTENSIONS.union(package.leaf_node.capabilities.extensions)
    if any(extension.extension_type not in known for extension in package.extensions):
        raise ValidationError("MLS-10-1", "a key package has an extension that its capabilities don't list")


def init_key_differs(package: KeyPackageFields) -> None:
    if package.init_key == package.leaf_node.encryption_key:
        raise ValidationError("MLS-10.1-4", "a key package's init key is its leaf's encryption key")


def key_package(package: KeyPackageFields) -> None:
    """Apply all rules on a KeyPackage except those on its signatures, its suite and its leaf."""
    source_key_package(package.leaf_node)
    usable_key(package.init_key)
    key_package_extensions(package)
    init_key_differs(package)
    unique_extensions(package.extensions)


# --- the leaves of a group together ---


def supports_required(leaf: nodes.LeafNodeIn, required: nodes.RequiredCapabilities) -> None:
    own = leaf.capabilities
    missing = (
        {*required.extensions} - nodes.DEFAULT_EXTENSIONS - {*own.extensions}
        or {*required.proposals} - nodes.DEFAULT_PROPOSALS - {*own.proposals}
        or {*required.credentials} - {*own.credentials}
    )
    if missing:
        raise ValidationError("MLS-7.3-2", "a leaf lacks a capability that the group requires")


def supports_credentials(leaves: Sequence[nodes.LeafNodeIn]) -> None:
    used = {leaf.credential.credential_type for leaf in leaves}
    if any(not used.issubset(leaf.capabilities.credentials) for leaf in leaves):
        raise ValidationError("MLS-7.3-3", "a member does not support a credential type that is in use")


def unique_signature_keys(leaves: Sequence[nodes.LeafNodeIn]) -> None:
    if len({leaf.signature_key for leaf in leaves}) != len(leaves):
        raise ValidationError("MLS-7.3-11", "two members have the same signature key")


def unique_encryption_keys(leaves: Sequence[nodes.LeafNodeIn]) -> None:
    if len({leaf.encryption_key for leaf in leaves}) != len(leaves):
        raise ValidationError("MLS-7.3-12", "two members have the same encryption key")


def supports_extensions(leaf: nodes.LeafNodeIn, extensions: Iterable[nodes.Extension]) -> None:
    known = nodes.DEFAULT_EXTENSIONS.union(leaf.capabilities.extensions)
    if any(extension.extension_type not in known for extension in extensions):
        raise ValidationError("MLS-13.4-2", "a member does not support an extension of the group")


def membership(leaves: Sequence[nodes.LeafNode], suite: int, extensions: Sequence[nodes.Extension]) -> None:
    """Apply all rules on the leaves of a group together, under the extensions of its GroupContext."""
    unique_extensions(extensions)
    nodes.external_senders(extensions)  # raises MalformedError if undecodable
    required = nodes.required_capabilities(extensions)
    for leaf in leaves:
        leaf_alone(leaf, suite)
        supports_required(leaf, required)
        supports_extensions(leaf, extensions)
    supports_credentials(leaves)
    unique_signature_keys(leaves)
    unique_encryption_keys(leaves)


# --- the structure of a tree, when joining ---


def unmerged_sorted(tree: RatchetTree) -> None:
    for index, node in tree.parents():
        if list(node.unmerged_leaves) != sorted(set(node.unmerged_leaves)):
            raise ValidationError("MLS-7.1-1", f"the unmerged leaves of node {index} are not in order")


def unmerged_are_members(tree: RatchetTree) -> None:
    for index, node in tree.parents():
        for leaf in node.unmerged_leaves:
            if tree.leaf(leaf) is None or not treemath.is_below(2 * leaf, index):
                raise ValidationError("MLS-12.4.3-1", f"leaf {leaf} can't be unmerged at node {index}")


def unmerged_all_the_way(tree: RatchetTree) -> None:
    for index, node in tree.parents():
        for leaf in node.unmerged_leaves:
            for between in treemath.direct_path(2 * leaf, tree.size):
                if between == index:
                    break
                parent = tree.parent_node(between)
                if parent is not None and leaf not in parent.unmerged_leaves:
                    raise ValidationError("MLS-12.4.3-2", f"leaf {leaf} is merged at {between} alone")


def unique_parent_keys(tree: RatchetTree) -> None:
    keys = tree.encryption_keys()
    if len(set(keys)) != len(keys):
        raise ValidationError("MLS-12.4.3-3", "two nodes of the tree have the same encryption key")


def tree_structure(tree: RatchetTree) -> None:
    """Apply all rules on a tree's shape; each rule relies only on the rules before it."""
    for key in tree.encryption_keys():
        usable_key(key)
    unmerged_sorted(tree)
    unmerged_are_members(tree)
    unmerged_all_the_way(tree)
    unique_parent_keys(tree)
    tree.check_parent_hashes()
