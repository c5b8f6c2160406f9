/** What a member wants to commit, until it has: an intent is staged anew on every epoch until it is done. */
import { type Bytes, same } from "../crypto/bytes";
import type { HostReturn, Policy } from "../crypto/roomState";
import type { KeyPackage } from "../mls";

/** Admit who knocked by `invite`. `knock` is the host lobby's number for it. */
export interface AddIntent {
  readonly type: "AddIntent";
  readonly knock: number;
  readonly keyPackage: KeyPackage;
  readonly invite: number;
  readonly name: string;
}

/** Put a member whose state is lost back in place of its old leaf. */
export interface RejoinIntent {
  readonly type: "RejoinIntent";
  readonly knock: number;
  readonly keyPackage: KeyPackage;
  readonly ticket: Bytes;
  readonly name: string;
}

/** Let a host that has crashed in again (SNUG-9). `knock` is the number under which it is answered. */
export interface ReturnIntent {
  readonly type: "ReturnIntent";
  readonly knock: number;
  readonly keyPackage: KeyPackage;
  readonly hostReturn: HostReturn;
  readonly name: string;
}

/** Remove a member: the leaf, and the key that it had when that was decided. */
export interface RemoveIntent {
  readonly type: "RemoveIntent";
  readonly leaf: number;
  readonly signatureKey: Bytes;
}

/** Change the policy; `change` gives the next version, or null where nothing is left to do. */
export interface PolicyIntent {
  readonly type: "PolicyIntent";
  /** CommandError where it can't be done any more. */
  readonly change: (policy: Policy) => Policy | null;
}

/** Commit the Remove that a leaving member has proposed of itself. */
export interface FarewellIntent {
  readonly type: "FarewellIntent";
  readonly leaf: number;
  readonly reference: Bytes;
  /** The MLSMessage, carried along with the commit. */
  readonly proposal: Bytes;
}

/** An empty commit: fresh keys for its author. */
export interface HealIntent {
  readonly type: "HealIntent";
  readonly epoch: number;
}

/** Those that let somebody in, and are answered. */
export type EntryIntent = AddIntent | RejoinIntent | ReturnIntent;
export type Intent = EntryIntent | RemoveIntent | PolicyIntent | FarewellIntent | HealIntent;

export const letsIn = (intent: Intent): intent is EntryIntent =>
  intent.type === "AddIntent" || intent.type === "RejoinIntent" || intent.type === "ReturnIntent";

/** Whether both want the same of a farewell (the only kind that is told of more than once). */
export const sameFarewell = (one: Intent, other: Intent): boolean =>
  one === other ||
  (one.type === "FarewellIntent" &&
    other.type === "FarewellIntent" &&
    one.leaf === other.leaf &&
    same(one.reference, other.reference) &&
    same(one.proposal, other.proposal));
