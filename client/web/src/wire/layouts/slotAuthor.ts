// Written by `python -m snugroom.client.tools.typescript`, from crypto/agreed/slot_author.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
/** The end of a payload. */
export interface SlotAuthor {
  readonly leaf: number;
  /** 64 bytes. */
  readonly signature: Bytes;
}

export const SLOT_AUTHOR: Layout<SlotAuthor> = {
  name: "slot's author",
  start: "",
  fields: [
    ["leaf", 4],
    ["signature", -64],
  ],
};

/** The byte string that the author signs. */
export interface SlotText {
  /** 16 bytes. */
  readonly number: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly chain: Bytes;
  /** 32 bytes. */
  readonly packed: Bytes;
  /** 32 bytes. */
  readonly gate: Bytes;
}

export const SLOT_TEXT: Layout<SlotText> = {
  name: "slot's text",
  start: "",
  fields: [
    ["number", -16],
    ["slot", 8],
    ["chain", -32],
    ["packed", -32],
    ["gate", -32],
  ],
};
