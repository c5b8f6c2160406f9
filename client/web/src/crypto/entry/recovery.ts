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

import { type Bytes, concat, type Rng, systemRng, utf8 } from "../bytes";
import { MalformedError, UnsupportedError } from "../errors";
import { exactly, padded, prefixed, Reader, uint, unpadded } from "../fields";
import * as hpke from "../hpke";
import { canonicalOrigin, HostKeys, type HostSeed } from "./invite";
import { SERVERS_MAX } from "../../wire/layouts";
import * as kdf from "../kdf";
import { H, KDF, SigningKey } from "../kdf";
import { type Answer, readAnswer } from "./answers";
import { encodeAnswer } from "./hostsLobby";
import { KEY_PACKAGE_MAX, RecoveryMessage } from "./lobby";
import { checkName } from "../agreed/names";
import { X25519Key } from "../primitives";
import { type HostReturn, hostReturnMessage } from "../agreed/roomState";

const AAD = utf8("snug 1 inside");
const [QUERY, OFFER, RETURN, REPLY, REJOIN] = [1, 2, 3, 4, 5];
const ID = 8;
/** Size in bytes to which messages are padded; a larger message gets no padding. */
const SIZE_MIN = 2048;

/** A host's search for members. `nonce` (16 bytes) links the answers to it. */
export class HelperQuery {
  readonly type = "HelperQuery";

  constructor(readonly nonce: Bytes) {}
}

/** A member's answer: the slot that a request must name, and the policy's return key (32 bytes). */
export class HelperOffer {
  readonly type = "HelperOffer";

  constructor(
    readonly nonce: Bytes,
    readonly slot: number,
    readonly returnPublic: Bytes,
  ) {}
}

/** A host's unverified request to be added. `replyPublic` is an X25519 key for the answer. */
export class HostReturnRequest {
  readonly type = "HostReturnRequest";

  constructor(
    readonly replyPublic: Bytes,
    readonly slot: number,
    readonly signature: Bytes,
    readonly keyPackage: Bytes,
  ) {}

  encode(): Bytes {
    return concat(this.replyPublic, uint(this.slot, 8), this.signature, this.keyPackage);
  }

  /** The id by which an answer refers to this request, 8 bytes. */
  get id(): Bytes {
    return H(utf8("snug 1 return id"), this.encode()).slice(0, ID);
  }

  /** The proof to include in the commit. */
  get proof(): HostReturn {
    return { slot: this.slot, signature: this.signature };
  }
}

/** A member's request to replace its old leaf (SNUG-8); the ticket is in the KeyPackage. */
export class RejoinRequest {
  readonly type = "RejoinRequest";

  constructor(readonly replyPublic: Bytes, readonly keyPackage: Bytes) {}

  encode(): Bytes {
    return concat(this.replyPublic, this.keyPackage);
  }

  /** The id by which an answer refers to this request, 8 bytes. */
  get id(): Bytes {
    return H(utf8("snug 1 again id"), this.encode()).slice(0, ID);
  }
}

const replyInfo = (request: HostReturnRequest | RejoinRequest): Bytes => concat(utf8("snug 1 back"), H(request.encode()));

/** The answer to a `HostReturnRequest` or a `RejoinRequest`. */
export class RecoveryReply {
  readonly type = "RecoveryReply";

  constructor(readonly id: Bytes, readonly enc: Bytes, readonly sealed: Bytes) {}

  /**
   * Open the answer. AuthenticationError if it is for another request; MalformedError if it contains no
   * Answer.
   */
  async open(request: HostReturnRequest | RejoinRequest, reply: X25519Key): Promise<Answer> {
    const opened = await hpke.open(reply, this.enc, replyInfo(request), this.id, this.sealed);
    const answer = readAnswer(opened.plaintext);
    if (answer.type !== "Answer") throw new MalformedError("the reply to a host's return must be an answer");
    return answer;
  }
}

export type Message = HelperQuery | HelperOffer | HostReturnRequest | RejoinRequest | RecoveryReply;

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
  return { request: new HostReturnRequest(privateKey.public, slot, signature, keyPackage), privateKey };
}

