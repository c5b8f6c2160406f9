/** Our commits: the queue of intents, and the commit that is out for the first of them. */
import { type Bytes, same } from "../../crypto/bytes";
import { gateOf } from "../../crypto/agreed/envelope";
import type { Sentence } from "../../words/sentence";
import * as reasons from "../catalogue/reasons";
import * as sentences from "../catalogue/sentences";
import type { Feature } from "./feature";
import { type Intent, letsIn, sameRemoval } from "./intents";
import type { Staged } from "./verdict";
import type { Owner, Room } from "./ports";
import { signOpening } from "./opening";

/** Seconds without an answer to our commit before it is sent again. */
export const COMMIT_RETRY = 3;

/** One membership's intents: each is staged anew in every epoch until it is done or fails. */
export class CommitQueue {
  readonly #room: Room;
  readonly #features: readonly Feature[];
  readonly #owner: Owner;
  #intents: Intent[] = [];
  #staged: Staged | null = null;
  /** 0: it is to be sent. */
  #sentAt = 0;

  constructor(room: Room, features: readonly Feature[], owner: Owner) {
    this.#room = room;
    this.#features = features;
    this.#owner = owner;
  }

  /** Take over the intents of `old` that outlive its leaf. */
  carryOver(old: CommitQueue): void {
    this.#intents = old.#intents.filter(({ type }) => type !== "SelfRemoveIntent" && type !== "HealIntent");
  }

  /** Add an intent: removals first, the others in order. */
  add(intent: Intent): void {
    let at = this.#intents.length;
    if (intent.type === "RemoveIntent") {
      const underWay = this.#staged === null ? 0 : 1;
      const later = this.#intents.findIndex(({ type }, n) => n >= underWay && type !== "RemoveIntent");
      if (later >= 0) at = later;
    }
    this.#intents.splice(at, 0, intent);
  }

  has(intent: Intent): boolean {
    return this.#intents.some((other) => sameRemoval(intent, other));
  }

  /** Return whether a healing commit of that epoch is queued. */
  hasHeal(epoch: number): boolean {
    return this.#intents.some((intent) => intent.type === "HealIntent" && intent.epoch === epoch);
  }

  /** The intents that have not been done yet, in order. */
  get waiting(): readonly Intent[] {
    return this.#intents;
  }

  /** Whether no intent is queued and no commit is under way. */
  get idle(): boolean {
    return this.#intents.length === 0 && this.#staged === null;
  }

  /** Have a commit sent again that got no answer. */
  tick(now: number): void {
    if (this.#staged !== null && now - this.#sentAt > COMMIT_RETRY) this.#sentAt = 0;
  }

  /** Send the commit of the first intent that can be staged; only while in sync. */
  async sendNext(now: number): Promise<void> {
    const { membership: m } = this.#room;
    const staged = this.#staged;
    if (staged !== null && staged.slot === m.journal.slot + 1) {
      if (this.#sentAt === 0) {
        this.#sentAt = now;
        await this.#send(staged);
      }
      return;
    }
    for (;;) {
      if (this.#intents.length > 0 && this.#features.some((feature) => feature.holdsCommits(now))) {
        // A removal never waits, and goes before all other intents.
        const later = (intent: Intent): number => (intent.type === "RemoveIntent" ? 0 : 1);
        this.#intents.sort((one, other) => later(one) - later(other));
        if (this.#intents[0]?.type !== "RemoveIntent") return;
      }
      const [intent] = this.#intents;
      if (intent === undefined) return;
      let made: Staged | null = null;
      try {
        made = await m.stage(intent);
      } catch (error) {
        this.#intents.shift();
        this.#failed(intent, reasons.because(error));
        continue;
      }
      if (made === null) {
        this.#intents.shift();
        continue;
      }
      this.#staged = made;
      this.#sentAt = now;
      await this.#send(made);
      return;
    }
  }

  async #send({ slot, blob }: Staged): Promise<void> {
    const chain = this.#room.membership.journal.chainAfter(blob);
    const opening = await signOpening(this.#room, slot, gateOf(blob), chain);
    this.#room.send(await this.#room.here.signed({ type: "commit", slot, blob, opening }));
  }

  /**
   * Give up an admission whose commit the server says that it never takes, and tell the newcomer.
   *
   * Other intents stay: nobody has signed the refusal, and `monitor/pending.ts` reports what waits.
   */
  refused(why: Sentence): void {
    const staged = this.#staged;
    if (staged === null || !letsIn(staged.intent)) return;
    staged.stage.drop();
    this.#staged = null;
    this.#remove(staged.intent);
    this.#failed(staged.intent, why);
  }

  /** Return our commit if `blob` is it; else drop it, and stage its intent anew in the next epoch. */
  slotTaken(blob: Bytes): Staged | null {
    const staged = this.#staged;
    this.#staged = null;
    if (staged === null || same(staged.blob, blob)) return staged;
    staged.stage.drop();
    return null;
  }

  /** Remove the intent of our commit, which has been adopted. */
  adopted({ intent, stage }: Staged): void {
    this.#remove(intent);
    if (!letsIn(intent)) return;
    if (stage.welcome === null) throw new TypeError("somebody was added without a Welcome");
    this.#owner.admitted(intent, stage.welcome);
  }

  #remove(intent: Intent): void {
    if (this.#intents[0] === intent) this.#intents.shift();
  }

  #failed(intent: Intent, why: Sentence): void {
    if (letsIn(intent)) this.#owner.notAdmitted(intent, why);
    else this.#room.tell(sentences.alarm("not_done", { why }));
  }
}
