/** Where the nodes of a ratchet tree stand, what is new in it, and who holds what. */
import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import {
  childrenOf, epochs, fresh, heightOf, holders, layout, leavesBelow, whole,
} from "../../../../client/web/src/app/views/room/lectureTree";
import type { TreeNode, TreeView } from "../../../../client/web/src/worker/messages";

const node = (key: string, over: Partial<TreeNode> = {}): TreeNode => ({ key, name: null, held: false, unmerged: [], ...over });
const view = (epoch: number, nodes: readonly (TreeNode | null)[]): TreeView => ({
  epoch, by: null, what: { key: "tree.now" }, ownLeaf: 0, nodes, bytes: 0,
});

test("nodes are those of RFC 9420, appendix C", () => {
  // its figure of eight leaves: 7 above 3 and 11, above 1, 5, 9 and 13
  deepEqual(Array.from({ length: 15 }, (_, i) => heightOf(i)), [0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0]);
  deepEqual([7, 3, 11, 1, 13].map(childrenOf), [[3, 11], [1, 5], [9, 13], [0, 2], [12, 14]]);
  equal(childrenOf(4), null);
  deepEqual(leavesBelow(7), [0, 1, 2, 3, 4, 5, 6, 7]);
  deepEqual(leavesBelow(11), [4, 5, 6, 7]);
  deepEqual(leavesBelow(6), [3]);
});

test("a tree is as wide as a power of two of leaves", () => {
  deepEqual([1, 2, 3, 5, 7, 9, 15].map((length) => whole(Array.from({ length }, () => null)).length), [1, 3, 3, 7, 7, 15, 15]);
  const { rows, placed } = layout([node("a"), node("b"), node("c"), null, node("d")]);
  equal(rows, 3);
  deepEqual(placed.map(({ row }) => row), [2, 1, 2, 0, 2, 1, 2]);
  deepEqual(placed.map(({ node: at }) => at?.key ?? "-"), ["a", "b", "c", "-", "d", "-", "-"]);
  for (const { column, children } of placed)
    if (children !== null) equal(column, (children[0] + children[1]) / 2, "a parent stands in the middle of its children");
  equal(layout([node("alone")]).rows, 1);
});

test("a node is new when it has another key", () => {
  const before = view(1, [node("a"), node("p"), node("b")]);
  deepEqual([...fresh(null, before)], []);
  deepEqual([...fresh(before, before)], []);
  // one updates: its leaf and all above it; a blank is no key, and a key where none was is new
  deepEqual([...fresh(before, view(2, [node("a2"), node("p2"), node("b")]))], [0, 1]);
  deepEqual([...fresh(before, view(2, [node("a"), null, null]))], []);
  deepEqual([...fresh(before, view(2, [node("a"), node("p"), node("b"), node("r"), node("c")]))], [3, 4]);
});

test("the holders of a node's key are the members below it that got it", () => {
  const tree = view(4, [node("a"), node("p"), node("b"), node("r", { unmerged: [3] }), node("c"), null, node("d")]);
  deepEqual(holders(tree, 1), [0, 1]);
  deepEqual(holders(tree, 3), [0, 1, 2]);
  deepEqual(holders(tree, 4), [2]);
  deepEqual(holders(view(5, [node("a"), node("p"), null, node("r"), node("c"), null, null]), 3), [0, 2]);
});

test("each epoch is stepped through once, however often one began to watch", () => {
  const views = [view(3, [node("a")]), view(4, [node("b")]), view(4, [node("b")]), view(5, [node("c")])];
  deepEqual(epochs(views).map(({ epoch }) => epoch), [3, 4, 5]);
  equal(epochs(views)[1], views[1]);
  deepEqual(epochs([]), []);
});
