/**
 * How a crashed host, or a member out of sync, contacts the members while no host is present.
 *
 * docs/reference/protocol.md, section 6. While no host is present, some members wait in the lobby. Everybody with
 * a link can enter a lobby, so messages about a return are sealed a second time, under a key derived from the
 * door seed, which only admitted members have. (An evicted member has it too, and can see that a host
 * returns.)
 *
 *     HelperQuery        the host: is a member here?
 *     HelperOffer        a member: the slot, and the hosts' current return key
 *     HostReturnRequest  the host: its new KeyPackage, and the return key's signature for that slot
 *     RejoinRequest      a member that must rejoin and finds no host: its new KeyPackage, with its ticket
 *     RecoveryReply      the member that committed either: the answer for newcomers, sealed to the requester
 */

import { decode, decodeOneOf, encode, encodeOneOf } from "../../wire/layout";
import {
  HOST_RECOVERY_DATA,
  HOST_RETURN_REQUEST,
  type HostReturnRequest,
  INSIDE_MESSAGE,
  type InsideMessage,
  REJOIN_REQUEST,
  type RecoveryReply,
  type RejoinRequest,
} from "../../wire/layouts/recovery";
import { type Bytes, concat, type Rng, systemRng, utf8 } from "../bytes";
import { MalformedError } from "../errors";
import { exactly, padded, unpadded } from "../fields";
import * as hpke from "../hpke";
import { canonicalOrigin, HostKeys, type HostSeed } from "./invite";
import * as kdf from "../kdf";
import { H, KDF, SigningKey } from "../kdf";
import { type Answer, encodeAnswer, readAnswer } from "./answers";
import { checkKeyPackage, type RecoveryMessage } from "./lobby";
import { checkName } from "../agreed/names";
import { X25519Key } from "../primitives";
import { hostReturnMessage } from "../agreed/roomState";

export type {
  HelperOffer,
  HostReturnRequest,
  InsideMessage,
  RecoveryReply,
  RejoinRequest,
} from "../../wire/layouts/recovery";

const AAD = utf8("snug 1 inside");
const ID = 8;
/** Size in bytes to which messages are padded; a larger message gets no padding. */
const SIZE_MIN = 2048;

type Request = HostReturnRequest | RejoinRequest;

const encoded = (request: Request): Bytes =>
  request.type === "RejoinRequest" ? encode(REJOIN_REQUEST, request) : encode(HOST_RETURN_REQUEST, request);

/** Return the id by which an answer refers to this request, 8 bytes. */
export function requestId(request: Request): Bytes {
  const label = request.type === "RejoinRequest" ? "snug 1 again id" : "snug 1 return id";
  return H(utf8(label), encoded(request)).slice(0, ID);
}

const replyInfo = (request: Request): Bytes => concat(utf8("snug 1 back"), H(encoded(request)));

/**
 * Open the answer to a request. AuthenticationError if it is for another request; MalformedError if it contains no
 * Answer.
 */
export async function openReply({ id, enc, sealed }: RecoveryReply, request: Request, key: X25519Key): Promise<Answer> {
  const answer = readAnswer((await hpke.open(key, enc, replyInfo(request), id, sealed)).plaintext);
  if (answer.type !== "Answer") throw new MalformedError("the reply to a host's return must be an answer");
  return answer;
}

/** Return the request, signed by the return key, and the key pair for its answer. */
export async function makeHostReturnRequest(
  seed: HostSeed,
  groupId: Bytes,
  slot: number,
  keyPackage: Bytes,
  rng: Rng = systemRng,
): Promise<{ readonly request: HostReturnRequest; readonly privateKey: X25519Key }> {
  const privateKey = await X25519Key.generate(rng);
  const signature = await seed.returnKey.sign(hostReturnMessage(groupId, H(keyPackage), slot));
  return {
    request: { type: "HostReturnRequest", replyPublic: privateKey.public, slot, signature, keyPackage },
    privateKey,
  };
}

/** Seal the answer to the requester. */
export async function makeRecoveryReply(request: Request, answer: Answer, rng: Rng = systemRng): Promise<RecoveryReply> {
  const id = requestId(request);
  const body = encodeAnswer(answer);
  const sealed = await hpke.seal(request.replyPublic, replyInfo(request), id, body, rng);
  return { type: "RecoveryReply", id, enc: sealed.enc, sealed: sealed.ciphertext };
}

/** Return the key (32 bytes) for messages between members and a returning host in the lobby. */
export function recoveryKey(doorSeed: Bytes): Bytes {
  return KDF(exactly(doorSeed, 32, "a door seed"), "snug 1 inside");
}

/** Encode and seal a message for `lobby.post`. */
export async function seal(key: Bytes, message: InsideMessage, rng: Rng = systemRng): Promise<RecoveryMessage> {
  const raw = encodeOneOf(INSIDE_MESSAGE, message);
  const padding = padded(raw, Math.max(SIZE_MIN, 4 + raw.length));
  return { type: "RecoveryMessage", sealed: await kdf.seal(key, padding, AAD, rng) };
}

/** Open a message. AuthenticationError unless a present or former member sealed it; else as `decodeOneOf`. */
export async function open(key: Bytes, inside: RecoveryMessage): Promise<InsideMessage> {
  const message = decodeOneOf(INSIDE_MESSAGE, unpadded(await kdf.unseal(key, inside.sealed, AAD)));
  if ("keyPackage" in message) checkKeyPackage(message.keyPackage);
  return message;
}

/** Fields of a `HostRecoveryData`. */
export interface HostRecoveryFields {
  readonly hostKeys: HostKeys;
  /** 32 bytes. */
  readonly doorSeed: Bytes;
  /** The link's secret, 16 bytes. */
  readonly secret: Bytes;
  readonly groupId: Bytes;
  readonly origin: string;
  readonly name: string;
  /** Where the meeting can go on, as far as its policy said: canonical origins, at most 8. */
  readonly servers?: readonly string[];
}

/**
 * A host's sealed file for a return after a crash. It holds no key that decrypts any message.
 *
 * It serves until the hosts' keys change: then its return key proves nothing.
 */
export class HostRecoveryData implements HostRecoveryFields {
  readonly hostKeys: HostKeys;
  readonly doorSeed: Bytes;
  readonly secret: Bytes;
  readonly groupId: Bytes;
  readonly origin: string;
  readonly name: string;
  readonly servers: readonly string[];

  constructor(fields: HostRecoveryFields) {
    this.hostKeys = fields.hostKeys;
    this.doorSeed = fields.doorSeed;
    this.secret = fields.secret;
    this.groupId = fields.groupId;
    this.origin = fields.origin;
    this.name = fields.name;
    this.servers = fields.servers ?? [];
  }

  /** Return the key that authenticates at the room's door at the server. */
  doorKey(): Promise<SigningKey> {
    return SigningKey.fromSeed(this.doorSeed, true);
  }

  /** Encode canonically. */
  encode(): Bytes {
    return encode(HOST_RECOVERY_DATA, this);
  }

  /** Decode. MalformedError, or ValidationError("SNUG-11") if the name is not allowed. */
  static async decode(data: Bytes): Promise<HostRecoveryData> {
    const { hostKeys, ...rest } = decode(HOST_RECOVERY_DATA, data);
    if ([rest.origin, ...rest.servers].some((each) => canonicalOrigin(each) !== each))
      throw new MalformedError("host recovery data: a server's address is not in canonical form");
    checkName(rest.name);
    return new HostRecoveryData({ hostKeys: await HostKeys.of(hostKeys), ...rest });
  }
}
