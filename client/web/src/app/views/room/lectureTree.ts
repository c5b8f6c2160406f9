/** The ratchet tree as RFC 9420 appendix C numbers it: leaf n is node 2n, and a node's number gives its height. */
import type { TreeNode, TreeView } from "../../../worker/messages";

/** Return the height of a node above the leaves. */
export function heightOf(node: number): number {
  let height = 0;
  while ((node >> height) & 1) height++;
  return height;
}

/** Return the left and right child of a parent node; null for a leaf. */
export function childrenOf(node: number): readonly [number, number] | null {
  const height = heightOf(node);
  return height === 0 ? null : [node - (1 << (height - 1)), node + (1 << (height - 1))];
}

/** Return the leaves below a node, or the leaf itself, by leaf index. */
export function leavesBelow(node: number): readonly number[] {
  const children = childrenOf(node);
  return children === null ? [node / 2] : children.flatMap(leavesBelow);
}

/** Return a member's complete tree: blank nodes on the right fill it up to a power of two of leaves. */
export function whole(nodes: readonly (TreeNode | null)[]): readonly (TreeNode | null)[] {
  let leaves = 1;
  while (2 * leaves - 1 < nodes.length) leaves *= 2;
  return Array.from({ length: 2 * leaves - 1 }, (_, i) => nodes[i] ?? null);
}

export interface Placed {
  readonly index: number;
  /** 0 is the leftmost; two leaves are two columns apart. */
  readonly column: number;
  /** 0 is the root's row, at the top. */
  readonly row: number;
  readonly node: TreeNode | null;
  /** null: a leaf. */
  readonly children: readonly [number, number] | null;
}

/** Return the position of each node, in order of their numbers; `rows` is the number of rows. */
export function layout(nodes: readonly (TreeNode | null)[]): { readonly rows: number; readonly placed: readonly Placed[] } {
  const all = whole(nodes);
  const top = Math.log2(all.length + 1) - 1;
  return {
    rows: top + 1,
    placed: all.map((node, index) => ({ index, column: index, row: top - heightOf(index), node, children: childrenOf(index) })),
  };
}

/** Return the nodes whose key is new since the view before; empty without a view before. */
export function fresh(before: TreeView | null, now: TreeView): ReadonlySet<number> {
  const found = new Set<number>();
  if (before === null) return found;
  now.nodes.forEach((node, index) => {
    if (node !== null && node.key !== before.nodes[index]?.key) found.add(index);
  });
  return found;
}

/** Return the leaves that hold a node's private key: the occupied leaves below it that are not unmerged. */
export function holders(view: TreeView, node: number): readonly number[] {
  const unmerged = view.nodes[node]?.unmerged ?? [];
  return leavesBelow(node).filter((leaf) => (view.nodes[2 * leaf] ?? null) !== null && !unmerged.includes(leaf));
}

/** Return the first view of each epoch: watching again reports the current epoch again. */
export const epochs = (views: readonly TreeView[]): readonly TreeView[] =>
  views.filter((view, i) => view.epoch !== views[i - 1]?.epoch);
