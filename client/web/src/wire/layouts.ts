// Written by `python -m snugroom.client.tools.typescript`, from crypto/ and wire/: change it there.

import type { Bytes } from "../crypto/bytes";
import type { Layout, OneOf } from "./layout";
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

/** The end of a payload. */
export interface SlotAuthor {
  readonly leaf: number;
  /** 64 bytes. */
  readonly signature: Bytes;
}
export const SLOT_AUTHOR: Layout<SlotAuthor> = {
  name: "slot's author",
  start: "",
  fields: [
    ["leaf", 4],
    ["signature", -64],
  ],
};

/** The byte string that the author signs. */
export interface SlotText {
  /** 16 bytes. */
  readonly number: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly chain: Bytes;
  /** 32 bytes. */
  readonly packed: Bytes;
  /** 32 bytes. */
  readonly gate: Bytes;
}
export const SLOT_TEXT: Layout<SlotText> = {
  name: "slot's text",
  start: "",
  fields: [
    ["number", -16],
    ["slot", 8],
    ["chain", -32],
    ["packed", -32],
    ["gate", -32],
  ],
};

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

/** Admission: the data that a newcomer needs and that only members know. */
export interface Answer {
  readonly type: "Answer";
  readonly welcome: Bytes;
  /** 16 bytes. */
  readonly number: Bytes;
  /** 32 bytes. */
  readonly doorSeed: Bytes;
  /** 32 bytes. */
  readonly roomAdminPublic: Bytes;
  /** 64 bytes. */
  readonly handedKeys: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly chain: Bytes;
  readonly at: number;
  readonly ledger: Bytes;
  readonly before: Bytes;
  readonly admission: Bytes;
  readonly places: Bytes;
  readonly pieces: Bytes;
}
export const ANSWER: Layout<Answer> = {
  name: "answer",
  start: "",
  fields: [
    ["welcome", ["b", 4, 4294967295]],
    ["number", -16],
    ["doorSeed", -32],
    ["roomAdminPublic", -32],
    ["handedKeys", -64],
    ["slot", 8],
    ["chain", -32],
    ["at", 8],
    ["ledger", ["b", 4, 4294967295]],
    ["before", ["b", 2, 65535]],
    ["admission", ["b", 1, 64]],
    ["places", ["b", 1, 255]],
    ["pieces", ["b", 2, 65535]],
  ],
};

/** Refusal; `reason` (may be empty) is the host's text for the newcomer. */
export interface Refusal {
  readonly type: "Refusal";
  readonly reason: string;
}
export const REFUSAL: Layout<Refusal> = {
  name: "refusal",
  start: "",
  fields: [
    ["reason", ["t", 2, 280]],
  ],
};

/** The host's program has the knock, and its person has not decided yet. */
export interface Received {
  readonly type: "Received";
}
export const RECEIVED: Layout<Received> = {
  name: "received",
  start: "",
  fields: [
  ],
};

/** The knock's signature key is a member's: its answer was lost, and it rejoins with a ticket. */
export interface AlreadyMember {
  readonly type: "AlreadyMember";
  readonly groupId: Bytes;
  readonly slot: number;
  /** 32 bytes. */
  readonly chain: Bytes;
}
export const ALREADY_MEMBER: Layout<AlreadyMember> = {
  name: "already member",
  start: "",
  fields: [
    ["groupId", ["b", 1, 255]],
    ["slot", 8],
    ["chain", -32],
  ],
};

/** A newcomer's request for a card. Hosts answer with a card. */
export interface CardRequest {
  readonly type: "CardRequest";
}
export const CARD_REQUEST: Layout<CardRequest> = {
  name: "card request",
  start: "",
  fields: [
  ],
};

/** A host's key for knocks. Decoding does not verify it: call `verify` before use. */
export interface Card {
  readonly type: "Card";
  /** 32 bytes. */
  readonly ephPublic: Bytes;
  /** 16 bytes. */
  readonly nonce: Bytes;
  readonly expiry: number;
  readonly day: number;
  readonly signatures: readonly Bytes[];
}
export const CARD: Layout<Card> = {
  name: "card",
  start: "",
  fields: [
    ["ephPublic", -32],
    ["nonce", -16],
    ["expiry", 8],
    ["day", 4],
    ["signatures", ["l", 1, 1, 16, -64, 0, false]],
  ],
};

