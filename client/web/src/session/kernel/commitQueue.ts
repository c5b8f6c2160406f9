/** Our commits: the queue of intents, and the commit that is out for the first of them. */
import { type Bytes, same } from "../../crypto/bytes";
import { gateOf } from "../../crypto/agreed/envelope";
import type { Sentence } from "../../words/sentence";
import * as reasons from "../catalogue/reasons";
import * as sentences from "../catalogue/sentences";
import type { Batches } from "./batches";
import type { Feature } from "./feature";
import { type Intent, letsIn, sameRemoval } from "./intents";
import { loadedLater } from "./load";
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
  #together: Batches | null = null;

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
      // also before those whose commit is under way: it may lose its slot
      const later = this.#intents.findIndex(({ type }) => type !== "RemoveIntent");
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
      const batches = this.#batches;
      const batch = batches?.next(this.#intents, now) ?? this.#intents.slice(0, 1);
      if (batch.length === 0) return;
      let made: Staged | null = null;
      try {
        made = await m.stage(...batch);
      } catch (error) {
        const [intent, why] = (batches ? await batches.refused(m, batch, error) : [batch[0], error]) ?? [];
        if (intent) this.#giveUp(intent, reasons.because(why));
        continue;
      }
      // the others are done: a member has their key already
      this.#remove(batch.filter((each) => !made?.intents.includes(each)));
      if (made === null) continue;
      this.#staged = made;
      this.#sentAt = now;
      batches?.sent(batch, now);
      await this.#send(made);
      return;
    }
  }

  /** How newcomers go together; null until somebody can knock. */
  get #batches(): Batches | null {
    const later = loadedLater();
    return later && (this.#together ??= new later.Batches());
  }

  async #send({ slot, blob }: Staged): Promise<void> {
    const chain = this.#room.membership.journal.chainAfter(blob);
    const opening = await signOpening(this.#room, slot, gateOf(blob), chain);
    this.#room.send(await this.#room.here.signed({ type: "commit", slot, blob, opening }));
  }

  /**
   * Give up an admission whose commit the server says that it never takes, and tell the newcomer.
   *
   * Several newcomers are tried again in smaller parts. Other intents stay: nobody has signed the refusal, and
   * `monitor/pending.ts` reports what waits.
   */
  refused(why: Sentence): void {
    const staged = this.#staged;
    const intent = staged?.intents[0];
    if (!staged || !intent || !letsIn(intent)) return;
    staged.stage.drop();
    this.#staged = null;
    if (this.#batches?.givesUp(staged.intents) ?? true) this.#giveUp(intent, why);
  }

  /** Return our commit if `blob` is it; else drop it, and stage its intent anew in the next epoch. */
  slotTaken(blob: Bytes): Staged | null {
    const staged = this.#staged;
    this.#staged = null;
    if (staged === null || same(staged.blob, blob)) return staged;
    staged.stage.drop();
    this.#together?.slotLost();
    return null;
  }

  /** Remove the intents of our commit, which has been adopted. */
  adopted({ intents, stage }: Staged): void {
    this.#together?.adopted();
    this.#remove(intents);
    for (const intent of intents.filter(letsIn)) {
      if (stage.welcome === null) throw new TypeError("somebody was added without a Welcome");
      this.#owner.admitted(intent, stage.welcome, stage.tree);
    }
  }

  #remove(intents: readonly Intent[]): void {
    this.#intents = this.#intents.filter((intent) => !intents.includes(intent));
  }

  #giveUp(intent: Intent, why: Sentence): void {
    this.#remove([intent]);
    if (letsIn(intent)) this.#owner.notAdmitted(intent, why);
    else this.#room.tell(sentences.alarm("not_done", { why }));
  }
}
