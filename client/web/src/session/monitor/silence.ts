/** Members that have fallen silent, and members that do not hear us. */
import * as sentences from "../catalogue/sentences";
import { States } from "../features/states";
import type { Room } from "../kernel/ports";
import { FRESH } from "./freshness";
import { type Heartbeats, interval } from "./heartbeats";
import { type Leaves, type MemberTable, type Span, sorted, within, without } from "./memberTable";

/** The time of silence before hosts are offered a member's removal. */
export const GONE: Span = [60, 12];
/** Beats of a member that acknowledge nothing newer of ours, and minimum age in seconds of the missed beat. */
export const DEAF = 3;
export const DEAF_FOR = 10;
/** Seconds after which a beat of ours counts as missed in another member's beat. */
export const UNDER_WAY = 2;
/** Seconds for which further silent members are collected for one alarm. */
export const GATHER = 3;

/** Leaves to report now, and leaves whose finding is over. */
export interface News {
  readonly fresh: readonly number[];
  readonly over: readonly number[];
}

/** Leaves with one kind of finding that was reported and is not over. */
export class Reported {
  leaves: Leaves = new Set();

  /** Return the leaves to report now, and the leaves whose finding is over. */
  update(nowSo: Iterable<number>): News {
    const so = new Set(nowSo);
    const fresh = sorted(without(so, this.leaves));
    const over = sorted(without(this.leaves, so));
    this.leaves = so;
    return { fresh, over };
  }

  forget(leaf: number): void {
    this.leaves = without(this.leaves, new Set([leaf]));
  }
}

/** Judges the times and the acknowledgements of the members' beats. */
export class Silence {
  readonly #room: Room;
  readonly #members: MemberTable;
  readonly #heartbeats: Heartbeats;
  /** Each member's beats that did not acknowledge ours. */
  readonly #deaf = new Map<number, number>();
  readonly #silent = new Reported();
  readonly #gone = new Reported();
  readonly #unheard = new Reported();
  #gathered = 0;
  #deafSince: number | null = null;

  constructor(room: Room, members: MemberTable, heartbeats: Heartbeats) {
    this.#room = room;
    this.#members = members;
    this.#heartbeats = heartbeats;
  }

  /** Start over on a new connection of ours. */
  reset(): void {
    this.#deaf.clear();
  }

  /** Start over with a member that has a new connection. */
  resetMember(leaf: number): void {
    this.#deaf.set(leaf, 0);
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number): void {
    this.#deaf.delete(leaf);
    for (const told of [this.#silent, this.#gone, this.#unheard]) told.forget(leaf);
  }

  /** Process the number of our beat that a member's beat acknowledges. */
  heard(leaf: number, acknowledged: number, now: number): void {
    const { since, syncedAt } = this.#members;
    const missed = this.#heartbeats.firstSentAfter(
      acknowledged,
      Math.max(since.get(leaf) ?? now, syncedAt ?? now),
    );
    const deaf = missed !== null && now - missed > UNDER_WAY;
    let count = deaf ? (this.#deaf.get(leaf) ?? 0) + 1 : 0;
    if (deaf && now - missed < DEAF_FOR) count = Math.min(count, DEAF - 1);
    this.#deaf.set(leaf, count);
  }

  /** Report who has fallen silent, who does not hear us, and who can be heard and hears again. */
  judge(now: number): void {
    this.#judgeSilence(now);
    this.#judgeUnheard(now);
  }

  #judgeSilence(now: number): void {
    const room = this.#room;
    const members = this.#members;
    if (members.syncedAt === null || !room.isSynced(now)) return;
    const quiet = new Map<number, number>();
    const { away } = room.feature(States); // they have said so
    for (const leaf of members.others.keys())
      if (!away.has(leaf)) quiet.set(leaf, members.quiet(leaf, now));
    const longerThan = (seconds: number): Set<number> =>
      new Set([...quiet].filter(([, quietFor]) => quietFor > seconds).map(([leaf]) => leaf));
    let silent = longerThan(members.span(FRESH));
    if (now < this.#gathered && without(silent, this.#silent.leaves).size > 0)
      silent = within(silent, this.#silent.leaves);
    const { fresh, over } = this.#silent.update(silent);
    if (fresh.length > 0) {
      this.#gathered = now + GATHER;
      const args = { who: members.names(fresh), seconds: whole(members.span(FRESH)) };
      room.tell(sentences.alarm("silent", args));
    }
    this.#over(over, "heard");
    const gone = this.#gone.update(longerThan(members.span(GONE)));
    if (!members.host) return;
    for (const leaf of gone.fresh) {
      const args = { who: members.name(leaf), leaf, seconds: whole(members.span(GONE)) };
      room.tell(sentences.alarm("gone", args));
    }
  }

  #judgeUnheard(now: number): void {
    const members = this.#members;
    let deaf = new Set<number>();
    for (const [leaf, beats] of this.#deaf) if (beats >= DEAF && members.others.has(leaf)) deaf.add(leaf);
    const everybody = [...members.others.keys()].every((leaf) => deaf.has(leaf));
    if (without(deaf, this.#unheard.leaves).size === 0) this.#deafSince = null;
    else this.#deafSince ??= now;
    // Other beats follow within an interval: one alarm.
    if (this.#deafSince !== null && !everybody && now - this.#deafSince < interval(deaf.size))
      deaf = within(deaf, this.#unheard.leaves);
    const { fresh, over } = this.#unheard.update(deaf);
    if (fresh.length > 0) {
      const key = everybody && fresh.length > 1 ? "unheard.everybody" : "unheard";
      this.#room.tell(sentences.alarm(key, { who: members.names(fresh) }));
    }
    this.#over(over, "reaches");
  }

  #over(leaves: readonly number[], what: "heard" | "reaches"): void {
    const here = leaves.filter((leaf) => this.#members.others.has(leaf));
    if (here.length > 0)
      this.#room.tell(sentences.status(`cleared.${what}`, { who: this.#members.names(here) }));
  }
}

/** Round seconds to a whole number, halves to the even one, as Python rounds. */
function whole(seconds: number): number {
  const near = Math.round(seconds);
  return near - seconds === 0.5 && near % 2 !== 0 ? near - 1 : near;
}
