/**
 * Transition from one epoch to the next (RFC 9420 sections 12.4.1 and 12.4.2): creating and processing
 * commits.
 *
 * The current epoch stays unchanged, except for the handshake key that a staged commit consumes. The steps
 * and their order are those of Python; trees, paths and the key schedule come from ts-mls.
 */

import type { Commit } from "ts-mls/commit.js";
import { decryptWithLabel } from "ts-mls/crypto/hpke.js";
import { encodeGroupContext, type GroupContext } from "ts-mls/groupContext.js";
import type { KeyPackage } from "ts-mls/keyPackage.js";
import { initializeEpoch } from "ts-mls/keySchedule.js";
import type { LeafNode } from "ts-mls/leafNode.js";
import type { ProposalOrRef } from "ts-mls/proposalOrRefType.js";
import { filteredDirectPathAndCopathResolution, type RatchetTree } from "ts-mls/ratchetTree.js";
import { createConfirmedHash } from "ts-mls/transcriptHash.js";
import { treeHashRoot } from "ts-mls/treeHash.js";
import { directPath, leafWidth, toLeafIndex, toNodeIndex } from "ts-mls/treemath.js";
import { applyUpdatePath, createUpdatePath, type PathSecret, type UpdatePath } from "ts-mls/updatePath.js";
import { type Bytes, type Rng, same } from "../crypto/bytes";
import { AuthenticationError, MalformedError, StateError, ValidationError } from "../crypto/errors";
import * as hpke from "../crypto/hpke";
import type { X25519Key } from "../crypto/primitives";
import { framedBy, send, type Signed, signContent } from "./framing";
import {
  type AppliedProposals,
  applyProposals,
  attributedTo,
  checkMembers,
  noRng,
  type Psks,
  pskSecret,
  resolve,
  verifyLeaf,
} from "./proposals";
import { toExtension } from "./shapes";
import { type EpochState, enterEpoch } from "./state";
import { deriveSecret, handle, hash, kdf, macMatches, NH, suiteWith } from "./suite";
import type { Extension } from "./types";
import * as validate from "./validate";
import { must } from "./validate";
import * as rules from "./validateCommit";
import type { ResolvedProposal } from "./validateCommit";

// -- the next epoch --

/** The next state, and the two secrets that a Welcome needs. */
export interface NextEpoch {
  readonly state: EpochState;
  readonly joinerSecret: Bytes;
  readonly welcomeSecret: Bytes;
}

async function nextEpoch(
  state: EpochState,
  applied: AppliedProposals,
  privateKeys: ReadonlyMap<number, X25519Key>,
  signed: Signed,
  commitSecret: Uint8Array,
  psk: Uint8Array,
): Promise<NextEpoch> {
  if (signed.content.contentType !== "commit") throw new StateError("no commit starts an epoch");
  const context: GroupContext = {
    ...applied.context,
    epoch: state.context.epoch + 1n,
    treeHash: await treeHashRoot(applied.tree, hash),
    confirmedTranscriptHash: await createConfirmedHash(
      state.interimTranscriptHash,
      {
        wireformat: signed.private ? "mls_private_message" : "mls_public_message",
        content: signed.content,
        signature: signed.auth.signature,
      },
      hash,
    ),
  };
  const made = await initializeEpoch(state.secrets.initSecret, commitSecret, context, psk, kdf);
  const own = { ownLeaf: state.ownLeaf, signatureKey: state.signatureKey, privateKeys };
  return {
    state: await enterEpoch(
      context,
      applied.tree,
      own,
      made.keySchedule,
      made.encryptionSecret,
      applied.ended,
    ),
    joinerSecret: made.joinerSecret as Bytes,
    welcomeSecret: made.welcomeSecret as Bytes,
  };
}

/**
 * Return our private keys of nodes that the proposals kept. ValidationError MLS-12.1.2-2 for an Update of
 * ours.
 */
function remainingKeys(state: EpochState, applied: AppliedProposals, items: readonly ResolvedProposal[]): Map<number, X25519Key> {
  must(
    !items.some(({ proposal, sender }) => proposal.proposalType === "update" && sender === state.ownLeaf),
    "12.1.2-2",
    "an Update of ours whose key is not here",
  );
  return new Map([...state.privateKeys].filter(([index]) => applied.tree[index] !== undefined));
}

