/**
 * Which streams the server is asked to forward to us, and up to which size: all of them, unless somebody chose.
 *
 * What is asked for is seen by the server. Whoever asks for the picture of the person that speaks tells it who speaks,
 * so that is a choice. While fewer are asked for, our beats say that we don't want all, and nobody else judges what
 * reaches us: we alone know what was asked for. Sizes are between us and the server: whoever asks for all streams, and
 * for some of them small, still wants all.
 */
import { LAYERS_MAX, WANT_MAX } from "../wire/limits";
import type { HandleStream, Want } from "../wire/messages";
import { Aspect } from "./aspect";
import type { RoomSession } from "./room";

/** Seconds between two that are told, at least: windows that are dragged larger change much in little time. */
const GAP = 0.5;
const LARGEST = LAYERS_MAX - 1;
/** How every connection begins. */
const ALL: Want = { type: "want", ssrcs: null, tops: [] };

/** Says it again wherever the server can't know it: on each connection, and with other media of ours. */
export class Asking extends Aspect {
  #ssrcs: readonly number[] | null = null;
  #tops: ReadonlyMap<number, number> = new Map();
  /** The others' streams, and whether they come in several sizes. */
  #layered: ReadonlyMap<number, boolean> = new Map();
  #wish: Want = ALL;
  /** As the server has it; null: it doesn't have our media. */
  #told: Want | null = null;
  #toldAt = -Infinity;

  /** Whether a media engine is here, and every stream is asked for. */
  get everything(): boolean {
    return this.room.hasMedia && this.#ssrcs === null;
  }

  /** Which of a leaf's streams (as announced) are asked for; none without a media engine. */
  asked(leaf: number): ReadonlySet<number> {
    if (!this.room.hasMedia) return new Set();
    const streams = [...this.room.announced.streams(leaf)];
    return new Set(streams.flatMap(([ssrc, stream]) => ((this.#ssrcs?.includes(ssrc) ?? true) ? [stream] : [])));
  }

  /**
   * These from now on, null: all; and the largest layer (0 to 2) that is of use, where it isn't 2.
   *
   * It goes out as soon as the server has our media, the last word of half a second.
   */
  ask(ssrcs: readonly number[] | null, tops: Iterable<readonly [number, number]>, now: number): void {
    this.#ssrcs = ssrcs;
    this.#tops = new Map(tops);
    this.#changed(now);
  }

  override carryOver(old: RoomSession): void {
    const before = old.aspect(Asking);
    this.#ssrcs = before.#ssrcs;
    this.#tops = before.#tops;
  }

  override published(now: number): void {
    this.#told = ALL;
    this.#toldAt = -Infinity;
    this.#changed(now);
  }

  override streams(streams: readonly HandleStream[], now: number): void {
    this.#layered = new Map(streams.map(({ ssrc, layers }) => [ssrc, layers > 0]));
    this.#changed(now);
  }

  override lost(): void {
    this.#told = null;
    this.#layered = new Map();
  }

  override tick(now: number): void {
    this.#tell(now);
  }

  #changed(now: number): void {
    this.#wish = this.#want();
    this.#tell(now);
  }

  #tell(now: number): void {
    if (this.#told === null || now - this.#toldAt < GAP || same(this.#wish, this.#told)) return;
    this.#told = this.#wish;
    this.#toldAt = now;
    this.room.send(this.#wish);
  }

  #want(): Want {
    let ssrcs = this.#ssrcs;
    if (ssrcs === null) {
      // sizes go with a list; without a stream that has them the server need not be told one
      const small = [...this.#layered].some(([ssrc, layered]) => layered && this.#top(ssrc) < LARGEST);
      if (!small || this.#layered.size > WANT_MAX) return ALL;
      ssrcs = [...this.#layered.keys()];
    }
    const tops = ssrcs.map((ssrc) => this.#top(ssrc));
    return { type: "want", ssrcs: [...ssrcs], tops: tops.some((top) => top < LARGEST) ? tops : [] };
  }

  #top(ssrc: number): number {
    return this.#tops.get(ssrc) ?? LARGEST;
  }
}

const same = (one: Want, other: Want): boolean =>
  String(one.ssrcs) === String(other.ssrcs) && // "null", or the numbers
  (one.ssrcs === null) === (other.ssrcs === null) &&
  String(one.tops) === String(other.tops);
