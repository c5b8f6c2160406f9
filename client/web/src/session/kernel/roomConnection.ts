/** The state of the open connection to the room. */
import { type Bytes, same } from "../../crypto/bytes";
import { chainNext } from "../../crypto/entry/invite";
import type { Committed } from "../../wire/messages";
import type { InputOf } from "../events";

/** Discarded with the connection; the room session keeps the state that outlasts it. */
export class RoomConnection {
  /** The server's nonce. */
  readonly nonce: Bytes;
  handle: Bytes = new Uint8Array();
  entered = false;
  /** The highest slot whose pass the server has acknowledged. */
  shown: number | null = null;
  /** The slot whose pass was sent last, unanswered. */
  showing: number | null = null;
  /** Whether pass and media go ahead of the entry (`ahead.ts`): not once one was refused. null: not decided yet. */
  early: boolean | null = null;
  /** The parameters of the last `media`, unless it was refused. */
  published: InputOf<"Publish"> | null = null;
  /** Refusals at this slot: of our newest pass, and of all that we have. */
  refusals = 0;
  /** When all that we have were refused last. */
  refusedAt = -Infinity;
  /** The last slot at which the server had our history, since the room was opened. */
  agreed: number | null = null;
  /** Slot and chain of another history, as the server opened it. */
  claimed: readonly [slot: number, chain: Bytes] | null = null;
  /** The last slot whose blob came on this connection, unless the room was opened again. */
  committed: number | null = null;
  /** When we last tried to open the room, and the server's slot at that time. */
  openedAt: number | null = null;
  openedSlot: number | null = null;
  catchingUp = false;
  /** When to repeat a catch-up that came too soon. */
  catchUpAgain: number | null = null;
  /** The work to do once, after coming in sync, is done. */
  syncDone = false;
  /** The features know that we are in sync. */
  featuresNotified = false;
  /** The slot whose blob was handed over last. */
  handingOver: number | null = null;
  handedOverAt = -Infinity;
  /** The server claims a later slot, and refuses to hand over the way to it. */
  outOfReach = false;
  /** Our messages without an answer, by type. */
  readonly #asked = new Map<string, number>();

  constructor(nonce: Bytes, readonly serverKey: Bytes) {
    this.nonce = nonce;
  }

  /**
   * Return whether the server contradicts itself with a blob that does not follow from our history.
   *
   * `mine`: our last slot. It does if it has had that part of our history since the room was opened, or if the blob does
   * not follow from the history either with which it says that the room was opened. Otherwise it may be honest: after a
   * restart the room begins at a slot that some member has, and others hand over the blobs that follow. One may have
   * put something else there, or nobody had our last one.
   */
  tellsTwoStories(mine: number, { slot, blob, chain }: Committed): boolean {
    if (this.agreed !== null && this.agreed >= Math.min(slot, mine)) return true;
    if (this.claimed === null || slot !== this.claimed[0] + 1) return false;
    return !same(chain, chainNext(this.claimed[1], slot, blob));
  }

  /**
   * The server, at `slot`, does not hand over what we have missed. Nobody has signed that: it is a hint.
   *
   * `Recovery` decides what follows from it. At our own slot we have missed nothing but relays.
   */
  reachRefused(slot: number | null, mine: number): void {
    if (slot !== null && slot > mine) this.outOfReach = true;
    else this.catchingUp = false;
  }

  /** Record a message of ours, of that type. */
  asks(about: string): void {
    this.#asked.set(about, (this.#asked.get(about) ?? 0) + 1);
  }

  /** Record an answer to one of our messages of that type; return false if none waits for one. */
  isAnswer(about: string): boolean {
    const waiting = this.#asked.get(about) ?? 0;
    if (waiting > 0) this.#asked.set(about, waiting - 1);
    return waiting > 0;
  }
}
