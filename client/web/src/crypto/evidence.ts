/**
 * Evidence that a server dropped a meeting, or told two stories of it: to be checked by a stranger, offline.
 *
 * Protocol section 13. An *exhibit* is what one member shows: the signed beats that it had heard, the
 * server's receipts, what the server said last, and a *probe*: a room of the member's own, opened at the same
 * server after the drop under the chain value
 *
 *     H("snug 1 probe" | H(number 16 | count 2, (key 32 | len32(beat)) |
 *                          count 2, (server key 32 | slot 8 | chain 32 | signature 64)))
 *
 * The server's receipt for that room is its signature that it was alive and served others after those beats
 * were made. The member's leaf signs the exhibit as a whole, by SignWithLabel under "snug 1 evidence".
 * Exhibits of several members of one room stand beside each other in one file.
 *
 * No names: keys alone, unless the member adds the signed leaf nodes (RFC 9420 7.2) that bear them.
 *
 * The page makes such files; `snug evidence verify` (crypto/evidence.py) checks them and puts them together.
 * Fields are named as in the file.
 */

import type { Sign } from "./beats";
import { type Bytes, concat, utf8 } from "./bytes";
import { exactly, prefixed, uint } from "./fields";
import { H, HASH_SIZE, KEY_SIZE, SIGNATURE_SIZE } from "./kdf";
import * as oneForm from "./oneForm";

export const FORMAT = "snug evidence 1";
export const LABEL = "snug 1 evidence";
/** Exhibits in one file; beats, receipts and leaf nodes in one exhibit; words of the server's. */
export const EXHIBITS_MAX = 64;
export const LISTED_MAX = 64;
export const LEAVES_MAX = 1000;
export const WORDS_MAX = 16;
/** Characters of a text in it. */
export const TEXT_MAX = 500;

/** A member's beat (protocol section 7) and the leaf key (32 bytes) that signed it. */
export interface SignedBeat {
  readonly key: Bytes;
  readonly beat: Bytes;
}

/** The server's signature that a slot of this room has this chain value (protocol section 3). */
export interface Receipt {
  readonly server_key: Bytes;
  readonly slot: number;
  readonly chain: Bytes;
  readonly signature: Bytes;
}

/** What the server said or did last, as the member tells it; `at` in whole Unix seconds by its clock. */
export interface LastWord {
  readonly at: number;
  readonly code: string;
  readonly text: string;
}

/** The server's signature over the probe: of that room, at slot 0, under the chain value above. */
export interface ProbeReceipt {
  readonly number: Bytes;
  readonly server_key: Bytes;
  readonly signature: Bytes;
}

/** What became of the probe: `receipt` proves it where the server signed, `text` is the member's word. */
export interface Probe {
  readonly at: number;
  readonly text: string;
  readonly receipt: ProbeReceipt | null;
}

/** A signed LeafNode (RFC 9420 7.2): its own key says which name it bears, at that leaf of that group. */
export interface NamedLeaf {
  readonly leaf: number;
  readonly group_id: Bytes;
  readonly node: Bytes;
}

/**
 * One member's.
 *
 * `at` is when it was made; `dropped_at` when this member lost the room, null if it had not. `server_key` is
 * the key by which the server last answered at the room's door.
 */
export interface Exhibit {
  readonly at: number;
  readonly origin: string;
  readonly number: Bytes;
  readonly server_key: Bytes;
  readonly dropped_at: number | null;
  readonly beats: readonly SignedBeat[];
  readonly receipts: readonly Receipt[];
  readonly last_words: readonly LastWord[];
  readonly probe: Probe | null;
  readonly leaves: readonly NamedLeaf[];
  readonly key: Bytes;
  readonly signature: Bytes;
}

/** A file: exhibits of members of one room. */
export interface Evidence {
  readonly format: typeof FORMAT;
  readonly exhibits: readonly Exhibit[];
}

// one order that has the fields of each struct in theirs
const ORDER = (
  "format exhibits at origin number server_key dropped_at beats receipts last_words probe leaves key beat " +
  "slot chain signature code text receipt leaf group_id node"
).split(" ");

/** The first TEXT_MAX characters, counted as Python counts them. */
export const clipped = (text: string): string => [...text].slice(0, TEXT_MAX).join("");

/** What the member's leaf signs under LABEL: H of all else, 32 bytes. */
export const toBeSigned = (exhibit: Exhibit): Bytes =>
  H(oneForm.compact({ ...exhibit, signature: new Uint8Array(SIGNATURE_SIZE) }, ORDER));

/** The same, signed; `sign` takes a label and what to sign, as `Group.sign` of mls. */
export async function signed(exhibit: Exhibit, sign: Sign): Promise<Exhibit> {
  return { ...exhibit, signature: await sign(LABEL, toBeSigned(exhibit)) };
}

/** The chain value (32 bytes) under which a probe is opened: it commits to these beats and receipts. */
export function probeChain(number: Bytes, beats: readonly SignedBeat[], receipts: readonly Receipt[]): Bytes {
  const inner = concat(
    number,
    uint(beats.length, 2),
    ...beats.flatMap(({ key, beat }) => [exactly(key, KEY_SIZE, "a leaf's key"), prefixed(beat, 4)]),
    uint(receipts.length, 2),
    ...receipts.flatMap((r) => [
      exactly(r.server_key, KEY_SIZE, "a server's key"),
      uint(r.slot, 8),
      exactly(r.chain, HASH_SIZE, "a chain value"),
      exactly(r.signature, SIGNATURE_SIZE, "a receipt's signature"),
    ]),
  );
  return H(utf8("snug 1 probe"), H(inner));
}

/** The file: one JSON object in its one form, UTF-8, with a line end. */
export const encode = (evidence: Evidence): Bytes => oneForm.encode(evidence, ORDER);
