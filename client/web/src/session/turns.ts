/**
 * Whose turn it is to commit what nobody in particular has to: healing, and farewells of those who leave.
 *
 * All members reckon alike, and wait by their rank, so that mostly one commits and another steps in only
 * when that one does not.
 */
import type { FarewellIntent } from "./intents";

/** Seconds between two healing commits, at least, and for the whole room to come round. */
export const HEAL_LEAST = 10;
export const HEAL_ROUND = 300;
/** Seconds that each next in rank waits longer. */
export const HEAL_STEP = 5;
export const FAREWELL_STEP = 1;

function rank(order: readonly number[], own: number): number {
  const at = order.indexOf(own);
  return at < 0 ? order.length : at;
}

/** Who has committed when, and who wants to leave. */
export class Turns {
  readonly #healed: Map<number, number>;
  readonly #farewells = new Map<number, readonly [FarewellIntent, number]>();

  constructor(leaves: Iterable<number>, now: number) {
    this.#healed = new Map(Array.from(leaves, (leaf) => [leaf, now]));
  }

  /** A commit was adopted. Proposals end with their epoch: who still leaves proposes again. */
  committed(by: number, added: Iterable<number>, removed: Iterable<number>, now: number): void {
    this.#healed.set(by, now);
    for (const leaf of removed) this.#healed.delete(leaf);
    for (const leaf of added) this.#healed.set(leaf, now);
    this.#farewells.clear();
  }

  /** Whether `own` should commit an empty path: every max(10 s, 300 s / N) the longest unhealed does. */
  healNow(leaves: readonly number[], own: number, now: number): boolean {
    if (leaves.length < 2) return false;
    const healed = (leaf: number) => this.#healed.get(leaf) ?? 0;
    const period = Math.max(HEAL_LEAST, HEAL_ROUND / leaves.length);
    const last = Math.max(...leaves.map(healed));
    const order = [...leaves].sort((a, b) => healed(a) - healed(b) || a - b);
    return now - last >= period + HEAL_STEP * rank(order, own);
  }

  /** A member has proposed its own removal. */
  leavesUs(farewell: FarewellIntent, now: number): void {
    this.#farewells.set(farewell.leaf, [farewell, now]);
  }

  /** Those for `own` to commit; `members` are (leaf, whether a host): hosts go first. */
  farewellsDue(members: readonly (readonly [number, boolean])[], own: number, now: number): FarewellIntent[] {
    const order = [...members]
      .sort((a, b) => Number(b[1]) - Number(a[1]) || a[0] - b[0])
      .map(([leaf]) => leaf);
    const ours = rank(
      order.filter((leaf) => !this.#farewells.has(leaf)),
      own,
    );
    return [...this.#farewells.values()]
      .filter(([, since]) => now - since >= FAREWELL_STEP * ours)
      .map(([farewell]) => farewell);
  }
}
