/**
 * The envelope: an outer layer that hides MLS metadata from the server (docs/reference/protocol.md, section 5).
 *
 * A PrivateMessage reveals group id, epoch, content type and authenticated_data. In its envelope, a blob
 * reveals only its size bucket and the slot at which the sender's epoch began, which the server knows
 * already.
 *
 *     blob = head | nonce (12) | AES-256-GCM(envelope key, padded payload) | tag (16)
 *     head = epoch slot (8 bytes), in a commit's blob epoch slot (8) | gate (32)
 *
 * with `"snug 1 " kind | room number (16) | head` as associated data. The server applies the gate of a commit's blob.
 * The gate is part of the blob, so that the server's receipt covers it, and nobody can show the members another gate
 * than the server.
 */

import { decode, encode } from "../../wire/layout";
import { MESSAGES } from "../../wire/layouts/envelope";
import { type Bytes, concat, type Rng, systemRng, utf8 } from "../bytes";
import { MalformedError } from "../errors";
import { exactly, padded, Reader, uint, unpadded } from "../fields";
import * as kdf from "../kdf";

export type Kind = "commit" | "relay" | "beat" | "signatures" | "vouch" | "piece";

const SLOT = 8;
export const GATE = 32;
const NO_GATE = new Uint8Array();
/** Bytes of a blob besides payload and padding: slot, seal, length of the payload. A commit's has a gate more. */
export const OVERHEAD = SLOT + kdf.SEAL_OVERHEAD + 4;

const headSize = (kind: Kind): number => (kind === "commit" ? SLOT + GATE : SLOT);
const aad = (kind: Kind, room: Bytes, head: Bytes): Bytes => concat(utf8(`snug 1 ${kind}`), room, head);

/**
 * Seal `payload` in the smallest fitting size of `buckets` (bytes). `gate` is that of a commit's slot.
 *
 * MalformedError if no size fits, or if the gate has another size than the kind requires.
 */
export async function seal(
  key: Bytes,
  kind: Kind,
  room: Bytes,
  epochSlot: number,
  payload: Bytes,
  buckets: readonly number[],
  rng: Rng = systemRng,
  gate: Bytes = NO_GATE,
): Promise<Bytes> {
  const head = concat(uint(epochSlot, SLOT), exactly(gate, headSize(kind) - SLOT, "a gate"));
  const size = buckets.find((bucket) => payload.length + OVERHEAD + gate.length <= bucket);
  if (size === undefined) throw new MalformedError(`${payload.length} bytes are more than one message can carry`);
  const inner = padded(payload, size - head.length - kdf.SEAL_OVERHEAD);
  return concat(head, await kdf.seal(key, inner, aad(kind, room, head), rng));
}

/** Return the slot at which the sender's epoch began. It is unauthenticated until `open` succeeds. */
export const epochSlot = (blob: Bytes): number => new Reader(blob).uint(SLOT);

/** Return the gate (32 bytes) of a commit's blob. It is unauthenticated until `open` succeeds. */
export const gateOf = (blob: Bytes): Bytes => new Reader(blob).take(SLOT + GATE).subarray(SLOT);

/** Return the payload. AuthenticationError or MalformedError if it was not sealed under this key. */
export async function open(key: Bytes, kind: Kind, room: Bytes, blob: Bytes): Promise<Bytes> {
  const head = new Reader(blob).take(headSize(kind));
  return unpadded(await kdf.unseal(key, blob.subarray(head.length), aad(kind, room, head)));
}

/**
 * Combine several MLSMessages in one payload: by-reference proposals first, the commit last.
 *
 * A commit travels with the proposals that it refers to, so its validation does not depend on other messages.
 */
export function pack(messages: readonly Bytes[]): Bytes {
  return encode(MESSAGES, { messages });
}

/** Return the messages passed to `pack`. MalformedError on other input, and on an empty list. */
export function unpack(payload: Bytes): readonly Bytes[] {
  const { messages } = decode(MESSAGES, payload);
  if (messages.length === 0) throw new MalformedError("a blob must have at least one message");
  return messages;
}
