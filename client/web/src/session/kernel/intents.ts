/** A member's pending commits: an intent is staged anew in every epoch until it is done. */
import { type Bytes, same } from "../../crypto/bytes";
import type { PendingAct } from "../../crypto/agreed/heartbeat";
import type { HostReturn, Policy } from "../../crypto/agreed/roomState";
import type { KeyPackage } from "../../mls";

/** A newcomer's knock in our lobby as a host, under the number that the host is told. */
export interface NewcomerKnock {
  readonly type: "NewcomerKnock";
  readonly number: number;
}

/** A knock of a member out of step in our lobby as a host; no person is told the number. */
export interface MemberKnock {
  readonly type: "MemberKnock";
  readonly number: number;
}

/**
 * A request under the key that members have, of a returning host or of a member out of step.
 *
 * A host is told the number of a returning host.
 */
export interface MembersRequest {
  readonly type: "MembersRequest";
  readonly number: number;
}

/** What an answer is for. Newcomers and returning hosts have numbers of one series. */
export type Knock = NewcomerKnock | MemberKnock | MembersRequest;

/** Admit the newcomer who knocked by `invite`. */
export interface AddIntent {
  readonly type: "AddIntent";
  readonly knock: NewcomerKnock;
  readonly keyPackage: KeyPackage;
  readonly invite: number;
  readonly name: string;
}

/** Admit a newcomer in place of a silent member with its name, by that one's leaf and signature key. */
export interface ReplaceIntent extends Omit<AddIntent, "type"> {
  readonly type: "ReplaceIntent";
  readonly leaf: number;
  readonly signatureKey: Bytes;
}

/** Put a member that has lost its state back in place of its old leaf. */
export interface RejoinIntent {
  readonly type: "RejoinIntent";
  readonly knock: MemberKnock | MembersRequest;
  readonly keyPackage: KeyPackage;
  readonly ticket: Bytes;
  readonly name: string;
}

/** Let a crashed host in again (SNUG-9). */
export interface HostReturnIntent {
  readonly type: "HostReturnIntent";
  readonly knock: MembersRequest;
  readonly keyPackage: KeyPackage;
  readonly hostReturn: HostReturn;
  readonly name: string;
}

/** Remove a member, by its leaf and the signature key that the leaf had at the decision. */
export interface RemoveIntent {
  readonly type: "RemoveIntent";
  readonly leaf: number;
  readonly signatureKey: Bytes;
  /** Because the member is away: its invite stays valid, and its ticket lets it in. */
  readonly absent?: boolean;
}

/** End the way back of a member that was removed for absence. */
export interface WithdrawIntent {
  readonly type: "WithdrawIntent";
  readonly signatureKey: Bytes;
}

/** Change the policy; `change` returns the next version, or null if nothing is left to do. */
export interface PolicyIntent {
  readonly type: "PolicyIntent";
  /** Throws CommandError if the change is no longer possible. */
  readonly change: (policy: Policy) => Policy | null;
  /** As heartbeats name it while it waits. */
  readonly act?: PendingAct;
}

/** Commit a leaving member's Remove proposal of itself. */
export interface SelfRemoveIntent {
  readonly type: "SelfRemoveIntent";
  readonly leaf: number;
  readonly reference: Bytes;
  /** The MLSMessage, carried along with the commit. */
  readonly proposal: Bytes;
}

/** Make an empty commit: fresh keys for its author. */
export interface HealIntent {
  readonly type: "HealIntent";
  readonly epoch: number;
}

/** Intents that admit somebody, and are answered in the lobby. */
export type EntryIntent = AddIntent | ReplaceIntent | RejoinIntent | HostReturnIntent;
export type Intent = EntryIntent | RemoveIntent | WithdrawIntent | PolicyIntent | SelfRemoveIntent | HealIntent;

export const letsIn = (intent: Intent): intent is EntryIntent =>
  ["AddIntent", "ReplaceIntent", "RejoinIntent", "HostReturnIntent"].includes(intent.type);

/** Return whether both intents are one, or are about the same member (a leaver may be reported more than once). */
export const sameRemoval = (one: Intent, other: Intent): boolean =>
  one === other ||
  (one.type === "RemoveIntent" &&
    other.type === "RemoveIntent" &&
    one.leaf === other.leaf &&
    same(one.signatureKey, other.signatureKey)) ||
  (one.type === "WithdrawIntent" &&
    other.type === "WithdrawIntent" &&
    same(one.signatureKey, other.signatureKey)) ||
  (one.type === "SelfRemoveIntent" &&
    other.type === "SelfRemoveIntent" &&
    one.leaf === other.leaf &&
    same(one.reference, other.reference) &&
    same(one.proposal, other.proposal));
