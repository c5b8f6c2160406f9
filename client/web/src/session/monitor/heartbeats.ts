/** Heartbeats: send and receive beats; encoding, keys and timing. `monitor` draws the conclusions. */
import { type Counters, Heartbeat, NO_HEARTBEAT, type PendingAct, serverMark } from "../../crypto/agreed/heartbeat";
import { type Bytes, hex, same } from "../../crypto/bytes";
import { AuthenticationError, MalformedError, SnugError, ValidationError } from "../../crypto/errors";
import { H } from "../../crypto/kdf";
import { snug19 } from "../../crypto/agreed/policy";
import * as envelope from "../../crypto/agreed/envelope";
import { clipped, type Receipt, type ServerEvent } from "../../crypto/proof/evidence";
import { BUCKETS } from "../../wire/limits";
import type { Ordering } from "./ordering";
import type { Room } from "../kernel/ports";

/** Minimum seconds between two beats of one member, and seconds per member of a large room. */
export const INTERVAL_MIN = 5;
export const INTERVAL_PER_MEMBER = 0.1;
/** Minimum seconds between two beats with urgent news, and seconds between two members that send them. */
export const URGENT_INTERVAL_MIN = 1;
export const URGENT_STEP = 0.02;
/** Seconds for which the heartbeat key from before an eviction is kept. */
export const OLD_KEY = 15;
/** Beats that are remembered: each member's to check new ones, and our own for their times of sending. */
export const HISTORY_MAX = 64;
/** Heartbeats, and receipts, that are kept as evidence. */
export const RECORDED = 64;
/** Receipts that contradict others, and other contradictions, of which so many are kept. */
export const CONTRADICTING = 8;

/** Return the seconds between two beats of one member in a room of that many. */
export const interval = (members: number): number => Math.max(INTERVAL_MIN, INTERVAL_PER_MEMBER * members);

/** Whether an honest server signs only one of these. */
const atOnePlace = (a: Receipt, b: Receipt): boolean =>
  a.slot === b.slot && same(a.server_key, b.server_key) && same(a.opening_id, b.opening_id);
const sameBlob = (a: Receipt, b: Receipt): boolean => same(a.before, b.before) && same(a.blob, b.blob);

/**
 * Evidence: the last verified beats, as they were signed, and the last receipts.
 *
 * Bounded; a member that beats too often displaces only its own beats.
 */
export class Record {
  /** Encoded beats and their leaves' signature keys, the others' and our own, oldest first. */
  readonly beats: { readonly beat: Bytes; readonly key: Bytes }[] = [];
  readonly #receipts: Receipt[] = [];
  /** Pairs of receipts that cannot both be an honest server's; the first ones stay. */
  readonly #contradicting: Receipt[] = [];
  /** Acts of the server that no honest one does, in words; the first ones stay. */
  readonly contradictions: ServerEvent[] = [];

  /** The receipts to show: those that contradict each other, then the newest, at most RECORDED. */
  get receipts(): Receipt[] {
    const pairs = this.#contradicting;
    const others = this.#receipts.filter((each) => !pairs.includes(each));
    return [...pairs, ...others.slice(Math.max(0, others.length + pairs.length - RECORDED))];
  }

  /** Store what the server has shown, in words; the same again is nothing new. */
  addContradiction(now: number, code: string, text: string): void {
    const known = this.contradictions;
    if (known.length >= CONTRADICTING || known.some((each) => each.code === code && each.text === text)) return;
    known.push({ at: Math.floor(now), code, text: clipped(text) });
  }

  /** Store a beat; beyond RECORDED, drop the oldest beat of the key with most beats. */
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

  /** Store a verified receipt. One of another history counts only if it contradicts one of `ours`. */
  addReceipt(receipt: Receipt, ours: boolean): void {
    if (ours) {
      this.#receipts.push(receipt);
      if (this.#receipts.length > RECORDED) this.#receipts.shift();
      return;
    }
    const pairs = this.#contradicting;
    const other = this.#receipts.find((each) => atOnePlace(each, receipt) && !sameBlob(each, receipt));
    const known = pairs.some((each) => atOnePlace(each, receipt) && sameBlob(each, receipt));
    if (other === undefined || known) return;
    const fresh = pairs.includes(other) ? [receipt] : [other, receipt];
    if (pairs.length + fresh.length <= CONTRADICTING) pairs.push(...fresh);
  }
}

/** A leaf has signed two beats that contradict each other; `text` says how. */
export class DoubleBeat {
  constructor(readonly leaf: number, readonly text: string) {}
}

/** The received beats of one membership. */
export class BeatHistory {
  /** seq -> (prev, digest) */
  readonly known = new Map<number, readonly [Bytes, Bytes]>();
  last: Heartbeat | null = null;
  /** The connection of its last beat. */
  handle: Bytes = new Uint8Array();
  /** Beats that never arrived. */
  gaps = 0;

