import assert from "node:assert/strict";
import { test } from "node:test";
import { caseFold, kind, normalized } from "../../../../client/web/src/crypto/agreed/unicode14";
import { hex, utf8 } from "../../../../client/web/src/crypto/bytes";
import { ValidationError } from "../../../../client/web/src/crypto/errors";
import { H } from "../../../../client/web/src/crypto/kdf";
import { checkName, loadLookAlikes, lookAlike, shows, skeletons, standsAround } from "../../../../client/web/src/crypto/agreed/names";
import { given } from "./given";

interface Vectors {
  readonly names: readonly (readonly [name: string, verdict: string | null])[];
  readonly looks: readonly string[];
  readonly alike: readonly (readonly [string, string])[];
  readonly skeletons: readonly (readonly [string, string, string])[];
  readonly block: number;
  /** Of each block of code points, a digest of all that is known of them. */
  readonly properties: readonly (readonly [first: number, digest: string])[];
}

const vectors = given<Vectors>("names");

function verdict(name: string): string | null {
  try {
    assert.equal(checkName(name), name);
    return null;
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    assert.equal(error.rule, "SNUG-11");
    return error.message;
  }
}

test(`names: ${vectors.names.length} verdicts`, () => {
  const kinds = new Set(vectors.names.map(([, verdict]) => verdict));
  assert.equal(kinds.size, 6, "allowed, and each of five reasons not to be");
  for (const [name, expected] of vectors.names) assert.equal(verdict(name), expected, JSON.stringify(name));
});

test("names: the same pairs look alike, and no others", async () => {
  await loadLookAlikes();
  const { looks } = vectors;
  const found = looks.flatMap((one, i) => looks.slice(i + 1).flatMap((other) => (lookAlike(one, other) ? [[one, other]] : [])));
  assert.deepEqual(found, vectors.alike);
  assert.ok(found.length > 50);
});

test(`names: ${vectors.skeletons.length} skeletons`, async () => {
  await loadLookAlikes();
  for (const [name, ...expected] of vectors.skeletons) assert.deepEqual(skeletons(name), expected, JSON.stringify(name));
});

/** As Python's `_properties`. */
function properties(char: string): string {
  const forms = (["NFC", "NFD", "NFKC"] as const).map((form) => normalized(char, form));
  const flags = [shows(char), standsAround(char)];
  return [kind(char) + flags.map(Number).join(""), ...forms, caseFold(char), ...skeletons(char)].join("\t");
}

test(`names: all that is known of the characters, ${vectors.properties.length} blocks`, async () => {
  await loadLookAlikes();
  const wrong = vectors.properties.filter(([first, digest]) => {
    const lines = Array.from({ length: vectors.block }, (_, i) => properties(String.fromCodePoint(first + i)));
    return hex(H(utf8(lines.join("\n")))).slice(0, 16) !== digest;
  });
  assert.deepEqual(wrong.map(([first]) => first.toString(16)), []);
});
