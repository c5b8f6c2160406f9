import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import enRoom from "../../../../client/web/src/words/en/room";
import enWatch from "../../../../client/web/src/words/en/watch";
import type { Words } from "../../../../client/web/src/words/entry";
import { english, render } from "../../../../client/web/src/words/index";
import type { Arg } from "../../../../client/web/src/words/sentence";

interface Row {
  readonly key: string;
  readonly args: Readonly<Record<string, Arg>>;
  readonly kind: string | null;
  readonly text: string;
}

const shared = JSON.parse(readFileSync(join(import.meta.dirname, "../shared/words.json"), "utf8")) as {
  readonly rows: readonly Row[];
  readonly templates: readonly string[];
};
const own: Words = { ...enRoom, ...enWatch };

test("the page says in English what the headless client says, word for word", () => {
  assert.ok(shared.rows.length > 150);
  for (const { key, args, text } of shared.rows) {
    assert.ok(Object.hasOwn(english, key), `no entry ${key}`);
    assert.equal(render(english, "en", key, args), text, key);
  }
});

test("an alarm's kind is the beginning of its key", () => {
  for (const { key, kind } of shared.rows)
    if (kind !== null) assert.match(key, new RegExp(`^(alarm|status)\\.${kind}(\\.|$)`));
});

/** Those that stand in no row, for Python writes them where they are told. */
test("what is in no row stands in Python's source, with the same words around what is filled in", () => {
  const rows = new Set(shared.rows.flatMap((row) => [row.key, ...inner(row.args)]));
  const templates = new Set(shared.templates);
  const strange = Object.entries(own).filter(([key, entry]) => {
    if (rows.has(key)) return false;
    return typeof entry !== "string" || !templates.has(entry.replace(/\{\w+(:n)?\}/g, "{}"));
  });
  assert.deepEqual(
    strange.map(([key]) => key),
    [],
  );
});

/** Keys of sentences inside sentences. */
function inner(args: Readonly<Record<string, Arg>>): string[] {
  return Object.values(args).flatMap((arg) => {
    if (typeof arg !== "object" || arg === null) return [];
    if ("key" in arg) return [arg.key, ...inner(arg.args ?? {})];
    return arg.flatMap((each) => (typeof each === "string" ? [] : [each.key, ...inner(each.args ?? {})]));
  });
}
