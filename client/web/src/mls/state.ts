/** All that a member knows in one epoch. */

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
import type { Item } from "./validateCommit";

/** Epochs before the present one whose application messages are still opened. */
export const PAST_EPOCHS = 1;
/** Proposals that are held for later commits, at most. */
export const STORED_PROPOSALS = 1000;

/** What opens messages of an epoch. */
export interface OpenEpoch {
  readonly context: GroupContext;
  readonly encodedContext: Bytes;
  readonly tree: RatchetTree;
  readonly senderDataSecret: Bytes;
  readonly secretTree: SecretTree;
  /** Leaf indices of that epoch that have been removed since: nothing of theirs is opened. */
  readonly departed: Set<number>;
}

/** One epoch of one member. Replaced as a whole when a commit is adopted. */
export interface EpochState {
  readonly context: GroupContext;
  readonly encodedContext: Bytes;
  readonly tree: RatchetTree;
  readonly ownLeaf: number;
  readonly signatureKey: SignatureKey;
  /** HPKE keys by node index: our leaf's, and those of the parents that we know. */
  readonly privateKeys: ReadonlyMap<number, X25519Key>;
  readonly secrets: KeySchedule;
  readonly secretTree: SecretTree;
  readonly confirmationTag: Bytes;
  readonly interimTranscriptHash: Bytes;
  /** Proposals of this epoch, by `hex(reference)`. */
  readonly proposals: Map<string, Item>;
  /** The latest first. */
  past: readonly OpenEpoch[];
  /** The leaf that signed the Welcome, in the epoch that we entered by it. */
  welcomedBy: number | null;
  /** Set when the commit that started this epoch ended the group by a ReInit. */
  readonly ended: boolean;
}

/** The state of an epoch from its secrets, with the confirmation tag that follows. */
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

/** What of an epoch opens its messages. */
export const openEpoch = (state: EpochState, departed: Iterable<number> = []): OpenEpoch => ({
  context: state.context,
  encodedContext: state.encodedContext,
  tree: state.tree,
  senderDataSecret: state.secrets.senderDataSecret as Bytes,
  secretTree: state.secretTree,
  departed: new Set(departed),
});

/** Overwrite an epoch's secrets. */
export function wipeSecrets(secrets: KeySchedule): void {
  for (const secret of Object.values(secrets) as Uint8Array[]) secret.fill(0);
}

/** Drop every secret of a state that is in nobody's use any more. */
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
