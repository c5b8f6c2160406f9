/**
 * Conclusions from the members' signed beats: alarms, and when media may be sealed.
 *
 * Protocol section 7. `heartbeats` sends and receives them. Each finding has a module, which reports it once in one
 * sentence, and reports when it is over: `silence`, `withholding`, `disorder`, `removals`, `unreadableCommits`.
 * `holding` says when nothing may be sealed. This module gives them the beats, and judges the delivery of audio and
 * video itself.
 */
import type { Heartbeat } from "../../crypto/agreed/heartbeat";
import { type Bytes, among, hex, same } from "../../crypto/bytes";
import { H } from "../../crypto/kdf";
import type { Receipt } from "../../crypto/proof/evidence";
import { type Arg, type Sentence, sentence } from "../../words/sentence";
import { Subscriptions } from "../features/subscriptions";
import { Feature } from "../kernel/feature";
import { Heartbeats, DoubleBeat, type Record, trim } from "./heartbeats";
import { FRESH } from "./freshness";
import { GO_ON } from "./goingOn";
import { Holding } from "./holding";
import type { Change } from "../kernel/verdict";
import { Delivery, type Stream } from "./delivery";
import { Disorder } from "./disorder";
import { MemberTable } from "./memberTable";
import { Pending } from "./pending";
import { Removals } from "./removals";
import { Replacements } from "./replacements";
import type { ServerKeys } from "./serverKeys";
import { Silence } from "./silence";
import { EPOCHS, UnreadableCommits } from "./unreadableCommits";
import { Withholding } from "./withholding";
import { loadedLater } from "../kernel/load";
import type { Room } from "../kernel/ports";
import * as sentences from "../catalogue/sentences";

/** Seconds between two ticks that indicate that this machine has slept. */
export const ASLEEP = 3;
/** One membership's monitoring of its server and its members. */
export class Monitor extends Feature {
  #ticked: number;
  readonly #members: MemberTable;
  readonly #heartbeats: Heartbeats;
  readonly #delivery = new Delivery();
  readonly #silence: Silence;
  readonly #withholding: Withholding;
  readonly #disorder: Disorder;
  /** null until the file that has it has come. */
  #serverKeys: ServerKeys | null = null;
  readonly #removals: Removals;
  readonly #replacements: Replacements;
  readonly #unreadableCommits: UnreadableCommits;
  readonly #pending: Pending;
  /** hex(H(epoch_authenticator)) -> when the next epoch began; null: it is the current epoch. */
  readonly #epochs = new Map<string, number | null>();
  readonly #holding: Holding;

