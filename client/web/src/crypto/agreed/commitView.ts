/** The facts of a commit that the rules of `policy` compare. */

import { type Arg, sentence } from "../../words/sentence";
import type { Bytes } from "../bytes";
import { MalformedError, ValidationError } from "../errors";
import type { Away, Ledger } from "./ledger";
import { CommitContext, type Policy } from "./roomState";

export const MLS10 = 1;

export type ProposalKind = "add" | "update" | "remove" | "psk" | "reinit" | "external_init" | "gce" | "other";

/** The properties of a leaf that the rules compare. */
export interface LeafView {
  readonly signatureKey: Bytes;
  /** Bytes of the basic credential. */
  readonly identity: Bytes;
  readonly encryptionKey: Bytes;
  /** Encoded. */
  readonly capabilities: Bytes;
  /** Encoded, without the rejoin key. */
  readonly extensions: Bytes;
  /** Contents of extension 0xF003; empty if the leaf has none. */
  readonly rejoinKey: Bytes;
}

/** An extension of a GroupContext: [type, data]. */
export type ExtensionView = readonly [number, Bytes];

/** One proposal of a commit, with the fields of its kind. */
export interface ProposalView {
  readonly kind: ProposalKind;
  /** Leaf; null: a non-member. */
  readonly sender: number | null;
  readonly byReference: boolean;
  readonly added: LeafView | null;
  /** Of an Add: H(KeyPackage), 32 bytes. */
  readonly package: Bytes;
  /** Of an added KeyPackage. */
  readonly initKey: Bytes;
  /** Rejoin extension of an added KeyPackage. */
  readonly ticket: Bytes | null;
  /** Of an added KeyPackage. */
  readonly suite: number;
  readonly version: number;
  readonly removed: number | null;
  readonly pskExternal: boolean;
  readonly pskId: Bytes;
  readonly extensions: readonly ExtensionView[];
}

const NOTHING = new Uint8Array();

/** Return a proposal with these fields, and default values for all others. */
export const proposal = (
  kind: ProposalKind,
  sender: number | null,
  fields: Partial<Omit<ProposalView, "kind" | "sender">> = {},
): ProposalView => ({
  kind,
  sender,
  byReference: false,
  added: null,
  package: NOTHING,
  initKey: NOTHING,
  ticket: null,
  suite: 0x0001,
  version: MLS10,
  removed: null,
  pskExternal: false,
  pskId: NOTHING,
  extensions: [],
  ...fields,
});

/** Fields of a commit, and this member's state before the commit. */
export interface CommitFacts {
  readonly private: boolean;
  /** Leaf; null: an external committer. */
  readonly sender: number | null;
  readonly proposals: readonly ProposalView[];
  readonly pathLeaf: LeafView | null;
  readonly authenticatedData: Bytes;
  readonly members: ReadonlyMap<number, LeafView>;
  readonly policy: Policy;
  /** Of the GroupContext. */
  readonly extensions: readonly ExtensionView[];
  readonly groupId: Bytes;
  readonly suite: number;
  readonly room: Bytes;
  readonly slot: number;
  readonly chain: Bytes;
  readonly ledger: Ledger;
}

/** Return the ValidationError of that rule, with the sentence of that key. */
export const broken = (rule: number, key: string, args?: Readonly<Record<string, Arg>>): ValidationError =>
  new ValidationError(`SNUG-${rule}`, sentence(`snug.${key}`, args));

/** Call `read`, and convert a MalformedError to a ValidationError of that rule. */
export function reading<T>(rule: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedError) throw new ValidationError(`SNUG-${rule}`, error.sentence);
    throw error;
  }
}

/** A commit whose signature has verified, with all facts that its validation needs. */
export class CommitView {
  constructor(readonly facts: CommitFacts) {}

  get sender(): number | null {
    return this.facts.sender;
  }

  get slot(): number {
    return this.facts.slot;
  }

  get chain(): Bytes {
    return this.facts.chain;
  }

  /** Return the proposals of one kind. */
  of(kind: ProposalKind): readonly ProposalView[] {
    return this.facts.proposals.filter((p) => p.kind === kind);
  }

  /** Decoded authenticatedData; ValidationError("SNUG-1") if malformed. */
  get context(): CommitContext {
    return reading(1, () => CommitContext.decode(this.facts.authenticatedData));
  }

  /** The committer's leaf before the commit. */
  get committer(): LeafView | null {
    const { sender, members } = this.facts;
    return sender === null ? null : (members.get(sender) ?? null);
  }

  /** Whether the committer is a host under the old policy. */
  get byHost(): boolean {
    return this.committer !== null && this.facts.policy.isHost(this.committer.signatureKey);
  }

  /** The rejoining leaf if the commit has the shape of a rejoin, otherwise null. Authorises nothing. */
  get rejoinLeaf(): number | null {
    const [add, ...adds] = this.of("add");
    const [remove, ...removes] = this.of("remove");
    if (add === undefined || remove === undefined || adds.length + removes.length > 0) return null;
    return add.ticket === null ? null : remove.removed;
  }
  /**
   * The ledger's entry of a member that this commit lets in after its absence, otherwise null.
   *
   * Judged by the commit's shape and the signature key alone: it authorises nothing.
   */
  get awayMember(): Away | null {
    const [add, ...adds] = this.of("add");
    if (add === undefined || adds.length + this.of("remove").length > 0) return null;
    return add.ticket === null || add.added === null ? null : this.facts.ledger.awayMember(add.added.signatureKey);
  }

  /** Whether the commit has the shape of a rejoin, in place of a leaf or after an absence. */
  get rejoins(): boolean {
    return this.rejoinLeaf !== null || this.awayMember !== null;
  }
}
