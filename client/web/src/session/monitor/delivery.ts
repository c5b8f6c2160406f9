/**
 * Which audio and video streams reach which members, by their signed counters of frames sent and received.
 *
 * A stream does not reach Y if, in three successive beats of Y, its sender's counter of sealed frames has risen and
 * Y's counter of opened frames has not. A stream without frames shows nothing. The layers of a video are one stream:
 * the server forwards one of them, and a member that receives any layer receives the video.
 */
import { baseStream } from "../../crypto/media/keys";

/** Beats without a new frame before the loss is reported. */
export const MISSES = 3;
/** Frames by which a sender's counter must rise for a beat to count. */
export const RISE = 5;
/** Minimum seconds between two beats that count. */
export const APART = 3;

/** (sender's leaf, the stream as it was announced) */
export type Stream = readonly [leaf: number, stream: number];

/** One stream, as one listener reports it. */
interface Pair {
  readonly got: number;
  /** The sent count when `got` last rose or a miss was last counted. */
  readonly mark: number;
  readonly at: number;
  readonly misses: number;
}

const lost = (pair: Pair): boolean => pair.misses >= MISSES;
const keyOf = ([leaf, stream]: Stream): string => `${leaf}/${stream}`;

/** The streams that are now known not to reach a listener, and those that reach it again. */
export interface Judged {
  readonly lost: readonly Stream[];
  readonly back: readonly Stream[];
}

/** Bounded by members times streams; a removed member's state is forgotten. */
export class Delivery {
  readonly #sent = new Map<number, Map<number, number>>();
  /** By listener, then by stream. */
  readonly #pairs = new Map<number, Map<string, Pair>>();

  /** Record a leaf's counters of sealed frames: (stream number, frames). */
  recordSent(leaf: number, sent: Iterable<readonly [number, number]>): void {
    this.#sent.set(leaf, whole(sent));
  }

  /**
   * Process a listener's counters of opened frames: leaf -> stream -> frames.
   *
   * Returns the streams that are now known not to reach it, and those that reach it again. `settled` are senders that
   * have been here long enough to be judged. `wanted` returns which of a leaf's streams the listener has asked for;
   * null: all.
   */
  recordReceived(
    listener: number,
    got: ReadonlyMap<number, ReadonlyMap<number, number>>,
    settled: Iterable<number>,
    now: number,
    wanted: ((leaf: number) => ReadonlySet<number>) | null = null,
  ): Judged {
    const pairs = this.#pairs.get(listener) ?? new Map<string, Pair>();
    this.#pairs.set(listener, pairs);
    const gone: Stream[] = [];
    const back: Stream[] = [];
    for (const leaf of settled) {
      if (leaf === listener) continue;
      const opened = whole(got.get(leaf) ?? []);
      const asked = wanted === null ? null : wanted(leaf);
      for (const [stream, sent] of this.#sent.get(leaf) ?? []) {
        const came = opened.get(stream) ?? 0;
        const key = keyOf([leaf, stream]);
        if (asked !== null && !asked.has(stream)) {
          pairs.delete(key);
          continue;
        }
        const pair = pairs.get(key);
        if (pair === undefined) pairs.set(key, { got: came, mark: sent, at: now, misses: 0 });
        else if (came !== pair.got) {
          if (lost(pair)) back.push([leaf, stream]);
          pairs.set(key, { got: came, mark: sent, at: now, misses: 0 });
        } else if (sent - pair.mark >= RISE && now - pair.at >= APART) {
          pairs.set(key, { got: pair.got, mark: sent, at: now, misses: pair.misses + 1 });
          if (pair.misses + 1 === MISSES) gone.push([leaf, stream]);
        }
      }
    }
    return { lost: gone, back };
  }

  /** Return the listeners that the stream does not reach. */
  notReached(stream: Stream): number[] {
    const key = keyOf(stream);
    return [...this.#pairs]
      .filter(([, pairs]) => (pairs.get(key)?.misses ?? 0) >= MISSES)
      .map(([leaf]) => leaf);
  }

  /** Stop judging a member that does not want all streams, because only it knows which. */
  stopJudging(listener: number): void {
    this.#pairs.delete(listener);
  }

  /** Start over for a member with a new connection: what it sends and receives counts from here. */
  reset(leaf: number): void {
    this.#pairs.delete(leaf);
    for (const pairs of this.#pairs.values())
      for (const key of [...pairs.keys()]) if (key.startsWith(`${leaf}/`)) pairs.delete(key);
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number): void {
    this.#sent.delete(leaf);
    this.reset(leaf);
  }
}

/** Sum the frames of all layers of a stream: each counter only rises, and so does the sum. */
function whole(frames: Iterable<readonly [number, number]>): Map<number, number> {
  const sums = new Map<number, number>();
  for (const [stream, count] of frames) {
    const [base] = baseStream(stream);
    sums.set(base, (sums.get(base) ?? 0) + count);
  }
  return sums;
}
