/** Members whose heartbeats go on naming another room than ours: they do not hear us (protocol section 12). */
import { hex, same } from "../../crypto/bytes";
import * as sentences from "../catalogue/sentences";
import type { Room } from "../kernel/ports";
import { Monitor } from "../monitor/monitor";

/**
 * Seconds between the first and the last heartbeat that name a room at another server, or another room at ours, before
 * that is told: two heartbeats, or three.
 */
export const ELSEWHERE = 4;
export const HERE_APART = 9;

/** Those of one membership. */
export class Apart {
  /** The incarnation of ours, and since when we are there. */
  #ours = "";
  #cameAt = 0;
  /** By leaf and incarnation. */
  #apart = new Map<string, { readonly since: number; told: boolean }>();

  /** Tell of them. `origins`: of the rooms that we have seen, by incarnation (hex). */
  tick(room: Room, origins: ReadonlyMap<string, string>, now: number): void {
    const { incarnation: ours, here, membership: m } = room;
    if (ours === null) return;
    if (hex(ours) !== this.#ours) [this.#ours, this.#cameAt] = [hex(ours), now];
    const before = this.#apart;
    this.#apart = new Map();
    /** By origin; empty where we have never been. */
    const due = new Map<string, number[]>();
    for (const { leaf } of m.members()) {
      const last = room.feature(Monitor).lastRoom(leaf);
      if (last === null || same(last[0], ours) || last[1] <= this.#cameAt) continue;
      const key = `${leaf} ${hex(last[0])}`;
      const apart = before.get(key) ?? { since: last[1], told: false };
      this.#apart.set(key, apart);
      const seen = origins.get(hex(last[0])) ?? "";
      const origin = seen === here.origin ? "" : seen;
      if (apart.told || last[1] - apart.since <= (origin === "" ? HERE_APART : ELSEWHERE)) continue;
      apart.told = true;
      due.set(origin, [...(due.get(origin) ?? []), leaf]);
    }
    for (const origin of [...due.keys()].sort()) tell(room, due.get(origin) ?? [], origin);
  }
}

function tell(room: Room, leaves: readonly number[], origin: string): void {
  const { membership: m } = room;
  const who = leaves.map((leaf) => m.name(leaf));
  if (origin === "") room.tell(sentences.alarm("reordered.apart", { who }));
  else room.tell(sentences.status(m.isHost(m.ownLeaf) ? "elsewhere.host" : "elsewhere", { who, origin }));
}
