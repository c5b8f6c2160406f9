/**
 * Proposals (RFC 9420 sections 12.1 to 12.3): each by itself, the list of a commit, and applying the list to
 * the tree.
 */

import type { GroupContext } from "ts-mls/groupContext.js";
import { type KeyPackage, verifyKeyPackage } from "ts-mls/keyPackage.js";
import { type LeafNode, verifyLeafNodeSignature } from "ts-mls/leafNode.js";
import type { PreSharedKeyID } from "ts-mls/presharedkey.js";
import type { Proposal } from "ts-mls/proposal.js";
import type { ProposalOrRef } from "ts-mls/proposalOrRefType.js";
import { accumulatePskSecret } from "ts-mls/pskIndex.js";
import { addLeafNode, type RatchetTree, removeLeafNode, updateLeafNode } from "ts-mls/ratchetTree.js";
import type { Sender } from "ts-mls/sender.js";
import { nodeToLeafIndex, toLeafIndex } from "ts-mls/treemath.js";
import { type Bytes, hex, type Rng, same } from "../crypto/bytes";
import { MalformedError, SnugError, StateError, ValidationError } from "../crypto/errors";
import { CommitError } from "./errors";
import { MLS10 } from "./read";
import type { EpochState } from "./state";
import { NH, ourSuite, signature, SUITE, suiteWith } from "./suite";
import * as validate from "./validate";
import { leafAt, must } from "./validate";
import * as rules from "./validateCommit";
import type { ResolvedProposal } from "./validateCommit";

/** External pre-shared keys by `hex(id)`. */
export type Psks = ReadonlyMap<string, Bytes>;

/** Run `work`, and convert errors to a `CommitError` that names `sender`, whose signature has verified. */
export async function attributedTo<T>(sender: number | null, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CommitError || error instanceof StateError) throw error;
    if (error instanceof ValidationError) throw new CommitError(error.rule, error.text, sender);
    if (error instanceof SnugError) throw new CommitError("MLS-12.2-1", error.message, sender);
    throw error;
  }
}

/** Verify a leaf's signature; it covers the group and leaf index, except for a KeyPackage. MLS-7.3-1. */
export async function verifyLeaf(leaf: LeafNode, groupId: Uint8Array, index: number): Promise<void> {
  must(
    await verifyLeafNodeSignature(leaf, groupId, index, signature),
    "7.3-1",
    "the signature of a leaf node does not verify",
  );
}

/**
 * Check all rules of RFC 9420 section 10.1 that need no group.
 *
 * ValidationError, UnsupportedError.
 */
export async function checkKeyPackage(
  keyPackage: KeyPackage,
  suite: number | null,
  now: number | null,
): Promise<void> {
  validate.keyPackageSuite(keyPackage, suite);
  ourSuite(Number(keyPackage.cipherSuite));
  await verifyLeaf(keyPackage.leafNode, new Uint8Array(), 0);
  must(
    await verifyKeyPackage(keyPackage, signature),
    "10.1-3",
    "the signature of a key package does not verify",
  );
  validate.keyPackage(keyPackage);
  validate.newLeaf(keyPackage.leafNode, SUITE);
  if (now !== null) validate.lifetime(keyPackage.leafNode, now);
}

/** Verify a proposal by itself, in this epoch. ValidationError and MalformedError. */
export async function verifyProposal(state: EpochState, proposal: Proposal, sender: Sender): Promise<void> {
  if (sender.senderType === "external")
    must(
      proposal.proposalType !== "update" && proposal.proposalType !== "external_init",
      "12.1.8-2",
      "an external sender can't send that",
    );
  switch (proposal.proposalType) {
    case "add":
      await checkKeyPackage(proposal.add.keyPackage, SUITE, null);
      break;
    case "update": {
      must(sender.senderType === "member", "12.1.2-1", "an Update of somebody who is not a member");
      const leaf: LeafNode = proposal.update.leafNode;
      const current = rules.senderIsMember(state.tree, sender.leafIndex);
      await verifyLeaf(leaf, state.context.groupId, sender.leafIndex);
      must(leaf.leafNodeSource === "update", "7.3-8", "the leaf of an Update is not of that source");
      validate.newEncryptionKey(leaf, current);
      validate.newLeaf(leaf, SUITE);
      break;
    }
    case "remove": {
      const { removed } = proposal.remove;
      must(leafAt(state.tree, removed) !== null, "12.1.3-1", `a Remove of leaf ${removed}, which is blank`);
      break;
    }
    case "psk": {
      const id = proposal.psk.preSharedKeyId;
      must(
        id.psktype === "external" || id.usage !== "reinit",
        "12.1.4-1",
        "a reinit PSK outside a reinitialisation",
      );
      must(
        id.psktype === "external" || id.usage !== "branch",
        "12.1.4-2",
        "a branch PSK outside a branching",
      );
      const size = id.pskNonce.length;
      must(size === NH, "12.1.4-3", `a PSK nonce of ${size} bytes, not ${NH}`);
      break;
    }
    case "reinit":
      must(Number(proposal.reinit.version) >= MLS10, "12.1.5-1", "a ReInit to an older version");
      validate.uniqueExtensions(proposal.reinit.extensions);
      break;
    case "group_context_extensions":
      validate.uniqueExtensions(proposal.groupContextExtensions.extensions);
      break;
    case "external_init":
      break;
    default:
      throw new MalformedError(`a proposal of type ${String(proposal.proposalType)}`);
  }
}

