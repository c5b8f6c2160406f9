/**
 * The copy of the page that a device keeps: every file, as its manifest lists it, under the bundle's hash.
 *
 * It serves a reload while the server is dead, and it has nothing of a meeting in it. Whatever is read is compared with its
 * SHA-256 in the manifest, and the manifest with the name under which it is kept: a copy with a damaged, missing or
 * foreign file is no copy. The service worker imports nothing else of the page, or its one file would have a second.
 * The files of the blur are not in it: they are as large as the rest of the page, and a meeting does without them.
 */

export const PAGE = "index.html";
export const WHERE = "where.json";
const MANIFEST = "manifest.json";
/** Ids of the documents that came from the copy, and so get the rest of their files from it. */
const CLIENTS = "clients.json";
const PREFIX = "snug-page-";
/** Names that esbuild has made from the content. */
const NAMED_BY_CONTENT = /-[0-9A-Z]{8}\.js$/;
/** Files that a page fetches when somebody wants them, and never before. */
const isKept = (name: string): boolean => !name.startsWith("blur.");
/** In the policy of every page of Snug, and of no other. */
const OURS = "trusted-types snug";
/** Statuses of a proxy whose server is gone. */
const GONE: readonly number[] = [502, 503, 504];

interface Manifest {
  readonly hash: string;
  readonly files: Readonly<Record<string, string>>;
}

/** What it needs of the browser. */
export interface Around {
  readonly caches: Pick<CacheStorage, "keys" | "open" | "delete">;
  fetch(request: RequestInfo): Promise<Response>;
  /** Whether a document with that id is open. */
  isOpen(client: string): Promise<boolean>;
  /** Remove the service worker. */
  unregister(): Promise<unknown>;
  /** Done when a server has been silent for long enough to be taken for dead. */
  patience(): Promise<void>;
}

export class Copy {
  readonly #around: Around;

  constructor(around: Around) {
    this.#around = around;
  }

  /** Fetch the page as the server has it now, unless it is kept already; rejects, and keeps the old copy, if that fails. */
  async renew(): Promise<void> {
    const { caches } = this.#around;
    const told = await this.#fetched(MANIFEST);
    const manifest = (await told.clone().json()) as Manifest;
    const name = PREFIX + manifest.hash;
    if ((await hashOf(manifest.files)) !== manifest.hash) throw new Error(MANIFEST);
    const where = await this.#fetched(WHERE);
    const isNew = !(await caches.keys()).includes(name);
    const cache = await caches.open(name);
    try {
      await cache.put(WHERE, where);
      if ((await cache.match(MANIFEST)) === undefined) {
        await Promise.all(
          Object.entries(manifest.files).filter(([file]) => isKept(file)).map(async ([file, wanted]) => {
            const answer = await this.#fetched(file === PAGE ? "./" : file);
            if ((await sum(answer.clone())) !== wanted) throw new Error(file);
            await cache.put(file, answer);
          }),
        );
        await cache.put(MANIFEST, told); // last: a copy without it is not complete
      }
    } catch (error) {
      if (isNew) await caches.delete(name);
      throw error;
    }
    for (const other of await caches.keys()) if (other !== name) await caches.delete(other);
  }

