/** The results of a commit that the group has adopted: the next ledger, and the change to report. */
import { among, type Bytes, same } from "../../crypto/bytes";
import type { CommitView } from "../../crypto/agreed/commitView";
import type { Away, Ledger, Rejoined } from "../../crypto/agreed/ledger";
import { replacement } from "../../crypto/agreed/rejoins";
import { Identity, type Policy, RejoinTicket } from "../../crypto/agreed/roomState";
import type * as mls from "../../mls";
import type { Change } from "./verdict";

/** One commit, between the state before it and the state after it. */
export class Adoption {
  readonly #view: CommitView;
  readonly #policy: Policy;
  readonly #returned: boolean;
  readonly #rotated: boolean;
  readonly #ticket: RejoinTicket | null = null;
  /** The way back by which a member has come in again after an absence. */
  readonly #away: Away | null;
  readonly removed: readonly number[];
  /** The removed leaves whose members have left. */
  readonly left: ReadonlySet<number>;
  /** The removed leaves whose members neither left nor came back at another leaf. */
  readonly evicted: ReadonlySet<number>;
  readonly #added: readonly mls.Member[];
  /** The added signature keys, in the order of the Adds. */
  readonly #keys: readonly Bytes[];

  /** `view` has the state before the commit; `after` (the members) and `policy` are of its epoch. */
  constructor(view: CommitView, after: readonly mls.Member[], policy: Policy) {
    this.#view = view;
    this.#policy = policy;
    this.#returned = view.context.hostReturn !== null;
    this.#away = view.awayMember;
    this.#rotated = !same(policy.returnPublic, view.facts.policy.returnPublic);
    if (view.rejoins)
      this.#ticket = RejoinTicket.decode(view.of("add")[0]?.ticket ?? new Uint8Array());
    const removals = view.of("remove").flatMap((p) => (p.removed === null ? [] : [{ ...p, leaf: p.removed }]));
    this.removed = removals.map(({ leaf }) => leaf);
    const left = new Set(removals.filter(({ byReference }) => byReference).map(({ leaf }) => leaf));
    const back = this.#ticket !== null || this.#returned;
    this.left = left;
    this.evicted = new Set(back ? [] : this.removed.filter((leaf) => !left.has(leaf)));
    this.#keys = view.of("add").flatMap((p) => (p.added === null ? [] : [p.added.signatureKey]));
    this.#added = after.filter(({ leafNode }) => among(leafNode.signatureKey, this.#keys));
  }

  /** Return the ledger after the commit. */
  ledger(): Ledger {
    const { facts, slot, context, byHost } = this.#view;
    const inviteOf = (key: Bytes): number | null =>
      context.invites[this.#keys.findIndex((each) => same(each, key))] ?? null;
    return facts.ledger.after(slot, {
      removed: new Map(this.removed.map((leaf) => [leaf, this.evicted.has(leaf) && !context.absent])),
      added: new Map(this.#added.map(({ leaf, leafNode: { signatureKey: key } }) => [leaf, [key, inviteOf(key)]])),
      rejoined: this.#rejoined(),
      hostReturned: this.#returned,
      hostLost: !this.#returned && this.#hostLost(),
      rotated: this.#rotated,
      byHost,
      away: this.#removedForAbsence(),
      withdrawn: context.withdrawn,
    });
  }

  /** Return the ways back that the commit gives; a host comes back by the return key (SNUG-9). */
  #removedForAbsence(): Away[] {
    const { facts, slot, context } = this.#view;
    if (!context.absent) return [];
    return this.removed.flatMap((leaf) => {
      const old = facts.members.get(leaf);
      if (old === undefined || facts.policy.isHost(old.signatureKey)) return [];
      const { signatureKey, rejoinKey, identity } = old;
      return [{ signatureKey, rejoinKey, identity, invite: facts.ledger.inviteOf(leaf), slot }];
    });
  }

  #rejoined(): Rejoined | null {
    const [signatureKey] = this.#keys;
    if (this.#ticket === null || signatureKey === undefined) return null;
    return { slot: this.#view.slot, signatureKey, nonce: this.#ticket.nonce, stuck: this.#ticket.stuck };
  }

  /** Return whether a host has left, was removed, or has lost the role. */
  #hostLost(): boolean {
    const gone = this.#ticket === null ? this.removed.flatMap((leaf) => this.#keyBefore(leaf) ?? []) : [];
    return this.#view.facts.policy.hosts.some((host) => among(host, gone) || !among(host, this.#policy.hosts));
  }

  #keyBefore(leaf: number): Bytes | undefined {
    return this.#view.facts.members.get(leaf)?.signatureKey;
  }

  /** Return the change that the room reports; `ledger` is that after the commit. */
  change(ledger: Ledger): Change {
    const { facts, sender, context } = this.#view;
    const rejoined = this.#away === null ? this.#ticket : null;
    return {
      by: sender ?? -1,
      added: this.#added.map(({ leaf, leafNode }) => ({ leaf, name: nameIn(leafNode.credential.identity), invite: ledger.inviteOf(leaf) })),
      removed: this.removed.flatMap((leaf) => {
        const old = facts.members.get(leaf);
        return old === undefined ? [] : [{ leaf, name: nameIn(old.identity), key: old.signatureKey }];
      }),
      rejoined: rejoined !== null,
      policyBefore: facts.policy,
      policyAfter: this.#policy,
      left: context.absent ? this.evicted : this.left,
      returned: this.#returned,
      rotated: this.#rotated,
      stuckSlot: rejoined?.stuck ? rejoined.slot + 1 : null,
      back: this.#away !== null,
      replaced: replacement(this.#view) !== null,
      withdrawn: facts.ledger.away
        .filter((each) => among(each.signatureKey, context.withdrawn))
        .map(({ identity }) => nameIn(identity)),
    };
  }
}

const nameIn = (identity: Bytes): string => Identity.decode(identity).name;