/** Return the verified proposals for a commit's items, which are proposals or references. */
export async function resolve(
  state: EpochState,
  items: readonly ProposalOrRef[],
  leaf: number,
): Promise<readonly ResolvedProposal[]> {
  const resolved: ResolvedProposal[] = [];
  for (const item of items)
    if (item.proposalOrRefType === "reference") {
      const stored = state.proposals.get(hex(item.reference));
      must(stored !== undefined, "12.4-2", "a commit refers to a proposal that is not here");
      resolved.push({ ...stored, reference: item.reference });
    } else {
      await verifyProposal(state, item.proposal, { senderType: "member", leafIndex: leaf });
      resolved.push({ proposal: item.proposal, sender: leaf, reference: null });
    }
  return resolved;
}

/** Result of applying a list of proposals to an epoch's tree and extensions (section 12.3). */
export interface AppliedProposals {
  tree: RatchetTree;
  context: GroupContext;
  /** In the order of the proposals. */
  readonly added: (readonly [leaf: number, KeyPackage])[];
  readonly removed: readonly number[];
  readonly ended: boolean;
}

/** Apply a valid list of proposals to a copy of the tree, in the order of section 12.3. */
export function applyProposals(state: EpochState, items: readonly ResolvedProposal[]): AppliedProposals {
  let tree = state.tree;
  const changes = rules.ofType(items, "group_context_extensions")[0]?.groupContextExtensions;
  const removed = rules.removedLeaves(items);
  for (const { proposal, sender } of items)
    if (proposal.proposalType === "update" && sender !== null)
      tree = updateLeafNode(tree, proposal.update.leafNode, toLeafIndex(sender));
  for (const leaf of removed) tree = removeLeafNode(tree, toLeafIndex(leaf));
  const added: [number, KeyPackage][] = [];
  for (const keyPackage of rules.addedPackages(items)) {
    const [grown, index] = addLeafNode(tree, keyPackage.leafNode);
    tree = grown;
    added.push([nodeToLeafIndex(index), keyPackage]);
  }
  const context = { ...state.context, extensions: changes?.extensions ?? state.context.extensions };
  return { tree, context, added, removed, ended: rules.ofType(items, "reinit").length > 0 };
}

/**
 * Return the chained PSK secret (section 8.4). ValidationError MLS-12.4.2-1: a missing PSK has no substitute.
 */
export async function pskSecret(state: EpochState, ids: PreSharedKeyID[], psks: Psks): Promise<Uint8Array> {
  const { context, secrets } = state;
  const found = (id: PreSharedKeyID): Uint8Array | undefined => {
    if (id.psktype === "external") return psks.get(hex(id.pskId));
    return same(id.pskGroupId, context.groupId) && id.pskEpoch === context.epoch
      ? secrets.resumptionPsk
      : undefined;
  };
  must(
    ids.every((id) => found(id) !== undefined),
    "12.4.2-1",
    "a commit needs a pre-shared key that is not here",
  );
  const [secret] = await accumulatePskSecret(ids, { findPsk: found }, suiteWith(noRng), new Uint8Array(NH));
  return secret;
}

export const noRng: Rng = () => {
  throw new StateError("nothing is drawn here");
};

/** Check that all members of the resulting tree are valid (section 12.2, last rule). */
export function checkMembers(applied: AppliedProposals): void {
  const leaves = validate.leavesOf(applied.tree).map(([, leaf]) => leaf);
  validate.membership(leaves, SUITE, applied.context.extensions);
  validate.uniqueParentKeys(applied.tree);
}
