// Written by `python -m snugroom.client.tools.typescript`, from crypto/agreed/room_state.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout } from "../layout";
export const POLICY_EXTENSION = 61441;
export const REJOIN_EXTENSION = 61442;
export const REJOIN_KEY_EXTENSION = 61443;
export const REJOIN_KEY_SIZE = 32;
export const TICKET_SIGNATURES_MAX = 8;
export const SINGLE_USE = 32768;
export const TITLE_MAX = 128;
export const HOSTS_MAX = 16;
export const SERVERS_MAX = 8;
export const LATER_KEYS_MAX = 15;
export const REPORTS = 1;
export const MIRROR = 2;
export const SIXTEEN = 4;
export const STRICT = 8;
export const ANY_HOST = 4294967295;
/** How the room treats newcomers. */
export const Mode = {
  ASK: 0,
  WAVE_IN: 1,
  LOCKED: 2,
} as const;
export type Mode = (typeof Mode)[keyof typeof Mode];

/** A further server at which the meeting can continue, and the hosts' key for rooms there (section 12). */
export interface PolicyServer {
  readonly origin: string;
  /** 32 bytes. */
  readonly roomAdminPublic: Bytes;
}

export const POLICY_SERVER: Layout<PolicyServer> = {
  name: "server",
  start: "",
  fields: [
    ["origin", ["t", 1, 255]],
    ["roomAdminPublic", -32],
  ],
};

/** The extension `snug_policy`: the hosts and their public keys, and the settings of the room. */
export interface Policy {
  readonly version: number;
  readonly hosts: readonly Bytes[];
  /** 32 bytes. */
  readonly hostPublic: Bytes;
  /** 32 bytes. */
  readonly returnPublic: Bytes;
  /** 32 bytes. */
  readonly roomAdminPublic: Bytes;
  readonly laterKeys: readonly Bytes[];
  readonly mode: Mode;
  readonly title: string;
  readonly servers: readonly PolicyServer[];
  readonly flags: number;
}

export const POLICY: Layout<Policy> = {
  name: "policy",
  start: "\u0001",
  fields: [
    ["version", 4],
    ["hosts", ["l", 1, 0, 16, -32, 1, false]],
    ["hostPublic", -32],
    ["returnPublic", -32],
    ["roomAdminPublic", -32],
    ["laterKeys", ["l", 1, 0, 15, -32, 3, false]],
    ["mode", ["e", [0, 1, 2]]],
    ["title", ["t", 1, 128]],
    ["servers", ["l", 1, 0, 8, POLICY_SERVER, 0, false]],
    ["flags", ["m", 15]],
  ],
};

/** Contents of a leaf's basic credential: one byte of flags (none is defined yet), and the name. */
export interface Identity {
  readonly flags: number;
  readonly name: string;
}

export const IDENTITY: Layout<Identity> = {
  name: "credential",
  start: "",
  fields: [
    ["flags", 1],
    ["name", ["r", true]],
  ],
};

/** The byte string that a rejoin key signs; the keys are the new leaf's. */
export interface RejoinMessage {
  readonly groupId: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly chain: Bytes;
  /** 16 bytes. */
  readonly nonce: Bytes;
  readonly by: number;
  readonly stuck: boolean;
  /** 32 bytes. */
  readonly initKey: Bytes;
  /** 32 bytes. */
  readonly encryptionKey: Bytes;
  /** 32 bytes. */
  readonly rejoinKey: Bytes;
}

export const REJOIN_MESSAGE: Layout<RejoinMessage> = {
  name: "rejoin message",
  start: "snug 1 rejoin",
  fields: [
    ["groupId", ["b", 1, 255]],
    ["slot", 8],
    ["chain", -32],
    ["nonce", -16],
    ["by", 4],
    ["stuck", 0],
    ["initKey", -32],
    ["encryptionKey", -32],
    ["rejoinKey", -32],
  ],
};

/** Request of a member without state to be added in place of its old leaf. */
export interface RejoinTicket {
  readonly groupId: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly chain: Bytes;
  /** 16 bytes. */
  readonly nonce: Bytes;
  readonly by: number;
  readonly stuck: boolean;
  readonly signatures: readonly Bytes[];
}

export const REJOIN_TICKET: Layout<RejoinTicket> = {
  name: "rejoin ticket",
  start: "",
  fields: [
    ["groupId", ["b", 1, 255]],
    ["slot", 8],
    ["chain", -32],
    ["nonce", -16],
    ["by", 4],
    ["stuck", 0],
    ["signatures", ["l", 1, 0, 8, -64, 0, false]],
  ],
};

/** Request of a crashed host to be added, signed by the current return key. */
export interface HostReturn {
  readonly slot: number;
  /** 64 bytes. */
  readonly signature: Bytes;
}

export const HOST_RETURN: Layout<HostReturn> = {
  name: "host's return",
  start: "",
  fields: [
    ["slot", 8],
    ["signature", -64],
  ],
};

/** The byte string that the return key signs. */
export interface HostReturnMessage {
  readonly groupId: Bytes;
  /** 32 bytes. */
  readonly keyPackage: Bytes;
  readonly slot: number;
}

export const HOST_RETURN_MESSAGE: Layout<HostReturnMessage> = {
  name: "host's return message",
  start: "snug 1 return",
  fields: [
    ["groupId", ["b", 2, 65535]],
    ["keyPackage", -32],
    ["slot", 8],
  ],
};

/** Contents of a commit's authenticated_data: the room and the history that it belongs to (SNUG-1). */
export interface CommitContext {
  /** 16 bytes. */
  readonly room: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly chain: Bytes;
  /** 32 bytes. */
  readonly ledger: Bytes;
  readonly invites: readonly number[];
  readonly hostReturn: HostReturn | null;
  readonly absent: boolean;
  readonly withdrawn: readonly Bytes[];
}

export const COMMIT_CONTEXT: Layout<CommitContext> = {
  name: "commit context",
  start: "\u0001",
  fields: [
    ["room", -16],
    ["slot", 8],
    ["chain", -32],
    ["ledger", -32],
    ["invites", ["l", 1, 0, 255, 2, 0, false]],
    ["hostReturn", ["o", HOST_RETURN]],
    ["absent", 0],
    ["withdrawn", ["l", 1, 0, 64, -32, 1, false]],
  ],
};
