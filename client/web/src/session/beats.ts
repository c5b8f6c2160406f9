/** Beating, and hearing others beat: bytes, keys and turns. What follows from it is `watch`'s business. */
import { Beat, type Counters, NO_BEAT } from "../crypto/beats";
import { type Bytes, hex, same } from "../crypto/bytes";
import { AuthenticationError, MalformedError, SnugCryptoError, ValidationError } from "../crypto/errors";
import { H } from "../crypto/kdf";
import { snug19 } from "../crypto/policy";
import * as veil from "../crypto/veil";
import { BUCKETS } from "../wire/limits";
import type { Order } from "./order";
import type { RoomSession } from "./room";

/** Seconds between two beats of one member, at least, and for each member of a large room. */
export const LEAST = 5;
export const EACH = 0.1;
/** Seconds between two beats where there is something to tell soon, and between two members who tell it. */
export const GAP = 1;
export const STEP = 0.02;
/** Seconds for which the beat key from before an eviction is kept. */
export const OLD_KEY = 15;
/**
 * Beats of one member that are remembered to hold new ones against, and of ours to know what was heard when.
 */
export const LINE = 64;
/** Beats and receipts that are kept as evidence. */
export const RECORDED = 64;

/** Seconds between two beats of one member in a room of that many. */
export const interval = (members: number): number => Math.max(LEAST, EACH * members);

/** The server's signature (64 bytes) under its key (32) for a slot and the chain there (32). */
export interface SignedReceipt {
  readonly slot: number;
  readonly chain: Bytes;
  readonly signature: Bytes;
  readonly serverKey: Bytes;
}

/**
 * Evidence: the last beats that verified, as they were signed, and the last receipts.
 *
 * Bounded, and whoever beats too often pushes out none but its own.
 */
export class Record {
  /** Encoded beats and their leaves' signature keys, others' and our own, oldest first. */
  readonly beats: { readonly beat: Bytes; readonly key: Bytes }[] = [];
  readonly receipts: SignedReceipt[] = [];

  /** Keep a beat; beyond RECORDED the oldest goes of whoever has most. */
  add(beat: Bytes, key: Bytes): void {
    this.beats.push({ beat, key });
    if (this.beats.length <= RECORDED) return;
    const counts = new Map<string, number>();
    for (const each of this.beats) counts.set(hex(each.key), (counts.get(hex(each.key)) ?? 0) + 1);
    const most = Math.max(...counts.values());
    const [whose] = [...counts].find(([, count]) => count === most) ?? [""];
    this.beats.splice(
      this.beats.findIndex((each) => hex(each.key) === whose),
      1,
    );
  }

  /** Keep a receipt; beyond RECORDED the oldest goes. */
  addReceipt(receipt: SignedReceipt): void {
    this.receipts.push(receipt);
    if (this.receipts.length > RECORDED) this.receipts.shift();
  }
}

/** A leaf has signed two beats that contradict each other; `text` says how. */
export class DoubleBeat {
  readonly leaf: number;
  readonly text: string;

  constructor(leaf: number, text: string) {
    this.leaf = leaf;
    this.text = text;
  }
}

/** One membership's beats, as far as they came. */
export class Line {
  readonly since: number;
  /** seq -> (prev, digest) */
  readonly known = new Map<number, readonly [Bytes, Bytes]>();
  last: Beat | null = null;
  /** The connection that it was heard from last. */
  handle: Bytes = new Uint8Array();
  /** Beats that never came. */
  gaps = 0;

  constructor(since: number) {
    this.since = since;
  }

  /** Hold a beat against those before it: false if it comes late. ValidationError("SNUG-19"). */
  take(beat: Beat, digest: Bytes): boolean {
    snug19({ seq: beat.seq, prev: beat.prev, digest, known: this.known });
    const last = this.last;
    if (last !== null && beat.seq > last.seq && (beat.slot < last.slot || beat.epoch < last.epoch))
      throw new ValidationError("SNUG-19", `beat ${beat.seq} is of an earlier slot than one before it`);
    this.known.set(beat.seq, [beat.prev, digest]);
    trim(this.known, LINE);
    if (last !== null && beat.seq < last.seq) return false;
    // what was before we heard it first was not for us
    if (last !== null) this.gaps += beat.seq - last.seq - 1;
    this.last = beat;
    return true;
  }
}

/** Forget what was put in first, beyond `most`. */
export function trim(known: Map<unknown, unknown>, most: number): void {
  for (const key of known.keys()) {
    if (known.size <= most) return;
    known.delete(key);
  }
}

/** Our own line, everybody else's, and the counters that we sign. */
export class Beats {
  readonly #room: RoomSession;
  #key: Bytes;
  /** And until when it is kept. */
  #oldKey: readonly [Bytes, number] | null = null;
  /** The next beat goes out under the key from before an eviction, too. */
  #goodbye = false;
  readonly since: number;
  #seq = 0;
  #prev: Bytes = NO_BEAT;
  #lastSent = 0;
  #due: number;
  /** seq -> when it was sent */
  readonly #ours = new Map<number, number>();
  /** Frames sealed, by stream, and opened, by leaf and stream: counted between two inputs as well. */
  readonly sent = new Map<number, number>();
  readonly got = new Map<number, Map<number, number>>();
  readonly lines = new Map<number, Line>();
  /** leaf -> the slot that brought it in, where we saw that */
  readonly #joined = new Map<number, number>();
  record = new Record();

  constructor(room: RoomSession, now: number) {
    this.#room = room;
    this.#key = room.m.beatKey;
    this.since = room.m.journal.slot;
    this.#due = now;
  }

  // -- our own -------------------------------------------------------------------------------------------

