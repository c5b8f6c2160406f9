/**
 * The text of an invite link, version 2 (docs/reference/protocol.md, section 2).
 *
 *     https://HOST[:PORT]/#2<base64url( body | checksum 4 )>
 *
 * The checksum tells a link that was cut off, mistyped or changed in a messenger from one that is whole. It covers the
 * server's address too. It proves nothing about who made the link.
 */

import { decode, encode } from "../../wire/layout";
import { AT_FURTHER, CHECKSUM_SIZE, LINK_BODY, LINK_FLAGS, LINK_MAX, LINK_TEXT, type LinkBody } from "../../wire/layouts/link";
import { sentence } from "../../words/sentence";
import { type Bytes, concat, same } from "../bytes";
import { MalformedError, UnsupportedError } from "../errors";
import { H } from "../kdf";
import { excerpt } from "../text";

export const VERSION = "2";

const checksum = (origin: string, body: Bytes): Bytes => H(encode(LINK_TEXT, { origin, body })).slice(0, CHECKSUM_SIZE);

/** Return the link to a meeting at that canonical origin: 121 characters for `https://meet.example`. */
export function writeLink(origin: string, body: LinkBody): string {
  const raw = encode(LINK_BODY, body);
  return `${origin}/#${VERSION}${base64url(concat(raw, checksum(origin, raw)))}`;
}

/** Return the part of a link before its '#', with the trailing slash. MalformedError if it is no link. */
export function addressOf(link: string): string {
  const at = link.indexOf("#");
  const address = link.slice(0, at);
  if (at < 0 || link.length > LINK_MAX || !address.endsWith("/")) throw new MalformedError(sentence("link.none"));
  return address;
}

/**
 * Return the fields behind the '#' of a link whose address is that canonical origin.
 *
 * The errors address the person who pasted it. MalformedError if a part is missing or changed; UnsupportedError if it
 * is of another version, or needs what this program lacks.
 */
export function readLink(origin: string, link: string): LinkBody {
  const [version, ...code] = link.slice(link.indexOf("#") + 1);
  if (version === undefined) throw new MalformedError(sentence("link.empty"));
  if (version !== VERSION)
    throw new UnsupportedError(sentence("link.version", { version: excerpt(version, 1), known: VERSION }));
  const text = code.join("");
  const raw = fromBase64url(text);
  const body = raw.slice(0, -CHECKSUM_SIZE);
  // non-zero spare bits would be a second text for the same bytes
  if (body.length === 0 || !same(raw.slice(-CHECKSUM_SIZE), checksum(origin, body)) || base64url(raw) !== text)
    throw changed();
  if (body[0]! & ~LINK_FLAGS) throw new UnsupportedError(sentence("link.newer"));
  const found = decoded(body);
  if (found.flags & AT_FURTHER && found.servers.length === 0) throw changed();
  if (found.relays !== null) throw new UnsupportedError(sentence("link.newer"));
  return found;
}

function decoded(body: Bytes): LinkBody {
  try {
    return decode(LINK_BODY, body);
  } catch {
    throw changed();
  }
}

const changed = (): MalformedError => new MalformedError(sentence("link.changed"));

const base64url = (raw: Uint8Array): string =>
  btoa(String.fromCharCode(...raw))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

function fromBase64url(text: string): Bytes {
  const stray = /[^A-Za-z0-9_-]/u.exec(text)?.[0];
  if (stray !== undefined) throw new MalformedError(sentence("link.stray", { stray: excerpt(stray, 1) }));
  if (text.length % 4 === 1) throw changed();
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (c) => c.charCodeAt(0));
}
