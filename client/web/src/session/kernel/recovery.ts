/**
 * Recovery from a commit that we alone cannot read, or from a verdict that the others do not share.
 *
 * Protocol section 6. A commit can pass every check and carry a path secret that is wrong for us alone. Then this
 * member sends nothing. The others' beats show whether the commit was void for them too; if not, we rejoin with a
 * ticket.
 */
import type { Bytes } from "../../crypto/bytes";
import { Feature } from "./feature";
import type { RoomConnection } from "./roomConnection";
import type { Stuck } from "./membership";
import { Monitor } from "../monitor/monitor";
import * as sentences from "../catalogue/sentences";

/** Seconds that a stuck member waits for the others' beats, or for a host's new gate. */
export const STUCK_WAIT = 4;
/** Seconds for which the others must be in a later epoch at our own slot before we accept it. */
export const ASTRAY_WAIT = 4;

/** Detects that we fell out of step, and chooses the recovery. */
export class Recovery extends Feature {
  #since = 0;
  #blob: Bytes = new Uint8Array();
  #astray: number | null = null;

  /** Stop at a commit in the next slot that breaks no rule and that we cannot read. */
  start(verdict: Stuck, blob: Bytes, now: number): void {
    const { room } = this;
    room.stuckAt = room.m.journal.slot + 1;
    this.#since = now;
    this.#blob = blob;
    room.tell(sentences.stuck(room.authorName(verdict.author)));
  }

  /** Show the pass that we have: hosts that find the slot void set its gate to that pass. */
  show(connection: RoomConnection): void {
    connection.shown = connection.refusedAt = null;
    connection.showing = this.room.stuckAt;
    this.room.send({ type: "show", room_pass: this.room.m.journal.roomPass });
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    if (room.needsRejoin) return;
    if (room.stuckAt === null) {
      this.#considerAstray(now);
      return;
    }
    const { connection, stuckAt } = room;
    const verdict = room.feature(Monitor).verdictOnSlot(stuckAt);
    const regated = connection !== null && connection.shown !== null && connection.shown >= stuckAt;
    if (regated || verdict === "void") {
      room.stuckAt = null;
      room.m.void(this.#blob);
      if (connection !== null && !regated) connection.shown = connection.showing = null;
      for (const feature of room.features) await feature.voided(stuckAt, null, now);
    } else if (verdict === "valid" || now - this.#since > STUCK_WAIT) room.needsRejoin = true;
  }

  /** Rejoin if the others are in a later epoch at our own slot: their verdict on a commit differs. */
  #considerAstray(now: number): void {
    const { room } = this;
    const level = room.serverSlot === room.m.journal.slot && room.ended === null;
    if (!level || room.feature(Monitor).verdictOnSlot(room.m.journal.slot, true) !== "valid")
      this.#astray = null;
    else if (this.#astray === null) this.#astray = now;
    else if (now - this.#astray > ASTRAY_WAIT) room.needsRejoin = true;
  }
}