function dropPath(keys: Map<number, X25519Key>, leaf: number, tree: RatchetTree): void {
  for (const index of directPath(toNodeIndex(2 * leaf), leafWidth(tree.length))) keys.delete(index);
}

/** Return the encoded provisional GroupContext (section 12.4.1), the context for sealing path secrets. */
async function provisional(applied: AppliedProposals): Promise<Bytes> {
  const { tree, context } = applied;
  const treeHash = await treeHashRoot(tree, hash);
  return encodeGroupContext({ ...context, epoch: context.epoch + 1n, treeHash }) as Bytes;
}

// -- making a commit --

/** A commit of ours and the epoch that it leads to. */
export interface StagedCommit {
  readonly next: NextEpoch;
  readonly items: readonly ResolvedProposal[];
  readonly added: readonly (readonly [leaf: number, KeyPackage])[];
  readonly removed: readonly number[];
  /** In order from the bottom up; empty without a path. */
  readonly pathSecrets: readonly PathSecret[];
  readonly message: Bytes;
}

export interface StageWish {
  readonly authenticatedData: Bytes;
  readonly forcePath: boolean;
  /** Extensions of our leaf in the path; null: they stay. */
  readonly leafExtensions: readonly Extension[] | null;
  readonly private: boolean;
  readonly psks: Psks;
  readonly rng: Rng;
}

/**
 * Create a commit (section 12.4.1). Validation is complete before the handshake key is consumed.
 *
 * ValidationError if the proposals are not valid together.
 */
export async function stageCommit(
  state: EpochState,
  proposals: ProposalOrRef[],
  wish: StageWish,
): Promise<StagedCommit> {
  const { ownLeaf } = state;
  const items = await resolve(state, proposals, ownLeaf);
  rules.memberList(items, ownLeaf, state.tree);
  const psk = await pskSecret(state, rules.pskIds(items), wish.psks);
  const applied = applyProposals(state, items);
  const privateKeys = remainingKeys(state, applied, items);
  let path: UpdatePath | undefined;
  let pathSecrets: readonly PathSecret[] = [];
  let commitSecret: Uint8Array = new Uint8Array(NH);
  if (wish.forcePath || rules.needsPath(items)) {
    const excluded = applied.added.map(([leaf]) => toNodeIndex(2 * leaf));
    // ts-mls takes the new leaf's extensions from the old leaf
    const made = await createUpdatePath(
      wish.leafExtensions === null ? applied.tree : withExtensions(applied.tree, ownLeaf, wish.leafExtensions),
      toLeafIndex(ownLeaf),
      applied.context,
      handle(state.signatureKey),
      suiteWith(wish.rng),
      excluded,
    );
    [applied.tree, path, pathSecrets] = made;
    dropPath(privateKeys, ownLeaf, applied.tree);
    privateKeys.set(2 * ownLeaf, handle(made[3] as unknown as X25519Key));
    for (const { nodeIndex, secret } of pathSecrets)
      privateKeys.set(nodeIndex, await hpke.deriveKeyPair(deriveSecret(secret, "node")));
    // alone in the tree: no node above us has a path secret, and no other member needs the commit secret
    const last = pathSecrets.at(-1);
    commitSecret = last === undefined ? wish.rng(NH) : deriveSecret(last.secret, "path");
  }
  checkMembers(applied);
  const content = {
    ...framedBy(state, wish.authenticatedData),
    contentType: "commit",
    commit: { proposals, path } satisfies Commit,
  } as const;
  const unconfirmed: Signed = {
    private: wish.private,
    content,
    auth: {
      contentType: "commit",
      signature: await signContent(state, wish.private, content),
      confirmationTag: new Uint8Array(),
    },
  };
  const next = await nextEpoch(state, applied, privateKeys, unconfirmed, commitSecret, psk);
  const auth = {
    ...unconfirmed.auth,
    contentType: "commit",
    confirmationTag: next.state.confirmationTag,
  } as const;
  const message = await send(state, { ...unconfirmed, auth }, wish.rng);
  return { next, items, added: applied.added, removed: applied.removed, pathSecrets, message };
}

