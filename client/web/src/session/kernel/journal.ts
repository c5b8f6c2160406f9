/** A room's history as one member keeps it: slots, chain, passes and the last blobs. */
import { gateOf } from "../../crypto/agreed/envelope";
import { type Bytes, concat, hex, same } from "../../crypto/bytes";
import { chainNext, gate } from "../../crypto/entry/invite";
import { placePass } from "../../crypto/entry/places";
import { MalformedError } from "../../crypto/errors";
import { Reader, uint } from "../../crypto/fields";
import { H } from "../../crypto/kdf";

/** Slots whose blobs are kept, to hand over to a restarted server and to stragglers. */
export const KEPT = 8;
/** Slots whose chain values are kept, to judge tickets. */
export const CHAINS = 64;
/** The last places whose chain values are kept, and how many of them a newcomer is told. */
export const PLACES = 8;
export const PLACES_TOLD = 3;

/** One slot: its blob, the chain after it, and the pass of the epoch after it. */
export interface Entry {
  readonly slot: number;
  readonly chain: Bytes;
  readonly roomPass: Bytes;
  /** null for the slot at which this member began. */
  readonly blob: Bytes | null;
  /** The room admin's signature over slot, gate and chain, if we have it. */
  readonly opening: Bytes | null;
  /** Numbers of the places where the blob may have been made. */
  readonly places: readonly Bytes[];
}

/** Return the pass that fits the gate in the blob: ours, or a place's made of it; null without either. */
export function fitting({ blob, roomPass, places }: Entry): Bytes | null {
  if (blob === null) return null;
  const named = gateOf(blob);
  if (same(gate(roomPass), named)) return roomPass;
  const others = places.map((number) => placePass(roomPass, number));
  return others.find((each) => same(gate(each), named)) ?? null;
}

/** Return whether we have what opens the gate that the blob names; null without a blob. */
export const gateFits = (entry: Entry): boolean | null => (entry.blob === null ? null : fitting(entry) !== null);

/** Grows by one slot at a time; never forks, never goes back. */
export class Journal {
  #last: Entry;
  /** The last slot that a host took, which closed the gates before it, or the one at which we began. */
  #floor: Entry;
  readonly #entries: Entry[];
  readonly chains = new Map<number, Bytes>();
  /** H(blob) of the same slots; 32 zeros for the first of them. */
  readonly digests = new Map<number, Bytes>();

  /** The chain values of our history at places where we have seen it, by the place's number (hex) and by slot. */
  readonly #placed = new Map<string, { readonly number: Bytes; readonly values: Map<number, Bytes> }>();

  /** `before`, `places`: the results at the member that let us in; MalformedError if they are not. */
  constructor(
    slot: number,
    chain: Bytes,
    roomPass: Bytes,
    before: Bytes = new Uint8Array(),
    places: Bytes = new Uint8Array(),
  ) {
    this.#last = this.#floor = { slot, chain, roomPass, blob: null, opening: null, places: [] };
    this.#entries = [this.#last];
    this.#beginEarlier(before);
    if (places.length % 48 !== 0 || places.length > 48 * PLACES_TOLD)
      throw new MalformedError("an answer's list of places has another size");
    const reader = new Reader(places);
    for (let at = 0; at < places.length; at += 48) {
      const number = reader.take(16);
      this.#placed.set(hex(number), { number, values: new Map([[slot, reader.take(32)]]) });
    }
  }

  // -- places (protocol section 12) ---------------------------------------------------------------------------

