/** The copy of the page that a device keeps: from the server first, and never with a changed, missing or foreign file. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { beforeEach, describe, it } from "node:test";
import { Copy } from "../../../../client/web/src/service/keep";

const sum = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A cache of the browser, by name. */
class FakeCache {
  readonly files = new Map<string, Response>();
  match = async (name: string): Promise<Response | undefined> => this.files.get(name)?.clone();
  put = async (name: string, answer: Response): Promise<void> => void this.files.set(name, answer);
}

class FakeCaches {
  readonly all = new Map<string, FakeCache>();
  keys = async (): Promise<string[]> => [...this.all.keys()];
  delete = async (name: string): Promise<boolean> => this.all.delete(name);
  open = async (name: string): Promise<FakeCache> => {
    const cache = this.all.get(name) ?? new FakeCache();
    this.all.set(name, cache);
    return cache;
  };
}

/** A server that serves a page; null: it is dead. */
type Server = Readonly<Record<string, string>> | null;

function serving(files: Readonly<Record<string, string>>): NonNullable<Server> {
  const names = Object.keys(files).sort();
  const sums = Object.fromEntries(names.map((name) => [name, sum(files[name] ?? "")]));
  const hash = sum(names.map((name) => `${sums[name]} ${name}\n`).join(""));
  return { ...files, "manifest.json": JSON.stringify({ hash, files: sums }), "where.json": '{"origin":"https://meet.example"}' };
}

const OLD = serving({ "index.html": "<old>", "main.js": "old()", "part-ABCDEFGH.js": "old part" });
const EVIL = serving({ "index.html": "<old>", "main.js": "evil()", "part-ABCDEFGH.js": "old part" });
const NEW = serving({ "index.html": "<new>", "main.js": "new()", "part-12345678.js": "new part" });