/** Seal the answer to the requester. */
export async function makeRecoveryReply(request: HostReturnRequest | RejoinRequest, answer: Answer, rng: Rng = systemRng): Promise<RecoveryReply> {
  const body = encodeAnswer(answer);
  const sealed = await hpke.seal(request.replyPublic, replyInfo(request), request.id, body, rng);
  return new RecoveryReply(request.id, sealed.enc, sealed.ciphertext);
}

/** Return the key (32 bytes) for messages between members and a returning host in the lobby. */
export function recoveryKey(doorSeed: Bytes): Bytes {
  return KDF(exactly(doorSeed, 32, "a door seed"), "snug 1 inside");
}

function encode(message: Message): Bytes {
  switch (message.type) {
    case "HelperQuery":
      return concat(Uint8Array.of(QUERY), exactly(message.nonce, 16, "a nonce"));
    case "HelperOffer":
      return concat(Uint8Array.of(OFFER), message.nonce, uint(message.slot, 8), message.returnPublic);
    case "HostReturnRequest":
      return concat(Uint8Array.of(RETURN), message.encode());
    case "RejoinRequest":
      return concat(Uint8Array.of(REJOIN), message.encode());
    case "RecoveryReply":
      return concat(Uint8Array.of(REPLY), message.id, message.enc, message.sealed);
  }
}

/** Encode and seal a message for `lobby.post`. */
export async function seal(key: Bytes, message: Message, rng: Rng = systemRng): Promise<RecoveryMessage> {
  const raw = encode(message);
  return new RecoveryMessage(await kdf.seal(key, padded(raw, Math.max(SIZE_MIN, 4 + raw.length)), AAD, rng));
}

/** Open a message. AuthenticationError unless a present or former member sealed it; else as `Reader`. */
export async function open(key: Bytes, inside: RecoveryMessage): Promise<Message> {
  const reader = new Reader(unpadded(await kdf.unseal(key, inside.sealed, AAD)));
  const kind = reader.uint(1);
  let message: Message;
  if (kind === QUERY) message = new HelperQuery(reader.take(16));
  else if (kind === OFFER) message = new HelperOffer(reader.take(16), reader.uint(8), reader.take(32));
  else if (kind === RETURN) {
    message = new HostReturnRequest(reader.take(hpke.KEY_SIZE), reader.uint(8), reader.take(64), reader.rest());
    ofASize(message.keyPackage);
  } else if (kind === REJOIN) {
    message = new RejoinRequest(reader.take(hpke.KEY_SIZE), reader.rest());
    ofASize(message.keyPackage);
  } else if (kind === REPLY) message = new RecoveryReply(reader.take(ID), reader.take(hpke.KEY_SIZE), reader.rest());
  else throw new UnsupportedError(`a message between members and host of the unknown kind ${kind}`);
  reader.end();
  return message;
}

function ofASize(keyPackage: Bytes): void {
  if (!(keyPackage.length > 0 && keyPackage.length <= KEY_PACKAGE_MAX))
    throw new MalformedError("the request must have a KeyPackage, and not too large a one");
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
    return concat(
      uint(1, 1),
      this.hostKeys.encode(),
      this.doorSeed,
      this.secret,
      prefixed(this.groupId, 1),
      prefixed(utf8(this.origin), 2),
      prefixed(utf8(this.name), 1),
      uint(this.servers.length, 1),
      ...this.servers.map((each) => prefixed(utf8(each), 1)),
    );
  }

  /** Decode. MalformedError, or ValidationError("SNUG-11") if the name is not allowed. */
  static async decode(data: Bytes): Promise<HostRecoveryData> {
    const r = new Reader(data);
    if (r.uint(1) !== 1) throw new MalformedError("host recovery data: the format must be 1");
    const hostKeys = await HostKeys.read(r);
    const [doorSeed, secret, groupId] = [r.take(32), r.take(16), r.prefixed(1)];
    const [origin, name] = [r.text(2), r.text(1)];
    const servers = Array.from({ length: r.uint(1) }, () => r.text(1));
    r.end();
    if (servers.length > SERVERS_MAX || [origin, ...servers].some((each) => canonicalOrigin(each) !== each))
      throw new MalformedError("host recovery data: a server's address is not in canonical form");
    return new HostRecoveryData({ hostKeys, doorSeed, secret, groupId, origin, name: checkName(name), servers });
  }
}