/** The byte string that the host keys sign. */
export interface CardMessage {
  readonly origin: string;
  readonly day: number;
  /** 32 bytes. */
  readonly ephPublic: Bytes;
  /** 16 bytes. */
  readonly nonce: Bytes;
  readonly expiry: number;
}
export const CARD_MESSAGE: Layout<CardMessage> = {
  name: "card message",
  start: "snug 1 card",
  fields: [
    ["origin", ["t", 2, 65535]],
    ["day", 4],
    ["ephPublic", -32],
    ["nonce", -16],
    ["expiry", 8],
  ],
};

/** A knock, sealed to a card: only hosts can read it. */
export interface Knock {
  readonly type: "Knock";
  /** 32 bytes. */
  readonly enc: Bytes;
  readonly ciphertext: Bytes;
}
export const KNOCK: Layout<Knock> = {
  name: "knock",
  start: "",
  fields: [
    ["enc", -32],
    ["ciphertext", ["r", false]],
  ],
};

/** A sealed answer or refusal; the newcomer recognises it by `id`, which means nothing to others. */
export interface Reply {
  readonly type: "Reply";
  /** 8 bytes. */
  readonly id: Bytes;
  readonly sealed: Bytes;
}
export const REPLY: Layout<Reply> = {
  name: "sealed reply",
  start: "",
  fields: [
    ["id", -8],
    ["sealed", ["r", false]],
  ],
};

/** A message between members and a returning host (`crypto.entry.recovery`), sealed a second time. */
export interface RecoveryMessage {
  readonly type: "RecoveryMessage";
  readonly sealed: Bytes;
}
export const RECOVERY_MESSAGE: Layout<RecoveryMessage> = {
  name: "recovery message",
  start: "",
  fields: [
    ["sealed", ["r", false]],
  ],
};

/** A newcomer has refused a card for its time: `card` is its hash, `at` the newcomer's clock in Unix */
export interface ClockReport {
  readonly type: "ClockReport";
  /** 32 bytes. */
  readonly card: Bytes;
  readonly at: number;
}
export const CLOCK_REPORT: Layout<ClockReport> = {
  name: "clock report",
  start: "",
  fields: [
    ["card", -32],
    ["at", 8],
  ],
};

/** A part of a room's tree and ledger, sealed under a key in the answer that lists its hash (`pieces`). */
export interface Piece {
  readonly type: "Piece";
  readonly sealed: Bytes;
}
export const PIECE: Layout<Piece> = {
  name: "piece",
  start: "",
  fields: [
    ["sealed", ["r", false]],
  ],
};

/** The newcomer's data. `identity` is public key and proof (`proof.identity`), or zeros. */
export interface KnockContents {
  readonly keyPackage: Bytes;
  readonly name: string;
  readonly greeting: string;
  /** 64 bytes. */
  readonly identity: Bytes;
}
export const KNOCK_CONTENTS: Layout<KnockContents> = {
  name: "knock contents",
  start: "",
  fields: [
    ["keyPackage", ["b", 2, 65535]],
    ["name", ["t", 1, 255]],
    ["greeting", ["t", 2, 65535]],
    ["identity", -64],
  ],
};

/** The plaintext of a knock. `use` proves that its author has the invite. */
export interface KnockInside {
  /** 32 bytes. */
  readonly use: Bytes;
  readonly index: number;
  readonly contents: Bytes;
}
export const KNOCK_INSIDE: Layout<KnockInside> = {
  name: "knock inside",
  start: "",
  fields: [
    ["use", -32],
    ["index", 2],
    ["contents", ["r", false]],
  ],
};

/** The data in pieces: an encoded ratchet tree (empty: it is in the Welcome) and a ledger. */
export interface TreeAndLedger {
  readonly tree: Bytes;
  readonly ledger: Bytes;
}
export const TREE_AND_LEDGER: Layout<TreeAndLedger> = {
  name: "tree and ledger",
  start: "",
  fields: [
    ["tree", ["b", 4, 4294967295]],
    ["ledger", ["r", false]],
  ],
};

