/** How long a client waits before it connects again: full jitter, so that a crowd does not return at once. */
import type { Rng } from "../../crypto/bytes";

/** Seconds in which the first try falls; each failure doubles them, up to the second number. */
export const FIRST = 0.5;
export const MOST = 4;

/**
 * Return the seconds before the next try, at most `most`, after so many failures in a row.
 *
 * The whole span is random, not a part of it: with a fixed part, clients that lost one server together would return
 * together.
 */
export function delay(failures: number, rng: Rng, most = MOST): number {
  const span = Math.min(FIRST * 2 ** Math.min(failures, 8), most);
  const drawn = rng(4).reduce((all, byte) => all * 256 + byte, 0);
  return (span * drawn) / 2 ** 32;
}