  async #fetched(name: string): Promise<Response> {
    const answer = await this.#around.fetch(name);
    if (!answer.ok) throw new Error(name);
    return answer;
  }

  /** Answer the request for the page: from the server if it answers, else from the copy, for the document `client`. */
  async page(request: Request, client: string): Promise<Response> {
    const network = this.#around.fetch(request);
    const served = await Promise.race([network.catch(() => null), this.#around.patience().then(() => null)]);
    if (served !== null && !GONE.includes(served.status)) {
      // another program has this address now, as happens on a computer's own ports: we have no business there
      if (served.ok && served.headers.get("Content-Security-Policy")?.includes(OURS) !== true) await this.#leave();
      return served;
    }
    const [cache, manifest] = (await this.#kept()) ?? [];
    if (cache === undefined || manifest === undefined) return await network;
    // a page of which a part is missing would stop half-way
    const whole = await Promise.all(Object.keys(manifest.files).filter(isKept).map((name) => read(cache, manifest, name)));
    const page = await read(cache, manifest, PAGE);
    if (page === null || whole.includes(null)) return await network;
    await this.#remember(cache, client);
    return page;
  }

  /**
   * Answer the request for another file. A document that came from the copy gets it from there; others get it from the
   * server. A worker has an id of its own: while there are such documents, what is named by its content comes from the copy.
   */
  async file(request: Request, name: string, client: string): Promise<Response> {
    const clients = await this.#clients();
    // while the server is alive nothing is compared: each load would pay for it
    if (clients.length === 0) return await this.#around.fetch(request);
    const [cache, manifest] = (await this.#kept()) ?? [];
    if (cache === undefined || manifest === undefined) return await this.#around.fetch(request);
    if (!clients.includes(client)) {
      const same = clients.length > 0 && NAMED_BY_CONTENT.test(name) ? await read(cache, manifest, name) : null;
      return same ?? (await this.#around.fetch(request));
    }
    if (name === MANIFEST) return Response.json(manifest);
    if (name !== WHERE) return (await read(cache, manifest, name)) ?? Response.error();
    const where = (await (await cache.match(WHERE))?.json()) as object;
    return Response.json({ ...where, kept: true });
  }

  /** Return whether the document `client` came from the copy. */
  async serves(client: string): Promise<boolean> {
    return (await this.#clients()).includes(client);
  }

  /** Return the copy that is kept, and what is in it; null: none is, or its list of files was changed. */
  async #kept(): Promise<readonly [Cache, Manifest] | null> {
    const { caches } = this.#around;
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      const manifest = (await (await cache.match(MANIFEST))?.json()) as Manifest | undefined;
      if (manifest !== undefined && PREFIX + (await hashOf(manifest.files)) === name) return [cache, manifest];
    }
    return null;
  }

  /** Return the documents that came from a copy. */
  async #clients(): Promise<readonly string[]> {
    const { caches } = this.#around;
    const each = (await caches.keys()).map(async (name) => await known(await caches.open(name)));
    return (await Promise.all(each)).flat();
  }

  async #leave(): Promise<void> {
    const { caches } = this.#around;
    for (const name of await caches.keys()) if (name.startsWith(PREFIX)) await caches.delete(name);
    await this.#around.unregister();
  }

  async #remember(cache: Cache, client: string): Promise<void> {
    const before = await known(cache);
    const open = await Promise.all(before.map((id) => this.#around.isOpen(id)));
    await cache.put(CLIENTS, Response.json([...before.filter((_, at) => open[at]), client]));
  }
}

const known = async (cache: Cache): Promise<readonly string[]> =>
  ((await (await cache.match(CLIENTS))?.json()) as string[] | undefined) ?? [];

/** Return a file of the copy; null: it is not there as it was when it was kept. */
async function read(cache: Cache, { files }: Manifest, name: string): Promise<Response | null> {
  const wanted = Object.hasOwn(files, name) ? files[name] : undefined;
  const found = await cache.match(name);
  if (found === undefined || wanted === undefined || (await sum(found.clone())) !== wanted) return null;
  return found;
}

const sum = async (answer: Response): Promise<string> => await digest(await answer.arrayBuffer());

/** Return the bundle's hash from the SHA-256 of each file, as `snugroom.server.page.hash_of` does. */
const hashOf = async (files: Manifest["files"]): Promise<string> =>
  await digest(new TextEncoder().encode(Object.keys(files).sort().map((name) => `${files[name]} ${name}\n`).join("")));

const digest = async (data: BufferSource): Promise<string> =>
  Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", data)), (byte) => byte.toString(16).padStart(2, "0")).join("");
