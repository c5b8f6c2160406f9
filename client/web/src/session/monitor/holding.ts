/**
 * Why nothing may be sealed, what is told of it, and what a person overrides (protocol section 7).
 *
 * What holds is judged anew at each look, and each sentence about it is checked against that: nobody is told that
 * sound, video and messages no longer wait while anything holds them.
 */
import type { Heartbeat } from "../../crypto/agreed/heartbeat";
import { CommandError, type Sentence, sentence } from "../../words/sentence";
import * as sentences from "../catalogue/sentences";
import type { Room } from "../kernel/ports";
import type { Change } from "../kernel/verdict";
import { among } from "../../crypto/bytes";
import { keyAt } from "./claims";
import { Beginning, ECHO, FRESH, Freshness, LEASE, RETURN } from "./freshness";
import { GoingOn } from "./goingOn";
import type { MemberTable } from "./memberTable";
import type { Pending } from "./pending";
import type { Withholding } from "./withholding";

/** Age in seconds from which an answer of the lobby is called old, if nobody answers us in the room. */
export const OLD_ANSWER = 60;
/** Seconds for which freshness must last before it is reported as restored. */
export const STEADY = 5;
/** Seconds until another reason for the same pause is told. */
export const ANOTHER = 30;
/** What holds, beside keys of members: nobody has answered us yet; the server says that it is ahead. */
const NEW = "new";
const SERVER = "server";

/** One membership's reasons to seal nothing. */
export class Holding {
  readonly #room: Room;
  readonly #members: MemberTable;
  readonly #withholding: Withholding;
  readonly #pending: Pending;
  #fresh = new Freshness();
  readonly beginning: Beginning;
  /** Our confirmations from before a rejoin still count for media. */
  #cameBack = false;
  #answerAge = 0;
  /** The alarm about lost freshness; empty: it is not lost, or was told as restored. */
  #told = "";
  #toldAt = 0;
  /** What held when a person said to go on. */
  #override: ReadonlySet<string> | null = null;
  /** The person has said so, and nothing but a host's lease was missing. */
  #goesOn = false;
  readonly goingOn: GoingOn;
  /** Members whose removal waits, and holds nothing. */
  #overriddenRemovals: ReadonlySet<string> = new Set();

  constructor(room: Room, members: MemberTable, withholding: Withholding, pending: Pending) {
    this.#room = room;
    this.#members = members;
    this.#withholding = withholding;
    this.#pending = pending;
    this.beginning = new Beginning(members.others.keys());
    this.goingOn = new GoingOn(members);
  }

  /** Record how old the answer was by which we came in (`Monitor.letIn`). */
  letIn(age: number, byMember: boolean): void {
    this.#answerAge = age;
    if (byMember) this.forgetConfirmations();
  }

  /** Seal nothing until the others have answered us here. */
  forgetConfirmations(): void {
    this.#fresh = new Freshness();
  }

