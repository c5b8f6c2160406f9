/**
 * Evidence that a server dropped a meeting or signed conflicting histories, for third parties, offline.
 *
 * docs/reference/protocol.md, section 13. An *exhibit* is one member's statement: the signed heartbeats that it
 * received, the server's receipts, the server's last messages, and a *probe*. A probe is a new room that the
 * member opens at the same server after the drop, with the chain value
 *
 *     H("snug 1 probe" | H(number 16 | count 2, (key 32 | len32(beat)) |
 *                          count 2, (number 16 | server key 32 | opening id 8 | slot 8 | chain before 32
 *                                    | H(blob) 32 | signature 64)))
 *
 * The server's signature that it opened the probe room proves that the server was alive, and served others, after
 * those heartbeats were made. The member's leaf signs the whole exhibit by SignWithLabel under "snug 1 evidence".
 * One file holds the exhibits of several members of one room.
 *
 * The file contains keys and no names, unless the member adds the signed leaf nodes (RFC 9420 7.2) with the
 * names.
 *
 * The page creates such files; `snug evidence verify` (crypto/proof/evidence.py) verifies and merges them. Field
 * names are those of the file.
 */

import type { Sign } from "../agreed/heartbeat";
import { encode as encodeLayout } from "../../wire/layout";
import { PROBED } from "../../wire/layouts/evidence";
import { type Bytes, utf8 } from "../bytes";
import { H, SIGNATURE_SIZE } from "../kdf";
import { verifyWithLabel } from "../labels";
import * as canonicalJson from "./canonicalJson";

export const FORMAT = "snug evidence 2";
export const LABEL = "snug 1 evidence";
/** Maximum of: exhibits per file; heartbeats and receipts (each) per exhibit; leaf nodes; server messages. */
export const EXHIBITS_MAX = 64;
export const LISTED_MAX = 64;
export const LEAVES_MAX = 1000;
export const SERVER_EVENTS_MAX = 16;
/** Characters in one text. */
export const TEXT_MAX = 500;

/** A member's heartbeat (docs/reference/protocol.md, section 7) and the leaf key (32 bytes) that signed it. */
export interface SignedHeartbeat {
  readonly key: Bytes;
  readonly beat: Bytes;
}

/**
 * The server's signature that a blob took a slot of this room (docs/reference/protocol.md, section 3). `number` is
 * the room's at that time: it changes with the keys of the hosts. `blob` is H(blob).
 */
export interface Receipt {
  readonly number: Bytes;
  readonly server_key: Bytes;
  readonly opening_id: Bytes;
  readonly slot: number;
  readonly before: Bytes;
  readonly blob: Bytes;
  readonly signature: Bytes;
}

/** The server's last message or action, as the member reports it; `at` in whole Unix seconds by its clock. */
export interface ServerEvent {
  readonly at: number;
  readonly code: string;
  readonly text: string;
}

/** The server's signature that it opened the probe room `number`, at slot 0, with the chain value above. */
export interface ProbeReceipt {
  readonly number: Bytes;
  readonly server_key: Bytes;
  readonly opening_id: Bytes;
  readonly signature: Bytes;
}

/** The outcome of the probe: `receipt` is the server's signature if any, `text` the member's report. */
export interface Probe {
  readonly at: number;
  readonly text: string;
  readonly receipt: ProbeReceipt | null;
}

/** A signed LeafNode (RFC 9420 7.2): its key signs the name in it, for that leaf of that group. */
export interface NamedLeaf {
  readonly leaf: number;
  readonly group_id: Bytes;
  readonly node: Bytes;
}

/**
 * The exhibit of one member.
 *
 * `at` is the time of creation; `dropped_at` the time at which this member lost the room, null if it had not.
 * `server_key` is the key with which the server last authenticated at the room's door.
 */
export interface Exhibit {
  readonly at: number;
  readonly origin: string;
  readonly number: Bytes;
  readonly server_key: Bytes;
  readonly dropped_at: number | null;
  readonly beats: readonly SignedHeartbeat[];
  readonly receipts: readonly Receipt[];
  readonly last_words: readonly ServerEvent[];
  readonly probe: Probe | null;
  readonly leaves: readonly NamedLeaf[];
  readonly key: Bytes;
  readonly signature: Bytes;
}

/** A file with the exhibits of members of one room. */
export interface Evidence {
  readonly format: typeof FORMAT;
  readonly exhibits: readonly Exhibit[];
}

// one list that has the fields of every struct in their order
const ORDER = (
  "format exhibits at origin number server_key dropped_at beats receipts last_words probe leaves key beat " +
  "opening_id slot before blob signature code text receipt leaf group_id node"
).split(" ");

/** Return the first TEXT_MAX characters (code points, as Python counts). */
export const clipped = (text: string): string => [...text].slice(0, TEXT_MAX).join("");

/** Return the bytes that the member's leaf signs under LABEL: H of all other fields, 32 bytes. */
export const toBeSigned = (exhibit: Exhibit): Bytes =>
  H(canonicalJson.compact({ ...exhibit, signature: new Uint8Array(SIGNATURE_SIZE) }, ORDER));

/** Return a signed copy; `sign` takes (label, data to sign), like `Group.sign` of mls. */
export async function signed(exhibit: Exhibit, sign: Sign): Promise<Exhibit> {
  return { ...exhibit, signature: await sign(LABEL, toBeSigned(exhibit)) };
}

/** Check the member's own signature. AuthenticationError unless its key made it. */
export const verifySigned = (exhibit: Exhibit): Promise<void> =>
  verifyWithLabel(exhibit.key, LABEL, toBeSigned(exhibit), exhibit.signature);

/** Return the chain value (32 bytes) of a probe room: it commits to these heartbeats and receipts. */
export function probeChain(number: Bytes, beats: readonly SignedHeartbeat[], receipts: readonly Receipt[]): Bytes {
  const probed = encodeLayout(PROBED, {
    number,
    beats: beats.map(({ key, beat }) => [key, beat] as const),
    receipts: receipts.map(
      (r) => [r.number, r.server_key, r.opening_id, r.slot, r.before, r.blob, r.signature] as const,
    ),
  });
  return H(utf8("snug 1 probe"), H(probed));
}

/** Encode as one canonical JSON object in UTF-8, with a final newline. */
export const encode = (evidence: Evidence): Bytes => canonicalJson.encode(evidence, ORDER);
