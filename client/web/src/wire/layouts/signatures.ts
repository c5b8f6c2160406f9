// Written by `python -m snugroom.client.tools.typescript`, from crypto/media/signatures.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
/** One epoch of one room. */
export interface Scope {
  /** 16 bytes. */
  readonly room: Bytes;
  readonly epochSlot: number;
  /** 32 bytes. */
  readonly epoch: Bytes;
}

export const SCOPE: Layout<Scope> = {
  name: "scope",
  start: "",
  fields: [
    ["room", -16],
    ["epochSlot", 8],
    ["epoch", -32],
  ],
};

/** The data that a leaf signs for its media key. */
export interface Certified {
  /** 56 bytes. */
  readonly scope: Bytes;
  readonly leaf: number;
  /** 32 bytes. */
  readonly key: Bytes;
}

export const CERTIFIED: Layout<Certified> = {
  name: "certified",
  start: "",
  fields: [
    ["scope", -56],
    ["leaf", 4],
    ["key", -32],
  ],
};

/** Frames of one key id with consecutive counters; `digests` are 12 bytes each. */
export interface Run {
  readonly kid: number;
  readonly first: number;
  readonly digests: Bytes;
}

export const RUN: Layout<Run> = {
  name: "run",
  start: "",
  fields: [
    ["kid", 4],
    ["first", 4],
    ["digests", ["b", 2, 1024, 12]],
  ],
};

/** One sender's list in decoded form. It is unverified until `FrameVerifier.receive` accepts it. */
export interface FrameList {
  readonly leaf: number;
  readonly stream: number;
  readonly number: number;
  /** 32 bytes. */
  readonly key: Bytes;
  /** 64 bytes. */
  readonly certificate: Bytes;
  readonly runs: readonly Run[];
  /** 64 bytes. */
  readonly signature: Bytes;
}

export const FRAME_LIST: Layout<FrameList> = {
  name: "list of frames",
  start: "\u0001",
  fields: [
    ["leaf", 4],
    ["stream", 1],
    ["number", 4],
    ["key", -32],
    ["certificate", -64],
    ["runs", ["l", 1, 0, 255, RUN, 0, false]],
    ["signature", -64],
  ],
};
