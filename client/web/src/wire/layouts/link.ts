// Written by `python -m snugroom.client.tools.typescript`, from crypto/entry/link.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
export const LINK_MAX = 4096;
export const RELAYS_MAX = 4;
export const CHECKSUM_SIZE = 4;
export const AT_FURTHER = 1;
export const LINK_FLAGS = 1;
/** The relays of a meeting, and the relay identity of each server: of the first one, then of `servers`. */
export interface Relays {
  readonly origins: readonly string[];
  readonly identities: readonly Bytes[];
}

export const RELAYS: Layout<Relays> = {
  name: "relays",
  start: "",
  fields: [
    ["origins", ["l", 1, 1, 4, ["t", 1, 255], 0, false]],
    ["identities", ["l", 1, 1, 9, -32, 0, false]],
  ],
};

/** The fields of a link behind its server's address. */
export interface LinkBody {
  readonly flags: number;
  /** 16 bytes. */
  readonly secret: Bytes;
  /** 32 bytes. */
  readonly hostPublic: Bytes;
  readonly index: number;
  /** 16 bytes. */
  readonly token: Bytes;
  readonly servers: readonly string[];
  readonly relays: Relays | null;
}

export const LINK_BODY: Layout<LinkBody> = {
  name: "link body",
  start: "",
  fields: [
    ["flags", 1],
    ["secret", -16],
    ["hostPublic", -32],
    ["index", 2],
    ["token", -16],
    ["servers", ["l", 1, 0, 8, ["t", 1, 255], 0, false]],
    ["relays", ["o", RELAYS]],
  ],
};

/** A link's checksum is the first 4 bytes of the hash of this. */
export interface LinkText {
  readonly origin: string;
  readonly body: Bytes;
}

export const LINK_TEXT: Layout<LinkText> = {
  name: "link checksum",
  start: "snug 1 link check",
  fields: [
    ["origin", ["t", 2, 65535]],
    ["body", ["r", false]],
  ],
};
