/** What a reply to a knock says (protocol section 4). `crypto/entry/lobby` seals it. */
import { checkText } from "../agreed/names";
import type { Bytes } from "../bytes";
import { UnsupportedError } from "../errors";
import { exactly, Reader } from "../fields";

export const REASON_MAX = 280;
export const ANSWER = 1;
export const REFUSAL = 2;
export const RECEIVED = 3;
export const ALREADY_MEMBER = 4;

/** Admission: the data that a newcomer needs and that only members know. */
export interface Answer {
  readonly type: "Answer";
  readonly welcome: Bytes;
  /** The meeting's first number (16 bytes), to which members bind what they sign and seal. */
  readonly number: Bytes;
  readonly doorSeed: Bytes;
  /** The key under which the server holds the room now; the policy names a newer one for a moment. */
  readonly roomAdminPublic: Bytes;
  /**
   * Heartbeat key and move key (64 bytes) XOR MLS-Exporter("snug 1 handed", "", 64) of the epoch of the Welcome: useless
   * to a reader of the answer without the Welcome.
   */
  readonly handedKeys: Bytes;
  readonly slot: number;
  readonly chain: Bytes;
  /** The replying member's clock, in Unix seconds: shows how long the answer was under way. */
  readonly at: number;
  /** Opaque in this module: used invites, all signature keys ever seen, recent rejoins. */
  readonly ledger: Bytes;
  /** Opaque here, too: the history before that slot. */
  readonly before: Bytes;
  /** The host's signature that it admitted this key (`crypto/report`, 64 bytes); empty without reports. */
  readonly admission: Bytes;
  /** Opaque here, too: rooms at further servers, and their chain values. */
  readonly places: Bytes;
  /**
   * The list of the pieces that bring the ratchet tree and the ledger (`crypto/entry/pieces`). Empty: the Welcome contains
   * the tree, and `ledger` the ledger. Otherwise `ledger` is empty.
   */
  readonly pieces: Bytes;
}

/** Refusal; `reason` (at most 280 bytes, may be empty) is the host's text for the newcomer. */
export interface Refusal {
  readonly type: "Refusal";
  readonly reason: string;
}

/** The host's program has the knock, and its person has not decided yet. */
export interface Received {
  readonly type: "Received";
}

/**
 * The knock's signature key is a member's: its answer was lost, and it rejoins with a ticket.
 *
 * A ticket names the group and a place in its history: `slot`, and `chain` (32 bytes) there.
 */
export interface AlreadyMember {
  readonly type: "AlreadyMember";
  readonly groupId: Bytes;
  readonly slot: number;
  readonly chain: Bytes;
}

export type ReplyBody = Answer | Refusal | Received | AlreadyMember;

export const checkAdmission = (admission: Bytes): Bytes =>
  admission.length === 0 ? admission : exactly(admission, 64, "an admission");

/** Decode the result of `encodeAnswer`. MalformedError or UnsupportedError on other input. */
export function readAnswer(body: Bytes): ReplyBody {
  const reader = new Reader(body);
  const kind = reader.uint(1);
  let answer: ReplyBody;
  if (kind === ANSWER)
    answer = {
      type: "Answer",
      welcome: reader.prefixed(4),
      number: reader.take(16),
      doorSeed: reader.take(32),
      roomAdminPublic: reader.take(32),
      handedKeys: reader.take(64),
      slot: reader.uint(8),
      chain: reader.take(32),
      at: reader.uint(8),
      ledger: reader.prefixed(4),
      before: reader.prefixed(2),
      admission: checkAdmission(reader.prefixed(1)),
      places: reader.prefixed(1),
      pieces: reader.prefixed(2),
    };
  else if (kind === REFUSAL) answer = { type: "Refusal", reason: checkText(reader.text(2), REASON_MAX) };
  else if (kind === RECEIVED) answer = { type: "Received" };
  else if (kind === ALREADY_MEMBER)
    answer = { type: "AlreadyMember", groupId: reader.prefixed(1), slot: reader.uint(8), chain: reader.take(32) };
  else throw new UnsupportedError(`a reply of the unknown kind ${kind}`);
  reader.end();
  return answer;
}
