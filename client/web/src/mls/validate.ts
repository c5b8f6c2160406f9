/**
 * The rules of RFC 9420 for leaves, KeyPackages and trees, numbered as in Python's `crypto.mls.validate`.
 *
 * ts-mls checks some of these rules, others differently or not at all. All members must reach the same
 * verdict, so this module has all of them.
 */

import type { Extension } from "ts-mls/extension.js";
import type { KeyPackage } from "ts-mls/keyPackage.js";
import type { LeafNode } from "ts-mls/leafNode.js";
import { getHpkePublicKey, type Node, type RatchetTree, removeLeaves, resolution } from "ts-mls/ratchetTree.js";
import { treeHash } from "ts-mls/treeHash.js";
import { directPath, left, leafWidth, type NodeIndex, right, toLeafIndex, toNodeIndex } from "ts-mls/treemath.js";
import { type Bytes, compare, concat, hex, same } from "../crypto/bytes";
import { ValidationError } from "../crypto/errors";
import { H } from "../crypto/kdf";
import { decode } from "./reader";
import { MLS10, readExternalSender, readRequired, suiteName, versionName } from "./read";
import { hash, hpkeUsable, opaque } from "./suite";
import { ExtensionType } from "./types";

/** Maximum total lifetime of a KeyPackage, in seconds. */
export const MAX_LIFETIME = 366 * 86400;

const DEFAULT_EXTENSIONS: ReadonlySet<number> = new Set(Object.values(ExtensionType));
const DEFAULT_PROPOSALS: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, 7]);

/** Throw ValidationError with that number unless the condition holds. */
export function must(holds: boolean, rule: string, text: string): asserts holds {
  if (!holds) throw new ValidationError(`MLS-${rule}`, text);
}

const typeOf = (extension: Extension): number => extension.extensionType as number;

const listed = (extensions: readonly Extension[], known: readonly number[]): boolean =>
  extensions.every((e) => DEFAULT_EXTENSIONS.has(typeOf(e)) || known.includes(typeOf(e)));

const distinct = (keys: readonly Uint8Array[]): boolean => new Set(keys.map(hex)).size === keys.length;

// -- one leaf by itself --

export const usableKey = (key: Uint8Array): void =>
  must(hpkeUsable(key), "5.1.1-1", "an HPKE public key is unusable");

/** Apply both rules on lifetimes; only leaves of KeyPackages have a lifetime. `now` in Unix seconds. */
export function lifetime(leaf: LeafNode, now: number): void {
  if (leaf.leafNodeSource !== "key_package") return;
  const { notBefore, notAfter } = leaf.lifetime;
  must(
    notAfter - notBefore <= BigInt(MAX_LIFETIME),
    "7.2-3",
    `a leaf's lifetime is longer than ${MAX_LIFETIME} seconds`,
  );
  const at = BigInt(Math.floor(now));
  must(notBefore <= at && at <= notAfter, "7.3-5", "a leaf's lifetime does not include now");
}

export const uniqueExtensions = (extensions: readonly Extension[]): void =>
  must(
    new Set(extensions.map(typeOf)).size === extensions.length,
    "13.4-1",
    "a list of extensions has two of one type",
  );

/** Apply all rules on a leaf that need no other data. */
export function leafAlone(leaf: LeafNode, suite: number): void {
  const { versions, ciphersuites, credentials, extensions } = leaf.capabilities;
  must(
    versions.includes(versionName(MLS10)) && ciphersuites.includes(suiteName(suite)),
    "7.2-1",
    "a leaf does not list its own version or cipher suite",
  );
  must(
    credentials.includes(leaf.credential.credentialType),
    "7.2-2",
    "a leaf does not list the type of its own credential",
  );
  must(
    listed(leaf.extensions, extensions),
    "7.3-6",
    "a leaf has an extension that its capabilities don't list",
  );
  uniqueExtensions(leaf.extensions);
}

/** Apply all rules on a newly received leaf that need no other data. */
export function newLeaf(leaf: LeafNode, suite: number): void {
  usableKey(leaf.hpkePublicKey);
  leafAlone(leaf, suite);
}

