/**
 * What members have signed about slots and histories that are not ours, by signature key.
 *
 * A heartbeat that names a slot beyond ours is its author's word alone: the server may withhold the change, or the
 * author lies. So it stops us for a moment, and for longer only with a second word. What a member has used up belongs
 * to its signature key: neither its rejoin nor ours gives it back. A key is at one leaf of the tree at most (RFC 9420,
 * 7.3). A member that has left comes in again only under a key that is new to the meeting (SNUG-11): a host lets it in,
 * and so grants a new person's share. Keys that are gone are forgotten, but not the time that they have cost (`GONE_MAX`).
 */
import type { Heartbeat } from "../../crypto/agreed/heartbeat";
import { type Bytes, hex, same } from "../../crypto/bytes";
import type { Room } from "../kernel/ports";
import type { Change } from "../kernel/verdict";
import type { MemberTable } from "./memberTable";

/** Seconds for which the claims of one member stop us, as long as nobody else says so: in all, for its key. */
export const ALONE = 3;
/** Seconds for which a host's claim, or those of two members, stop us while all others are with us. */
export const DOUBT = 15;
/**
 * Seconds that members who are gone may have cost us: from then on a single member's claim stops us no more. Where
 * everybody is waved in, one person can come again and again.
 */
export const GONE_MAX = 30;
/** Seconds after which the same member's word, that nobody has confirmed, is told again. */
export const TOLD_AGAIN = 600;

/** A slot that we have not reached, the chain after it, the room at a server (8 bytes), and since when. */
export interface Claim {
  slot: number;
  chain: Bytes;
  incarnation: Bytes;
  readonly since: number;
  /** In an alarm. */
  told: boolean;
}

/** What one signature key has signed. */
export class Signer {
  /** Where its member is now. */
  leaf: number;
  claim: Claim | null = null;
  /** Seconds for which its earlier claims have stood. */
  #spent = 0;
  /** Since when it claims what nobody has confirmed; it may have come in again meanwhile. */
  unconfirmed: number | null = null;
  /** It has another history than ours, in this membership. */
  forked = false;
  /** Two heartbeats of it cannot both be true (SNUG-19). */
  contradicts = false;
  claimTold = -Infinity;
  forkTold = -Infinity;

  constructor(leaf: number) {
    this.leaf = leaf;
  }

  /** Return the seconds for which its claims have stood in all. */
  stood(now: number): number {
    return this.#spent + (this.claim === null ? 0 : now - this.claim.since);
  }

  /** End the claim that stands, if one does. */
  endClaim(now: number): void {
    this.#spent = this.stood(now);
    this.claim = null;
  }
}

/** The leaves whose claims stop us: with a host's or a second member's word, and alone. */
export interface Stopping {
  readonly strong: readonly number[];
  readonly alone: readonly number[];
}

/** The members that have claimed something: no more than the tree has. */
export class Claims {
  readonly #room: Room;
  readonly #members: MemberTable;
  /** By hex(signature key). */
  readonly #signers = new Map<string, Signer>();
  #gone = 0;

  constructor(room: Room, members: MemberTable) {
    this.#room = room;
    this.#members = members;
  }

  /** Return what the member at a leaf has signed; undefined if there is nothing to remember. */
  known(leaf: number): Signer | undefined {
    return this.#signers.get(keyAt(this.#room, leaf));
  }

  /** Return the same, to add to it. */
  of(leaf: number): Signer {
    const signer = this.known(leaf) ?? new Signer(leaf);
    this.#signers.set(keyAt(this.#room, leaf), signer);
    return signer;
  }

  /** Return everybody who has claimed something. */
  all(): Signer[] {
    return [...this.#signers.values()];
  }

  /** A member is ahead of us, as it says. A claim that grows is still the same. */
  add({ leaf, slot, chain, incarnation }: Heartbeat, now: number): void {
    const signer = this.of(leaf);
    const before = signer.claim ?? { since: now, told: false };
    signer.claim = { slot, chain, incarnation, since: before.since, told: before.told };
    signer.unconfirmed ??= now;
  }

  /** Follow members to their new leaves; forget the keys that are out of the tree. */
  adopted(change: Change, now: number): void {
    const added = new Map(change.added.map(({ leaf }) => [keyAt(this.#room, leaf), leaf]));
    for (const [key, signer] of [...this.#signers]) {
      const leaf = added.get(key);
      if (leaf !== undefined) {
        // It has come in again, and so has our history.
        signer.leaf = leaf;
        signer.forked = false;
        signer.endClaim(now);
      } else if (keyAt(this.#room, signer.leaf) !== key) {
        this.#gone += Math.min(signer.stood(now), DOUBT);
        this.#signers.delete(key);
      }
    }
  }

  /** Take over what was signed before we came in again ourselves: a member can have caused that. */
  carryOver(old: Claims, now: number): void {
    const here = new Map([...this.#members.others.keys()].map((leaf) => [keyAt(this.#room, leaf), leaf]));
    this.#gone = old.#gone;
    for (const [key, signer] of old.#signers) {
      const leaf = here.get(key);
      if (leaf === undefined) this.#gone += Math.min(signer.stood(now), DOUBT);
      else {
        signer.leaf = leaf;
        signer.forked = false;
        this.#signers.set(key, signer);
      }
    }
  }

  // -- conclusions -----------------------------------------------------------------------------------------

  /**
   * Return the members whose claims stand and count.
   *
   * Not those of members with another history, or whose heartbeats contradict each other. A host's count even then:
   * waiting is the safe side.
   */
  standing(): Signer[] {
    return this.all().filter(
      (signer) => signer.claim !== null && !signer.forked && (this.#isHost(signer) || !signer.contradicts),
    );
  }

  /**
   * Return the leaves whose claims stop us now: with a host's or a second member's word; and alone.
   *
   * `fresh`: enough members have confirmed our epoch. Otherwise the first go on.
   */
  stop(now: number, fresh: boolean): Stopping {
    const standing = this.standing();
    const others = standing.filter((signer) => !this.#isHost(signer));
    const strong = standing.filter(
      (signer) => this.#isHost(signer) && signer.claim !== null && (now - signer.claim.since < DOUBT || !fresh),
    );
    if (others.length > 1 && others.some(({ unconfirmed }) => now - (unconfirmed ?? 0) < DOUBT || !fresh))
      strong.push(...others);
    const alone = others.filter(
      (signer) => !strong.includes(signer) && signer.stood(now) < ALONE && this.#gone < GONE_MAX,
    );
    return { strong: strong.map(({ leaf }) => leaf), alone: alone.map(({ leaf }) => leaf) };
  }

  #isHost({ leaf }: Signer): boolean {
    return this.#members.others.get(leaf) === true;
  }

  /** End the claims up to this slot, which we have. `told` gets whether each was true; null: unknown. */
  past(now: number, slot: number, told: (signer: Signer, claim: Claim, isTrue: boolean | null) => void): void {
    const { chains } = this.#room.membership.journal;
    for (const signer of this.all()) {
      const { claim } = signer;
      if (claim === null || claim.slot > slot) continue;
      signer.endClaim(now);
      const known = chains.get(claim.slot);
      const isTrue = known === undefined ? null : same(known, claim.chain);
      if (isTrue) signer.unconfirmed = null;
      told(signer, claim, isTrue);
    }
  }
}

/** Return the signature key at a leaf, in hexadecimal; empty if the leaf is. */
export function keyAt(room: Room, leaf: number): string {
  return hex(room.membership.signatureKey(leaf) ?? new Uint8Array());
}
