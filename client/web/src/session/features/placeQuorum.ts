/**
 * Whether the members are here too, or go on at another server (protocol section 12).
 *
 * At a further server, a member commits and stays only with more than half of all. Where the meeting began, a member
 * looks elsewhere that is alone, or hears no more than half and sends nothing for want of the others: they may have gone
 * on while it slept. So does a host that hears them, and that they do not hear: they look for it there (`hostSearch`).
 * A member hears the host that acknowledges the host's heartbeats. Coming here proves nothing, and neither does a rejoin:
 * a server that delivers heartbeats to the host alone has members do both.
 *
 * Heartbeats name the incarnation of the room that their author is in. A server that plays a second room to some
 * members can therefore not count those of the first.
 */
import { type Bytes, hex, same } from "../../crypto/bytes";
import * as sentences from "../catalogue/sentences";
import { Feature } from "../kernel/feature";
import { ECHO } from "../monitor/freshness";
import { interval } from "../monitor/heartbeats";
import { Monitor } from "../monitor/monitor";
import { Mirror } from "./mirror";

/** Seconds for which a member hears no more than half before it looks elsewhere. */
export const MINORITY_WAIT = 8;
/** The same at most where the meeting began: twice as long each time. */
export const ALONE_MAX = 120;
/**
 * The same for a host that hears more than half from elsewhere, because they look for it (hostSearch.ts): it goes to them
 * soon. If it does not know where they are, or did not get in there, it waits until they come.
 */
export const CALLED_WAIT = 1;
export const AWAITED_WAIT = 20;
/** Seconds between two counts. */
export const COUNT_EVERY = 1;

/** Counts the members at our place. */
export class PlaceQuorum extends Feature {
  #incarnation: Bytes | null = null;
  #cameAt = 0;
  /**
   * By signature key, when we sent the newest heartbeat that the member acknowledges; until there is one, since when we
   * count the member here.
   */
  #answered = new Map<string, number>();
  /** More than half have been heard since we came here. */
  #met = false;
  /** For the others, elsewhere, since then. */
  #searched = false;
  #withoutSince: number | null = null;
  #aloneWait = MINORITY_WAIT;
  /** When they were first heard from elsewhere, since then. */
  #calledAt: number | null = null;
  /** As a host that hears them from elsewhere. */
  #wentToThem = false;
  #countedAt = 0;

