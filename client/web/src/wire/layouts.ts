// Written by `python -m snugroom.client.tools.typescript`, from crypto/ and wire/: change it there.

import type { Bytes } from "../crypto/bytes";
import type { Layout } from "./layout";
export const SIGNATURE_SIZE = 64;
export const WINDOW = 8;
export const STREAMS_MAX = 8;
export const GOT_MAX = 1000;
export const PENDING_MAX = 8;
export const REJOIN_SLOTS = 64;
export const REJOINS_MAX = 16;
export const LEDGER_KEYS_MAX = 4096;
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
export const ANY_HOST = 4294967295;
export const LINK_MAX = 4096;
export const RELAYS_MAX = 4;
export const CHECKSUM_SIZE = 4;
export const LINK_FLAGS = 0;

/** A host's act that takes a slot, or a member's request to be let in again. */
export const Act = {
  REMOVE: 1,
  LOCK: 2,
  UNLOCK: 3,
  HOST: 4,
  NO_HOST: 5,
  ADMIT: 6,
  REJOIN: 7,
} as const;
export type Act = (typeof Act)[keyof typeof Act];

/** How the room treats newcomers. */
export const Mode = {
  ASK: 0,
  WAVE_IN: 1,
  LOCKED: 2,
} as const;
export type Mode = (typeof Mode)[keyof typeof Mode];

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
    ["act", ["e", [1, 2, 3, 4, 5, 6, 7]]],
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
  readonly relay: number;
  /** 32 bytes. */
  readonly window: Bytes;
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
    ["relay", 8],
    ["window", -32],
    ["sent", ["l", 1, 0, 8, ["p", [["u", 1, 7], 6]], 2, false]],
    ["want", 0],
    ["got", ["l", 2, 0, 1000, GOT, 2, false]],
    ["pending", ["l", 1, 0, 8, PENDING_ACT, 1, false]],
    ["signature", -64],
  ],
};

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
  ],
};

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
    ["flags", ["m", 7]],
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
  ],
};

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

/** A client signs this to enter a room. */
export interface RoomDoor {
  readonly origin: string;
  /** 16 bytes. */
  readonly number: Bytes;
  /** 32 bytes. */
  readonly serverNonce: Bytes;
  /** 32 bytes. */
  readonly clientNonce: Bytes;
}
export const ROOM_DOOR: Layout<RoomDoor> = {
  name: "room's door",
  start: "snug 1 door",
  fields: [
    ["origin", ["t", 2, 65535]],
    ["number", -16],
    ["serverNonce", -32],
    ["clientNonce", -32],
  ],
};

/** A client signs this to enter a lobby. */
export interface LobbyDoor {
  readonly origin: string;
  /** 32 bytes. */
  readonly lobbyKey: Bytes;
  /** 32 bytes. */
  readonly serverNonce: Bytes;
  /** 32 bytes. */
  readonly clientNonce: Bytes;
}
export const LOBBY_DOOR: Layout<LobbyDoor> = {
  name: "lobby's door",
  start: "snug 1 door",
  fields: [
    ["origin", ["t", 2, 65535]],
    ["lobbyKey", -32],
    ["serverNonce", -32],
    ["clientNonce", -32],
  ],
};

/** The room admin signs this to open a slot's gate alone (G1, G3). */
export interface Opening {
  /** 16 bytes. */
  readonly number: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly gate: Bytes;
  /** 32 bytes. */
  readonly chain: Bytes;
}
export const OPENING: Layout<Opening> = {
  name: "opening",
  start: "snug 1 open",
  fields: [
    ["number", -16],
    ["slot", 8],
    ["gate", -32],
    ["chain", -32],
  ],
};

/** The room admin signs this to hand the room to its successor (G8). */
export interface Rekey {
  /** 16 bytes. */
  readonly number: Bytes;
  /** 32 bytes. */
  readonly serverNonce: Bytes;
}
export const REKEY: Layout<Rekey> = {
  name: "rekey",
  start: "snug 1 rekey",
  fields: [
    ["number", -16],
    ["serverNonce", -32],
  ],
};

/** The server signs this when a slot is taken and when a room is opened. */
export interface Receipt {
  /** 16 bytes. */
  readonly number: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly chain: Bytes;
}
export const RECEIPT: Layout<Receipt> = {
  name: "receipt",
  start: "snug 1 receipt",
  fields: [
    ["number", -16],
    ["slot", 8],
    ["chain", -32],
  ],
};

/** The public halves of the keys that enter and open a room: its number commits to them. */
export interface RoomKeys {
  /** 32 bytes. */
  readonly doorKey: Bytes;
  /** 32 bytes. */
  readonly roomAdminKey: Bytes;
}
export const ROOM_KEYS: Layout<RoomKeys> = {
  name: "room's keys",
  start: "snug 1 room",
  fields: [
    ["doorKey", -32],
    ["roomAdminKey", -32],
  ],
};

/** A chain value is the hash of this. */
export interface ChainLink {
  /** 32 bytes. */
  readonly chain: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly blob: Bytes;
}
export const CHAIN_LINK: Layout<ChainLink> = {
  name: "chain",
  start: "",
  fields: [
    ["chain", -32],
    ["slot", 8],
    ["blob", -32],
  ],
};
