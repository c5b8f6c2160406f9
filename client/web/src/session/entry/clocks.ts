/**
 * Clocks that disagree: a newcomer has refused a host's card for its time, and both sides are told.
 *
 * Protocol section 4. A card that a server repeats is no sign of a wrong clock: a host reacts only to a report that
 * names one of its current cards.
 */
import { CARD_LIFETIME, type Card, CLOCK_SKEW, type ClockReport } from "../../crypto/entry/lobby";
import { type Sentence, sentence } from "../../words/sentence";
import * as sentences from "../catalogue/sentences";
import type { EventOf } from "../events";

/** Seconds between two reports of one newcomer, and between two reports that a host is told. */
export const REPORT_EVERY = 30;
export const TELL_EVERY = 600;
/** Seconds without any card before a newcomer is told its date: lobbies are of one day. */
export const NO_CARD = 30;

/** Return whether a newcomer's clock differs from ours by no more than clocks may. */
export const isTolerated = (report: ClockReport, now: number): boolean => Math.abs(report.at - now) < CLOCK_SKEW;

/** Return what a newcomer is told that has refused a card for its time. */
export function refusedCard(card: Card, now: number): EventOf<"Status"> {
  const made = card.expiry - CARD_LIFETIME;
  const fast = now > made;
  const apart = fast ? now - card.expiry : made - now;
  return sentences.status(fast ? "clock.fast" : "clock.slow", { minutes: Math.max(1, Math.floor(apart / 60)) });
}

/** Return what a newcomer is told that has had no card at all. */
export const noCard = (now: number): EventOf<"Status"> =>
  sentences.status("clock.date", { seconds: NO_CARD, date: new Date(now * 1000).toISOString().slice(0, 10) });

/**
 * Return what a host is told about a newcomer whose clock differs from ours by `apart` seconds.
 *
 * `others`: the differences of the other members' clocks from ours. The clock that is further from their median looks
 * wrong.
 */
export function report(apart: number, others: readonly number[]): EventOf<"Status"> {
  if (others.length === 0) return sentences.status("clock.either", { how: how(apart) });
  const middle = median(others);
  if (Math.abs(middle) > Math.abs(apart - middle)) return sentences.status("clock.ours", { how: how(-middle) });
  return sentences.status("clock.theirs", { how: how(apart) });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1] ?? 0, sorted[sorted.length >> 1] ?? 0];
  return (low + high) / 2;
}

const how = (apart: number): Sentence =>
  sentence(apart > 0 ? "clock.ahead" : "clock.behind", {
    minutes: Math.max(1, Math.floor(Math.abs(apart) / 60 + 0.5)),
  });
