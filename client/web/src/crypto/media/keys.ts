/**
 * Media keys: from the MLS exporter to one key per stream of each sender, and their change with each epoch.
 *
 * RFC 9605 section 5.2 defines the base key, `MLS-Exporter("SFrame 1.0 Base Key", "", 16)`, for suite 0x0004.
 * The key id is Snug's own (docs/reference/protocol.md, section 10):
 *
 *     KID = tag << 4 | epoch mod 16
 *
 * The RFC has the member's index above the epoch bits. Here a *tag* encodes (leaf, stream) by a permutation
 * that changes with every epoch, so that the server cannot follow a leaf by its number. With n = 8 * w, where
 * w is the next power of two of the leaf count (at least 8), tag(leaf, stream) is the rank of the block
 * AES-256(tags, leaf * 8 + stream) among the n blocks AES-256(tags, 0) .. AES-256(tags, n - 1). Numbers are
 * 128-bit big-endian blocks; results are compared as byte strings; `tags` is a secret of the epoch,
 * X("tags").
 *
 * Times are monotonic seconds, passed by the caller. Checks and counters that precede sealing or opening run
 * synchronously in the call; WebCrypto then works asynchronously, and state that may have changed meanwhile
 * is checked again afterwards.
 */

import { type Bytes, compare, concat } from "../bytes";
import { AuthenticationError, MalformedError, MissingKeyError, StateError } from "../errors";
import { exactly } from "../fields";
import { decodeHeader, extract, FrameKey, type Header, Opener, Sealer } from "./sframe";
import { headerFor, type Kind, metadata, split } from "./clearHeader";

/** The exporter's label and length for the base key (context: empty), RFC 9605 section 5.2. */
export const BASE_KEY_LABEL = "SFrame 1.0 Base Key";
export const BASE_KEY_SIZE = 16;
export const TAGS_SIZE = 32;
export const EPOCH_BITS = 4;
export const STREAMS = 8;
export const LEAVES_MIN = 8;
export const LEAVES_MAX = 2 ** 16;
/**
 * After an Add, senders keep using the old epoch for this many seconds, until all members have the new one.
 */
export const ADD_SWITCH = 0.5;
/** Receivers keep an old epoch for this many seconds after its senders have stopped using it. */
export const OLD_EPOCH = 2;
/** Frames of up to this many epochs ahead are worth holding. */
export const FUTURE_EPOCHS = 4;
export const FUTURE_FRAMES = 64;
export const FUTURE_TIME = 1;
/** Bytes of waiting frames of one stream: seconds of the largest video. Anybody may have made them. */
export const FUTURE_BYTES = 4 * 2 ** 20;

const EPOCHS = 2 ** EPOCH_BITS;

/**
 * A member's streams. The member announces each under one SSRC.
 *
 * A simulcast video stream is one of these. Each of its layers is sealed under its own stream number
 * (`layerStream`), which gives it its own nonces and replay window.
 */
export const Stream = { AUDIO: 0, VIDEO: 1, SCREEN_AUDIO: 2, SCREEN_VIDEO: 3 } as const;

const isAudio = (stream: number): boolean => stream === Stream.AUDIO || stream === Stream.SCREEN_AUDIO;

/** Stream numbers under which each stream is sealed, from the smallest layer to the largest. */
const LAYERS: readonly (readonly number[])[] = [[0], [1, 4, 5], [2], [3, 6, 7]];

/**
 * Return the stream number under which `layer` (0: the smallest) of stream `base` is sealed.
 *
 * StateError if the stream or layer does not exist: audio has only layer 0.
 */
export function layerStream(base: number, layer: number): number {
  const found = LAYERS[base]?.[layer];
  if (found === undefined) throw new StateError(`no layer ${layer} of stream ${base}`);
  return found;
}

/** Return [announced stream, layer] for the stream number of a sealed frame, 0 to 7. */
export function baseStream(stream: number): readonly [base: number, layer: number] {
  const base = LAYERS.findIndex((layers) => layers.includes(stream));
  return base < 0 ? [stream, 0] : [base, LAYERS[base]?.indexOf(stream) ?? 0];
}

/** The frame is from an epoch that this member will enter soon: hold it (`FutureFrames`), then retry. */
export class FutureEpochError extends MissingKeyError {}

