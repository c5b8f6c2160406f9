/**
 * Frames between the browser's codecs and its network: sealed on the way out, opened on the way in.
 *
 * `Outgoing` and `Incoming` each stand for one stream and know no browser: frames and time come in, what may go on
 * comes out. The only ways past them are `Outgoing.frame`'s result and `Incoming`'s `give`: what was not sealed
 * leaves nobody, and nothing is decoded that hasn't authenticated (`client/media/receiving.py`).
 *
 * `now` is in Unix seconds.
 */
import type { Bytes } from "../crypto/bytes";
import { MissingKeyError, ReplayError, SnugCryptoError } from "../crypto/errors";
import { FutureEpochError, FutureFrames, type OpenedFrame } from "../crypto/mediaKeys";
import { UnverifiedFrameError } from "../crypto/mediaSignatures";
import { isKeyFrame, type Kind } from "../crypto/shim";
import { padOpus } from "./opus";

/** What seals and opens whole frames: the session, or who stands in for it. */
export interface FrameCrypto {
  /** The frame as it may leave; null: not now, and nothing leaves. */
  seal(kind: Kind, stream: number, frame: Bytes, now: number): Promise<Bytes | null>;
  /**
   * The frame, authenticated and of the leaf that announced `ssrc` (SNUG-20).
   *
   * FutureEpochError (UnverifiedFrameError is one): hold it and try again. Any other SnugCryptoError: never.
   */
  open(ssrc: number, kind: Kind, data: Bytes, now: number): Promise<OpenedFrame>;
}

/** Seconds between requests for a key frame while none comes; the last one goes on. */
export const KEY_WAITS = [1, 1, 2, 5];
/** What a member in doubt has sent waits to be signed for so long, and so many frames (seconds). */
export const UNVERIFIED_TIME = 2.5;
export const UNVERIFIED_FRAMES = 192;
/**
 * Pictures that overtook others wait for these: the browser hands out a frame when its packets are there, and one of
 * which a packet is asked for again comes behind its successors. Sound waits for nothing, as it is its 20 ms.
 */
export const PATIENCE = 0.4;
export const AHEAD_MAX = 64;
/** Of so many packets of sound, so many may be too large to be sent; beyond it that is told. */
export const SOUNDS = 250;
export const TOO_LARGE = 25;

/** When to ask for a key frame again. */
class Asking {
  #tries = 0;
  #next = 0;

  due(now: number): boolean {
    if (now < this.#next) return false;
    this.#next = now + (KEY_WAITS[Math.min(this.#tries++, KEY_WAITS.length - 1)] ?? 5);
    return true;
  }

  /** One has come. */
  answered(): void {
    this.#tries = 0;
  }
}

/**
 * One stream of ours. `sealed` counts frames that left, `withheld` those that didn't.
 *
 * After a picture that was withheld the next that leaves is a key frame: others would refer to what nobody has.
 */
export class Outgoing {
  readonly kind: Kind;
  readonly stream: number;
  sealed = 0;
  withheld = 0;
  /** Much of the sound can't be sent: the browser makes packets that can't be of one size. */
  varies = false;
  readonly #crypto: FrameCrypto;
  readonly #askKey: () => void;
  readonly #asking = new Asking();
  #needKey = false;
  #sounds = 0;
  readonly #tooLarge: number[] = [];

  constructor(kind: Kind, stream: number, crypto: FrameCrypto, askKey: () => void) {
    this.kind = kind;
    this.stream = stream;
    this.#crypto = crypto;
    this.#askKey = askKey;
  }

