/** Whether a stream suffers from the network, by what the browser counts once a second. */

/** What is read of an `inbound-rtp` report: counts since its beginning, seconds. */
export interface Received {
  readonly ssrc: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly jitter: number;
  readonly freezes: number;
}

/** More than this part lost, or so much jitter (seconds), and a stream is weak; again well for so many seconds: not. */
export const LOSS = 0.05;
export const JITTER = 0.1;
export const WELL = 3;
/** Fewer packets than this in a second say nothing of a part. */
const FEW = 10;

/** Judges all streams, a second at a time. */
export class Weakness {
  #before = new Map<number, Received>();
  readonly #weak = new Map<number, number>();

  /** SSRCs of the streams that are weak now. */
  judge(all: readonly Received[]): Set<number> {
    for (const now of all) {
      const before = this.#before.get(now.ssrc);
      if (before === undefined) continue;
      const lost = Math.max(0, now.packetsLost - before.packetsLost);
      const came = now.packetsReceived - before.packetsReceived;
      const bad =
        (lost + came >= FEW && lost / (lost + came) > LOSS) || (came > 0 && now.jitter > JITTER) || now.freezes > before.freezes;
      const left = bad ? WELL : (this.#weak.get(now.ssrc) ?? 0) - 1;
      if (left > 0) this.#weak.set(now.ssrc, left);
      else this.#weak.delete(now.ssrc);
    }
    this.#before = new Map(all.map((each) => [each.ssrc, each]));
    for (const ssrc of [...this.#weak.keys()]) if (!this.#before.has(ssrc)) this.#weak.delete(ssrc);
    return new Set(this.#weak.keys());
  }
}

/** Of a browser's report; what it doesn't count is 0. */
export function received(report: RTCStatsReport): Received[] {
  const all: Received[] = [];
  report.forEach((stats: Readonly<Record<string, unknown>>) => {
    if (stats["type"] !== "inbound-rtp") return;
    const count = (name: string): number => (typeof stats[name] === "number" ? stats[name] : 0);
    const [ssrc, freezes] = [count("ssrc"), count("freezeCount")];
    const [packetsReceived, packetsLost] = [count("packetsReceived"), count("packetsLost")];
    all.push({ ssrc, packetsReceived, packetsLost, jitter: count("jitter"), freezes });
  });
  return all;
}