/** The pieces of an answer: their key, sealed to the newcomer, and their hashes in order. */
export interface PieceList {
  /** 80 bytes. */
  readonly sealedKey: Bytes;
  readonly hashes: readonly Bytes[];
}
export const PIECE_LIST: Layout<PieceList> = {
  name: "list of pieces",
  start: "",
  fields: [
    ["sealedKey", -80],
    ["hashes", ["l", 1, 1, 16, -32, 3, false]],
  ],
};

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

/** The byte string that a host signs for each member. */
export interface Admission {
  readonly groupId: Bytes;
  /** 32 bytes. */
  readonly signatureKey: Bytes;
  readonly invite: number;
}
export const ADMISSION: Layout<Admission> = {
  name: "admission",
  start: "snug 1 admission",
  fields: [
    ["groupId", ["b", 2, 65535]],
    ["signatureKey", -32],
    ["invite", 2],
  ],
};

/** The data to which a probe's chain value commits. */
export interface Probed {
  /** 16 bytes. */
  readonly number: Bytes;
  readonly beats: readonly (readonly [Bytes, Bytes])[];
  readonly receipts: readonly (readonly [Bytes, Bytes, number, Bytes, Bytes])[];
}
export const PROBED: Layout<Probed> = {
  name: "probed",
  start: "",
  fields: [
    ["number", -16],
    ["beats", ["l", 2, 0, 65535, ["p", [-32, ["b", 4, 4294967295]]], 0, false]],
    ["receipts", ["l", 2, 0, 65535, ["p", [-16, -32, 8, -32, -64]], 0, false]],
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

/** The text under the MAC of a password or token: for a room on one connection alone. */
export interface Opens {
  readonly origin: string;
  /** 16 bytes. */
  readonly number: Bytes;
  /** 32 bytes. */
  readonly serverNonce: Bytes;
}
export const OPENS: Layout<Opens> = {
  name: "right to open",
  start: "snug 1 opens",
  fields: [
    ["origin", ["t", 2, 65535]],
    ["number", -16],
    ["serverNonce", -32],
  ],
};

/** The salt of scrypt for a password. */
export interface PasswordSalt {
  readonly origin: string;
  readonly salt: Bytes;
}
export const PASSWORD_SALT: Layout<PasswordSalt> = {
  name: "password's salt",
  start: "snug 1 password",
  fields: [
    ["origin", ["t", 2, 65535]],
    ["salt", ["r", false]],
  ],
};

/** The hash of this names a week's token key. */
export interface TokenKey {
  readonly week: number;
  /** 32 bytes. */
  readonly public: Bytes;
}
export const TOKEN_KEY: Layout<TokenKey> = {
  name: "token key",
  start: "snug 1 token key",
  fields: [
    ["week", 4],
    ["public", -32],
  ],
};

/** A voucher from an operator: it is exchanged for tokens once, in its week. */
export interface Voucher {
  readonly week: number;
  /** 16 bytes. */
  readonly id: Bytes;
  /** 16 bytes. */
  readonly mac: Bytes;
  /** 32 bytes. */
  readonly keyHash: Bytes;
}
export const VOUCHER: Layout<Voucher> = {
  name: "voucher",
  start: "",
  fields: [
    ["week", 4],
    ["id", -16],
    ["mac", -16],
    ["keyHash", -32],
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

export type ReplyBody = Answer | Refusal | Received | AlreadyMember;
export const REPLY_BODY: OneOf<ReplyBody> = {
  name: "reply",
  kinds: {
    Answer: [1, ANSWER],
    Refusal: [2, REFUSAL],
    Received: [3, RECEIVED],
    AlreadyMember: [4, ALREADY_MEMBER],
  },
};

export type LobbyMessage = CardRequest | Card | Knock | Reply | RecoveryMessage | ClockReport | Piece;
export const LOBBY_MESSAGE: OneOf<LobbyMessage> = {
  name: "lobby message",
  kinds: {
    CardRequest: [1, CARD_REQUEST],
    Card: [2, CARD],
    Knock: [3, KNOCK],
    Reply: [4, REPLY],
    RecoveryMessage: [5, RECOVERY_MESSAGE],
    ClockReport: [6, CLOCK_REPORT],
    Piece: [7, PIECE],
  },
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
