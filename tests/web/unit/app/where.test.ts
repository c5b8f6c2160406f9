/** A page that was opened under another origin than its server's says so: the operator's most common mistake. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { signal } from "@preact/signals";
import type { Where } from "../../../../client/web/src/app/model";
import { PreJoin } from "../../../../client/web/src/app/preJoin";
import { learnHash, misnamed, where } from "../../../../client/web/src/app/where";
import { sentence } from "../../../../client/web/src/words/sentence";
import { linkTo } from "./links";

const OPENED = "https://meet.example";
const told = sentence("contact.misnamed", { theirs: "http://127.0.0.1:8080", ours: OPENED });
const at = (facts: Partial<Where>): Where => ({
  origin: "http://127.0.0.1:8080",
  pageOrigin: OPENED,
  own: false,
  proven: false,
  lecture: false,
  hash: null,
  peers: [],
  ...facts,
});

test("a page of a server with another name names both", () => {
  assert.deepEqual(misnamed(at({}), OPENED), told);
});

test("a page of its server, of the own machine, or without a server has no such trouble", () => {
  assert.equal(misnamed(at({ origin: OPENED }), OPENED), null);
  assert.equal(misnamed(at({ own: true }), OPENED), null);
  assert.equal(misnamed(at({ origin: null }), OPENED), null);
  assert.equal(misnamed(at({}), "https://elsewhere.example"), null);
});

test("a link to the page's own address tells the cause, and one to another server is another matter", () => {
  const form = new PreJoin();
  assert.equal(form.follow(linkTo(OPENED), at({})), false);
  assert.deepEqual(form.linkTrouble.value, told);
  assert.equal(form.follow(linkTo("https://elsewhere.example"), at({})), false);
  assert.equal(form.linkTrouble.value?.key, "note.other_server");
});

test("a link that names the page's server among the further ones is followed there", () => {
  const form = new PreJoin();
  const link = linkTo("https://elsewhere.example", "https://third.example", OPENED);
  assert.equal(form.follow(link, at({ origin: OPENED })), true);
  assert.deepEqual(form.going.value, { as: "guest", origin: OPENED });
  assert.equal(form.link, link);
  assert.equal(form.follow(linkTo("https://elsewhere.example", "https://third.example"), at({ origin: OPENED })), false);
  assert.deepEqual(form.linkTrouble.value, sentence("note.other_server", { origin: "https://elsewhere.example" }));
  assert.equal(form.follow(link, at({})), false);
  assert.deepEqual(form.linkTrouble.value, told);
});

test("a page of the own machine goes to the first server of a link", () => {
  const form = new PreJoin();
  const link = linkTo("https://elsewhere.example", OPENED);
  assert.equal(form.follow(link, at({ own: true, origin: OPENED })), true);
  assert.equal(form.going.value?.origin, "https://elsewhere.example");
});

test("the service worker says that the page comes from the device, and a server can't", async () => {
  const at = (answer: string | null): void => {
    const controller = { postMessage: (_: unknown, [port]: readonly MessagePort[]) => port?.postMessage(answer) };
    const serviceWorker = { controller: answer === null ? null : controller };
    Object.defineProperty(globalThis, "navigator", { value: { serviceWorker }, configurable: true });
  };
  Object.assign(globalThis, { location: { origin: OPENED, hostname: "meet.example", protocol: "https:" } });
  globalThis.fetch = async () => Response.json({ origin: OPENED, kept: true });
  for (const [answer, kept] of [["kept", true], ["served", false], [null, false]] as const) {
    at(answer);
    assert.equal((await where()).kept, kept);
  }
});

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A server with these files; each request's cache mode, by name. */
function serving(files: Readonly<Record<string, string>>, manifest: readonly string[] = Object.keys(files)) {
  const asked = new Map<string, string>();
  const answer = (text: string | undefined): Response => new Response(text ?? "", { status: text === undefined ? 404 : 200 });
  const serve = async (name: string, { cache = "default" }: RequestInit = {}): Promise<Response> => {
    if (name === "manifest.json") return Response.json({ files: Object.fromEntries(manifest.map((each) => [each, ""])) });
    const file = name === "./" ? "index.html" : name;
    asked.set(file, cache);
    return answer(files[file]);
  };
  globalThis.fetch = serve as typeof fetch;
  return asked;
}

const FILES = { "de-ABCD2345.js": "de", "icon.svg": "icon", "index.html": "index", "main.js": "main", "worker.js": "worker" };

test("the hash is over all files, and those that run are taken as they were loaded", async () => {
  const before = globalThis.fetch;
  try {
    const where = signal(at({}));
    const expected = sha256(Object.entries(FILES).map(([name, text]) => `${sha256(text)} ${name}\n`).join(""));
    const inMeeting = serving(FILES, ["worker.js", "main.js", "index.html", "icon.svg", "de-ABCD2345.js"]);
    await learnHash(where, true);
    assert.equal(where.value.hash, expected);
    const fromCache = { "de-ABCD2345.js": "force-cache", "index.html": "force-cache", "main.js": "force-cache" };
    assert.deepEqual(Object.fromEntries(inMeeting), { ...fromCache, "icon.svg": "default", "worker.js": "force-cache" });
    // no worker runs yet, and the cache may have one of an earlier visit
    const outside = serving(FILES);
    await learnHash(signal(at({})), false);
    assert.deepEqual(Object.fromEntries(outside), { ...fromCache, "icon.svg": "default", "worker.js": "default" });
  } finally {
    globalThis.fetch = before;
  }
});

test("a server that hands over less than its manifest lists has no hash", async () => {
  const before = globalThis.fetch;
  try {
    const where = signal(at({}));
    serving(FILES, [...Object.keys(FILES), "zh-Hans-ABCD2345.js"]);
    await assert.rejects(learnHash(where, true), /zh-Hans/);
    assert.equal(where.value.hash, null);
  } finally {
    globalThis.fetch = before;
  }
});