/** All media keys of one epoch, derived on demand. */
export class EpochKeys {
  #secret: Bytes | null;
  readonly #order: readonly number[];
  readonly #tags: number[];

  private constructor(readonly epoch: number, secret: Bytes, order: readonly number[], readonly leafCount: number) {
    this.#secret = secret;
    this.#order = order;
    this.#tags = new Array<number>(order.length).fill(0);
    order.forEach((place, tag) => (this.#tags[place] = tag));
  }

  /**
   * Derive from the exporter's `baseKey` (16 bytes) and `tags` (32 bytes), and the tree's number of leaves,
   * including blank ones (1 to 65,536).
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
      throw new MalformedError("no such tree or epoch");
    const secret = extract(from.baseKey);
    let width = LEAVES_MIN;
    while (width < leafCount) width *= 2;
    const size = width * STREAMS;
    // CTR mode over zeros computes AES(0), AES(1), ... in one call; outputs of a permutation never collide
    const key = await crypto.subtle.importKey("raw", from.tags, "AES-CTR", false, ["encrypt"]);
    const counted = { name: "AES-CTR", counter: new Uint8Array(16), length: 64 };
    const stream = new Uint8Array(await crypto.subtle.encrypt(counted, key, new Uint8Array(16 * size)));
    const blocks = Array.from({ length: size }, (_, i) => [i, stream.subarray(16 * i, 16 * i + 16)] as const);
    blocks.sort(([, one], [, other]) => compare(one, other));
    return new EpochKeys(epoch, secret, blocks.map(([place]) => place), leafCount);
  }

  /** Return the key id of a leaf's stream. StateError if the leaf or stream does not exist. */
  kid(leaf: number, stream: number): number {
    const tag = leaf >= 0 && leaf < this.leafCount && stream >= 0 && stream < STREAMS;
    const found = tag ? this.#tags[leaf * STREAMS + stream] : undefined;
    if (found === undefined)
      throw new StateError("no such leaf or stream");
    return found * EPOCHS + (this.epoch % EPOCHS);
  }

  /** Return [leaf, stream] of a key id of this epoch. MissingKeyError if the key id is unassigned. */
  leafAndStream(kid: number): readonly [number, number] {
    const place = kid % EPOCHS === this.epoch % EPOCHS ? this.#order[Math.floor(kid / EPOCHS)] : undefined;
    if (place === undefined || place >= this.leafCount * STREAMS)
      throw new MissingKeyError(`key id ${kid} belongs to no member in epoch ${this.epoch}`);
    return [Math.floor(place / STREAMS), place % STREAMS];
  }

  /** Return the cipher of a key id. StateError once wiped. */
  key(kid: number): FrameKey {
    if (this.#secret === null) throw new StateError(`the media keys of epoch ${this.epoch} are gone`);
    return new FrameKey(this.#secret, kid);
  }

  /** Delete the secret; `kid` and `leafAndStream` still work. */
  wipe(): void {
    this.#secret?.fill(0);
    this.#secret = null;
  }
}

/**
 * A decrypted frame, and the owner of the key that sealed it.
 *
 * Any member could have used that key: media signatures prove the sender (docs/reference/protocol.md, section 10).
 */
export interface OpenedFrame {
  readonly leaf: number;
  readonly stream: number;
  readonly epoch: number;
  readonly counter: number;
  readonly frame: Bytes;
}

/** An epoch whose keys this member holds. */
interface InstalledEpoch {
  readonly keys: EpochKeys;
  readonly ownLeaf: number;
  sendFrom: number;
  until: number;
  readonly refused: Set<number>;
  readonly sealers: Map<number, Sealer>;
  readonly openers: Map<number, Opener>;
}

/**
 * One member's media keys of all epochs, and when each may be used (docs/reference/protocol.md, section 10).
 *
 * At a removal, senders switch to the new epoch at once. Receivers drop the removed leaf at once, and other
 * senders' frames of the old epoch after 2 s. At an Add, senders switch after 500 ms, and receivers keep the
 * old epoch for 2 s more. The key id contains the epoch's low bits; a new epoch displaces an older one with
 * equal bits (RFC 9605 section 5.2).
 */
export class MediaKeys {
  readonly #byBits = new Map<number, InstalledEpoch>();
  #newest = -1;
  #floor = -1;

  /** The newest epoch installed, or null before the first. */
  get epoch(): number | null {
    return this.#newest >= 0 ? this.#newest : null;
  }

  /**
   * Enter a new epoch. `removed`: the leaves that this change removed, including that of a rejoining member.
   * The change counts as a removal if `removed` is not empty or `isRemoval` is true.
   *
   * StateError if `keys` are not from a later epoch than all before (the same keys installed twice would
   * reuse counters), or if `ownLeaf` is not in the tree.
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
    // frames that the removed leaf could read and that are still being sealed are sealed again
    if (removal) this.#floor = keys.epoch;
  }

  /**
   * Send in this epoch from now on, not only `ADD_SWITCH` after its beginning.
   *
   * The server says that all members have it. That is a hint: if some have not, frames wait at theirs.
   */
  ready(epoch: number, now: number): void {
    for (const held of this.#byBits.values())
      if (held.keys.epoch === epoch) held.sendFrom = Math.min(held.sendFrom, now);
  }

  /** Return the epoch that `seal` uses now, or null without keys. When it changes, send a key frame. */
  sendingEpoch(now: number): number | null {
    return this.#sending(now)?.keys.epoch ?? null;
  }

  #sending(now: number): InstalledEpoch | undefined {
    let due: InstalledEpoch | undefined;
    let oldest: InstalledEpoch | undefined;
    for (const held of this.#byBits.values()) {
      const epoch = held.keys.epoch;
      if (epoch < this.#floor) continue; // never return to an older epoch, even if the clock goes back
      if (held.sendFrom <= now && (due === undefined || epoch > due.keys.epoch)) due = held;
      if (oldest === undefined || epoch < oldest.keys.epoch) oldest = held;
    }
    // A newcomer has no older epoch and does not wait. If sixteen quick changes have displaced the epoch in
    // use, the oldest remaining epoch is the closest.
    return due ?? oldest;
  }

  /**
   * Seal a frame of one of our streams and return the SFrame ciphertext.
   *
   * Epoch and counter are assigned synchronously in the call; frames of one stream resolve in call order.
   * MissingKeyError before the first epoch and after `wipe`; StateError if the stream does not exist, or if
   * its key has reached its frame limit.
   */
  async seal(stream: number, extra: Bytes, frame: Bytes, now: number): Promise<Bytes> {
    for (;;) {
      this.#prune(now);
      const held = this.#sending(now);
      if (held === undefined) throw new MissingKeyError("no media keys are installed");
      const { keys, sealers } = held;
      const sealer = sealers.get(stream) ?? new Sealer(keys.key(keys.kid(held.ownLeaf, stream)));
      sealers.set(stream, sealer);
      this.#floor = keys.epoch;
      const data = await sealer.seal(extra, frame);
      // if the keys were dropped meanwhile, or a member that holds them was removed, seal again
      if (this.#holds(held) && keys.epoch >= this.#floor) return data;
    }
  }

  /**
   * Open another member's frame.
   *
   * FutureEpochError if its epoch is still to come; MissingKeyError if its epoch is over or was never held,
   * its leaf has been removed, or its key id is unassigned; AuthenticationError if its tag is wrong, or if it
   * is our own frame sent back; ReplayError; MalformedError. Until a frame has authenticated, only the
   * passing of time changes state.
   */
  async open(extra: Bytes, data: Bytes, now: number): Promise<OpenedFrame> {
    const header = decodeHeader(data);
    const [held, leaf, stream] = this.#sender(header, now);
    const { keys, openers } = held;
    // stored while the frame opens: two copies of one frame, opened concurrently, must share one replay
    // window
    const opener = openers.get(header.kid) ?? new Opener(keys.key(header.kid));
    openers.set(header.kid, opener);
    try {
      const [counter, frame] = await opener.open(extra, data, header);
      if (!this.#holds(held) || held.refused.has(leaf))
        throw new MissingKeyError(`leaf ${leaf} went while its frame was opened`);
      return { leaf, stream, epoch: keys.epoch, counter, frame };
    } finally {
      if (opener.unused) openers.delete(header.kid);
    }
  }

  /**
   * Return the [leaf, stream] that a frame's key id names, before any authentication.
   *
   * Throws the errors of `open` that precede decryption.
   */
  sender(data: Bytes, now: number): readonly [number, number] {
    const [, leaf, stream] = this.#sender(decodeHeader(data), now);
    return [leaf, stream];
  }

  #sender(header: Header, now: number): readonly [InstalledEpoch, number, number] {
    this.#prune(now);
    const bits = header.kid % EPOCHS;
    const held = this.#byBits.get(bits);
    if (held === undefined) {
      const ahead = (((bits - this.#newest) % EPOCHS) + EPOCHS) % EPOCHS;
      if (this.#byBits.size > 0 && ahead > 0 && ahead <= FUTURE_EPOCHS)
        throw new FutureEpochError("a frame of an epoch to come");
      throw new MissingKeyError("the keys of its epoch are not here");
    }
    const [leaf, stream] = held.keys.leafAndStream(header.kid);
    if (held.refused.has(leaf)) throw new MissingKeyError(`a frame of leaf ${leaf}, which has been removed`);
    if (leaf === held.ownLeaf)
      throw new AuthenticationError("our own frame, sent back");
    return [held, leaf, stream];
  }

  /** Delete all keys. Afterwards, only epochs later than all installed ones can be installed. */
  wipe(): void {
    this.#byBits.forEach(drop);
    this.#byBits.clear();
  }

  #holds(held: InstalledEpoch): boolean {
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

function drop(held: InstalledEpoch | undefined): void {
  held?.keys.wipe();
  held?.sealers.clear();
  held?.openers.clear();
}

// -- frames with their clear header
// --------------------------------------------------------------------------

/**
 * Seal one encoded frame for the packetizer: the clear header, then the SFrame ciphertext.
 *
 * Throws as `MediaKeys.seal` does, MalformedError on an empty VP8 frame, and StateError if the stream is not
 * of that kind.
 */
export async function sealFrame(
  keys: MediaKeys,
  kind: Kind,
  stream: number,
  frame: Bytes,
  now: number,
): Promise<Bytes> {
  if (isAudio(stream) !== (kind === "audio")) throw new StateError(`stream ${stream} carries no ${kind}`);
  const header = headerFor(kind, frame);
  return concat(header, await keys.seal(stream, metadata(kind, header), frame, now));
}

/**
 * Open a frame from the depacketizer that `sealFrame` has made.
 *
 * Throws as `MediaKeys.open` does, and MalformedError if the clear header is unknown or contradicts the
 * frame, or if the stream is not of that kind.
 */
export async function openFrame(keys: MediaKeys, kind: Kind, data: Bytes, now: number): Promise<OpenedFrame> {
  const [header, rest] = split(kind, data);
  const opened = await keys.open(metadata(kind, header), rest, now);
  if (isAudio(opened.stream) !== (kind === "audio"))
    throw new MalformedError(`leaf ${opened.leaf} sends ${kind} as stream ${opened.stream}`);
  if (headerFor(kind, opened.frame) !== header)
    throw new MalformedError(`leaf ${opened.leaf}'s clear header contradicts the frame`);
  return opened;
}

/** Buffer for frames of a future epoch: by default 64 frames, for 1 s each, and FUTURE_BYTES in all. */
export class FutureFrames<T> {
  /** Frames dropped because they waited too long or the buffer was full. */
  dropped = 0;
  #held: { readonly since: number; readonly item: T; readonly size: number }[] = [];
  #bytes = 0;
  readonly #most: number;
  readonly #seconds: number;

  constructor(most = FUTURE_FRAMES, seconds = FUTURE_TIME) {
    this.#most = most;
    this.#seconds = seconds;
  }

  /** Keep an item of `size` bytes; if the buffer is full, drop the oldest. */
  hold(item: T, now: number, size: number): void {
    this.expire(now);
    this.#held.push({ since: now, item, size });
    this.#bytes += size;
    while (this.#held.length > this.#most || this.#bytes > FUTURE_BYTES) this.#dropOldest();
  }

  /** Remove and return all items that have not expired, oldest first. */
  release(now: number): T[] {
    this.expire(now);
    const items = this.#held.map(({ item }) => item);
    this.#held = [];
    this.#bytes = 0;
    return items;
  }

  /** Drop items that have waited too long. */
  expire(now: number): void {
    for (let [first] = this.#held; first !== undefined && first.since + this.#seconds <= now; [first] = this.#held)
      this.#dropOldest();
  }

  get length(): number {
    return this.#held.length;
  }

  #dropOldest(): void {
    this.#bytes -= this.#held.shift()?.size ?? 0;
    this.dropped++;
  }
}
