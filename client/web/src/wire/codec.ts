/**
 * Codec for JSON frames, checked against tables that are generated from the server's structs.
 *
 * It accepts the same frames as msgspec on the server: an unknown or missing field, or a wrong type, size or
 * range is refused. Byte strings are base64 (RFC 4648 section 4, padded).
 */

import type { Bytes } from "../crypto/bytes";

export type Schema =
  | readonly ["bytes", number, number | null]
  | readonly ["int", number | null, number | null]
  | readonly ["bool"]
  | readonly ["str", number, number | null, string | null]
  | readonly ["one of", readonly unknown[]]
  | readonly ["list", Schema, number, number | null]
  | readonly ["or null", Schema]
  | readonly ["struct", string];

export interface StructSchema {
  readonly tag: string | null;
  /** Field name -> [schema], or [schema, default] if the field is optional. */
  readonly fields: Readonly<Record<string, readonly unknown[]>>;
}

export type Schemas = Readonly<Record<string, StructSchema>>;

/** The frame is not a message of this protocol. The text gives the reason, in at most 200 characters. */
export class WireError extends Error {
  override readonly name = "WireError";
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Encode as base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

/** Decode padded base64. WireError for other input. */
export function fromBase64(text: string): Bytes {
  if (!BASE64.test(text)) throw new WireError("not base64");
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** Return the number of code points, as Python counts characters; JavaScript counts UTF-16 units. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function within(count: number, least: number, most: number | null, where: string): void {
  if (count < least || (most !== null && count > most)) throw new WireError(`${where}: wrong size`);
}

/** Codec for the messages `names`, which are structs of `schemas`. */
export class Codec<T extends { readonly type: string }> {
  readonly #schemas: Schemas;
  readonly #byTag = new Map<string, StructSchema>();

  constructor(schemas: Schemas, names: readonly string[]) {
    this.#schemas = schemas;
    for (const name of names) {
      const schema = schemas[name];
      if (schema?.tag) this.#byTag.set(schema.tag, schema);
    }
  }

  /** Decode a frame. WireError for anything but a valid message of this codec. */
  decode(frame: string): T {
    let raw: unknown;
    try {
      raw = JSON.parse(frame);
    } catch {
      throw new WireError("not JSON");
    }
    if (typeof raw !== "object" || raw === null || Array.isArray(raw)) throw new WireError("no JSON object");
    const { type, ...rest } = raw as Record<string, unknown>;
    const schema = typeof type === "string" ? this.#byTag.get(type) : undefined;
    if (schema === undefined) throw new WireError("unknown message type");
    return { type, ...this.#struct(schema, rest, "") } as unknown as T;
  }

  /**
   * Encode a message. Sizes and ranges are checked here too, so that an invalid message is never sent.
   * WireError.
   */
  encode(message: T): string {
    const { type, ...rest } = message as Record<string, unknown>;
    const schema = this.#byTag.get(message.type);
    if (schema === undefined) throw new WireError(`unknown message type ${String(type)}`);
    return JSON.stringify({ type, ...this.#out(schema, rest) });
  }

  #out(schema: StructSchema, from: Record<string, unknown>): Record<string, unknown> {
    const done: Record<string, unknown> = {};
    for (const name of Object.keys(schema.fields)) done[name] = this.#plain(from[name]);
    this.#struct(schema, done, "");
    return done;
  }

  #plain(value: unknown): unknown {
    if (value instanceof Uint8Array) return toBase64(value);
    if (Array.isArray(value)) return value.map((v) => this.#plain(v));
    if (typeof value === "object" && value !== null)
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, this.#plain(v)]));
    return value;
  }

  #struct(schema: StructSchema, raw: Record<string, unknown>, where: string): Record<string, unknown> {
    for (const name of Object.keys(raw))
      if (!Object.hasOwn(schema.fields, name)) throw new WireError(`unknown field ${name.slice(0, 40)}`);
    const done: Record<string, unknown> = {};
    for (const [name, row] of Object.entries(schema.fields)) {
      const value = raw[name];
      if (value !== undefined) done[name] = this.#check(row[0] as Schema, value, `${where}${name}`);
      else if (row.length > 1) done[name] = row[1];
      else throw new WireError(`${where}${name} is missing`);
    }
    return done;
  }

  #check(schema: Schema, value: unknown, where: string): unknown {
    switch (schema[0]) {
      case "bytes": {
        if (typeof value !== "string") break;
        const bytes = fromBase64(value);
        within(bytes.length, schema[1], schema[2], where);
        return bytes;
      }
      case "int":
        if (!Number.isSafeInteger(value)) break;
        if (schema[1] !== null && (value as number) < schema[1]) break;
        if (schema[2] !== null && (value as number) > schema[2]) break;
        return value;
      case "bool":
        if (typeof value !== "boolean") break;
        return value;
      case "str":
        if (typeof value !== "string" || !value.isWellFormed()) break;
        within(characters(value), schema[1], schema[2], where);
        if (schema[3] !== null && !new RegExp(schema[3], "u").test(value)) break;
        return value;
      case "one of":
        if (!schema[1].includes(value)) break;
        return value;
      case "list":
        if (!Array.isArray(value)) break;
        within(value.length, schema[2], schema[3], where);
        return value.map((each, i) => this.#check(schema[1], each, `${where}[${i}]`));
      case "or null":
        return value === null ? null : this.#check(schema[1], value, where);
      case "struct": {
        const struct = this.#schemas[schema[1]];
        if (struct === undefined || typeof value !== "object" || value === null || Array.isArray(value)) break;
        return this.#struct(struct, value as Record<string, unknown>, `${where}.`);
      }
    }
    throw new WireError(`${where}: wrong type or range`);
  }
}