  /** Beat as soon as it is our turn: something has changed that others want to know of. */
  soon(now: number, members: readonly number[]): void {
    const n = members.length;
    const place = members.indexOf(this.#room.m.ownLeaf);
    const rank = place < 0 ? n : place;
    const turn = n * STEP <= GAP ? STEP * rank : (interval(n) * rank) / n;
    const gap = Math.max(GAP, interval(n) / 5);
    this.#due = Math.min(this.#due, Math.max(now + turn, this.#lastSent + gap));
  }

  isDue(now: number): boolean {
    return now >= this.#due;
  }

  /** Sign one and pass it on. */
  async beat(now: number, order: Order, members: number, want: boolean): Promise<Beat> {
    const room = this.#room;
    const m = room.m;
    const [relay, window] = order.newest();
    const heard = new Map<number, number>();
    for (const [leaf, line] of this.lines) if (line.last !== null) heard.set(leaf, line.last.seq);
    const leaves = [...new Set([...heard.keys(), ...this.got.keys()])].sort((a, b) => a - b);
    const unsigned = new Beat({
      leaf: m.ownLeaf,
      handle: room.handle,
      since: this.since,
      seq: this.#seq + 1,
      prev: this.#prev,
      at: Math.floor(now),
      epoch: m.group.epoch,
      slot: m.journal.slot,
      chain: m.journal.chain,
      authenticator: H(m.group.epochAuthenticator),
      incarnation: order.incarnation,
      relay,
      window,
      sent: counters(this.sent),
      want,
      got: leaves.map((leaf) => ({ leaf, seq: heard.get(leaf) ?? 0, frames: counters(this.got.get(leaf)) })),
    });
    const beat = await unsigned.signed(room.number, (label, data) => m.sign(label, data));
    const payload = beat.encode();
    const keys = [this.#key];
    // from whom the eviction is withheld reads only this, and learns of it in seconds
    if (this.#goodbye && this.#oldKey !== null) keys.push(this.#oldKey[0]);
    this.#goodbye = false;
    for (const key of keys)
      room.passOn(await veil.cover(key, "beat", room.number, m.epochSlot, payload, BUCKETS, room.rng));
    this.#seq = beat.seq;
    this.#prev = beat.digest;
    this.#lastSent = now;
    this.#due = now + interval(members);
    this.#ours.set(beat.seq, now);
    trim(this.#ours, LINE);
    const ownKey = m.signatureKey(m.ownLeaf);
    if (ownKey !== null) this.record.add(payload, ownKey);
    return beat;
  }

  /** When our beat of that number was sent; null if it is none of the last 64. */
  sentAt(seq: number): number | null {
    return this.#ours.get(Math.min(seq, this.#seq)) ?? null;
  }

  /** When the first beat after that number, and after that time, was sent; null if there is none. */
  firstAfter(seq: number, since: number): number | null {
    for (const [number, at] of this.#ours) if (number > seq && at >= since) return at;
    return null;
  }

  // -- others' -------------------------------------------------------------------------------------------

  /** A beat's bytes; null if the blob is no beat that we have the key for. */
  async uncover(blob: Bytes, now: number): Promise<Bytes | null> {
    if (this.#oldKey !== null && now >= this.#oldKey[1]) this.#oldKey = null;
    for (const key of this.#oldKey === null ? [this.#key] : [this.#key, this.#oldKey[0]]) {
      try {
        return await veil.uncover(key, "beat", this.#room.number, blob);
      } catch (error) {
        if (!(error instanceof AuthenticationError || error instanceof MalformedError)) throw error;
      }
    }
    return null;
  }

  /**
   * A verified beat that is news, or that it contradicts another (SNUG-19).
   *
   * null for anything else: malformed, of a leaf or membership that we don't know, late, or seen before.
   */
  async hear(payload: Bytes): Promise<Beat | DoubleBeat | null> {
    const m = this.#room.m;
    let beat: Beat, key: Bytes | null, digest: Bytes, line: Line | undefined;
    try {
      beat = Beat.decode(payload);
      key = m.signatureKey(beat.leaf);
      if (key === null || beat.leaf === m.ownLeaf) return null;
      if ((this.#joined.get(beat.leaf) ?? beat.since) !== beat.since) return null;
      line = this.lines.get(beat.leaf);
      if (line !== undefined && beat.since < line.since) return null;
      digest = beat.digest;
      const known = line?.known.get(beat.seq);
      if (known !== undefined && same(known[1], digest)) return null;
      await beat.verify(this.#room.number, key);
    } catch (error) {
      if (error instanceof SnugCryptoError) return null;
      throw error;
    }
    this.record.add(payload, key);
    if (line === undefined || beat.since > line.since) {
      line = new Line(beat.since);
      this.lines.set(beat.leaf, line);
    }
    try {
      return line.take(beat, digest) ? beat : null;
    } catch (error) {
      if (error instanceof ValidationError) return new DoubleBeat(beat.leaf, error.message);
      throw error;
    }
  }

  /** The membership's beat key has been renewed. */
  evicted(now: number): void {
    this.#oldKey = [this.#key, now + OLD_KEY];
    this.#key = this.#room.m.beatKey;
    this.#goodbye = true;
  }

  /** Somebody came in, or is back, at that leaf by that slot. */
  joined(leaf: number, slot: number): void {
    this.#joined.set(leaf, slot);
  }

  /** Nobody, or another, is at that leaf now. */
  forget(leaf: number): void {
    for (const known of [this.lines, this.got, this.#joined]) known.delete(leaf);
  }
}

function counters(counts: ReadonlyMap<number, number> | undefined): Counters {
  return [...(counts ?? [])].sort(([one], [other]) => one - other);
}
