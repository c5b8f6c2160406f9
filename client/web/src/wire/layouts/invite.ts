// Written by `python -m snugroom.client.tools.typescript`, from crypto/entry/invite.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
/** The seed of one generation of host keys: 32 random bytes known only to the hosts of its time. */
export interface HostSeed {
  /** 32 bytes. */
  readonly seed: Bytes;
}

export const HOST_SEED: Layout<HostSeed> = {
  name: "host seed",
  start: "",
  fields: [
    ["seed", -32],
  ],
};

/** The host seeds that a host holds, the newest generation last (docs/reference/protocol.md, section 1). */
export interface HostKeys {
  readonly seeds: readonly HostSeed[];
}

export const HOST_KEYS: Layout<HostKeys> = {
  name: "host keys",
  start: "",
  fields: [
    ["seeds", ["l", 1, 1, 16, HOST_SEED, 3, false]],
  ],
};
