/** The page's address, and a proof, say that one's own machine serves it: never a server's word. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { afterEach, test } from "node:test";
import { isOwn } from "../../../../client/web/src/app/ownPage";
import { carriesLink, linkOf, where } from "../../../../client/web/src/app/where";

const OWN = `http://${"a2".repeat(13)}.localhost:8790`;
const KEY = "k".repeat(22);
const OTHER = "o".repeat(22);
const LINK = "https://meet.example/#2abc";

const before = { fetch: globalThis.fetch };
afterEach(() => {
  globalThis.fetch = before.fetch;
  for (const name of ["location", "sessionStorage"]) Reflect.deleteProperty(globalThis, name);
});

/** A page at that origin, whose server knows that key, and what its tab keeps. `answers`: an answer instead of the server's. */
function page(origin: string, key: string | null, answers: Readonly<Record<string, string>> = {}) {
  const kept = new Map<string, string>();
  const asked: [string, unknown][] = [];
  const storage = { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => void kept.set(name, value) };
  Object.defineProperty(globalThis, "location", { value: { origin }, configurable: true });
  Object.defineProperty(globalThis, "sessionStorage", { value: storage, configurable: true });
  const mac = (purpose: string, nonce: string): string =>
    createHmac("sha256", key ?? "").update(`snug ${purpose}\n${origin}\n${nonce}`).digest("hex");
  let waits = true;
  globalThis.fetch = (async (path: string, { body }: RequestInit = {}) => {
    asked.push([path, body]);
    if (path === "where.json") return Response.json({ origin: "https://meet.example", own: true, lecture: false, peers: [] });
    if (answers[path] !== undefined) return new Response(answers[path]);
    if (key === null) return new Response("", { status: 404 });
    if (path === "proof") return new Response(mac("page", String(body)));
    if (body !== mac("link", "") || !waits) return new Response("", { status: 410 });
    waits = false;
    return new Response(LINK);
  }) as typeof fetch;
  return { kept, asked };
}

test("only a random name below localhost is an address of one's own page", () => {
  for (const origin of [OWN, OWN.replace(":8790", "")]) assert.ok(isOwn(origin), origin);
  for (const origin of [
    "https://meet.example", "http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080", "http://app.localhost:8790",
    OWN.replace("http", "https"), `${OWN}.meet.example`, `http://x.${OWN.slice(7)}`, OWN.replace("a2", "A2"), OWN.replace("localhost", "localhost.example"),
  ]) assert.equal(isOwn(origin), false, origin);
});

test("a server that says own: true is a server, at whatever address", async () => {
  for (const origin of ["https://meet.example", "http://127.0.0.1:8080", "http://localhost:8080"]) {
    const { asked } = page(origin, KEY);
    const { own, proven } = await where(`own-${KEY}`);
    assert.deepEqual({ own, proven }, { own: false, proven: false }, origin);
    assert.deepEqual(asked.map(([path]) => path), ["where.json"], "and it is asked for no proof");
  }
});

test("the program that printed the address proves it, also after a reload, and the key is told to nobody", async () => {
  const { kept, asked } = page(OWN, KEY);
  assert.equal((await where()).proven, false, "without the address that was printed");
  assert.equal((await where(`own-${KEY}`)).proven, true);
  assert.equal((await where()).proven, true, "the tab keeps the key");
  const nonces = asked.filter(([path]) => path === "proof").map(([, body]) => body);
  assert.equal(new Set(nonces).size, 2, "each proof is of its own nonce");
  assert.ok(!JSON.stringify(asked).includes(KEY));
  assert.deepEqual([...kept.values()], [KEY]);
});

test("a program that did not print the address proves nothing", async () => {
  const earlier = createHmac("sha256", KEY).update(`snug page\n${OWN}\n${"0".repeat(32)}`).digest("hex");
  for (const [key, answers] of [[OTHER, {}], [null, {}], [null, { proof: earlier }], [null, { proof: "no hex" }], [null, { proof: "" }]] as const) {
    const { kept } = page(OWN, key, answers);
    const { own, proven } = await where(`own-${KEY}`);
    assert.deepEqual({ own, proven }, { own: true, proven: false });
    assert.equal(kept.size, 0);
  }
});

test("the link is handed over once, to a page that knows the key", async () => {
  const { asked } = page(OWN, KEY);
  const at = await where(`once-${KEY}`);
  assert.equal(await linkOf(`once-${OTHER}`, at), null);
  assert.equal(await linkOf(`once-${KEY}`, at), LINK);
  assert.equal(await linkOf(`once-${KEY}`, at), null);
  assert.ok(!JSON.stringify(asked).includes(KEY));
  assert.deepEqual([carriesLink(`once-${KEY}`, at), carriesLink(`own-${KEY}`, at), carriesLink("1abc", at)], [true, false, true]);
  assert.equal(carriesLink(`own-${KEY}`, { ...at, own: false }), true, "elsewhere it is a link, and no valid one");
});
