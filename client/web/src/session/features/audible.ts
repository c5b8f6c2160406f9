/**
 * The microphones that all members receive in a large room whose host has chosen that: 16 of them.
 *
 * All members compute the same set from the shown states, a key that all share, and the time. Open microphones come
 * first. Closed ones stay for half a minute, and members whose microphone is closed fill the rest. If too many are open,
 * hosts come first and the others take turns, whatever they say of themselves. The server sees the set, and who speaks is
 * in it (docs/explanation/decisions/0080-sixteen-audible-streams.md).
 */
import { type Bytes, utf8 } from "../../crypto/bytes";
import { uint } from "../../crypto/fields";
import { H } from "../../crypto/kdf";
import { SUBSCRIBE_MAX } from "../../wire/limits";
import type { HandleStream } from "../../wire/messages";
import { status } from "../catalogue/sentences";
import type { OwnState } from "../events";
import { isLarge } from "../kernel/largeRoom";
import type { Listed } from "../kernel/membership";
import type { Room } from "../kernel/ports";
import { States } from "./states";

const SLOTS = 16;
/** Seconds between two changes of the set. */
const TICK = 2;

type Member = Pick<Listed, "leaf" | "host">;
type Shown = readonly [since: number, leaf: number];
const first = ([since, leaf]: Shown, [other, otherLeaf]: Shown): number => since - other || leaf - otherLeaf;

/**
 * Return the leaves whose sound all receive at a tick, and those with an open microphone that wait.
 *
 * At each tick one slot is drawn anew, for `SLOTS` ticks. Whoever opens a microphone gets the slot of the next tick, and
 * whoever closes one gets another for as long: neither changes more than a draw does. A leaf that is drawn twice has two
 * slots. Nobody waits while at most `SLOTS` are open. The leaves of `members` rise.
 */
export function audible(
  microphones: Iterable<readonly [number, Pick<OwnState, "mic" | "since">]>, members: readonly Member[], key: Bytes, tick: number,
): readonly [ReadonlySet<number>, ReadonlySet<number>] {
  const leaves = members.map(({ leaf }) => leaf);
  const of = (open: boolean): Shown[] =>
    [...microphones]
      .filter(([leaf, { mic }]) => mic === open && leaves.includes(leaf))
      .map(([leaf, { since = 0 }]): Shown => [Math.floor(since / TICK) + 1, leaf])
      .sort(first);
  const opened = of(true);
  if (opened.length > SLOTS) {
    const every = opened.map(([, leaf]) => leaf);
    const chosen = byTurns(members.filter(({ leaf }) => every.includes(leaf)), key, tick);
    return [chosen, new Set(every.filter((leaf) => !chosen.has(leaf)))];
  }
  const closed = of(false).filter(([since]) => tick - since < SLOTS);
  const kept = Math.max(0, SLOTS - opened.length);
  const taken = new Map<number, number>();
  for (const [since, leaf] of [...opened, ...closed.slice(Math.max(0, closed.length - kept))].sort(first)) {
    let at = since;
    while (taken.has(at % SLOTS)) at++;
    taken.set(at % SLOTS, leaf);
  }
  const chosen = new Set(taken.values());
  for (let at = Math.max(0, tick - SLOTS + 1); at <= tick; at++)
    if (!taken.has(at % SLOTS)) chosen.add(drawn(leaves, key, at));
  return [chosen, new Set()];
}

/**
 * Return which of too many open microphones are heard: hosts' first, and the others by lot.
 *
 * A lot is for `SLOTS` ticks. What a member says of itself, such as since when it speaks, has no part in it: members that
 * are there to be in the way have the same lots as others.
 */
