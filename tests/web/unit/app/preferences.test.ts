/** What a person chose outlives the page, and a name only if the person wants that. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Preferences } from "../../../../client/web/src/app/preferences";
import { PreJoin } from "../../../../client/web/src/app/preJoin";

// Node 20 has none
if (!("navigator" in globalThis)) Object.defineProperty(globalThis, "navigator", { value: { languages: ["en"] } });

/** Stands in for the browser's storage. */
class Kept {
  text: string | null = null;

  getItem(): string | null {
    return this.text;
  }

  setItem(_: string, text: string): void {
    this.text = text;
  }
}

/** A visit with this storage: its form and preferences. */
function visit(kept: Kept): { readonly form: PreJoin; readonly preferences: Preferences } {
  const form = new PreJoin();
  return { form, preferences: new Preferences(kept as unknown as Storage, form) };
}

function enters(form: PreJoin, name: string): void {
  const origin = "https://meet.example";
  form.openRoom({ origin, pageOrigin: origin, own: false, proven: false, hash: null, lecture: false, peers: [] });
  form.name.value = name;
  assert.notEqual(form.begin(), null);
}

test("the next visit begins with the name of the last one", () => {
  const kept = new Kept();
  const first = visit(kept).form;
  first.name.value = "Somebody who only types";
  assert.equal(visit(kept).form.name.value, "");
  enters(first, " Ada ");
  const { form } = visit(kept);
  assert.deepEqual([form.name.value, form.remember.value], ["Ada", true]);
});

test("no name is kept without the person's consent, and the choice is", () => {
  const kept = new Kept();
  enters(visit(kept).form, "Ada");
  visit(kept).form.remember.value = false;
  assert.ok(!kept.text?.includes("Ada"), "at once");
  const { form } = visit(kept);
  assert.deepEqual([form.name.value, form.remember.value], ["", false]);
  enters(form, "Bo");
  assert.ok(!kept.text?.includes("Bo"));
});

test("theme and language are kept, whatever else is there", () => {
  const kept = new Kept();
  const { preferences } = visit(kept);
  preferences.theme.value = "dark";
  preferences.language.value = "de";
  const again = visit(kept).preferences;
  assert.deepEqual([again.theme.value, again.language.value], ["dark", "de"]);
  kept.text = "[]";
  assert.equal(visit(kept).preferences.theme.value, "system");
  kept.text = '{"name": 3}';
  assert.deepEqual([visit(kept).form.name.value, visit(kept).form.remember.value], ["", true]);
});
