/** The origin of this page, its hash, and whether this browser can hold a meeting. */
import { type Bytes, hex, utf8 } from "../crypto/bytes";
import { supported } from "../media/link";
import { type Sentence, sentence } from "../words/sentence";
import type { Unable, Where } from "./model";

/** Return the server's facts about itself (`where.json`); they are empty if there is no such server. */
export async function where(): Promise<Where> {
  const pageOrigin = location.origin;
  const told = await fetch("where.json")
    .then((answer): unknown => (answer.ok ? answer.json() : null))
    .catch(() => null);
  const { origin, own, lecture, peers } = (told ?? {}) as Partial<Record<"origin" | "own" | "lecture" | "peers", unknown>>;
  return {
    origin: typeof origin === "string" ? origin : null,
    pageOrigin,
    own: own === true,
    lecture: lecture === true,
    peers: Array.isArray(peers) ? peers.map(String) : [],
    hash: null,
  };
}

/** Whether the page may connect to that server: to its own server, or to any if the participant serves the page. */
export const reaches = (at: Where, origin: string): boolean => at.own || origin === at.origin;

/** Return what to tell about a page that was opened under another origin than its server's; null: it was not. */
export const misnamed = ({ own, origin, pageOrigin }: Where, wanted: string): Sentence | null =>
  own || origin === null || wanted !== pageOrigin || origin === pageOrigin
    ? null
    : sentence("contact.misnamed", { theirs: origin, ours: pageOrigin });

/**
 * Return the bundle's hash, hex, over its files as this browser has them; null if they cannot be fetched.
 *
 * A modified page can report another hash: see docs/explanation/threat-model.md.
 */
export async function bundleHash(): Promise<string | null> {
  try {
    const manifest = (await (await fetch("manifest.json")).json()) as { readonly files: Readonly<Record<string, string>> };
    const names = Object.keys(manifest.files).sort();
    const sums = await Promise.all(
      names.map(async (name) => {
        const answer = await fetch(name === "index.html" ? "./" : name);
        if (!answer.ok) throw new Error(name);
        return await sha256(await answer.arrayBuffer());
      }),
    );
    return await sha256(utf8(names.map((name, i) => `${sums[i]} ${name}\n`).join("")));
  } catch {
    return null;
  }
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

/** Return the link of a fragment; null if it stands for one that `snug page` has handed over before. */
export async function linkOf(fragment: string, at: Where): Promise<string | null> {
  const once = at.own ? /^once-(.+)$/.exec(fragment)?.[1] : undefined;
  if (once !== undefined)
    return await fetch("link", { method: "POST", body: once, cache: "no-store" }).then(
      async (answer) => (answer.ok ? await answer.text() : null),
      () => null,
    );
  // the participant's own page also receives complete links, because its server is not that of the meeting
  return /^https?:/.test(fragment) ? fragment : `${at.origin ?? at.pageOrigin}/#${fragment}`;
}

/** Claim this meeting for this tab; false: another tab holds it. */
export async function holdTab(name: Bytes): Promise<boolean> {
  if (!("locks" in navigator)) return true;
  return await new Promise((done) => {
    void navigator.locks
      .request(`snug ${hex(name)}`, { ifAvailable: true }, (lock) => {
        done(lock !== null);
        return lock === null ? undefined : new Promise<void>((free) => (release = free));
      })
      .catch(() => done(true));
  });
}

let release: () => void = () => undefined;

/** Release the claim: another tab may hold the meeting. */
export const freeTab = (): void => release();
