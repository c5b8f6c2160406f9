"""The ratchet tree (RFC 9420 4.1, 7.7 to 7.9, 12.4.3.3): nodes, resolutions, tree hashes, parent hashes.

A tree is a list of nodes in the array representation; its number of leaves is always a power of two. Nodes
are immutable, so copying the list copies the tree. Tree hashes are cached, and invalidated along the path of
a change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from snugroom.crypto.errors import MalformedError, ValidationError
from snugroom.crypto.mls import treemath
from snugroom.crypto.mls.codec import Reader, opaque, optional, u8, u32, vector
from snugroom.crypto.mls.nodes import LeafNode, LeafNodeIn, LeafNodeSource, ParentNode
from snugroom.crypto.primitives import Suite

_LEAF: Final = 1
_PARENT: Final = 2

NodeIn = LeafNodeIn | ParentNode
Node = LeafNode | ParentNode


def _encode_node(node: NodeIn) -> bytes:
    return u8(_LEAF if isinstance(node, LeafNodeIn) else _PARENT) + node.encode()


def _read_node(reader: Reader) -> NodeIn:
    kind = reader.u8()
    if kind == _LEAF:
        return LeafNodeIn.read(reader)
    if kind == _PARENT:
        return ParentNode.read(reader)
    raise MalformedError(f"node type {kind} does not exist")


def read_tree(reader: Reader) -> tuple[NodeIn | None, ...]:
    """Read the nodes of a `ratchet_tree` (section 12.4.3.3), unverified.

    Raises `MalformedError` if it is empty or ends in a blank node, or if a leaf is at a parent's index or
    vice versa.
    """
    nodes = reader.vector(lambda inner: inner.optional(_read_node))
    if not nodes or nodes[-1] is None:
        raise MalformedError("a ratchet tree is empty or ends in a blank node")
    for index, node in enumerate(nodes):
        if node is not None and isinstance(node, LeafNodeIn) == bool(index % 2):
            raise MalformedError(f"node {index} of a ratchet tree is of the wrong type for its place")
    return nodes


class RatchetTree:
    """A tree of verified leaves. Node and leaf indices are those of RFC 9420 appendix C."""

    def __init__(self, suite: Suite, nodes: Sequence[Node | None]) -> None:
        """Blank nodes extend `nodes` to the next full size."""
        self.suite = suite
        width = treemath.node_width(treemath.full_leaf_count((len(nodes) + 1) // 2))
        self._nodes: list[Node | None] = [*nodes, *[None] * (width - len(nodes))]
        self._hashes: list[bytes | None] = [None] * width

    @classmethod
    def verified(cls, suite: Suite, nodes: Sequence[NodeIn | None], group_id: bytes) -> RatchetTree:
        """Verify the signature of each leaf of a received tree. Raises `ValidationError` MLS-7.3-1."""
        return cls(
            suite,
            [
                node.verify(group_id, index // 2) if isinstance(node, LeafNodeIn) else node
                for index, node in enumerate(nodes)
            ],
        )

    @classmethod
    def unverified(cls, suite: Suite, nodes: Sequence[NodeIn | None]) -> RatchetTree:
        """Accept a tree without verification: for tools and tests without a group to check it in."""
        return cls(suite, [node.unverified() if isinstance(node, LeafNodeIn) else node for node in nodes])

    def verify_leaves(self, group_id: bytes) -> None:
        """Verify the signature of each leaf. Raises `ValidationError` MLS-7.3-1."""
        for index, leaf in self.leaves():
            leaf.verify(group_id, index)

    def copy(self) -> RatchetTree:
        other = RatchetTree.__new__(RatchetTree)
        other.suite = self.suite
        other._nodes, other._hashes = self._nodes[:], self._hashes[:]
        return other

    def encode(self) -> bytes:
        """Encode `optional<Node> ratchet_tree<V>`, without trailing blank nodes."""
        stop = max((i + 1 for i, node in enumerate(self._nodes) if node is not None), default=0)
        return vector(optional(None if node is None else _encode_node(node)) for node in self._nodes[:stop])

    # --- looking ---

    @property
    def size(self) -> int:
        """Number of leaves including blank ones: a power of two."""
        return (len(self._nodes) + 1) // 2

    @property
    def root(self) -> int:
        return treemath.root(self.size)

    def node(self, index: int) -> Node | None:
        return self._nodes[index]

    def leaf(self, leaf: int) -> LeafNode | None:
        """Return the leaf at a leaf index; None if it is blank or beyond the tree."""
        node = self._nodes[2 * leaf] if 0 <= leaf < self.size else None
        return node if isinstance(node, LeafNode) else None

    def parent_node(self, index: int) -> ParentNode | None:
        node = self._nodes[index]
        return node if isinstance(node, ParentNode) else None

    def leaves(self) -> Iterator[tuple[int, LeafNode]]:
        """Iterate over (leaf index, leaf) of all members, in order."""
        for index in range(0, len(self._nodes), 2):
            node = self._nodes[index]
            if isinstance(node, LeafNode):
                yield index // 2, node

    def parents(self) -> Iterator[tuple[int, ParentNode]]:
        """Iterate over (node index, node) of all parents that are not blank."""
        for index in range(1, len(self._nodes), 2):
            node = self._nodes[index]
            if isinstance(node, ParentNode):
                yield index, node

    def encryption_keys(self) -> list[bytes]:
        return [node.encryption_key for node in self._nodes if node is not None]

    def resolution(self, index: int) -> list[int]:
        """Return the node indices that together cover all members below `index` (section 4.1.1)."""
        node = self._nodes[index]
        if node is not None:
            unmerged = node.unmerged_leaves if isinstance(node, ParentNode) else ()
            return [index, *(2 * leaf for leaf in unmerged)]
        if index % 2 == 0:
            return []
        return self.resolution(treemath.left(index)) + self.resolution(treemath.right(index))

    def filtered_direct_path(self, leaf: int) -> list[tuple[int, int]]:
        """Return (node, its copath child) from bottom to top, without nodes whose copath child is empty."""
        path, below = [], 2 * leaf
        for index in treemath.direct_path(2 * leaf, self.size):
            other = treemath.right(index) if below < index else treemath.left(index)
            if self.resolution(other):
                path.append((index, other))
            below = index
        return path

    # --- changing ---

    def set_node(self, index: int, node: Node | None) -> None:
        self._nodes[index] = node
        self._hashes[index] = None
        for above in treemath.direct_path(index, self.size):
            self._hashes[above] = None

    def blank_path(self, leaf: int) -> None:
        """Blank all parents of a leaf."""
        for index in treemath.direct_path(2 * leaf, self.size):
            self._nodes[index] = None
            self._hashes[index] = None

    def blank_leaf(self) -> int:
        """Return the leftmost blank leaf; extend the tree if no leaf is blank (sections 7.7, 12.1.1)."""
        for leaf in range(self.size):
            if self._nodes[2 * leaf] is None:
                return leaf
        grown = len(self._nodes) + 1
        self._nodes += [None] * grown
        self._hashes += [None] * grown
        return grown // 2

    def add(self, node: LeafNode) -> int:
        """Apply an Add (section 12.1.1) and return the new member's leaf index."""
        leaf = self.blank_leaf()
        for index in treemath.direct_path(2 * leaf, self.size):
            parent = self.parent_node(index)
            if parent is not None:
                unmerged = tuple(sorted((*parent.unmerged_leaves, leaf)))
                self._nodes[index] = ParentNode(parent.encryption_key, parent.parent_hash, unmerged)
        self.set_node(2 * leaf, node)
        return leaf

    def update(self, leaf: int, node: LeafNode) -> None:
        """Apply an Update (section 12.1.2)."""
        self.set_node(2 * leaf, node)
        self.blank_path(leaf)

    def remove(self, leaf: int) -> None:
        """Apply a Remove (section 12.1.3). The caller truncates afterwards, as several may follow."""
        self.set_node(2 * leaf, None)
        self.blank_path(leaf)

    def truncate(self) -> None:
        """Drop right halves without members (section 7.7)."""
        while self.size > 1 and not any(
            self._nodes[index] for index in range(self.size, len(self._nodes), 2)
        ):
            del self._nodes[self.size - 1 :], self._hashes[len(self._nodes) :]

    # --- tree hashes, section 7.8 ---

    def tree_hash(self, index: int | None = None) -> bytes:
        """Return the hash of the subtree at `index`, by default of the whole tree."""
        index = self.root if index is None else index
        known = self._hashes[index]
        if known is None:
            known = self._hashes[index] = self._compute_hash(index, ())
        return known

    def _compute_hash(self, index: int, without: Collection[int]) -> bytes:
        """Hash with the leaves `without` blanked and not unmerged (for the original sibling tree hash)."""
        node = self._nodes[index]
        if index % 2 == 0:
            if index // 2 in without:
                node = None
            body = u8(_LEAF) + u32(index // 2) + optional(None if node is None else node.encode())
            return self.suite.hash(body)
        if isinstance(node, ParentNode) and without:
            kept = tuple(leaf for leaf in node.unmerged_leaves if leaf not in without)
            node = ParentNode(node.encryption_key, node.parent_hash, kept)
        children = treemath.left(index), treemath.right(index)
        hashes = b"".join(opaque(self._hash_without(child, without)) for child in children)
        return self.suite.hash(u8(_PARENT) + optional(None if node is None else node.encode()) + hashes)

    def _hash_without(self, index: int, without: Collection[int]) -> bytes:
        below = [leaf for leaf in without if treemath.is_below(2 * leaf, index)]
        return self._compute_hash(index, below) if below else self.tree_hash(index)

    # --- parent hashes, section 7.9 ---

    def parent_hash(self, index: int, other: int) -> bytes:
        """Return the parent hash of the parent node `index` with copath child `other`."""
        node = self.parent_node(index)
        if node is None:
            raise ValueError(f"node {index} has no parent hash: it is blank")
        original = self._hash_without(other, node.unmerged_leaves)
        return self.suite.hash(opaque(node.encryption_key) + opaque(node.parent_hash) + opaque(original))

    def _parent_hash_of(self, index: int) -> bytes | None:
        node = self._nodes[index]
        if isinstance(node, LeafNode):
            return node.parent_hash if node.source == LeafNodeSource.COMMIT else None
        return node.parent_hash if node is not None else None

    def check_parent_hashes(self) -> None:
        """Check that every parent was set by one member below it (section 7.9.2).

        Raises `ValidationError` MLS-7.9.2-1. Each parent must have exactly one descendant with its parent
        hash. That descendant is a leaf, or a parent that is checked in the same way, so the chains end at
        leaves.
        """
        for index, node in self.parents():
            vouchers = 0
            for child, other in (
                (treemath.left(index), treemath.right(index)),
                (treemath.right(index), treemath.left(index)),
            ):
                expected = self.parent_hash(index, other)
                resolution = self.resolution(child)
                unmerged = {2 * leaf for leaf in node.unmerged_leaves if treemath.is_below(2 * leaf, child)}
                vouchers += sum(
                    self._parent_hash_of(below) == expected and unmerged == {*resolution} - {below}
                    for below in resolution
                )
            if vouchers != 1:
                raise ValidationError("MLS-7.9.2-1", f"parent node {index} is not parent-hash valid")
