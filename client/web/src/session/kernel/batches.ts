/** Newcomers whom one commit adds together: how many, and when. */
import { ADDS_MAX } from "../../crypto/agreed/policy";
import { SnugError } from "../../crypto/errors";
import type { AddIntent, Intent } from "./intents";

/** Minimum seconds between two commits of newcomers, unless other intents or a full batch wait. */
export const ADDS_EVERY = 0.4;

export const isAdd = (intent: Intent): intent is AddIntent => intent.type === "AddIntent";

/** The rules of a room: `Membership` applies them. */
export interface Rules {
  /** ValidationError if the commit for these intents breaks a rule. */
  check(intents: readonly Intent[]): Promise<void>;
}

/** Chooses the intents of each commit: the first newcomer goes at once, later ones go together. */
export class Batches {
  /** When the last commit of newcomers went out. */
  #sentAt = -Infinity;
  /** Newcomers in one commit. */
  #most = ADDS_MAX;

  /** Return the intents of the next commit: one, or newcomers; none while newcomers wait for more. */
  next(intents: readonly Intent[], now: number): readonly Intent[] {
    const adds = firstNewcomers(intents, this.#most);
    if (adds.length === 0) return intents.slice(0, 1);
    const alone = adds.length === intents.length && adds.length < this.#most;
    return alone && now - this.#sentAt < ADDS_EVERY ? [] : adds;
  }

  /** Record the commit that goes out. */
  sent(batch: readonly Intent[], now: number): void {
    if (batch.some(isAdd)) this.#sentAt = now;
  }

  /** Have newcomers wait no longer: another commit has taken the slot of theirs. */
  slotLost(): void {
    this.#sentAt = -Infinity;
  }

  /** Try with more newcomers after a commit that came through. */
  adopted(): void {
    this.#most = Math.min(ADDS_MAX, 2 * this.#most);
  }

  /** Return whether a commit that fails as a whole has one intent; otherwise try with half of them. */
  givesUp(batch: readonly Intent[]): boolean {
    this.#sentAt = -Infinity;
    this.#most = batch.length >> 1 || ADDS_MAX;
    return batch.length === 1;
  }

  /**
   * Return the intent that keeps a commit from being made, and why; null to try with fewer.
   *
   * MLS does not say which newcomer breaks a rule of its own.
   */
  async refused(
    rules: Rules,
    batch: readonly Intent[],
    error: unknown,
  ): Promise<readonly [Intent | undefined, unknown] | null> {
    const found = await firstRefused(rules, batch.filter(isAdd));
    return found ?? (this.givesUp(batch) ? [batch[0], error] : null);
  }
}

/**
 * Return the newcomers at the beginning of the queue, at most that many.
 *
 * Newcomers behind another intent wait for it: a host that locks the room admits nobody after that.
 */
export function firstNewcomers(intents: readonly Intent[], most: number): readonly AddIntent[] {
  const other = intents.findIndex((intent) => !isAdd(intent));
  return intents.slice(0, other < 0 ? most : Math.min(other, most)).filter(isAdd);
}

/**
 * Return the first newcomer whom a rule keeps out, and the error; null if no rule keeps anybody out.
 *
 * The rules compare a newcomer with the members and with the newcomers before it only. So the search can halve the
 * batch: with a newcomer who is kept out, each longer part of the batch breaks a rule too.
 */
export async function firstRefused(
  rules: Rules,
  batch: readonly AddIntent[],
): Promise<readonly [AddIntent, SnugError] | null> {
  let [allowed, refused] = [0, batch.length + 1];
  let why: SnugError | null = null;
  while (refused - allowed > 1) {
    const middle = Math.min((allowed + refused) >> 1, batch.length);
    try {
      await rules.check(batch.slice(0, middle));
      allowed = middle;
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
      [refused, why] = [middle, error];
    }
  }
  const newcomer = batch[refused - 1];
  return why === null || newcomer === undefined ? null : [newcomer, why];
}
