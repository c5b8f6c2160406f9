/**
 * Looking for a host that is not here at the meeting's other servers, beside staying (protocol section 12).
 *
 * A server can cut off the host alone. The others then have more than half here, and seal nothing without it. They stay
 * together, and each has a further connection to one of the other servers after the other, for heartbeats alone. The
 * host's own heartbeats, which nobody else can sign, tell that it is there. The others follow once it has been there
 * for longer than it needs to come back by itself.
 */
import { type Bytes, same } from "../../crypto/bytes";
import * as sentences from "../catalogue/sentences";
import { FOURTH, type InputOf } from "../events";
import { furtherPlace } from "../kernel/places";
import type { Room } from "../kernel/ports";
import { SecondRoom } from "../kernel/secondRoom";
import { interval } from "../monitor/heartbeats";
import { Monitor } from "../monitor/monitor";
import { Mirror } from "./mirror";

/** Seconds, or beat intervals, without a host here before a member looks for one. */
export const LOOK_AFTER = [6, 1.2] as const;
/** The same for which it looks at one server. */
export const LOOK_STAY = [8, 1.6] as const;
/**
 * Seconds for which a host is heard elsewhere alone before a member follows. A host that hears us from there looks here at
 * once, and waits for us the next time. It does so for longer than this and a look together (`AWAITED_WAIT`): so we are
 * there before it goes on.
 */
export const FOLLOW_WAIT = 4;

/** One membership's search for its hosts: `hostSearch.ts` has its hooks, and loads it where it is needed. */
export class Lookout {
  #lookout: SecondRoom | null = null;
  /** Where the lookout is: an index in the policy's list, 0 where the meeting began. */
  #server = 0;
  #looksSince = 0;
  /** The incarnation of our room. */
  #ours: Bytes | null = null;
  /** When a host was last heard here, or we came. */
  #hostedAt = 0;
  #elsewhereSince: number | null = null;

  constructor(readonly room: Room) {}

  // -- the connection -------------------------------------------------------------------------------------

  async further(what: InputOf<"Received"> | InputOf<"Lost">, now: number): Promise<void> {
    const lookout = this.#lookout;
    if (lookout === null || what.endpoint.further !== FOURTH.further) return;
    if (what.type === "Lost") return lookout.lost(now);
    const blob = await lookout.received(what.message, now);
    this.room.feature(Mirror).entered(lookout);
    if (blob !== null) await this.room.feature(Monitor).broadcastReceived(blob, now);
  }

  heartbeatSent(blob: Bytes): void {
    this.#lookout?.broadcast(blob);
  }

  /** Close the connection. */
  close(): void {
    this.#lookout?.close();
    this.#lookout = null;
  }

  // -- the search -----------------------------------------------------------------------------------------

  async tick(now: number): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    const hosts = m.members().flatMap(({ leaf, host }) => (host ? [leaf] : []));
    if (hosts.length === 0 || m.policy.servers.length === 0 || !room.isSynced(now) || hosts.includes(m.ownLeaf)) {
      this.#hostedAt = now;
      this.#elsewhereSince = null;
      return this.close();
    }
    if (this.#isHosted(hosts, now)) return this.close();
    const heard = hosts.filter((leaf) => room.heardRecently(leaf, now, this.#hostedAt));
    this.#elsewhereSince = heard.length === 0 ? null : (this.#elsewhereSince ?? now);
    await this.#look(heard, now);
    await this.#lookout?.tick(now);
    const server = this.#serverOf(heard, now);
    if (server !== null && now - (this.#elsewhereSince ?? now) > FOLLOW_WAIT) await this.#follow(server, heard, now);
  }

  /** Return whether a host was heard here a moment ago, and none has been heard elsewhere since. */
  #isHosted(hosts: readonly number[], now: number): boolean {
    const { incarnation } = this.room;
    if (incarnation === null || this.#ours === null || !same(incarnation, this.#ours)) {
      this.#ours = incarnation;
      this.#hostedAt = now;
    }
    const monitor = this.room.feature(Monitor);
    const rooms = hosts.map((leaf) => monitor.lastRoom(leaf)).filter((last) => last !== null);
    const [ours, span] = [this.#ours, this.#span(LOOK_AFTER)];
    const heard = Math.max(0, ...rooms.flatMap(([where, at]) => (ours !== null && same(where, ours) ? [at] : [])));
    this.#hostedAt = Math.max(this.#hostedAt, heard);
    const hasGone = now - heard > span && rooms.some(([, at]) => at > this.#hostedAt);
    if (hasGone || now - this.#hostedAt > span) return false;
    this.#elsewhereSince = null;
    return true;
  }

  #span([least, intervals]: readonly [number, number]): number {
    return Math.max(least, intervals * interval(this.room.membership.members().length));
  }

  /** Have the lookout at one of the other servers, at the next after a while, but stay where a host is. */
  async #look(heard: readonly number[], now: number): Promise<void> {
    if (this.#serverOf(heard, now) !== null) return;
    if (this.#lookout !== null && now - this.#looksSince < this.#span(LOOK_STAY)) return;
    const { room } = this;
    const { membership: m } = room;
    const origins = [room.origin, ...m.policy.servers.map((each) => each.origin)];
    const skipped = [room.here.server, room.feature(Mirror).mirrored?.here.server];
    const count = origins.length;
    const order = Array.from({ length: count }, (_, step) => (this.#server + 1 + step) % count);
    const server = order.find((each) => !skipped.includes(each) && room.servers.leads(origins[each] ?? ""));
    if (server === undefined) return; // the mirror is at the only other server
    this.close();
    this.#server = server;
    this.#looksSince = now;
    this.#lookout = new SecondRoom(room, FOURTH, await furtherPlace(m, server), now, null, false);
  }

  /** Return where one of these hosts is, by a heartbeat a moment ago: an index in the policy's list. */
  #serverOf(heard: readonly number[], now: number): number | null {
    const last = heard.map((leaf) => this.room.feature(Monitor).lastRoom(leaf));
    const rooms = last.flatMap((each) => (each !== null && now - each[1] <= this.#span(LOOK_AFTER) ? [each[0]] : []));
    for (const second of [this.#lookout, this.room.feature(Mirror).mirrored]) {
      const there = second?.incarnation ?? null;
      if (second && there !== null && rooms.some((each) => same(each, there))) return second.here.server;
    }
    return null;
  }

  async #follow(server: number, heard: readonly number[], now: number): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    const origin = [room.origin, ...m.policy.servers.map((each) => each.origin)][server] ?? "";
    this.#elsewhereSince = null;
    this.close();
    room.tell(sentences.status("following", { who: heard.map((leaf) => m.name(leaf)), origin }));
    await room.lookElsewhere(now, server, 0, false);
  }
}
