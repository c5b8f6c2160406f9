/** A host ends the meeting for all (SNUG-18). */
import type { Bytes } from "../../crypto/bytes";
import { sentence } from "../../words/sentence";
import type { AnyContent } from "../catalogue/content";
import { Announcement } from "./announcement";

/** Seconds after which a host who ended the meeting leaves, even if the server has not relayed the end. */
export const END_WAIT = 5;

type End = Extract<AnyContent, { type: "end" }>;

/** Leaves when the end has come back, or after `END_WAIT`. */
export class Ending extends Announcement<End> {
  #since: number | null = null;

  protected readonly alarm = "false_end";
  protected readonly kind = "end";

  /** End the meeting, as soon as we are in step with the server; CommandError if we are not a host. */
  async end(now: number): Promise<void> {
    this.room.hostOnly();
    this.#since ??= now;
    await this.tick(now);
  }

  protected wanted(chain: Bytes): End | null {
    return this.#since === null || this.room.ended !== null ? null : { type: "end", chain };
  }

  override async tick(now: number): Promise<void> {
    await super.tick(now);
    const { room } = this;
    if (this.#since !== null && room.ended === null && now - this.#since > END_WAIT)
      room.finish("ended", sentence("room.ended_unheard"));
  }

  protected follow(_what: End, by: number): void {
    const { membership: m } = this.room;
    const ended = by === m.ownLeaf ? sentence("room.you_ended") : sentence("room.ended_by", { name: m.name(by) });
    this.room.finish("ended", ended);
  }
}
