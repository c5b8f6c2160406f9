/**
 * Whose sound and pictures reach whom, from what each has signed of what it sent and of what came.
 *
 * A stream does not reach Y if, in three of Y's beats one after the other, what its sender has sealed has
 * risen and what Y could open has not. A stream that nothing is sent on says nothing. Layers are one stream: of several
 * sizes of one picture the server forwards one, and whoever gets any of them gets the picture.
 */
import { baseStream } from "../crypto/mediaKeys";

/** Beats in which nothing came, until it is told. */
export const MISSES = 3;
/** Frames by which a sender's counter has to rise for a beat to count. */
export const RISE = 5;
/** Seconds that lie between two beats that count, at least. */
export const APART = 3;

/** (sender's leaf, the stream as it was announced) */
export type Stream = readonly [leaf: number, stream: number];

/** One stream, as one listener reports it. */
interface Pair {
  readonly got: number;
  /** What had been sent when `got` rose, or a miss was counted, last. */
  readonly mark: number;
  readonly at: number;
  readonly misses: number;
}

const lost = (pair: Pair): boolean => pair.misses >= MISSES;
const keyOf = ([leaf, stream]: Stream): string => `${leaf}/${stream}`;

/** Bounded by members times streams; leaves are forgotten with their members. */
export class Reaching {
  readonly #sent = new Map<number, Map<number, number>>();
  /** By listener, then by stream. */
  readonly #pairs = new Map<number, Map<string, Pair>>();

  /** What a leaf has sealed so far: (stream number, frames). */
  sends(leaf: number, sent: Iterable<readonly [number, number]>): void {
    this.#sent.set(leaf, whole(sent));
  }

  /**
   * A listener's word on what it has opened: leaf -> stream -> frames.
   *
   * Gives the streams that are now known not to reach it, and those that do again. `settled` are senders
   * who have been here long enough to be judged. `wanted`: which of a leaf's streams the listener has asked for, null:
   * all.
   */
  reports(
    listener: number,
    got: ReadonlyMap<number, ReadonlyMap<number, number>>,
    settled: Iterable<number>,
    now: number,
    wanted: ((leaf: number) => ReadonlySet<number>) | null = null,
  ): { readonly lost: Stream[]; readonly back: Stream[] } {
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

  /** Listeners whom that stream does not reach. */
  losers(stream: Stream): number[] {
    const key = keyOf(stream);
    return [...this.#pairs]
      .filter(([, pairs]) => (pairs.get(key)?.misses ?? 0) >= MISSES)
      .map(([leaf]) => leaf);
  }

  /** That member doesn't want all streams now, and which it alone knows: counted from when it does. */
  rests(listener: number): void {
    this.#pairs.delete(listener);
  }

  /** That member has a new connection: what it sends and hears is counted from here. */
  beginAgain(leaf: number): void {
    this.#pairs.delete(leaf);
    for (const pairs of this.#pairs.values())
      for (const key of [...pairs.keys()]) if (key.startsWith(`${leaf}/`)) pairs.delete(key);
  }

  /** Nobody, or another, is at that leaf now. */
  forget(leaf: number): void {
    this.#sent.delete(leaf);
    this.beginAgain(leaf);
  }
}

/** Frames of all layers of a stream together: each count only rises, and so does their sum. */
function whole(frames: Iterable<readonly [number, number]>): Map<number, number> {
  const sums = new Map<number, number>();
  for (const [stream, count] of frames) {
    const [base] = baseStream(stream);
    sums.set(base, (sums.get(base) ?? 0) + count);
  }
  return sums;
}
