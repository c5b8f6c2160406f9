/**
 * Byte fields of Snug's own messages: length prefixes, a strict reader, zero padding.
 *
 * All data that Snug signs, hashes or seals outside MLS is a concatenation of fields. Integers are
 * big-endian; variable-length fields have a length prefix of 1, 2 or 4 bytes. Each value has exactly one
 * encoding: decoding rejects trailing bytes and non-zero padding.
 */

import { type Bytes, concat, int } from "./bytes";
import { MalformedError } from "./errors";

// a byte order mark is ordinary text: the decoder must not drop it
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Encode `value` in `size` bytes, big-endian. MalformedError if it does not fit or is above 2^53 - 1. */
export function uint(value: number, size: number): Bytes {
  if (!Number.isSafeInteger(value) || value < 0 || value >= 256 ** size)
    throw new MalformedError(`${value} is not an unsigned integer of ${size} bytes`);
  return int(value, size);
}

/** Encode as 0 or 1, one byte. */
export const flag = (set: boolean): Bytes => uint(Number(set), 1);

/** Return `data` after its length in `size` bytes. MalformedError if the length does not fit. */
export function prefixed(data: Uint8Array, size: number): Bytes {
  if (data.length >= 256 ** size)
    throw new MalformedError(`${data.length} bytes are too many for a length of ${size} bytes`);
  return concat(int(data.length, size), data);
}

/** Return `data` if it has `size` bytes. Otherwise MalformedError that names `what`. */
export function exactly<T extends Uint8Array>(data: T, size: number, what: string): T {
  if (data.length !== size) throw new MalformedError(`${what} has ${size} bytes, not ${data.length}`);
  return data;
}

/** Return `data` after its length (4 bytes), zero-padded to `size` bytes. MalformedError if too long. */
export function padded(data: Uint8Array, size: number): Bytes {
  const whole = prefixed(data, 4);
  if (whole.length > size) throw new MalformedError(`${data.length} bytes don't fit in ${size}`);
  const done = new Uint8Array(size);
  done.set(whole);
  return done;
}

/** Return the data passed to `padded`. MalformedError if the padding is not all zeros. */
export function unpadded(data: Uint8Array): Bytes {
  const reader = new Reader(data);
  const inner = reader.prefixed(4);
  if (reader.rest().some((byte) => byte !== 0)) throw new MalformedError("the padding must be zero");
  return inner;
}

/** Decode UTF-8, and keep a byte order mark. MalformedError with the text `what` for invalid UTF-8. */
export function textOf(data: Uint8Array, what = "the text is not UTF-8"): string {
  try {
    return decoder.decode(data);
  } catch {
    throw new MalformedError(what);
  }
}

/** Call `read` `count` times and return the results. */
export const several = <T>(count: number, read: () => T): T[] => Array.from({ length: count }, read);

/** Reads fields from the front of `data`. Methods throw MalformedError on a missing or invalid field. */
export class Reader {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  /** Read the next `size` bytes: a copy. */
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

  /** Read an unsigned integer of `size` bytes, at most 2^53 - 1. */
  uint(size: number): number {
    const value = this.take(size).reduce((sum, byte) => sum * 256 + byte, 0);
    if (!Number.isSafeInteger(value)) throw new MalformedError("an integer above 2^53 - 1");
    return value;
  }

  /** Read bytes that follow their length of `size` bytes. */
  prefixed(size: number): Bytes {
    return this.take(this.uint(size));
  }

  /** Read UTF-8 text that follows its length of `size` bytes. */
  text(size: number): string {
    return textOf(this.prefixed(size));
  }

  /** The number of bytes that remain. */
  get left(): number {
    return this.#data.length - this.#at;
  }

  /** Read all remaining bytes. */
  rest(): Bytes {
    return this.take(this.left);
  }

  /** Check that no bytes remain. */
  end(): void {
    if (this.#at !== this.#data.length)
      throw new MalformedError(`${this.#data.length - this.#at} bytes too many`);
  }
}
