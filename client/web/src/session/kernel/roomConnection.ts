/** The state of the open connection to the room. */
import type { Bytes } from "../../crypto/bytes";

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
  /** Our pass was refused at this slot: wait for a regate. */
  refusedAt: number | null = null;
  opening = false;
  catchingUp = false;
  /** When to repeat a catch-up that came too soon. */
  catchUpAgain: number | null = null;
  /** The work to do once, after coming in sync, is done. */
  syncDone = false;
  /** The features know that we are in sync. */
  featuresNotified = false;
  handingOver: number | null = null;
  regatedAt: number | null = null;
  /** The server claims a later slot, and refuses to hand over the way to it. */
  outOfReach = false;
  /** Our messages without an answer, by type. */
  readonly #asked = new Map<string, number>();

  constructor(nonce: Bytes, readonly serverKey: Bytes) {
    this.nonce = nonce;
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
