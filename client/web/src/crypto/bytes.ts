/** Byte strings: operations of Python's `bytes` that `Uint8Array` lacks. */

export type Bytes = Uint8Array<ArrayBuffer>;

/** Source of randomness: returns `count` random bytes. */
export type Rng = (count: number) => Bytes;

const encoder = new TextEncoder();

/** Encode as UTF-8. */
export const utf8 = (text: string): Bytes => encoder.encode(text) as Bytes;

/** Concatenate the parts. */
export function concat(...parts: readonly Uint8Array[]): Bytes {
  const done = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    done.set(part, at);
    at += part.length;
  }
  return done;
}

/** Return whether both hold the same bytes; in constant time for equal lengths. */
export function same(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  let differs = 0;
  for (let i = 0; i < one.length; i++) differs |= one[i]! ^ other[i]!;
  return differs === 0;
}

/** Return whether a key (a byte string) is among others. */
export const among = (key: Bytes | null, keys: readonly Bytes[]): boolean =>
  key !== null && keys.some((each) => same(each, key));

/** Compare in the order of Python's bytes: a negative number, 0 or a positive number. */
export function compare(one: Uint8Array, other: Uint8Array): number {
  const shared = Math.min(one.length, other.length);
  for (let i = 0; i < shared; i++) if (one[i] !== other[i]) return one[i]! - other[i]!;
  return one.length - other.length;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Return lower-case hex, which also serves as the key of a byte string in a Map or Set. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Decode hex. RangeError for other input. */
export function unhex(text: string): Bytes {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) throw new RangeError("not hex");
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Encode `value` (at most 2^53 - 1) in `size` bytes, big-endian. */
export function int(value: number, size: number): Bytes {
  const done = new Uint8Array(size);
  for (let i = size - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) done[i] = rest % 256;
  return done;
}

/** Random bytes from the system's generator. */
export const systemRng: Rng = (count) => crypto.getRandomValues(new Uint8Array(count));