  /** Take over from `old` after a rejoin of ours, which ends an override: others may be here now. */
  carryOver(old: Holding): void {
    this.#cameBack = true;
    this.forgetConfirmations();
    const was = new Map([...old.#members.others.keys()].map((leaf) => [keyAt(old.#room, leaf), leaf]));
    for (const leaf of this.#members.others.keys()) {
      const known = was.get(keyAt(this.#room, leaf));
      if (known !== undefined) this.#fresh.carryOver(old.#fresh, leaf, known);
    }
    this.#told = old.#override === null ? old.#told : "";
    this.#toldAt = old.#toldAt;
  }

  // -- confirmations ---------------------------------------------------------------------------------------

  /** Process a commit. Another listener ends an override; who comes in again is none. */
  adopted(change: Change): void {
    const leases = [0];
    for (const { leaf, key } of change.removed) {
      const lease = this.#fresh.forget(leaf);
      if (among(key, change.policyBefore.hosts)) leases.push(lease);
      this.goingOn.forget(leaf);
      this.beginning.forget(leaf, this.#members.others);
    }
    // A host comes in again: what it said before counts as long as before.
    for (const { leaf } of change.added) this.#fresh.confirm(leaf, 0, Math.max(...leases));
    if (change.added.length + change.removed.length > 0 && !change.rejoined) this.#endOverride();
  }

  /** A member that comes in later than we counts as confirmed for a while; it gives no lease by that. */
  cameIn(leaf: number, now: number): void {
    this.#fresh.confirm(leaf, now + this.#members.span(FRESH), 0);
  }

  /**
   * Extend a member's confirmation by its beat, which acknowledges one of ours, or none.
   *
   * `over`: when the beat's epoch ended, if it has. `answered`: when we sent the beat that it acknowledges.
   */
  confirm({ leaf }: Heartbeat, acknowledges: boolean, over: number | null, answered: number | null, now: number): void {
    if (acknowledges) this.beginning.answered(leaf, this.#members.others);
    else if (this.beginning.beforeUs.has(leaf)) return; // it may be from before we came in
    if (answered === null) return;
    const until = Math.min(now, over ?? now) + this.#members.span(FRESH);
    const lease = acknowledges ? answered + this.lease : 0;
    this.#fresh.confirm(leaf, Math.min(until, answered + this.#members.span(ECHO)), lease);
  }

  /** A member's beat is not of our history: a host's lease ends with it. */
  doubt(leaf: number): void {
    this.#fresh.endLease(leaf);
  }

  /** Return whether more than half of all confirm our epoch, and a host has, not too long ago. */
  isFresh(now: number): boolean {
    return this.#until > now;
  }

  get #until(): number {
    return this.#fresh.until(this.#members.others, this.#members.host);
  }

  /** Seconds for which a member goes on at most after the last word of a host, even if it comes late. */
  get lease(): number {
    const fresh = this.#members.span(FRESH);
    return this.#room.membership.policy.strict ? fresh : Math.max(LEASE, fresh);
  }

  // -- what holds ------------------------------------------------------------------------------------------

  /** Return why messages may not be sealed; null: they may. */
  holdReason(now: number): Sentence | null {
    return this.#reason(now, !this.beginning.over);
  }

  /** Return why sound and video may not be sealed; null: they may. */
  pauseReason(now: number): Sentence | null {
    return this.#reason(now, this.#isNew);
  }

  /** Return why nothing may be sealed; `isNew`: nobody has answered us yet, and that counts. */
  #reason(now: number, isNew: boolean): Sentence | null {
    const names = this.#pending.toRemove();
    if (names.some((name) => !this.#overriddenRemovals.has(String(name)))) return sentence("watch.held_removal", { names });
    return this.#override === null ? this.#doubt(now, isNew) : null;
  }

  /** Return why it is unknown who reads what we seal; null if it is known. */
  #doubt(now: number, isNew: boolean): Sentence | null {
    if (isNew) return PAUSED_NEW;
    const fresh = this.isFresh(now);
    if (this.#withholding.serverWithholds) return PAUSED_WITHHELD;
    const { strong, alone } = this.#withholding.stop(now, fresh);
    if (strong.length + alone.length > 0) return sentence("watch.paused_claim", { who: this.#members.names([...strong, ...alone]) });
    return fresh ? null : PAUSED[this.#lacking(now)];
  }

  /** Return the name of what is missing for freshness, in keys of sentences. */
  #lacking(now: number): "stale" | "no_host" | "no_host_few" {
    const { noHost, few } = this.#fresh.lacks(this.#members.others, now, this.#members.host);
    return noHost ? (few ? "no_host_few" : "no_host") : "stale";
  }

  /** Return what holds: keys of members, `NEW` and `SERVER`; and the keys that hold for a moment. */
  #holds(now: number): { holds: Set<string>; alone: Set<string> } {
    const fresh = this.isFresh(now);
    const { strong, alone } = this.#withholding.stop(now, fresh);
    const holds = this.#keys(strong);
    if (this.#withholding.serverWithholds) holds.add(SERVER);
    if (!this.beginning.over) holds.add(NEW);
    else if (!fresh) for (const key of this.#keys(this.#fresh.missing(this.#members.others, now))) holds.add(key);
    return { holds, alone: this.#keys(alone) };
  }

  #keys(leaves: readonly number[]): Set<string> {
    return new Set(leaves.map((leaf) => keyAt(this.#room, leaf)));
  }

  // -- an override -----------------------------------------------------------------------------------------

  /** Go on although the listeners are unknown (`Monitor.override`). */
  override(now: number): void {
    if (this.holdReason(now) === null) throw new CommandError(sentence("cannot.not_paused"));
    this.#overriddenRemovals = new Set(this.#pending.toRemove().map(String));
    const { holds, alone } = this.#holds(now);
    if (holds.size + alone.size > 0) {
      this.#override = new Set([...holds, ...alone]);
      this.#goesOn = this.#lacksOnlyAHost(now);
    }
    if (!this.beginning.over || !this.isFresh(now)) this.#told ||= this.#staleKey(now); // this person knows
    const why = this.#room.pauseReason(now);
    // The program may be out of step, or away: nobody can decide that.
    this.#room.tell(why === null ? sentences.status("override") : sentences.status("override.messages", { why }));
  }

  /** End an override: what holds still is told anew. */
  #endOverride(): void {
    if (this.#override === null) return;
    this.#override = null;
    this.#told = "";
  }

  /** Whether our person goes on without the hosts: others may follow. */
  get goesOn(): boolean {
    return this.#goesOn && this.#override !== null;
  }

  /** Return whether nothing holds but that no host's lease does. */
  #lacksOnlyAHost(now: number): boolean {
    if (!this.beginning.over || this.isFresh(now) || this.#pending.toRemove().length > 0) return false;
    const { strong, alone } = this.#withholding.stop(now, false);
    return this.#lacking(now) === "no_host" && !this.#withholding.serverWithholds && strong.length + alone.length === 0;
  }

  /** Go on without the hosts, as the persons of more than half do. */
  #follow(now: number): void {
    this.#override = this.#holds(now).holds;
    this.#goesOn = false;
    this.#told ||= this.#staleKey(now);
    this.#toldAt = now;
    const hosts = [...this.#members.others].flatMap(([leaf, host]) => (host ? [leaf] : []));
    this.#room.tell(sentences.status("override.follows", { who: this.#members.names(hosts) }));
  }

  // -- findings --------------------------------------------------------------------------------------------

  /** Forget overridden removals that wait no more. */
  tick(): void {
    const waiting = new Set(this.#pending.toRemove().map(String));
    this.#overriddenRemovals = new Set([...this.#overriddenRemovals].filter((name) => waiting.has(name)));
  }

  /** Report lost freshness, and when it is back; end an override that is needed no more, or outdated. */
  judge(now: number): void {
    const { holds, alone } = this.#holds(now);
    const override = this.#override;
    // Something else holds now: that has to be decided anew.
    if (override !== null && [...holds].some((what) => !override.has(what))) this.#endOverride();
    if (this.#override === null && this.goingOn.isMost && this.#lacksOnlyAHost(now)) this.#follow(now);
    if (this.#isNew || !this.isFresh(now)) this.#judgeStale(now);
    else if (this.#told === "") {
      if (holds.size + alone.size === 0) this.#override = null;
    } else if (this.#until >= now + STEADY && this.#flows(now)) {
      // Freshness lasts: an old beat of ours may have been confirmed, and no newer one.
      this.#told = "";
      this.#override = null;
      this.#room.tell(sentences.status("cleared.fresh"));
    }
  }

  /** Return whether nothing holds any more, and the override is not needed for that. */
  #flows(now: number): boolean {
    if (this.#doubt(now, !this.beginning.over) !== null) return false;
    return this.#room.holdReason(now) === null && this.#room.pauseReason(now) === null;
  }

  #judgeStale(now: number): void {
    const members = this.#members;
    const patience = this.#isNew ? members.span(RETURN) : RETURN[0];
    if (this.#override !== null || members.connectedFor(now) <= patience) return;
    const key = this.#staleKey(now);
    if (key === this.#told || (this.#told !== "" && now - this.#toldAt < ANOTHER)) return;
    this.#told = key;
    this.#toldAt = now;
    let missing = this.#fresh.missing(members.others, now);
    if (this.#isNew) missing = this.beginning.missing(members.others);
    else if (key === "stale.no_host") missing = missing.filter((leaf) => members.others.get(leaf) === true);
    const who = members.names(missing);
    const args = key === "stale.old_answer" ? { who, minutes: Math.round(this.#answerAge / 60) } : { who };
    this.#room.tell(sentences.alarm(key, args));
  }

  /** Return the key of the alarm that says what is missing. */
  #staleKey(now: number): string {
    if (this.#isNew) return this.#answerAge < OLD_ANSWER ? "stale.new" : "stale.old_answer";
    const lacking = this.#lacking(now);
    return lacking === "stale" ? lacking : `stale.${lacking}`;
  }

  /** Whether we have come in, for the first time, and nobody has answered us yet. */
  get #isNew(): boolean {
    return !(this.beginning.over || this.#cameBack);
  }
}

const PAUSED_NEW = sentence("watch.paused_new");
const PAUSED_WITHHELD = sentence("watch.paused_withheld");
const PAUSED = {
  stale: sentence("watch.paused_stale"),
  no_host: sentence("watch.paused_no_host"),
  no_host_few: sentence("watch.paused_no_host_few"),
};
