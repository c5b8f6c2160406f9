"""MLS vectors of the ratchet tree: index arithmetic, validation, operations, TreeKEM."""

from __future__ import annotations

import os
from typing import Any

from snugroom.crypto.mls import treekem, treemath
from snugroom.crypto.mls.codec import decode
from snugroom.crypto.mls.messages import GroupContext
from snugroom.crypto.mls.proposals import AddIn, Remove, UpdateIn, UpdatePath, read_proposal
from snugroom.crypto.mls.tree import RatchetTree, read_tree
from snugroom.crypto.mls.validate import tree_structure
from snugroom.crypto.primitives import Suite, hpke_public, signature_public
from tests.vectors.mls_family import MismatchError, expect, suite_of_entry

unhex = bytes.fromhex


def _or_none(call: Any, *arguments: int) -> int | None:
    try:
        found: int = call(*arguments)
    except ValueError:
        return None
    return found


def tree_math(entry: dict[str, Any]) -> None:
    leaves = entry["n_leaves"]
    expect("n_nodes", treemath.node_width(leaves), entry["n_nodes"])
    expect("root", treemath.root(leaves), entry["root"])
    for node in range(entry["n_nodes"]):
        expect(f"left {node}", _or_none(treemath.left, node), entry["left"][node])
        expect(f"right {node}", _or_none(treemath.right, node), entry["right"][node])
        expect(f"parent {node}", _or_none(treemath.parent, node, leaves), entry["parent"][node])
        expect(f"sibling {node}", _or_none(treemath.sibling, node, leaves), entry["sibling"][node])


def tree_validation(entry: dict[str, Any]) -> None:
    suite = suite_of_entry(entry)
    nodes = decode(unhex(entry["tree"]), read_tree)
    tree = RatchetTree.verified(suite, nodes, unhex(entry["group_id"]))
    for index, wanted in enumerate(entry["resolutions"]):
        expect(f"resolution {index}", tree.resolution(index), wanted)
    for index, wanted in enumerate(entry["tree_hashes"]):
        expect(f"tree hash {index}", tree.tree_hash(index), unhex(wanted))
    tree_structure(tree)


def tree_operations(entry: dict[str, Any]) -> None:
    suite = suite_of_entry(entry)
    tree = RatchetTree.unverified(suite, decode(unhex(entry["tree_before"]), read_tree))
    expect("tree_hash_before", tree.tree_hash(), unhex(entry["tree_hash_before"]))
    proposal = decode(unhex(entry["proposal"]), read_proposal)
    match proposal:
        case AddIn(package):
            tree.add(package.leaf_node.verify(b"", 0))
        case UpdateIn(leaf):
            tree.update(entry["proposal_sender"], leaf.unverified())
        case Remove(removed):
            tree.remove(removed)
            tree.truncate()
        case _:
            raise MismatchError(f"a {proposal.proposal_type.name} proposal")
    expect("tree_after", tree.encode(), unhex(entry["tree_after"]))
    expect("tree_hash_after", tree.tree_hash(), unhex(entry["tree_hash_after"]))


def _private_keys(suite: Suite, tree: RatchetTree, v: dict[str, Any]) -> dict[int, bytes]:
    """A leaf's private keys, each checked against the tree's public one."""
    keys = {2 * v["index"]: unhex(v["encryption_priv"])}
    for secret in v["path_secrets"]:
        keys[secret["node"]], _ = treekem.node_key_pair(suite, unhex(secret["path_secret"]))
    for index, private in keys.items():
        node = tree.node(index)
        expect(f"key of node {index}", hpke_public(private), node and node.encryption_key)
    leaf = tree.leaf(v["index"])
    expect("signature key", signature_public(unhex(v["signature_priv"])), leaf and leaf.signature_key)
    return keys


def tree_kem(entry: dict[str, Any]) -> None:
    suite = suite_of_entry(entry)
    group_id = unhex(entry["group_id"])
    tree = RatchetTree.verified(suite, decode(unhex(entry["ratchet_tree"]), read_tree), group_id)
    keys = {v["index"]: _private_keys(suite, tree, v) for v in entry["leaves_private"]}
    signature_keys = {v["index"]: unhex(v["signature_priv"]) for v in entry["leaves_private"]}

    def context(tree_hash: bytes) -> bytes:
        confirmed = unhex(entry["confirmed_transcript_hash"])
        return GroupContext(suite.identifier, group_id, entry["epoch"], tree_hash, confirmed).encoded

    def receive(sender: int, path: UpdatePath, commit_secret: bytes) -> RatchetTree:
        """Merge a path, and open it as every other leaf."""
        merged = tree.copy()
        treekem.check_shape(merged, sender, path, ())
        treekem.merge_path(merged, sender, path, path.leaf_node.verify(group_id, sender))
        for leaf, private in keys.items():
            if leaf != sender:
                opened, secret = treekem.open_path(
                    merged, leaf, private, sender, path, context=context(merged.tree_hash()), excluding=()
                )
                expect(f"commit secret of {sender} at {leaf}", secret, commit_secret)
                for index, key in opened.items():
                    node = merged.node(index)
                    expect(f"new key of node {index}", hpke_public(key), node and node.encryption_key)
        return merged

    for v in entry["update_paths"]:
        sender, path = v["sender"], decode(unhex(v["update_path"]), UpdatePath.read)
        merged = receive(sender, path, unhex(v["commit_secret"]))
        expect("tree_hash_after", merged.tree_hash(), unhex(v["tree_hash_after"]))
        for leaf, secret in enumerate(v["path_secrets"]):
            if secret is not None and leaf in keys:
                _expect_path_secret(suite, merged, sender, leaf, unhex(secret), unhex(v["commit_secret"]))
        _own_path(tree, sender, group_id, signature_keys[sender], context, receive)


def _expect_path_secret(
    suite: Suite, tree: RatchetTree, sender: int, leaf: int, secret: bytes, commit_secret: bytes
) -> None:
    """The vector's path secret leads to the path's public keys and to the commit secret."""
    ancestor = treemath.common_ancestor(sender, leaf)
    path = [index for index, _ in tree.filtered_direct_path(sender) if treemath.is_below(ancestor, index)]
    _, above = treekem.derive_upwards(tree, path, secret)
    expect(f"path secret of {sender} at {leaf}", above, commit_secret)


def _own_path(
    tree: RatchetTree, sender: int, group_id: bytes, signature_private: bytes, context: Any, receive: Any
) -> None:
    """A new path of ours by the same sender is processed by everybody."""
    current = tree.leaf(sender)
    assert current is not None
    ours = tree.copy()
    new = treekem.create_path(
        ours,
        sender,
        current,
        group_id=group_id,
        signature_private=signature_private,
        context=context,
        excluding=(),
        rng=os.urandom,
    )
    merged = receive(sender, new.path, new.commit_secret)
    expect("our own path's tree hash", merged.tree_hash(), ours.tree_hash())
    merged.check_parent_hashes()


FAMILIES = {
    "tree-math": tree_math,
    "tree-validation": tree_validation,
    "tree-operations": tree_operations,
    "treekem": tree_kem,
}
