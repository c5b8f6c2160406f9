/**
 * Hosts' acts that take no slot: reported to their author, and by its heartbeats to all members.
 *
 * A server can refuse or swallow a host's commits, and so keep a removed member in the room (decision 43). While a
 * removal waits, its author seals nothing that the member to remove could read, and neither does anybody who knows of
 * it.
 */
import { Act, type Heartbeat, PENDING_MAX, type PendingAct } from "../../crypto/agreed/heartbeat";
import { same } from "../../crypto/bytes";
import { type Sentence, sentence } from "../../words/sentence";
import * as sentences from "../catalogue/sentences";
import type { Intent } from "../kernel/intents";
import type { Room } from "../kernel/ports";
import type { MemberTable } from "./memberTable";

/** Seconds for which the server accepts no commit of ours before the acts that wait are reported. */
export const OVERDUE = 5;
/** Seconds at the beginning of a connection that do not count: the way into step takes a moment. */
export const ENTERING = 2;
/** Maximum seconds between two ticks that count: this machine may have slept. */
export const TICK_MAX = 1;

/** Acts by a number that orders them as heartbeats do. */
type Acts = ReadonlyMap<number, PendingAct>;

const numberOf = ({ act, leaf }: PendingAct): number => act * 2 ** 32 + leaf;
const sortedActs = (acts: Acts): PendingAct[] => [...acts].sort(([one], [other]) => one - other).map(([, act]) => act);
const NAMES = { 1: "remove", 2: "lock", 3: "unlock", 4: "host", 5: "no_host", 6: "admit" } as const;
type HostAct = keyof typeof NAMES;

/** Our acts that wait, and those that the others' heartbeats list. */
export class Pending {
  readonly #room: Room;
  readonly #members: MemberTable;
  /** When each of our acts was decided. */
  #since: ReadonlyMap<number, number> = new Map();
  /** Seconds for which the server has accepted none of our commits. */
  #refusedFor = 0;
  #ticked: number | null = null;
  #enteredAt: number | null = null;
  #awayTold = false;
  /** Our acts that were reported. */
  #told: Acts = new Map();
  /** Each host's acts, as of its last heartbeat. */
  readonly #others = new Map<number, readonly PendingAct[]>();
  readonly #names = new Map<number, string | Sentence>();

  constructor(room: Room, members: MemberTable) {
    this.#room = room;
    this.#members = members;
  }

  /** Take over from `old` after a rejoin: what was reported is reported once. */
  carryOver(old: Pending): void {
    this.#since = old.#since;
    this.#told = old.#told;
    for (const [leaf, name] of old.#names) this.#names.set(leaf, name);
  }

  // -- our acts --------------------------------------------------------------------------------------------

  /** Return our acts that wait. */
  #acts(): Acts {
    const { membership: m } = this.#room;
    const found = new Map<number, PendingAct>();
    for (const intent of this.#room.waitingIntents) {
      if (intent.type === "HostReturnIntent" && !m.isHost(m.ownLeaf)) continue; // nobody has decided it
      const act = actOf(intent);
      const there = intent.type === "RemoveIntent" ? m.signatureKey(intent.leaf) : null;
      const done = intent.type === "RemoveIntent" && (there === null || !same(there, intent.signatureKey));
      if (act !== null && !done) found.set(numberOf(act), act);
    }
    return found;
  }

