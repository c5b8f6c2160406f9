/**
 * Frames between the browser's codecs and its network: sealed before sending, opened after receiving.
 *
 * `Outgoing` and `Incoming` each handle one stream, and do not depend on a browser: frames and time go in, permitted
 * frames come out. The only exits are the result of `Outgoing.frame` and `give` of `Incoming`: no frame is sent
 * unsealed, and no frame is decoded unless it has authenticated (`client/media/receiving.py`).
 *
 * `now` is in Unix seconds.
 */
import type { Bytes } from "../crypto/bytes";
import { MissingKeyError, ReplayError, SnugError } from "../crypto/errors";
import { FutureEpochError, FutureFrames, type OpenedFrame } from "../crypto/media/keys";
import { UnverifiedFrameError } from "../crypto/media/signatures";
import { isKeyFrame, type Kind } from "../crypto/media/clearHeader";
import { padOpus } from "./opus";

/** Seals and opens whole frames: the session, or a substitute in tests. */
export interface FrameCrypto {
  /** Return the sealed frame; null if nothing may be sent now. */
  seal(kind: Kind, stream: number, frame: Bytes, now: number): Promise<Bytes | null>;
  /**
   * Return the frame, authenticated as sealed by the leaf that announced `ssrc` (SNUG-20).
   *
   * FutureEpochError (also its subclass UnverifiedFrameError): hold the frame and try again. Any other SnugError:
   * the frame is refused for good.
   */
  open(ssrc: number, kind: Kind, data: Bytes, now: number): Promise<OpenedFrame>;
}

/** Seconds between requests for a key frame until one arrives; the last value repeats. */
export const KEY_WAITS = [1, 1, 2, 5];
/** Frames of a member under suspicion wait for the list that signs them: maximum seconds, and frames. */
export const UNVERIFIED_TIME = 2.5;
export const UNVERIFIED_FRAMES = 192;
/**
 * Video frames wait for missing predecessors: maximum seconds, and frames. The browser delivers a frame when its
 * packets are complete, so a frame with a packet that was sent again comes after its successors. Audio frames do not
 * wait: each stands for its own 20 ms.
 */
export const PATIENCE = 0.4;
export const AHEAD_MAX = 64;
/** Maximum pixels of a video frame: decoders allocate all, and no encoder of this protocol produces more. */
export const PIXELS_MAX = 4096 * 2304;
/** Of the last SOUNDS audio packets, TOO_LARGE may be too large to send; beyond that, `varies` is reported. */
export const SOUNDS = 250;
export const TOO_LARGE = 25;

/** Decides when to ask for a key frame again. */
class KeyFrameBackoff {
  #tries = 0;
  #next = 0;

  due(now: number): boolean {
    if (now < this.#next) return false;
    this.#next = now + (KEY_WAITS[Math.min(this.#tries++, KEY_WAITS.length - 1)] ?? 5);
    return true;
  }

  /** A key frame has arrived. */
  answered(): void {
    this.#tries = 0;
  }
}

/**
 * One stream of ours. `sealed` counts frames that were sent, `withheld` frames that were not.
 *
 * After a withheld video frame, only a key frame may follow: other frames would refer to a frame that no receiver has.
 */
export class Outgoing {
  sealed = 0;
  withheld = 0;
  /** Much of the audio cannot be sent: the browser's packets cannot be padded to one size. */
  varies = false;
  readonly #crypto: FrameCrypto;
  readonly #askKey: () => void;
  readonly #backoff = new KeyFrameBackoff();
  #needKey = false;
  #sounds = 0;
  readonly #tooLarge: number[] = [];

  constructor(readonly kind: Kind, readonly stream: number, crypto: FrameCrypto, askKey: () => void) {
    this.#crypto = crypto;
    this.#askKey = askKey;
  }

