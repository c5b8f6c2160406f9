/** Detects streams that suffer from the network, by the browser's statistics, read once a second. */

/** The fields used of an `inbound-rtp` report: counts since its beginning, and `jitter` in seconds. */
export interface Received {
  readonly ssrc: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly jitter: number;
  readonly freezes: number;
}

/** A stream is weak above this fraction of lost packets or this jitter (seconds), until so many good seconds follow. */
export const LOSS = 0.05;
export const JITTER = 0.1;
export const WELL = 3;
/** Minimum number of packets in a second for a meaningful loss fraction. */
const FEW = 10;

/** Judges all streams, once a second. */
export class Weakness {
  #before = new Map<number, Received>();
  readonly #weak = new Map<number, number>();

  /** Return the SSRCs of the streams that are weak now. */
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

/** Return the fields of all `inbound-rtp` reports; a field that the browser does not report is 0. */
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
