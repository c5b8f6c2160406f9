/** Changes of the room that others have and the server keeps from us, and histories that differ from ours. */
import type { Heartbeat } from "../../crypto/agreed/heartbeat";
import { same } from "../../crypto/bytes";
import * as sentences from "../catalogue/sentences";
import type { Room } from "../kernel/ports";
import type { Change } from "../kernel/verdict";
import { type Claim, Claims, DOUBT, type Signer, TOLD_AGAIN, type Stopping } from "./claims";
import type { MemberTable } from "./memberTable";

/** Seconds for which a change may be on its way to us while others have it, and the server is heard. */
export const WITHHELD = 3;
/** Seconds for which further claims are awaited, for one alarm. */
export const GATHER = 1;

/** Compares the slots and chains in the members' beats, and the server's slot, with our history. */
export class Withholding {
  readonly #room: Room;
  readonly #members: MemberTable;
  readonly #claims: Claims;
  #serverAhead: number | null = null;
  /** Whether the server says that it is ahead, and hands nothing over. */
  serverWithholds = false;
  // Reported so far.
  #reported = false;
  #reportedAt = 0;
  /** Two members have reported the same. */
  #proven = false;
  #serverTold = false;
  /** A change that was reported. */
  #arrived = false;

  constructor(room: Room, members: MemberTable) {
    this.#room = room;
    this.#members = members;
    this.#claims = new Claims(room, members);
  }

  /** Take over from `old` after a rejoin: it makes no claim true, and none is told twice. */
  carryOver(old: Withholding, now: number): void {
    this.#claims.carryOver(old.#claims, now);
    this.#reported = old.#reported;
    this.#reportedAt = old.#reportedAt;
    this.#proven = old.#proven;
    this.#serverTold = old.#serverTold;
    this.#arrived = old.#arrived;
    this.checkClaims(this.#room.membership.journal.slot, now);
  }

  /** Forget the server's slot: the connection is lost. */
  lost(): void {
    this.#serverAhead = null;
  }

  /** Process a commit: who has left claims nothing more, and who has come in again has our history. */
  adopted(change: Change, now: number): void {
    this.#claims.adopted(change, now);
    this.checkClaims(this.#room.membership.journal.slot, now);
  }

  /** Process the slot and chain of a beat; return whether they are in our history, as far as we know. */
  agrees(beat: Heartbeat, now: number): boolean {
    const { journal } = this.#room.membership;
    if (beat.slot > journal.slot) {
      this.#claims.add(beat, now);
      return false;
    }
    this.#claims.known(beat.leaf)?.endClaim(now);
    const known = journal.chains.get(beat.slot);
    if (known === undefined || same(known, beat.chain)) return true;
    this.#reportFork(this.#claims.of(beat.leaf), beat.slot, now);
    return false;
  }

  /** Check the claims of members that were ahead, now that this slot has been judged. */
  checkClaims(slot: number, now: number): void {
    this.#claims.past(now, slot, (signer, claim, isTrue) => {
      if (isTrue === false) this.#reportFork(signer, claim.slot, now);
      else if (claim.told) this.#arrived = true;
    });
  }

  /** Two beats of a member contradict each other; return whether that is news. */
  contradicts(leaf: number): boolean {
    const signer = this.#claims.of(leaf);
    const isNews = !signer.contradicts;
    signer.contradicts = true;
    return isNews;
  }

