/**
 * Heartbeats: a member's periodic signed report of its state, its sent and its received frames.
 *
 * docs/reference/protocol.md, section 7. A heartbeat is a concatenation of fields, with one valid encoding per
 * value:
 *
 *     1 | leaf 4 | handle 8 | since 8 | seq 4 | prev 32 | at 8 | epoch 8 | slot 8 | chain 32 |
 *     H(epoch_authenticator) 32 | incarnation 8 | relay 8 | window 32 |
 *     count 1, sent (stream 1 | frames 6) by stream | want 1 |
 *     count 2, got (leaf 4 | seq 4 | count 1, (stream 1 | frames 6) by stream) by leaf |
 *     count 1, pending (act 1 | leaf 4) in order | signature 64
 *
 * The signature is the SignWithLabel of MLS under the label "snug 1 beat", over room number (16 bytes) | all
 * fields before the signature. Verification needs the heartbeat, the room number and the leaf's signature
 * key.
 */

import { type Bytes, concat, utf8 } from "../bytes";
import { MalformedError } from "../errors";
import { exactly, Reader, uint } from "../fields";
import { H, SIGNATURE_SIZE } from "../kdf";
import { verifyWithLabel } from "../labels";

export const LABEL = "snug 1 beat";
export const VERSION = 1;
/** Number of kept relays that a window covers. */
export const WINDOW = 8;
/** `prev` of the first heartbeat. */
export const NO_HEARTBEAT: Bytes = new Uint8Array(32);
export const STREAMS_MAX = 8;
export const GOT_MAX = 1000;
/** Acts of a host that wait for their slot, of which one heartbeat carries this many. */
export const PENDING_MAX = 8;

/** [stream number, frames]. */
export type Counters = readonly (readonly [number, number])[];
/** (label, data) -> signature, as `Group.sign` of mls does. */
export type Sign = (label: string, data: Bytes) => Promise<Bytes>;

/** Traffic received from one other member: its last heartbeat, and the frames decrypted per stream. */
export interface Got {
  readonly leaf: number;
  /** 0: no heartbeat received yet. */
  readonly seq: number;
  readonly frames: Counters;
}

/** A host's act that takes a slot. For the acts that concern nobody in the tree, `leaf` is 0. */
export const Act = { REMOVE: 1, LOCK: 2, UNLOCK: 3, HOST: 4, NO_HOST: 5, ADMIT: 6, REJOIN: 7 } as const;
export type Act = (typeof Act)[keyof typeof Act];
const ACTS: ReadonlySet<number> = new Set(Object.values(Act));

/** An act of the sender that the server has not given a slot for some seconds. */
export interface PendingAct {
  readonly act: Act;
  readonly leaf: number;
}

export interface HeartbeatFields {
  readonly leaf: number;
  /** The member's connection, 8 bytes. */
  readonly handle: Bytes;
  /** Slot at which this membership began; sequence numbers and counters start there. */
  readonly since: number;
  /** Starts at 1. */
  readonly seq: number;
  /** `digest` of the previous heartbeat, 32 bytes; NO_HEARTBEAT for the first. */
  readonly prev: Bytes;
  /** Unix seconds by the member's own clock. */
  readonly at: number;
  readonly epoch: number;
  /** Last slot that the member has validated. */
  readonly slot: number;
  /** Chain value after that slot, 32 bytes. */
  readonly chain: Bytes;
  /** H(epoch_authenticator), 32 bytes. */
  readonly authenticator: Bytes;
  /** Incarnation of the server process, 8 bytes. */
  readonly incarnation: Bytes;
  /** Last kept relay that the member can vouch for; 0: none. */
  readonly relay: number;
  /** Over the relays up to `relay` (see the function `window`), 32 bytes. */
  readonly window: Bytes;
  readonly sent: Counters;
  /** true: the member subscribes to all streams; false: to none. */
  readonly want: boolean;
  readonly got: readonly Got[];
  readonly pending: readonly PendingAct[];
}

export interface Heartbeat extends HeartbeatFields {
  readonly signature: Bytes;
}

/** One member's signed report of its state. Frame counters start at slot `since`. */
export class Heartbeat {
  constructor(fields: HeartbeatFields, signature: Bytes = new Uint8Array(0)) {
    Object.assign(this, fields, { signature });
  }

  /** The body once it is known: there is one encoding. */
  #body: Bytes | null = null;

