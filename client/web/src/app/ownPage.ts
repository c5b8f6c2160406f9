/**
 * Whether `snug page` on the person's own machine serves this page. No server's word decides that.
 *
 * The page's address has a random name below `localhost`, as `snug page` makes it; no remote origin is of that form. A
 * remote server can still be behind such an address: through a tunnel, or by a redirect from another loopback address.
 * So the program that serves the page also has to prove that it printed the address: it knows the key in its fragment.
 */
import { hex, unhex, utf8 } from "../crypto/bytes";

/** As `client/cli/own_page.py` makes it. */
const ORIGIN = /^http:\/\/[a-z2-7]{26}\.localhost(:\d{1,5})?$/;
/** `own`: no link waits. `once`: one does, for the first page that knows the key. */
const FRAGMENT = /^(own|once)-([\w-]{22})$/;
/** The key stays with the tab, in sessionStorage, for a reload. */
const KEY = "snug-own-page";

/** Return whether an origin has the form of `snug page`'s. */
export const isOwn = (origin: string): boolean => ORIGIN.test(origin);

/** Return the parts of the fragment that `snug page` has printed; null: it is another one. */
export function ownFragment(fragment: string | null): { readonly once: boolean; readonly key: string } | null {
  const [, kind, key] = FRAGMENT.exec(fragment ?? "") ?? [];
  return key === undefined ? null : { once: kind === "once", key };
}

const hmac = async (key: string): Promise<CryptoKey> =>
  await crypto.subtle.importKey("raw", utf8(key), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);

const message = (purpose: "page" | "link", nonce = ""): BufferSource => utf8(`snug ${purpose}\n${location.origin}\n${nonce}`);

const ask = async (path: string, body: string): Promise<string | null> => {
  const answer = await fetch(path, { method: "POST", body, cache: "no-store", redirect: "error" });
  return answer.ok ? await answer.text() : null;
};

/** Return whether the program that serves this page printed the address with that fragment, or with the tab's earlier one. */
export async function isProven(fragment: string | null): Promise<boolean> {
  try {
    const key = ownFragment(fragment)?.key ?? sessionStorage.getItem(KEY);
    if (!isOwn(location.origin) || key === null) return false;
    const nonce = hex(crypto.getRandomValues(new Uint8Array(16)));
    const proof = unhex((await ask("proof", nonce)) ?? "");
    const proven = await crypto.subtle.verify("HMAC", await hmac(key), proof, message("page", nonce));
    if (proven) sessionStorage.setItem(KEY, key);
    return proven;
  } catch {
    return false; // no answer, no hex digits, no storage, no WebCrypto: nothing is proven
  }
}

/** Return the link that waits for the page with that key; null: it has been handed over before. */
export async function takeLink(key: string): Promise<string | null> {
  try {
    return await ask("link", hex(new Uint8Array(await crypto.subtle.sign("HMAC", await hmac(key), message("link")))));
  } catch {
    return null;
  }
}
