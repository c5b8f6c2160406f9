/**
 * An invite, and the keys derived from it and from the host seed.
 *
 * docs/reference/protocol.md, sections 1 to 3. An invite is a capability: its holder can find the lobby and knock, and
 * nothing else. `link.ts` has its text.
 */

import { decode, encode } from "../../wire/layout";
import { AT_FURTHER } from "../../wire/layouts/link";
import { HOST_KEYS, type HostKeys as HostKeysFields } from "../../wire/layouts/invite";
import { SERVERS_MAX } from "../../wire/layouts/roomState";
import {
  CHAIN_LINK,
  LOBBY_DOOR,
  OPENING,
  REKEY,
  ROOM_DOOR,
  ROOM_KEYS,
  ROOM_OPENED,
  type RoomOpened,
  SLOT_TAKEN,
  type SlotTaken,
} from "../../wire/layouts/signed";
import { sentence } from "../../words/sentence";
import type { PolicyServer } from "../agreed/roomState";
import { type Bytes, concat, hex, type Rng, same, systemRng, utf8 } from "../bytes";
import { MalformedError } from "../errors";
import { exactly, prefixed, uint } from "../fields";
import { H, HASH_SIZE, KDF, SigningKey, verify } from "../kdf";
import { addressOf, readLink, writeLink } from "./link";
import { excerpt, trimmed } from "../text";

export { SigningKey, verify };

const SECRET_SIZE = 16;
const TOKEN_SIZE = 16;
export const NUMBER_SIZE = 16;
const ORIGIN_MAX = 255;
/** ID of the link's PSK in MLS (an external psk_id). */
export const LINK_PSK_ID = utf8("snug 1 link");
/** Maximum number of generations of host keys whose links work: the first, and the latest. */
export const GENERATIONS_MAX = 16;
const ORIGIN = /^(https?):\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?\/?$/;
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;

// -- origins -----------------------------------------------------------------------------------

/**
 * Return `scheme://host[:port]` in canonical form, as signed: lower case, no default port, no path.
 *
 * Accepts https and http, with a DNS name (IDNs in their xn-- form), an IPv4 address, or an IPv6 address in
 * brackets. A single trailing "/" is dropped. MalformedError on any other suffix, or on a user part.
 */
export function canonicalOrigin(url: string): string {
  const [, scheme, name, given] = (/^[\0-\x7f]*$/.test(url) && ORIGIN.exec(url.toLowerCase())) || [];
  const standard = scheme === "http" ? 80 : 443;
  const port = given === undefined ? standard : Number(given);
  const host = name === undefined ? null : canonicalHost(name);
  if (host === null || port < 1 || port > 65_535)
    throw new MalformedError(sentence("link.address", { address: excerpt(url, 100) }));
  const origin = `${scheme}://${host}${port === standard ? "" : `:${port}`}`;
  if (origin.length > ORIGIN_MAX) throw new MalformedError(sentence("link.address_long", { most: ORIGIN_MAX }));
  return origin;
}

function canonicalHost(host: string): string | null {
  if (host.startsWith("[")) {
    const groups = ipv6(host.slice(1, -1));
    return groups === null ? null : `[${compressed(groups)}]`;
  }
  const labels = host.split(".");
  if (/^[0-9]+$/.test(labels.at(-1) ?? "")) return ipv4(host) === null ? null : host;
  return labels.every((label) => LABEL.test(label)) ? host : null;
}

/** Return the four numbers of an IPv4 address in decimal without leading zeros, else null. */
export function ipv4(text: string): number[] | null {
  const octets = text.split(".");
  if (octets.length !== 4 || !octets.every((o) => /^(?:0|[1-9][0-9]{0,2})$/.test(o) && Number(o) < 256)) return null;
  return octets.map(Number);
}

