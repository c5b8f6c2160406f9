/**
 * The meeting at a second server besides its own (protocol section 12).
 *
 * In a mirrored meeting, heartbeats also go through the next server of the policy's list: each server brings what the
 * other one withholds. A member that departs knows the key of the place that the others had so far. They leave it for a
 * new one, and stay for a while to be heard by members from whom the departure is withheld.
 */
import { type Bytes, hex, same } from "../../crypto/bytes";
import { type Endpoint, type InputOf, SECOND, THIRD } from "../events";
import { Feature } from "../kernel/feature";
import { loadedLater } from "../kernel/load";
import { furtherPlace } from "../kernel/places";
import type { Room } from "../kernel/ports";
import type { SecondRoom } from "../kernel/secondRoom";
import type { Change } from "../kernel/verdict";
import { Monitor } from "../monitor/monitor";
import type { Apart } from "./apart";
import type { Reach } from "./mirrorReach";

/** Seconds for which all stay at the place of before a departure, to be heard there. */
export const FAREWELL = 15;
/** Seconds for which one member stays there, to hand the departure over to members that do not know of it (M6). */
export const STRAGGLERS = 60;
interface Departure {
  readonly slot: number;
  /** The move key of before. */
  readonly key: Bytes;
  readonly at: number;
}

/** One membership's second connections. */
export class Mirror extends Feature {
  /** Null before there is a mirror. */
  reach: Reach | null = null;
  #mirror: SecondRoom | null = null;
  #former: SecondRoom | null = null;
  #moveKey: Bytes;
  #departure: Departure | null = null;
  /** The origins of the rooms that we have seen, by incarnation (hex). */
  readonly #origins = new Map<string, string>();
  #apart: Apart | null = null;

  constructor(room: Room) {
    super(room);
    this.#moveKey = room.membership.moveKey;
  }

  get #all(): SecondRoom[] {
    return [this.#mirror, this.#former].filter((each) => each !== null);
  }

  // -- the connections ------------------------------------------------------------------------------------

  override async further(what: InputOf<"Received"> | InputOf<"Lost">, now: number): Promise<void> {
    const second = this.#all.find(({ endpoint }) => endpoint.further === what.endpoint.further);
    if (second === undefined) return;
    if (what.type === "Lost") return second.lost(now);
    const blob = await second.received(what.message, now);
    if (blob === null) return;
    const known = await this.room.feature(Monitor).broadcastReceived(blob, now);
    if (known && second === this.#mirror) this.reach?.came(now);
  }

  override async tick(now: number): Promise<void> {
    if (this.room.needsRejoin) return;
    const { handle, incarnation, here } = this.room;
    if (handle.length > 0 && incarnation !== null) this.#origins.set(hex(incarnation), here.origin);
    if (handle.length > 0 && here.isOutdated) await this.room.lookElsewhere(now, this.room.here.server, here.attempt);
    else if (this.room.isSynced(now)) {
      await this.#keepMirror(now);
      this.reach?.tick(this.room, this.#mirror, now);
      await this.#keepFormer(now);
      if (this.room.membership.policy.servers.length > 0) this.#judgeElsewhere(now); // else no heartbeat comes from elsewhere
    }
    for (const second of this.#all) await second.tick(now);
  }

  override adopted(_change: Change, now: number): void {
    const { journal, moveKey } = this.room.membership;
    if (same(moveKey, this.#moveKey)) return;
    this.#departure = { slot: journal.slot, key: this.#moveKey, at: now };
    this.#moveKey = moveKey;
    if (this.#mirror === null) return;
    this.#closeFormer();
    this.#former = this.#mirror;
    this.#mirror = null;
    this.#former.departs(journal.slot);
  }

  /** Connect to the next server of the list, if the meeting is mirrored; leave any other. */
  async #keepMirror(now: number): Promise<void> {
    const { membership: m, here } = this.room;
    const { mirrored, servers } = m.policy;
    const ours = servers.filter(({ origin }) => this.room.servers.leads(origin));
    const wanted = mirrored ? (ours.find((each) => servers.indexOf(each) >= here.server) ?? ours[0]) : undefined;
    if (wanted === undefined || wanted.origin === here.origin) return this.#closeMirror();
    const there = this.#mirror?.here;
    // under another move key there is no mirror yet: see `adopted`
    if (there?.origin === wanted.origin && same(there.roomAdminPublic, wanted.roomAdminPublic)) return;
    this.#closeMirror();
    const made = await furtherPlace(m, 1 + servers.indexOf(wanted));
    const later = loadedLater();
    if (made === null || later === null) return;
    this.reach ??= new later.Reach();
    this.#mirror = new later.SecondRoom(this.room, this.#free(), made, now);
  }

  #judgeElsewhere(now: number): void {
    if (this.#mirror !== null) this.entered(this.#mirror);
    const later = loadedLater();
    if (later !== null) (this.#apart ??= new later.Apart()).tick(this.room, this.#origins, now);
  }

  /** Stay where the others may look that do not know of a departure, for as long as that is our turn. */
  async #keepFormer(now: number): Promise<void> {
    if (this.#departure === null) return;
    const { slot, key, at } = this.#departure;
    if (now - at > STRAGGLERS) {
      this.#departure = null;
      return this.#closeFormer();
    }
    const helps = !this.room.here.isHome && this.#isLowest(now);
    const place = helps ? await this.room.here.under(key) : null;
    const former = this.#former?.here.current ?? null;
    const later = loadedLater();
    if (later !== null && place !== null && (former === null || !same(former.number, place.number))) {
      this.#closeFormer();
      this.#former = new later.SecondRoom(this.room, this.#free(), place, now, slot);
    }
    if (this.#former === null) return;
    this.#former.handsOverDeparture = helps;
    if (!helps && now - at > FAREWELL) this.#closeFormer();
  }

  #isLowest(now: number): boolean {
    const m = this.room.membership;
    return !m.members().some(({ leaf }) => leaf < m.ownLeaf && this.room.heardRecently(leaf, now));
  }

  #free(): Endpoint {
    return this.#all.some(({ endpoint }) => endpoint === SECOND) ? THIRD : SECOND;
  }

  #closeMirror(): void {
    this.#mirror?.close();
    this.#mirror = null;
  }

  #closeFormer(): void {
    this.#former?.close();
    this.#former = null;
  }

  // -- hooks ----------------------------------------------------------------------------------------------

  override carryOver(old: Room): void {
    this.reach = old.feature(Mirror).reach;
    for (const { endpoint } of old.feature(Mirror).#all) this.room.perform({ type: "Disconnect", endpoint });
  }

  override ending(): void {
    this.#closeMirror();
    this.#closeFormer();
  }

  override heartbeatSent(blob: Bytes): void {
    for (const second of this.#all) if (!second.handsOverDeparture) second.broadcast(blob);
  }

  /** Return where that room is: an index in the policy's list, 0 where the meeting began; null if it is unknown. */
  serverOf(incarnation: Bytes): number | null {
    const origins = [this.room.origin, ...this.room.membership.policy.servers.map(({ origin }) => origin)];
    const server = origins.indexOf(this.#origins.get(hex(incarnation)) ?? "");
    return server < 0 ? null : server;
  }

  /** The connection to the mirror; null without one. */
  get mirrored(): SecondRoom | null {
    return this.#mirror;
  }

  /** Remember how heartbeats name the room of that connection, once it has entered it. */
  entered({ incarnation, here }: SecondRoom): void {
    if (incarnation !== null) this.#origins.set(hex(incarnation), here.origin);
  }

  override nextIsReady(): boolean {
    return this.#mirror?.isReady ?? false;
  }
}
