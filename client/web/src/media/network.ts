/** Detects streams that suffer from the network, or from a busy computer, by the browser's statistics, read once a second. */

/** The fields used of an `inbound-rtp` report: counts since its beginning, and `jitter` in seconds. */
export interface Received {
  readonly ssrc: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly jitter: number;
  readonly freezes: number;
  /** Frames of video that have come completely, and those of them that were decoded. */
  readonly frames: number;
  readonly decoded: number;
}

/** A stream is weak above this fraction of lost packets or this jitter (seconds), until so many good seconds follow. */
export const LOSS = 0.05;
export const JITTER = 0.1;
export const WELL = 3;
/** Minimum number of packets in a second for a meaningful loss fraction. */
const FEW = 10;
/**
 * The computer is busy after so many seconds in a row in which less than this part of a stream's frames were decoded,
 * although nothing was lost, until so many good seconds follow.
 */
export const DECODED = 0.7;
export const BUSY_AFTER = 3;
export const BUSY_WELL = 5;
/** Minimum number of frames in a second for that. */
const FRAMES = 5;

/** Judges all streams, once a second. */
export class Weakness {
  #before = new Map<number, Received>();
  readonly #weak = new Map<number, number>();
  #slow = 0;
  #well = 0;

  /** Whether this computer does not keep up with what comes. */
  get busy(): boolean {
    return this.#well > 0;
  }

  /** Return the SSRCs of the streams that are weak now. */
  judge(all: readonly Received[]): Set<number> {
    let isSlow = false;
    for (const now of all) {
      const before = this.#before.get(now.ssrc);
      if (before === undefined) continue;
      const lost = Math.max(0, now.packetsLost - before.packetsLost);
      const came = now.packetsReceived - before.packetsReceived;
      const frames = now.frames - before.frames;
      const decoded = now.decoded - before.decoded;
      // without a key frame nothing is decoded: that is no lack of time
      const slow = lost === 0 && frames >= FRAMES && decoded > 0 && decoded < DECODED * frames;
      isSlow ||= slow;
      const bad =
        (lost + came >= FEW && lost / (lost + came) > LOSS) ||
        (came > 0 && now.jitter > JITTER) ||
        (now.freezes > before.freezes && !slow && !this.busy);
      const left = bad ? WELL : (this.#weak.get(now.ssrc) ?? 0) - 1;
      if (left > 0) this.#weak.set(now.ssrc, left);
      else this.#weak.delete(now.ssrc);
    }
    this.#slow = isSlow ? this.#slow + 1 : 0;
    this.#well = this.#slow >= BUSY_AFTER ? BUSY_WELL : Math.max(0, this.#well - (isSlow ? 0 : 1));
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
    const [frames, decoded] = [count("framesReceived"), count("framesDecoded")];
    all.push({ ssrc, packetsReceived, packetsLost, jitter: count("jitter"), freezes, frames, decoded });
  });
  return all;
}

/** The last second of one stream, received or sent. */
export interface Rate {
  /** Bits a second, and the fraction of packets that were lost. */
  readonly bits: number;
  readonly loss: number;
  /** Size of the video in pixels, and its frames a second; 0: unknown, or sound. */
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  /** Why our browser sends smaller video than it could; null: it doesn't, or the stream is another's. */
  readonly limit: "cpu" | "bandwidth" | null;
}

type Stats = Readonly<Record<string, unknown>>;

const field = (stats: Stats | undefined, name: string): number => {
  const value = stats?.[name];
  return typeof value === "number" ? value : 0;
};

/** Computes rates from the differences of two reports. */
export class Rates {
  #before = new Map<number, Stats>();

  /** Return the rates since the report before, by SSRC. */
  judge(report: { forEach(each: (stats: Stats) => void): void }): Map<number, Rate> {
    const now = new Map<number, Stats>();
    const answers = new Map<number, Stats>();
    report.forEach((stats) => {
      const { type } = stats;
      if (type === "inbound-rtp" || type === "outbound-rtp") now.set(field(stats, "ssrc"), stats);
      // the receiver's reports on what we send
      if (type === "remote-inbound-rtp") answers.set(field(stats, "ssrc"), stats);
    });
    const rates = new Map<number, Rate>();
    for (const [ssrc, stats] of now) {
      const before = this.#before.get(ssrc);
      const seconds = (field(stats, "timestamp") - field(before, "timestamp")) / 1000;
      if (before === undefined || seconds <= 0) continue;
      const more = (name: string): number => Math.max(0, field(stats, name) - field(before, name));
      const [came, lost] = [more("packetsReceived"), more("packetsLost")];
      const { qualityLimitationReason: limit } = stats;
      rates.set(ssrc, {
        bits: (8 * (more("bytesReceived") + more("bytesSent"))) / seconds,
        loss: answers.has(ssrc) ? field(answers.get(ssrc), "fractionLost") : lost / Math.max(1, came + lost),
        width: field(stats, "frameWidth"),
        height: field(stats, "frameHeight"),
        frames: field(stats, "framesPerSecond"),
        limit: limit === "cpu" || limit === "bandwidth" ? limit : null,
      });
    }
    this.#before = now;
    return rates;
  }
}
