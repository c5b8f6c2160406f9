/**
 * A meeting that is paused because too many are silent: a host's program goes on without them.
 *
 * It takes them off the list as absent: each of them comes back by itself and without a question, as the member that it
 * was (SNUG-8). It takes off no more than it must, those that have been silent for longest first, and no host. A
 * server that makes members silent gains little: a program does this once in ten minutes for each.
 */
import { toBase64 } from "../../wire/codec";
import * as sentences from "../catalogue/sentences";
import { Feature } from "../kernel/feature";
import type { Room } from "../kernel/ports";
import { Monitor } from "../monitor/monitor";
import { STEP } from "./absence";

/** Seconds for which too few are heard, and always the same, before a host's program goes on without the others. */
export const PATIENCE = 20;
/** Seconds after which it may do that again for the same member. */
export const AGAIN = 600;

/** Goes on without silent members where we are a host and it is our turn. */
export class SilentMajority extends Feature {
  /** The others that are heard. */
  #here = "";
  /** When that last changed, or what else is needed came about. */
  #since = 0;
  /** Signature key -> when we last took that member off the list. */
  #done = new Map<string, number>();

  override carryOver(old: Room): void {
    this.#done = old.feature(SilentMajority).#done;
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    const monitor = room.feature(Monitor);
    const may = m.isHost(m.ownLeaf) && !room.options.waitsForSilent;
    if (!(may && room.isSynced(now) && monitor.isShort(now))) {
      this.#since = now;
      return;
    }
    const others = m.members().flatMap(({ leaf }) => (leaf === m.ownLeaf ? [] : [leaf]));
    const here = others.filter((leaf) => room.heardRecently(leaf, now));
    if (here.join() !== this.#here) [this.#here, this.#since] = [here.join(), now];
    if (here.length === 0 || now - this.#since < PATIENCE + STEP * room.rank) return;
    const silent = others.filter((leaf) => !here.includes(leaf) && !m.isHost(leaf) && this.#may(leaf, now));
    const count = others.length - 2 * here.length; // those who are left are more than half then
    if (count <= 0 || count > silent.length) return;
    const chosen = silent.sort((a, b) => monitor.lastHeard(a) - monitor.lastHeard(b) || a - b).slice(0, count);
    this.#since = now;
    room.tell(sentences.status("going_on_without", { names: chosen.map((leaf) => m.name(leaf)) }));
    for (const leaf of chosen) {
      const signatureKey = m.signatureKey(leaf);
      if (signatureKey === null) continue;
      this.#done.set(toBase64(signatureKey), now);
      await room.queueOnce({ type: "RemoveIntent", leaf, signatureKey, absent: true }, now);
    }
  }

  #may(leaf: number, now: number): boolean {
    const key = this.room.membership.signatureKey(leaf);
    const at = key === null ? undefined : this.#done.get(toBase64(key));
    return at === undefined || now - at > AGAIN;
  }
}
