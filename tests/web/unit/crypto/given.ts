/** Helpers of the crypto tests: Python's vectors, and kinds of error. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Bytes, concat, int, unhex, utf8 } from "../../../../client/web/src/crypto/bytes";
import { SnugError } from "../../../../client/web/src/crypto/errors";
import { H } from "../../../../client/web/src/crypto/kdf";

/** A file of tests/web/shared, as Python has written it. */
export const given = <T>(name: string): T =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../shared/${name}.json`), "utf8")) as T;

/** The kind of a crypto error, as Python names it; anything else is a fault of the test or the code. */
export function kindOf(error: unknown): string {
  if (!(error instanceof SnugError)) throw error;
  return error.constructor.name;
}

export type Outcome = { readonly error: string } | string | number | boolean | null | object;

/** The result of an attempt, in the form of Python's `outcome_of`. */
export async function outcomeOf(attempt: () => unknown): Promise<Outcome> {
  try {
    const value = await attempt();
    if (value instanceof Uint8Array) return hexOf(value);
    return (value ?? null) as Outcome;
  } catch (error) {
    return { error: kindOf(error) };
  }
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

type Class = abstract new (...args: never[]) => Error;

/** That it is refused, by that kind of error and with that text. */
export async function refused(attempt: () => unknown, kind: Class, text = /./): Promise<void> {
  await assert.rejects(async () => attempt(), (error: Error) => {
    assert.ok(error instanceof kind, `${error.constructor.name} is no ${kind.name}: ${error.message}`);
    assert.match(error.message, text);
    return true;
  });
}

/** The same with one byte changed. */
export function flipped(data: Bytes, place: number, by = 1): Bytes {
  const copy = data.slice();
  copy[place] = (copy[place] ?? 0) ^ by;
  return copy;
}

/** Random bytes that are the same in every run. */
export function seeded(seed: string): (count: number) => Bytes {
  let drawn = 0;
  return (count) => {
    const blocks = Array.from({ length: Math.ceil(count / 32) }, () => H(utf8(seed), int(drawn++, 4)));
    return concat(...blocks).slice(0, count);
  };
}

export { unhex };
