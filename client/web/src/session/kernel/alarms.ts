/**
 * Alarms that one cause repeats: told once, then counted.
 *
 * A member or the server can repeat some acts many times a minute. The first is told at once; all further ones become
 * one alarm that is told anew with a count, so that the other alarms stay readable.
 */
import { sentence } from "../../words/sentence";
import type { Effect, EventOf } from "../events";

/** Alarms about single acts that others can repeat. Each act of one author is the same cause. */
export const REPEATABLE: ReadonlySet<string> = new Set([
  "gate_denied",
  "receipt",
  "two_stories",
  "void_commit",
  "wrong_gate",
]);
/** Seconds without another one until the next counts as a new cause. */
export const QUIET_AFTER = 60;
/** Seconds between two updates of a count. */
export const UPDATE_EVERY = 10;
/** Causes that are counted at a time: names are chosen by members. */
export const CAUSES_MAX = 64;

type Alarm = EventOf<"Alarm">;

interface Cause {
  readonly first: Alarm;
  lastAt: number;
  toldAt: number;
  count: number;
  told: number;
}

/** The causes of the last minute. */
export class RepeatedAlarms {
  readonly #causes = new Map<string, Cause>();

  /** Return the effects to perform now: with the counted alarms that are due, without all others. */
  merged(effects: readonly Effect[], now: number): Effect[] {
    const told = effects.filter((effect) => this.isNew(effect, now));
    return [...told, ...this.due(now).map((event): Effect => ({ type: "Tell", event }))];
  }

  /** Return false if an alarm is not to be performed now, because its cause is known: `due` tells it. */
  isNew(effect: Effect, now: number): boolean {
    if (effect.type !== "Tell" || effect.event.type !== "Alarm" || !REPEATABLE.has(effect.event.kind)) return true;
    const alarm = effect.event;
    const key = JSON.stringify([alarm.kind, alarm.text.args?.["who"] ?? null]);
    const cause = this.#causes.get(key);
    if (cause !== undefined) {
      cause.count++;
      cause.lastAt = now;
      return false;
    }
    if (this.#causes.size < CAUSES_MAX)
      this.#causes.set(key, { first: alarm, lastAt: now, toldAt: now, count: 1, told: 1 });
    return true;
  }

  /** Return the counted alarms that are to be told now. */
  due(now: number): Alarm[] {
    const told: Alarm[] = [];
    for (const [key, cause] of this.#causes) {
      const { first, count } = cause;
      if (count > cause.told && now - cause.toldAt >= UPDATE_EVERY) {
        cause.told = count;
        cause.toldAt = now;
        told.push({ ...first, text: sentence("room.repeated", { alarm: first.text, count }), count });
      } else if (now - cause.lastAt > QUIET_AFTER) this.#causes.delete(key);
    }
    return told;
  }
}
