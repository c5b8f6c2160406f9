// Written by `python -m snugroom.client.tools.typescript`, from crypto/agreed/heartbeat.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
export const WINDOW = 8;
export const STREAMS_MAX = 8;
export const GOT_MAX = 1000;
export const PENDING_MAX = 8;
/** A host's act that takes a slot, or what a member says of itself. */
export const Act = {
  REMOVE: 1,
  LOCK: 2,
  UNLOCK: 3,
  HOST: 4,
  NO_HOST: 5,
  ADMIT: 6,
  REJOIN: 7,
  GO_ON: 8,
} as const;
export type Act = (typeof Act)[keyof typeof Act];

/** Traffic received from one other member: its last heartbeat, and the frames decrypted per stream. */
export interface Got {
  readonly leaf: number;
  readonly seq: number;
  readonly frames: readonly (readonly [number, number])[];
}

export const GOT: Layout<Got> = {
  name: "got",
  start: "",
  fields: [
    ["leaf", 4],
    ["seq", 4],
    ["frames", ["l", 1, 0, 8, ["p", [["u", 1, 7], 6]], 2, false]],
  ],
};

/** An act of the sender that the server has not given a slot for some seconds. */
export interface PendingAct {
  readonly act: Act;
  readonly leaf: number;
}

export const PENDING_ACT: Layout<PendingAct> = {
  name: "pending",
  start: "",
  fields: [
    ["act", ["e", [1, 2, 3, 4, 5, 6, 7, 8]]],
    ["leaf", 4],
  ],
};

/** One member's signed report of its state. Frame counters start at slot `since`. */
export interface Heartbeat {
  readonly leaf: number;
  /** 8 bytes. */
  readonly handle: Bytes;
  readonly since: number;
  readonly seq: number;
  /** 32 bytes. */
  readonly prev: Bytes;
  readonly at: number;
  readonly epoch: number;
  readonly slot: number;
  /** 32 bytes. */
  readonly chain: Bytes;
  /** 32 bytes. */
  readonly authenticator: Bytes;
  /** 8 bytes. */
  readonly incarnation: Bytes;
  /** 8 bytes. */
  readonly server: Bytes;
  readonly relay: number;
  /** 32 bytes. */
  readonly window: Bytes;
  readonly words: number;
  readonly sent: readonly (readonly [number, number])[];
  readonly want: boolean;
  readonly got: readonly Got[];
  readonly pending: readonly PendingAct[];
  /** 64 bytes. */
  readonly signature: Bytes;
}

export const HEARTBEAT: Layout<Heartbeat> = {
  name: "heartbeat",
  start: "\u0001",
  fields: [
    ["leaf", 4],
    ["handle", -8],
    ["since", 8],
    ["seq", 4],
    ["prev", -32],
    ["at", 8],
    ["epoch", 8],
    ["slot", 8],
    ["chain", -32],
    ["authenticator", -32],
    ["incarnation", -8],
    ["server", -8],
    ["relay", 8],
    ["window", -32],
    ["words", 8],
    ["sent", ["l", 1, 0, 8, ["p", [["u", 1, 7], 6]], 2, false]],
    ["want", 0],
    ["got", ["l", 2, 0, 1000, GOT, 2, false]],
    ["pending", ["l", 1, 0, 8, PENDING_ACT, 1, false]],
    ["signature", -64],
  ],
};