  /**
   * Return our acts that have waited for too long, our request to be let in again, and `more`.
   *
   * Until a later commit of ours has ended that request, a member may carry it out, and the server may keep that from
   * us: then our heartbeats prove no thief (`replacements`).
   */
  overdue(...more: PendingAct[]): readonly PendingAct[] {
    const { membership: m } = this.#room;
    const own = [...(m.rejoinKeys.hasRequests ? [{ act: Act.REJOIN, leaf: m.ownLeaf }] : []), ...more];
    return [...sortedActs(this.#told).slice(0, PENDING_MAX - own.length), ...own];
  }

  /** A commit of ours was adopted: the server accepts them. */
  committed(): void {
    this.#refusedFor = 0;
  }

  /** Report acts that have waited for too long, and those that wait no more; return whether any did. */
  tick(now: number): boolean {
    const acts = this.#acts();
    this.#since = new Map([...acts.keys()].map((number) => [number, this.#since.get(number) ?? now]));
    for (const { act, leaf } of acts.values())
      if (leaf > 0 || act === Act.REMOVE) this.#names.set(leaf, this.#room.membership.name(leaf));
    this.#count(now);
    if (acts.size === 0 && this.#told.size === 0) {
      this.#refusedFor = 0;
      this.#awayTold = false;
      return false;
    }
    const removes = [...acts.values()].some(({ act }) => act === Act.REMOVE);
    if (acts.size === 0 || (!removes && this.#room.commitsWait(now))) this.#refusedFor = 0;
    this.#reportAbsence(acts, now);
    const over = [...this.#told.keys()].some((number) => !acts.has(number));
    const late = [...acts].filter(([number]) => this.#isLate(number, now) && this.#refusedFor >= OVERDUE);
    const news = new Map(late.filter(([number]) => !this.#told.has(number)));
    this.#told = new Map([...[...this.#told].filter(([number]) => acts.has(number)), ...news]);
    for (const act of sortedActs(news)) {
      const key = act.act === Act.REMOVE ? "pending.removal" : "pending";
      this.#room.tell(sentences.alarm(key, { state: this.#state(act), whom: this.#name(act.leaf) }));
    }
    if (over && this.#told.size === 0) this.#room.tell(sentences.status("cleared.accepted"));
    return over || news.size > 0;
  }

  /** Count the time for which the server has accepted none of our commits. */
  #count(now: number): void {
    const passed = Math.min(now - (this.#ticked ?? now), TICK_MAX);
    this.#ticked = now;
    if (this.#room.serverSlot === null) this.#enteredAt = null;
    else if (this.#enteredAt === null) this.#enteredAt = now;
    else if (now - this.#enteredAt > ENTERING && this.#isUpToTheServer(now)) this.#refusedFor += passed;
  }

  /** Return whether nothing but the server keeps a commit of ours from being taken. */
  #isUpToTheServer(now: number): boolean {
    const { serverSlot, membership: m, stuckAt, needsRejoin, isUnanswered } = this.#room;
    if (stuckAt !== null || needsRejoin) return false; // a member may have caused that
    return this.#room.isSynced(now) || isUnanswered || (serverSlot ?? 0) > m.journal.slot;
  }

  #isLate(number: number, now: number): boolean {
    return now - (this.#since.get(number) ?? now) >= OVERDUE;
  }

  /** Say once that an act waits because the server is away. */
  #reportAbsence(acts: Acts, now: number): void {
    const removals = sortedActs(acts).filter((act) => act.act === Act.REMOVE && this.#isLate(numberOf(act), now));
    if (this.#room.serverSlot !== null || removals.length === 0) {
      this.#awayTold &&= removals.length > 0;
      return;
    }
    if (this.#awayTold) return;
    this.#awayTold = true;
    this.#room.tell(sentences.status("waits_away", { names: removals.map(({ leaf }) => this.#name(leaf)) }));
  }

  // -- the others' acts ------------------------------------------------------------------------------------

  /** Process the acts in a host's heartbeat; acts of other members have no effect. */
  heard(beat: Heartbeat): void {
    if (this.#members.others.get(beat.leaf) !== true) {
      this.#forgetActs(beat.leaf);
      return;
    }
    const { membership: m } = this.#room;
    const isOther = (leaf: number): boolean =>
      leaf !== m.ownLeaf && leaf !== beat.leaf && m.signatureKey(leaf) !== null;
    const listed = beat.pending.filter(
      ({ act, leaf }) => act < Act.REJOIN && (act !== Act.REMOVE || isOther(leaf)),
    );
    const before = new Set((this.#others.get(beat.leaf) ?? []).map(numberOf));
    const who = this.#members.name(beat.leaf);
    for (const act of listed) {
      if (before.has(numberOf(act))) continue;
      const key = act.act === Act.REMOVE ? "pending.removal_by" : "pending.by";
      this.#room.tell(sentences.alarm(key, { who, state: this.#state(act), whom: this.#members.name(act.leaf) }));
    }
    if (listed.length > 0) this.#others.set(beat.leaf, listed);
    else this.#forgetActs(beat.leaf);
  }

  /** Forget others' removals of members that are gone. */
  adopted(): void {
    const { membership: m } = this.#room;
    for (const [leaf, acts] of [...this.#others]) {
      const left = acts.filter((act) => act.act !== Act.REMOVE || m.signatureKey(act.leaf) !== null);
      if (left.length > 0) this.#others.set(leaf, left);
      else this.#forgetActs(leaf);
    }
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number): void {
    this.#forgetActs(leaf);
  }

  #forgetActs(leaf: number): void {
    if (this.#others.delete(leaf))
      this.#room.tell(sentences.status("cleared.accepted_by", { who: this.#members.name(leaf) }));
  }

  // -- conclusions -----------------------------------------------------------------------------------------

  /** Return the names of the members whose removal waits, as far as we know. */
  toRemove(): (string | Sentence)[] {
    const known = [...this.#acts().values(), ...[...this.#others.values()].flat()];
    return this.#members.names(new Set(known.filter(({ act }) => act === Act.REMOVE).map(({ leaf }) => leaf)));
  }

  #name(leaf: number): string | Sentence {
    return this.#names.get(leaf) ?? this.#members.name(leaf);
  }

  /** Say what an act would change, as it still is. */
  #state({ act, leaf }: PendingAct): Sentence {
    return sentence(`pending.${NAMES[act as HostAct]}`, { whom: this.#name(leaf) });
  }
}

/** Return the act of a host that an intent carries out; null if it is none. */
export function actOf(intent: Intent): PendingAct | null {
  switch (intent.type) {
    case "RemoveIntent":
      return { act: Act.REMOVE, leaf: intent.leaf };
    case "AddIntent":
    case "ReplaceIntent":
    case "HostReturnIntent":
      return { act: Act.ADMIT, leaf: 0 };
    case "PolicyIntent":
      return intent.act ?? null;
    default:
      return null;
  }
}
