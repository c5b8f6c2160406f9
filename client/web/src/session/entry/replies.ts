/** The replies to knocks that a host keeps, for newcomers whose connection was lost before the reply arrived. */
import type { Reply } from "../../crypto/entry/lobby";

/** Seconds for which a reply is kept: a newcomer posts its knock again every few seconds, as long as it waits. */
export const KEPT = 600;
/** Bytes of all replies together: the oldest go first. A Welcome into a room of 500 takes 144 kB. */
export const BYTES_MAX = 32 * 1024 * 1024;

/** Replies by the hash of their knock, in the order in which they were made. */
export class Replies {
  readonly #kept = new Map<string, { readonly at: number; readonly reply: Reply }>();
  #size = 0;

  /** Return the reply to the knock with that hash, if it is kept. */
  get = (knock: string): Reply | undefined => this.#kept.get(knock)?.reply;

  /** Keep a reply. `now`: Unix seconds. */
  add(knock: string, reply: Reply, now: number): void {
    this.#forget(knock);
    this.#kept.set(knock, { at: now, reply });
    this.#size += reply.sealed.length;
    this.expire(now);
  }

  /** Forget what was kept for long, or is too much. */
  expire(now: number): void {
    for (const [knock, { at }] of this.#kept) {
      if (now - at <= KEPT && this.#size <= BYTES_MAX) return;
      this.#forget(knock);
    }
  }

  #forget(knock: string): void {
    this.#size -= this.#kept.get(knock)?.reply.sealed.length ?? 0;
    this.#kept.delete(knock);
  }
}
