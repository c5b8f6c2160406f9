/** Convert objects of `mls` to the plain facts that `crypto/agreed/policy` judges. */

import type { Bytes } from "../../crypto/bytes";
import { H, type SigningKey } from "../../crypto/kdf";
import { CommitView, type ExtensionView, type LeafView, proposal as fact, type ProposalView } from "../../crypto/agreed/commitView";
import type { Ledger } from "../../crypto/agreed/ledger";
import { type Policy, REJOIN_EXTENSION, REJOIN_KEY_EXTENSION } from "../../crypto/agreed/roomState";
import type * as mls from "../../mls";

/** Return the contents of the extension of that type; null without one. */
const dataOf = (extensions: readonly mls.Extension[], type: number): Bytes | null =>
  extensions.find(({ extensionType }) => extensionType === type)?.data ?? null;

/** Return the extension of a leaf that names its rejoin key. */
export const rejoinKeyExtension = (key: SigningKey): mls.Extension => ({
  extensionType: REJOIN_KEY_EXTENSION,
  data: key.public,
});

const views = new WeakMap<mls.LeafNode, LeafView>();

/** Return the facts of a leaf; the same object for the same leaf. */
export function leafView(leaf: mls.LeafNode): LeafView {
  let view = views.get(leaf);
  if (view === undefined) {
    view = {
      signatureKey: leaf.signatureKey,
      identity: leaf.credential.identity,
      encryptionKey: leaf.encryptionKey,
      capabilities: leaf.encodedCapabilities,
      extensions: leaf.encodedExtensions(REJOIN_KEY_EXTENSION),
      rejoinKey: dataOf(leaf.extensions, REJOIN_KEY_EXTENSION) ?? new Uint8Array(),
    };
    views.set(leaf, view);
  }
  return view;
}

const pairs = (extensions: readonly mls.Extension[]): readonly ExtensionView[] =>
  extensions.map((each) => [each.extensionType, each.data] as const);

/** Return the encoded rejoin ticket of a KeyPackage; null without one. */
export const ticketOf = ({ extensions }: mls.KeyPackage): Bytes | null => dataOf(extensions, REJOIN_EXTENSION);

/** Return the facts of one proposal. */
export function proposalView(
  proposal: mls.Proposal,
  sender: number | null,
  byReference = false,
): ProposalView {
  switch (proposal.type) {
    case "Add": {
      const { leafNode, encoded, initKey, cipherSuite, version } = proposal.keyPackage;
      const ticket = ticketOf(proposal.keyPackage);
      const added = { added: leafView(leafNode), package: H(encoded), initKey, ticket, suite: cipherSuite, version };
      return fact("add", sender, { byReference, ...added });
    }
    case "Remove":
      return fact("remove", sender, { byReference, removed: proposal.removed });
    case "PreSharedKey": {
      const { psk } = proposal;
      const known = psk.type === "ExternalPsk" ? { pskExternal: true, pskId: psk.pskId } : {};
      return fact("psk", sender, { byReference, ...known });
    }
    case "GroupContextExtensions":
      return fact("gce", sender, { byReference, extensions: pairs(proposal.extensions) });
    case "Update":
      return fact("update", sender, { byReference });
    case "ReInit":
      return fact("reinit", sender, { byReference });
    case "ExternalInit":
      return fact("external_init", sender, { byReference });
  }
}

/** The parts of a `PriorState`. */
export interface GroundFacts {
  readonly members: ReadonlyMap<number, LeafView>;
  readonly policy: Policy;
  readonly extensions: readonly ExtensionView[];
  readonly groupId: Bytes;
  readonly suite: number;
  readonly room: Bytes;
  /** The slot that the commit would take. */
  readonly slot: number;
  /** The chain before that slot. */
  readonly chain: Bytes;
  readonly ledger: Ledger;
}

/** The state that a commit is judged against: this member's, before the commit. */
export class PriorState {
  constructor(readonly facts: GroundFacts) {}

  get members(): ReadonlyMap<number, LeafView> {
    return this.facts.members;
  }

  get slot(): number {
    return this.facts.slot;
  }

  get chain(): Bytes {
    return this.facts.chain;
  }

  /** Return the view of a commit against this state. */
  view(commit: {
    readonly sender: number | null;
    readonly proposals: readonly ProposalView[];
    readonly pathLeaf: LeafView | null;
    readonly authenticatedData: Bytes;
    readonly private?: boolean;
  }): CommitView {
    return new CommitView({ ...this.facts, private: true, ...commit });
  }

  /** Return the view of another member's commit. */
  ofCandidate(commit: mls.CandidateCommit): CommitView {
    return this.view({
      sender: commit.sender,
      proposals: commit.proposals.map((p) => proposalView(p.proposal, p.sender, p.byReference)),
      pathLeaf: commit.pathLeaf === null ? null : leafView(commit.pathLeaf),
      authenticatedData: commit.authenticatedData,
      private: commit.private,
    });
  }
}

/** Return the members' views by leaf. */
export const namesOf = (members: readonly mls.Member[]): ReadonlyMap<number, LeafView> =>
  new Map(members.map(({ leaf, leafNode }) => [leaf, leafView(leafNode)]));
