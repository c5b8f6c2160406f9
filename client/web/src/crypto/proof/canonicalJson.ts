/**
 * Canonical JSON for files that third parties verify, in the form that Python's msgspec writes: each value
 * has exactly one valid encoding.
 */

import { toBase64 } from "../../wire/codec";
import { type Bytes, utf8 } from "../bytes";
import { StateError } from "../errors";

/**
 * Encode byte strings as base64. StateError for a number that is not a safe integer: Python's structs hold
 * integers only.
 */
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

/**
 * Encode as UTF-8 JSON without whitespace. `order`: field names of all structs, in an order that suits each
 * struct.
 */
export const compact = (value: object, order: readonly string[]): Bytes =>
  utf8(JSON.stringify(plain(value), [...order]));

/** Encode as UTF-8 JSON with one field per line and a final newline. `order` as in `compact`. */
export const encode = (value: object, order: readonly string[]): Bytes =>
  utf8(`${JSON.stringify(plain(value), [...order], 1)}\n`);
