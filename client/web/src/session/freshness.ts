/**
 * How long it may be taken for granted that we stand where the others stand (protocol section 7).
 *
 * Each other member's word holds for a while: until then it has told us, lately, that it is in our epoch, or
 * in one that ours has followed lately. Sound and pictures are sealed only while the words of a host and of
 * enough others hold; else whoever a withheld removal has evicted could go on listening.
 */

/** Times are seconds; nothing here looks at a clock. */
export class Freshness {
  readonly #until = new Map<number, number>();

  /** A leaf's word holds until then; what held longer goes on to. */
  word(leaf: number, until: number): void {
    this.#until.set(leaf, Math.max(until, this.of(leaf)));
  }

  /** Until when a leaf's word holds; 0 if it has given none. */
  of(leaf: number): number {
    return this.#until.get(leaf) ?? 0;
  }

  /** Nobody, or another, is at that leaf now. */
  forget(leaf: number): void {
    this.#until.delete(leaf);
  }

  /** Leaves whose word does not hold. */
  missing(others: ReadonlyMap<number, boolean>, now: number): number[] {
    return [...others.keys()].filter((leaf) => this.of(leaf) <= now);
  }

  /**
   * The time until which we may go on; infinity when alone.
   *
   * `others` says of each leaf but ours whether a host sits there; `host`: one sits at ours. Needed are one
   * host, if any is in the tree, and with ourselves more than half of all, so that of two halves of a room at
   * most one goes on.
   */
  until(others: ReadonlyMap<number, boolean>, host: boolean): number {
    if (others.size === 0) return Infinity;
    const times = [...others.keys()].map((leaf) => this.of(leaf)).sort((a, b) => b - a);
    const enough = times[Math.ceil(others.size / 2) - 1] ?? 0;
    const hosts = [...others].filter(([, isHost]) => isHost).map(([leaf]) => this.of(leaf));
    return host || hosts.length === 0 ? enough : Math.min(enough, Math.max(...hosts));
  }
}