  /** What may leave in the frame's place; null: nothing. Call it for one frame after the other. */
  async frame(frame: Bytes, now: number): Promise<Bytes | null> {
    const data = await this.#seal(frame, now);
    if (data !== null) {
      this.sealed++;
      return data;
    }
    this.withheld++;
    if (this.kind === "video") {
      this.#needKey = true;
      if (this.#asking.due(now)) this.#askKey();
    }
    return null;
  }

  async #seal(frame: Bytes, now: number): Promise<Bytes | null> {
    const whole = this.kind === "audio" ? this.#sound(frame) : frame;
    if (whole === null || whole.length === 0) return null;
    if (this.#needKey && !isKeyFrame(whole)) return null;
    let data: Bytes | null;
    try {
      data = await this.#crypto.seal(this.kind, this.stream, whole, now);
    } catch (error) {
      if (error instanceof SnugCryptoError) return null;
      throw error;
    }
    if (data !== null && this.#needKey) {
      this.#needKey = false;
      this.#asking.answered();
    }
    return data;
  }

  /** In its one size; null: it can't be. */
  #sound(frame: Bytes): Bytes | null {
    const padded = padOpus(frame);
    this.#sounds++;
    if (padded === null) this.#tooLarge.push(this.#sounds);
    while (this.#tooLarge[0] !== undefined && this.#tooLarge[0] <= this.#sounds - SOUNDS) this.#tooLarge.shift();
    this.varies = this.#tooLarge.length > TOO_LARGE;
    return padded;
  }
}

interface Held<T> {
  /** In which order they came. */
  readonly order: number;
  readonly since: number;
  readonly timestamp: number;
  readonly data: Bytes;
  readonly item: T;
}

interface Ahead<T> {
  readonly opened: OpenedFrame;
  readonly timestamp: number;
  readonly since: number;
  readonly item: T;
}

/** What a stream does with its frames. `item` is whatever came with one. */
export interface Out<T> {
  /** An authenticated frame, next in the order in which they were sealed. */
  give(item: T, frame: Bytes): void;
  askKey(): void;
}

/**
 * One stream of somebody's. `opened` counts frames that have authenticated, `failed` those refused for good, `unkeyed`
 * those whose keys or announcement never came, `skipped` those that opened and are no use: without a key frame, or behind one that was sealed later.
 *
 * Its pictures may come in several sizes, by turns: each is sealed and counted by itself, and another one begins with a
 * key frame. Which of two came later on the network its RTP timestamps say, where counters can't.
 *
 * Whatever is called while a frame is being opened waits for it.
 */
export class Incoming<T> {
  readonly kind: Kind;
  readonly ssrc: number;
  leaf = -1;
  /** As its layer is numbered (`layerStream`). */
  stream = -1;
  opened = 0;
  failed = 0;
  unkeyed = 0;
  skipped = 0;
  /** When the last one opened, and failed; 0: never. */
  lastOpened = 0;
  lastFailed = 0;
  readonly #crypto: FrameCrypto;
  readonly #out: Out<T>;
  readonly #future = new FutureFrames<Held<T>>();
  readonly #unverified = new FutureFrames<Held<T>>(UNVERIFIED_FRAMES, UNVERIFIED_TIME);
  readonly #asking = new Asking();
  #dropped: readonly [number, number] = [0, 0];
  #order = 0;
  /** By layer: epoch and counter of the frame that was given out, or skipped, last. */
  readonly #places = new Map<number, readonly [number, number]>();
  /** Of the frame that was given out last: its layer, and its RTP timestamp. */
  #current = -1;
  #timestamp = 0;
  #ahead: Ahead<T>[] = [];
  #needKey: boolean;
  #work: Promise<unknown> = Promise.resolve();

  constructor(kind: Kind, ssrc: number, crypto: FrameCrypto, out: Out<T>) {
    this.kind = kind;
    this.ssrc = ssrc;
    this.#crypto = crypto;
    this.#out = out;
    this.#needKey = kind === "video";
  }

  /** Whether `tick` has anything to do. */
  get waiting(): boolean {
    return (this.#needKey && this.#order > 0) || this.#ahead.length > 0 || this.held > 0;
  }

  /** Frames that wait for keys, an announcement or a list. */
  get held(): number {
    return this.#future.length + this.#unverified.length;
  }

  /** A frame as it came, with its RTP timestamp. Rejects with what is no SnugCryptoError. */
  frame(data: Bytes, item: T, now: number, timestamp = 0): Promise<void> {
    return this.#after(async () => {
      await this.#try({ order: ++this.#order, since: now, timestamp, data, item }, now);
      this.#askKey(now);
    });
  }

  /** New keys are there, an announcement or signatures: try again what waited for them. */
  keysChanged(now: number): Promise<void> {
    return this.#after(async () => {
      const held = [...this.#future.release(now), ...this.#unverified.release(now)];
      for (const again of held.sort((a, b) => a.order - b.order)) await this.#try(again, now);
      this.#countDropped(now);
      this.#askKey(now);
    });
  }

