/**
 * Whether the members are here too, or go on at another server (protocol section 12).
 *
 * At a further server, a member commits and stays only with more than half of all. Where the meeting began, a member
 * looks elsewhere that meets nobody: the others may have gone on while it slept.
 *
 * Heartbeats name the incarnation of the room that their author is in. A server that plays a second room to some
 * members can therefore not count those of the first.
 */
import { type Bytes, same } from "../../crypto/bytes";
import * as sentences from "../catalogue/sentences";
import { Feature } from "../kernel/feature";
import { Monitor } from "../monitor/monitor";

/** Seconds for which a member hears no more than half before it looks elsewhere. */
export const MINORITY_WAIT = 8;
/** The same at most where the meeting began, for a member that has met nobody there: twice as long each time. */
export const ALONE_MAX = 120;

/** Counts the members at our place. */
export class PlaceQuorum extends Feature {
  #incarnation: Bytes | null = null;
  /** More than half have been heard since we came here. */
  #met = false;
  #withoutSince: number | null = null;
  #aloneWait = MINORITY_WAIT;

  override synced(_now: number): void {
    const { incarnation } = this.room;
    if (incarnation !== null && this.#incarnation !== null && same(incarnation, this.#incarnation)) return;
    this.#incarnation = incarnation;
    this.#met = false;
  }

  override holdsCommits(_now: number): boolean {
    const { room } = this;
    if (room.here.isHome) return false;
    if (!this.#met) return true;
    // Others shall come into our history only while more than half stand in it (docs/model/places.pml).
    const rejoins = room.waitingIntents.some(({ type }) => type === "RejoinIntent" || type === "HostReturnIntent");
    return rejoins && 2 * this.#heard() <= room.membership.members().length;
  }

  /** Return how many members have said in our epoch that they are here, with ourselves. */
  #heard(): number {
    const { incarnation } = this.room;
    return 1 + (incarnation === null ? 0 : this.room.feature(Monitor).atIncarnation(incarnation).length);
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { isHome } = room.here;
    const content = isHome && (this.#met || room.membership.policy.servers.length === 0);
    if (content || room.incarnation === null || !room.isSynced(now)) {
      this.#withoutSince = null;
      return;
    }
    const heard = this.#heard();
    const members = room.membership.members().length;
    if (2 * heard > members || (isHome && heard > 1)) {
      this.#met = true;
      this.#withoutSince = null;
      this.#aloneWait = MINORITY_WAIT;
    } else if (this.#withoutSince === null) this.#withoutSince = now;
    else if (now - this.#withoutSince > (isHome ? this.#aloneWait : MINORITY_WAIT)) {
      this.#withoutSince = null;
      if (isHome) this.#aloneWait = Math.min(2 * this.#aloneWait, ALONE_MAX);
      room.tell(sentences.status("looking", { count: heard, of: members }));
      await room.lookElsewhere(now);
    }
  }
}
