/** The proposals of the commit for each intent. */
import { type Bytes, type Rng, hex, same } from "../../crypto/bytes";
import type { Ledger } from "../../crypto/agreed/ledger";
import type { Policy } from "../../crypto/agreed/roomState";
import * as mls from "../../mls";
import { type EntryIntent, type Intent, letsIn, type PolicyIntent } from "./intents";
import type { Journal } from "./journal";
import { load } from "./load";

/** The state of a room that proposals depend on: `Membership` has it. */
export interface State {
  readonly group: mls.Group;
  readonly policy: Policy;
  readonly ledger: Ledger;
  readonly journal: Journal;
  signatureKey(leaf: number): Bytes | null;
  leafOf(key: Bytes): number | null;
}

/** What a commit contains. */
export interface Built {
  /** The intents that it carries out. */
  readonly intents: readonly Intent[];
  readonly proposals: readonly mls.Proposal[];
  readonly references?: readonly Bytes[];
  readonly carried?: readonly Bytes[];
  readonly invites?: readonly number[];
  readonly makeWelcome?: mls.StageOptions["makeWelcome"];
}

/** Return the content of the commit for an intent or for several newcomers; null if nothing is to do. */
export async function proposalsFor(state: State, wanted: readonly Intent[], rng: Rng): Promise<Built | null> {
  const [intent] = wanted;
  if (intent === undefined) return null;
  if (!letsIn(intent) && intent.type !== "PolicyIntent") {
    const content = contentFor(state, intent);
    return content && { intents: wanted, ...content };
  }
  return (await load()).hostProposals(state, wanted, rng);
}

type Content = Omit<Built, "intents">;

function contentFor(state: State, intent: Exclude<Intent, EntryIntent | PolicyIntent>): Content | null {
  switch (intent.type) {
    case "RemoveIntent": {
      const key = state.signatureKey(intent.leaf);
      if (key === null || !same(key, intent.signatureKey)) return null;
      return { proposals: [mls.remove(intent.leaf)] };
    }
    case "WithdrawIntent":
      return state.ledger.awayMember(intent.signatureKey) === null ? null : { proposals: [] };
    case "SelfRemoveIntent":
      if (state.signatureKey(intent.leaf) === null || !state.group.storedProposals.has(hex(intent.reference)))
        return null;
      return { proposals: [], references: [intent.reference], carried: [intent.proposal] };
    case "HealIntent":
      return intent.epoch === state.group.epoch ? { proposals: [] } : null;
  }
}