/** Return a copy of the tree in which a leaf has other extensions. */
function withExtensions(tree: RatchetTree, at: number, extensions: readonly Extension[]): RatchetTree {
  const copy = tree.slice();
  const leaf = rules.senderIsMember(tree, at);
  copy[2 * at] = { nodeType: "leaf", leaf: { ...leaf, extensions: extensions.map(toExtension) } };
  return copy;
}

// -- processing a commit --

/** A received, valid commit. `state` is null if it removes us, or if its path fails for us. */
export interface ProcessedCommit {
  state: EpochState | null;
  readonly sender: number;
  readonly items: readonly ResolvedProposal[];
  readonly pathLeaf: LeafNode | null;
  readonly added: readonly number[];
  readonly removed: readonly number[];
  readonly removesUs: boolean;
  pathFailure: ValidationError | null;
}

/** Process a member's commit with a verified signature (section 12.4.2). CommitError. */
export const processCommit = (
  state: EpochState,
  signed: Signed,
  commit: Commit,
  sender: number,
  psks: Psks,
): Promise<ProcessedCommit> => attributedTo(sender, () => process(state, signed, commit, sender, psks));

async function process(
  state: EpochState,
  signed: Signed,
  commit: Commit,
  sender: number,
  psks: Psks,
): Promise<ProcessedCommit> {
  const items = await resolve(state, commit.proposals, sender);
  rules.memberList(items, sender, state.tree);
  must(
    commit.path !== undefined || !rules.needsPath(items),
    "12.4-1",
    "a commit lacks the path that it needs",
  );
  const applied = applyProposals(state, items);
  const excluded = applied.added.map(([leaf]) => 2 * leaf);
  if (commit.path !== undefined) {
    await checkPath(state, applied.tree, sender, commit.path, excluded);
    applied.tree = await mergePath(applied.tree, sender, commit.path);
  }
  checkMembers(applied);
  const outcome: ProcessedCommit = {
    state: null,
    sender,
    items,
    pathLeaf: commit.path?.leafNode ?? null,
    added: applied.added.map(([leaf]) => leaf),
    removed: applied.removed,
    removesUs: applied.removed.includes(state.ownLeaf),
    pathFailure: null,
  };
  if (outcome.removesUs) return outcome;
  const psk = await pskSecret(state, rules.pskIds(items), psks);
  let share: readonly [ReadonlyMap<number, X25519Key>, Uint8Array];
  try {
    // other members cannot see a failure here: blame nobody
    const keys = remainingKeys(state, applied, items);
    share =
      commit.path === undefined
        ? [keys, new Uint8Array(NH)]
        : await openPath(state, applied, keys, sender, commit.path, excluded);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    outcome.pathFailure = error;
    return outcome;
  }
  const next = await nextEpoch(state, applied, share[0], signed, share[1], psk);
  next.joinerSecret.fill(0);
  next.welcomeSecret.fill(0);
  const { context, secrets } = next.state;
  const tag = signed.auth.contentType === "commit" ? signed.auth.confirmationTag : new Uint8Array();
  must(
    macMatches(secrets.confirmationKey, context.confirmedTranscriptHash, tag),
    "12.4.2-3",
    "the confirmation tag is wrong",
  );
  outcome.state = next.state;
  return outcome;
}

async function checkPath(
  state: EpochState,
  tree: RatchetTree,
  sender: number,
  path: UpdatePath,
  excluded: readonly number[],
): Promise<void> {
  const leaf: LeafNode = path.leafNode;
  must(leaf.leafNodeSource === "commit", "7.3-10", "the leaf of a commit's path is not of that source");
  validate.newEncryptionKey(leaf, rules.senderIsMember(tree, sender));
  await verifyLeaf(leaf, state.context.groupId, sender);
  for (const node of [leaf, ...path.nodes]) validate.usableKey(node.hpkePublicKey);
  rules.pathKeysNew(tree, path);
  const filtered = filteredDirectPathAndCopathResolution(toLeafIndex(sender), tree);
  must(
    path.nodes.length === filtered.length,
    "7.6-1",
    `an update path of ${path.nodes.length} nodes, not ${filtered.length}`,
  );
  filtered.forEach(({ resolution }, i) =>
    must(
      path.nodes[i]?.encryptedPathSecret.length === receivers(resolution, excluded).length,
      "7.6-2",
      "a path secret is not sealed once to each receiver",
    ),
  );
}

