/**
 * The author of a slot: the leaf that signs the blob's messages, its gate and its place in the history.
 *
 * docs/reference/protocol.md, section 5. The gate of a slot depends on the epoch that its commit begins, so it cannot
 * be inside the commit. This signature binds both, so that a wrong gate has an author, and nobody can put a member's
 * commit into another blob, or at another place.
 */
import { decode, encode } from "../../wire/layout";
import { SLOT_AUTHOR, SLOT_TEXT } from "../../wire/layouts/slotAuthor";
import { type Bytes, concat } from "../bytes";
import { H, SIGNATURE_SIZE } from "../kdf";
import { verifyWithLabel } from "../labels";
import type { Sign } from "./heartbeat";

export const LABEL = "snug 1 gate";
const AUTHOR_SIZE = 4 + SIGNATURE_SIZE;

/** The place of a blob: the room's number (16 bytes), its slot, the chain before that slot (32 bytes). */
export interface Place {
  readonly number: Bytes;
  readonly slot: number;
  readonly chain: Bytes;
}

/** Return the text that the author of `packed` (`envelope.pack`) signs. */
const textOf = (place: Place, packed: Bytes, gate: Bytes): Bytes =>
  encode(SLOT_TEXT, { ...place, packed: H(packed), gate });

/** The payload of a slot's blob: `messages | leaf 4 | signature 64`. */
export class SlotPayload {
  constructor(readonly packed: Bytes, readonly leaf: number, readonly signature: Bytes) {}

  /** Sign messages and gate with the leaf of this member. */
  static async signed(packed: Bytes, leaf: number, place: Place, gate: Bytes, sign: Sign): Promise<SlotPayload> {
    return new SlotPayload(packed, leaf, await sign(LABEL, textOf(place, packed, gate)));
  }

  /** Return the payload. */
  encode(): Bytes {
    return concat(this.packed, encode(SLOT_AUTHOR, this));
  }

  /** Read a payload. MalformedError if it is too short. */
  static decode(payload: Bytes): SlotPayload {
    const at = Math.max(0, payload.length - AUTHOR_SIZE);
    const { leaf, signature } = decode(SLOT_AUTHOR, payload.subarray(at));
    return new SlotPayload(payload.slice(0, at), leaf, signature);
  }

  /** AuthenticationError unless the holder of `key` put these messages and this gate at that place. */
  async verify(place: Place, gate: Bytes, key: Bytes): Promise<void> {
    await verifyWithLabel(key, LABEL, textOf(place, this.packed, gate), this.signature);
  }
}