  constructor(room: Room, now: number) {
    super(room);
    this.#ticked = now;
    this.#members = new MemberTable(room, now);
    this.#heartbeats = new Heartbeats(room, now);
    this.#silence = new Silence(room, this.#members, this.#heartbeats);
    this.#withholding = new Withholding(room, this.#members);
    this.#disorder = new Disorder(room, this.#members);
    this.#removals = new Removals(room, this.#members);
    this.#unreadableCommits = new UnreadableCommits(room, this.#members);
    this.#replacements = new Replacements(room, this.#heartbeats);
    this.#pending = new Pending(room, this.#members);
    const found = this.#members.update(now);
    this.#epochs.set(this.#authenticator(), null);
    this.#holding = new Holding(room, this.#members, this.#withholding, this.#pending);
    for (const leaf of found) this.#holding.cameIn(leaf, now);
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
   * With `doubted`, a host alone decides only if no beat contradicts it, and beats of later slots prove no "valid".
   */
  verdictOnSlot(slot: number, doubted = false): "void" | "valid" | null {
    const ours = this.#authenticator();
    const { others } = this.#members;
    const verdicts: { readonly void: number[]; readonly valid: number[] } = { void: [], valid: [] };
    for (const [leaf, { last }] of this.#heartbeats.histories) {
      if (last === null || !others.has(leaf) || last.slot < slot) continue;
      if (hex(last.authenticator) === ours) verdicts.void.push(leaf);
      else if (last.epoch > this.room.membership.group.epoch && !(doubted && last.slot > slot)) verdicts.valid.push(leaf);
    }
    const split = verdicts.void.length > 0 && verdicts.valid.length > 0;
    const carried = (["void", "valid"] as const).filter((verdict) => {
      const leaves = verdicts[verdict];
      const byHost = leaves.some((leaf) => others.get(leaf));
      return 2 * leaves.length > others.size || (byHost && !(doubted && split));
    });
    return carried.length === 1 ? (carried[0] ?? null) : null;
  }

  /**
   * Return the number of the oldest epoch in which a member may still be; -1 if one was never heard.
   *
   * A member is past an epoch when its heartbeat names a later epoch of our history: nobody else can sign that. Only a
   * removal, and not silence, makes us wait for a member no longer.
   */
  oldestEpoch(): number {
    let oldest = this.room.membership.group.epoch;
    for (const leaf of this.#members.others.keys()) {
      const last = this.#heartbeats.histories.get(leaf)?.last ?? null;
      oldest = Math.min(oldest, last === null || !this.#epochs.has(hex(last.authenticator)) ? -1 : last.epoch);
    }
    return oldest;
  }

  /**
   * Go on although the listeners are unknown; CommandError if nothing is held.
   *
   * It lasts until nothing holds any more, somebody comes in or goes, or something else holds: another confirmation is
   * missing, another removal waits, or a host, two members or the server claim a change.
   */
  override(now: number): void {
    this.#holding.override(now);
    this.#heartbeats.scheduleSoon(now, this.#members.leaves);
  }

  /**
   * Record how old the answer was by which we came in, in seconds, as far as two clocks show it.
   *
   * `byMember`: it need not be a host's, and we have no confirmations from before.
   */
  letIn(age: number, byMember: boolean): void {
    this.#holding.letIn(age, byMember);
  }

  /**
   * Seal nothing until the others have answered us here.
   *
   * The member that lets us in need not be a host: an evicted member can do so too, in a room of its own that goes on
   * from its last epoch.
   */
  forgetConfirmations(): void {
    this.#holding.forgetConfirmations();
  }

  override carryOver(old: Room): void {
    const before = old.feature(Monitor);
    this.#holding.carryOver(before.#holding);
    this.#replacements.cameBack(old);
    this.#heartbeats.record = before.record;
    this.#pending.carryOver(before.#pending);
    this.#withholding.carryOver(before.#withholding, this.#ticked);
    this.#serverKeys = before.#serverKeys?.takenAlong(this.room, this.#members) ?? null;
  }

  // -- hooks -----------------------------------------------------------------------------------------------

  override synced(now: number): void {
    this.#members.syncedAt = now;
    this.#disorder.ordering.setIncarnation(this.room.incarnation ?? new Uint8Array(8));
    this.#keys()?.synced(now);
    this.#delivery.reset(this.room.membership.ownLeaf);
    this.#silence.reset();
    this.#members.unsettle(this.room.membership.ownLeaf, now);
    this.#heartbeats.scheduleSoon(now, this.#members.leaves);
  }

  override serverHeard(now: number): void { this.#members.serverHeardAt = now; }

  override lost(_why: Sentence, _now: number): void {
    this.#members.syncedAt = null;
    this.#withholding.lost();
    this.#disorder.ordering.disconnected();
  }

  override adopted(change: Change, now: number): void {
    const m = this.room.membership;
    for (const { leaf } of change.removed) this.#forget(leaf);
    this.#holding.adopted(change);
    for (const { leaf } of change.added) this.#heartbeats.memberJoined(leaf, m.journal.slot, change.by);
    for (const [authenticator, over] of this.#epochs) if (over === null) this.#epochs.set(authenticator, now);
    this.#epochs.set(this.#authenticator(), null);
    trim(this.#epochs, EPOCHS);
    for (const leaf of this.#members.update(now)) this.#holding.cameIn(leaf, now);
    const evicted = change.rejoined ? [] : change.removed.filter(({ leaf }) => !change.left.has(leaf));
    this.#heartbeats.changeKey(now);
    const host = evicted.some((each) => among(each.key, change.policyBefore.hosts));
    if (evicted.length > 0) this.#removals.track(evicted.map(({ name }) => name), now, host);
    this.#replacements.adopted(change, now);
    this.#unreadableCommits.adopted(change);
    if (change.by === m.ownLeaf) this.#pending.committed();
    this.#pending.adopted();
    this.#withholding.adopted(change, now);
    this.#heartbeats.scheduleSoon(now, evicted.length > 0 ? this.#members.leaves : this.#members.firstToBeat(change.by));
  }

  override voided(slot: number, _author: number | null, now: number): void {
    this.#withholding.checkClaims(slot, now);
    this.#heartbeats.scheduleSoon(now, this.#members.leaves);
  }

  override receipt(receipt: Receipt, _now: number, { ours }: { readonly ours: boolean }): void {
    this.record.addReceipt(receipt, ours);
  }

  override unsigned(what: string, now: number): void {
    this.record.addContradiction(now, "receipt", what);
  }

  override relayed(number: number, digest: Bytes, _now: number): void {
    this.#disorder.relayed(number, digest);
  }

  override frameSealed(stream: number): undefined {
    this.#heartbeats.sent.set(stream, (this.#heartbeats.sent.get(stream) ?? 0) + 1);
  }

  override frameOpened(_ssrc: number, leaf: number, stream: number): undefined {
    if (!this.#members.others.has(leaf)) return;
    const got = this.#heartbeats.got.get(leaf) ?? new Map<number, number>();
    this.#heartbeats.got.set(leaf, got);
    got.set(stream, (got.get(stream) ?? 0) + 1);
  }

  override holdReason(now: number): Sentence | null {
    return this.#holding.holdReason(now);
  }

  override pauseReason(now: number): Sentence | null {
    return this.#holding.pauseReason(now);
  }

  /** Return the others whose last heartbeats, lately, are of our epoch and of that room at a server. */
  atIncarnation(incarnation: Bytes, now: number): number[] {
    const { epoch } = this.room.membership.group;
    return [...this.#members.others.keys()].filter((leaf) => this.heardRecently(leaf, now) && this.#heartbeats.isAt(leaf, epoch, incarnation));
  }

  /** Return when we sent the heartbeat that a member's last one acknowledges; 0 without one. */
  acknowledgedAt(leaf: number): number {
    const got = this.#heartbeats.histories.get(leaf)?.last?.got ?? [];
    return this.#heartbeats.sentAt(got.find((g) => g.leaf === this.room.membership.ownLeaf)?.seq ?? 0) ?? 0;
  }

  /** Return the room that a member's last heartbeat names, 8 bytes, and when that came; null without one. */
  lastRoom(leaf: number): readonly [incarnation: Bytes, at: number] | null {
    const [last, at] = [this.#heartbeats.histories.get(leaf)?.last, this.#members.heard.get(leaf)];
    return last == null || at === undefined ? null : [last.incarnation, at];
  }

  /** Return when another member was last heard; if never, when it came in; 0 for somebody unknown. */
  lastHeard(leaf: number): number {
    return this.#members.lastHeard(leaf);
  }

  /** Return whether we have not heard another member for a while, although we are in step. */
  isSilent(leaf: number, now: number): boolean {
    const members = this.#members;
    return members.others.has(leaf) && this.room.isSynced(now) && members.quiet(leaf, now) > members.span(FRESH);
  }

  /** Return whether so few confirm our epoch that nothing may be sealed; for a host, that is all. */
  isShort(now: number): boolean {
    return this.#holding.beginning.over && !this.#holding.isFresh(now);
  }

  /**
   * Return whether more than half of the others have signed a slot that does not come.
   *
   * While too few others confirm our epoch, a host alone decides.
   */
  isAhead(now: number): boolean {
    const ahead = [...this.#withholding.ahead(now).keys()];
    const { others } = this.#members;
    if (ahead.length === 0 || 2 * ahead.length > others.size) return ahead.length > 0;
    return !this.#holding.isFresh(now) && ahead.some((leaf) => others.get(leaf) === true);
  }

  override heardRecently(leaf: number, now: number, since = 0): boolean {
    const members = this.#members;
    if (!members.others.has(leaf)) return leaf === this.room.membership.ownLeaf;
    return now - members.lastHeard(leaf) <= members.span(FRESH) && (since === 0 || (members.heard.get(leaf) ?? 0) > since);
  }

  override async broadcastReceived(blob: Bytes, now: number): Promise<boolean> {
    const payload = await this.#heartbeats.uncover(blob, now);
    if (payload === null) return false;
    await this.#replacements.heard(payload);
    const heard = await this.#heartbeats.receive(payload);
    if (heard instanceof DoubleBeat) {
      if (this.#withholding.contradicts(heard.leaf)) {
        const args = { who: this.#members.name(heard.leaf), leaf: heard.leaf };
        this.room.tell(sentences.alarm(this.#members.host ? "double_beat.host" : "double_beat", args));
      }
    } else if (heard !== null) this.#heardBeat(heard, now);
    return true;
  }

  override async replaced(now: number): Promise<void> {
    await this.#heartbeats.send(now, this.#disorder.ordering, { members: this.#members.leaves.length, want: true, pending: [] });
  }

  override async tick(now: number): Promise<void> {
    const members = this.#members;
    // We slept: missing beats are nobody's fault.
    if (members.syncedAt !== null && now - this.#ticked > ASLEEP) members.syncedAt = now;
    this.#ticked = now;
    this.#holding.tick();
    if (this.#pending.tick(now)) this.#heartbeats.scheduleSoon(now, members.leaves);
    if (members.others.size > 0 && this.#heartbeats.isDue(now) && this.room.isSynced(now)) {
      this.#delivery.recordSent(this.room.membership.ownLeaf, this.#heartbeats.sent);
      const subscriptions = this.room.feature(Subscriptions);
      const [count, want] = [members.leaves.length, subscriptions.subscribesToAll];
      await this.#heartbeats.send(now, this.#disorder.ordering, { members: count, want, pending: this.#pending.overdue(...(this.#holding.goesOn ? [GO_ON] : [])) });
      this.#judgeDelivery(this.room.membership.ownLeaf, this.#heartbeats.got, now, want ? null : (leaf) => subscriptions.subscribed(leaf));
    }
    this.#withholding.judge(now);
    this.#holding.judge(now);
    this.#silence.judge(now);
    this.#disorder.judge(now);
    this.#removals.judge(now, this.#holding.lease);
  }

  // -- a beat ----------------------------------------------------------------------------------------------

  #heardBeat(beat: Heartbeat, now: number): void {
    const { leaf } = beat;
    const members = this.#members;
    const history = this.#heartbeats.histories.get(leaf);
    const since = members.since.get(leaf);
    if (history === undefined || since === undefined) return;
    members.heard.set(leaf, now);
    if (!same(history.handle, beat.handle)) {
      history.handle = beat.handle;
      members.unsettle(leaf, now);
      this.#delivery.reset(leaf);
      this.#silence.resetMember(leaf);
      // It is new or back, and knows nothing of us.
      this.#heartbeats.scheduleSoon(now, members.firstToBeat(this.#heartbeats.letInBy.get(leaf)));
    }
    const acknowledged = beat.got.find((g) => g.leaf === this.room.membership.ownLeaf)?.seq ?? 0;
    if (this.#withholding.agrees(beat, now)) {
      this.#confirm(beat, acknowledged, since, now);
      this.#holding.goingOn.heard(beat);
    } else this.#holding.doubt(leaf);
    this.#silence.heard(leaf, acknowledged, now);
    this.#disorder.heard(beat, now);
    this.#keys()?.heard(beat, now);
    this.room.messages.stated(leaf, beat.words);
    this.#delivery.recordSent(leaf, beat.sent);
    if (beat.want && same(beat.incarnation, this.room.incarnation ?? new Uint8Array())) this.#judgeDelivery(leaf, new Map(beat.got.map((g) => [g.leaf, new Map(g.frames)])), now);
    else this.#delivery.stopJudging(leaf);
    this.#removals.heard(leaf, beat.slot);
    this.#pending.heard(beat);
  }

  /** Extend the member's confirmation if its beat is of our epoch or of one that ended lately. */
  #confirm(beat: Heartbeat, acknowledged: number, since: number, now: number): void {
    const over = this.#epochs.get(hex(beat.authenticator));
    if (over === undefined) return;
    const answered = acknowledged ? this.#heartbeats.sentAt(acknowledged) : since;
    this.#holding.confirm(beat, acknowledged > 0, over, answered, now);
  }

  // -- findings --------------------------------------------------------------------------------------------

  #judgeDelivery(
    listener: number,
    got: ReadonlyMap<number, ReadonlyMap<number, number>>,
    now: number,
    wanted: ((leaf: number) => ReadonlySet<number>) | null = null,
  ): void {
    const own = this.room.membership.ownLeaf;
    const members = this.#members;
    if (!members.isSettled(listener, now)) return;
    const settled = members.leaves.filter((leaf) => members.isSettled(leaf, now));
    const { lost, back } = this.#delivery.recordReceived(listener, got, settled, now, wanted);
    for (const blamed of [false, true]) {
      const streams = lost.filter((stream) => this.#isBlamed(stream) === blamed);
      if (streams.length === 0) continue;
      const losers = new Set(streams.flatMap((stream) => this.#delivery.notReached(stream)));
      const whom: (string | Sentence)[] = members.names([...losers].filter((leaf) => leaf !== own));
      if (losers.has(own)) whom.push(YOU);
      const args = { streams: this.#streams(streams), whom };
      this.room.tell(sentences.alarm(blamed ? "not_reaching.blamed" : "not_reaching", args));
    }
    if (back.length > 0) {
      const whom: Arg = listener === own ? YOU : members.name(listener);
      this.room.tell(sentences.status("cleared.reaching", { whom, streams: this.#streams(back) }));
    }
  }

  #isBlamed(stream: Stream): boolean {
    const losers = this.#delivery.notReached(stream);
    return losers.length > 1 || losers.includes(this.room.membership.ownLeaf);
  }

  // -- internals -------------------------------------------------------------------------------------------

  #keys(): ServerKeys | null {
    const later = loadedLater();
    return (this.#serverKeys ??= later && new later.ServerKeys(this.room, this.#members, this.record));
  }

  #forget(leaf: number): void {
    for (const part of [
      this.#members, this.#heartbeats, this.#delivery, this.#silence, this.#disorder, this.#pending,
    ])
      part.forget(leaf);
  }

  #authenticator(): string {
    return hex(H(this.room.membership.group.epochAuthenticator));
  }

  /** Return phrases that name streams for a person, for example "Ada's sound". */
  #streams(streams: readonly Stream[]): Sentence[] {
    const own = this.room.membership.ownLeaf;
    return [...streams]
      .sort((one, other) => one[0] - other[0] || one[1] - other[1])
      .map(([leaf, number]) => {
        const kind = ["sound", "video", "screen_sound", "screen"][number] ?? "video";
        return leaf === own
          ? sentence(`stream.own.${kind}`)
          : sentence(`stream.${kind}`, { whose: this.#members.name(leaf) });
      });
  }
}

const YOU = sentence("watch.you");
