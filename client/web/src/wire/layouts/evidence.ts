// Written by `python -m snugroom.client.tools.typescript`, from crypto/proof/evidence.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
/** The data to which a probe's chain value commits. */
export interface Probed {
  /** 16 bytes. */
  readonly number: Bytes;
  readonly beats: readonly (readonly [Bytes, Bytes])[];
  readonly receipts: readonly (readonly [Bytes, Bytes, Bytes, number, Bytes, Bytes, Bytes])[];
}

export const PROBED: Layout<Probed> = {
  name: "probed",
  start: "",
  fields: [
    ["number", -16],
    ["beats", ["l", 2, 0, 65535, ["p", [-32, ["b", 4, 4294967295]]], 0, false]],
    ["receipts", ["l", 2, 0, 65535, ["p", [-16, -32, -8, 8, -32, -32, -64]], 0, false]],
  ],
};
