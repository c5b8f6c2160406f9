/**
 * Heartbeats: a member's periodic signed report of its state, its sent and its received frames.
 *
 * docs/reference/protocol.md, section 7. The signature is the SignWithLabel of MLS under the label "snug 1 beat", over
 * room number (16 bytes) | all fields before the signature. Verification needs the heartbeat, the room number and the
 * leaf's signature key.
 */

import { decode, encode } from "../../wire/layout";
import { HEARTBEAT, type Heartbeat as Fields } from "../../wire/layouts/heartbeat";
import { type Bytes, concat, utf8 } from "../bytes";
import { MalformedError } from "../errors";
import { exactly, uint } from "../fields";
import { H, SIGNATURE_SIZE } from "../kdf";
import { verifyWithLabel } from "../labels";

export {
  Act,
  GOT_MAX,
  type Got,
  PENDING_MAX,
  type PendingAct,
  STREAMS_MAX,
  WINDOW,
} from "../../wire/layouts/heartbeat";

export const LABEL = "snug 1 beat";
/** `prev` of the first heartbeat. */
export const NO_HEARTBEAT: Bytes = new Uint8Array(32);
/** [stream number, frames]. */
export type Counters = readonly (readonly [number, number])[];
/** (label, data) -> signature, as `Group.sign` of mls does. */
export type Sign = (label: string, data: Bytes) => Promise<Bytes>;

export type HeartbeatFields = Omit<Fields, "signature">;

/** What is signed after the room number. */
const BODY = { ...HEARTBEAT, fields: HEARTBEAT.fields.slice(0, -1) };

export interface Heartbeat extends Fields {}

/** One member's signed report of its state. Frame counters start at slot `since`. */
export class Heartbeat {
  constructor(fields: HeartbeatFields, signature: Bytes = new Uint8Array(0)) {
    Object.assign(this, fields, { signature });
  }

  /** The body once it is known: there is one encoding. */
  #body: Bytes | null = null;

  /** Return the bytes signed after the room number. MalformedError for values that have no encoding. */
  body(): Bytes {
    return (this.#body ??= encode(BODY, this));
  }

  /** H(body), 32 bytes: the `prev` of the next heartbeat. */
  get digest(): Bytes {
    return H(this.body());
  }

  /** Return body and signature. MalformedError if the heartbeat is unsigned. */
  encode(): Bytes {
    return concat(this.body(), exactly(this.signature, SIGNATURE_SIZE, "a beat's signature"));
  }

  /** Decode a heartbeat of this version. MalformedError for anything but its one valid encoding. */
  static decode(data: Bytes): Heartbeat {
    const { signature, ...fields } = decode(HEARTBEAT, data);
    const heartbeat = new Heartbeat(fields, signature);
    if (heartbeat.seq < 1 || heartbeat.slot < heartbeat.since)
      throw new MalformedError("heartbeat: its slot is before its membership began");
    heartbeat.#body = data.slice(0, -SIGNATURE_SIZE);
    return heartbeat;
  }

  /** Return a copy signed for the room with this number (16 bytes). */
  async signed(number: Bytes, sign: Sign): Promise<Heartbeat> {
    return new Heartbeat(this, await sign(LABEL, concat(exactly(number, 16, "a room's number"), this.body())));
  }

  /**
   * Verify the signature for the room with this number (16 bytes).
   *
   * AuthenticationError unless `key`, a leaf's signature key, made it.
   */
  async verify(number: Bytes, key: Bytes): Promise<void> {
    const signed = concat(exactly(number, 16, "a room's number"), this.body());
    await verifyWithLabel(key, LABEL, signed, this.signature);
  }
}

/**
 * Return a hash (8 bytes) by which members confirm that a server shows them one key (32 bytes).
 *
 * `prev` is that of the heartbeat (32 bytes): nobody knows it beforehand. A server that looks for two keys with one hash
 * finds them for one heartbeat, and the next one has another `prev`.
 */
export const serverMark = (prev: Bytes, serverKey: Bytes): Bytes =>
  H(utf8("snug 1 server key"), exactly(prev, 32, "a heartbeat's hash"), exactly(serverKey, 32, "a server's key")).slice(0, 8);

/**
 * Return a hash (32 bytes) by which members confirm that they received the same relays in the same order.
 *
 * `digests` are H(blob) of the last WINDOW kept relays up to number `relay` of that server incarnation, or of
 * all of them if there are fewer.
 */
export const window = (incarnation: Bytes, relay: number, digests: Iterable<Bytes>): Bytes =>
  H(utf8("snug 1 window"), exactly(incarnation, 8, "an incarnation"), uint(relay, 8), ...digests);
