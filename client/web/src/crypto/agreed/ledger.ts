/**
 * History of a meeting that all members agree on (docs/reference/protocol.md, section 5).
 *
 * The encoding is canonical: equal ledgers have equal bytes, and any other encoding is malformed.
 */

import { type Bytes, concat, hex, same, unhex } from "../bytes";
import { MalformedError } from "../errors";
import { flag, prefixed, Reader, several, uint } from "../fields";
import { H } from "../kdf";

/** Number of slots during which a ticket is fresh, and over which rejoins of one leaf are counted. */
export const REJOIN_SLOTS = 64;
export const REJOINS_MAX = 16;
export const LEDGER_KEYS_MAX = 4096;

/** Record of one rejoin. */
export interface Rejoined {
  readonly slot: number;
  /** 32 bytes. */
  readonly signatureKey: Bytes;
  /** 16 bytes. */
  readonly nonce: Bytes;
  /** true: the member could not read a commit; does not count against the limit. */
  readonly stuck: boolean;
}

/** Fields of a `Ledger`. */
export interface LedgerFields {
  /** Invites of admitted members. */
  readonly used?: ReadonlySet<number>;
  readonly revoked?: ReadonlySet<number>;
  /** All signature keys ever seen, in hex. */
  readonly keys?: ReadonlySet<string>;
  /** [leaf, invite], sorted by leaf. */
  readonly invites?: readonly (readonly [number, number])[];
  readonly rejoins?: readonly Rejoined[];
  /** Slot of the last host return (SNUG-9), 0: never. */
  readonly returned?: number;
  /** Slot of the last commit by a host. */
  readonly hosted?: number;
  /** Somebody who is no host any more holds the current host seed: it proves nothing until the keys change. */
  readonly rotationDue?: boolean;
}

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

/**
 * History of a meeting that later validation depends on: newcomers need it to reach the same verdicts.
 *
 * Used and revoked invites, all signature keys ever seen, the invite of each leaf, recent rejoins.
 */
export class Ledger implements LedgerFields {
  readonly used: ReadonlySet<number>;
  readonly revoked: ReadonlySet<number>;
  readonly keys: ReadonlySet<string>;
  readonly invites: readonly (readonly [number, number])[];
  readonly rejoins: readonly Rejoined[];
  readonly returned: number;
  readonly hosted: number;
  readonly rotationDue: boolean;

  constructor(fields: LedgerFields = {}) {
    this.used = fields.used ?? new Set();
    this.revoked = fields.revoked ?? new Set();
    this.keys = fields.keys ?? new Set();
    this.invites = fields.invites ?? [];
    this.rejoins = fields.rejoins ?? [];
    this.returned = fields.returned ?? 0;
    this.hosted = fields.hosted ?? 0;
    this.rotationDue = fields.rotationDue ?? false;
  }

  /** Return a copy with these changes. */
  with(changes: LedgerFields): Ledger {
    return new Ledger({ ...this, ...changes });
  }

  encode(): Bytes {
    return concat(
      uint(1, 1),
      prefixed(u16s(this.used), 2),
      prefixed(u16s(this.revoked), 2),
      uint(this.keys.size, 2),
      ...[...this.keys].sort().map(unhex), // hex strings sort like their bytes
      uint(this.invites.length, 2),
      ...this.invites.flatMap(([leaf, invite]) => [uint(leaf, 4), uint(invite, 2)]),
      uint(this.rejoins.length, 1),
      ...this.rejoins.flatMap((r) => [uint(r.slot, 8), r.signatureKey, r.nonce, flag(r.stuck)]),
      uint(this.returned, 8),
      uint(this.hosted, 8),
      flag(this.rotationDue),
    );
  }

  /** Decode a ledger. MalformedError for anything but the canonical encoding within the limits. */
  static decode(data: Bytes): Ledger {
    const r = new Reader(data);
    if (r.uint(1) !== 1) throw new MalformedError("ledger: the format must be 1");
    const [used, revoked] = [readU16s(r.prefixed(2)), readU16s(r.prefixed(2))];
    const keys = new Set(several(r.uint(2), () => hex(r.take(32))));
    const invites = several(r.uint(2), (): [number, number] => [r.uint(4), r.uint(2)]);
    const rejoins = several(r.uint(1), () => ({
      slot: r.uint(8),
      signatureKey: r.take(32),
      nonce: r.take(16),
      stuck: r.uint(1) !== 0,
    }));
    const [returned, hosted, due] = [r.uint(8), r.uint(8), r.uint(1)];
    r.end();
    if (due > 1) throw new MalformedError("ledger: a flag must be 0 or 1");
    if (
      Math.max(used.size, revoked.size, keys.size, invites.length) > LEDGER_KEYS_MAX ||
      rejoins.length > REJOIN_SLOTS
    )
      throw new MalformedError("ledger: more than a meeting can hold");
    const leaves = invites.map(([leaf]) => leaf);
    const slots = rejoins.map(({ slot }) => slot);
    const rotationDue = due === 1;
    const ledger = new Ledger({ used, revoked, keys, invites, rejoins, returned, hosted, rotationDue });
    if (!ascending(leaves) || !ascending(slots) || !same(ledger.encode(), data))
      throw new MalformedError("ledger: not in canonical order");
    return ledger;
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

/** Return whether each number is larger than the previous one. */
const ascending = (numbers: readonly number[]): boolean => numbers.every((n, i) => i === 0 || n > (numbers[i - 1] ?? n));

const u16s = (numbers: ReadonlySet<number>): Bytes =>
  concat(...[...numbers].sort((one, other) => one - other).map((number) => uint(number, 2)));

function readU16s(data: Bytes): Set<number> {
  if (data.length % 2) throw new MalformedError("ledger: a number is cut off");
  const reader = new Reader(data);
  return new Set(several(data.length / 2, () => reader.uint(2)));
}
