/**
 * Encodes and decodes the binary layouts in `layouts/` (docs/reference/protocol.md, notation).
 *
 * As `wire/layout/reference.py`: each value has exactly one encoding, and decoding refuses everything else.
 */

import { type Bytes, compare, concat, hex, int, unhex, utf8 } from "../crypto/bytes";
import { MalformedError, UnsupportedError } from "../crypto/errors";

/** The shape of a value. Sizes are in bytes. */
export type Shape =
  /** Above 0: an unsigned integer of this size. Below: that many bytes. 0: a flag. */
  | number
  /** An unsigned integer: size, largest value. */
  | readonly ["u", number, number]
  /** Bytes ("b") or text ("t") after the length: size of the length, largest length, unit of both. */
  | readonly ["b" | "t", number, number, number?]
  /** One of these numbers, in one byte. */
  | readonly ["e", readonly number[]]
  /** One byte with bits of this mask. */
  | readonly ["m", number]
  /** Items: size of the count, least, most, item, ORDER, and whether they are a set: of numbers, or of hex. */
  | readonly ["l", number, number, number, Shape, number, boolean]
  /** A value, or null. */
  | readonly ["o", Shape]
  /** All bytes that remain, as bytes or as text. */
  | readonly ["r", boolean]
  /** A tuple. */
  | readonly ["p", readonly Shape[]]
  /** Another layout. */
  | Layout<unknown>;

/** How items follow each other: as they like, rising, with rising first fields, or each once. */
const [RISING, RISING_FIRST, ONCE] = [1, 2, 3];

/** A layout: its name in errors, its constant first bytes (one character each), and its fields in order. */
export interface Layout<T> {
  readonly name: string;
  readonly start: string;
  readonly fields: readonly (readonly [string, Shape])[];
  /** Of no value: what `decode` returns. */
  readonly value?: T;
}

/** Several layouts, each with a number in front, in one byte. `kinds`: number and layout by the value's `type`. */
export interface OneOf<T extends { readonly type: string }> {
  readonly name: string;
  readonly kinds: { readonly [K in T["type"]]: readonly [number, Layout<Extract<T, { readonly type: K }>>] };
}

// a byte order mark is ordinary text: the decoder must not drop it
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Encode. MalformedError for a value that has no encoding. */
export const encode = <T>(layout: Layout<T>, value: T): Bytes => new Writer(layout.name).done(layout, value);

/** Decode all of `data`. MalformedError for anything but the one encoding of a value. */
export const decode = <T>(layout: Layout<T>, data: Uint8Array): T => new Reader(layout.name, data).done(layout) as T;

/** Return the number and the one encoding. MalformedError for a value that has no encoding. */
export function encodeOneOf<T extends { readonly type: string }>({ kinds }: OneOf<T>, value: T): Bytes {
  const [number, layout] = kinds[value.type as T["type"]];
  return concat(int(number, 1), encode<unknown>(layout, value));
}

/** Decode. UnsupportedError for another number, MalformedError for anything else but an encoding. */
export function decodeOneOf<T extends { readonly type: string }>({ name, kinds }: OneOf<T>, data: Uint8Array): T {
  const number = data[0];
  if (number === undefined) throw new MalformedError(`${name} is cut short: 1 bytes expected, 0 are left`);
  for (const type in kinds) {
    const [own, layout] = kinds[type as T["type"]] as readonly [number, Layout<unknown>];
    if (own === number) return new Reader(layout.name, data.subarray(1)).done(layout, { type }) as T;
  }
  throw new UnsupportedError(`a ${name} of the unknown kind ${number}`);
}

/** Where we are, for errors: names of fields, and indices. */
class Path {
  readonly #steps: (string | number)[];

  constructor(name: string) {
    this.#steps = [name];
  }

  protected enter(step: string | number): void {
    this.#steps.push(step);
  }

  protected leave(): void {
    this.#steps.pop();
  }

