/**
 * The presentation language of RFC 9420 section 2.1, decoded strictly: every value has exactly one encoding.
 *
 * ts-mls's own decoders are lenient, and verdicts must not depend on that. All received data is therefore
 * decoded here, into the data types that ts-mls encodes.
 */

import { MalformedError } from "../crypto/errors";
import type { Bytes } from "../crypto/bytes";

/** Reads values from bytes, front to back. MalformedError on non-canonical input. */
export class Reader {
  readonly #data: Bytes;
  #at = 0;

  constructor(data: Bytes) {
    this.#data = data;
  }

  /** Number of unread bytes. */
  get remaining(): number {
    return this.#data.length - this.#at;
  }

  take(length: number): Bytes {
    if (length > this.remaining)
      throw new MalformedError(`${length} bytes were announced where ${this.remaining} are left`);
    this.#at += length;
    return this.#data.slice(this.#at - length, this.#at);
  }

  #integer(size: number): number {
    return this.take(size).reduce((value, byte) => value * 256 + byte, 0);
  }

  u8(): number {
    return this.#integer(1);
  }

  u16(): number {
    return this.#integer(2);
  }

  u32(): number {
    return this.#integer(4);
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** Read a length header. The prefix 11 and encodings longer than needed are rejected. */
  varint(): number {
    const first = this.u8();
    const prefix = first >> 6;
    if (prefix === 3) throw new MalformedError("a vector's length header has the invalid prefix 11");
    let value = first & 0x3f;
    for (const byte of this.take((1 << prefix) - 1)) value = value * 256 + byte;
    if ((prefix === 1 && value < 0x40) || (prefix === 2 && value < 0x4000))
      throw new MalformedError("a vector's length header is longer than needed");
    return value;
  }

  opaque(): Bytes {
    return this.take(this.varint());
  }

  /** Read `T items<V>`, each item with `read`, which must consume at least one byte. */
  vector<T>(read: (reader: Reader) => T): T[] {
    const inner = new Reader(this.opaque());
    const items: T[] = [];
    while (inner.remaining > 0) items.push(read(inner));
    return items;
  }

  optional<T>(read: (reader: Reader) => T): T | undefined {
    const present = this.u8();
    if (present > 1) throw new MalformedError(`an optional's presence octet is ${present}`);
    return present === 1 ? read(this) : undefined;
  }

  /** Read all remaining bytes. */
  rest(): Bytes {
    return this.take(this.remaining);
  }
}

/** Read exactly one value that occupies all of `data`. */
export function decode<T>(data: Bytes, read: (reader: Reader) => T): T {
  const reader = new Reader(data);
  const value = read(reader);
  if (reader.remaining > 0) throw new MalformedError(`${reader.remaining} bytes are left over at the end`);
  return value;
}
