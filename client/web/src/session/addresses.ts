/**
 * Where a meeting may lead this page, besides the server that its person has chosen (protocol section 12).
 *
 * Hosts name further servers, and so does a link: strangers' words. A name is judged by its form alone: a page does not
 * see to which address it leads.
 */
import { canonicalOrigin, ipv4, ipv6 } from "../crypto/entry/invite";
import { MalformedError } from "../crypto/errors";
import { LOCAL_NAMES, SPECIAL_IPV4, SPECIAL_IPV6 } from "../wire/limits";
import type { Transport } from "../wire/messages";
import { CommandError, sentence } from "../words/sentence";

/** Why a meeting does not lead somewhere; part of the key of a sentence. */
export type Objection = "http" | "private";

/** What browsers read as a number, and so as an IPv4 address (`127.0.0.0x1`). */
const NUMBER = /^(?:[0-9]+|0x[0-9a-f]*)$/;

/**
 * Return why a meeting that began at `first` does not lead to `origin`; null: it may. Both are canonical origins.
 *
 * It may lead anywhere if it began without https or in a private network. An onion service proves itself without https.
 */
export function objection(first: string, origin: string): Objection | null {
  if (origin === first || !isConfined(first)) return null;
  const [scheme, host] = parts(origin);
  if (scheme === "http" && !host.endsWith(".onion")) return "http";
  return isPublicHost(host) ? null : "private";
}

/** Return those of the origins to which a meeting that began at `first` leads. */
export const led = (first: string, origins: readonly string[]): string[] =>
  origins.filter((origin) => objection(first, origin) === null);

/** Return the other origins, with the reasons. */
export const strange = (first: string, origins: readonly string[]): (readonly [origin: string, why: Objection])[] =>
  origins.flatMap((origin) => {
    const why = objection(first, origin);
    return why === null ? [] : [[origin, why] as const];
  });

/** Return the origin that a person has typed, in canonical form; CommandError if it is none. */
export function typedOrigin(text: string): string {
  try {
    return canonicalOrigin(text);
  } catch (error) {
    throw error instanceof MalformedError ? new CommandError(error.sentence) : error;
  }
}

/** Check servers that we name ourselves; CommandError for one that others refuse. */
export function checkAll(first: string, origins: readonly string[]): void {
  for (const [origin, why] of strange(first, origins))
    throw new CommandError(sentence("room.strange_server", { first, origin, why: sentence(`room.strange_${why}`) }));
}

/** Return whether a meeting that began at this canonical origin leads to public https servers only. */
export function isConfined(first: string): boolean {
  const [scheme, host] = parts(first);
  return scheme === "https" && isPublicHost(host);
}

/** Return whether an IP address is one of the internet; false for another text. */
export function isPublic(address: string): boolean {
  const four = ipv4(address);
  if (four !== null) return isPublicFour(four);
  const six = ipv6(address.split("%")[0] ?? "");
  if (six === null) return false;
  const bytes = six.flatMap((group) => [group >> 8, group & 255]);
  const embedded = embeddedIn(bytes);
  if (embedded.length > 0) return embedded.every(isPublicFour);
  return within(bytes, "2000::/3") && !SPECIAL_IPV6.some((network) => within(bytes, network));
}

/**
 * Return the media parameters of a further server without addresses and relays in private networks; null: none is left.
 *
 * Where a relay's name leads, only the browser knows.
 */
export function publicMedia(given: Transport): Transport | null {
  const [address, ...others] = [given.address, ...given.others].filter(isPublic);
  if (address === undefined) return null;
  const turn = given.turn.map((each) => ({ ...each, urls: each.urls.filter(isPublicRelay) }));
  return { ...given, address, others, turn: turn.filter(({ urls }) => urls.length > 0) };
}

function isPublicRelay(url: string): boolean {
  const [, six, host = ""] = /^turns?:(?:\[([^\]]+)\]|([^:?]+))/i.exec(url) ?? [];
  return isPublicHost((six ?? host).toLowerCase());
}

/** Return scheme and host of a canonical origin; an IPv6 address without brackets. */
function parts(origin: string): readonly [scheme: string, host: string] {
  const [, scheme = "", six, host = ""] = /^(https?):\/\/(?:\[([^\]]+)\]|([^:]+))/.exec(origin) ?? [];
  return [scheme, six ?? host];
}

/** Return whether a literal address is public, and whether a name may lead to a public one. */
function isPublicHost(host: string): boolean {
  if (host.includes(":") || ipv4(host) !== null) return isPublic(host);
  const labels = host.split(".");
  if (labels.length === 1 || NUMBER.test(labels.at(-1) ?? "")) return false;
  return !LOCAL_NAMES.some((name) => host.endsWith(`.${name}`));
}

const isPublicFour = (four: readonly number[]): boolean => !SPECIAL_IPV4.some((network) => within(four, network));

/** Return whether the bytes of an address are in a network, such as "10.0.0.0/8". */
function within(bytes: readonly number[], network: string): boolean {
  const [start = "", length] = network.split("/");
  const from = ipv4(start) ?? (ipv6(start) ?? []).flatMap((group) => [group >> 8, group & 255]);
  const bits = Number(length);
  return from.every((each, i) => {
    const left = Math.min(Math.max(bits - 8 * i, 0), 8);
    return each >> (8 - left) === (bytes[i] ?? 0) >> (8 - left);
  });
}

/** Return the IPv4 addresses that an IPv6 address may stand for or lead to; none for an ordinary one. */
function embeddedIn(bytes: readonly number[]): (readonly number[])[] {
  const at = (...indexes: number[]): number[] => indexes.map((index) => bytes[index] ?? 0);
  const last = bytes.slice(12);
  if (within(bytes, "::ffff:0:0/96") || within(bytes, "64:ff9b::/96")) return [last];
  if (within(bytes, "64:ff9b:1::/48"))
    // only the network knows the length of its prefix (RFC 6052, 2.2): so each reading has to be harmless
    return [last, ...[at(6, 7, 9, 10), at(7, 9, 10, 11), at(9, 10, 11, 12)].filter(([first]) => first !== 0)];
  if (within(bytes, "2002::/16")) return [bytes.slice(2, 6)];
  if (within(bytes, "2001::/32")) return [bytes.slice(4, 8), last.map((byte) => byte ^ 255)];
  return [];
}
