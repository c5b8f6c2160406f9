// Written by `python -m snugroom.client.tools.typescript`, from crypto/proof/report.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
/** The byte string that a host signs for each member. */
export interface Admission {
  readonly groupId: Bytes;
  /** 32 bytes. */
  readonly signatureKey: Bytes;
  readonly invite: number;
}

export const ADMISSION: Layout<Admission> = {
  name: "admission",
  start: "snug 1 admission",
  fields: [
    ["groupId", ["b", 2, 65535]],
    ["signatureKey", -32],
    ["invite", 2],
  ],
};
