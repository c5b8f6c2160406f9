/**
 * A server that acknowledges our pass, and then refuses what the pass is for (protocol section 5).
 *
 * An honest server does that only when the room has moved on meanwhile. Each denial has our pass shown again, and what
 * was refused sent again: without a limit, that goes on as fast as the server answers.
 */

/** Denials of acknowledged passes at one server, until each further one costs us the connection. */
export const DENIALS_MAX = 3;
/**
 * Seconds between two denials that count together: less than between two heartbeats, even urgent ones. A server that
 * withholds a commit denies these, and nothing is sent again at once: `Recovery` attends to that.
 */
export const BURST = 0.9;
/** Seconds without a denial until that is over: longer than any pause between two tries. */
export const FORGIVEN = 10;

/** One membership's denials, by the server's origin. */
export class Denials {
  readonly #of = new Map<string, { readonly count: number; readonly at: number }>();

  /** Count a denial; return whether the connection is to be given up. */
  denied(origin: string, now: number): boolean {
    const { count, at } = this.#of.get(origin) ?? { count: 0, at: now };
    const counts = now - at < BURST || this.goesOn(origin, now);
    this.#of.set(origin, { count: (counts ? count : 0) + 1, at: now });
    return this.goesOn(origin, now);
  }

  /** Return whether that server takes our passes and denies them: its acknowledgement proves nothing. */
  goesOn(origin: string, now: number): boolean {
    const found = this.#of.get(origin);
    return found !== undefined && found.count >= DENIALS_MAX && now - found.at < FORGIVEN;
  }
}
