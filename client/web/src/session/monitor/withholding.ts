/** Changes of the room that others have and the server keeps from us, and histories that differ from ours. */
import type { Heartbeat } from "../../crypto/agreed/heartbeat";
import { type Bytes, same } from "../../crypto/bytes";
import * as sentences from "../catalogue/sentences";
import type { Room } from "../kernel/ports";
import { type MemberTable, without } from "./memberTable";

/** Seconds for which a change may be on its way to us while others have it, and the server is heard. */
export const WITHHELD = 3;
/** Seconds for which further claims are awaited, for one alarm. */
export const GATHER = 1;
/** Seconds for which a single member's claim of a later slot stops us, while all others are with us. */
export const DOUBT = 15;

/** A member that has signed a slot that we have not reached, in that room at a server (8 bytes). */
interface Ahead {
  readonly slot: number;
  readonly chain: Bytes;
  readonly incarnation: Bytes;
  readonly since: number;
}

/** Compares the slots and chains in the members' beats, and the server's slot, with our history. */
export class Withholding {
  readonly #room: Room;
  readonly #members: MemberTable;
  readonly #ahead = new Map<number, Ahead>();
  #serverAhead: number | null = null;
  // Reported so far.
  #withheld = new Set<number>();
  #withheldAt = 0;
  /** Two members have reported the same. */
  #proven = false;
  #serverWithholds = false;
  readonly #forkReporters = new Set<number>();

  constructor(room: Room, members: MemberTable) {
    this.#room = room;
    this.#members = members;
  }

  /** Whether a change is withheld and was reported. */
  get isReported(): boolean {
    return this.#withheld.size > 0 || this.#serverWithholds;
  }

  /** Forget the server's slot: the connection is lost. */
  lost(): void {
    this.#serverAhead = null;
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number): void {
    this.#ahead.delete(leaf);
    this.#withheld.delete(leaf);
    this.#forkReporters.delete(leaf);
  }

  /** Process the slot and chain of a beat; return whether they are in our history, as far as we know. */
  agrees({ leaf, slot, chain, incarnation }: Heartbeat, now: number): boolean {
    const { journal } = this.#room.membership;
    if (slot > journal.slot) {
      this.#ahead.set(leaf, { slot, chain, incarnation, since: this.#ahead.get(leaf)?.since ?? now });
      return false;
    }
    this.#ahead.delete(leaf);
    const known = journal.chains.get(slot);
    if (known === undefined || same(known, chain)) return true;
    this.#reportFork(leaf, slot);
    return false;
  }

  /** Check the claims of members that were ahead, now that this slot has been judged. */
  checkClaims(slot: number): void {
    for (const [leaf, ahead] of [...this.#ahead]) {
      if (ahead.slot > slot) continue;
      this.#ahead.delete(leaf);
      const known = this.#room.membership.journal.chains.get(ahead.slot);
      if (known !== undefined && !same(known, ahead.chain)) this.#reportFork(leaf, ahead.slot);
    }
  }

  #reportFork(leaf: number, slot: number): void {
    if (this.#forkReporters.has(leaf)) return;
    this.#forkReporters.add(leaf);
    // One may lie; more than two add nothing.
    if (this.#forkReporters.size <= 2)
      this.#room.tell(sentences.twoStories(slot, this.#members.names(this.#forkReporters)));
  }

  /** Return the members that have signed, for a while, a slot that does not come here. */
  ahead(now: number): Set<number> {
    const heard = this.#members.serverTime(now, this.#ahead.size > 0);
    const connected = this.#members.connectedFor(heard);
    const ahead = new Set<number>();
    for (const [leaf, a] of this.#ahead)
      if (Math.min(heard - a.since, connected) > WITHHELD && !this.#forkReporters.has(leaf)) ahead.add(leaf);
    return ahead;
  }

  /** Return whether media must wait for a change; `fresh`: enough members have confirmed our epoch. */
  pauses(now: number, fresh: boolean): boolean {
    // A member with another chain than ours pauses nothing.
    const doubt = [...this.#ahead].some(
      ([leaf, ahead]) => !this.#forkReporters.has(leaf) && (now - ahead.since < DOUBT || !fresh),
    );
    return doubt || this.#serverWithholds;
  }

  /** Report a change that does not come, and when it has come; return whether there was an alarm. */
  judge(now: number): boolean {
    const room = this.#room;
    const entered = room.serverSlot !== null && room.stuckAt === null && !room.needsRejoin;
    if (entered && (room.serverSlot ?? 0) > room.membership.journal.slot) this.#serverAhead ??= now;
    else this.#serverAhead = null;
    const late = this.#serverAhead !== null && now - this.#serverAhead > WITHHELD;
    // Our server withholds nothing that came about in another room.
    const isHere = (leaf: number): boolean => {
      const claimed = this.#ahead.get(leaf)?.incarnation;
      return claimed !== undefined && room.incarnation !== null && same(claimed, room.incarnation);
    };
    const ahead = new Set([...this.ahead(now)].filter(isHere));
    if (room.stuckAt !== null || room.seeksReadmission) return false;
    const told = this.isReported;
    const proven = ahead.size > 1;
    const waits = ![...this.#ahead.values()].some(({ since }) => now - since > WITHHELD + GATHER);
    if (ahead.size === 1 && this.#ahead.size > 1 && waits) return false; // others follow in a moment: one alarm
    // Later claims of the same are no news, unless the first claim has stood alone for long, or they prove it.
    const again = now - this.#withheldAt > DOUBT || !this.#proven;
    const more = without(ahead, this.#withheld).size > 0 && again;
    this.#proven = proven || (ahead.size > 0 && this.#proven);
    const alarm = (ahead.size > 0 || late) && (!told || more);
    if (alarm) {
      this.#withheldAt = now;
      const slot = Math.max(...[...this.#ahead.values()].map((a) => a.slot), room.serverSlot ?? 0);
      // An opening is the server's word too, and a host or former host can have signed it.
      if (ahead.size === 0) room.tell(sentences.alarm("withheld.server", { slot }));
      else {
        const args = { slot, who: this.#members.names(ahead), origin: room.here.origin };
        room.tell(sentences.alarm(proven ? "withheld.proven" : "withheld", args));
      }
    } else if (told && ahead.size === 0 && !late) {
      room.tell(sentences.status("cleared.handed_over"));
    }
    this.#withheld = ahead;
    this.#serverWithholds = late;
    return alarm;
  }
}
