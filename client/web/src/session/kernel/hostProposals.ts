/** The proposals of commits that let somebody in, or change the policy. */
import { type Rng, among, same } from "../../crypto/bytes";
import { LINK_PSK_ID } from "../../crypto/agreed/policy";
import { TREE_INSIDE_MAX } from "../../crypto/entry/pieces";
import { POLICY_EXTENSION, type Policy, RejoinTicket } from "../../crypto/agreed/roomState";
import * as mls from "../../mls";
import { makeWelcome as make } from "../../mls/makeWelcome";
import { isAdd } from "./batches";
import type { HostReturnIntent, Intent, RejoinIntent } from "./intents";
import type { Built, State } from "./proposals";

type Proposals = readonly mls.Proposal[];

const makeWelcome: Built["makeWelcome"] = (staged, random) => make(staged, random, TREE_INSIDE_MAX);

/** Return the content of the commit for one of these intents, or for several newcomers; null if nothing is to do. */
export function hostProposals(state: State, wanted: readonly Intent[], rng: Rng): Built | null {
  const [intent] = wanted;
  const link = mls.externalPsk(LINK_PSK_ID, rng);
  const alone = (proposals: Proposals | null): Built | null => proposals && { intents: wanted, proposals, makeWelcome };
  if (intent?.type === "RejoinIntent") return alone(rejoin(state, intent, link));
  if (intent?.type === "ReplaceIntent") {
    const [there, key] = [state.signatureKey(intent.leaf), intent.keyPackage.leafNode.signatureKey];
    if (there === null || !same(there, intent.signatureKey) || state.leafOf(key) !== null) return null;
    const replaced = alone([mls.remove(intent.leaf), link, mls.add(intent.keyPackage)]);
    return replaced && { ...replaced, invites: [intent.invite] };
  }
  if (intent?.type === "HostReturnIntent") return alone(hostReturn(state, intent, link));
  if (intent?.type === "PolicyIntent") {
    const changed = intent.change(state.policy);
    return alone(changed && [withPolicy(state, changed)]);
  }
  // one PSK for all newcomers (SNUG-10), without those who are members already
  const intents = wanted.filter(isAdd).filter((each) => state.leafOf(each.keyPackage.leafNode.signatureKey) === null);
  if (intents.length === 0) return null;
  const proposals = [link, ...intents.map((each) => mls.add(each.keyPackage))];
  return { intents, proposals, makeWelcome, invites: intents.map(({ invite }) => invite) };
}

function rejoin(state: State, intent: RejoinIntent, link: mls.Proposal): Proposals | null {
  const { signatureKey } = intent.keyPackage.leafNode;
  const leaf = state.leafOf(signatureKey);
  const ticket = RejoinTicket.decode(intent.ticket);
  if (leaf === null && state.ledger.awayMember(signatureKey) === null) return null;
  if (state.ledger.rejoins.some((each) => same(each.nonce, ticket.nonce))) return null;
  return [...(leaf === null ? [] : [mls.remove(leaf)]), link, mls.add(intent.keyPackage)];
}

function withPolicy(state: State, changed: Policy): mls.Proposal {
  const kept = state.group.extensions.slice(0, 1);
  return mls.groupContextExtensions([...kept, { extensionType: POLICY_EXTENSION, data: changed.encode() }]);
}

/** Put the returning host's new leaf in place of the host's leaf of that name; null if there is none. */
function hostReturn(state: State, intent: HostReturnIntent, link: mls.Proposal): Proposals | null {
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
  return [mls.remove(old.leaf), link, mls.add(intent.keyPackage), withPolicy(state, changed)];
}
