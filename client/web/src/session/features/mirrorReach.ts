/**
 * Whether heartbeats come by the mirror, and what a person was told of that (protocol section 12).
 *
 * A mirror that is down, or cut off, takes away a protection and nothing else: so it is told, once and calmly. Its
 * server's word counts for nothing here, as everywhere: only what members have sent by it does.
 */
import * as sentences from "../catalogue/sentences";
import type { Room } from "../kernel/ports";
import type { SecondRoom } from "../kernel/secondRoom";

/** Seconds in step without anything by the mirror until that is told. */
export const UNREACHED = 30;
/** Seconds that one tick counts for at most: a computer that slept has missed nothing. */
export const TICK_MAX = 1;

/** One participant's mirror. */
export class Reach {
  /** Where the mirror is; empty without one. */
  origin = "";
  /** When something last came by it; before that, since when it is the mirror. */
  since = 0;
  #came = false;
  /** Seconds without it in which we were in step. */
  #missing = 0;
  #tickedAt = 0;
  /** The mirror that a person knows to be missing. */
  #toldOf = "";

  /** Whether something has come by it, a moment ago. */
  get isReached(): boolean {
    return this.#came && this.#missing < UNREACHED;
  }

  /** Something has come by the mirror. */
  came(now: number): void {
    [this.#came, this.since, this.#missing] = [true, now, 0];
  }

  /** Let time pass in step. Tell once that nothing comes by the mirror, and when it does again. */
  tick(room: Room, mirror: SecondRoom | null, now: number): void {
    const { here } = room;
    if (mirror?.isReady === true && !hearsOthers(room, now)) this.came(now); // nobody is here who could say something there
    const origin = mirror?.here.origin ?? "";
    if (origin === this.origin) this.#missing += Math.min(now - this.#tickedAt, TICK_MAX);
    else [this.origin, this.since, this.#came, this.#missing] = [origin, now, false, 0];
    this.#tickedAt = now;
    if (this.#toldOf !== "" && (this.isReached || origin === "")) {
      this.#toldOf = "";
      room.tell(origin === "" ? sentences.status("cleared.mirror.none", { origin: here.origin }) : sentences.status("cleared.mirror", { origin }));
    } else if (origin !== "" && this.#missing >= UNREACHED && this.#toldOf !== origin) {
      this.#toldOf = origin;
      room.tell(sentences.status("mirror", { origin, here: here.origin, seconds: UNREACHED }));
    }
  }
}

function hearsOthers(room: Room, now: number): boolean {
  const { membership: m } = room;
  return m.members().some(({ leaf }) => leaf !== m.ownLeaf && room.heardRecently(leaf, now));
}
