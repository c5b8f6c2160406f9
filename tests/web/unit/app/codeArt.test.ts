import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DEPTH, EYE, PROFILES, RING, type CodeArtShape, SHEAR, codeArtOf, TIP } from "../../../../client/web/src/app/codeArtShape";

interface Vectors {
  readonly seals: readonly { readonly digits: string; readonly seal: CodeArtShape }[];
  readonly sizes: unknown;
  readonly profiles: Readonly<Record<CodeArtShape["outline"], readonly number[]>>;
}

const vectors = JSON.parse(readFileSync(join(import.meta.dirname, "../shared/code_art.json"), "utf8")) as Vectors;

test("a code has the same art here as in the terminal", () => {
  assert.equal(vectors.seals.length, 64);
  for (const { digits, seal } of vectors.seals) assert.deepEqual(codeArtOf(digits), seal);
});

test("all parts have the same sizes", () => {
  assert.deepEqual({ depth: DEPTH, tip: TIP, ring: RING, eye: EYE, shear: SHEAR }, vectors.sizes);
});

test("petals have the same outlines", () => {
  assert.deepEqual(Object.keys(PROFILES).sort(), Object.keys(vectors.profiles).sort());
  for (const [name, values] of Object.entries(vectors.profiles)) {
    values.forEach((value, i) => {
      const here = PROFILES[name as CodeArtShape["outline"]](i / 20);
      assert.ok(Math.abs(here - value) < 1e-8, `${name} at ${i}: ${here}`);
    });
  }
});
