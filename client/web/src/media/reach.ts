/**
 * By which ways the media server may be reached: what the browser is told of them, and when another try is due.
 *
 * The browser chooses: UDP where it passes, TCP (RFC 6544) where only that does, a relay where neither does.
 */
import type { Turn } from "../wire/messages";

/** The addresses of a server, all with one port; `tcp`: it takes ICE over TCP there too. */
export interface Reached {
  readonly address: string | null;
  readonly port: number;
  readonly others?: readonly string[];
  readonly tcp?: boolean;
}

const IP = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]{2,39}(?:\d{1,3}(?:\.\d{1,3}){3})?)$/i;

/** All of its addresses; none that isn't told yet. */
export const addresses = ({ address, others = [] }: Reached): string[] => (address === null ? [] : [address, ...others]);

/** Whether what a server tells can stand in a description. */
export const isReachable = (server: Reached): boolean =>
  Number.isInteger(server.port) && addresses(server).every((address) => IP.test(address));

/** Its candidates, as lines without `a=`: UDP at each address before TCP at any, in the order told (RFC 8445 5.1.2.1). */
export function candidates(server: Reached): string[] {
  const all = addresses(server);
  const lines = all.map((address, i) => {
    const priority = 126 * 2 ** 24 + (65_535 - i) * 256 + 255;
    return `candidate:${i + 1} 1 udp ${priority} ${address} ${server.port} typ host`;
  });
  if (server.tcp !== true) return lines;
  return lines.concat(
    all.map((address, i) => {
      // RFC 6544 4.2: below UDP's, the direction preference of a passive one
      const priority = 90 * 2 ** 24 + (2 * 8192 + 8191 - i) * 256 + 255;
      return `candidate:${all.length + i + 1} 1 tcp ${priority} ${address} ${server.port} typ host tcptype passive`;
    }),
  );
}

/** Relays, as RTCPeerConnection wants them. */
export const relays = (turn: readonly Turn[] | undefined): RTCIceServer[] =>
  (turn ?? []).map(({ urls, username, credential }) => ({ urls, username, credential }));

/** Seconds between two looks, and without anything heard until it is the network: the server speaks twice a second. */
export const LISTEN = 0.4;
export const QUIET = 1.3;
/** Seconds until the same is tried once more; twice as long each time, up to the last. */
const AGAIN = [3, 6, 12] as const;

/** When to begin anew, by how much has been heard. */
export class Silence {
  #heard = -1;
  #at = Number.NaN;
  #tried = -Infinity;
  #tries = 0;
  #changed = false;

  /** The browser says that the network is another: there is nothing to wait for. */
  changed(): void {
    this.#changed = true;
  }

  /** Whether to begin anew now. `heard` grows with all that comes; `now` in seconds. */
  judge(heard: number, now: number): boolean {
    if (heard !== this.#heard || Number.isNaN(this.#at)) {
      [this.#heard, this.#at] = [heard, now];
      if (now - this.#tried > QUIET) this.#tries = 0;
    }
    const due = now - this.#tried >= (AGAIN[Math.min(this.#tries, AGAIN.length) - 1] ?? 0);
    if (!due || (now - this.#at < QUIET && !this.#changed)) return false;
    this.#changed = false;
    this.#tried = now;
    this.#tries += 1;
    return true;
  }
}

/** Bytes that came by all ways, and answers to checks, of a browser's report. */
export function heard(report: RTCStatsReport): number {
  let all = 0;
  report.forEach((stats: Readonly<Record<string, unknown>>) => {
    if (stats["type"] !== "candidate-pair" && stats["type"] !== "transport") return;
    for (const name of ["bytesReceived", "responsesReceived"]) all += typeof stats[name] === "number" ? stats[name] : 0;
  });
  return all;
}