  constructor(readonly since: number) {}

  /** Check a beat against earlier ones; return false if it is late. ValidationError("SNUG-19"). */
  accept(beat: Heartbeat, digest: Bytes): boolean {
    snug19({ seq: beat.seq, prev: beat.prev, digest, known: this.known });
    const last = this.last;
    if (last !== null && beat.seq > last.seq && (beat.slot < last.slot || beat.epoch < last.epoch))
      throw new ValidationError("SNUG-19", `beat ${beat.seq} is of an earlier slot than one before it`);
    this.known.set(beat.seq, [beat.prev, digest]);
    trim(this.known, HISTORY_MAX);
    if (last !== null && beat.seq < last.seq) return false;
    // Beats from before the first one that we received were not for us.
    if (last !== null) this.gaps += beat.seq - last.seq - 1;
    this.last = beat;
    return true;
  }
}

/** Drop the oldest entries beyond `most`. */
export function trim(known: Map<unknown, unknown>, most: number): void {
  for (const key of known.keys()) {
    if (known.size <= most) return;
    known.delete(key);
  }
}

/** What a beat reports beside the counters; `members` is their number. */
export interface Report {
  readonly members: number;
  readonly want: boolean;
  readonly pending: readonly PendingAct[];
}

/** Our own history, the others' histories, and the counters that we sign. */
export class Heartbeats {
  readonly #room: Room;
  #key: Bytes;
  /** And until when it is kept. */
  #oldKey: readonly [Bytes, number] | null = null;
  /** The next beat is also sent under the key from before an eviction. */
  #goodbye = false;
  readonly since: number;
  #seq = 0;
  #prev: Bytes = NO_HEARTBEAT;
  #lastSent = 0;
  #due: number;
  /** seq -> when it was sent */
  readonly #ours = new Map<number, number>();
  /** Sealed frames, by stream, and opened frames, by leaf and stream: counted between two inputs as well. */
  readonly sent = new Map<number, number>();
  readonly got = new Map<number, Map<number, number>>();
  readonly histories = new Map<number, BeatHistory>();
  /** leaf -> the slot that brought it in, if we saw it */
  readonly #joined = new Map<number, number>();
  /** And whose commit that was. */
  readonly letInBy = new Map<number, number>();
  record = new Record();

  constructor(room: Room, now: number) {
    this.#room = room;
    this.#key = room.membership.heartbeatKey;
    this.since = room.membership.journal.slot;
    this.#due = now;
  }

  // -- our beats -----------------------------------------------------------------------------------------