/** Return the receivers of a path secret: the resolution of the copath child without the new leaves. */
const receivers = (resolution: readonly number[], excluded: readonly number[]): readonly number[] =>
  resolution.filter((index) => !excluded.includes(index));

/**
 * Merge a received update path into the tree (section 7.5). After `checkPath`, only the parent hash can be
 * wrong.
 */
async function mergePath(tree: RatchetTree, sender: number, path: UpdatePath): Promise<RatchetTree> {
  try {
    return await applyUpdatePath(tree, toLeafIndex(sender), path, hash);
  } catch {
    throw new ValidationError("MLS-7.9.2-2", "the parent hash of a path's leaf does not match the path");
  }
}

/**
 * Decrypt our share of a merged path: [our private keys in the new tree, commit secret], section 7.5.
 *
 * ValidationError MLS-7.5-1 if no path secret can be decrypted, MLS-7.5-2 if the decrypted secret does not
 * lead to the keys of the path.
 */
async function openPath(
  state: EpochState,
  applied: AppliedProposals,
  keys: Map<number, X25519Key>,
  sender: number,
  path: UpdatePath,
  excluded: readonly number[],
): Promise<readonly [ReadonlyMap<number, X25519Key>, Uint8Array]> {
  const { tree } = applied;
  const filtered = filteredDirectPathAndCopathResolution(toLeafIndex(sender), tree);
  const start = filtered.findIndex(({ nodeIndex }) => validate.isBelow(2 * state.ownLeaf, nodeIndex));
  const covered = receivers(filtered[start]?.resolution ?? [], excluded);
  const place = covered.findIndex((index) => keys.has(index));
  const key = keys.get(covered[place] ?? -1);
  const sealed = path.nodes[start]?.encryptedPathSecret[place];
  must(key !== undefined && sealed !== undefined, "7.5-1", "no path secret is sealed to a key of ours");
  let secret: Uint8Array;
  try {
    const { hpke } = suiteWith(noRng);
    const { kemOutput, ciphertext } = sealed;
    const context = await provisional(applied);
    secret = await decryptWithLabel(handle(key), "UpdatePathNode", context, kemOutput, ciphertext, hpke);
  } catch (error) {
    if (!(error instanceof AuthenticationError || error instanceof MalformedError)) throw error;
    throw new ValidationError("MLS-7.5-1", "the path secret sealed to us does not open");
  }
  const [opened, commitSecret] = await deriveUpwards(
    tree,
    filtered.slice(start).map(({ nodeIndex }) => nodeIndex),
    secret,
  );
  dropPath(keys, sender, tree);
  return [new Map([...keys, ...opened]), commitSecret];
}

/**
 * Derive the private keys of `nodes` from the lowest node's path secret, and the secret above them.
 *
 * ValidationError MLS-7.5-2 if a key differs from that in the tree.
 */
export async function deriveUpwards(
  tree: RatchetTree,
  nodes: readonly number[],
  secret: Uint8Array,
): Promise<readonly [ReadonlyMap<number, X25519Key>, Uint8Array]> {
  const keys = new Map<number, X25519Key>();
  let current = secret;
  for (const index of nodes) {
    const pair = await hpke.deriveKeyPair(deriveSecret(current, "node"));
    const node = tree[index];
    must(
      node?.nodeType === "parent" && same(node.parent.hpkePublicKey, pair.public),
      "7.5-2",
      "a path secret is not that of its node's key",
    );
    keys.set(index, pair);
    const following = deriveSecret(current, "path");
    current.fill(0);
    current = following;
  }
  return [keys, current];
}
