/**
 * Which streams the server is asked to forward to us: all of them, unless somebody has chosen fewer.
 *
 * What is asked for is seen by the server. Whoever asks for the picture of the person that speaks tells it who speaks,
 * so that is a choice. While fewer are asked for, what doesn't come proves nothing: then our beats say that we don't
 * want all, and nobody judges what reaches us.
 */
import { Aspect } from "./aspect";
import type { RoomSession } from "./room";

/** Says it again wherever the server can't know it: on each connection, and with other media of ours. */
export class Asking extends Aspect {
  #ssrcs: readonly number[] | null = null;
  #published = false;

  /** Whether a media engine is here, and every stream is asked for. */
  get everything(): boolean {
    return this.room.hasMedia && this.#ssrcs === null;
  }

  /** These from now on; null: all. It goes out as soon as the server has our media. */
  ask(ssrcs: readonly number[] | null): void {
    if (String(ssrcs) === String(this.#ssrcs)) return; // "null", or the numbers
    this.#ssrcs = ssrcs;
    if (this.#published) this.#tell();
  }

  override carryOver(old: RoomSession): void {
    this.#ssrcs = old.aspect(Asking).#ssrcs;
  }

  override published(_now: number): void {
    this.#published = true;
    if (this.#ssrcs !== null) this.#tell();
  }

  override lost(): void {
    this.#published = false;
  }

  #tell(): void {
    this.room.send({ type: "want", ssrcs: this.#ssrcs === null ? null : [...this.#ssrcs], tops: [] });
  }
}