  /** Beat soon, in our turn, if we are one of those leaves: the others need to know of a change. */
  scheduleSoon(now: number, senders: readonly number[]): void {
    const [n, rank] = [senders.length, senders.indexOf(this.#room.membership.ownLeaf)];
    if (rank < 0) return;
    const turn = n * URGENT_STEP <= URGENT_INTERVAL_MIN ? URGENT_STEP * rank : (interval(n) * rank) / n;
    const gap = Math.max(URGENT_INTERVAL_MIN, interval(n) / 5);
    this.#due = Math.min(this.#due, Math.max(now + turn, this.#lastSent + gap));
  }

  isDue(now: number): boolean {
    return now >= this.#due;
  }

  /** Sign a beat and broadcast it. */
  async send(now: number, ordering: Ordering, { members, want, pending }: Report): Promise<Heartbeat> {
    const room = this.#room;
    const m = room.membership;
    const [relay, window] = ordering.newest();
    const heard = new Map<number, number>();
    for (const [leaf, history] of this.histories) if (history.last !== null) heard.set(leaf, history.last.seq);
    const leaves = [...new Set([...heard.keys(), ...this.got.keys()])].sort((a, b) => a - b);
    const unsigned = new Heartbeat({
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
      incarnation: ordering.incarnation,
      server: serverMark(this.#prev, room.serverKey ?? new Uint8Array(32)),
      relay,
      window,
      words: room.messages.said(now),
      sent: counters(this.sent),
      want,
      got: leaves.map((leaf) => ({ leaf, seq: heard.get(leaf) ?? 0, frames: counters(this.got.get(leaf)) })),
      pending,
    });
    const beat = await unsigned.signed(room.number, (label, data) => m.sign(label, data));
    const payload = beat.encode();
    const keys = [this.#key];
    // A member from whom the eviction is withheld reads only this key, and learns of it in seconds.
    if (this.#goodbye && this.#oldKey !== null) keys.push(this.#oldKey[0]);
    this.#goodbye = false;
    for (const key of keys)
      room.broadcast(await envelope.seal(key, "beat", room.number, m.epochSlot, payload, BUCKETS, room.rng), true);
    this.#seq = beat.seq;
    this.#prev = beat.digest;
    this.#lastSent = now;
    this.#due = now + interval(members);
    this.#ours.set(beat.seq, now);
    trim(this.#ours, HISTORY_MAX);
    const ownKey = m.signatureKey(m.ownLeaf);
    if (ownKey !== null) this.record.add(payload, ownKey);
    return beat;
  }

  /** Return when our beat of that number was sent; null if it is not one of the last 64. */
  sentAt(seq: number): number | null {
    return this.#ours.get(Math.min(seq, this.#seq)) ?? null;
  }

  /** Return when the first beat after `seq`, sent at `since` or later, was sent; null if none was. */
  firstSentAfter(seq: number, since: number): number | null {
    for (const [number, at] of this.#ours) if (number > seq && at >= since) return at;
    return null;
  }

  // -- the others' beats ---------------------------------------------------------------------------------

  /** Return a beat's bytes; null if no key that we have opens the blob as a beat. */
  async uncover(blob: Bytes, now: number): Promise<Bytes | null> {
    if (this.#oldKey !== null && now >= this.#oldKey[1]) this.#oldKey = null;
    for (const key of this.#oldKey === null ? [this.#key] : [this.#key, this.#oldKey[0]]) {
      try {
        return await envelope.open(key, "beat", this.#room.number, blob);
      } catch (error) {
        if (!(error instanceof AuthenticationError || error instanceof MalformedError)) throw error;
      }
    }
    return null;
  }

  /**
   * Return a verified new beat, or a DoubleBeat if it contradicts another (SNUG-19).
   *
   * null for anything else: malformed, of an unknown leaf or membership, late, or seen before.
   */
  async receive(payload: Bytes): Promise<Heartbeat | DoubleBeat | null> {
    const m = this.#room.membership;
    let beat: Heartbeat, key: Bytes | null, digest: Bytes, history: BeatHistory | undefined;
    try {
      beat = Heartbeat.decode(payload);
      key = m.signatureKey(beat.leaf);
      if (key === null || beat.leaf === m.ownLeaf) return null;
      if ((this.#joined.get(beat.leaf) ?? beat.since) !== beat.since) return null;
      history = this.histories.get(beat.leaf);
      if (history !== undefined && beat.since < history.since) return null;
      digest = beat.digest;
      const known = history?.known.get(beat.seq);
      if (known !== undefined && same(known[1], digest)) return null;
      await beat.verify(this.#room.number, key);
    } catch (error) {
      if (error instanceof SnugError) return null;
      throw error;
    }
    this.record.add(payload, key);
    if (history === undefined || beat.since > history.since) {
      history = new BeatHistory(beat.since);
      this.histories.set(beat.leaf, history);
    }
    try {
      return history.accept(beat, digest) ? beat : null;
    } catch (error) {
      if (error instanceof ValidationError) return new DoubleBeat(beat.leaf, error.message);
      throw error;
    }
  }

  /** Switch to the membership's heartbeat key if a removal has changed it. */
  changeKey(now: number): void {
    if (same(this.#key, this.#room.membership.heartbeatKey)) return;
    this.#oldKey = [this.#key, now + OLD_KEY];
    this.#key = this.#room.membership.heartbeatKey;
    this.#goodbye = true;
  }

  /** Record the slot that brought a member to that leaf, at first or by a rejoin, and its committer. */
  memberJoined(leaf: number, slot: number, by: number): void {
    this.#joined.set(leaf, slot);
    this.letInBy.set(leaf, by);
  }

  /** Return whether that leaf's last heartbeat is of this epoch, and of that room at a server. */
  isAt(leaf: number, epoch: number, incarnation: Bytes): boolean {
    const last = this.histories.get(leaf)?.last ?? null;
    return last !== null && last.epoch === epoch && same(last.incarnation, incarnation);
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number): void {
    for (const known of [this.histories, this.got, this.#joined, this.letInBy]) known.delete(leaf);
  }
}

function counters(counts: ReadonlyMap<number, number> | undefined): Counters {
  return [...(counts ?? [])].sort(([one], [other]) => one - other);
}
