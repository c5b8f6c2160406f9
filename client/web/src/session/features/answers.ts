/**
 * Answers to a short code: which members say that they have the same one (protocol section 8).
 *
 * An answer is the word of the member that sends it, about its own screen. It names the run of the code by its id and
 * by V, so that it counts for no other code. Members are identified by their signature keys.
 */
import { type Bytes, hex, same as equal } from "../../crypto/bytes";
import type { CodeRun } from "../../crypto/proof/verification";
import type { ApplicationMessage } from "../../mls";
import { type Sentence, sentence } from "../../words/sentence";
import type { CodeAnswer } from "../catalogue/content";
import * as sentences from "../catalogue/sentences";
import type { Answered } from "../events";
import { type Contents, Feature } from "../kernel/feature";
import type { Room } from "../kernel/ports";
import type { Change } from "../kernel/verdict";
import { membersOf } from "./compared";

/** Minimum seconds between two answers of ours, and between two events: the last one is sent, and told. */
export const EVERY = 1;
/** How often a member may take back, within one run, that the codes differ: its last word stands from then on. */
export const TAKEN_BACK_MAX = 3;

type Order = readonly [epoch: number, generation: number];

/** The last code, and the answers to it by signature key (hex). */
interface Last {
  readonly sid: Bytes;
  readonly digest: Bytes;
  readonly epoch: number;
  readonly opener: string;
  readonly names: ReadonlyMap<string, string>;
  readonly said: Map<string, boolean>;
  readonly saidAs: Map<string, Order>;
  readonly takenBack: Map<string, number>;
  /** Members whose "different" was reported. */
  readonly disputed: Set<string>;
}

/** Sends our person's answer, and reports everybody's. */
export class Answers extends Feature {
  #last: Last | null = null;
  /** Answers to runs that are unknown here: of each member the last one. */
  #early = new Map<string, { readonly saidAs: Order; readonly what: CodeAnswer }>();
  /** Members that said "same" to a code to which our person said so too. */
  #both = new Set<string>();
  /** Members whose last word, as reported, is that codes differ: of this run or of an earlier one. */
  #differ = new Set<string>();
  /** Of this epoch and the last: leaf -> signature key. */
  #keys = new Map<number, ReadonlyMap<number, string>>();
  #sayAt: number | null = null;
  #saidAt = -Infinity;
  #toldAt = -Infinity;
  #news = false;

  constructor(room: Room) {
    super(room);
    this.#keepKeys();
  }

  override carryOver(old: Room): void {
    const before = old.feature(Answers);
    this.#last = before.#last;
    this.#early = before.#early;
    this.#both = before.#both;
    this.#differ = before.#differ;
  }

  /** The leaf of the member that opened the run of the last code; null if it is not here. */
  get by(): number | null {
    return this.#last === null ? null : (this.#leaves().get(this.#last.opener) ?? null);
  }