  /** Return the last places and their chain values after the current slot, for a newcomer. */
  places(): Bytes {
    const last = [...this.#placed.values()].slice(-PLACES_TOLD);
    return concat(...last.flatMap(({ number, values }) => {
      const value = values.get(this.slot);
      return value === undefined ? [] : [number, value];
    }));
  }

  /** Return the chain value after that slot at the place with that number; null if it is not known. */
  valueAt(number: Bytes, slot: number): Bytes | null {
    return this.#placed.get(hex(number))?.values.get(slot) ?? null;
  }

  /** Record that the server of that place has our history, with this chain value after that slot. */
  recognised(number: Bytes, slot: number, value: Bytes): void {
    let values = this.#placed.get(hex(number))?.values ?? new Map<number, Bytes>();
    const known = values.get(slot);
    if (known === undefined || !same(known, value)) {
      values = new Map([[slot, value]]);
      for (let each = slot + 1, last = value; each <= this.slot; each++) {
        last = H(last, uint(each, 8), this.digests.get(each) ?? new Uint8Array(32));
        values.set(each, last);
      }
    }
    this.#placed.delete(hex(number));
    this.#placed.set(hex(number), { number, values }); // the latest last
    for (const oldest of [...this.#placed.keys()].slice(0, -PLACES)) this.#placed.delete(oldest);
  }

  // -- slots --------------------------------------------------------------------------------------------------

  /** Return the last slots before the current one, for a newcomer (protocol section 4). */
  before(): Bytes {
    const known = [...this.chains].filter(([slot]) => slot < this.slot).slice(-KEPT);
    return concat(...known.flatMap(([slot, chain]) => [chain, this.digests.get(slot + 1) ?? new Uint8Array(32)]));
  }

  /** Take over the slots before ours, if they lead to our chain value. */
  #beginEarlier(before: Bytes): void {
    const { slot: own, chain: ours } = this.#last;
    const count = Math.floor(before.length / 64);
    const first = own - count;
    if (before.length % 64 !== 0 || count > KEPT || first < 0)
      throw new MalformedError("the history before an answer's slot has another size");
    const reader = new Reader(before);
    let [chain, digest] = [count === 0 ? ours : reader.take(32), new Uint8Array(32)];
    for (let slot = first; slot < own; slot++) {
      this.chains.set(slot, chain);
      this.digests.set(slot, digest);
      digest = reader.take(32);
      const after = slot + 1 < own ? reader.take(32) : ours;
      if (!same(after, H(chain, uint(slot + 1, 8), digest)))
        throw new MalformedError("the history before an answer's slot does not lead there");
      chain = after;
    }
    this.chains.set(own, chain);
    this.digests.set(own, digest);
  }

  /** The last slot taken. */
  get slot(): number {
    return this.#last.slot;
  }

  /** The chain after the last slot, 32 bytes. */
  get chain(): Bytes {
    return this.#last.chain;
  }

  /** The pass of the current epoch, 32 bytes. */
  get roomPass(): Bytes {
    return this.#last.roomPass;
  }

  /** The last slot taken. */
  get newest(): Entry {
    return this.#last;
  }

  /** The earliest slot after which this member can hand over every blob. */
  get oldest(): Entry {
    return this.#entries[0] ?? this.#last;
  }

  /** Return the entry of that slot; null if it is no longer kept. */
  entry(slot: number): Entry | null {
    return this.#entries[slot - this.oldest.slot] ?? null;
  }

  /** The slots that are kept, the earliest first. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Our different passes of slots whose gates may be open, the newest first. */
  get roomPasses(): Bytes[] {
    const known = [...this.#entries.toReversed(), this.#floor].map((entry) => [hex(entry.roomPass), entry.roomPass] as const);
    return [...new Map(known).values()];
  }

  /** Return the slots that a room admin has signed, the earliest (or newest) first. */
  signed({ newest = false } = {}): Entry[] {
    const entries = newest ? this.#entries.toReversed() : this.#entries;
    return entries.filter((entry) => entry.opening !== null);
  }

  /** Return the chain value that results if `blob` takes the next slot. */
  chainAfter(blob: Bytes): Bytes {
    return chainNext(this.chain, this.slot + 1, blob);
  }

  /**
   * Record that `blob` has taken the next slot; `roomPass` is the pass from then on.
   *
   * `places`: the numbers of the places where the blob may have been made.
   */
  append(blob: Bytes, roomPass: Bytes, opening: Bytes | null = null, places: readonly Bytes[] = []): void {
    const slot = this.slot + 1;
    const chain = this.chainAfter(blob);
    this.#last = { slot, chain, roomPass, blob, opening, places };
    if (opening !== null) this.#floor = this.#last;
    this.#entries.push(this.#last);
    if (this.#entries.length > KEPT + 1) this.#entries.shift();
    this.chains.set(slot, chain);
    this.digests.set(slot, H(blob));
    const placed = [...this.#placed.values()].map(({ values }) => values);
    for (const values of placed) {
      const before = values.get(slot - 1);
      if (before !== undefined) values.set(slot, chainNext(before, slot, blob));
    }
    for (const known of [this.chains, this.digests, ...placed]) known.delete(slot - CHAINS);
  }
}
