/**
 * Conclusions from the members' signed beats: alarms, and when media may be sealed.
 *
 * Protocol section 7. `heartbeats` sends and receives them; `freshness`, `delivery` and `ordering` compute. This module
 * combines their results: it reports each finding once in one sentence, and reports when the finding is over.
 */
import type { Heartbeat } from "../../crypto/agreed/heartbeat";
import { type Bytes, hex, same } from "../../crypto/bytes";
import { H } from "../../crypto/kdf";
import { type Arg, CommandError, type Sentence, sentence } from "../../words/sentence";
import { Subscriptions } from "../features/subscriptions";
import { Feature } from "../kernel/feature";
import { Heartbeats, DoubleBeat, interval, type Record, trim } from "./heartbeats";
import { Freshness } from "./freshness";
import type { Change } from "../kernel/verdict";
import { Ordering } from "./ordering";
import { Delivery, type Stream } from "./delivery";
import type { Room } from "../kernel/ports";
import * as sentences from "../catalogue/sentences";

/** Seconds, or beat intervals if they are longer. */
type Span = readonly [seconds: number, intervals: number];

/** The time for which a member's confirmation holds. */
export const FRESH: Span = [15, 3];
/** Maximum age of our acknowledged beat: a held-back beat is not fresh. */
export const ECHO: Span = [25, 5];
/** The time of silence before hosts are offered a member's removal. */
export const GONE: Span = [60, 12];
/** Seconds for which a change may be on its way to us while others have it. */
export const WITHHELD = 3;
/** Seconds for which a single member's claim of a later slot stops us, while all others are with us. */
export const DOUBT = 15;
/** Seconds on a new connection before lost freshness is reported: the others beat when they see us. */
export const RETURN = 8;
/** Seconds between two ticks that indicate that this machine has slept. */
export const ASLEEP = 3;
/** Seconds for which freshness must last before it is reported as restored. */
export const STEADY = 5;
/** Beats of a member that acknowledge nothing newer of ours, and minimum age in seconds of the missed beat. */
export const DEAF = 3;
export const DEAF_FOR = 10;
/** Seconds after which a beat of ours counts as missed in another member's beat. */
export const UNDER_WAY = 2;
/** Seconds after coming in, or after a new connection, before a member's sending and receiving is judged. */
export const SETTLED = 15;
/** Seconds for which messages that others have may be on their way to us. */
export const BEHIND = 10;
/** The time after which more members with messages that we lack are news: the first to claim them may have lied. */
export const NEWS: Span = [20, 3];
/** Seconds after which a report names the members that a removal has not reached. */
export const REMOVAL_WAIT = 10;
/** Seconds for which further silent members are collected for one alarm. */
export const GATHER = 3;
/** Epochs, slots and removals that are remembered. */
export const EPOCHS = 64;
export const REMOVALS_MAX = 8;

/** A member that has signed a slot that we have not reached. */
interface Ahead {
  readonly slot: number;
  readonly chain: Bytes;
  readonly since: number;
}

/** A removal on its way to the others. */
interface Removal {
  readonly slot: number;
  readonly names: readonly string[];
  readonly waiting: Set<number>;
  readonly total: number;
  readonly at: number;
  told: boolean;
}

type Leaves = ReadonlySet<number>;

const without = (some: Leaves, others: Leaves): Set<number> =>
  new Set([...some].filter((leaf) => !others.has(leaf)));
const within = (some: Leaves, others: Leaves): Set<number> =>
  new Set([...some].filter((leaf) => others.has(leaf)));
const sorted = (leaves: Iterable<number>): number[] => [...leaves].sort((a, b) => a - b);

/** Leaves with one kind of finding that was reported and is not over. */
export class Reported {
  leaves: Leaves = new Set();

  /** Return the leaves to report now, and the leaves whose finding is over. */
  update(nowSo: Iterable<number>): { readonly fresh: number[]; readonly over: number[] } {
    const so = new Set(nowSo);
    const fresh = sorted(without(so, this.leaves));
    const over = sorted(without(this.leaves, so));
    this.leaves = so;
    return { fresh, over };
  }

