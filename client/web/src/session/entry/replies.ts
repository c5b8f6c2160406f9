/** The replies to knocks that a host keeps, for newcomers whose connection was lost before the reply arrived. */
import type { Piece, Reply } from "../../crypto/entry/lobby";

/** Seconds for which a reply is kept: a newcomer posts its knock again every few seconds, as long as it waits. */
export const KEPT = 600;
/**
 * Bytes of all replies together, with their pieces: the oldest go first. The newcomers of one commit share its pieces.
 */
export const BYTES_MAX = 32 * 1024 * 1024;

/** A reply, and the pieces of tree and ledger that it lists. */
export interface KeptReply {
  readonly reply: Reply;
  readonly pieces: readonly Piece[];
  readonly at: number;
}

/** Replies by the hash of their knock, in the order in which they were made. */
export class Replies {
  readonly #kept = new Map<string, KeptReply>();
  /** How many replies have these pieces. */
  readonly #shared = new Map<readonly Piece[], number>();
  #size = 0;

  /** Bytes of what is kept; pieces that several replies have count once. */
  get size(): number {
    return this.#size;
  }

  /** Return the reply to the knock with that hash, if it is kept. */
  get = (knock: string): KeptReply | undefined => this.#kept.get(knock);

  /** Keep a reply, and return it. `now`: Unix seconds. */
  add(knock: string, reply: Reply, now: number, pieces: readonly Piece[] = []): KeptReply {
    this.#forget(knock);
    const kept = { reply, pieces, at: now };
    this.#kept.set(knock, kept);
    this.#size += reply.sealed.length;
    this.#count(pieces, 1);
    this.expire(now);
    return kept;
  }

  /** Forget what was kept for long, or is too much. */
  expire(now: number): void {
    for (const [knock, { at }] of this.#kept) {
      if (now - at <= KEPT && this.#size <= BYTES_MAX) return;
      this.#forget(knock);
    }
  }

  #forget(knock: string): void {
    const found = this.#kept.get(knock);
    if (found === undefined) return;
    this.#size -= found.reply.sealed.length;
    this.#count(found.pieces, -1);
    this.#kept.delete(knock);
  }

  #count(pieces: readonly Piece[], change: 1 | -1): void {
    const before = this.#shared.get(pieces) ?? 0;
    const after = before + change;
    if (after === 0) this.#shared.delete(pieces);
    else this.#shared.set(pieces, after);
    if (before === 0 || after === 0)
      this.#size += change * pieces.reduce((sum, { sealed }) => sum + sealed.length, 0);
  }
}
