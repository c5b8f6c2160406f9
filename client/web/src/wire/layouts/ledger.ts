// Written by `python -m snugroom.client.tools.typescript`, from crypto/agreed/ledger.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
export const REJOIN_SLOTS = 64;
export const REJOINS_MAX = 16;
export const LEDGER_KEYS_MAX = 4096;
export const AWAY_MAX = 64;
/** Record of one rejoin. */
export interface Rejoined {
  readonly slot: number;
  /** 32 bytes. */
  readonly signatureKey: Bytes;
  /** 16 bytes. */
  readonly nonce: Bytes;
  readonly stuck: boolean;
}

export const REJOINED: Layout<Rejoined> = {
  name: "rejoin",
  start: "",
  fields: [
    ["slot", 8],
    ["signatureKey", -32],
    ["nonce", -16],
    ["stuck", 0],
  ],
};

/** The way back of a member that a host removed for absence: a ticket by this rejoin key (SNUG-8). */
export interface Away {
  /** 32 bytes. */
  readonly signatureKey: Bytes;
  /** 32 bytes. */
  readonly rejoinKey: Bytes;
  readonly identity: Bytes;
  readonly invite: number | null;
  readonly slot: number;
}

export const AWAY: Layout<Away> = {
  name: "absent member",
  start: "",
  fields: [
    ["signatureKey", -32],
    ["rejoinKey", -32],
    ["identity", ["b", 1, 255]],
    ["invite", ["o", 2]],
    ["slot", 8],
  ],
};

/** History of a meeting that later validation depends on: newcomers need it to reach the same verdicts. */
export interface Ledger {
  readonly used: ReadonlySet<number>;
  readonly revoked: ReadonlySet<number>;
  readonly keys: ReadonlySet<string>;
  readonly invites: readonly (readonly [number, number])[];
  readonly rejoins: readonly Rejoined[];
  readonly returned: number;
  readonly hosted: number;
  readonly rotationDue: boolean;
  readonly away: readonly Away[];
}

export const LEDGER: Layout<Ledger> = {
  name: "ledger",
  start: "\u0001",
  fields: [
    ["used", ["l", 2, 0, 65535, 2, 1, true]],
    ["revoked", ["l", 2, 0, 65535, 2, 1, true]],
    ["keys", ["l", 2, 0, 65535, -32, 1, true]],
    ["invites", ["l", 2, 0, 65535, ["p", [4, 2]], 2, false]],
    ["rejoins", ["l", 1, 0, 64, REJOINED, 2, false]],
    ["returned", 8],
    ["hosted", 8],
    ["rotationDue", 0],
    ["away", ["l", 1, 0, 64, AWAY, 2, false]],
  ],
};