  forget(leaf: number): void {
    this.leaves = without(this.leaves, new Set([leaf]));
  }
}

/** One membership's monitoring of its server and its members. */
export class Monitor extends Feature {
  readonly #began: number;
  #syncedAt: number | null = null;
  #ticked: number;
  readonly #heartbeats: Heartbeats;
  #fresh = new Freshness();
  readonly #delivery = new Delivery();
  readonly #ordering = new Ordering();
  /** leaf -> whether a host */
  #others: ReadonlyMap<number, boolean> = new Map();
  #members: readonly number[] = [];
  #names: ReadonlyMap<number, string> = new Map();
  #host = false;
  /** When each member came in, when it last sent a beat, and when judging of it begins. */
  readonly #since = new Map<number, number>();
  readonly #heard = new Map<number, number>();
  readonly #settled = new Map<number, number>();
  /** Each member's beats that did not acknowledge ours. */
  readonly #deaf = new Map<number, number>();
  readonly #ahead = new Map<number, Ahead>();
  #serverAhead: number | null = null;
  /** hex(H(epoch_authenticator)) -> when the next epoch began; null: it is the current epoch. */
  readonly #epochs = new Map<string, number | null>();
  /** slot -> (leaf, its key) */
  readonly #committers = new Map<number, { readonly leaf: number; readonly key: Bytes }>();
  /** slot -> keys (hex) that rejoined as stuck there */
  readonly #stuck = new Map<number, Set<string>>();
  /** (key that rejoined as stuck, committer's key) -> how often */
  readonly #unread = new Map<string, number>();
  #removals: Removal[] = [];
  // Reported so far.
  #stale = false;
  #override: Leaves | null = null;
  readonly #silent = new Reported();
  readonly #gone = new Reported();
  readonly #unheard = new Reported();
  #gathered = 0;
  #deafSince: number | null = null;
  #withheld = new Set<number>();
  #withheldAt = 0;
  #serverWithholds = false;
  readonly #forkReporters = new Set<number>();
  readonly #doubled = new Set<number>();
  readonly #disorder = new Set<number>();
  #behind = new Set<number>();
  #behindAt = 0;
  #contradicted = false;

  constructor(room: Room, now: number) {
    super(room);
    this.#began = this.#ticked = now;
    this.#heartbeats = new Heartbeats(room, now);
    this.#updateMembers(now);
    this.#epochs.set(this.#authenticator(), null);
  }

  // -- for other modules -----------------------------------------------------------------------------------

  /** The last 64 verified beats and 64 valid receipts. */
  get record(): Record {
    return this.#heartbeats.record;
  }