export const newEncryptionKey = (leaf: LeafNode, replaced: LeafNode): void =>
  must(
    !same(leaf.hpkePublicKey, replaced.hpkePublicKey),
    "7.3-9",
    "a leaf is replaced by one with the same encryption key",
  );

// -- KeyPackages --

export const keyPackageSuite = (keyPackage: KeyPackage, suite: number | null): void =>
  must(
    keyPackage.version === versionName(MLS10) &&
      (suite === null || keyPackage.cipherSuite === suiteName(suite)),
    "10.1-1",
    "a key package is of another version or cipher suite",
  );

/** Apply all rules on a KeyPackage except those on its signatures, its suite and its leaf. */
export function keyPackage({ leafNode, initKey, extensions }: KeyPackage): void {
  must(leafNode.leafNodeSource === "key_package", "7.3-7", "the leaf of a key package is not of that source");
  usableKey(initKey);
  must(
    listed(extensions, leafNode.capabilities.extensions),
    "10-1",
    "a key package has an extension that its capabilities don't list",
  );
  must(
    !same(initKey, leafNode.hpkePublicKey),
    "10.1-4",
    "a key package's init key is its leaf's encryption key",
  );
  uniqueExtensions(extensions);
}

// -- the leaves of a group together --

const find = (extensions: readonly Extension[], kind: number): Bytes | undefined =>
  extensions.find((e) => typeOf(e) === kind)?.extensionData as Bytes | undefined;

export { find as findExtension };

/** Return the signature keys of the external senders that a GroupContext allows. MalformedError. */
export function externalSenders(extensions: readonly Extension[]): readonly Bytes[] {
  const data = find(extensions, ExtensionType.EXTERNAL_SENDERS);
  return data === undefined
    ? []
    : decode(data, (reader) => reader.vector(readExternalSender)).map(([key]) => key);
}

/** Apply all rules on the leaves of a group together, under the extensions of its GroupContext. */
export function membership(
  leaves: readonly LeafNode[],
  suite: number,
  extensions: readonly Extension[],
): void {
  uniqueExtensions(extensions);
  externalSenders(extensions); // throws MalformedError if undecodable
  const data = find(extensions, ExtensionType.REQUIRED_CAPABILITIES);
  const [required, proposals, credentials] = data === undefined ? [[], [], []] : decode(data, readRequired);
  for (const leaf of leaves) {
    leafAlone(leaf, suite);
    const own = leaf.capabilities;
    must(
      required.every((e) => DEFAULT_EXTENSIONS.has(e) || own.extensions.includes(e)) &&
        proposals.every((p) => DEFAULT_PROPOSALS.has(p) || own.proposals.includes(p)) &&
        credentials.every((c) => own.credentials.includes(c)),
      "7.3-2",
      "a leaf lacks a capability that the group requires",
    );
    must(listed(extensions, own.extensions), "13.4-2", "a member does not support an extension of the group");
  }
  const used = new Set(leaves.map((leaf) => leaf.credential.credentialType));
  must(
    leaves.every((leaf) => [...used].every((kind) => leaf.capabilities.credentials.includes(kind))),
    "7.3-3",
    "a member does not support a credential type that is in use",
  );
  must(
    distinct(leaves.map((leaf) => leaf.signaturePublicKey)),
    "7.3-11",
    "two members have the same signature key",
  );
  must(
    distinct(leaves.map((leaf) => leaf.hpkePublicKey)),
    "7.3-12",
    "two members have the same encryption key",
  );
}

/** Check that a newcomer supports every extension of the group, without counting GREASE values (13.4-3). */
export function weSupport(leaf: LeafNode, extensions: readonly Extension[]): void {
  const real = leaf.capabilities.extensions.filter((e) => (e & 0x0f0f) !== 0x0a0a || e >> 8 !== (e & 0xff));
  must(listed(extensions, real), "13.4-3", "the group has an extension that we don't support");
}

// -- the structure of a tree --

/** Return the leaf at a leaf index; null if it is blank or beyond the tree. */
export function leafAt(tree: RatchetTree, leaf: number): LeafNode | null {
  const node = tree[2 * leaf];
  return node?.nodeType === "leaf" ? node.leaf : null;
}

