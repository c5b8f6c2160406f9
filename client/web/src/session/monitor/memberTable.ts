/** The members as the monitor sees them: names and hosts, when each came in, and when it was last heard. */
import { type Sentence, sentence } from "../../words/sentence";
import type { Room } from "../kernel/ports";
import { interval } from "./heartbeats";

/** Seconds, or beat intervals if they are longer. */
export type Span = readonly [seconds: number, intervals: number];

/** Seconds for which a server may be silent while something is missing, before it is asked for a sign of life. */
const ASK = 0.5;
/** Seconds after coming in, or after a new connection, before a member's sending and receiving is judged. */
export const SETTLED = 15;
/** Members up to which all beat soon after every change. */
export const ALL_BEAT = 16;

/** Members by leaf. All times are in Unix seconds. */
export class MemberTable {
  readonly #room: Room;
  readonly #began: number;
  /** When this connection came in sync; null without one. */
  syncedAt: number | null = null;
  /** When the server last sent a message here, and so all older messages, in order. */
  serverHeardAt: number;
  #askedAt = 0;
  /** All leaves, ours included. */
  leaves: readonly number[] = [];
  /** The others' leaves, and whether each is a host. */
  others: ReadonlyMap<number, boolean> = new Map();
  /** Whether we are a host. */
  host = false;
  /** When each other member came in. */
  readonly since = new Map<number, number>();
  /** When each other member last sent a beat. */
  readonly heard = new Map<number, number>();
  /** When judging of each member begins. */
  readonly #settled = new Map<number, number>();
  #names: ReadonlyMap<number, string> = new Map();

  constructor(room: Room, now: number) {
    this.#room = room;
    this.#began = this.serverHeardAt = now;
  }

  /** Record the current members; return the new ones, which get time before they are judged. */
  update(now: number): number[] {
    const members = this.#room.membership.members();
    const own = this.#room.membership.ownLeaf;
    this.leaves = members.map(({ leaf }) => leaf);
    this.others = new Map(members.filter(({ leaf }) => leaf !== own).map(({ leaf, host }) => [leaf, host]));
    this.#names = new Map(members.map(({ leaf, name }) => [leaf, name]));
    this.host = members.some(({ leaf, host }) => host && leaf === own);
    const fresh = [...this.others.keys()].filter((leaf) => !this.since.has(leaf));
    for (const leaf of fresh) {
      this.since.set(leaf, now);
      this.unsettle(leaf, now);
    }
    return fresh;
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number): void {
    for (const known of [this.since, this.heard, this.#settled]) known.delete(leaf);
  }

  /** Give a member time before it is judged. */
  unsettle(leaf: number, now: number): void {
    this.#settled.set(leaf, now + SETTLED);
  }

  /**
   * Return the leaves that beat soon after a commit that evicts nobody, or after a new connection.
   *
   * `committer`: of that commit, or of the one that brought in the member with the connection. In a room of many
   * it alone answers newcomers: what the others know, their next beats say early enough.
   */
  firstToBeat(committer: number | undefined): readonly number[] {
    const hosted = this.host || [...this.others.values()].includes(true);
    if (this.leaves.length <= ALL_BEAT || !hosted) return this.leaves;
    return committer === undefined ? [] : [committer];
  }

  /** Return whether a member has been here, on this connection, for long enough to be judged. */
  isSettled(leaf: number, now: number): boolean {
    return now >= (this.#settled.get(leaf) ?? this.#began + SETTLED);
  }

  /** Return the seconds since this connection came in sync; 0 without one. */
  connectedFor(now: number): number {
    return this.syncedAt === null ? 0 : now - this.syncedAt;
  }

  /**
   * Return when the server was heard last: until then it had the time to send what we lack.
   *
   * `waits`: something that others have is missing. Then a server that is silent is asked for a sign of life.
   */
  serverTime(now: number, waits: boolean): number {
    const heard = Math.min(now, this.serverHeardAt);
    if (waits && this.syncedAt !== null && now - Math.max(heard, this.#askedAt) >= ASK) {
      this.#askedAt = now;
      this.#room.send({ type: "ping" });
    }
    return heard;
  }

  /** Return when another member was last heard; if never, when it came in. */
  lastHeard(leaf: number): number {
    return Math.max(this.heard.get(leaf) ?? 0, this.since.get(leaf) ?? 0);
  }

  /** Return the seconds without a word of another member; 0 unless we have come in step. */
  quiet(leaf: number, now: number): number {
    return this.syncedAt === null ? 0 : now - Math.max(this.lastHeard(leaf), this.syncedAt);
  }

  /** Return the longer of a number of seconds and a number of beat intervals, in seconds. */
  span([least, intervals]: Span): number {
    return Math.max(least, intervals * interval(this.leaves.length));
  }

  /** Return the name at a leaf; "somebody" if the leaf is empty. */
  name(leaf: number): string | Sentence {
    return this.#names.get(leaf) ?? sentence("room.somebody");
  }

  /** Return the names at leaves, for a list in a sentence. */
  names(leaves: Iterable<number>): (string | Sentence)[] {
    return sorted(leaves).map((leaf) => this.name(leaf));
  }
}

export type Leaves = ReadonlySet<number>;

/** Return the leaves that are not among others. */
export const without = (some: Leaves, others: Leaves): Set<number> =>
  new Set([...some].filter((leaf) => !others.has(leaf)));

/** Return the leaves that are among others. */
export const within = (some: Leaves, others: Leaves): Set<number> =>
  new Set([...some].filter((leaf) => others.has(leaf)));

export const sorted = (leaves: Iterable<number>): number[] => [...leaves].sort((a, b) => a - b);
