"""Index arithmetic of the array representation of a full binary tree (RFC 9420 appendix C).

Leaf L is node 2L; parents are odd. The number of leaves is always a power of two. Functions raise
`ValueError` for nodes that do not exist (the parent of the root, a child of a leaf).
"""

from __future__ import annotations


def node_width(leaf_count: int) -> int:
    """Return the number of nodes of a tree with `leaf_count` leaves."""
    return 2 * leaf_count - 1 if leaf_count else 0


def full_leaf_count(leaves: int) -> int:
    """Return the smallest power of two that is at least `leaves` (at least 1)."""
    return 1 << (leaves - 1).bit_length() if leaves > 1 else 1


def level(node: int) -> int:
    """Return 0 for a leaf, otherwise one more than the children's level."""
    return (node ^ (node + 1)).bit_length() - 1


def root(leaf_count: int) -> int:
    return (1 << (node_width(leaf_count).bit_length() - 1)) - 1


def left(node: int) -> int:
    height = level(node)
    if height == 0:
        raise ValueError("a leaf has no child")
    return node ^ (1 << (height - 1))


def right(node: int) -> int:
    height = level(node)
    if height == 0:
        raise ValueError("a leaf has no child")
    return node ^ (3 << (height - 1))


def parent(node: int, leaf_count: int) -> int:
    if node == root(leaf_count):
        raise ValueError("the root has no parent")
    height = level(node)
    return (node | (1 << height)) & ~(1 << (height + 1))


def sibling(node: int, leaf_count: int) -> int:
    above = parent(node, leaf_count)
    return right(above) if node < above else left(above)


def direct_path(node: int, leaf_count: int) -> list[int]:
    """Return the nodes above `node`, from its parent to the root."""
    if not 0 <= node < node_width(leaf_count):
        raise ValueError(f"there is no node {node} in a tree of {leaf_count} leaves")
    path = []
    top = root(leaf_count)
    while node != top:
        node = parent(node, leaf_count)
        path.append(node)
    return path


def is_below(node: int, ancestor: int) -> bool:
    """Return whether `node` is `ancestor` or in its subtree."""
    reach = (1 << level(ancestor)) - 1
    return ancestor - reach <= node <= ancestor + reach


def common_ancestor(leaf_a: int, leaf_b: int) -> int:
    """Return the lowest node above both leaf indices (a leaf's own node if they are equal)."""
    if leaf_a == leaf_b:
        return 2 * leaf_a
    node_a, node_b, height = 2 * leaf_a, 2 * leaf_b, 0
    while node_a != node_b:
        node_a >>= 1
        node_b >>= 1
        height += 1
    return (node_a << height) + (1 << (height - 1)) - 1
