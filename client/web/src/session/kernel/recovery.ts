/**
 * Recovery of a member that is, or is said to be, at another place than the others.
 *
 * Protocol section 6. A commit can pass every check and carry a path secret that is wrong for us alone. Then this
 * member sends nothing. The others' beats show whether the commit was void for them too; if not, we rejoin with a
 * ticket.
 *
 * The server can also claim a slot, or members can sign one, that the server does not hand over. Then this member asks
 * the others to let it in again, but keeps its membership: nobody has signed what the server says, and if it yields,
 * the membership goes on.
 */
import type { Bytes } from "../../crypto/bytes";
import * as sentences from "../catalogue/sentences";
import { Feature } from "./feature";
import { Monitor } from "../monitor/monitor";
import type { Room } from "./ports";

/** Seconds that a stuck member waits for the others' beats. */
export const STUCK_WAIT = 4;
/** Seconds for which the others must be in a later epoch at our own slot before we accept it. */
export const ASTRAY_WAIT = 4;
/**
 * Seconds for which the server refuses to hand over the others' slot, or is silent about it, before we ask the members
 * to let us in again.
 */
export const REFUSED_WAIT = 2;
export const SILENT_WAIT = 10;
/** Seconds between two requests for what is not handed over. */
export const ASK_EVERY = 3;
/** Seconds of asking before we report that nobody answers. */
export const UNANSWERED = 30;

/** Detects that we fell out of step, and chooses the recovery. */
export class Recovery extends Feature {
  #since = 0;
  #blob: Bytes = new Uint8Array();
  #astray: number | null = null;
  /** Our slot, the server's if that is earlier (else 0), and since when they are apart. */
  #apart: { readonly slot: number; readonly moved: number; readonly since: number } | null = null;
  #askedAt: number;
  /** Since when the members do not let us in again. */
  #waitsSince: number | null = null;
  /** That we ask them, and nobody answers. */
  #told = false;
  /** By an answer: the membership before told that it was out of step. */
  #returns = false;

  constructor(room: Room, now: number) {
    super(room);
    this.#askedAt = now;
  }

  override carryOver(): void {
    this.#returns = true; // nobody rejoins untold: see `Reentry.reason`
  }

  override synced(): void {
    if (!this.#returns) return;
    this.#returns = false;
    this.room.tell(sentences.status("cleared.in_step"));
  }

  override stuck(blob: Bytes, now: number): void {
    this.#since = now;
    this.#blob = blob;
  }

  override async resumed(now: number): Promise<void> {
    if (this.room.stuckAt !== null) await this.room.passOver(this.#blob, now);
    this.#apart = null;
    this.#astray = null;
    this.room.tell(sentences.status("cleared.in_step"));
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    this.#tellUnanswered(now);
    if (room.needsRejoin) return;
    if (room.stuckAt === null) {
      this.#considerAstray(now);
      this.#considerReach(now);
      return;
    }
    const verdict = room.feature(Monitor).verdictOnSlot(room.stuckAt);
    if (verdict === "void") await room.passOver(this.#blob, now);
    else if (verdict === "valid" || now - this.#since > STUCK_WAIT) room.giveUp();
  }

  /** Rejoin if the others are in a later epoch at our own slot: their verdict on a commit differs. */
  #considerAstray(now: number): void {
    const { room } = this;
    const level = room.serverSlot === room.membership.journal.slot && room.ended === null;
    const verdict = room.feature(Monitor).verdictOnSlot(room.membership.journal.slot, true);
    if (!level || verdict === "void") this.#astray = null;
    else if (verdict === "valid") {
      this.#astray ??= now;
      if (now - this.#astray > ASTRAY_WAIT) room.giveUp();
    }
  }

  /** Ask to be let in again while the members, or the server, stay at another slot than ours. */
  #considerReach(now: number): void {
    const { room } = this;
    const mine = room.membership.journal.slot;
    const claimed = room.serverSlot;
    if (claimed === null) return; // not connected, or the room is not open: that is reported as such
    if (room.isShutOut(now)) {
      if (!room.seeksReadmission) room.seekReadmission(true);
      return;
    }
    if (claimed === mine && !room.feature(Monitor).isAhead(now)) {
      if (room.seeksReadmission) {
        room.seekReadmission(false);
        room.tell(sentences.status("cleared.in_step"));
      }
      this.#apart = null;
      return;
    }
    const moved = claimed < mine ? claimed : 0; // blobs are being handed over to the server
    if (this.#apart?.slot !== mine || moved > this.#apart.moved) {
      this.#apart = { slot: mine, moved, since: now };
      this.#askedAt = now;
    }
    const waited = now - this.#apart.since;
    if (claimed >= mine && now - this.#askedAt > ASK_EVERY) {
      this.#askedAt = now;
      room.askAgain();
    }
    if (waited > (room.outOfReach ? REFUSED_WAIT : SILENT_WAIT) && !room.seeksReadmission) room.seekReadmission(true);
  }

  /** Report once that we wait outside for long, and what can have caused it. */
  #tellUnanswered(now: number): void {
    if (!this.room.seeksReadmission) {
      this.#waitsSince = null;
      this.#told = false;
    } else if (this.#waitsSince === null) this.#waitsSince = now;
    else if (!this.#told && now - this.#waitsSince > UNANSWERED) {
      this.#told = true;
      const form = this.room.absentBy === "" ? "unanswered" : "absent_unanswered";
      this.room.tell(sentences.alarm(`rejoining.${form}`, { seconds: UNANSWERED }));
    }
  }
}
