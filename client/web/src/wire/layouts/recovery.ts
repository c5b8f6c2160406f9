// Written by `python -m snugroom.client.tools.typescript`, from crypto/entry/recovery.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout, OneOf } from "../layout";
import { HOST_KEYS, type HostKeys } from "./invite";
/** A host's search for members. `nonce` links the answers to it. */
export interface HelperQuery {
  readonly type: "HelperQuery";
  /** 16 bytes. */
  readonly nonce: Bytes;
}

export const HELPER_QUERY: Layout<HelperQuery> = {
  name: "helper query",
  start: "",
  fields: [
    ["nonce", -16],
  ],
};

/** A member's answer: the slot that a request must name, and the policy's return key. */
export interface HelperOffer {
  readonly type: "HelperOffer";
  /** 16 bytes. */
  readonly nonce: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly returnPublic: Bytes;
}

export const HELPER_OFFER: Layout<HelperOffer> = {
  name: "helper offer",
  start: "",
  fields: [
    ["nonce", -16],
    ["slot", 8],
    ["returnPublic", -32],
  ],
};

/** A host's unverified request to be added. `reply_public` is an X25519 key for the answer. */
export interface HostReturnRequest {
  readonly type: "HostReturnRequest";
  /** 32 bytes. */
  readonly replyPublic: Bytes;
  readonly slot: number;
  /** 64 bytes. */
  readonly signature: Bytes;
  readonly keyPackage: Bytes;
}

export const HOST_RETURN_REQUEST: Layout<HostReturnRequest> = {
  name: "host's return request",
  start: "",
  fields: [
    ["replyPublic", -32],
    ["slot", 8],
    ["signature", -64],
    ["keyPackage", ["r", false]],
  ],
};

/** A member's request to replace its old leaf (SNUG-8); the ticket is in the KeyPackage. */
export interface RejoinRequest {
  readonly type: "RejoinRequest";
  /** 32 bytes. */
  readonly replyPublic: Bytes;
  readonly keyPackage: Bytes;
}

export const REJOIN_REQUEST: Layout<RejoinRequest> = {
  name: "rejoin request",
  start: "",
  fields: [
    ["replyPublic", -32],
    ["keyPackage", ["r", false]],
  ],
};

/** The answer to a `HostReturnRequest` or a `RejoinRequest`. */
export interface RecoveryReply {
  readonly type: "RecoveryReply";
  /** 8 bytes. */
  readonly id: Bytes;
  /** 32 bytes. */
  readonly enc: Bytes;
  readonly sealed: Bytes;
}

export const RECOVERY_REPLY: Layout<RecoveryReply> = {
  name: "recovery reply",
  start: "",
  fields: [
    ["id", -8],
    ["enc", -32],
    ["sealed", ["r", false]],
  ],
};

/** A host's sealed file for a return after a crash. It holds no key that decrypts any message. */
export interface HostRecoveryData {
  readonly hostKeys: HostKeys;
  /** 32 bytes. */
  readonly doorSeed: Bytes;
  /** 16 bytes. */
  readonly secret: Bytes;
  readonly groupId: Bytes;
  readonly origin: string;
  readonly name: string;
  readonly servers: readonly string[];
}

export const HOST_RECOVERY_DATA: Layout<HostRecoveryData> = {
  name: "host recovery data",
  start: "\u0001",
  fields: [
    ["hostKeys", HOST_KEYS],
    ["doorSeed", -32],
    ["secret", -16],
    ["groupId", ["b", 1, 255]],
    ["origin", ["t", 2, 65535]],
    ["name", ["t", 1, 255]],
    ["servers", ["l", 1, 0, 8, ["t", 1, 255], 0, false]],
  ],
};

export type InsideMessage = HelperQuery | HelperOffer | HostReturnRequest | RecoveryReply | RejoinRequest;
export const INSIDE_MESSAGE: OneOf<InsideMessage> = {
  name: "message between members and host",
  kinds: {
    HelperQuery: [1, HELPER_QUERY],
    HelperOffer: [2, HELPER_OFFER],
    HostReturnRequest: [3, HOST_RETURN_REQUEST],
    RecoveryReply: [4, RECOVERY_REPLY],
    RejoinRequest: [5, REJOIN_REQUEST],
  },
};
