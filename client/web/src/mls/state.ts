/** A member's state in one epoch. */

import { encodeGroupContext, type GroupContext } from "ts-mls/groupContext.js";
import type { KeySchedule } from "ts-mls/keySchedule.js";
import type { RatchetTree } from "ts-mls/ratchetTree.js";
import { createInterimHash } from "ts-mls/transcriptHash.js";
import { leafWidth } from "ts-mls/treemath.js";
import type { Bytes } from "../crypto/bytes";
import { mac } from "../crypto/kdf";
import type { X25519Key } from "../crypto/primitives";
import { SecretTree } from "./secrets";
import { hash } from "./suite";
import type { SignatureKey } from "./types";
import type { ResolvedProposal } from "./validateCommit";

/** Number of past epochs whose application messages can still be opened. */
export const PAST_EPOCHS = 1;
/** Maximum number of stored proposals. */
export const STORED_PROPOSALS = 1000;

/** Keys that open messages of an epoch. */
export interface OpenEpoch {
  readonly context: GroupContext;
  readonly encodedContext: Bytes;
  readonly tree: RatchetTree;
  readonly senderDataSecret: Bytes;
  readonly secretTree: SecretTree;
  /** Leaf indices of that epoch that have since been removed: their messages are rejected. */
  readonly departed: Set<number>;
}

/** One epoch of one member. Adopting a commit replaces it as a whole. */
export interface EpochState {
  readonly context: GroupContext;
  readonly encodedContext: Bytes;
  readonly tree: RatchetTree;
  readonly ownLeaf: number;
  readonly signatureKey: SignatureKey;
  /** HPKE keys by node index: that of our leaf, and those of its known parents. */
  readonly privateKeys: ReadonlyMap<number, X25519Key>;
  readonly secrets: KeySchedule;
  readonly secretTree: SecretTree;
  readonly confirmationTag: Bytes;
  readonly interimTranscriptHash: Bytes;
  /** Proposals of this epoch, by `hex(reference)`. */
  readonly proposals: Map<string, ResolvedProposal>;
  /** Keys of past epochs, the latest first. */
  past: readonly OpenEpoch[];
  /** The leaf that signed the Welcome, in the epoch that we joined with it. */
  welcomedBy: number | null;
  /** Whether the commit that started this epoch ended the group by a ReInit. */
  readonly ended: boolean;
}

/** Return the state of an epoch derived from its secrets, including its confirmation tag. */
export async function enterEpoch(
  context: GroupContext,
  tree: RatchetTree,
  own: Pick<EpochState, "ownLeaf" | "signatureKey" | "privateKeys">,
  secrets: KeySchedule,
  encryptionSecret: Uint8Array,
  ended = false,
): Promise<EpochState> {
  const confirmed = context.confirmedTranscriptHash;
  const confirmationTag = mac(secrets.confirmationKey, confirmed);
  return {
    ...own,
    context,
    encodedContext: encodeGroupContext(context) as Bytes,
    tree,
    secrets,
    secretTree: new SecretTree(leafWidth(tree.length), encryptionSecret as Bytes),
    confirmationTag,
    interimTranscriptHash: (await createInterimHash(confirmed, confirmationTag, hash)) as Bytes,
    proposals: new Map(),
    past: [],
    welcomedBy: null,
    ended,
  };
}

/** Return the keys that open messages of this epoch; `departed` are leaf indices removed since. */
export const openEpoch = (state: EpochState, departed: Iterable<number> = []): OpenEpoch => ({
  context: state.context,
  encodedContext: state.encodedContext,
  tree: state.tree,
  senderDataSecret: state.secrets.senderDataSecret as Bytes,
  secretTree: state.secretTree,
  departed: new Set(departed),
});

/** Overwrite an epoch's secrets with zeros. */
export function wipeSecrets(secrets: KeySchedule): void {
  for (const secret of Object.values(secrets) as Uint8Array[]) secret.fill(0);
}

/** Delete all secrets of a state that is no longer used. */
export function wipeState(state: EpochState): void {
  state.secretTree.wipe();
  for (const past of state.past) wipePast(past);
  wipeSecrets(state.secrets);
  state.proposals.clear();
  state.past = [];
}

export function wipePast(past: OpenEpoch): void {
  past.secretTree.wipe();
  past.senderDataSecret.fill(0);
}