/** Return the eight groups of an IPv6 address (RFC 4291, 2.2), else null. */
export function ipv6(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const read = (half: string, last: boolean): number[] | null => {
    const groups: number[] = [];
    const parts = half === "" ? [] : half.split(":");
    for (const [i, part] of parts.entries()) {
      const [a, b, c, d] = (last && i === parts.length - 1 && ipv4(part)) || [];
      if (a !== undefined && b !== undefined && c !== undefined && d !== undefined)
        groups.push(a * 256 + b, c * 256 + d);
      else if (/^[0-9a-f]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
      else return null;
    }
    return groups;
  };
  const [first, second] = [read(halves[0] ?? "", halves.length === 1), read(halves[1] ?? "", true)];
  if (first === null || second === null) return null;
  const missing = 8 - first.length - second.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  return [...first, ...Array<number>(missing).fill(0), ...second];
}

/**
 * Format as in RFC 5952, all in hex: "::" replaces the longest run of two or more zero groups, the first one
 * if several are equally long.
 */
function compressed(groups: readonly number[]): string {
  const text = groups.map((group) => group.toString(16)).join(":");
  let longest = "";
  for (const [run] of text.matchAll(/(?<![^:])0(?::0)+(?![^:])/g)) if (run.length > longest.length) longest = run;
  if (longest === "") return text;
  const at = `:${text}:`.indexOf(`:${longest}:`);
  return `${text.slice(0, at).replace(/:$/, "")}::${text.slice(at + longest.length + 1)}`;
}

/** Encode len16(origin) | origin. MalformedError if not canonical: two clients must sign equal bytes. */
export const originField = (origin: string): Bytes => prefixed(utf8(checkedOrigin(origin)), 2);

/** Return the origin. MalformedError if it is not canonical: two clients must sign equal bytes. */
export function checkedOrigin(origin: string): string {
  const canonical = canonicalOrigin(origin);
  if (canonical !== origin)
    throw new MalformedError(`'${excerpt(origin, 100)}' is not in canonical form, which is '${canonical}'`);
  return origin;
}

// -- keys of a host ----------------------------------------------------------------------------

/** The seed of one generation of host keys: 32 random bytes known only to the hosts of its time. */
export class HostSeed {
  readonly seed: Bytes;
  /** The key that signs cards and admissions; its public half is in every link of this generation. */
  readonly hostKey: SigningKey;
  /** The key that signs a host's return (SNUG-9) and a new host's proof that it has the seed. */
  readonly returnKey: SigningKey;

  private constructor(seed: Bytes, hostKey: SigningKey, returnKey: SigningKey) {
    this.seed = seed;
    this.hostKey = hostKey;
    this.returnKey = returnKey;
  }

  /** MalformedError unless `seed` has 32 bytes. */
  static async from(seed: Bytes): Promise<HostSeed> {
    exactly(seed, 32, "a host seed");
    const hostKey = await SigningKey.fromSeed(KDF(seed, "snug 1 host"));
    return new HostSeed(seed, hostKey, await SigningKey.fromSeed(KDF(seed, "snug 1 returns")));
  }

  /** Generate the seed of a new generation. */
  static fromRandom(rng: Rng = systemRng): Promise<HostSeed> {
    return HostSeed.from(rng(32));
  }

  /** The public half of `hostKey`, 32 bytes. */
  get hostPublic(): Bytes {
    return this.hostKey.public;
  }

  /** The public half of `returnKey`, 32 bytes. */
  get returnPublic(): Bytes {
    return this.returnKey.public;
  }

  /**
   * Return the key that opens this MLS group's room at the server and replaces its gate.
   *
   * `origin`: of a further server, where the group's rooms have another key; null: where it began.
   */
  roomAdminKey(groupId: Bytes, origin: string | null = null): Promise<SigningKey> {
    const there = origin === null ? new Uint8Array() : originField(origin);
    return SigningKey.fromSeed(KDF(this.seed, concat(utf8("snug 1 steward"), prefixed(groupId, 2), there)));
  }

  /** Return further servers for this MLS group's policy. MalformedError if one is not canonical. */
  servers(groupId: Bytes, origins: readonly string[]): Promise<PolicyServer[]> {
    return Promise.all(
      origins.map(async (origin) => ({ origin, roomAdminPublic: (await this.roomAdminKey(groupId, origin)).public })),
    );
  }

  /** Return the token (16 bytes) in the link of invite `index` (0 to 65,535), which authorises it. */
  inviteToken(index: number): Bytes {
    const root = KDF(this.seed, "snug 1 invites");
    return KDF(root, concat(utf8("snug 1 invite"), uint(index, 2)), TOKEN_SIZE);
  }

  /** Return the invite with this index. */
  invite(origin: string, secret: Bytes, index: number, servers: readonly string[] = []): Invite {
    return new Invite(origin, secret, this.hostPublic, index, this.inviteToken(index), servers);
  }
}

/**
 * The host seeds that a host holds, the newest generation last (docs/reference/protocol.md, section 1).
 *
 * Links name the key of their generation, so earlier seeds serve newcomers with earlier links, and nothing else.
 */
export class HostKeys {
  /** MalformedError unless there are 1 to `GENERATIONS_MAX` different seeds. */
  constructor(readonly seeds: readonly HostSeed[]) {
    const different = new Set(seeds.map(({ seed }) => hex(seed))).size;
    if (seeds.length === 0 || seeds.length > GENERATIONS_MAX || different !== seeds.length)
      throw new MalformedError(`host keys have 1 to ${GENERATIONS_MAX} generations, each once`);
  }

  /** The newest seed. */
  get current(): HostSeed {
    return this.seeds.at(-1) as HostSeed;
  }

  /** The oldest seed. */
  get first(): HostSeed {
    return this.seeds[0] as HostSeed;
  }

  /** Return the keys with one more generation. The first and the latest are kept. */
  withNext(seed: HostSeed): HostKeys {
    const later = [...this.seeds.slice(1), seed];
    return new HostKeys([this.first, ...later.slice(1 - GENERATIONS_MAX)]);
  }

  /** Return [host key 32, token 16] of the invite `index` in each generation, the newest first. */
  tokens(index: number): [Bytes, Bytes][] {
    return this.seeds.toReversed().map((seed) => [seed.hostPublic, seed.inviteToken(index)]);
  }

  /** Return the room admin key of this MLS group with that public half; null if no seed makes it. */
  async roomAdminKey(groupId: Bytes, publicHalf: Bytes, origin: string | null = null): Promise<SigningKey | null> {
    for (const seed of this.seeds.toReversed()) {
      const key = await seed.roomAdminKey(groupId, origin);
      if (same(key.public, publicHalf)) return key;
    }
    return null;
  }

  /** Encode: a count of 1 byte, then the seeds, the newest last. */
  encode(): Bytes {
    return encode(HOST_KEYS, this);
  }

  /** Decode the result of `encode`. MalformedError on other input. */
  static decode(data: Bytes): Promise<HostKeys> {
    return HostKeys.of(decode(HOST_KEYS, data));
  }

  /** Return the keys of these seeds. */
  static async of({ seeds }: HostKeysFields): Promise<HostKeys> {
    return new HostKeys(await Promise.all(seeds.map(({ seed }) => HostSeed.from(seed))));
  }
}

// -- the link ----------------------------------------------------------------------------------

/** A decoded link. `secret` belongs to the meeting, `token` to this invite only. */
export class Invite {
  readonly origin: string;
  readonly secret: Bytes;
  readonly hostPublic: Bytes;
  readonly index: number;
  readonly token: Bytes;
  /** Further servers as canonical origins, at most 8. */
  readonly servers: readonly string[];

  /** MalformedError if a part has a wrong size, or an origin is not canonical. */
  constructor(
    origin: string,
    secret: Bytes,
    hostPublic: Bytes,
    index: number,
    token: Bytes,
    servers: readonly string[] = [],
  ) {
    this.origin = origin;
    this.secret = exactly(secret, SECRET_SIZE, "a link's secret");
    this.hostPublic = exactly(hostPublic, 32, "a host's public key");
    this.token = exactly(token, TOKEN_SIZE, "an invite's token");
    this.index = index;
    this.servers = servers;
    uint(index, 2);
    originField(origin);
    if (servers.length > SERVERS_MAX || new Set([origin, ...servers]).size !== 1 + servers.length)
      throw new MalformedError(sentence("link.many_servers", { most: SERVERS_MAX }));
    for (const server of servers) originField(server);
  }

  /** Return the link, with the address of the further server `at`, if it is one; else of the first. */
  link(at = ""): string {
    const { origin, secret, hostPublic, index, token } = this;
    const others = this.servers.filter((each) => each !== at);
    const flags = others.length < this.servers.length ? AT_FURTHER : 0;
    const servers = flags ? [origin, ...others] : others;
    return writeLink(flags ? at : origin, { flags, secret, hostPublic, index, token, servers, relays: null });
  }

  /** Decode a link; surrounding whitespace is ignored. Throws like `readLink`. */
  static parse(given: string): Invite {
    const text = trimmed(given);
    const origin = canonicalOrigin(addressOf(text));
    const { flags, secret, hostPublic, index, token, servers } = readLink(origin, text);
    const [first = "", ...others] = servers;
    return flags & AT_FURTHER
      ? new Invite(first, secret, hostPublic, index, token, [origin, ...others])
      : new Invite(origin, secret, hostPublic, index, token, servers);
  }
}

// -- from the link's secret --------------------------------------------------------------------

/** Return the number of whole UTC days since 1970-01-01. */
export const dayOf = (unixSeconds: number): number => Math.floor(unixSeconds / 86_400);

function ofTheDay(secret: Bytes, label: string, origin: string, day: number): Bytes {
  exactly(secret, SECRET_SIZE, "a link's secret");
  return KDF(secret, concat(utf8(label), originField(origin), uint(day, 4)));
}

/** Return the key of the lobby on that UTC day; its public half is the lobby's number. */
export async function lobbyKey(secret: Bytes, origin: string, day: number): Promise<SigningKey> {
  return SigningKey.fromSeed(ofTheDay(secret, "snug 1 lobby", origin, day));
}

/** Return the key (32 bytes) that seals everything in that day's lobby. */
export function lobbyEnvelopeKey(secret: Bytes, origin: string, day: number): Bytes {
  return ofTheDay(secret, "snug 1 veil", origin, day);
}

/** Return the external PSK for every Add (32 bytes), with the id `LINK_PSK_ID`. */
export function linkPsk(secret: Bytes): Bytes {
  return KDF(exactly(secret, SECRET_SIZE, "a link's secret"), "snug 1 psk");
}

// -- bytes signed and hashed for the server -----------------------------------------------------

/** Return `H("snug 1 room" | door_pk | room_admin_pk)[:16]`. */
export const roomNumber = (doorKey: Bytes, roomAdminKey: Bytes): Bytes =>
  H(encode(ROOM_KEYS, { doorKey, roomAdminKey })).slice(0, NUMBER_SIZE);

/**
 * Return the message to sign for access to a door. For a lobby, `number` is the public half of the lobby key
 * (32 bytes) and the lobby key signs; for a room, it is the room number (16 bytes) and the door key signs.
 */
export function doorMessage(origin: string, number: Bytes, serverNonce: Bytes, clientNonce: Bytes): Bytes {
  originField(origin);
  return number.length === 32
    ? encode(LOBBY_DOOR, { origin, lobbyKey: number, serverNonce, clientNonce })
    : encode(ROOM_DOOR, { origin, number, serverNonce, clientNonce });
}

/** Return the message that the room admin key signs to open a slot's gate alone (G1, G3). */
export const openMessage = (number: Bytes, slot: number, gate: Bytes, chain: Bytes): Bytes =>
  encode(OPENING, { number, slot, gate, chain });

/** Throw AuthenticationError unless the room admin opened that slot's gate alone. */
export async function verifyOpening(
  roomAdminPublic: Bytes,
  number: Bytes,
  slot: number,
  gate: Bytes,
  chain: Bytes,
  signature: Bytes,
): Promise<void> {
  await verify(roomAdminPublic, openMessage(number, slot, gate, chain), signature);
}

/**
 * Return the message that the room admin key signs to hand the room to its successor (G8). `number` is the
 * room's number with the successor's public half.
 */
export const rekeyMessage = (number: Bytes, serverNonce: Bytes): Bytes => encode(REKEY, { number, serverNonce });

/** Throw AuthenticationError unless the server signed that it opened the room there. */
export const verifyOpened = (serverPublic: Bytes, opened: RoomOpened, signature: Bytes): Promise<void> =>
  verify(serverPublic, encode(ROOM_OPENED, opened), signature);

/** Throw AuthenticationError unless the server signed that this blob took that slot. `taken.blob` is H(blob). */
export const verifyTaken = (serverPublic: Bytes, taken: SlotTaken, signature: Bytes): Promise<void> =>
  verify(serverPublic, encode(SLOT_TAKEN, taken), signature);

/** Return `chain_n = H(chain_{n-1} | n (8 bytes) | H(blob_n))`. */
export const chainNext = (chain: Bytes, slot: number, blob: Uint8Array): Bytes => chainOf(chain, slot, H(blob));

/** Return the same for a blob whose hash (32 bytes) is known. */
export const chainOf = (chain: Bytes, slot: number, digest: Bytes): Bytes =>
  H(encode(CHAIN_LINK, { chain, slot, blob: digest }));

/** Return H(pass), 32 bytes. The server stores it and can then verify a presented pass. */
export const gate = (roomPass: Bytes): Bytes => H(exactly(roomPass, HASH_SIZE, "a pass"));
