/**
 * Blobs of epochs that this member has not reached yet.
 *
 * Nobody has authenticated them: the epoch's number is in clear, and the server can write any number. So their number,
 * bytes and time are bounded.
 */
import type { Bytes } from "../../crypto/bytes";

/** Blobs in order of arrival. A blob that exceeds a limit displaces the oldest ones. */
export class EarlyBlobs {
  readonly #most: number;
  readonly #size: number;
  readonly #seconds: number;
  #blobs: { readonly at: number; readonly blob: Bytes }[] = [];
  #held = 0;
  #dropped = 0;

  /** Keep at most `most` blobs and `size` bytes in all, and each blob for that many seconds. */
  constructor({ most, size, seconds }: { readonly most: number; readonly size: number; readonly seconds: number }) {
    this.#most = most;
    this.#size = size;
    this.#seconds = seconds;
  }

  get length(): number {
    return this.#blobs.length;
  }

  /** Keep a blob. */
  add(blob: Bytes, now: number): void {
    this.#blobs.push({ at: now, blob });
    this.#held += blob.length;
    this.#trim(now);
  }

  /** Return the blobs, and the number of blobs that were dropped; both start anew. */
  take(now: number): readonly [blobs: Bytes[], dropped: number] {
    this.#trim(now);
    const taken = [this.#blobs.map(({ blob }) => blob), this.#dropped] as const;
    this.#blobs = [];
    this.#held = this.#dropped = 0;
    return taken;
  }

  #trim(now: number): void {
    for (let [first] = this.#blobs; first !== undefined; [first] = this.#blobs) {
      const over = this.#blobs.length > this.#most || this.#held > this.#size;
      if (!over && first.at + this.#seconds > now) return;
      this.#blobs.shift();
      this.#held -= first.blob.length;
      this.#dropped++;
    }
  }
}
