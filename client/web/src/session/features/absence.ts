/**
 * Members whose programs have ended, by their own word: hosts remove them when they don't come back.
 *
 * Their invites stay valid, and nobody is alarmed. Without that, people who close their pages would stay in the tree for
 * as long as the meeting lasts, and with them the meeting would lose the majority that confirms it.
 */
import { Feature } from "../kernel/feature";
import { States } from "./states";

/** Seconds for which an absent member keeps its leaf; and while those who are left are no majority. */
export const KEPT = 60;
export const KEPT_IN_A_CROWD = 5;
/** Seconds that each next host waits. */
export const STEP = 2;
/** Seconds after its last word in which an absent member may still be heard: that was under way. */
export const UNDER_WAY = 3;

/** Removes absent members where we are a host and it is our turn. */
export class Absence extends Feature {
  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    if (!m.isHost(m.ownLeaf)) return;
    const absent = [...room.feature(States).away].filter(([leaf, since]) => !room.heardRecently(leaf, now, since + UNDER_WAY));
    const here = m.members().length - absent.length;
    const kept = here === 1 || here > absent.length ? KEPT : KEPT_IN_A_CROWD;
    for (const [leaf, since] of absent) {
      const signatureKey = m.signatureKey(leaf);
      if (signatureKey !== null && now - since > kept + STEP * room.rank)
        await room.queueOnce({ type: "RemoveIntent", leaf, signatureKey, absent: true }, now);
    }
  }
}
