/** A host ends the meeting for all (SNUG-18), and repeats it until it names the current chain. */
import { type Bytes, same } from "../../crypto/bytes";
import { ValidationError } from "../../crypto/errors";
import { H } from "../../crypto/kdf";
import { snug18 } from "../../crypto/agreed/policy";
import type { ApplicationMessage } from "../../mls";
import { sentence } from "../../words/sentence";
import { Feature } from "../kernel/feature";
import type { AnyContent } from "../catalogue/content";
import type { Change } from "../kernel/verdict";
import * as reasons from "../catalogue/reasons";
import * as sentences from "../catalogue/sentences";

/** Seconds after which a host who ended the meeting leaves, even if the server has not relayed the end. */
export const END_WAIT = 5;

/** Sends END for the current chain, and again for a new chain when a commit came between. */
export class Ending extends Feature {
  #since: number | null = null;
  #digest: Bytes = new Uint8Array();
  #chain: Bytes = new Uint8Array();
  /** Leaves that sent it without being hosts: reported once. */
  readonly #false = new Set<number>();

  /** End the meeting, as soon as we are in step with the server; CommandError if we are not a host. */
  async end(now: number): Promise<void> {
    this.room.hostOnly();
    this.#since ??= now;
    await this.tick(now);
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    if (this.#since === null || room.ended !== null) return;
    if (room.isSynced(now) && !same(this.#chain, room.membership.journal.chain)) {
      this.#chain = room.membership.journal.chain;
      this.#digest = H(await room.relay({ type: "end", chain: this.#chain }));
    }
    if (now - this.#since > END_WAIT) room.finish("ended", sentence("room.ended_unheard"));
  }

  override adopted(change: Change): void {
    for (const { leaf } of change.removed) this.#false.delete(leaf);
  }

  override lost(): void {
    this.#chain = new Uint8Array(); // it may not have arrived
  }

  override relayed(_number: number, digest: Bytes): void {
    if (this.#since !== null && same(digest, this.#digest) && same(this.#chain, this.room.membership.journal.chain))
      this.room.finish("ended", sentence("room.you_ended"));
  }

  override contentReceived(received: ApplicationMessage, what: AnyContent): boolean {
    if (what.type !== "end") return false;
    const { room } = this;
    const leaf = received.sender;
    const byHost = room.membership.isHost(leaf);
    const { chain, chains } = room.membership.journal;
    if (byHost && !same(what.chain, chain) && [...chains.values()].some((known) => same(known, what.chain)))
      return true; // a commit came between: the host sends it again
    try {
      snug18({ byHost, chain: what.chain, currentChain: chain });
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      if (!this.#false.has(leaf)) {
        this.#false.add(leaf);
        room.tell(sentences.alarm("false_end", { name: room.membership.name(leaf), why: reasons.ruled(error) }));
      }
      return true;
    }
    room.finish("ended", sentence("room.ended_by", { name: room.membership.name(leaf) }));
    return true;
  }
}
