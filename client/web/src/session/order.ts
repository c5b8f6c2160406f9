/**
 * Whether the server gives all members the same messages in the same order (protocol section 7).
 *
 * It numbers the relays that it keeps, in each of its lives anew. A window is a hash over the last eight of
 * them: two members who have different windows at one number were given different things, or in another
 * order.
 */
import { NO_BEAT, WINDOW, window } from "../crypto/beats";
import { type Bytes, same } from "../crypto/bytes";

/** Relays that are remembered. */
export const KEPT = 256;
/** Beats of one member whose windows differ from ours, until it is told. */
export const DIFFERENT = 2;

/** What another member has vouched for and we have not reached yet. */
interface Claim {
  readonly relay: number;
  readonly window: Bytes;
  readonly since: number;
}

/** The relays as they came here, and what others say of them. */
export class Order {
  incarnation: Bytes = new Uint8Array(8);
  last = 0;
  /** number -> H(blob), and by which connection it came. */
  readonly #digests = new Map<number, readonly [Bytes, number]>();
  #connection = 0;
  readonly #claims = new Map<number, Claim>();
  readonly #different = new Map<number, number>();

  /** What comes from here on comes by another connection. */
  disconnected(): void {
    this.#connection++;
  }

  /** The server that we are connected to is in that life (8 bytes). */
  life(incarnation: Bytes): void {
    if (same(incarnation, this.incarnation)) return;
    this.#restart();
    this.incarnation = incarnation;
  }

  #restart(): void {
    this.last = 0;
    this.#digests.clear();
    this.#claims.clear();
    this.#different.clear();
  }

  /** A relay of that number has come. False: it came as another one before, on this connection. */
  hear(number: number, digest: Bytes): boolean {
    const known = this.#digests.get(number);
    if (known !== undefined && !same(known[0], digest)) {
      if (known[1] === this.#connection) return false;
      this.#restart(); // a room that everybody had left was forgotten, and counts anew
    }
    this.#digests.set(number, [digest, this.#connection]);
    this.last = Math.max(this.last, number);
    if (this.#digests.size > KEPT) this.#digests.delete(Math.min(...this.#digests.keys()));
    return true;
  }

  /** Our window at a number, 32 bytes; null where a relay that it covers is not known. */
  at(number: number): Bytes | null {
    if (number === 0) return null;
    const known: Bytes[] = [];
    for (let n = Math.max(1, number - WINDOW + 1); n <= number; n++) {
      const digest = this.#digests.get(n);
      if (digest === undefined) return null;
      known.push(digest[0]);
    }
    return window(this.incarnation, number, known);
  }

  /** The highest number that we can vouch for and the window there; (0, zeros) if there is none. */
  newest(): readonly [number, Bytes] {
    for (const number of [...this.#digests.keys()].sort((a, b) => b - a).slice(0, WINDOW)) {
      const mine = this.at(number);
      if (mine !== null) return [number, mine];
    }
    return [0, NO_BEAT];
  }

  /** Another's beat vouches for a window. True: once more it is not ours, and that is to be told. */
  claimed(leaf: number, relay: number, theirs: Bytes, now: number): boolean {
    if (relay === 0) return false;
    if (relay > this.last) {
      // the first one stays until we have come to it
      if (!this.#claims.has(leaf)) this.#claims.set(leaf, { relay, window: theirs, since: now });
      return false;
    }
    return this.#compare(leaf, relay, theirs);
  }

  /** Compare what we have meanwhile come to; leaves whose difference is to be told. */
  settle(): number[] {
    const due = [...this.#claims].filter(([, claim]) => claim.relay <= this.last);
    for (const [leaf] of due) this.#claims.delete(leaf);
    return due
      .filter(([leaf, claim]) => this.#compare(leaf, claim.relay, claim.window))
      .map(([leaf]) => leaf);
  }

  #compare(leaf: number, relay: number, theirs: Bytes): boolean {
    const mine = this.at(relay);
    if (mine === null) return false;
    const different = same(mine, theirs) ? 0 : (this.#different.get(leaf) ?? 0) + 1;
    this.#different.set(leaf, different);
    return different === DIFFERENT;
  }

  /** Leaves that had, at that time already, messages that have not come here yet. */
  behind(before: number): number[] {
    return [...this.#claims].filter(([, claim]) => claim.since <= before).map(([leaf]) => leaf);
  }

  /** Nobody, or another, is at that leaf now. */
  forget(leaf: number): void {
    this.#claims.delete(leaf);
    this.#different.delete(leaf);
  }
}
