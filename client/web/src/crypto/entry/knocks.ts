/** A host's record of invites and knocks (docs/reference/protocol.md, section 4). */

import { hex } from "../bytes";
import { StateError } from "../errors";
import { H } from "../kdf";
import type { OpenedKnock } from "./hostsLobby";

/** Knocks waiting for the host's decision, for all invites together. */
export const PENDING_MAX = 256;
/** How long a knock waits for the host's decision, in seconds. Afterwards the newcomer knocks again. */
export const PENDING_LIFETIME = 600;
/** Number of remembered KeyPackages. The cards of older ones expired long ago. */
export const SEEN_MAX = 4096;

export type Reason = "unknown" | "revoked" | "used" | "expired" | "seen" | "pending" | "full";

/** The knock is to be shown to the host, under this id. */
export interface Accepted {
  readonly type: "Accepted";
  readonly id: number;
}

/** The knock is not shown, for this reason. */
export interface Ignored {
  readonly type: "Ignored";
  readonly reason: Reason;
}

/** A knock that has waited for the host's decision since `since` (Unix seconds). */
export interface Waiting {
  readonly id: number;
  readonly knock: OpenedKnock;
  readonly since: number;
}

/**
 * A host's record of invites and knocks. No clock and no I/O: callers pass `now` (Unix seconds).
 *
 * `each` limits the knocks that wait at the same time per open invite (always one for a single-use invite);
 * the protocol's default is one. `nextNumber` gives the ids under which knocks wait, from 1 up if it is null.
 */
export class Knocks {
  readonly #each: number;
  readonly #single = new Map<number, boolean>();
  readonly #revoked = new Set<number>();
  readonly #used = new Set<number>();
  readonly #seen = new Set<string>();
  #waiting = new Map<number, Waiting>();
  #last = 0;
  readonly #nextNumber: () => number;

  constructor(each = 1, nextNumber: (() => number) | null = null) {
    this.#each = each;
    this.#nextNumber = nextNumber ?? (() => ++this.#last);
  }

  /** Register a new invite. StateError if its index is registered already. */
  issue(index: number, single: boolean): void {
    if (this.#single.has(index)) throw new StateError(`invite ${index} has been issued before`);
    this.#single.set(index, single);
  }

  /** Invalidate the invite and drop the knocks that wait on it. */
  revoke(index: number): void {
    this.#revoked.add(index);
    this.#keep((waiting) => waiting.knock.index !== index);
  }

  /** Mark invites as used by an admitted member, through any host; a single-use invite is then spent. */
  use(indices: Iterable<number>): void {
    for (const index of indices) {
      this.#used.add(index);
      if (this.#single.get(index)) this.#keep((waiting) => waiting.knock.index !== index);
    }
  }

  /**
   * Decide whether to show the knock to the host. An ignored knock does not change the record.
   *
   * `again`: the invite may have been used, by the silent member whose place the newcomer takes.
   */
  consider(opened: OpenedKnock, now: number, again = false): Accepted | Ignored {
    this.#expire(now);
    const mark = hex(H(opened.keyPackage));
    const reason = this.#objection(opened, mark, now, again);
    if (reason !== null) return { type: "Ignored", reason };
    const id = this.#nextNumber();
    this.#wait(id, opened, mark, now);
    return { type: "Accepted", id };
  }

  /** Let a newer knock of the same person wait in place of `id`; return whether it may. */
  renew(id: number, opened: OpenedKnock, now: number): boolean {
    this.#expire(now);
    const mark = hex(H(opened.keyPackage));
    if (!this.#waiting.has(id) || now >= opened.expiry || this.#seen.has(mark)) return false;
    this.#wait(id, opened, mark, now);
    return true;
  }

  #wait(id: number, knock: OpenedKnock, mark: string, now: number): void {
    this.#waiting.set(id, { id, knock, since: now });
    this.#seen.add(mark);
    const [oldest] = this.#seen;
    if (this.#seen.size > SEEN_MAX && oldest !== undefined) this.#seen.delete(oldest);
  }

  #objection(opened: OpenedKnock, mark: string, now: number, again: boolean): Reason | null {
    const { index } = opened;
    const single = this.#single.get(index);
    if (single === undefined) return "unknown";
    if (this.#revoked.has(index)) return "revoked";
    if (single && this.#used.has(index) && !again) return "used";
    if (now >= opened.expiry) return "expired";
    if (this.#seen.has(mark)) return "seen";
    const waiting = [...this.#waiting.values()].filter(({ knock }) => knock.index === index).length;
    if (waiting >= (single ? 1 : this.#each)) return "pending";
    return this.#waiting.size >= PENDING_MAX ? "full" : null;
  }

  /** Return the waiting knocks, longest wait first. */
  waiting(now: number): Waiting[] {
    this.#expire(now);
    return [...this.#waiting.values()];
  }

  /**
   * Remove and return knock `id`, which the host has decided about.
   *
   * StateError if no such knock waits. After the commit of its Add, call `use`.
   */
  take(id: number, now: number): OpenedKnock {
    this.#expire(now);
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) throw new StateError(`nobody waits under the number ${id}`);
    this.#waiting.delete(id);
    return waiting.knock;
  }

  #expire(now: number): void {
    this.#keep(({ since }) => now < since + PENDING_LIFETIME);
  }

  #keep(stays: (waiting: Waiting) => boolean): void {
    this.#waiting = new Map([...this.#waiting].filter(([, waiting]) => stays(waiting)));
  }
}
