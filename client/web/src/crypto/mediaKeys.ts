/**
 * From the MLS exporter to a key for each stream of each sender, and what an epoch change does to them.
 *
 * RFC 9605 section 5.2 gives the base key, `MLS-Exporter("SFrame 1.0 Base Key", "", 16)`, for suite 0x0004.
 * The key id is ours (docs/protocol.md, section 10):
 *
 *     KID = tag << 4 | epoch mod 16
 *
 * where the RFC has the member's index above the epoch bits. A *tag* stands for (leaf, stream), by a
 * permutation that is drawn anew each epoch, so that the server can't follow a leaf by its number. With n = 8w,
 * where w is the leaf count's next power of two (at least 8), tag(leaf, stream) is the rank of the block
 * AES-256(tags, leaf * 8 + stream) among the n blocks AES-256(tags, 0) .. AES-256(tags, n - 1), numbers as
 * 128-bit big-endian blocks, results compared as byte strings; `tags` is a secret of the epoch, X("tags").
 *
 * Times are monotonic seconds, given by the caller. What is checked and counted before a frame is sealed or
 * opened happens in the call itself; WebCrypto works after it, and what may have changed meanwhile is checked
 * again when it is done.
 */

import { type Bytes, compare, concat } from "./bytes";
import { AuthenticationError, MalformedError, MissingKeyError, StateError } from "./errors";
import { exactly } from "./fields";
import { decodeHeader, extract, FrameKey, type Header, Opener, Sealer } from "./sframe";
import { type Kind, metadata, shimFor, split } from "./shim";

/** The exporter's label and length for the base key (context: empty), RFC 9605 section 5.2. */
export const BASE_KEY_LABEL = "SFrame 1.0 Base Key";
export const BASE_KEY_SIZE = 16;
export const TAGS_SIZE = 32;
export const EPOCH_BITS = 4;
export const STREAMS = 8;
export const LEAVES_MIN = 8;
export const LEAVES_MAX = 2 ** 16;
/** After an Add, senders go on with the old epoch for so long, until everybody has the new one. */
export const ADD_SWITCH = 0.5;
/** Receivers keep an old epoch for so long after its senders have stopped. */
export const OLD_EPOCH = 2;
/** How many epochs ahead of ours a frame may be and be worth waiting for. */
export const FUTURE_EPOCHS = 4;
export const FUTURE_FRAMES = 64;
export const FUTURE_TIME = 1;

const EPOCHS = 2 ** EPOCH_BITS;

/**
 * A member's streams: what it announces, each under one SSRC.
 *
 * Pictures that are sent in several sizes at once (simulcast) are one stream of these, and each size is sealed under a
 * stream number of its own, from which nonces and replay windows follow (`layerStream`).
 */
export const Stream = { AUDIO: 0, VIDEO: 1, SCREEN_AUDIO: 2, SCREEN_VIDEO: 3 } as const;

const isAudio = (stream: number): boolean => stream === Stream.AUDIO || stream === Stream.SCREEN_AUDIO;

/** By stream, the stream numbers that it is sealed under, from the smallest layer to the largest. */
const LAYERS: readonly (readonly number[])[] = [[0], [1, 4, 5], [2], [3, 6, 7]];

/**
 * The stream number under which `layer` (0: the smallest) of stream `base` is sealed.
 *
 * StateError where there is no such stream or layer: sound has layer 0 alone.
 */
export function layerStream(base: number, layer: number): number {
  const found = LAYERS[base]?.[layer];
  if (found === undefined) throw new StateError(`no layer ${layer} of stream ${base}`);
  return found;
}

/** [the stream that is announced, its layer] of what is sealed under that stream number, 0 to 7. */
export function baseStream(stream: number): readonly [base: number, layer: number] {
  const base = LAYERS.findIndex((layers) => layers.includes(stream));
  return base < 0 ? [stream, 0] : [base, LAYERS[base]?.indexOf(stream) ?? 0];
}

/** A frame of an epoch that we are about to enter: hold it (`FutureFrames`) and try again then. */
export class FutureEpochError extends MissingKeyError {}

/** All media keys of one epoch, derived when first needed. */
export class EpochKeys {
  readonly epoch: number;
  readonly leafCount: number;
  #secret: Bytes | null;
  readonly #order: readonly number[];
  readonly #tags: number[];

