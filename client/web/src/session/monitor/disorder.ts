/** Messages that the server has given in another order or under another number, or holds back. */
import type { Heartbeat } from "../../crypto/agreed/heartbeat";
import { type Bytes, same } from "../../crypto/bytes";
import * as sentences from "../catalogue/sentences";
import type { Room } from "../kernel/ports";
import { type MemberTable, type Span, without } from "./memberTable";
import { Ordering } from "./ordering";

/** Seconds for which messages that others have may be on their way to us. */
export const BEHIND = 10;
/**
 * The same in a mirrored meeting: the server that withholds a message does not delay the heartbeats. Only time in which
 * that server was heard counts: its network may have stalled, and the mirror's did not.
 */
export const BEHIND_MIRRORED = 4;
/** The time after which more members with messages that we lack are news: the first to claim them may have lied. */
export const NEWS: Span = [20, 3];

/** Reports what `ordering` finds, once. */
export class Disorder {
  readonly #room: Room;
  readonly #members: MemberTable;
  readonly ordering = new Ordering();
  readonly #disorder = new Set<number>();
  #behind = new Set<number>();
  #behindAt = 0;
  /** Two members have reported the same. */
  #behindProven = false;
  #contradicted = false;

  constructor(room: Room, members: MemberTable) {
    this.#room = room;
    this.#members = members;
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number): void {
    this.ordering.forget(leaf);
    this.#disorder.delete(leaf);
    this.#behind.delete(leaf);
  }

  /** Process the number of a relay that has arrived, and H(blob). */
  relayed(number: number, digest: Bytes): void {
    this.ordering.setIncarnation(this.#room.incarnation ?? new Uint8Array(8));
    if (this.ordering.record(number, digest)) this.#tellDisorder(this.ordering.checkWaitingClaims());
    else if (!this.#contradicted) {
      this.#contradicted = true;
      this.#room.tell(sentences.alarm("reordered.renumbered"));
    }
  }

  /** Process the window of a member's beat. */
  heard(beat: Heartbeat, now: number): void {
    const { leaf } = beat;
    const { incarnation } = this.#room;
    if (incarnation === null || !same(beat.incarnation, incarnation)) {
      // A server broadcasts a beat within one incarnation only. With further servers, features/mirror.ts judges.
      if (this.#room.membership.policy.servers.length === 0) this.#tellDisorder([leaf]);
    } else if (this.ordering.checkClaim(leaf, beat.relay, beat.window, now)) this.#tellDisorder([leaf]);
  }

  /** Report members whose beats say that they were given other messages: one may lie, or be wrong. */
  #tellDisorder(leaves: readonly number[]): void {
    const known = this.#disorder.size;
    for (const leaf of leaves) this.#disorder.add(leaf);
    const { size } = this.#disorder;
    if (size > known && known < 2)
      this.#room.tell(
        sentences.alarm(size === 1 ? "reordered" : "reordered.proven", { who: this.#members.names(this.#disorder) }),
      );
  }

  /** Report messages that others have and that do not come, and when they have come. */
  judge(now: number): void {
    const connected = this.#room.isSynced(now) && this.#members.connectedFor(now) > BEHIND;
    const { mirrored } = this.#room.membership.policy;
    const most = mirrored ? BEHIND_MIRRORED : BEHIND;
    const heard = this.#members.serverTime(now, mirrored && this.ordering.waits);
    let behind = new Set(connected ? this.ordering.aheadSince(heard - most) : []);
    // The others' next heartbeats show whether it is one member's word alone.
    if (mirrored && behind.size === 1 && this.#behind.size === 0 && this.#members.others.size > 1)
      behind = new Set(this.ordering.aheadSince(heard - most - this.#members.span([0, 1])));
    const fresh = without(behind, this.#behind);
    // A second member's word is news: the first may have lied. So is another one much later.
    const late = this.#behind.size === 0 || now - this.#behindAt > this.#members.span(NEWS);
    const second = behind.size > 1 && !this.#behindProven;
    if (fresh.size > 0 && (late || second)) {
      this.#behindAt = now;
      this.#behindProven = behind.size > 1;
      const args = { who: this.#members.names(behind), origin: this.#room.here.origin };
      const key = this.#behindProven ? "reordered.held_back.proven" : "reordered.held_back";
      this.#room.tell(sentences.alarm(key, args));
    } else if (this.#behind.size > 0 && behind.size === 0 && connected) {
      this.#behindProven = false;
      this.#room.tell(sentences.status("cleared.messages"));
    }
    if (connected) this.#behind = behind;
  }
}