  protected refuse(text: string): never {
    const [name, ...steps] = this.#steps;
    const path = [name, ...steps.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))].join("").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    throw new MalformedError(path + text);
  }

  /** Judge how encoded items follow each other: integers are big-endian, so bytes rise as they do. */
  protected check(order: number, item: Shape, parts: readonly Uint8Array[]): void {
    const keys = order === RISING_FIRST ? parts.map((part) => part.subarray(0, firstSize(item))) : parts;
    if ((order === RISING || order === RISING_FIRST) && keys.some((key, i) => i > 0 && compare(keys[i - 1]!, key) >= 0))
      this.refuse(" is not in order");
    if (order === ONCE && new Set(keys.map(hex)).size !== keys.length) this.refuse(" has an entry twice");
  }

  protected count(least: number, most: number, count: number): number {
    if (count < least || count > most) this.refuse(` has ${least} to ${most} entries, not ${count}`);
    return count;
  }

  protected atMost(value: number, most: number): number {
    if (value > most) this.refuse(` is above ${most}`);
    return value;
  }

  /** Return the number of bytes of that many units. */
  protected limited(number: number, most: number, unit = 1): number {
    if (number > most) this.refuse(` has ${number * unit} bytes, and at most ${most * unit} are allowed`);
    return number * unit;
  }

  protected bits(value: number, mask: number): number {
    if (value & ~mask) this.refuse(` has bits that are not defined: 0x${(value & ~mask).toString(16)}`);
    return value;
  }

  protected known(value: number, values: readonly number[]): number {
    if (!values.includes(value)) this.refuse(` has the unknown value ${value}`);
    return value;
  }
}

/** One byte for each character. */
function ascii(text: string): Bytes {
  const done = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) done[i] = text.charCodeAt(i);
  return done;
}

/** The first number that has no encoding of that size. */
const BEYOND = [1, 2 ** 8, 2 ** 16, 2 ** 24, 2 ** 32, 2 ** 40, 2 ** 48, 2 ** 56, 2 ** 64];

const isLayout = (shape: Shape): shape is Layout<unknown> => typeof shape === "object" && "fields" in shape;

function firstSize(item: Shape): number {
  const first = isLayout(item) ? item.fields[0]![1] : (item as readonly ["p", readonly Shape[]])[1][0]!;
  return Math.abs(typeof first === "number" ? first : (first as readonly ["u", number, number])[1]);
}

class Writer extends Path {
  readonly #out: Uint8Array[] = [];

  done(layout: Layout<unknown>, value: unknown): Bytes {
    this.#put(layout, value);
    return concat(...this.#out);
  }

  #uint(value: number, size: number, most = Number.MAX_SAFE_INTEGER): void {
    if (!Number.isInteger(value) || value < 0 || value >= BEYOND[size]!)
      this.refuse(`: ${value} is not an unsigned integer of ${size} bytes`);
    this.#out.push(int(this.atMost(value, most), size));
  }

  #bytes(data: Uint8Array, size: number, most: number, unit = 1): void {
    const number = data.length / unit;
    if (!Number.isInteger(number)) this.refuse(` has ${data.length} bytes, which is no multiple of ${unit}`);
    this.limited(number, most, unit);
    this.#uint(number, size);
    this.#out.push(data);
  }

  #record(layout: Layout<unknown>, value: any): void {
    if (layout.start !== "") this.#out.push(ascii(layout.start));
    for (const [name, shape] of layout.fields) {
      this.enter(name);
      this.#put(shape, value[name]);
      this.leave();
    }
  }

  #put(shape: Shape, value: any): void {
    if (typeof shape === "number") {
      if (shape > 0) return this.#uint(value, shape);
      if (shape < 0 && value.length !== -shape) this.refuse(` has ${-shape} bytes, not ${value.length}`);
      this.#out.push(shape === 0 ? int(Number(value), 1) : value);
      return;
    }
    if (isLayout(shape)) return this.#record(shape, value);
    switch (shape[0]) {
      case "u":
        return this.#uint(value, shape[1], shape[2]);
      case "b":
        return this.#bytes(value, shape[1], shape[2], shape[3]);
      case "t":
        return this.#bytes(utf8(value), shape[1], shape[2]);
      case "e":
        return this.#uint(this.known(value, shape[1]), 1);
      case "m":
        return this.#uint(this.bits(value, shape[1]), 1);
      case "r":
        this.#out.push(shape[1] ? utf8(value) : value);
        return;
      case "o":
        this.#out.push(int(value === null ? 0 : 1, 1));
        return value === null ? undefined : this.#put(shape[1], value);
      case "p":
        return shape[1].forEach((item, i) => this.#put(item, value[i]));
      case "l": {
        const [, size, least, most, item, order, set] = shape;
        const parts = this.#parts(item, set ? [...value].map(fromSet) : value);
        if (set) parts.sort(compare);
        this.check(order, item, parts);
        this.#uint(this.count(least, most, parts.length), size);
        this.#out.push(...parts);
      }
    }
  }

  /** Encode items, each on its own. */
  #parts(item: Shape, values: readonly unknown[]): Uint8Array[] {
    const before = this.#out.length;
    return values.map((value, i) => {
      this.enter(i);
      this.#put(item, value);
      this.leave();
      const made = this.#out.splice(before);
      return made.length === 1 ? made[0]! : concat(...made);
    });
  }
}