describe("the copy of the page", () => {
  let server: Server;
  let caches: FakeCaches;
  let asked: string[];
  let open: Set<string>;
  let patient: boolean;
  let policy: string;
  let removed: number;
  let copy: Copy;

  const request = (name: string): Request => ({ url: `https://meet.example/${name}`, clone: () => null }) as unknown as Request;
  const page = async (client = "a"): Promise<string> => await (await copy.page(request(""), client)).text();
  const file = async (name: string, client = "a"): Promise<string> => await (await copy.file(request(name), name, client)).text();

  beforeEach(() => {
    [server, caches, asked, open, patient] = [OLD, new FakeCaches(), [], new Set(["a"]), true];
    [policy, removed] = ["default-src 'none'; trusted-types snug", 0];
    copy = new Copy({
      caches: caches as unknown as CacheStorage,
      fetch: async (wanted) => {
        const name = (typeof wanted === "string" ? wanted : wanted instanceof URL ? wanted.href : wanted.url).split("/").at(-1) ?? "";
        asked.push(name);
        const text = server?.[name === "" ? "index.html" : name];
        if (server === null) throw new TypeError("Failed to fetch");
        const headers = { "Content-Security-Policy": policy };
        return text === undefined ? new Response("", { status: 404 }) : new Response(text, { headers });
      },
      isOpen: async (client) => open.has(client),
      unregister: async () => removed++,
      patience: () => (patient ? new Promise(() => undefined) : Promise.resolve()),
    });
  });

  it("a server that answers is asked first, and its new page is shown beside the old copy", async () => {
    await copy.renew();
    server = NEW;
    assert.deepEqual([await page(), await file("main.js")], ["<new>", "new()"]);
    assert.deepEqual(JSON.parse(await file("where.json")), { origin: "https://meet.example" });
  });

  it("a dead server's page comes from the copy, with all that it loads, and says so", async () => {
    await copy.renew();
    server = null;
    assert.deepEqual([await page(), await file("main.js"), await file("part-ABCDEFGH.js")], ["<old>", "old()", "old part"]);
    assert.deepEqual(JSON.parse(await file("where.json")), { origin: "https://meet.example", kept: true });
    assert.deepEqual(JSON.parse(await file("manifest.json")), JSON.parse(OLD["manifest.json"] ?? ""));
  });

  it("a page that came from the copy has no file of a newer one, and a page of the server none of the copy", async () => {
    await copy.renew();
    server = null;
    await page("a");
    server = NEW;
    assert.equal(await file("main.js", "a"), "old()");
    assert.equal(await file("main.js", "b"), "new()");
    server = null;
    await assert.rejects(file("main.js", "b"));
    // a worker of "a" has an id of its own, and what is named by its content can be nothing else
    assert.equal(await file("part-ABCDEFGH.js", "worker of a"), "old part");
    await assert.rejects(file("link", "worker of a"));
  });

  it("a proxy without its server, and a server that is silent, are dead", async () => {
    await copy.renew();
    for (const status of [502, 503, 504]) {
      const around = { caches: caches as unknown as CacheStorage, fetch: async () => new Response("proxy", { status }) };
      const other = new Copy({ ...around, isOpen: async () => true, unregister: async () => 0, patience: () => new Promise(() => undefined) });
      assert.equal(await (await other.page(request(""), "a")).text(), "<old>");
    }
    const silent = new Copy({
      caches: caches as unknown as CacheStorage,
      fetch: () => new Promise(() => undefined),
      isOpen: async () => true,
      unregister: async () => 0,
      patience: async () => undefined,
    });
    assert.equal(await (await silent.page(request(""), "a")).text(), "<old>");
    // other errors are the server's own words
    const around = { caches: caches as unknown as CacheStorage, fetch: async () => new Response("limited", { status: 429 }) };
    const other = new Copy({ ...around, isOpen: async () => true, unregister: async () => 0, patience: () => new Promise(() => undefined) });
    assert.equal(await (await other.page(request(""), "a")).text(), "limited");
  });

  it("without a copy, everything is as without a service worker", async () => {
    assert.equal(await page(), "<old>");
    patient = false;
    assert.equal(await page(), "<old>", "a slow server has all the time that it needs");
    server = null;
    await assert.rejects(page());
    await assert.rejects(file("main.js"));
  });

  for (const [what, change] of [
    ["a changed file", (files) => files.set("main.js", new Response("evil()"))],
    ["a missing file", (files) => files.delete("part-ABCDEFGH.js")],
    [
      "a changed file and a list that fits",
      (files) => {
        for (const name of ["main.js", "manifest.json"]) files.set(name, new Response(EVIL[name]));
      },
    ],
    ["no list, because it was not completed", (files) => files.delete("manifest.json")],
  ] as readonly [string, (files: Map<string, Response>) => unknown][])
    it(`a copy with ${what} is not served`, async () => {
      await copy.renew();
      const [cache] = caches.all.values();
      assert.ok(cache);
      change(cache.files);
      server = null;
      await assert.rejects(page());
    });

  it("a newer page takes the copy's place, once all of it is there", async () => {
    await copy.renew();
    const before = await caches.keys();
    const { "main.js": _, ...part } = NEW;
    server = part;
    await assert.rejects(copy.renew());
    assert.deepEqual(await caches.keys(), before);
    server = { ...NEW, "main.js": "evil()" };
    await assert.rejects(copy.renew(), "it is not what the list says");
    server = { ...NEW, "manifest.json": (NEW["manifest.json"] ?? "").replace(/"hash":"./, '"hash":"!') };
    await assert.rejects(copy.renew());
    assert.deepEqual(await caches.keys(), before);
    server = NEW;
    await copy.renew();
    assert.equal((await caches.keys()).length, 1);
    server = null;
    assert.equal(await page(), "<new>");
  });

  it("the files of the blur are not in it, and the page is whole without them", async () => {
    server = serving({ "index.html": "<blur>", "main.js": "blur()", "blur.js": "worker()", "blur.wasm": "large" });
    await copy.renew();
    assert.deepEqual(asked.filter((name) => name.startsWith("blur")), []);
    server = null;
    assert.equal(await page(), "<blur>");
    assert.equal((await copy.file(request("blur.wasm"), "blur.wasm", "a")).type, "error");
  });

  it("the same page is not fetched again", async () => {
    await copy.renew();
    asked = [];
    await copy.renew();
    assert.deepEqual(asked, ["manifest.json", "where.json"]);
  });

  it("another program at the address gets its own pages, and is left alone from then on", async () => {
    await copy.renew();
    assert.equal(await page(), "<old>");
    assert.deepEqual([removed, caches.all.size], [0, 1]);
    policy = "default-src 'self'";
    server = { "index.html": "<another program>" };
    assert.equal(await page(), "<another program>");
    assert.deepEqual([removed, caches.all.size], [1, 0]);
  });

  it("it remembers no more than the documents that are open", async () => {
    await copy.renew();
    server = null;
    for (const client of ["a", "b", "c"]) await page(client);
    open = new Set(["b", "c"]);
    await page("d");
    const [cache] = caches.all.values();
    assert.deepEqual(await (await cache?.match("clients.json"))?.json(), ["c", "d"]);
  });
});
