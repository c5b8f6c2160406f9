/** The origin of this page, its hash, and whether this browser can hold a meeting. */
import type { Signal } from "@preact/signals";
import { hex, utf8 } from "../crypto/bytes";
import { Invite } from "../crypto/entry/invite";
import { keptId } from "../kept";
import { supported } from "../media/link";
import { type Sentence, sentence } from "../words/sentence";
import type { Unable, Where } from "./model";
import { isOwn, isProven, ownFragment, takeLink } from "./ownPage";

/**
 * Return the server's facts about itself (`where.json`); they are empty if there is no such server. `fragment`: of the
 * page's address. Whether the person's own machine serves the page is no fact of the server's: the address decides.
 */
export async function where(fragment: string | null = null): Promise<Where> {
  const pageOrigin = location.origin;
  const facts = fetch("where.json", { redirect: "error" })
    .then((answer): unknown => (answer.ok ? answer.json() : null))
    .catch(() => null);
  const [told, proven] = await Promise.all([facts, isProven(fragment)]);
  const { origin, lecture, peers, kept } = (told ?? {}) as Partial<Record<"origin" | "lecture" | "peers" | "kept", unknown>>;
  return {
    origin: typeof origin === "string" ? origin : null,
    pageOrigin,
    own: isOwn(pageOrigin),
    proven,
    lecture: lecture === true,
    peers: Array.isArray(peers) ? peers.map(String) : [],
    hash: null,
    kept: kept === true && (await isKept()),
  };
}

/** Return whether the service worker has served this document from the device's copy: a server could say so of any. */
async function isKept(): Promise<boolean> {
  const controller = navigator.serviceWorker?.controller ?? null;
  if (controller === null) return false;
  const { port1, port2 } = new MessageChannel();
  const told = new Promise<unknown>((done) => {
    port1.onmessage = ({ data }) => done(data);
  });
  controller.postMessage("kept", [port2]);
  const kept = (await told) === "kept";
  port1.close();
  return kept;
}

/**
 * Whether the page surely may connect to that server: to its own server, or to any if the participant serves the page.
 *
 * The browser enforces it: the page's policy (`connect-src` of its CSP) names its own origin, and the `peers` of its
 * operator's settings. To all other servers of a link the connection fails at once, and the next one is tried.
 */
export const reaches = (at: Where, origin: string): boolean => at.own || origin === at.origin;

/** Return what to tell about a page that was opened under another origin than its server's; null: it was not. */
export const misnamed = ({ own, origin, pageOrigin }: Where, wanted: string): Sentence | null =>
  own || origin === null || wanted !== pageOrigin || origin === pageOrigin
    ? null
    : sentence("contact.misnamed", { theirs: origin, ours: pageOrigin });

/** Files that every page has loaded before it computes a hash, and that have the same name in every release. */
const RUNNING: readonly string[] = ["index.html", "address.js", "main.js", "main.css"];
/** Names that esbuild has made from the content. */
const NAMED_BY_CONTENT = /-[0-9A-Z]{8}\.js$/;

/**
 * Return the bundle's hash, hex, over its files as this browser has them; rejects if they cannot be fetched.
 *
 * Files that run are hashed as they were loaded: the browser takes them from its cache, and asks nobody. The others are
 * loaded, which are more than half of the page: so it is called once a meeting is quiet, or when somebody looks. A
 * modified page can report another hash: see docs/explanation/threat-model.md. `inMeeting`: the worker runs.
 *
 * The three files of the blur are large, and most people never need them. Their part of the hash is what the manifest says:
 * `media/blur.ts` has their sums from the build, and runs no other.
 */
async function bundleHash(inMeeting: boolean): Promise<string> {
  const manifest = (await (await fetch("manifest.json", { redirect: "error" })).json()) as { readonly files: Readonly<Record<string, string>> };
  const names = Object.keys(manifest.files).sort();
  const runs = (name: string): boolean => RUNNING.includes(name) || (inMeeting && name === "worker.js");
  const lines = names.map(async (name) => {
    if (name.startsWith("blur.")) return `${manifest.files[name]} ${name}\n`;
    const cache = runs(name) || NAMED_BY_CONTENT.test(name) ? "force-cache" : "default";
    const answer = await fetch(name === "index.html" ? "./" : name, { cache, redirect: "error" });
    if (!answer.ok) throw new Error(name);
    return `${await sha256(await answer.arrayBuffer())} ${name}\n`;
  });
  return await sha256(utf8((await Promise.all(lines)).join("")));
}

/** Compute the hash, unless it is known, and show it. Rejects, and changes nothing, if the server does not hand over all files. */
export async function learnHash(where: Signal<Where>, inMeeting: boolean): Promise<void> {
  if (where.value.hash !== null) return;
  const hash = await bundleHash(inMeeting);
  where.value = { ...where.value, hash };
}

/** SHA-256 in hex; the browser computes it outside the page's own thread. */
const sha256 = async (data: BufferSource): Promise<string> => hex(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));

/** Return why no meeting can be held here; null: it can. */
export async function unable(): Promise<Unable | null> {
  if (!globalThis.isSecureContext || globalThis.crypto?.subtle === undefined) return "insecure";
  if (!supported()) return "no_transform";
  try {
    for (const name of ["Ed25519", "X25519"])
      await crypto.subtle.generateKey({ name }, false, name === "X25519" ? ["deriveBits"] : ["sign", "verify"]);
  } catch {
    return "old_browser";
  }
  return null;
}

/** Return what stood after the `#` of the address, and remove it from the address at once; null: nothing. */
export function takeFragment(): string | null {
  const place = globalThis as { snugFragment?: string };
  // the page's first script has taken it already, see address.ts
  const taken = place.snugFragment ?? location.hash.slice(1);
  delete place.snugFragment;
  if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
  return taken === "" ? null : taken;
}

/** Return whether a fragment stands for a link: `snug page` without one has only its key there. */
export const carriesLink = (fragment: string, at: Where): boolean => !(at.own && ownFragment(fragment)?.once === false);

/** Return the link of a fragment; null if it stands for one that `snug page` has handed over before. */
export async function linkOf(fragment: string, at: Where): Promise<string | null> {
  const once = at.own ? ownFragment(fragment) : null;
  if (once !== null) return await takeLink(once.key);
  // the participant's own page also receives complete links, because its server is not that of the meeting
  return /^https?:/.test(fragment) ? fragment : `${at.origin ?? at.pageOrigin}/#${fragment}`;
}

/** Milliseconds for which a reloaded page waits until its predecessor is gone. */
const PREDECESSOR = 1000;

/** Claim the meeting of that link for this tab; false: another tab holds it. `founded`: as the one that has opened it. */
export async function heldTab(link: string, founded: boolean): Promise<boolean> {
  if (!("locks" in navigator)) return true;
  freeTab();
  const name = `snug ${keptId(Invite.parse(link).secret, founded)}`;
  const request = (options: LockOptions): Promise<boolean> =>
    new Promise((done) => {
      void navigator.locks
        .request(name, options, (lock) => {
          done(lock !== null);
          return lock === null ? undefined : new Promise<void>((free) => (release = free));
        })
        .catch(() => done(false));
    });
  // a free claim is granted however long a busy browser takes for that
  return (await request({ ifAvailable: true })) || (await request({ signal: AbortSignal.timeout(PREDECESSOR) }));
}

let release: () => void = () => undefined;

/** Release the claim: another tab may hold the meeting. */
export const freeTab = (): void => release();
