/**
 * Recovery from a commit that we alone cannot read, or from a verdict that the others do not share.
 *
 * Protocol section 6. A commit can pass every check and carry a path secret that is wrong for us alone. Then this
 * member sends nothing. The others' beats show whether the commit was void for them too; if not, we rejoin with a
 * ticket.
 */
import type { Bytes } from "../../crypto/bytes";
import { Feature } from "./feature";
import { Monitor } from "../monitor/monitor";

/** Seconds that a stuck member waits for the others' beats. */
export const STUCK_WAIT = 4;
/** Seconds for which the others must be in a later epoch at our own slot before we accept it. */
export const ASTRAY_WAIT = 4;

/** Detects that we fell out of step, and chooses the recovery. */
export class Recovery extends Feature {
  #since = 0;
  #blob: Bytes = new Uint8Array();
  #astray: number | null = null;

  override stuck(blob: Bytes, now: number): void {
    this.#since = now;
    this.#blob = blob;
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    if (room.needsRejoin) return;
    if (room.stuckAt === null) {
      this.#considerAstray(now);
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
    if (!level || room.feature(Monitor).verdictOnSlot(room.membership.journal.slot, true) !== "valid")
      this.#astray = null;
    else if (this.#astray === null) this.#astray = now;
    else if (now - this.#astray > ASTRAY_WAIT) room.giveUp();
  }
}
