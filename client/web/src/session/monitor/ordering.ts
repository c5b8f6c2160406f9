/**
 * Whether the server gives all members the same messages in the same order (protocol section 7).
 *
 * The server numbers the relays that it stores, from 1 in each incarnation. A window is a hash over the last eight of
 * them: two members with different windows at one number received different relays, or another order.
 */
import { NO_HEARTBEAT, WINDOW, window } from "../../crypto/agreed/heartbeat";
import { type Bytes, same } from "../../crypto/bytes";

/** Relays that are remembered. */
export const KEPT = 256;
/** Different windows in one member's beats before they are reported. */
export const DIFFERENT = 2;

/** A window in another member's beat, for a relay that has not arrived here yet. */
interface Claim {
  readonly relay: number;
  readonly window: Bytes;
  readonly since: number;
}

/** The relays as they arrived here, and the other members' windows. */
export class Ordering {
  incarnation: Bytes = new Uint8Array(8);
  last = 0;
  /** number -> H(blob), and the number of the connection that brought it. */
  readonly #digests = new Map<number, readonly [Bytes, number]>();
  #connection = 0;
  readonly #claims = new Map<number, Claim>();
  readonly #different = new Map<number, number>();

  /** Note that later relays arrive on another connection. */
  disconnected(): void {
    this.#connection++;
  }

  /** Set the incarnation (8 bytes) of the connected server; a new one discards everything. */
  setIncarnation(incarnation: Bytes): void {
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

  /** Record a relay; return false if its number came with another digest on this connection. */
  record(number: number, digest: Bytes): boolean {
    const known = this.#digests.get(number);
    if (known !== undefined && !same(known[0], digest)) {
      if (known[1] === this.#connection) return false;
      this.#restart(); // an empty room was forgotten, and counts anew
    }
    this.#digests.set(number, [digest, this.#connection]);
    this.last = Math.max(this.last, number);
    if (this.#digests.size > KEPT) this.#digests.delete(Math.min(...this.#digests.keys()));
    return true;
  }

  /** Return our window at a number, 32 bytes; null if a relay that it covers is unknown. */
  windowAt(number: number): Bytes | null {
    if (number === 0) return null;
    const known: Bytes[] = [];
    for (let n = Math.max(1, number - WINDOW + 1); n <= number; n++) {
      const digest = this.#digests.get(n);
      if (digest === undefined) return null;
      known.push(digest[0]);
    }
    return window(this.incarnation, number, known);
  }

  /**
   * Return the highest number on this connection with a known window, and the window; or (0, zeros).
   *
   * Numbers of an earlier connection may be those of a room that was forgotten, and counts anew.
   */
  newest(): readonly [number, Bytes] {
    const ours = [...this.#digests].filter(([, [, connection]]) => connection === this.#connection).map(([number]) => number);
    for (const number of ours.sort((a, b) => b - a).slice(0, WINDOW)) {
      const mine = this.windowAt(number);
      if (mine !== null) return [number, mine];
    }
    return [0, NO_HEARTBEAT];
  }

  /** Compare a window in another member's beat; return true if a difference must be reported. */
  checkClaim(leaf: number, relay: number, theirs: Bytes, now: number): boolean {
    if (relay === 0) return false;
    if (relay > this.last) {
      // The first one stays until its relay has arrived.
      if (!this.#claims.has(leaf)) this.#claims.set(leaf, { relay, window: theirs, since: now });
      return false;
    }
    return this.#compare(leaf, relay, theirs);
  }

  /** Compare claims whose relays have arrived; return the leaves whose difference must be reported. */
  checkWaitingClaims(): number[] {
    const due = [...this.#claims].filter(([, claim]) => claim.relay <= this.last);
    for (const [leaf] of due) this.#claims.delete(leaf);
    return due
      .filter(([leaf, claim]) => this.#compare(leaf, claim.relay, claim.window))
      .map(([leaf]) => leaf);
  }

  #compare(leaf: number, relay: number, theirs: Bytes): boolean {
    const mine = this.windowAt(relay);
    if (mine === null) return false;
    const different = same(mine, theirs) ? 0 : (this.#different.get(leaf) ?? 0) + 1;
    this.#different.set(leaf, different);
    return different === DIFFERENT;
  }

  /** Whether others have relays that have not arrived here yet. */
  get waits(): boolean {
    return this.#claims.size > 0;
  }

  /** Return the leaves that by that time had relays that have not arrived here yet. */
  aheadSince(before: number): number[] {
    return [...this.#claims].filter(([, claim]) => claim.since <= before).map(([leaf]) => leaf);
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number): void {
    this.#claims.delete(leaf);
    this.#different.delete(leaf);
  }
}
