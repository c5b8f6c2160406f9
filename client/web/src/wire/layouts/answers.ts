// Written by `python -m snugroom.client.tools.typescript`, from crypto/entry/answers.py: change it there.

import type { Bytes } from "../../crypto/bytes";
import type { Layout, OneOf } from "../layout";
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
