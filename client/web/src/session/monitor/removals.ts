/** Removals on their way to the others: hosts read whom each has not reached, and how long that can last. */
import * as sentences from "../catalogue/sentences";
import type { Room } from "../kernel/ports";
import type { MemberTable } from "./memberTable";

/** Seconds after which a report names the members that a removal has not reached. */
export const REMOVAL_WAIT = 10;
/** Removals that are remembered. */
export const REMOVALS_MAX = 8;

/** A removal on its way to the others. */
interface Removal {
  readonly slot: number;
  readonly names: readonly string[];
  readonly waiting: Set<number>;
  readonly total: number;
  /** A host was removed: its word still counts where the removal has not arrived. */
  readonly host: boolean;
  readonly at: number;
  told: boolean;
}

/** The last removals, each until it has reached everybody. */
export class Removals {
  readonly #room: Room;
  readonly #members: MemberTable;
  #removals: Removal[] = [];

  constructor(room: Room, members: MemberTable) {
    this.#room = room;
    this.#members = members;
  }

  /** Track the removal, in the current slot, of the members with those names, if we are a host; `host`: one was a host. */
  track(names: readonly string[], now: number, host: boolean): void {
    const { others } = this.#members;
    if (!this.#members.host || others.size === 0) return;
    const { slot } = this.#room.membership.journal;
    this.#removals.push({
      slot, names, waiting: new Set(others.keys()), total: others.size, host, at: now, told: false,
    });
    this.#removals = this.#removals.slice(-REMOVALS_MAX);
  }

  /** Process the slot that a member has reached. */
  heard(leaf: number, slot: number): void {
    for (const removal of this.#removals) if (slot >= removal.slot) removal.waiting.delete(leaf);
  }

  /**
   * Report removals that have reached everybody, and those that take too long.
   *
   * `lease`: the seconds for which a member goes on at most that hears of no host any more.
   */
  judge(now: number, lease: number): void {
    for (const removal of [...this.#removals]) {
      for (const leaf of [...removal.waiting])
        if (!this.#members.others.has(leaf)) removal.waiting.delete(leaf);
      const { names, total } = removal;
      if (removal.waiting.size === 0) this.#removals = this.#removals.filter((each) => each !== removal);
      else if (removal.told || now - removal.at <= REMOVAL_WAIT) continue;
      removal.told = true;
      const missing = this.#members.names(removal.waiting);
      if (missing.length === 0) {
        this.#room.tell(sentences.status("removal_reach.all", { names, total }));
        continue;
      }
      const seconds = Math.ceil(removal.at + lease - now);
      const key = seconds > 0 && this.#hasEnd(removal) ? "removal_reach.bound" : "removal_reach";
      this.#room.tell(sentences.status(key, { names, total, reached: total - missing.length, missing, seconds }));
    }
  }

  /** Return whether those it has not reached stop by themselves: they have no host, or are too few. */
  #hasEnd({ waiting, names, total, host }: Removal): boolean {
    const hosts = host || [...waiting].some((leaf) => this.#members.others.get(leaf));
    return !hosts || 2 * (waiting.size + names.length) <= 1 + total + names.length;
  }
}
