/**
 * Back in step: after a commit that we alone can't read, or a verdict in which the others are not with us.
 *
 * Protocol section 6. A commit can pass every check and carry a path secret that is wrong for us alone.
 * Then nothing leaves; the others' beats say whether it was void for them too, and else we rejoin with a
 * ticket.
 */
import type { Bytes } from "../crypto/bytes";
import { Aspect } from "./aspect";
import type { Doorway } from "./doorway";
import type { Stuck } from "./membership";
import { Watch } from "./watch";
import * as words from "./words";

/** Seconds that a stuck member waits for the others' beats, or for a host's new gate. */
export const STUCK_WAIT = 4;
/** Seconds for which the others may be in a later epoch at our own slot before we believe them. */
export const ASTRAY_WAIT = 4;

/** Finds out that we fell out of step, and how to get back. */
export class Recovery extends Aspect {
  #since = 0;
  #blob: Bytes = new Uint8Array();
  #astray: number | null = null;

  /** We can't read what took the next slot, and it breaks no rule. */
  start(verdict: Stuck, blob: Bytes, now: number): void {
    const { room } = this;
    room.stuckAt = room.m.journal.slot + 1;
    this.#since = now;
    this.#blob = blob;
    room.tell(words.stuck(room.who(verdict.author)));
  }

  /** If the hosts find the slot void they set its gate to the pass that we still have. */
  show(door: Doorway): void {
    door.shown = door.refusedAt = null;
    door.showing = this.room.stuckAt;
    this.room.send({ type: "show", token: this.room.m.journal.token });
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    if (room.needsRejoin) return;
    if (room.stuckAt === null) {
      this.#considerAstray(now);
      return;
    }
    const { door, stuckAt } = room;
    const verdict = room.aspect(Watch).verdictOnSlot(stuckAt);
    const regated = door !== null && door.shown !== null && door.shown >= stuckAt;
    if (regated || verdict === "void") {
      room.stuckAt = null;
      room.m.void(this.#blob);
      if (door !== null && !regated) door.shown = door.showing = null;
      for (const aspect of room.aspects) await aspect.voided(stuckAt, null, now);
    } else if (verdict === "valid" || now - this.#since > STUCK_WAIT) room.needsRejoin = true;
  }

  /** The others are in a later epoch at our own slot: our verdict on a commit was not theirs. */
  #considerAstray(now: number): void {
    const { room } = this;
    const level = room.serverSlot === room.m.journal.slot && room.ended === null;
    if (!level || room.aspect(Watch).verdictOnSlot(room.m.journal.slot, true) !== "valid")
      this.#astray = null;
    else if (this.#astray === null) this.#astray = now;
    else if (now - this.#astray > ASTRAY_WAIT) room.needsRejoin = true;
  }
}