  /**
   * Return the others' verdict on the commit in `slot` that we alone cannot read (protocol section 6).
   *
   * The beats of a host, or of more than half of the others, decide: at that slot or later and still in our epoch,
   * the commit was void; in a later epoch, valid. null while too few have sent beats, or they contradict each other.
   * With `doubted`, a host alone decides only if no beat contradicts it.
   */
  verdictOnSlot(slot: number, doubted = false): "void" | "valid" | null {
    const ours = this.#authenticator();
    const verdicts: { readonly void: number[]; readonly valid: number[] } = { void: [], valid: [] };
    for (const [leaf, { last }] of this.#heartbeats.histories) {
      if (last === null || !this.#others.has(leaf) || last.slot < slot) continue;
      if (hex(last.authenticator) === ours) verdicts.void.push(leaf);
      else if (last.epoch > this.room.m.group.epoch) verdicts.valid.push(leaf);
    }
    const split = verdicts.void.length > 0 && verdicts.valid.length > 0;
    const carried = (["void", "valid"] as const).filter((verdict) => {
      const leaves = verdicts[verdict];
      const byHost = leaves.some((leaf) => this.#others.get(leaf));
      return 2 * leaves.length > this.#others.size || (byHost && !(doubted && split));
    });
    return carried.length === 1 ? (carried[0] ?? null) : null;
  }

  /**
   * Go on with audio and video although the listeners are unknown; CommandError if they are not paused.
   *
   * Holds until freshness is back, a member comes or goes, or another confirmation is missing.
   */
  override(now: number): void {
    if (this.pauseReason(now) === null) throw new CommandError(sentence("cant.not_paused"));
    this.#override = new Set(this.#fresh.missing(this.#others, now));
    this.room.tell(sentences.status("override"));
  }

  /**
   * Seal nothing until the others have answered us here.
   *
   * The member that lets us in need not be a host: an evicted member can do so too, in a room of its own that goes on
   * from its last epoch.
   */
  forgetConfirmations(): void {
    this.#fresh = new Freshness();
  }

  override carryOver(old: Room): void {
    const before = old.feature(Monitor);
    this.forgetConfirmations();
    const was = new Map([...before.#others.keys()].map((leaf) => [keyOf(old, leaf), leaf]));
    for (const leaf of this.#others.keys()) {
      const known = was.get(keyOf(this.room, leaf));
      if (known !== undefined) this.#fresh.confirm(leaf, before.#fresh.confirmedUntil(known));
    }
    this.#heartbeats.record = before.record;
    this.#stale = before.#stale;
    if (before.#withheld.size > 0 || before.#serverWithholds)
      this.room.tell(sentences.status("cleared.handed_over"));
  }

  // -- hooks -----------------------------------------------------------------------------------------------

  override synced(now: number): void {
    this.#syncedAt = now;
    this.#ordering.setIncarnation(this.room.incarnation ?? new Uint8Array(8));
    this.#delivery.reset(this.room.m.ownLeaf);
    this.#deaf.clear();
    this.#settled.set(this.room.m.ownLeaf, now + SETTLED);
    this.#heartbeats.scheduleSoon(now, this.#members);
  }

  override lost(_why: Sentence, _now: number): void {
    this.#syncedAt = null;
    this.#serverAhead = null;
    this.#ordering.disconnected();
  }

  override adopted(change: Change, now: number): void {
    const m = this.room.m;
    for (const { leaf } of change.removed) this.#forget(leaf);
    for (const { leaf } of change.added) this.#heartbeats.memberJoined(leaf, m.journal.slot);
    for (const [authenticator, over] of this.#epochs) if (over === null) this.#epochs.set(authenticator, now);
    this.#epochs.set(this.#authenticator(), null);
    trim(this.#epochs, EPOCHS);
    this.#updateMembers(now);
    if (change.added.length > 0 || change.removed.length > 0) this.#override = null;
    const evicted = change.rejoined ? [] : change.removed.filter(({ leaf }) => !change.left.has(leaf));
    if (evicted.length > 0) {
      this.#heartbeats.changeKey(now);
      this.#trackRemoval(
        evicted.map(({ name }) => name),
        now,
      );
    }
    this.#noteCommitter(change);
    this.#checkClaims(m.journal.slot);
    this.#heartbeats.scheduleSoon(now, this.#members);
  }

  override voided(slot: number, _author: number | null, now: number): void {
    this.#checkClaims(slot);
    this.#heartbeats.scheduleSoon(now, this.#members);
  }

  override receipt(slot: number, chain: Bytes, signature: Bytes, _now: number): void {
    const serverKey = this.room.serverKey;
    if (serverKey !== null) this.record.addReceipt({ slot, chain, signature, serverKey });
  }

  override relayed(number: number, digest: Bytes, _now: number): void {
    this.#ordering.setIncarnation(this.room.incarnation ?? new Uint8Array(8));
    if (this.#ordering.record(number, digest)) {
      this.#tellDisorder(this.#ordering.checkWaitingClaims());
    } else if (!this.#contradicted) {
      this.#contradicted = true;
      this.room.tell(sentences.alarm("reordered.renumbered"));
    }
  }

  override frameSealed(stream: number, _frame: Bytes, _now: number): void {
    this.#heartbeats.sent.set(stream, (this.#heartbeats.sent.get(stream) ?? 0) + 1);
  }

  override frameOpened(_ssrc: number, leaf: number, stream: number, _frame: Bytes, _now: number): void {
    if (!this.#others.has(leaf)) return;
    const got = this.#heartbeats.got.get(leaf) ?? new Map<number, number>();
    this.#heartbeats.got.set(leaf, got);
    got.set(stream, (got.get(stream) ?? 0) + 1);
  }

  override pauseReason(now: number): Sentence | null {
    if (this.#override !== null) return null;
    const fresh = this.#fresh.until(this.#others, this.#host) > now;
    // A member with another chain than ours pauses nothing.
    const doubt = [...this.#ahead].some(
      ([leaf, ahead]) => !this.#forkReporters.has(leaf) && (now - ahead.since < DOUBT || !fresh),
    );
    if (doubt || this.#serverWithholds) return PAUSED_WITHHELD;
    return fresh ? null : PAUSED_STALE;
  }

  override heardRecently(leaf: number, now: number): boolean {
    const since = this.#since.get(leaf);
    if (!this.#others.has(leaf) || since === undefined) return leaf === this.room.m.ownLeaf;
    return now - Math.max(this.#heard.get(leaf) ?? 0, since) <= this.#span(FRESH);
  }

  override async broadcastReceived(blob: Bytes, now: number): Promise<boolean> {
    const payload = await this.#heartbeats.uncover(blob, now);
    if (payload === null) return false;
    const heard = await this.#heartbeats.receive(payload);
    if (heard instanceof DoubleBeat) {
      if (!this.#doubled.has(heard.leaf)) {
        this.#doubled.add(heard.leaf);
        const args = { who: this.#name(heard.leaf), leaf: heard.leaf };
        this.room.tell(sentences.alarm(this.#host ? "double_beat.host" : "double_beat", args));
      }
    } else if (heard !== null) this.#heardBeat(heard, now);
    return true;
  }

  override async tick(now: number): Promise<void> {
    // We slept: missing beats are nobody's fault.
    if (this.#syncedAt !== null && now - this.#ticked > ASLEEP) this.#syncedAt = now;
    this.#ticked = now;
    if (this.#others.size > 0 && this.#heartbeats.isDue(now) && this.room.isSynced(now)) {
      this.#delivery.recordSent(this.room.m.ownLeaf, this.#heartbeats.sent);
      const subscriptions = this.room.feature(Subscriptions);
      const want = subscriptions.subscribesToAll;
      await this.#heartbeats.send(now, this.#ordering, this.#members.length, want);
      const wanted = want ? null : (leaf: number) => subscriptions.subscribed(leaf);
      this.#judgeDelivery(this.room.m.ownLeaf, this.#heartbeats.got, now, wanted);
    }
    this.#judgeWithheld(now);
    this.#judgeFreshness(now);
    this.#judgeSilence(now);
    this.#judgeUnheard(now);
    this.#judgeBehind(now);
    this.#judgeRemovals(now);
  }

  // -- a beat ----------------------------------------------------------------------------------------------

  #heardBeat(beat: Heartbeat, now: number): void {
    const { leaf } = beat;
    const m = this.room.m;
    const history = this.#heartbeats.histories.get(leaf);
    const since = this.#since.get(leaf);
    if (history === undefined || since === undefined) return;
    this.#heard.set(leaf, now);
    if (!same(history.handle, beat.handle)) {
      history.handle = beat.handle;
      this.#settled.set(leaf, now + SETTLED);
      this.#delivery.reset(leaf);
      this.#deaf.set(leaf, 0);
      this.#heartbeats.scheduleSoon(now, this.#members); // it is new or back, and knows nothing of us
    }
    if (beat.slot > m.journal.slot) {
      const ahead = this.#ahead.get(leaf);
      this.#ahead.set(leaf, { slot: beat.slot, chain: beat.chain, since: ahead?.since ?? now });
    } else {
      this.#ahead.delete(leaf);
      const known = m.journal.chains.get(beat.slot);
      if (known !== undefined && !same(known, beat.chain)) this.#reportFork(leaf, beat.slot);
      else this.#confirm(beat, since, now);
    }
    const acknowledged = acknowledgedOf(beat, m.ownLeaf);
    const missed = this.#heartbeats.firstSentAfter(acknowledged, Math.max(since, this.#syncedAt ?? now));
    const deaf = missed !== null && now - missed > UNDER_WAY;
    let count = deaf ? (this.#deaf.get(leaf) ?? 0) + 1 : 0;
    if (deaf && now - missed < DEAF_FOR) count = Math.min(count, DEAF - 1);
    this.#deaf.set(leaf, count);
    const incarnation = this.room.incarnation;
    // A server broadcasts a beat within one incarnation only.
    if (incarnation === null || !same(beat.incarnation, incarnation)) this.#tellDisorder([leaf]);
    else if (this.#ordering.checkClaim(leaf, beat.relay, beat.window, now)) this.#tellDisorder([leaf]);
    this.#delivery.recordSent(leaf, beat.sent);
    if (beat.want) this.#judgeDelivery(leaf, new Map(beat.got.map((g) => [g.leaf, new Map(g.frames)])), now);
    else this.#delivery.stopJudging(leaf);
    for (const removal of this.#removals) if (beat.slot >= removal.slot) removal.waiting.delete(leaf);
  }

  /** Extend the member's confirmation if its beat is of our epoch or of one that ended lately. */
  #confirm(beat: Heartbeat, since: number, now: number): void {
    const over = this.#epochs.get(hex(beat.authenticator));
    if (over === undefined) return;
    const acknowledged = acknowledgedOf(beat, this.room.m.ownLeaf);
    const answered = acknowledged ? this.#heartbeats.sentAt(acknowledged) : since;
    if (answered === null) return;
    const until = Math.min(now, over ?? now) + this.#span(FRESH);
    this.#fresh.confirm(beat.leaf, Math.min(until, answered + this.#span(ECHO)));
  }

  // -- findings --------------------------------------------------------------------------------------------

  #reportFork(leaf: number, slot: number): void {
    if (this.#forkReporters.has(leaf)) return;
    this.#forkReporters.add(leaf);
    // One may lie; more than two add nothing.
    if (this.#forkReporters.size <= 2)
      this.room.tell(sentences.twoStories(slot, this.#listed(this.#forkReporters)));
  }

  /** Check the claims of members that were ahead, now that this slot has been judged. */
  #checkClaims(slot: number): void {
    for (const [leaf, ahead] of [...this.#ahead]) {
      if (ahead.slot > slot) continue;
      this.#ahead.delete(leaf);
      const known = this.room.m.journal.chains.get(ahead.slot);
      if (known !== undefined && !same(known, ahead.chain)) this.#reportFork(leaf, ahead.slot);
    }
  }

  #judgeWithheld(now: number): void {
    const room = this.room;
    const outOfStep = room.stuckAt !== null || room.needsRejoin;
    const entered = room.serverSlot !== null && !outOfStep;
    if (entered && (room.serverSlot ?? 0) > room.m.journal.slot) this.#serverAhead ??= now;
    else this.#serverAhead = null;
    const late = this.#serverAhead !== null && now - this.#serverAhead > WITHHELD;
    const connected = this.#connectedFor(now);
    const ahead = new Set<number>();
    for (const [leaf, a] of this.#ahead)
      if (Math.min(now - a.since, connected) > WITHHELD && !this.#forkReporters.has(leaf)) ahead.add(leaf);
    if (outOfStep) return;
    const told = this.#withheld.size > 0 || this.#serverWithholds;
    // Later claims of the same are no news, unless the first claim has stood alone for long.
    const more = without(ahead, this.#withheld).size > 0 && now - this.#withheldAt > DOUBT;
    if ((ahead.size > 0 || late) && (!told || more)) {
      this.#override = null;
      this.#withheldAt = now;
      const slot = Math.max(...[...this.#ahead.values()].map((a) => a.slot), room.serverSlot ?? 0);
      const who = ahead.size > 0 ? this.#listed(ahead) : sentence("watch.server_itself");
      room.tell(sentences.alarm("withheld", { slot, who }));
    } else if (told && ahead.size === 0 && !late) {
      room.tell(sentences.status("cleared.handed_over"));
    }
    this.#withheld = ahead;
    this.#serverWithholds = late;
  }

  #judgeFreshness(now: number): void {
    const until = this.#fresh.until(this.#others, this.#host);
    if (until > now) {
      // Confirmed by an old beat of ours: wait for a newer one before the report.
      if (this.#stale && until < now + STEADY) return;
      if (this.#stale || this.#override !== null) this.room.tell(sentences.status("cleared.fresh"));
      this.#stale = false;
      this.#override = null;
      return;
    }
    const missing = this.#fresh.missing(this.#others, now);
    const override = this.#override;
    if (override !== null && missing.some((leaf) => !override.has(leaf))) {
      this.#override = null;
      this.#stale = false;
    }
    if (this.#stale || this.#override !== null || this.#connectedFor(now) <= RETURN) return;
    this.#stale = true;
    const hosts = [...this.#others].filter(([, host]) => host).map(([leaf]) => leaf);
    const noHost = hosts.length > 0 && !this.#host && hosts.every((leaf) => missing.includes(leaf));
    this.room.tell(sentences.alarm(noHost ? "stale.no_host" : "stale", { who: this.#listed(missing) }));
  }

  #judgeSilence(now: number): void {
    const levelAt = this.#syncedAt;
    if (levelAt === null || !this.room.isSynced(now)) return;
    const quiet = new Map<number, number>();
    for (const leaf of this.#others.keys()) {
      const last = Math.max(this.#heard.get(leaf) ?? 0, this.#since.get(leaf) ?? 0, levelAt);
      quiet.set(leaf, now - last);
    }
    const longerThan = (seconds: number): Set<number> =>
      new Set([...quiet].filter(([, quietFor]) => quietFor > seconds).map(([leaf]) => leaf));
    let silent = longerThan(this.#span(FRESH));
    if (now < this.#gathered && without(silent, this.#silent.leaves).size > 0)
      silent = within(silent, this.#silent.leaves);
    const { fresh, over } = this.#silent.update(silent);
    if (fresh.length > 0) {
      this.#gathered = now + GATHER;
      this.room.tell(sentences.alarm("silent", { who: this.#listed(fresh), seconds: whole(this.#span(FRESH)) }));
    }
    this.#over(over, "heard");
    const gone = this.#gone.update(longerThan(this.#span(GONE)));
    if (!this.#host) return;
    for (const leaf of gone.fresh)
      this.room.tell(sentences.alarm("gone", { who: this.#name(leaf), leaf, seconds: whole(this.#span(GONE)) }));
  }

  #judgeUnheard(now: number): void {
    let deaf = new Set<number>();
    for (const [leaf, beats] of this.#deaf) if (beats >= DEAF && this.#others.has(leaf)) deaf.add(leaf);
    const everybody = [...this.#others.keys()].every((leaf) => deaf.has(leaf));
    if (without(deaf, this.#unheard.leaves).size === 0) this.#deafSince = null;
    else this.#deafSince ??= now;
    // Other beats follow within an interval: one alarm.
    if (this.#deafSince !== null && !everybody && now - this.#deafSince < interval(deaf.size))
      deaf = within(deaf, this.#unheard.leaves);
    const { fresh, over } = this.#unheard.update(deaf);
    if (fresh.length > 0) {
      const which = everybody && fresh.length > 1 ? "everybody" : fresh.length > 1 ? "many" : "one";
      this.room.tell(sentences.alarm(`unheard.${which}`, { who: this.#listed(fresh) }));
    }
    this.#over(over, "reaches");
  }

  #judgeDelivery(
    listener: number,
    got: ReadonlyMap<number, ReadonlyMap<number, number>>,
    now: number,
    wanted: ((leaf: number) => ReadonlySet<number>) | null = null,
  ): void {
    const own = this.room.m.ownLeaf;
    const isSettled = (leaf: number): boolean => now >= (this.#settled.get(leaf) ?? this.#began + SETTLED);
    if (!isSettled(listener)) return;
    const { lost, back } = this.#delivery.recordReceived(listener, got, this.#members.filter(isSettled), now, wanted);
    for (const blamed of [false, true]) {
      const streams = lost.filter((stream) => this.#isBlamed(stream) === blamed);
      if (streams.length === 0) continue;
      const losers = new Set(streams.flatMap((stream) => this.#delivery.notReached(stream)));
      const whom: (string | Sentence)[] = this.#listed([...losers].filter((leaf) => leaf !== own));
      if (losers.has(own)) whom.push(YOU);
      const args = { streams: this.#streams(streams), whom };
      this.room.tell(sentences.alarm(blamed ? "not_reaching.blamed" : "not_reaching", args));
    }
    if (back.length > 0) {
      const whom: Arg = listener === own ? YOU : this.#name(listener);
      this.room.tell(sentences.status("cleared.reaching", { whom, streams: this.#streams(back) }));
    }
  }

  #isBlamed(stream: Stream): boolean {
    const losers = this.#delivery.notReached(stream);
    return losers.length > 1 || losers.includes(this.room.m.ownLeaf);
  }

  #tellDisorder(leaves: readonly number[]): void {
    const fresh = leaves.filter((leaf) => !this.#disorder.has(leaf));
    if (fresh.length > 0 && this.#disorder.size < 2)
      this.room.tell(sentences.alarm("reordered", { who: this.#listed(fresh) }));
    for (const leaf of fresh) this.#disorder.add(leaf);
  }

  #judgeBehind(now: number): void {
    const connected = this.room.isSynced(now) && this.#connectedFor(now) > BEHIND;
    const behind = new Set(connected ? this.#ordering.aheadSince(now - BEHIND) : []);
    const fresh = without(behind, this.#behind);
    // The others claim the same with their next beats; much later it is news: the first may have lied.
    if (fresh.size > 0 && (this.#behind.size === 0 || now - this.#behindAt > this.#span(NEWS))) {
      this.#behindAt = now;
      this.room.tell(sentences.alarm("reordered.held_back", { who: this.#listed(fresh) }));
    } else if (this.#behind.size > 0 && behind.size === 0 && connected) {
      this.room.tell(sentences.status("cleared.messages"));
    }
    if (connected) this.#behind = behind;
  }

  #trackRemoval(names: readonly string[], now: number): void {
    if (!this.#host || this.#others.size === 0) return;
    const waiting = new Set(this.#others.keys());
    this.#removals.push({
      slot: this.room.m.journal.slot,
      names,
      waiting,
      total: waiting.size,
      at: now,
      told: false,
    });
    this.#removals = this.#removals.slice(-REMOVALS_MAX);
  }

  #judgeRemovals(now: number): void {
    for (const removal of [...this.#removals]) {
      for (const leaf of [...removal.waiting]) if (!this.#others.has(leaf)) removal.waiting.delete(leaf);
      const { names, total } = removal;
      if (removal.waiting.size === 0) this.#removals = this.#removals.filter((each) => each !== removal);
      else if (removal.told || now - removal.at <= REMOVAL_WAIT) continue;
      removal.told = true;
      const missing = this.#listed(removal.waiting);
      this.room.tell(
        missing.length === 0
          ? sentences.status("removal_reach.all", { names, total })
          : sentences.status("removal_reach", { names, total, reached: total - missing.length, missing }),
      );
    }
  }

  #noteCommitter(change: Change): void {
    const m = this.room.m;
    this.#committers.set(m.journal.slot, {
      leaf: change.by,
      key: m.signatureKey(change.by) ?? new Uint8Array(),
    });
    trim(this.#committers, EPOCHS);
    if (change.stuckSlot === null) return;
    const victims = this.#stuck.get(change.stuckSlot) ?? new Set<string>();
    this.#stuck.set(change.stuckSlot, victims);
    for (const { key } of change.removed) victims.add(hex(key));
    trim(this.#stuck, EPOCHS);
    const committer = this.#committers.get(change.stuckSlot);
    if (!this.#host || committer === undefined || committer.key.length === 0) return;
    const { leaf, key } = committer;
    const there = m.signatureKey(leaf);
    if (there === null || !same(there, key)) return;
    const who = this.#name(leaf);
    if (victims.size === 2) this.room.tell(sentences.alarm("unreadable_commit", { who, leaf }));
    for (const { leaf: victimLeaf, name: victim } of change.added) {
      const pair = `${keyOf(this.room, victimLeaf)} ${hex(key)}`;
      const count = (this.#unread.get(pair) ?? 0) + 1;
      this.#unread.set(pair, count);
      trim(this.#unread, EPOCHS);
      if (count === 2)
        this.room.tell(sentences.alarm("unreadable_commit.again", { victim, victimLeaf, who, leaf }));
    }
  }

  // -- internals -------------------------------------------------------------------------------------------

  /** Record the current members; a new member gets time before it is judged. */
  #updateMembers(now: number): void {
    const members = this.room.m.members();
    const own = this.room.m.ownLeaf;
    this.#members = members.map(({ leaf }) => leaf);
    this.#others = new Map(members.filter(({ leaf }) => leaf !== own).map(({ leaf, host }) => [leaf, host]));
    this.#names = new Map(members.map(({ leaf, name }) => [leaf, name]));
    this.#host = members.some(({ leaf, host }) => host && leaf === own);
    for (const leaf of this.#others.keys()) {
      if (this.#since.has(leaf)) continue;
      this.#since.set(leaf, now);
      this.#settled.set(leaf, now + SETTLED);
      this.#fresh.confirm(leaf, now + this.#span(FRESH));
    }
  }

  #forget(leaf: number): void {
    for (const known of [this.#since, this.#heard, this.#settled, this.#deaf, this.#ahead])
      known.delete(leaf);
    for (const part of [this.#heartbeats, this.#fresh, this.#delivery, this.#ordering]) part.forget(leaf);
    for (const told of [this.#silent, this.#gone, this.#unheard]) told.forget(leaf);
    for (const leaves of [this.#withheld, this.#forkReporters, this.#doubled, this.#disorder, this.#behind])
      leaves.delete(leaf);
  }

  #authenticator(): string {
    return hex(H(this.room.m.group.epochAuthenticator));
  }

  #connectedFor(now: number): number {
    return this.#syncedAt === null ? 0 : now - this.#syncedAt;
  }

  #span([least, intervals]: Span): number {
    return Math.max(least, intervals * interval(this.#members.length));
  }

  #name(leaf: number): string | Sentence {
    return this.#names.get(leaf) ?? sentence("room.somebody");
  }

  #listed(leaves: Iterable<number>): (string | Sentence)[] {
    return sorted(leaves).map((leaf) => this.#name(leaf));
  }

  /** Return phrases that name streams for a person, for example "Ada's sound". */
  #streams(streams: readonly Stream[]): Sentence[] {
    const own = this.room.m.ownLeaf;
    return [...streams]
      .sort((one, other) => one[0] - other[0] || one[1] - other[1])
      .map(([leaf, number]) => {
        const kind = ["sound", "pictures", "screen_sound", "screen"][number] ?? "pictures";
        return leaf === own
          ? sentence(`stream.own.${kind}`)
          : sentence(`stream.${kind}`, { whose: this.#name(leaf) });
      });
  }

  #over(leaves: readonly number[], what: "heard" | "reaches"): void {
    const here = leaves.filter((leaf) => this.#others.has(leaf));
    if (here.length > 0) this.room.tell(sentences.status(`cleared.${what}`, { who: this.#listed(here) }));
  }
}

/** Reasons that no audio and video are sent, where a missing beat or a beat's content is the cause. */
const PAUSED_STALE = sentence("watch.paused_stale");
const PAUSED_WITHHELD = sentence("watch.paused_withheld");
const YOU = sentence("watch.you");

const acknowledgedOf = (beat: Heartbeat, own: number): number => beat.got.find((g) => g.leaf === own)?.seq ?? 0;

const keyOf = (room: Room, leaf: number): string => hex(room.m.signatureKey(leaf) ?? new Uint8Array());

/** Round seconds to a whole number, halves to the even one, as Python rounds. */
function whole(seconds: number): number {
  const near = Math.round(seconds);
  return near - seconds === 0.5 && near % 2 !== 0 ? near - 1 : near;
}