  /** Return the frame to send; null: nothing. Call it for one frame after the other. */
  async frame(frame: Bytes, now: number): Promise<Bytes | null> {
    const data = await this.#seal(frame, now);
    if (data !== null) {
      this.sealed++;
      return data;
    }
    this.withheld++;
    if (this.kind === "video") {
      this.#needKey = true;
      if (this.#backoff.due(now)) this.#askKey();
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
      if (error instanceof SnugError) return null;
      throw error;
    }
    if (data !== null && this.#needKey) {
      this.#needKey = false;
      this.#backoff.answered();
    }
    return data;
  }

  /** Return the packet padded to the one size; null if it does not fit. */
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
  /** The order of arrival. */
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

/** The outputs of a stream. `item` is the object that came with a frame. */
export interface Out<T> {
  /** Deliver an authenticated frame, next in the order of sealing. */
  give(item: T, frame: Bytes): void;
  askKey(): void;
}

/**
 * One remote stream. `opened` counts frames that have authenticated, `failed` frames refused for good, `unkeyed` frames
 * whose keys or announcement never came, `skipped` frames that were opened but are useless: without a key frame, or
 * older than a frame already delivered.
 *
 * Its video may switch between simulcast layers. Each layer is sealed and counted separately, and a switch begins with
 * a key frame. Between layers, RTP timestamps give the order of frames; counters cannot.
 *
 * A call waits while a frame is being opened.
 */
export class Incoming<T> {
  leaf = -1;
  /** The stream number of the current layer (`layerStream`). */
  stream = -1;
  opened = 0;
  failed = 0;
  unkeyed = 0;
  skipped = 0;
  /** When the last frame was opened, and when one was refused; 0: never. */
  lastOpened = 0;
  lastFailed = 0;
  readonly #crypto: FrameCrypto;
  readonly #out: Out<T>;
  readonly #future = new FutureFrames<Held<T>>();
  readonly #unverified = new FutureFrames<Held<T>>(UNVERIFIED_FRAMES, UNVERIFIED_TIME);
  readonly #backoff = new KeyFrameBackoff();
  #dropped: readonly [number, number] = [0, 0];
  #order = 0;
  /** By layer: epoch and counter of the last frame that was delivered or skipped. */
  readonly #places = new Map<number, readonly [number, number]>();
  /** Layer and RTP timestamp of the last delivered frame. */
  #current = -1;
  #timestamp = 0;
  #ahead: Ahead<T>[] = [];
  #needKey: boolean;
  #work: Promise<unknown> = Promise.resolve();

  constructor(readonly kind: Kind, readonly ssrc: number, crypto: FrameCrypto, out: Out<T>) {
    this.#crypto = crypto;
    this.#out = out;
    this.#needKey = kind === "video";
  }

  /** Whether `tick` has anything to do. */
  get waiting(): boolean {
    return (this.#needKey && this.#order > 0) || this.#ahead.length > 0 || this.held > 0;
  }

  /** Number of frames that wait for keys, an announcement or a list of signatures. */
  get held(): number {
    return this.#future.length + this.#unverified.length;
  }

  /** Take a frame as it arrived, with its RTP timestamp. Rejects only with errors other than SnugError. */
  frame(data: Bytes, item: T, now: number, timestamp = 0): Promise<void> {
    return this.#after(async () => {
      await this.#try({ order: ++this.#order, since: now, timestamp, data, item }, now);
      this.#askKey(now);
    });
  }

  /** Retry waiting frames: new keys, an announcement or signatures have arrived. */
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
      if (!(error instanceof SnugError)) throw error;
      if (error instanceof FutureEpochError) {
        const waiting = error instanceof UnverifiedFrameError ? this.#unverified : this.#future;
        waiting.hold(held, held.since, held.data.length);
        this.#countDropped(now);
        return;
      }
      if (error instanceof MissingKeyError) this.unkeyed++;
      else this.#refused(now);
      // a replayed frame leaves no hole
      if (this.kind === "video" && !(error instanceof ReplayError)) this.#lose();
      return;
    }
    if (this.kind === "video" && isOversized(opened.frame)) {
      this.#refused(now);
      return this.#lose();
    }
    this.opened++;
    this.lastOpened = now;
    this.leaf = opened.leaf;
    this.stream = opened.stream;
    this.#arrange({ opened, timestamp: held.timestamp, since: now, item: held.item });
  }

  /**
   * Deliver frames in the order of sealing. The server writes sequence numbers, but it cannot change that order: no
   * frame is delivered after one that was sealed later.
   */
  #arrange(came: Ahead<T>): void {
    const { opened, timestamp } = came;
    const key = this.kind === "audio" || isKeyFrame(opened.frame);
    const [epoch, counter] = this.#placeOf(opened);
    const other = opened.stream !== this.#current;
    const late = other && this.#current >= 0 && !laterBy(timestamp, this.#timestamp);
    if (late || opened.epoch < epoch || (opened.epoch === epoch && opened.counter <= counter)) {
      this.skipped++; // leaves no hole: delivery passes over a frame only with a key frame
      return;
    }
    if (key) {
      this.#needKey = false;
      this.#backoff.answered();
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

  /** Stop waiting for missing frames: the frames sealed after them are useless without a key frame. */
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
    if (this.#needKey && this.#order > 0 && this.#backoff.due(now)) this.#out.askKey();
  }
}

/** Whether a VP8 key frame claims more pixels than a camera has (RFC 6386 9.1): the decoder would allocate them all. */
function isOversized(frame: Bytes): boolean {
  if (frame.length < 10 || !isKeyFrame(frame)) return false;
  const side = (at: number): number => ((frame[at] ?? 0) | ((frame[at + 1] ?? 0) << 8)) & 0x3fff;
  return side(6) * side(8) > PIXELS_MAX;
}

/** Whether `one` is the later RTP timestamp. Timestamps begin anywhere and wrap around. */
const laterBy = (one: number, other: number): boolean => ((one - other) | 0) > 0;

/** Whether `one` was sealed after `other`; for two layers, whether its RTP timestamp is later. */
const after = <T>(one: Ahead<T>, other: Ahead<T>): boolean => {
  const [a, b] = [one.opened, other.opened];
  if (a.stream !== b.stream) return laterBy(one.timestamp, other.timestamp);
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.counter > b.counter);
};
