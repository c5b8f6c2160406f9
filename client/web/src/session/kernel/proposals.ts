/** The proposals of the commit for each intent. */
import { type Bytes, type Rng, among, hex, same } from "../../crypto/bytes";
import * as policy from "../../crypto/agreed/policy";
import type { Ledger } from "../../crypto/agreed/ledger";
import { POLICY_EXTENSION, type Policy, RejoinTicket } from "../../crypto/agreed/roomState";
import * as mls from "../../mls";
import type { HostReturnIntent, Intent } from "./intents";
import type { Journal } from "./journal";

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
  readonly proposals: readonly mls.Proposal[];
  readonly references?: readonly Bytes[];
  readonly carried?: readonly Bytes[];
  readonly invites?: readonly number[];
}

/** Return the content of the commit for an intent; null if nothing is left to do. */
export function proposalsFor(state: State, intent: Intent, rng: Rng): Built | null {
  const link = mls.externalPsk(policy.LINK_PSK_ID, rng);
  switch (intent.type) {
    case "AddIntent":
      if (state.leafOf(intent.keyPackage.leafNode.signatureKey) !== null) return null;
      return { proposals: [link, mls.add(intent.keyPackage)], invites: [intent.invite] };
    case "RejoinIntent": {
      const leaf = state.leafOf(intent.keyPackage.leafNode.signatureKey);
      const ticket = RejoinTicket.decode(intent.ticket);
      if (leaf === null || state.ledger.rejoins.some((each) => same(each.nonce, ticket.nonce))) return null;
      return { proposals: [mls.remove(leaf), link, mls.add(intent.keyPackage)] };
    }
    case "HostReturnIntent":
      return hostReturn(state, intent, link);
    case "RemoveIntent": {
      const key = state.signatureKey(intent.leaf);
      if (key === null || !same(key, intent.signatureKey)) return null;
      return { proposals: [mls.remove(intent.leaf)] };
    }
    case "PolicyIntent": {
      const changed = intent.change(state.policy);
      return changed === null ? null : { proposals: [withPolicy(state, changed)] };
    }
    case "SelfRemoveIntent":
      if (state.signatureKey(intent.leaf) === null || !state.group.storedProposals.has(hex(intent.reference)))
        return null;
      return { proposals: [], references: [intent.reference], carried: [intent.proposal] };
    case "HealIntent":
      return intent.epoch === state.group.epoch ? { proposals: [] } : null;
  }
}

function withPolicy(state: State, changed: Policy): mls.Proposal {
  const kept = state.group.extensions.slice(0, 1);
  return mls.groupContextExtensions([...kept, { extensionType: POLICY_EXTENSION, data: changed.encode() }]);
}

/** Put the returning host's new leaf in place of the host's leaf of that name; null if there is none. */
function hostReturn(state: State, intent: HostReturnIntent, link: mls.Proposal): Built | null {
  const leaf = intent.keyPackage.leafNode;
  const old = state.group
    .members()
    .find(
      ({ leafNode }) =>
        among(leafNode.signatureKey, state.policy.hosts) &&
        same(leafNode.credential.identity, leaf.credential.identity),
    );
  if (old === undefined || same(old.leafNode.signatureKey, leaf.signatureKey)) return null;
  const without = state.policy.withoutHost(old.leafNode.signatureKey);
  const changed = without.withHost(leaf.signatureKey).with({ version: state.policy.version + 1 });
  return { proposals: [mls.remove(old.leaf), link, mls.add(intent.keyPackage), withPolicy(state, changed)] };
}