/** Sets of bytes are sets of hex. */
const fromSet = (each: unknown): unknown => (typeof each === "string" ? unhex(each) : each);

class Reader extends Path {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(name: string, data: Uint8Array) {
    super(name);
    this.#data = data;
  }

  /** Read all as one value, whose fields join those of `value`. */
  done(layout: Layout<unknown>, value: Record<string, unknown> = {}): unknown {
    this.#record(layout, value);
    const left = this.#data.length - this.#at;
    if (left) this.refuse(`: ${left} bytes too many`);
    return value;
  }

  #take(size: number): Bytes {
    const left = this.#data.length - this.#at;
    if (left < size) this.refuse(` is cut short: ${size} bytes expected, ${left} are left`);
    this.#at += size;
    return this.#data.slice(this.#at - size, this.#at) as Bytes;
  }

  #uint(size: number, most = Number.MAX_SAFE_INTEGER): number {
    const left = this.#data.length - this.#at;
    if (left < size) this.refuse(` is cut short: ${size} bytes expected, ${left} are left`);
    let value = 0;
    for (const end = this.#at + size; this.#at < end; this.#at++) value = value * 256 + this.#data[this.#at]!;
    return this.atMost(value, most);
  }

  #flag(): boolean {
    const value = this.#uint(1);
    if (value > 1) this.refuse(` is a flag, 0 or 1, not ${value}`);
    return value === 1;
  }

  #text(data: Uint8Array): string {
    try {
      return utf8Decoder.decode(data);
    } catch {
      return this.refuse(" is not UTF-8");
    }
  }

  #record(layout: Layout<unknown>, value: Record<string, unknown>): unknown {
    if (layout.start !== "") this.#start(ascii(layout.start));
    for (const [name, shape] of layout.fields) {
      this.enter(name);
      value[name] = this.#get(shape);
      this.leave();
    }
    return value;
  }

  #start(wanted: Bytes): void {
    const start = this.#take(wanted.length);
    if (compare(start, wanted)) this.refuse(` begins with ${hex(start)}, not ${hex(wanted)}`);
  }

  #get(shape: Shape): unknown {
    if (typeof shape === "number")
      return shape > 0 ? this.#uint(shape) : shape === 0 ? this.#flag() : this.#take(-shape);
    if (isLayout(shape)) return this.#record(shape, {});
    switch (shape[0]) {
      case "u":
        return this.#uint(shape[1], shape[2]);
      case "b":
        return this.#take(this.limited(this.#uint(shape[1]), shape[2], shape[3]));
      case "t":
        return this.#text(this.#take(this.limited(this.#uint(shape[1]), shape[2])));
      case "e":
        return this.known(this.#uint(1), shape[1]);
      case "m":
        return this.bits(this.#uint(1), shape[1]);
      case "r": {
        const rest = this.#take(this.#data.length - this.#at);
        return shape[1] ? this.#text(rest) : rest;
      }
      case "o":
        return this.#flag() ? this.#get(shape[1]) : null;
      case "p":
        return shape[1].map((item) => this.#get(item));
      case "l": {
        const [, size, least, most, item, order, set] = shape;
        const count = this.count(least, most, this.#uint(size));
        const parts: Uint8Array[] = [];
        const values: unknown[] = [];
        for (let i = 0; i < count; i++) {
          const start = this.#at;
          this.enter(i);
          values.push(this.#get(item));
          this.leave();
          if (order > 0) parts.push(this.#data.subarray(start, this.#at));
        }
        this.check(order, item, parts);
        return set ? new Set(values.map((each) => (typeof each === "number" ? each : hex(each as Bytes)))) : values;
      }
    }
  }
}