  override synced(now: number): void {
    const { incarnation } = this.room;
    if (incarnation !== null && this.#incarnation !== null && same(incarnation, this.#incarnation)) return;
    this.#incarnation = incarnation;
    this.#met = false;
    this.#cameAt = now;
    this.#answered = new Map();
  }

  override holdsCommits(now: number): boolean {
    const { room } = this;
    if (room.here.isHome) return this.#holdsAtHome(now);
    if (!this.#met || room.here.isOutdated) return true; // a newcomer cannot know the gate of a place that was left
    // Others shall come into our history only while more than half stand in it (docs/model/places.pml).
    const rejoins = room.waitingIntents.some(({ type }) => type === "RejoinIntent" || type === "HostReturnIntent");
    return rejoins && 2 * this.#heard(now) <= room.membership.members().length;
  }

  /**
   * Return whether too few are here for our changes: they can wait, or we are a host that just came.
   *
   * The others may be elsewhere, and make changes there: then we would be alone with ours.
   */
  #holdsAtHome(now: number): boolean {
    const { membership: m, waitingIntents } = this.room;
    const heard = this.#heard(now);
    if (m.policy.servers.length === 0 || 2 * heard > m.members().length) return false;
    const isHost = m.isHost(m.ownLeaf);
    if (isHost && heard === 1 && !this.#searched) return true;
    return waitingIntents.every(({ type }) => type === "HealIntent" || (type === "SelfRemoveIntent" && !isHost));
  }

  /** Return how many members have said in our epoch that they are here, with ourselves. */
  #heard(now: number): number {
    return 1 + this.#here(now).length;
  }

  /**
   * Return the others that have said here, since we came, that they are here.
   *
   * At another server we hear the lookouts of members that stayed here.
   */
  #here(now: number): number[] {
    const { incarnation } = this.room;
    const here = incarnation === null ? [] : this.room.feature(Monitor).atIncarnation(incarnation, now);
    return here.filter((leaf) => this.room.heardRecently(leaf, now, this.#cameAt));
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { isHome } = room.here;
    if (!room.here.leadsElsewhere || room.incarnation === null || !room.isSynced(now)) {
      this.#withoutSince = null;
      return;
    }
    if (now - this.#countedAt < COUNT_EVERY) return;
    this.#countedAt = now;
    const heard = this.#heard(now);
    const members = room.membership.members().length;
    const isMute = this.#isMute(now);
    if (2 * heard > members && !isMute) {
      this.#met = true;
      this.#searched = false;
      this.#withoutSince = null;
      this.#aloneWait = MINORITY_WAIT;
      this.#wentToThem = false;
    } else if (isHome && heard > 1 && !isMute && room.holdReason(now) === null) {
      this.#withoutSince = null; // we speak, whoever is missing
    } else if (this.#withoutSince === null) {
      this.#withoutSince = now;
      this.#calledAt = null;
    } else if (this.#hasWaited(now, this.#withoutSince)) {
      const calledTo = this.#wentToThem ? null : this.#calledTo();
      this.#wentToThem ||= calledTo !== null || isMute; // they hear us where we go, and follow
      this.#withoutSince = null;
      if (isHome) {
        this.#searched = true;
        this.#aloneWait = Math.min(2 * this.#aloneWait, ALONE_MAX);
      }
      if (!isMute) room.tell(sentences.status("looking", { count: heard, of: members }));
      await room.lookElsewhere(now, calledTo, 0, false);
    }
  }

  /** Return whether we are a host that hears more than half, and no more than half acknowledge what we send. */
  #isMute(now: number): boolean {
    const { membership: m } = this.room;
    if (!m.isHost(m.ownLeaf)) return false;
    const monitor = this.room.feature(Monitor);
    const keys = new Map(m.members().map(({ leaf }) => [leaf, hex(m.signatureKey(leaf) ?? new Uint8Array())]));
    const answered = new Map<string, number>();
    for (const [leaf, key] of keys) answered.set(key, Math.max(this.#answered.get(key) ?? now, monitor.acknowledgedAt(leaf)));
    this.#answered = answered;
    const span = Math.max(ECHO[0], ECHO[1] * interval(keys.size));
    const here = this.#here(now);
    const hearUs = here.filter((leaf) => now - (answered.get(keys.get(leaf) ?? "") ?? 0) <= span);
    return 2 * (1 + hearUs.length) <= keys.size && keys.size < 2 * (1 + here.length);
  }

  /** Return whether we have waited here for the others for long enough, without them `since` then. */
  #hasWaited(now: number, since: number): boolean {
    const { here, membership: m } = this.room;
    const usual = here.isHome ? this.#aloneWait : MINORITY_WAIT;
    this.#calledAt = this.#isCalled() ? (this.#calledAt ?? now) : null;
    if (this.#calledAt === null) return now - since > usual;
    if (this.#wentToThem) return now - since > AWAITED_WAIT;
    if (this.#calledTo() === null) return now - this.#calledAt > AWAITED_WAIT;
    return now - since > (m.policy.mirrored ? usual : CALLED_WAIT); // by a mirror, a host hears them at once, and they may be on their way
  }

  /** Return whether we are a host, and more than half are heard from elsewhere since we are alone here. */
  #isCalled(): boolean {
    return 2 * (1 + this.#heardElsewhere().length) > this.room.membership.members().length;
  }

  /** Return the server where most of them are; null if we are not called, or don't know it. */
  #calledTo(): number | null {
    if (!this.#isCalled()) return null;
    const rooms = new Map<number | null, number>();
    for (const each of this.#heardElsewhere()) {
      const server = this.room.feature(Mirror).serverOf(each);
      rooms.set(server, (rooms.get(server) ?? 0) + 1);
    }
    const [most] = [...rooms].sort(([, a], [, b]) => b - a);
    return most?.[0] ?? null;
  }

  /** Return the rooms that members name whom we hear as a host that is alone here. */
  #heardElsewhere(): Bytes[] {
    const { membership: m, incarnation } = this.room;
    const since = this.#withoutSince;
    if (since === null || incarnation === null || !m.isHost(m.ownLeaf)) return [];
    const rooms = m.members().map(({ leaf }) => this.room.feature(Monitor).lastRoom(leaf));
    return rooms.flatMap((last) => (last !== null && last[1] > since && !same(last[0], incarnation) ? [last[0]] : []));
  }
}