function byTurns(opened: readonly Member[], key: Bytes, tick: number): Set<number> {
  const chosen = new Set<number>();
  for (const ofHosts of [true, false]) {
    const group = new Set(opened.filter(({ host }) => host === ofHosts).map(({ leaf }) => leaf));
    const free = SLOTS - chosen.size;
    if (group.size <= free) for (const leaf of group) chosen.add(leaf);
    else
      for (let at = Math.max(0, tick - SLOTS + 1); at <= tick; at++) {
        if (at % SLOTS >= free) continue;
        const lot = lots(key, at);
        const [found] = [...group].sort((one, other) => lot(one) - lot(other) || one - other);
        if (found === undefined) break;
        group.delete(found);
        chosen.add(found);
      }
  }
  return chosen;
}

/** Return a function of a member's leaf to its lot at a tick: the lowest wins. */
function lots(key: Bytes, tick: number): (leaf: number) => number {
  const digests = new Map<number, DataView>();
  return (leaf) => {
    const eight = Math.floor(leaf / 8);
    let digest = digests.get(eight);
    if (digest === undefined) {
      const { buffer, byteOffset } = H(utf8("snug 1 audible lot"), key, uint(tick, 8), uint(eight, 4));
      digests.set(eight, (digest = new DataView(buffer, byteOffset)));
    }
    return digest.getUint32((leaf % 8) * 4);
  };
}

/** Return the leaf that is drawn at a tick: mostly the same one when others come and go. */
function drawn(leaves: readonly number[], key: Bytes, tick: number): number {
  const largest = leaves.at(-1) ?? 0;
  const { buffer, byteOffset } = H(utf8("snug 1 audible"), key, uint(tick, 8));
  const digest = new DataView(buffer, byteOffset);
  for (let at = 0; at < 32; at += 4) {
    const leaf = digest.getUint32(at) % 2 ** (32 - Math.clz32(largest));
    if (leaves.includes(leaf)) return leaf;
  }
  return largest;
}

/** The set in one membership. It tells the person when the set begins and ends, and when they are in it. */
export class Audible {
  readonly #room: Room;
  #tick = -1;
  #waits = false;
  /** The leaves whose sound we receive; null: all. */
  chosen: ReadonlySet<number> | null = null;

  constructor(room: Room) {
    this.#room = room;
  }

  /** Let time pass; return whether `chosen` may be another one. It changes at ticks, and when the room's size does. */
  choose(now: number): boolean {
    const { membership } = this.#room;
    const members = membership.members();
    const tick = Math.floor(now / TICK);
    const before = this.chosen;
    if (!isLarge(members.map(({ leaf }) => leaf))) {
      if (before === null) return false;
      this.chosen = null;
      this.#waits = false;
      this.#room.tell(status("audible.all"));
    } else {
      if (before !== null && tick === this.#tick) return false;
      if (before === null) this.#room.tell(status("audible"));
      const { heard, own } = this.#room.feature(States);
      const shown = [...heard, ...(own === null ? [] : [[membership.ownLeaf, own] as const])];
      const [chosen, waiting] = audible(shown, members, membership.heartbeatKey, tick);
      this.chosen = chosen;
      this.#tell(waiting, own?.mic ?? false);
    }
    this.#tick = tick;
    return true;
  }

  /** Return the streams to ask for: the sound of those leaves, and the videos that a person chose, or all (null). */
  ssrcs(listed: readonly HandleStream[], choice: readonly number[] | null): number[] {
    const sound = listed.flatMap(({ ssrc, kind }) => (kind === "audio" ? [ssrc] : [])).sort((one, other) => one - other);
    const heard = sound.filter((ssrc) => [...this.#room.announcements.announcers(ssrc).keys()].some((leaf) => this.chosen?.has(leaf)));
    const others = (choice ?? listed.map(({ ssrc }) => ssrc)).filter((ssrc) => !sound.includes(ssrc));
    return [...heard, ...others].slice(0, SUBSCRIBE_MAX);
  }

  #tell(waiting: ReadonlySet<number>, open: boolean): void {
    const waits = waiting.has(this.#room.membership.ownLeaf);
    if (waits && !this.#waits) this.#room.tell(status("audible.waits", { slots: SLOTS }));
    else if (!waits && this.#waits && open) this.#room.tell(status("audible.heard"));
    this.#waits = waits;
  }
}
