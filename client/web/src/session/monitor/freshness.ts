/**
 * How long this member may assume that the others share its epoch (protocol section 7).
 *
 * After coming in, we seal and say nothing until the members have answered us (`Beginning`). Then a confirmation is a
 * member's recent signed statement that it is in our epoch, or in one that ours has lately followed; it holds for a
 * while. Audio and video are sealed only while the confirmations of more than half hold, and the lease that a host's
 * confirmation gives. Otherwise a member evicted by a withheld removal could go on listening.
 */

/** Seconds for which a member's confirmation holds, or that many beat intervals if they are longer. */
export const FRESH = [15, 3] as const;
/**
 * Seconds for which a host's confirmation lets more than half go on without another one of a host, since we sent the
 * beat that it acknowledges: delaying it gains nothing. In strict meetings it is `FRESH`.
 */
export const LEASE = 65;
/** Maximum age of our acknowledged beat: a held-back beat is not fresh. */
export const ECHO = [25, 5] as const;
/**
 * Seconds on a new connection before lost freshness is reported (after coming in, a beat interval if longer): the others
 * beat when they see us.
 */
export const RETURN = [8, 1] as const;

/**
 * Whether the others have answered us since we came in: an answer from the lobby may be old.
 *
 * It says that we are in the room as it was then. A server that holds it back, and serves us that room, could have us
 * talk to a member that was evicted since. Nobody there can answer our heartbeats as a host.
 */
export class Beginning {
  /** The members that were here before us: only heartbeats that answer ours count. */
  readonly beforeUs: Set<number>;
  /** Whether we may speak. */
  over: boolean;
  readonly #answered = new Set<number>();

  constructor(others: Iterable<number>) {
    this.beforeUs = new Set(others);
    this.over = this.beforeUs.size === 0;
  }

  /** Record a member's answer to a heartbeat of ours, and judge. */
  answered(leaf: number, others: ReadonlyMap<number, boolean>): void {
    this.#answered.add(leaf);
    this.over ||= this.#isEnough(others);
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number, others: ReadonlyMap<number, boolean>): void {
    this.beforeUs.delete(leaf);
    this.#answered.delete(leaf);
    this.over ||= others.size === 0;
  }

  /** Return the leaves whose answer would be enough: hosts, if there are any. */
  missing(others: ReadonlyMap<number, boolean>): number[] {
    const hosts = [...others].filter(([, host]) => host).map(([leaf]) => leaf);
    return (hosts.length > 0 ? hosts : [...others.keys()]).filter((leaf) => !this.#answered.has(leaf));
  }

  /** Return whether a host has answered; without a host, more than half of all members. */
  #isEnough(others: ReadonlyMap<number, boolean>): boolean {
    const hosts = [...others].filter(([, host]) => host).map(([leaf]) => leaf);
    if (hosts.length > 0) return hosts.some((leaf) => this.#answered.has(leaf));
    const answered = [...others.keys()].filter((leaf) => this.#answered.has(leaf));
    return 2 * (1 + answered.length) > 1 + others.size;
  }
}

/** Whether a host's confirmation is missing, and whether too few would be left with the hosts'. */
export interface Lacking {
  readonly noHost: boolean;
  readonly few: boolean;
}

/** All times are in seconds; this class reads no clock. */
export class Freshness {
  readonly #until = new Map<number, number>();
  readonly #leases = new Map<number, number>();

  /** Extend a leaf's confirmation to `until` and a host's lease to `lease`; shorten none. */
  confirm(leaf: number, until: number, lease: number): void {
    this.#until.set(leaf, Math.max(until, this.confirmedUntil(leaf)));
    this.#leases.set(leaf, Math.max(lease, this.#lease(leaf)));
  }

  /** End the lease of a host whose heartbeat contradicts our epoch; its confirmation runs out. */
  endLease(leaf: number): void {
    this.#leases.set(leaf, Math.min(this.#lease(leaf), this.confirmedUntil(leaf)));
  }

  /** Take over the confirmation and the lease of a member that was at the leaf `was`. */
  carryOver(old: Freshness, leaf: number, was: number): void {
    this.#until.set(leaf, old.confirmedUntil(was));
    this.#leases.set(leaf, old.#lease(was));
  }

  /** Return the time until which a leaf's confirmation holds; 0 if it has given none. */
  confirmedUntil(leaf: number): number {
    return this.#until.get(leaf) ?? 0;
  }

  #lease(leaf: number): number {
    return this.#leases.get(leaf) ?? 0;
  }

  /** Forget the member of a leaf that is empty now or has another member; return its lease's end. */
  forget(leaf: number): number {
    const lease = this.#lease(leaf);
    this.#until.delete(leaf);
    this.#leases.delete(leaf);
    return lease;
  }

  /** Return the leaves without a valid confirmation, and the hosts without a lease. */
  missing(others: ReadonlyMap<number, boolean>, now: number): number[] {
    return [...others]
      .filter(([leaf, host]) => this.confirmedUntil(leaf) <= now || (host && this.#lease(leaf) <= now))
      .map(([leaf]) => leaf);
  }

  /**
   * Return whether every host's lease is over, and whether too few would be left with the hosts'.
   *
   * Arguments as for `until`: both are false exactly while that is later than `now`.
   */
  lacks(others: ReadonlyMap<number, boolean>, now: number, host: boolean): Lacking {
    const noHost = !host && this.#leased(others) <= now;
    const lost = [...others].filter(([leaf, isHost]) => this.confirmedUntil(leaf) <= now && !(noHost && isHost));
    return { noHost, few: 2 * (1 + others.size - lost.length) <= 1 + others.size };
  }

  /**
   * Return the time until which media may be sealed; infinity when alone.
   *
   * `others` maps each leaf but ours to whether it is a host; `host`: we are a host. Required are one lease, if the tree
   * has a host, and more than half of all members, ourselves included: of two halves of a room at most one goes on.
   */
  until(others: ReadonlyMap<number, boolean>, host: boolean): number {
    if (others.size === 0) return Infinity;
    const times = [...others.keys()].map((leaf) => this.confirmedUntil(leaf)).sort((a, b) => b - a);
    const enough = times[Math.ceil(others.size / 2) - 1] ?? 0;
    return host ? enough : Math.min(enough, this.#leased(others));
  }

  /** Return the time until which the last of the hosts' leases holds; infinity without a host. */
  #leased(others: ReadonlyMap<number, boolean>): number {
    const times = [...others].filter(([, isHost]) => isHost).map(([leaf]) => this.#lease(leaf));
    return times.length === 0 ? Infinity : Math.max(...times);
  }
}
