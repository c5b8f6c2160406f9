// Written by `python -m snugroom.client.tools.typescript`, from crypto/agreed/envelope.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
/** The MLSMessages in one payload: by-reference proposals first, the commit last. */
export interface Messages {
  readonly messages: readonly Bytes[];
}

export const MESSAGES: Layout<Messages> = {
  name: "messages",
  start: "",
  fields: [
    ["messages", ["l", 1, 0, 255, ["b", 4, 4294967295], 0, false]],
  ],
};
