/** The order of relayed blobs: those that a catch-up brings are read before newer ones that came first. */
import type { Relayed } from "../../wire/messages";

/** Relays and bytes that wait for older ones, and for how many seconds: a catch-up may never be answered. */
export const KEPT_MAX = 256;
export const KEPT_BYTES = 4 * 2 ** 20;
export const KEPT_TIME = 5;

/** The relays of one incarnation of the server. The caller reads what the methods return, in order. */
export class Relays {
  #number = 0;
  #kept: Relayed[] = [];
  #keptSince = 0;

  /** The number up to which all have come, or are lost. */
  get number(): number {
    return this.#number;
  }

  /** The server counts from 1 again. */
  restarted(): void {
    this.#number = 0;
  }

  /** The connection is lost: the next catch-up brings what was kept. */
  lost(): void {
    this.#kept = [];
  }

  /** Take a relay; return those to read now. */
  arrived(relayed: Relayed, now: number, catchingUp: boolean): readonly Relayed[] {
    if (catchingUp && relayed.relay > this.#number + 1) {
      if (this.#kept.length === 0) this.#keptSince = now;
      this.#kept.push(relayed);
      return this.due(now, true);
    }
    // Only without a gap: the missing relays can still be lost with the connection.
    if (relayed.relay === this.#number + 1) this.#number = relayed.relay;
    return [relayed];
  }

  /** Return the kept relays if nothing older is to be expected any more. */
  due(now: number, catchingUp: boolean): readonly Relayed[] {
    const size = this.#kept.reduce((sum, { blob }) => sum + blob.length, 0);
    const full = this.#kept.length >= KEPT_MAX || size >= KEPT_BYTES || now - this.#keptSince >= KEPT_TIME;
    return full || !catchingUp ? this.#take() : [];
  }

  /** All up to `number` have come, or are lost; return those to read now. */
  caughtUp(number: number): readonly Relayed[] {
    const kept = this.#take();
    this.#number = Math.max(this.#number, number);
    return kept;
  }

  #take(): readonly Relayed[] {
    const kept = this.#kept;
    this.#kept = [];
    return kept.filter(({ relay }) => relay > this.#number).sort((a, b) => a.relay - b.relay);
  }
}
