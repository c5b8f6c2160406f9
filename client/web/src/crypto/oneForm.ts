/**
 * Files that strangers check: one JSON object in the one form in which Python's msgspec writes it, and no
 * other.
 */

import { toBase64 } from "../wire/codec";
import { type Bytes, utf8 } from "./bytes";
import { StateError } from "./errors";

/** Byte strings as base64. StateError for a number that is no integer: Python's structs have none. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toBase64(value);
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value === "number" && !Number.isSafeInteger(value))
    throw new StateError(`${value} in a file that holds integers`);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
  return value;
}

/** UTF-8 without a blank. `order`: the names of all structs' fields, in an order that suits each of them. */
export const compact = (value: object, order: readonly string[]): Bytes =>
  utf8(JSON.stringify(plain(value), [...order]));

/** UTF-8, a field a line, with a line end. `order` as of `compact`. */
export const encode = (value: object, order: readonly string[]): Bytes =>
  utf8(`${JSON.stringify(plain(value), [...order], 1)}\n`);
