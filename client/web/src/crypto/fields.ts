/**
 * Byte fields of Snug's own messages: length prefixes, a strict reader, zero padding.
 *
 * Everything that Snug signs, hashes or seals outside MLS is a plain concatenation of fields: integers
 * big-endian, variable parts behind a length of 1, 2 or 4 bytes. There is one encoding of a value and no other:
 * a reader refuses what is left over, and padding that isn't zero.
 */

import { type Bytes, concat, int } from "./bytes";
import { MalformedError } from "./errors";

// a byte order mark is text like any other: it must not vanish
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `value` in `size` bytes, big-endian; MalformedError when it doesn't fit or is above 2^53 - 1. */
export function uint(value: number, size: number): Bytes {
  if (!Number.isSafeInteger(value) || value < 0 || value >= 256 ** size)
    throw new MalformedError(`${value} is no unsigned integer of ${size} bytes`);
  return int(value, size);
}

/** `data` behind its length in `size` bytes; MalformedError when it is longer than that can say. */
export function prefixed(data: Uint8Array, size: number): Bytes {
  if (data.length >= 256 ** size)
    throw new MalformedError(`${data.length} bytes are too many for a length of ${size} bytes`);
  return concat(int(data.length, size), data);
}

/** `data`, if it has `size` bytes; MalformedError naming `what` if not. */
export function exactly<T extends Uint8Array>(data: T, size: number, what: string): T {
  if (data.length !== size) throw new MalformedError(`${what} has ${size} bytes, not ${data.length}`);
  return data;
}

/** `data` behind its length (4 bytes), then zeros up to `size` bytes; MalformedError if too long. */
export function padded(data: Uint8Array, size: number): Bytes {
  const whole = prefixed(data, 4);
  if (whole.length > size) throw new MalformedError(`${data.length} bytes don't fit in ${size}`);
  const done = new Uint8Array(size);
  done.set(whole);
  return done;
}

/** What `padded` was given; MalformedError when the padding isn't all zeros. */
export function unpadded(data: Uint8Array): Bytes {
  const reader = new Reader(data);
  const inner = reader.prefixed(4);
  if (reader.rest().some((byte) => byte !== 0)) throw new MalformedError("padding that is not zero");
  return inner;
}

/** UTF-8's text, a byte order mark included; MalformedError, with `what`, when it is none. */
export function textOf(data: Uint8Array, what = "text that is not UTF-8"): string {
  try {
    return decoder.decode(data);
  } catch {
    throw new MalformedError(what);
  }
}

/** Reads fields from the front of its data; each method throws MalformedError on what isn't there. */
export class Reader {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  /** The next `size` bytes: a copy. */
  take(size: number): Bytes {
    const end = this.#at + size;
    if (end > this.#data.length) {
      const left = this.#data.length - this.#at;
      throw new MalformedError(`cut short: ${size} bytes expected, ${left} are left`);
    }
    const piece = new Uint8Array(this.#data.subarray(this.#at, end));
    this.#at = end;
    return piece;
  }

  /** An unsigned integer of `size` bytes, at most 2^53 - 1. */
  uint(size: number): number {
    const value = this.take(size).reduce((sum, byte) => sum * 256 + byte, 0);
    if (!Number.isSafeInteger(value)) throw new MalformedError("an integer above 2^53 - 1");
    return value;
  }

  /** Bytes behind their length of `size` bytes. */
  prefixed(size: number): Bytes {
    return this.take(this.uint(size));
  }

  /** UTF-8 behind its length of `size` bytes. */
  text(size: number): string {
    return textOf(this.prefixed(size));
  }

  /** All that is left. */
  rest(): Bytes {
    return this.take(this.#data.length - this.#at);
  }

  /** Nothing may be left. */
  end(): void {
    if (this.#at !== this.#data.length)
      throw new MalformedError(`${this.#data.length - this.#at} bytes too many`);
  }
}
