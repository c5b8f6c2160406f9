/**
 * The rules of RFC 9420 for senders, proposals and commits, numbered as in Python's
 * `crypto.mls.validate_commit`.
 */

import type { KeyPackage } from "ts-mls/keyPackage.js";
import type { LeafNode } from "ts-mls/leafNode.js";
import { encodePskId, type PreSharedKeyID } from "ts-mls/presharedkey.js";
import type { Proposal } from "ts-mls/proposal.js";
import type { RatchetTree } from "ts-mls/ratchetTree.js";
import type { UpdatePath } from "ts-mls/updatePath.js";
import { hex } from "../crypto/bytes";
import { encryptionKeys, leafAt, leavesOf, must } from "./validate";

/**
 * A verified proposal of a commit, with its sender (null: a non-member) and the reference that named it, if
 * any.
 */
export interface ResolvedProposal {
  readonly proposal: Proposal;
  readonly sender: number | null;
  readonly reference: Uint8Array | null;
}

type Kind = Exclude<Proposal["proposalType"], number>;

export const ofType = <K extends Kind>(
  items: readonly ResolvedProposal[],
  kind: K,
): Extract<Proposal, { proposalType: K }>[] =>
  items.flatMap(({ proposal }) =>
    proposal.proposalType === kind ? [proposal as Extract<Proposal, { proposalType: K }>] : [],
  );

export const removedLeaves = (items: readonly ResolvedProposal[]): number[] =>
  ofType(items, "remove").map((p) => p.remove.removed);

export const addedPackages = (items: readonly ResolvedProposal[]): KeyPackage[] =>
  ofType(items, "add").map((p) => p.add.keyPackage);

export const pskIds = (items: readonly ResolvedProposal[]): PreSharedKeyID[] =>
  ofType(items, "psk").map((p) => p.psk.preSharedKeyId);

export function senderIsMember(tree: RatchetTree, leaf: number): LeafNode {
  const node = leafAt(tree, leaf);
  must(node !== null, "6.3.2-1", `the sender's leaf ${leaf} is blank`);
  return node;
}

const twice = (values: readonly unknown[]): boolean => new Set(values).size !== values.length;

/** Apply all rules on the list of a member's commit, under the tree of the old epoch. */
export function memberList(items: readonly ResolvedProposal[], committer: number, tree: RatchetTree): void {
  const updated = items.flatMap(({ proposal, sender }) =>
    proposal.proposalType === "update" ? [sender] : [],
  );
  const removed = removedLeaves(items);
  must(!updated.includes(committer), "12.2-2", "the committer's own Update is committed");
  must(!removed.includes(committer), "12.2-3", "the committer removes itself");
  must(!twice([...updated, ...removed]), "12.2-4", "two Updates or Removes of one leaf");
  const keys = addedPackages(items).map((p) => hex(p.leafNode.signaturePublicKey));
  must(!twice(keys), "12.2-5", "two Adds of one signature key");
  const staying = leavesOf(tree).flatMap(([i, l]) =>
    removed.includes(i) ? [] : [hex(l.signaturePublicKey)],
  );
  must(
    !staying.some((key) => keys.includes(key)),
    "12.2-6",
    "an Add of a client that is in the group already",
  );
  must(!twice(pskIds(items).map((id) => hex(encodePskId(id)))), "12.2-7", "two PSK proposals of one id");
  must(ofType(items, "group_context_extensions").length <= 1, "12.2-8", "two GroupContextExtensions");
  must(
    ofType(items, "reinit").length === 0 || items.length === 1,
    "12.2-9",
    "a ReInit together with other proposals",
  );
  must(ofType(items, "external_init").length === 0, "12.2-10", "an ExternalInit in a member's commit");
}

const NEEDS_PATH: ReadonlySet<Proposal["proposalType"]> = new Set<Proposal["proposalType"]>([
  "update",
  "remove",
  "external_init",
  "group_context_extensions",
]);

/** Return whether a commit of these proposals must have a path (section 12.4). */
export const needsPath = (items: readonly ResolvedProposal[]): boolean =>
  items.length === 0 || items.some(({ proposal }) => NEEDS_PATH.has(proposal.proposalType));

/** Compare with the tree after the proposals, before the path is merged. */
export function pathKeysNew(tree: RatchetTree, path: UpdatePath): void {
  const keys = [path.leafNode, ...path.nodes].map((node) => hex(node.hpkePublicKey));
  const known = new Set(encryptionKeys(tree).map(hex));
  must(
    !twice(keys) && !keys.some((key) => known.has(key)),
    "12.4.2-2",
    "a public key of a path is in the tree already",
  );
}