  /** Return the bytes signed after the room number. MalformedError for values that have no encoding. */
  body(): Bytes {
    return (this.#body ??= this.#encoded());
  }

  #encoded(): Bytes {
    return concat(
      uint(VERSION, 1),
      uint(this.leaf, 4),
      exactly(this.handle, 8, "a handle"),
      uint(this.since, 8),
      uint(this.seq, 4),
      exactly(this.prev, 32, "a beat's digest"),
      uint(this.at, 8),
      uint(this.epoch, 8),
      uint(this.slot, 8),
      exactly(this.chain, 32, "a chain value"),
      exactly(this.authenticator, 32, "an authenticator's hash"),
      exactly(this.incarnation, 8, "an incarnation"),
      uint(this.relay, 8),
      exactly(this.window, 32, "a window"),
      counters(this.sent),
      uint(this.want ? 1 : 0, 1),
      uint(this.got.length, 2),
      ...this.got.flatMap((g) => [uint(g.leaf, 4), uint(g.seq, 4), counters(g.frames)]),
      uint(this.pending.length, 1),
      ...this.pending.flatMap(({ act, leaf }) => [uint(act, 1), uint(leaf, 4)]),
    );
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
    const reader = new Reader(data);
    if (reader.uint(1) !== VERSION) throw new MalformedError("the beat has an unknown version");
    const fields: HeartbeatFields = {
      leaf: reader.uint(4),
      handle: reader.take(8),
      since: reader.uint(8),
      seq: reader.uint(4),
      prev: reader.take(32),
      at: reader.uint(8),
      epoch: reader.uint(8),
      slot: reader.uint(8),
      chain: reader.take(32),
      authenticator: reader.take(32),
      incarnation: reader.take(8),
      relay: reader.uint(8),
      window: reader.take(32),
      sent: readCounters(reader),
      want: readFlag(reader),
      got: times(reader.uint(2), GOT_MAX, () => ({
        leaf: reader.uint(4),
        seq: reader.uint(4),
        frames: readCounters(reader),
      })),
      pending: times(reader.uint(1), PENDING_MAX, () => ({ act: readAct(reader), leaf: reader.uint(4) })),
    };
    const heartbeat = new Heartbeat(fields, reader.take(SIGNATURE_SIZE));
    reader.end();
    if (heartbeat.seq < 1 || heartbeat.slot < heartbeat.since)
      throw new MalformedError("the beat's slot is before its membership began");
    rising(heartbeat.got.map(({ leaf }) => leaf));
    rising(heartbeat.pending.map(({ act, leaf }) => act * 2 ** 32 + leaf));
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
 * Return a hash (32 bytes) by which members confirm that they received the same relays in the same order.
 *
 * `digests` are H(blob) of the last WINDOW kept relays up to number `relay` of that server incarnation, or of
 * all of them if there are fewer.
 */
export const window = (incarnation: Bytes, relay: number, digests: Iterable<Bytes>): Bytes =>
  H(utf8("snug 1 window"), exactly(incarnation, 8, "an incarnation"), uint(relay, 8), ...digests);

const counters = (counts: Counters): Bytes =>
  concat(uint(counts.length, 1), ...counts.flatMap(([stream, n]) => [uint(stream, 1), uint(n, 6)]));

function readCounters(reader: Reader): Counters {
  const counts = times(reader.uint(1), STREAMS_MAX, () => [reader.uint(1), reader.uint(6)] as const);
  rising(counts.map(([stream]) => stream));
  if (counts.some(([stream]) => stream >= STREAMS_MAX))
    throw new MalformedError(`a stream number must be below ${STREAMS_MAX}`);
  return counts;
}

function readFlag(reader: Reader): boolean {
  const value = reader.uint(1);
  if (value > 1) throw new MalformedError("a flag must be 0 or 1");
  return value === 1;
}

function readAct(reader: Reader): Act {
  const act = reader.uint(1);
  if (!ACTS.has(act)) throw new MalformedError("an unknown act");
  return act as Act;
}

function times<T>(count: number, most: number, read: () => T): T[] {
  if (count > most) throw new MalformedError(`${count} are more than ${most}`);
  return Array.from({ length: count }, read);
}

function rising(numbers: readonly number[]): void {
  if (numbers.some((number, i) => i > 0 && number <= (numbers[i - 1] ?? -1)))
    throw new MalformedError("the list is not in order");
}
