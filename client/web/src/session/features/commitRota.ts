/**
 * The order in which members make commits that any of them can make: healing, and removals of leavers.
 *
 * All members compute the same order and wait by rank: usually one commits, and the next steps in only if it does
 * not.
 */
import type { SelfRemoveIntent } from "../kernel/intents";

/** Minimum seconds between two healing commits, and seconds for one round of the whole room. */
export const HEAL_INTERVAL_MIN = 10;
export const HEAL_ROUND = 300;
/** Extra seconds that each next rank waits. */
export const HEAL_STEP = 5;
export const SELF_REMOVE_STEP = 1;
/**
 * Slots without a commit of a host after which a host commits, half of those after which a member may commit a
 * host's return (SNUG-9). Each next rank waits one more.
 */
export const HOST_SLOTS = 8;

function rank(order: readonly number[], own: number): number {
  const at = order.indexOf(own);
  return at < 0 ? order.length : at;
}

/** The times of the members' commits, and the pending proposals of leavers. */
export class CommitRota {
  readonly #healed: Map<number, number>;
  readonly #selfRemoves = new Map<number, readonly [SelfRemoveIntent, number]>();

  constructor(leaves: Iterable<number>, now: number) {
    this.#healed = new Map(Array.from(leaves, (leaf) => [leaf, now]));
  }

  /** Record an adopted commit. Proposals end with their epoch: a remaining leaver proposes again. */
  committed(by: number, added: Iterable<number>, removed: Iterable<number>, now: number): void {
    this.#healed.set(by, now);
    for (const leaf of removed) this.#healed.delete(leaf);
    for (const leaf of added) this.#healed.set(leaf, now);
    this.#selfRemoves.clear();
  }

  /**
   * Return whether `own` should commit an empty path now.
   *
   * Every max(10 s, 300 s / N) the member that has not committed for longest does; each next rank waits longer.
   */
  healDue(leaves: readonly number[], own: number, now: number): boolean {
    if (leaves.length < 2) return false;
    const healed = (leaf: number) => this.#healed.get(leaf) ?? 0;
    const period = Math.max(HEAL_INTERVAL_MIN, HEAL_ROUND / leaves.length);
    const last = Math.max(...leaves.map(healed));
    if (now - last < period) return false;
    const order = [...leaves].sort((a, b) => healed(a) - healed(b) || a - b);
    return now - last >= period + HEAL_STEP * rank(order, own);
  }

  /** Record a member's proposal to remove itself. */
  addSelfRemove(selfRemove: SelfRemoveIntent, now: number): void {
    this.#selfRemoves.set(selfRemove.leaf, [selfRemove, now]);
  }

  /** Return the proposals of leavers for `own` to commit; `members` are (leaf, whether a host); hosts commit first. */
  selfRemovesDue(members: readonly (readonly [number, boolean])[], own: number, now: number): SelfRemoveIntent[] {
    if (this.#selfRemoves.size === 0) return [];
    const order = [...members]
      .sort((a, b) => Number(b[1]) - Number(a[1]) || a[0] - b[0])
      .map(([leaf]) => leaf);
    const ours = rank(
      order.filter((leaf) => !this.#selfRemoves.has(leaf)),
      own,
    );
    return [...this.#selfRemoves.values()]
      .filter(([, since]) => now - since >= SELF_REMOVE_STEP * ours)
      .map(([selfRemove]) => selfRemove);
  }
}