  /** Let time pass. */
  tick(now: number): Promise<void> {
    return this.#after(async () => {
      this.#countDropped(now);
      const first = this.#ahead[0];
      if (first !== undefined && first.since + PATIENCE <= now) this.#giveUp();
      this.#askKey(now);
    });
  }

  // -- inside ----------------------------------------------------------------------------------------------

  #after(job: () => Promise<void>): Promise<void> {
    const done = this.#work.then(job);
    this.#work = done.catch(() => undefined);
    return done;
  }

  async #try(held: Held<T>, now: number): Promise<void> {
    let opened: OpenedFrame;
    try {
      opened = await this.#crypto.open(this.ssrc, this.kind, held.data, now);
    } catch (error) {
      if (!(error instanceof SnugCryptoError)) throw error;
      if (error instanceof FutureEpochError) {
        (error instanceof UnverifiedFrameError ? this.#unverified : this.#future).hold(held, held.since);
        this.#countDropped(now);
        return;
      }
      if (error instanceof MissingKeyError) this.unkeyed++;
      else this.#refused(now);
      // a frame that has been here before leaves no hole
      if (this.kind === "video" && !(error instanceof ReplayError)) this.#lose();
      return;
    }
    this.opened++;
    this.lastOpened = now;
    this.leaf = opened.leaf;
    this.stream = opened.stream;
    this.#arrange({ opened, timestamp: held.timestamp, since: now, item: held.item });
  }

  /**
   * Packets are numbered by whoever forwards them; the order in which frames were sealed is not: none is given out
   * behind one that was sealed after it.
   */
  #arrange(came: Ahead<T>): void {
    const { opened, timestamp } = came;
    const key = this.kind === "audio" || isKeyFrame(opened.frame);
    const [epoch, counter] = this.#placeOf(opened);
    const other = opened.stream !== this.#current;
    const late = other && this.#current >= 0 && !laterBy(timestamp, this.#timestamp);
    if (late || opened.epoch < epoch || (opened.epoch === epoch && opened.counter <= counter)) {
      this.skipped++; // it leaves no hole: one is passed over for a key frame alone
      return;
    }
    if (key) {
      this.#needKey = false;
      this.#asking.answered();
      this.#ahead = this.#ahead.filter((each) => after(each, came));
    } else if (this.#needKey) {
      this.#places.set(opened.stream, [opened.epoch, opened.counter]);
      this.skipped++;
      return;
    } else if (!this.#follows(opened) || (opened.epoch !== epoch && this.#ahead.length > 0)) {
      this.#ahead.push(came);
      this.#ahead.sort((a, b) => (after(a, b) ? 1 : -1));
      if (this.#ahead.length > AHEAD_MAX) this.#giveUp();
      return;
    }
    this.#give(came);
    for (let [first] = this.#ahead; first !== undefined && this.#follows(first.opened); [first] = this.#ahead) {
      this.#ahead.shift();
      this.#give(first);
    }
  }

  #placeOf({ stream }: OpenedFrame): readonly [number, number] {
    return this.#places.get(stream) ?? [-1, -1];
  }

  #follows(opened: OpenedFrame): boolean {
    const [epoch, counter] = this.#placeOf(opened);
    return opened.stream === this.#current && opened.counter === (opened.epoch === epoch ? counter + 1 : 0);
  }

  #give({ opened, timestamp, item }: Ahead<T>): void {
    this.#places.set(opened.stream, [opened.epoch, opened.counter]);
    this.#current = opened.stream;
    this.#timestamp = timestamp;
    this.#out.give(item, opened.frame);
  }

  /** What is missing won't come: what was sealed after it is no use without a key frame. */
  #giveUp(): void {
    for (const { opened } of this.#ahead) this.#places.set(opened.stream, [opened.epoch, opened.counter]);
    this.skipped += this.#ahead.length;
    this.#lose();
  }

  #lose(): void {
    this.#needKey = true;
    this.#ahead = [];
  }

  #refused(now: number): void {
    this.failed++;
    this.lastFailed = now;
  }

  #countDropped(now: number): void {
    this.#future.expire(now);
    this.#unverified.expire(now);
    const [unkeyed, failed] = this.#dropped;
    this.#dropped = [this.#future.dropped, this.#unverified.dropped];
    if (this.#future.dropped === unkeyed && this.#unverified.dropped === failed) return;
    this.unkeyed += this.#future.dropped - unkeyed;
    for (let i = failed; i < this.#unverified.dropped; i++) this.#refused(now);
    if (this.kind === "video") this.#lose();
  }

  #askKey(now: number): void {
    if (this.#needKey && this.#order > 0 && this.#asking.due(now)) this.#out.askKey();
  }
}

/** Whether that RTP timestamp is the later one: they begin anywhere, and go round. */
const laterBy = (one: number, other: number): boolean => ((one - other) | 0) > 0;

/** Whether it was sealed after the other one; of two layers, whether it came after it. */
const after = <T>(one: Ahead<T>, other: Ahead<T>): boolean => {
  const [a, b] = [one.opened, other.opened];
  if (a.stream !== b.stream) return laterBy(one.timestamp, other.timestamp);
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.counter > b.counter);
};
