/** Python's cases, done anew: tests/web/cases.py says what stands in them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, hex, type Rng, unhex } from "../../../../client/web/src/crypto/bytes";
import { SnugError } from "../../../../client/web/src/crypto/errors";
import { given, seeded } from "./given";

type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };
type Case = readonly [operation: string, given: readonly Plain[], came: Plain];

/** An operation's arguments: whatever the test that names it says they are. */
type Operation = (...given: never[]) => unknown;

/** From JSON: bytes, and where an operation draws from. */
function lively(value: Plain): unknown {
  if (Array.isArray(value)) return value.map(lively);
  if (typeof value !== "object" || value === null) return value;
  const object = value as { readonly [key: string]: Plain };
  if (typeof object.hex === "string") return unhex(object.hex);
  if (typeof object.rng === "string") return seeded(object.rng);
  if (Array.isArray(object.repeat)) return new Uint8Array(object.repeat[1] as number).fill(object.repeat[0] as number);
  return Object.fromEntries(Object.entries(object).map(([key, each]) => [camel(key), lively(each)]));
}

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** As Python's `plain` writes it. */
function plain(value: unknown): Plain {
  if (value === undefined || value === null) return null;
  if (value instanceof Uint8Array) {
    const [first] = value;
    if (value.length > 64 && first !== undefined && value.every((byte) => byte === first))
      return { repeat: [first, value.length] };
    return { hex: hex(value) };
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object") return value as Plain;
  const fields = Object.entries(value).filter(([key]) => key !== "exporter");
  return Object.fromEntries(fields.map(([key, each]) => [snake(key), plain(each)]));
}

/** Has all cases of a file come out as they did in Python. */
export function compareWithPython(name: string, operations: Readonly<Record<string, Operation>>, cases?: readonly Case[]): void {
  const all = cases ?? given<readonly Case[]>(name);
  const byOperation = new Map<string, Case[]>();
  for (const each of all) byOperation.set(each[0], [...(byOperation.get(each[0]) ?? []), each]);
  test(`${name}: all that Python has tried can be done here`, () => {
    assert.deepEqual([...byOperation.keys()].sort(), Object.keys(operations).sort());
  });
  for (const [operation, tried] of byOperation) {
    test(`${name}: ${operation}, ${tried.length} cases`, async () => {
      const run = operations[operation] as ((...given: unknown[]) => unknown) | undefined;
      if (run === undefined) return assert.fail(operation);
      for (const [i, [, args, came]] of tried.entries()) {
        let outcome: Plain;
        try {
          outcome = plain(await run(...args.map(lively)));
        } catch (error) {
          if (!(error instanceof SnugError)) throw error;
          outcome = { error: error.name, text: error.message };
        }
        assert.deepEqual(outcome, came, `${operation} ${i}: ${JSON.stringify(args).slice(0, 300)}`);
      }
    });
  }
}

export type { Bytes, Case, Plain, Rng };
