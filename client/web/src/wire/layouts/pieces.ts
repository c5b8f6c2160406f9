// Written by `python -m snugroom.client.tools.typescript`, from crypto/entry/pieces.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
/** The data in pieces: an encoded ratchet tree (empty: it is in the Welcome) and a ledger. */
export interface TreeAndLedger {
  readonly tree: Bytes;
  readonly ledger: Bytes;
}

export const TREE_AND_LEDGER: Layout<TreeAndLedger> = {
  name: "tree and ledger",
  start: "",
  fields: [
    ["tree", ["b", 4, 4294967295]],
    ["ledger", ["r", false]],
  ],
};

/** The pieces of an answer: their key, sealed to the newcomer, and their hashes in order. */
export interface PieceList {
  /** 80 bytes. */
  readonly sealedKey: Bytes;
  readonly hashes: readonly Bytes[];
}

export const PIECE_LIST: Layout<PieceList> = {
  name: "list of pieces",
  start: "",
  fields: [
    ["sealedKey", -80],
    ["hashes", ["l", 1, 1, 16, -32, 3, false]],
  ],
};
