/**
 * The envelope: an outer layer that hides MLS metadata from the server (docs/reference/protocol.md, section 5).
 *
 * A PrivateMessage reveals group id, epoch, content type and authenticated_data. In its envelope, a blob
 * reveals only its size bucket and the slot at which the sender's epoch began, which the server knows
 * already.
 *
 *     blob = epoch slot (8 bytes) | nonce (12) | AES-256-GCM(envelope key, padded payload) | tag (16)
 *
 * with `"snug 1 " kind | room number (16) | epoch slot (8)` as associated data.
 */

import { type Bytes, concat, type Rng, systemRng, utf8 } from "../bytes";
import { MalformedError } from "../errors";
import { padded, prefixed, Reader, uint, unpadded } from "../fields";
import * as kdf from "../kdf";

export type Kind = "commit" | "relay" | "beat" | "signatures" | "vouch" | "piece";

const SLOT = 8;
/** Bytes of a blob besides payload and padding: slot, seal, length of the payload. */
export const OVERHEAD = SLOT + kdf.SEAL_OVERHEAD + 4;

const aad = (kind: Kind, room: Bytes, began: number): Bytes => concat(utf8(`snug 1 ${kind}`), room, uint(began, SLOT));

/** Seal `payload` in the smallest fitting size of `buckets` (bytes). MalformedError if none fits. */
export async function seal(
  key: Bytes,
  kind: Kind,
  room: Bytes,
  epochSlot: number,
  payload: Bytes,
  buckets: readonly number[],
  rng: Rng = systemRng,
): Promise<Bytes> {
  const size = buckets.find((bucket) => payload.length + OVERHEAD <= bucket);
  if (size === undefined) throw new MalformedError(`${payload.length} bytes are more than one message can carry`);
  const inner = padded(payload, size - SLOT - kdf.SEAL_OVERHEAD);
  return concat(uint(epochSlot, SLOT), await kdf.seal(key, inner, aad(kind, room, epochSlot), rng));
}

/** Return the slot at which the sender's epoch began. It is unauthenticated until `open` succeeds. */
export const epochSlot = (blob: Bytes): number => new Reader(blob).uint(SLOT);

/** Return the payload. AuthenticationError or MalformedError if it was not sealed under this key. */
export async function open(key: Bytes, kind: Kind, room: Bytes, blob: Bytes): Promise<Bytes> {
  const began = epochSlot(blob);
  return unpadded(await kdf.unseal(key, blob.subarray(SLOT), aad(kind, room, began)));
}

/**
 * Combine several MLSMessages in one payload: by-reference proposals first, the commit last.
 *
 * A commit travels with the proposals that it refers to, so its validation does not depend on other messages.
 */
export function pack(messages: readonly Bytes[]): Bytes {
  return concat(uint(messages.length, 1), ...messages.map((message) => prefixed(message, 4)));
}

/** Return the messages passed to `pack`. MalformedError on other input, and on an empty list. */
export function unpack(payload: Bytes): Bytes[] {
  const reader = new Reader(payload);
  const messages = Array.from({ length: reader.uint(1) }, () => reader.prefixed(4));
  reader.end();
  if (messages.length === 0) throw new MalformedError("a blob must have at least one message");
  return messages;
}
