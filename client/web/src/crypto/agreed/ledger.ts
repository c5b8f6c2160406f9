/**
 * History of a meeting that all members agree on (docs/reference/protocol.md, section 5).
 *
 * The encoding is canonical: equal ledgers have equal bytes, and any other encoding is malformed.
 */

import { decode, encode } from "../../wire/layout";
import { type Away, AWAY_MAX, LEDGER, type Ledger as Fields, REJOIN_SLOTS, type Rejoined } from "../../wire/layouts/ledger";
import { among, type Bytes, compare, hex, same } from "../bytes";
import { H } from "../kdf";

export { type Away, LEDGER_KEYS_MAX, REJOIN_SLOTS, REJOINS_MAX, type Rejoined } from "../../wire/layouts/ledger";

/**
 * Invites of admitted members and revoked ones, all signature keys ever seen (in hex), [leaf, invite] by leaf, recent
 * rejoins, the slots of the last host return (SNUG-9, 0: never) and of the last commit by a host, and whether somebody
 * who is no host any more holds the current host seed: it proves nothing until the keys change. Then the members that
 * were removed for absence and can come back.
 */
export type LedgerFields = Partial<Fields>;

const EMPTY: Fields = {
  used: new Set(),
  revoked: new Set(),
  keys: new Set(),
  invites: [],
  rejoins: [],
  returned: 0,
  hosted: 0,
  rotationDue: false,
  away: [],
};

/** Changes of a commit that the ledger records. */
export interface Changes {
  /** Leaf -> whether its invite is revoked too. */
  readonly removed: ReadonlyMap<number, boolean>;
  /** Leaf -> [signature key, invite]. */
  readonly added: ReadonlyMap<number, readonly [Bytes, number | null]>;
  readonly rejoined?: Rejoined | null;
  readonly hostReturned?: boolean;
  readonly hostLost?: boolean;
  readonly rotated?: boolean;
  readonly byHost?: boolean;
  /** Removed for absence. */
  readonly away?: readonly Away[];
  /** Signature keys whose ways back a host has ended. */
  readonly withdrawn?: readonly Bytes[];
}

export interface Ledger extends Fields {}

/**
 * History of a meeting that later validation depends on: newcomers need it to reach the same verdicts.
 *
 * Used and revoked invites, all signature keys ever seen, the invite of each leaf, recent rejoins, absent members.
 */
export class Ledger {
  constructor(fields: LedgerFields = {}) {
    Object.assign(this, EMPTY, fields);
  }

  /** Return a copy with these changes. */
  with(changes: LedgerFields): Ledger {
    return new Ledger({ ...this, ...changes });
  }

  encode(): Bytes {
    return encode(LEDGER, this);
  }

  /** Decode a ledger. MalformedError for anything but the canonical encoding within the limits. */
  static decode(data: Bytes): Ledger {
    return new Ledger(decode(LEDGER, data));
  }

  /** H(ledger), 32 bytes. */
  digest(): Bytes {
    return H(this.encode());
  }

  /** Return the invite of that leaf, or null. */
  inviteOf(leaf: number): number | null {
    return this.invites.find(([of]) => of === leaf)?.[1] ?? null;
  }

  /** Return the way back of the absent member with that key; null if it has none. */
  awayMember(signatureKey: Bytes): Away | null {
    return this.away.find((each) => same(each.signatureKey, signatureKey)) ?? null;
  }

  /** Return the ledger after a commit that was adopted at `slot`. */
  after(slot: number, changes: Changes): Ledger {
    const { removed, added, rejoined, hostReturned, hostLost, rotated, byHost, away = [], withdrawn = [] } = changes;
    const byLeaf = new Map(this.invites);
    const [revoked, used] = [new Set(this.revoked), new Set(this.used)];
    const keys = new Set(this.keys);
    let carried: number | null = null;
    for (const [leaf, revoke] of removed) {
      const invite = byLeaf.get(leaf) ?? null;
      byLeaf.delete(leaf);
      if (invite !== null && revoke) revoked.add(invite);
      if (rejoined) carried = invite; // a rejoining member keeps its original invite
    }
    const over = [...withdrawn];
    for (const [leaf, [key, invite]] of added) {
      keys.add(hex(key));
      over.push(key);
      carried = this.awayMember(key)?.invite ?? carried;
      if (invite !== null) used.add(invite);
      const named = invite ?? carried;
      if (named !== null) byLeaf.set(leaf, named);
    }
    const rejoins = this.rejoins.filter((r) => slot - r.slot < REJOIN_SLOTS);
    if (rejoined) rejoins.push(rejoined);
    // a host that shuts an invite by this commit sees no absent member
    const isShut = (invite: number | null): boolean => invite !== null && revoked.has(invite) && !this.revoked.has(invite);
    const kept = this.away.filter((each) => !among(each.signatureKey, over) && !isShut(each.invite));
    return new Ledger({
      used,
      revoked,
      keys,
      invites: [...byLeaf].sort(([one], [other]) => one - other),
      rejoins,
      returned: hostReturned ? slot : this.returned,
      hosted: byHost ? slot : this.hosted,
      rotationDue: (this.rotationDue || (hostLost ?? false)) && !rotated,
      away: newest([...kept, ...away]),
    });
  }
}

function newest(away: readonly Away[]): Away[] {
  const byKey = (one: Away, other: Away): number => compare(one.signatureKey, other.signatureKey);
  return [...away].sort((one, other) => one.slot - other.slot || byKey(one, other)).slice(-AWAY_MAX).sort(byKey);
}
