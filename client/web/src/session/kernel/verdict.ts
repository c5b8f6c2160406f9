/** The verdicts on a commit, and the changes by an adopted one. */
import { type Bytes, hex } from "../../crypto/bytes";
import { ValidationError } from "../../crypto/errors";
import * as policy from "../../crypto/agreed/policy";
import { CommitView } from "../../crypto/agreed/commitView";
import type { Policy } from "../../crypto/agreed/roomState";
import type * as mls from "../../mls";
import { type Sentence, sentence } from "../../words/sentence";
import { ruled } from "../catalogue/reasons";
import type { Intent } from "./intents";

/** A commit that passed every check. */
export interface Valid {
  readonly type: "Valid";
  readonly candidate: mls.CandidateCommit;
  readonly view: CommitView;
  readonly removesUs: boolean;
}

/** A void slot: the epoch stays. `author` is the leaf that signed it; null if none did. */
export interface Void {
  readonly type: "Void";
  readonly author: number | null;
  readonly rule: string;
  readonly text: Sentence;
}

/** The commit passes every check, but this member alone cannot read its path secret. */
export interface Stuck {
  readonly type: "Stuck";
  readonly author: number | null;
  readonly text: string;
}

/** Our own commit, made but not yet accepted in a slot. */
export interface Staged {
  readonly type: "Staged";
  /** Several: newcomers whom it adds together. */
  readonly intents: readonly Intent[];
  readonly slot: number;
  readonly blob: Bytes;
  readonly stage: mls.Stage;
  readonly view: CommitView;
}

interface Named {
  readonly leaf: number;
  readonly name: string;
}

export interface Added extends Named {
  /** At a rejoin, of its first entry. */
  readonly invite: number | null;
}

export interface Gone extends Named {
  /** The removed member's signature key. */
  readonly key: Bytes;
}

/** The changes by an adopted commit. */
export interface Change {
  readonly by: number;
  readonly added: readonly Added[];
  readonly removed: readonly Gone[];
  /** A member's new leaf has replaced its old one. */
  readonly rejoined: boolean;
  readonly policyBefore: Policy;
  readonly policyAfter: Policy;
  /** Removed leaves that proposed it themselves. */
  readonly left: ReadonlySet<number>;
  /** A host has come back by the return key (SNUG-9). */
  readonly returned: boolean;
  /** The hosts' keys have changed. */
  readonly rotated: boolean;
  /** At a rejoin: the slot of the commit that the member could not read. */
  readonly stuckSlot: number | null;
  /** The added member was one before: a host had removed it for absence. */
  readonly back: boolean;
  /** A host has put the added member in the place of the removed one, who was silent. */
  readonly replaced: boolean;
  /** Names of absent members whose ways back a host has ended. */
  readonly withdrawn: readonly string[];
}

export const nothing = (author: number | null, rule: string, text: Sentence): Void => ({
  type: "Void",
  author,
  rule,
  text,
});

/** Return the verdict on a commit that breaks a rule, in a blob that `author` has signed; null if it breaks none. */
export async function voidBy(
  author: number,
  commit: mls.CandidateCommit,
  view: CommitView,
  carried: ReadonlySet<string>,
): Promise<Void | null> {
  try {
    selfContained(commit, carried);
    await policy.judgeCommit(view);
  } catch (error) {
    if (error instanceof ValidationError) return nothing(author, error.rule, ruled(error));
    throw error;
  }
  return commit.sender === author ? null : nothing(author, "SNUG-2", sentence("room.void_of_another"));
}

/**
 * ValidationError("SNUG-3") if a commit references a proposal that its blob does not carry.
 *
 * Only members that have the proposal from elsewhere could read the commit: the room would split.
 */
function selfContained(commit: mls.CandidateCommit, carried: ReadonlySet<string>): void {
  for (const item of commit.proposals)
    if (item.byReference && (item.reference === null || !carried.has(hex(item.reference))))
      throw new ValidationError("SNUG-3", "the commit names a proposal that it does not carry");
}