  private constructor(epoch: number, secret: Bytes, order: readonly number[], leafCount: number) {
    this.epoch = epoch;
    this.leafCount = leafCount;
    this.#secret = secret;
    this.#order = order;
    this.#tags = new Array<number>(order.length).fill(0);
    order.forEach((place, tag) => (this.#tags[place] = tag));
  }

  /**
   * From the exporter's `baseKey` (16 bytes) and `tags` (32 bytes), and the tree's number of leaves, blank
   * ones included (1 to 65,536).
   *
   * MalformedError on wrong sizes.
   */
  static async derive(from: {
    readonly epoch: number;
    readonly baseKey: Bytes;
    readonly tags: Bytes;
    readonly leafCount: number;
  }): Promise<EpochKeys> {
    const { epoch, leafCount } = from;
    exactly(from.baseKey, BASE_KEY_SIZE, "an SFrame base key");
    exactly(from.tags, TAGS_SIZE, "the secret of the tags");
    if (!(leafCount >= 1 && leafCount <= LEAVES_MAX && epoch >= 0))
      throw new MalformedError(`no tree has ${leafCount} leaves, or no epoch is ${epoch}`);
    const secret = extract(from.baseKey);
    let width = LEAVES_MIN;
    while (width < leafCount) width *= 2;
    const size = width * STREAMS;
    // counter mode over zeros gives AES(0), AES(1), ... in one call; a permutation's outputs never collide
    const key = await crypto.subtle.importKey("raw", from.tags, "AES-CTR", false, ["encrypt"]);
    const counted = { name: "AES-CTR", counter: new Uint8Array(16), length: 64 };
    const stream = new Uint8Array(await crypto.subtle.encrypt(counted, key, new Uint8Array(16 * size)));
    const blocks = Array.from({ length: size }, (_, i) => [i, stream.subarray(16 * i, 16 * i + 16)] as const);
    blocks.sort(([, one], [, other]) => compare(one, other));
    return new EpochKeys(epoch, secret, blocks.map(([place]) => place), leafCount);
  }

  /** The key id of a leaf's stream; StateError when there is no such leaf or stream. */
  kid(leaf: number, stream: number): number {
    const tag = leaf >= 0 && leaf < this.leafCount && stream >= 0 && stream < STREAMS;
    const found = tag ? this.#tags[leaf * STREAMS + stream] : undefined;
    if (found === undefined)
      throw new StateError(`no leaf ${leaf} in a tree of ${this.leafCount}, or no stream ${stream}`);
    return found * EPOCHS + (this.epoch % EPOCHS);
  }

  /** [leaf, stream] of a key id of this epoch; MissingKeyError when it is nobody's. */
  who(kid: number): readonly [number, number] {
    const place = kid % EPOCHS === this.epoch % EPOCHS ? this.#order[Math.floor(kid / EPOCHS)] : undefined;
    if (place === undefined || place >= this.leafCount * STREAMS)
      throw new MissingKeyError(`key id ${kid} is nobody's in epoch ${this.epoch}`);
    return [Math.floor(place / STREAMS), place % STREAMS];
  }

  /** The cipher of a key id; StateError once wiped. */
  key(kid: number): FrameKey {
    if (this.#secret === null) throw new StateError(`the media keys of epoch ${this.epoch} are gone`);
    return new FrameKey(this.#secret, kid);
  }

  /** Forget the secret; `kid` and `who` still answer. */
  wipe(): void {
    this.#secret?.fill(0);
    this.#secret = null;
  }
}

/**
 * A frame, and whose key sealed it.
 *
 * Any member could have used that key: media signatures will tell (docs/protocol.md, section 10).
 */
export interface OpenedFrame {
  readonly leaf: number;
  readonly stream: number;
  readonly epoch: number;
  readonly counter: number;
  readonly frame: Bytes;
}

/** An epoch that one member holds. */
interface Held {
  readonly keys: EpochKeys;
  readonly ownLeaf: number;
  readonly sendFrom: number;
  until: number;
  readonly refused: Set<number>;
  readonly sealers: Map<number, Sealer>;
  readonly openers: Map<number, Opener>;
}

/**
 * All epochs' media keys that one member holds, and who may use them when (docs/protocol.md, section 10).
 *
 * At a removal senders switch to the new epoch at once, and receivers drop the removed leaf at once and what
 * others send in the old epoch after 2 s. At an Add senders switch after 500 ms, and receivers keep the old
 * epoch for 2 s more. The epoch's lower bits stand in the key id; an older epoch with the same ones goes
 * when a new one comes (RFC 9605 section 5.2).
 */
export class MediaKeys {
  readonly #byBits = new Map<number, Held>();
  #newest = -1;
  #floor = -1;

  /** The newest epoch installed, or null before the first. */
  get epoch(): number | null {
    return this.#newest >= 0 ? this.#newest : null;
  }

  /**
   * Enter a new epoch. `removed` are the leaves that this change removed, a rejoining member's too; where
   * there are any, or `isRemoval`, it is a removal.
   *
   * StateError when `keys` aren't of a later epoch than all before (keys installed twice would count twice),
   * or `ownLeaf` isn't in its tree.
   */
  install(
    keys: EpochKeys,
    change: {
      readonly ownLeaf: number;
      readonly removed: Iterable<number>;
      readonly isRemoval: boolean;
      readonly now: number;
    },
  ): void {
    const { ownLeaf, now } = change;
    if (keys.epoch <= this.#newest)
      throw new StateError(`epoch ${keys.epoch} can't follow epoch ${this.#newest}`);
    if (!(ownLeaf >= 0 && ownLeaf < keys.leafCount))
      throw new StateError(`no leaf ${ownLeaf} in a tree of ${keys.leafCount}`);
    this.#prune(now);
    const removed = [...change.removed];
    const removal = change.isRemoval || removed.length > 0;
    const sendFrom = removal ? now : now + ADD_SWITCH;
    for (const held of this.#byBits.values()) {
      for (const leaf of removed) held.refused.add(leaf);
      held.until = Math.min(held.until, sendFrom + OLD_EPOCH);
    }
    const bits = keys.epoch % EPOCHS;
    drop(this.#byBits.get(bits));
    this.#byBits.set(bits, {
      keys,
      ownLeaf,
      sendFrom,
      until: Infinity,
      refused: new Set(),
      sealers: new Map(),
      openers: new Map(),
    });
    this.#newest = keys.epoch;
    // what is being sealed now for who is removed is sealed again
    if (removal) this.#floor = keys.epoch;
  }

  /** The epoch that `seal` uses now, or null without keys. When it changes, send a key frame. */
  sendingEpoch(now: number): number | null {
    return this.#sending(now)?.keys.epoch ?? null;
  }

  #sending(now: number): Held | undefined {
    let due: Held | undefined;
    let oldest: Held | undefined;
    for (const held of this.#byBits.values()) {
      const epoch = held.keys.epoch;
      if (epoch < this.#floor) continue; // never back to an older one, whatever the clock says
      if (held.sendFrom <= now && (due === undefined || epoch > due.keys.epoch)) due = held;
      if (oldest === undefined || epoch < oldest.keys.epoch) oldest = held;
    }
    // a newcomer has nothing older and waits for nothing; and where sixteen quick changes displaced the epoch
    // in use, the oldest that is left comes nearest to it
    return due ?? oldest;
  }

  /**
   * An SFrame ciphertext of one of our streams.
   *
   * Its epoch and counter are taken in the call itself; frames of one stream come out in the order in which
   * they went in. MissingKeyError before the first epoch and after `wipe`; StateError when there is no such
   * stream, or its key has sealed all that it may.
   */
  async seal(stream: number, extra: Bytes, frame: Bytes, now: number): Promise<Bytes> {
    for (;;) {
      this.#prune(now);
      const held = this.#sending(now);
      if (held === undefined) throw new MissingKeyError("no media keys yet, or no more");
      const { keys, sealers } = held;
      const sealer = sealers.get(stream) ?? new Sealer(keys.key(keys.kid(held.ownLeaf, stream)));
      sealers.set(stream, sealer);
      this.#floor = keys.epoch;
      const data = await sealer.seal(extra, frame);
      // keys may have gone meanwhile, or somebody who has them was removed: then it does not leave as it is
      if (this.#holds(held) && keys.epoch >= this.#floor) return data;
    }
  }

  /**
   * Open somebody's frame.
   *
   * FutureEpochError when it is of an epoch to come; MissingKeyError when its epoch is gone or was never
   * ours, its leaf has been removed, or its key id is nobody's; AuthenticationError when its tag is wrong, or
   * it is a frame of our own sent back; ReplayError; MalformedError. Nothing but time changes anything before
   * a frame has authenticated.
   */
  async open(extra: Bytes, data: Bytes, now: number): Promise<OpenedFrame> {
    const header = decodeHeader(data);
    const [held, leaf, stream] = this.#sender(header, now);
    const { keys, openers } = held;
    // kept while it opens: two copies of one frame that are opened at once must meet in one window
    const opener = openers.get(header.kid) ?? new Opener(keys.key(header.kid));
    openers.set(header.kid, opener);
    try {
      const [counter, frame] = await opener.open(extra, data, header);
      if (!this.#holds(held) || held.refused.has(leaf))
        throw new MissingKeyError(`a frame of leaf ${leaf}, whose keys went while it was opened`);
      return { leaf, stream, epoch: keys.epoch, counter, frame };
    } finally {
      if (opener.unused) openers.delete(header.kid);
    }
  }

  /**
   * [leaf, stream] whose key id a frame names, before anything in it is known to be true.
   *
   * Throws what `open` throws up to there.
   */
  sender(data: Bytes, now: number): readonly [number, number] {
    const [, leaf, stream] = this.#sender(decodeHeader(data), now);
    return [leaf, stream];
  }

  #sender(header: Header, now: number): readonly [Held, number, number] {
    this.#prune(now);
    const bits = header.kid % EPOCHS;
    const held = this.#byBits.get(bits);
    if (held === undefined) {
      const ahead = (((bits - this.#newest) % EPOCHS) + EPOCHS) % EPOCHS;
      if (this.#byBits.size > 0 && ahead > 0 && ahead <= FUTURE_EPOCHS)
        throw new FutureEpochError("a frame of an epoch that we haven't entered yet");
      throw new MissingKeyError("a frame of an epoch whose keys we don't have");
    }
    const [leaf, stream] = held.keys.who(header.kid);
    if (held.refused.has(leaf)) throw new MissingKeyError(`a frame of leaf ${leaf}, which has been removed`);
    if (leaf === held.ownLeaf)
      throw new AuthenticationError("a frame under our own key, which we didn't expect back");
    return [held, leaf, stream];
  }

  /** Forget all keys. Only later epochs than those known can be installed afterwards. */
  wipe(): void {
    this.#byBits.forEach(drop);
    this.#byBits.clear();
  }

  #holds(held: Held): boolean {
    return this.#byBits.get(held.keys.epoch % EPOCHS) === held;
  }

  #prune(now: number): void {
    for (const [bits, held] of this.#byBits) {
      if (held.until > now) continue;
      drop(held);
      this.#byBits.delete(bits);
    }
  }
}

function drop(held: Held | undefined): void {
  held?.keys.wipe();
  held?.sealers.clear();
  held?.openers.clear();
}

// -- frames, with the clear header in front --------------------------------------------------------------

/**
 * One encoded frame as it goes to the packetizer: the clear header, and the SFrame ciphertext.
 *
 * Throws what `MediaKeys.seal` throws, MalformedError on an empty VP8 frame, and StateError when the stream
 * isn't of that kind.
 */
export async function sealFrame(
  keys: MediaKeys,
  kind: Kind,
  stream: number,
  frame: Bytes,
  now: number,
): Promise<Bytes> {
  if (isAudio(stream) !== (kind === "audio")) throw new StateError(`stream ${stream} carries no ${kind}`);
  const header = shimFor(kind, frame);
  return concat(header, await keys.seal(stream, metadata(kind, header), frame, now));
}

/**
 * What `sealFrame` made, as it came from the depacketizer.
 *
 * Throws what `MediaKeys.open` throws, and MalformedError when the clear header is none of ours, doesn't say
 * what the frame is, or the stream isn't of that kind.
 */
export async function openFrame(keys: MediaKeys, kind: Kind, data: Bytes, now: number): Promise<OpenedFrame> {
  const [header, rest] = split(kind, data);
  const opened = await keys.open(metadata(kind, header), rest, now);
  if (isAudio(opened.stream) !== (kind === "audio"))
    throw new MalformedError(`leaf ${opened.leaf} sends ${kind} as stream ${opened.stream}`);
  if (shimFor(kind, opened.frame) !== header)
    throw new MalformedError(`leaf ${opened.leaf}'s clear header contradicts the frame behind it`);
  return opened;
}

/** Frames of an epoch to come, until it comes: 64 of them, for 1 s each. */
export class FutureFrames<T> {
  /** Frames that waited in vain, or had no room. */
  dropped = 0;
  #held: (readonly [number, T])[] = [];
  readonly #most: number;
  readonly #seconds: number;

  constructor(most = FUTURE_FRAMES, seconds = FUTURE_TIME) {
    this.#most = most;
    this.#seconds = seconds;
  }

  /** Keep an item; when there is no room, the oldest goes. */
  hold(item: T, now: number): void {
    this.expire(now);
    this.#held.push([now, item]);
    if (this.#held.length > this.#most) {
      this.#held.shift();
      this.dropped++;
    }
  }

  /** All that are still worth trying, oldest first. They aren't held any more. */
  release(now: number): T[] {
    this.expire(now);
    const items = this.#held.map(([, item]) => item);
    this.#held = [];
    return items;
  }

  /** Drop what has waited too long. */
  expire(now: number): void {
    const kept = this.#held.findIndex(([since]) => since + this.#seconds > now);
    this.dropped += this.#held.splice(0, kept < 0 ? this.#held.length : kept).length;
  }

  get length(): number {
    return this.#held.length;
  }
}
