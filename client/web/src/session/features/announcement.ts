/** What a host tells all members of a meeting (SNUG-18), and repeats until it names the current chain. */
import { type Bytes, same } from "../../crypto/bytes";
import { ValidationError } from "../../crypto/errors";
import { H } from "../../crypto/kdf";
import { snug18 } from "../../crypto/agreed/policy";
import type { ApplicationMessage } from "../../mls";
import type { AnyContent } from "../catalogue/content";
import * as reasons from "../catalogue/reasons";
import * as sentences from "../catalogue/sentences";
import { type Contents, Feature } from "../kernel/feature";
import type { Change } from "../kernel/verdict";

type Announced = Extract<AnyContent, { type: "end" | "move" }>;

/** Relays ours for the current chain, and again for a new chain; follows those of other hosts. */
export abstract class Announcement<C extends Announced> extends Feature {
  #sent: C | null = null;
  /** H(blob) of what we sent. */
  #digest: Bytes = new Uint8Array();
  /** Leaves that sent one without being hosts: reported once. */
  readonly #false = new Set<number>();

  /** The key of the alarm at one that breaks SNUG-18. */
  protected abstract readonly alarm: "false_end" | "false_end.move";

  protected abstract readonly kind: C["type"];

  /** Return what we want to announce for that chain value (32 bytes); null: nothing. */
  protected abstract wanted(chain: Bytes): C | null;

  /** Do what the host at that leaf has announced; our own comes back from the server first. */
  protected abstract follow(what: C, by: number, now: number): void | Promise<void>;

  /** Announce what we want, as soon as we are in step with the server. */
  protected async announce(now: number): Promise<void> {
    this.#sent = null;
    await this.tick(now);
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { chain } = room.membership.journal;
    if (!room.isSynced(now) || (this.#sent !== null && same(this.#sent.chain, chain))) return;
    this.#sent = this.wanted(chain);
    if (this.#sent !== null) this.#digest = H(await room.relay(this.#sent));
  }

  override adopted(change: Change): void {
    for (const { leaf } of change.removed) this.#false.delete(leaf);
  }

  override lost(): void {
    this.#sent = null; // it may not have arrived
  }

  override async relayed(_number: number, digest: Bytes, now: number): Promise<void> {
    const sent = this.#sent;
    const { membership: m } = this.room;
    if (sent !== null && same(digest, this.#digest) && same(sent.chain, m.journal.chain))
      await this.#follow(sent, m.ownLeaf, now);
  }

  override contents(): Contents {
    return { [this.kind]: async ({ sender }: ApplicationMessage, what: C, now: number) => this.#heard(sender, what, now) };
  }

  async #heard(leaf: number, what: C, now: number): Promise<void> {
    const { membership: m } = this.room;
    const byHost = m.isHost(leaf);
    const { chain, chains } = m.journal;
    if (byHost && !same(what.chain, chain) && [...chains.values()].some((known) => same(known, what.chain)))
      return; // a commit came between: the host sends it again
    try {
      snug18({ byHost, chain: what.chain, currentChain: chain });
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      if (this.#false.has(leaf)) return;
      this.#false.add(leaf);
      this.room.tell(sentences.alarm(this.alarm, { name: m.name(leaf), why: reasons.ruled(error) }));
      return;
    }
    await this.#follow(what, leaf, now);
  }

  async #follow(what: C, by: number, now: number): Promise<void> {
    this.#sent = null;
    await this.follow(what, by, now);
  }
}
