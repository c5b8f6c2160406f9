/**
 * History of a meeting that all members agree on (docs/reference/protocol.md, section 5).
 *
 * The encoding is canonical: equal ledgers have equal bytes, and any other encoding is malformed.
 */

import { decode, encode } from "../../wire/layout";
import { LEDGER, type Ledger as Fields, REJOIN_SLOTS, type Rejoined } from "../../wire/layouts/ledger";
import { type Bytes, hex } from "../bytes";
import { H } from "../kdf";

export { LEDGER_KEYS_MAX, REJOIN_SLOTS, REJOINS_MAX, type Rejoined } from "../../wire/layouts/ledger";

/**
 * Invites of admitted members and revoked ones, all signature keys ever seen (in hex), [leaf, invite] by leaf, recent
 * rejoins, the slots of the last host return (SNUG-9, 0: never) and of the last commit by a host, and whether somebody
 * who is no host any more holds the current host seed: it proves nothing until the keys change.
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
}

export interface Ledger extends Fields {}

/**
 * History of a meeting that later validation depends on: newcomers need it to reach the same verdicts.
 *
 * Used and revoked invites, all signature keys ever seen, the invite of each leaf, recent rejoins.
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

  /** Return the ledger after a commit that was adopted at `slot`. */
  after(slot: number, changes: Changes): Ledger {
    const { removed, added, rejoined, hostReturned, hostLost, rotated, byHost } = changes;
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
    for (const [leaf, [key, invite]] of added) {
      keys.add(hex(key));
      if (invite !== null) used.add(invite);
      const named = invite ?? carried;
      if (named !== null) byLeaf.set(leaf, named);
    }
    const rejoins = this.rejoins.filter((r) => slot - r.slot < REJOIN_SLOTS);
    if (rejoined) rejoins.push(rejoined);
    return new Ledger({
      used,
      revoked,
      keys,
      invites: [...byLeaf].sort(([one], [other]) => one - other),
      rejoins,
      returned: hostReturned ? slot : this.returned,
      hosted: byHost ? slot : this.hosted,
      rotationDue: (this.rotationDue || (hostLost ?? false)) && !rotated,
    });
  }
}