  /** A code of this epoch is shown; `opener` is a leaf. */
  shown({ sid, digest }: CodeRun, opener: number, epoch: number): void {
    const m = this.room.membership;
    this.#last = {
      sid, digest, epoch, opener: this.#key(opener), names: membersOf(m),
      said: new Map(), saidAs: new Map(), takenBack: new Map(), disputed: new Set(),
    };
    this.#sayAt = null;
    const early = this.#early;
    this.#early = new Map();
    for (const [key, { saidAs, what }] of early) this.#take(key, what, saidAs);
    this.#news = true;
  }

  /** Our person says whether the last code is the same; before there was one, nothing happens. */
  async answer(same: boolean, now: number): Promise<void> {
    if (this.#last === null) return;
    this.#last.said.set(this.#ownKey, same);
    this.#sayAt = Math.max(now, this.#saidAt + EVERY);
    this.#weigh(this.#last);
    await this.#say(now);
    this.#tell(now);
  }

  // -- hooks -----------------------------------------------------------------------------------------------

  override synced(now: number): void {
    if (this.#last?.said.has(this.#ownKey) === true) this.#sayAt = now;
  }

  override async tick(now: number): Promise<void> {
    await this.#say(now);
    if (this.#news && now - this.#toldAt >= EVERY) this.#tell(now);
  }

  override adopted(change: Change, _now: number): void {
    this.#keepKeys();
    if (change.added.length + change.removed.length === 0) return;
    this.#news = this.#last !== null;
    const here = this.#leaves();
    this.#differ = new Set([...this.#differ].filter((key) => here.has(key)));
    for (const key of this.#early.keys()) if (!here.has(key)) this.#early.delete(key);
  }

  override contents(): Contents {
    return { code_answer: (received, what) => this.#heard(received, what) };
  }

  #heard({ sender, epoch, generation }: ApplicationMessage, what: CodeAnswer): void {
    const key = this.#keys.get(epoch)?.get(sender);
    if (key === undefined) return;
    const saidAs: Order = [epoch, generation];
    // The server's order was lost: the code may follow.
    if (this.#last === null || !equal(this.#last.sid, what.sid)) this.#early.set(key, { saidAs, what });
    else this.#take(key, what, saidAs);
  }

  // -- answers ---------------------------------------------------------------------------------------------

  #take(key: string, { sid, digest, same }: CodeAnswer, saidAs: Order): void {
    const last = this.#last;
    if (last === null || !equal(last.sid, sid) || !equal(last.digest, digest) || !last.names.has(key)) return;
    const [epoch, generation] = last.saidAs.get(key) ?? [0, 0];
    // Catching up brings older ones.
    if (saidAs[0] < epoch || (saidAs[0] === epoch && saidAs[1] < generation)) return;
    last.saidAs.set(key, saidAs);
    const before = last.said.get(key);
    if (before === same) return;
    if (before === false) {
      const times = (last.takenBack.get(key) ?? 0) + 1;
      last.takenBack.set(key, times);
      if (times > TAKEN_BACK_MAX) return;
    }
    last.said.set(key, same);
    this.#weigh(last);
    this.#news = true;
  }

  /** Keep the members with which our person has compared. */
  #weigh({ said }: Last): void {
    const own = this.#ownKey;
    if (said.get(own) === false) this.#both.clear();
    for (const [key, same] of said)
      if (!same) this.#both.delete(key);
      else if (key !== own && said.get(own) === true) this.#both.add(key);
  }

  async #say(now: number): Promise<void> {
    const last = this.#last;
    const same = last?.said.get(this.#ownKey);
    if (last === null || same === undefined || this.#sayAt === null || now < this.#sayAt) return;
    if (!this.room.speaks(now)) return;
    this.#sayAt = null;
    this.#saidAt = now;
    await this.room.relay({ type: "code_answer", sid: last.sid, digest: last.digest, same });
  }

  #tell(now: number): void {
    const last = this.#last;
    if (last === null) return;
    this.#news = false;
    this.#toldAt = now;
    const members = this.room.membership
      .members()
      .map(({ leaf, name }) => ({ leaf, name, key: this.#key(leaf) }))
      .filter(({ key }) => last.names.has(key))
      .map(({ leaf, name, key }) => ({ leaf, name, same: last.said.get(key) ?? null, both: this.#both.has(key) }));
    this.room.tell({ type: "CodeAnswers", epoch: last.epoch, by: this.by, members, text: answersText(members) });
    this.#tellDiffering(last);
  }

  /** Report a member that says that the codes differ, and a member that says so no more. */
  #tellDiffering({ said, names, disputed }: Last): void {
    const here = this.#leaves();
    for (const [key, same] of said) {
      if (key === this.#ownKey || !here.has(key)) continue;
      const name = names.get(key) ?? "";
      if (same && this.#differ.delete(key)) {
        disputed.delete(key);
        this.room.tell(sentences.status("cleared.code_disputed", { name }));
      } else if (!same && !disputed.has(key)) {
        this.#differ.add(key);
        disputed.add(key);
        this.room.tell(sentences.alarm("code_disputed", { name }));
      }
    }
  }

  // -- keys ------------------------------------------------------------------------------------------------

  #key(leaf: number): string {
    return hex(this.room.membership.signatureKey(leaf) ?? new Uint8Array());
  }

  get #ownKey(): string {
    return this.#key(this.room.membership.ownLeaf);
  }

  #leaves(): Map<string, number> {
    return new Map(this.room.membership.members().map(({ leaf }) => [this.#key(leaf), leaf]));
  }

  #keepKeys(): void {
    const { epoch } = this.room.membership.group;
    const before = this.#keys.get(epoch - 1);
    this.#keys = new Map([[epoch, new Map([...this.#leaves()].map(([key, leaf]) => [leaf, key]))]]);
    if (before !== undefined) this.#keys.set(epoch - 1, before);
  }
}

function answersText(members: readonly Answered[]): Sentence {
  const names = members.filter((member) => member.same === false).map((member) => member.name);
  const same = members.filter((member) => member.same === true).length;
  const key = names.length > 0 ? "compared.answers.differ" : "compared.answers";
  return sentence(key, { same, of: members.length, names });
}
