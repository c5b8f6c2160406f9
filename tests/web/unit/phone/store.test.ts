/** The page of a phone: its token, and votes that outlast a reload. */
import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { afterEach, test } from "node:test";
import { type Kept, Store } from "../../../../client/web/src/phone/store";

const real = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = real;
});

/** A tab's storage, and what was written to it. */
function kept(): Kept & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  return { values, getItem: (key) => values.get(key) ?? null, setItem: (key, value) => void values.set(key, value) };
}

/** Answers for the paths that the page asks for, and the requests that were made. */
function answering(status: number, told: unknown): unknown[] {
  const asked: unknown[] = [];
  globalThis.fetch = (async (what: RequestInfo | URL, init?: RequestInit) => {
    asked.push([what, init?.body === undefined ? null : JSON.parse(String(init.body))]);
    return new Response(JSON.stringify(told), { status });
  }) as typeof fetch;
  return asked;
}

test("a token is random, and stays the same for as long as the tab is open", () => {
  const tab = kept();
  new Store(tab);
  const token = tab.values.get("phone") ?? "";
  match(token, /^[\w-]{22}$/);
  new Store(tab);
  equal(tab.values.get("phone"), token);
  const other = kept();
  new Store(other);
  notEqual(other.values.get("phone"), token);
});

test("a vote is sent with the token, and kept once it counts", async () => {
  const tab = kept();
  const store = new Store(tab);
  const asked = answering(200, {});
  await store.vote("find", 3);
  deepEqual(asked, [["vote", { phone: tab.values.get("phone"), question: "find", choice: 3 }]]);
  deepEqual(new Store(tab).chosen.value, { find: 3 }, "after a reload");
});

test("a vote that does not count is not kept, and the reason is told", async () => {
  for (const [status, told, why] of [
    [409, { refused: "address" }, "address"], [409, { refused: "closed" }, "closed"], [409, { refused: "new" }, "gone"],
    [429, {}, "often"], [500, {}, "gone"],
  ] as const) {
    const store = new Store(kept());
    answering(status, told);
    await store.vote("find", 3);
    deepEqual([store.chosen.value, store.trouble.value], [{}, why]);
  }
});

test("what somebody else has kept there is no choice", () => {
  for (const text of ["{", "5", "null", "[]", '{"find": "x"}']) {
    const tab = kept();
    tab.setItem("chosen", text);
    deepEqual(new Store(tab).chosen.value, {});
  }
});

test("the texts are asked for until they are there, and the lecture may come back", async () => {
  const store = new Store(kept());
  answering(500, {});
  await store.look();
  equal(store.trouble.value, "gone");
  const asked = answering(200, { first: "de", words: {}, question: null });
  await store.look();
  await store.look();
  deepEqual(asked.map((each) => (each as unknown[])[0]), ["words.json", "now", "now"]);
  deepEqual([store.language.value, store.trouble.value], ["de", null]);
});
