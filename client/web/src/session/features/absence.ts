/**
 * Members whose programs have ended: hosts remove them when they don't come back.
 *
 * A member is absent by its own word, or because nothing was ever heard of it: it left before it had its answer. Its
 * invite stays valid, its ticket lets it in again (SNUG-8), and nobody is alarmed. Without that, people who close their
 * pages would stay in the tree for as long as the meeting lasts, and with them it would lose the majority that confirms
 * it.
 */
import { Identity } from "../../crypto/agreed/roomState";
import { CommandError, sentence } from "../../words/sentence";
import * as sentences from "../catalogue/sentences";
import { Feature } from "../kernel/feature";
import type { Change } from "../kernel/verdict";
import { States } from "./states";

/** Seconds for which an absent member keeps its leaf; and while those who are left are no majority. */
export const KEPT = 60;
export const KEPT_IN_A_CROWD = 5;
/** Seconds that each next host waits. */
export const STEP = 2;
/** Seconds after its last word in which an absent member may still be heard: that was under way. */
export const UNDER_WAY = 3;
/** Seconds for which a newcomer keeps its leaf of which nothing is heard on a connection of ours. */
export const UNHEARD = 180;
/** Seconds after which hosts are told of it: it may have found no place in the room. */
export const NOT_IN = 15;

/** Removes absent members where we are a host and it is our turn. */
export class Absence extends Feature {
  /** Newcomers of which nothing was heard yet, and since when we listen. */
  readonly #unheard = new Map<number, number>();
  readonly #told = new Set<number>();

  override async adopted(change: Change, now: number): Promise<void> {
    for (const { leaf } of change.removed) {
      this.#unheard.delete(leaf);
      this.#told.delete(leaf);
    }
    for (const { leaf } of change.added) this.#unheard.set(leaf, now);
    if (change.withdrawn.length === 0) return;
    const by = this.room.membership.who(change.by);
    this.room.tell(sentences.status("withdrawn", { by, names: change.withdrawn }));
  }

  /**
   * End the way back of the absent member with that name, as a host.
   *
   * CommandError if nobody with that name has one, or if we are not a host.
   */
  async withdraw(name: string, now: number): Promise<void> {
    const { room } = this;
    room.hostOnly();
    const away = room.membership.ledger.away.filter(({ identity }) => Identity.decode(identity).name === name);
    if (away.length === 0) throw new CommandError(sentence("cannot.nobody_away", { name }));
    for (const { signatureKey } of away) await room.queueOnce({ type: "WithdrawIntent", signatureKey }, now);
  }

  override async synced(now: number): Promise<void> {
    for (const leaf of this.#unheard.keys()) this.#unheard.set(leaf, now);
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    for (const [leaf, at] of [...this.#unheard]) if (room.heardRecently(leaf, now, at)) this.#unheard.delete(leaf);
    if (!m.isHost(m.ownLeaf)) return;
    this.#tellNotIn(now);
    const absent = [...room.feature(States).away].filter(([leaf, since]) => !room.heardRecently(leaf, now, since + UNDER_WAY));
    const here = m.members().length - absent.length;
    const kept = here === 1 || here > absent.length ? KEPT : KEPT_IN_A_CROWD;
    const unheard = room.isSynced(now) ? [...this.#unheard] : [];
    for (const [late, who] of [[kept, absent], [UNHEARD, unheard]] as const)
      for (const [leaf, since] of who) {
        const signatureKey = m.signatureKey(leaf);
        if (signatureKey !== null && now - since > late + STEP * room.rank)
          await room.queueOnce({ type: "RemoveIntent", leaf, signatureKey, absent: true }, now);
      }
  }

  /** Tell of newcomers that have not been heard: a full room has no place for them (G7). */
  #tellNotIn(now: number): void {
    const late = [...this.#unheard].flatMap(([leaf, since]) => (now - since > NOT_IN && !this.#told.has(leaf) ? [leaf] : []));
    if (late.length === 0 || !this.room.isSynced(now)) return;
    for (const leaf of late) this.#told.add(leaf);
    const who = late.sort((a, b) => a - b).map((leaf) => this.room.membership.name(leaf));
    this.room.tell(sentences.status("not_in", { who, minutes: Math.floor(UNHEARD / 60) }));
  }
}
