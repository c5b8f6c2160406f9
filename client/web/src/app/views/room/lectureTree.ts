/** The ratchet tree as RFC 9420 appendix C numbers it: leaf n is node 2n, and a node's height is in its number. */
import type { TreeNode, TreeView } from "../../../worker/messages";

/** How high above the leaves a node stands. */
export function heightOf(node: number): number {
  let height = 0;
  while ((node >> height) & 1) height++;
  return height;
}

/** Left and right child of a parent node. */
export function childrenOf(node: number): readonly [number, number] | null {
  const height = heightOf(node);
  return height === 0 ? null : [node - (1 << (height - 1)), node + (1 << (height - 1))];
}

/** The leaves below a node, or the leaf itself, by leaf index. */
export function leavesBelow(node: number): readonly number[] {
  const children = childrenOf(node);
  return children === null ? [node / 2] : children.flatMap(leavesBelow);
}

/** A member's whole tree: to the right, blank up to a power of two of leaves. */
export function whole(nodes: readonly (TreeNode | null)[]): readonly (TreeNode | null)[] {
  let leaves = 1;
  while (2 * leaves - 1 < nodes.length) leaves *= 2;
  return Array.from({ length: 2 * leaves - 1 }, (_, i) => nodes[i] ?? null);
}

export interface Placed {
  readonly index: number;
  /** 0 at the left, in halves of the distance of two leaves. */
  readonly column: number;
  /** 0 at the top: the root's. */
  readonly row: number;
  readonly node: TreeNode | null;
  /** null: it is a leaf. */
  readonly children: readonly [number, number] | null;
}

/** Where each node stands, in their order; `rows` is how many there are. */
export function layout(nodes: readonly (TreeNode | null)[]): { readonly rows: number; readonly placed: readonly Placed[] } {
  const all = whole(nodes);
  const top = Math.log2(all.length + 1) - 1;
  return {
    rows: top + 1,
    placed: all.map((node, index) => ({ index, column: index, row: top - heightOf(index), node, children: childrenOf(index) })),
  };
}

/** Nodes whose key was another, or none, one view before; empty without a view before. */
export function fresh(before: TreeView | null, now: TreeView): ReadonlySet<number> {
  const found = new Set<number>();
  if (before === null) return found;
  now.nodes.forEach((node, index) => {
    if (node !== null && node.key !== before.nodes[index]?.key) found.add(index);
  });
  return found;
}

/** Leaves that hold the private half of a node's key: those below it that are there, and were told it. */
export function holders(view: TreeView, node: number): readonly number[] {
  const unmerged = view.nodes[node]?.unmerged ?? [];
  return leavesBelow(node).filter((leaf) => (view.nodes[2 * leaf] ?? null) !== null && !unmerged.includes(leaf));
}

/** Each epoch once, the first that was told of it: watching again tells the present one again. */
export const epochs = (views: readonly TreeView[]): readonly TreeView[] =>
  views.filter((view, i) => view.epoch !== views[i - 1]?.epoch);
