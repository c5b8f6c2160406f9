// Written by `python -m snugroom.client.tools.typescript`, from crypto/proof/identity.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
/** An identity in a knock. */
export interface ShownIdentity {
  /** 32 bytes. */
  readonly public: Bytes;
  /** 32 bytes. */
  readonly proof: Bytes;
}

export const SHOWN_IDENTITY: Layout<ShownIdentity> = {
  name: "shown identity",
  start: "",
  fields: [
    ["public", -32],
    ["proof", -32],
  ],
};

/** The two ends of a vouch: leaves, their signature keys, announced boxes (public), and the group. */
export interface VouchContext {
  readonly groupId: Bytes;
  readonly leaf: number;
  readonly toLeaf: number;
  /** 32 bytes. */
  readonly signatureKey: Bytes;
  /** 32 bytes. */
  readonly toSignatureKey: Bytes;
  /** 32 bytes. */
  readonly box: Bytes;
  /** 32 bytes. */
  readonly toBox: Bytes;
}

export const VOUCH_CONTEXT: Layout<VouchContext> = {
  name: "ends of a vouch",
  start: "",
  fields: [
    ["groupId", ["b", 1, 255]],
    ["leaf", 4],
    ["toLeaf", 4],
    ["signatureKey", -32],
    ["toSignatureKey", -32],
    ["box", -32],
    ["toBox", -32],
  ],
};

/** A vouch to this member, opened but unverified: `leaf` claims the identity `public`. */
export interface OpenedVouch {
  readonly leaf: number;
  /** 32 bytes. */
  readonly public: Bytes;
  /** 32 bytes. */
  readonly proof: Bytes;
}

export const OPENED_VOUCH: Layout<OpenedVouch> = {
  name: "vouch",
  start: "",
  fields: [
    ["leaf", 4],
    ["public", -32],
    ["proof", -32],
  ],
};