  #reportFork(signer: Signer, slot: number, now: number): void {
    if (signer.forked) return;
    signer.forked = true;
    if (now - signer.forkTold < TOLD_AGAIN) return; // it has come in again, and reports another one
    signer.forkTold = now;
    const told = this.#claims.all().filter(({ forkTold }) => now - forkTold < TOLD_AGAIN);
    // One may lie; more than two add nothing.
    if (told.length <= 2)
      this.#room.tell(sentences.twoStories(slot, this.#members.names(told.map(({ leaf }) => leaf))));
  }

  /** Return the claims, by leaf, of slots that have not come here for a while. */
  ahead(now: number): Map<number, Claim> {
    const standing = this.#claims.standing();
    const heard = this.#members.serverTime(now, standing.length > 0);
    const connected = this.#members.connectedFor(heard);
    const ahead = new Map<number, Claim>();
    for (const { leaf, claim } of standing)
      if (claim !== null && Math.min(heard - claim.since, connected) > WITHHELD) ahead.set(leaf, claim);
    return ahead;
  }

  /** Return the leaves of the members whose claims stop us (`Claims.stop`). */
  stop(now: number, fresh: boolean): Stopping {
    return this.#claims.stop(now, fresh);
  }

  /** Return the claims that are worth a sentence: one member's alone is told once in a while. */
  #toTell(ahead: Map<number, Claim>, now: number): Map<number, Claim> {
    if (ahead.size > 1) return ahead;
    const isWorth = ([leaf, claim]: readonly [number, Claim]): boolean =>
      claim.told || this.#members.others.get(leaf) === true || now - this.#claims.of(leaf).claimTold > TOLD_AGAIN;
    return new Map([...ahead].filter(isWorth));
  }

  /** Report a change that does not come, and when it has come. */
  judge(now: number): void {
    const room = this.#room;
    const mine = room.membership.journal.slot;
    const server = room.stuckAt === null && !room.needsRejoin ? room.serverSlot : null;
    if (server !== null && server > mine) this.#serverAhead ??= now;
    else this.#serverAhead = null;
    const late = this.#serverAhead !== null && now - this.#serverAhead > WITHHELD;
    // Our server withholds nothing that came about in another room.
    const isHere = ([, { incarnation }]: readonly [number, Claim]): boolean =>
      room.incarnation !== null && same(incarnation, room.incarnation);
    const here = new Map([...this.ahead(now)].filter(isHere));
    if (room.stuckAt !== null || room.seeksReadmission) return;
    const standing = this.#claims.standing();
    const waits = !standing.some(({ claim }) => claim !== null && now - claim.since > WITHHELD + GATHER);
    if (here.size === 1 && standing.length > 1 && waits) return; // others follow in a moment: one alarm
    const ahead = this.#toTell(here, now);
    // Later claims are no news, unless the first claim has stood alone for long, or they prove it.
    const more = !this.#reported || now - this.#reportedAt > DOUBT || !this.#proven;
    const isNews = more && [...ahead.values()].some(({ told }) => !told);
    this.#proven = ahead.size > 1 || (ahead.size > 0 && this.#proven);
    this.serverWithholds = late;
    const stands = standing.some(({ claim }) => claim?.told === true);
    if (isNews || (late && !this.#reported)) {
      this.#reported = true;
      this.#reportedAt = now;
      this.#serverTold = !isNews;
      this.#tell(isNews ? ahead : new Map());
    } else if (this.#reported && server === mine && (this.#arrived || !stands)) {
      const came = this.#arrived || this.#serverTold;
      room.tell(sentences.status(came ? "cleared.handed_over" : "cleared.claims"));
      this.#reported = this.#proven = this.#serverTold = this.#arrived = false;
    }
    for (const [leaf, claim] of ahead) {
      claim.told = true;
      this.#claims.of(leaf).claimTold = now;
    }
  }

  #tell(ahead: ReadonlyMap<number, Claim>): void {
    const room = this.#room;
    // An opening is the server's word too, and a host or former host can have signed it.
    if (ahead.size === 0) {
      room.tell(sentences.alarm("withheld.server", { slot: room.serverSlot ?? 0 }));
      return;
    }
    const leaves = [...ahead.keys()];
    const slot = Math.min(...[...ahead.values()].map((claim) => claim.slot)); // all have signed that they have this one
    const isHost = leaves.some((leaf) => this.#members.others.get(leaf) === true);
    const key = leaves.length > 1 ? "withheld.proven" : isHost ? "withheld.host" : "withheld";
    room.tell(sentences.alarm(key, { slot, who: this.#members.names(leaves), origin: room.here.origin }));
  }
}
