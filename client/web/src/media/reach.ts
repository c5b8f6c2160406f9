/**
 * The paths to the media server: the candidates for the browser, and the time of the next ICE restart.
 *
 * The browser selects the path: UDP if it passes, TCP (RFC 6544) if only TCP passes, a relay if neither does.
 */
import type { Turn } from "../wire/messages";

/** The addresses of a server, which share one port; `tcp`: the server accepts ICE over TCP on that port too. */
export interface Reached {
  readonly address: string | null;
  readonly port: number;
  readonly others?: readonly string[];
  readonly tcp?: boolean;
}

const IP = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]{2,39}(?:\d{1,3}(?:\.\d{1,3}){3})?)$/i;

/** Return all addresses of the server; an empty list while they are unknown. */
export const addresses = ({ address, others = [] }: Reached): string[] => (address === null ? [] : [address, ...others]);

/** Return whether all addresses of the server are loopback addresses, none of which Firefox reaches. */
export const isInside = (server: Reached): boolean =>
  server.address !== null && addresses(server).every((address) => /^127\.|^::1$/.test(address));

/** Return whether the server's port and addresses are safe to write in a session description. */
export const isReachable = (server: Reached): boolean =>
  Number.isInteger(server.port) && addresses(server).every((address) => IP.test(address));

/** Return candidates as lines without `a=`: UDP at each address before TCP at any, in order (RFC 8445 5.1.2.1). */
export function candidates(server: Reached): string[] {
  const all = addresses(server);
  const lines = all.map((address, i) => {
    const priority = 126 * 2 ** 24 + (65_535 - i) * 256 + 255;
    return `candidate:${i + 1} 1 udp ${priority} ${address} ${server.port} typ host`;
  });
  if (server.tcp !== true) return lines;
  return lines.concat(
    all.map((address, i) => {
      // RFC 6544 4.2: a lower type preference than UDP, and the direction preference of a passive candidate
      const priority = 90 * 2 ** 24 + (2 * 8192 + 8191 - i) * 256 + 255;
      return `candidate:${all.length + i + 1} 1 tcp ${priority} ${address} ${server.port} typ host tcptype passive`;
    }),
  );
}

/** Return the relays in the form that RTCPeerConnection takes. */
export const relays = (turn: readonly Turn[] | undefined): RTCIceServer[] =>
  (turn ?? []).map(({ urls, username, credential }) => ({ urls, username, credential }));

/** Seconds between two checks, and of silence that mean a broken network: the server sends twice a second. */
export const LISTEN = 0.4;
export const QUIET = 1.3;
/** Seconds until the next restart; the delay doubles each time, and the last value repeats. */
const AGAIN = [3, 6, 12] as const;

/** Decides when to restart ICE, by the growth of the received bytes. */
export class Silence {
  #heard = -1;
  #at = Number.NaN;
  #tried = -Infinity;
  #tries = 0;
  #changed = false;

  /** Take note that the browser reports another network: the next restart need not wait for silence. */
  changed(): void {
    this.#changed = true;
  }

  /** Return whether to restart now. `heard`: total received so far (see `heard`); `now` in seconds. */
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

/** Return the bytes received on all paths, plus the number of answers to ICE checks, of a browser's report. */
export function heard(report: RTCStatsReport): number {
  let all = 0;
  report.forEach((stats: Readonly<Record<string, unknown>>) => {
    if (stats["type"] !== "candidate-pair" && stats["type"] !== "transport") return;
    for (const name of ["bytesReceived", "responsesReceived"]) all += typeof stats[name] === "number" ? stats[name] : 0;
  });
  return all;
}