/** Return [leaf index, leaf] of all members, in order. */
export function leavesOf(tree: RatchetTree): readonly (readonly [number, LeafNode])[] {
  return tree.flatMap((node, index) => (node?.nodeType === "leaf" ? [[index / 2, node.leaf] as const] : []));
}

/** Return the public keys of all nodes. */
export const encryptionKeys = (tree: RatchetTree): readonly Uint8Array[] =>
  tree.flatMap((node) => (node === undefined ? [] : [getHpkePublicKey(node)]));

/** Check that all nodes have distinct keys, also after proposals or a path (12.4.3-3). */
export const uniqueParentKeys = (tree: RatchetTree): void =>
  must(distinct(encryptionKeys(tree)), "12.4.3-3", "two nodes of the tree have the same encryption key");

/** Return whether `node` is `ancestor` or in its subtree. */
export function isBelow(node: number, ancestor: number): boolean {
  let bit = 1;
  while ((ancestor & bit) !== 0) bit <<= 1;
  const reach = bit - 1;
  return ancestor - reach <= node && node <= ancestor + reach;
}

/** Apply all rules on a tree's shape; each rule relies only on the rules before it. */
export async function treeStructure(tree: RatchetTree): Promise<void> {
  encryptionKeys(tree).forEach(usableKey);
  const width = leafWidth(tree.length);
  const unmerged = tree.map((node) => (node?.nodeType === "parent" ? node.parent.unmergedLeaves : []));
  unmerged.forEach((leaves, index) =>
    must(
      leaves.every((leaf, i) => i === 0 || (leaves[i - 1] ?? leaf) < leaf),
      "7.1-1",
      `the unmerged leaves of node ${index} are not in order`,
    ),
  );
  unmerged.forEach((leaves, index) => {
    for (const leaf of leaves)
      must(
        leafAt(tree, leaf) !== null && isBelow(2 * leaf, index),
        "12.4.3-1",
        `leaf ${leaf} can't be unmerged at node ${index}`,
      );
  });
  unmerged.forEach((leaves, index) => {
    for (const leaf of leaves)
      for (const between of directPath(toNodeIndex(2 * leaf), width)) {
        if (between === index) break;
        must(
          tree[between] === undefined || (unmerged[between] ?? []).includes(leaf),
          "12.4.3-2",
          `leaf ${leaf} is merged at ${between} alone`,
        );
      }
  });
  uniqueParentKeys(tree);
  for (const [index, node] of tree.entries())
    if (node?.nodeType === "parent") await parentHashValid(tree, toNodeIndex(index));
}

const parentHashOf = (node: Node | undefined): Uint8Array | null => {
  if (node?.nodeType === "parent") return node.parent.parentHash;
  return node?.leaf.leafNodeSource === "commit" ? node.leaf.parentHash : null;
};

/**
 * Check that the parent was set by one member below it (section 7.9.2).
 *
 * Exactly one of its descendants must have its parent hash. That descendant is a leaf, or a parent that is
 * checked in the same way, so the chains end at leaves.
 */
async function parentHashValid(tree: RatchetTree, index: NodeIndex): Promise<void> {
  const node = tree[index];
  if (node?.nodeType !== "parent") return;
  const { hpkePublicKey, parentHash, unmergedLeaves } = node.parent;
  const without = unmergedLeaves.length === 0 ? tree : removeLeaves(tree, unmergedLeaves.map(toLeafIndex));
  let vouchers = 0;
  for (const [child, other] of [
    [left(index), right(index)],
    [right(index), left(index)],
  ] as const) {
    const original = (await treeHash(without, other, hash)) as Bytes;
    const expected = H(concat(opaque(hpkePublicKey), opaque(parentHash), opaque(original)));
    const covered = resolution(tree, child);
    const unmerged = unmergedLeaves.map((leaf) => 2 * leaf).filter((leaf) => isBelow(leaf, child));
    for (const below of covered) {
      const said = parentHashOf(tree[below]);
      const others = covered.filter((other) => other !== below);
      const covers = others.length === unmerged.length && others.every((other) => unmerged.includes(other));
      if (said !== null && compare(said, expected) === 0 && covers) vouchers++;
    }
  }
  must(vouchers === 1, "7.9.2-1", `parent node ${index} is not parent-hash valid`);
}
