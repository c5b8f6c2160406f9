/**
 * Short codes: who opens a run, which messages members send when, and comparisons by people (section 8).
 *
 * All members follow the server's order, for their own messages too: our message counts when it has come back. Honest
 * members are therefore in the same run and phase, even if two members open a run or a member lies, unless the server
 * sends them different messages; that shows (`code_fork`). If the order is lost (while catching up, or at a restart
 * of the server), a message waits for its run.
 */
import { type Bytes, compare, hex, same } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import { H } from "../../crypto/kdf";
import { type CodeContext, codeEmoji, CodeRun, indices, SHARE_SIZE, SID_SIZE } from "../../crypto/proof/verification";
import type { ApplicationMessage } from "../../mls";
import { type Arg, CommandError, type Sentence, sentence } from "../../words/sentence";
import { type Contents, Feature } from "../kernel/feature";
import { trim } from "../monitor/heartbeats";
import { Answers } from "./answers";
import { Comparisons, membersOf, type ShownCode } from "./compared";
import { type AnyContent, type CodeCommit, type CodeOpen, type CodeReveal, COMPARING_MAX } from "../catalogue/content";
import type { Change } from "../kernel/verdict";
import type { Room } from "../kernel/ports";
import * as sentences from "../catalogue/sentences";

/** Seconds for all commitments, and again for all shares. */
export const PHASE = 8;
/** Seconds after which a request that has not come back is given up, and its requester told. */
export const OPEN_WAIT = 5;
/** Seconds after a run's opening within which a member joins it that could not speak then. */
export const JOIN_LATE = 4;
/** Seconds for which commits wait while runs follow each other without a pause and commitments are missing. */
export const HOLD_MAX = 16;
/** Seconds without a run that count as a pause. */
export const PAUSE = 1;
/** Seconds between two runs of one opener, and after a code until anybody's next run. */
export const OPEN_EVERY = 5;
export const REST = 10;
/** Extra seconds that an opener waits beyond the others' limits: its messages do not all take equally long. */
export const MARGIN = 1;
/** Seconds that an OPEN may have been under way to a member that is catching up. */
export const FRESH = 3;
/** Seconds after which a request for a code that could not be sent is given up. */
export const REQUEST_MAX = 30;
/** Seconds after we came in during which a request waits for the others' first answer to us. */
export const NEW = 8;
/** Seconds within which a person may still mean the previous code. */
export const SLIP = 2;
/** Messages of ours that are resent: the three of a run. */
export const OWN_MAX = 3;
/** Runs of this epoch whose ids are kept, so that no id is used twice. */
export const SIDS_MAX = 256;

type Word = CodeCommit | CodeReveal;

/** A run, and this member's state of it beside the arithmetic. */
interface Running {
  readonly run: CodeRun;
  readonly opener: number;
  readonly names: ReadonlyMap<number, string>;
  readonly seen: ShownCode;
  deadline: number;
  /** Our share was sent, so somebody else may know the code. */
  showing: boolean;
  /** Our connection was lost meanwhile. */
  cut: boolean;
  /** A member is leaving, and will not wait. */
  leaver: boolean;
  /** Opened by us, for the second time. */
  readonly again: boolean;
}

/** Whether a share is out, so that an abort may be a member's choice. */
const isOut = (running: Running): boolean => running.showing || running.run.shown;

/** A request to open a run. */
interface Request {
  readonly since: number;
  /** The second attempt. */
  readonly again: boolean;
  /** Sent, and not yet come back. */
  sid: Bytes | null;
  sentAt: number;
}

const requestOf = (since: number, again = false): Request => ({ since, again, sid: null, sentAt: 0 });

/** Runs for short codes, and the memory of comparisons. */
export class Comparing extends Feature {
  #running: Running | null = null;
  #request: Request | null = null;
  /** Whether our person waits for a code. */
  #asked = false;
  #mine = new Map<string, AnyContent>(); // hex(H(blob)) -> message that has not come back
  #unsent: AnyContent[] = [];
  /** Our last messages and when they were sent: resent on every new connection, as a run may go on elsewhere. */
  readonly #blobs: { readonly blob: Bytes; readonly saidAt: number }[] = [];
  /** Messages for runs that are unknown here: of each leaf for its last such run only. */
  readonly #early = new Map<number, Word[]>();
  #deferred: { opener: number; what: CodeOpen; again: boolean; since: number } | null = null; // a run to join later
  readonly #opened = new Map<number, number>(); // leaf -> when its last OPEN came
  #ownOpen = -Infinity;
  readonly #sids = new Map<string, true>();
  /** The last code. */
  #seen: ShownCode | null = null;
  #code = 0;
  #slipUntil = 0;
  #answered = true;
  readonly #began: number;
  #now: number;
  #inTouch: number;
  #heldSince = 0;
  #idleSince = -Infinity;
  #compared = new Comparisons();

  constructor(room: Room, now: number) {
    super(room);
    this.#began = this.#now = this.#inTouch = now;
    this.#compared.begin(room.membership, now);
  }

  override carryOver(old: Room): void {
    const before = old.feature(Comparing);
    this.#compared = before.#compared;
    this.#seen = before.#seen;
    this.#code = before.#code;
    this.#answered = before.#answered;
    this.#compared.begin(this.room.membership, this.#inTouch);
    // Otherwise an attacker that can make us fall out of step could try out codes unnoticed.
    if (before.#running !== null && isOut(before.#running))
      this.#alarmMissing(before.#running, sentence("no_code.anew_out"));
    else if (before.#asked) this.room.tell(sentences.status("no_code", { why: sentence("no_code.anew") }));
    this.#tellComparison(true);
  }

  // -- commands --------------------------------------------------------------------------------------------

  /** Request a run; CommandError if none is possible. */
  async compare(now: number): Promise<void> {
    const count = this.room.membership.members().length;
    if (count < 2) throw new CommandError(sentence("cannot.nobody_to_compare"));
    if (count > COMPARING_MAX) throw new CommandError(sentence("cannot.compare_many", { most: COMPARING_MAX }));
    const held = this.room.holdReason(now);
    if (held !== null && now - this.#began > NEW) throw new CommandError(held);
    this.#asked = true;
    this.room.tell(sentences.status("comparing"));
    if (this.#running !== null || this.#request !== null) return;
    this.#request = requestOf(now);
    await this.#open(now);
  }

  /** Record a person's comparison; CommandError if the compared code is unclear. */
  async compared(isSame: boolean, digits: string | null, now: number): Promise<void> {
    if (digits !== null) this.#compared.digits(isSame, digits.replaceAll(" ", ""), now);
    else if (this.#seen === null) throw new CommandError(sentence("cannot.no_code_yet"));
    else if (now < this.#slipUntil) throw new CommandError(sentence("cannot.another_code"));
    else {
      this.#answered = true;
      this.#compared.short(isSame, this.#seen);
      await this.room.feature(Answers).answer(isSame, now);
    }
    if (!isSame) this.room.tell(sentences.alarm("code_different"));
    this.#tellComparison(true);
  }

  /** Show the codes again, and the changes since the comparison. */
  show(): void {
    const m = this.room.membership;
    this.room.tell({ type: "Code", epoch: m.group.epoch, digits: m.code });
    if (this.#seen !== null && this.#seen.epoch === m.group.epoch) this.#tellCode(this.#seen);
    this.#tellComparison(true);
  }

  #tellCode(seen: ShownCode): void {
    const four = codeEmoji(this.#code);
    this.room.tell({
      type: "ShortCode",
      epoch: seen.epoch,
      emoji: four.map(([emoji]) => emoji),
      words: four.map(([, word]) => word),
      indices: indices(this.#code),
      members: this.room.membership.members(),
      by: this.room.feature(Answers).by,
    });
  }

  #tellComparison(news: boolean): void {
    const comparison = this.#compared.state(this.room.membership, news);
    if (comparison !== null) this.room.tell(comparison);
  }

  // -- hooks -----------------------------------------------------------------------------------------------

  override async synced(now: number): Promise<void> {
    this.#now = now;
    for (const { blob, saidAt } of this.#blobs)
      if (now - saidAt <= 2 * PHASE) this.room.send({ type: "relay", blob });
    await this.#flush();
    await this.#open(now);
  }

  override lost(_why: Sentence, _now: number): void {
    if (this.#running !== null) this.#running.cut = true;
  }

  override async tick(now: number): Promise<void> {
    this.#now = now;
    if (this.room.isSynced(now) && !this.room.catchingUp) this.#inTouch = now;
    this.#expire(now);
    await this.#joinDeferred(now);
    await this.#flush();
    await this.#open(now);
  }

  override adopted(change: Change, now: number): void {
    for (const { leaf } of change.removed) this.#opened.delete(leaf);
    const running = this.#running;
    this.#deferred = null;
    let unheard = this.#request !== null && this.#request.sid !== null;
    let again = this.#request !== null && this.#request.again;
    this.#over(now);
    this.#mine.clear();
    this.#blobs.length = 0;
    this.#early.clear();
    this.#sids.clear(); // messages are bound to their epoch
    if (running !== null) {
      if (isOut(running)) {
        this.#alarmMissing(running, sentence("no_code.keys_out", { who: this.room.membership.who(change.by) }));
      } else if (running.opener === this.room.membership.ownLeaf) {
        unheard = true;
        again = running.again;
      } else if (this.#asked) this.#noCode(sentence("no_code.changed"));
    }
    if (unheard) this.#onceMore(again, now);
    const news = this.#compared.adopted(change, this.room.membership, now);
    if (this.#compared.verified) this.#tellComparison(news);
  }

  override async relayed(_number: number, digest: Bytes, now: number): Promise<void> {
    const key = hex(digest);
    const what = this.#mine.get(key);
    if (what === undefined) return;
    this.#mine.delete(key);
    await this.#take(this.room.membership.ownLeaf, what, now);
  }

  override contents(): Contents {
    const heard = async ({ sender, epoch }: ApplicationMessage, what: AnyContent, now: number): Promise<void> => {
      if (epoch === this.room.membership.group.epoch) await this.#take(sender, what, now);
    };
    return { code_open: heard, code_commit: heard, code_reveal: heard };
  }

  override overheard(): Contents {
    return {
      leaving: () => {
        if (this.#running !== null) this.#running.leaver = true;
      },
    };
  }

  override holdsCommits(now: number): boolean {
    const running = this.#running;
    if (running === null || running.leaver) return false;
    // Once shares may be out, a change of keys would look like a deliberate abort.
    return isOut(running) || running.run.complete || now - this.#heldSince <= HOLD_MAX;
  }

  // -- sending ---------------------------------------------------------------------------------------------

  async #say(what: AnyContent): Promise<void> {
    this.#unsent.push(what);
    await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#unsent.length === 0 || !this.room.isSynced(this.#now)) return;
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const what of unsent) {
      const blob = await this.room.relay(what);
      this.#mine.set(hex(H(blob)), what);
      this.#blobs.push({ blob, saidAt: this.#now });
      if (this.#blobs.length > OWN_MAX) this.#blobs.shift();
    }
  }

  /** Open the requested run, once that is possible. */
  async #open(now: number): Promise<void> {
    const request = this.#request;
    if (request === null) return;
    if (request.sid !== null) {
      if (now - request.sentAt > OPEN_WAIT) this.#noCode(sentence("no_code.not_passed"));
      return;
    }
    const { room } = this;
    const m = room.membership;
    if (now - request.since > REQUEST_MAX)
      return this.#noCode(sentence(room.holdReason(now) === null ? "no_code.unreachable" : "no_code.unanswered"));
    const rested = this.#seen === null || now - this.#seen.at >= REST + MARGIN;
    if (
      this.#running !== null ||
      !rested ||
      now - this.#ownOpen < OPEN_EVERY + MARGIN ||
      !room.speaks(now) ||
      room.catchingUp
    )
      return;
    request.sid = room.rng(SID_SIZE);
    request.sentAt = now;
    this.#ownOpen = now;
    const leaves = m.members().map(({ leaf }) => leaf);
    await this.#say({
      type: "code_open",
      sid: request.sid,
      epoch: m.group.epoch,
      chain: m.journal.chain,
      leaves,
    });
  }

  /** Open another run, but only once: ours ended before anybody had revealed a share. */
  #onceMore(again: boolean, now: number): void {
    if (again) this.#noCode(sentence("no_code.changed"));
    else this.#request = requestOf(now, true);
  }

  #noCode(why: Sentence): void {
    this.#request = null;
    if (!this.#asked) return;
    this.#asked = false;
    this.room.tell(sentences.status("no_code", { why }));
  }

  // -- receiving -------------------------------------------------------------------------------------------

  /** Process a message of a run of this epoch, in the server's order. */
  async #take(leaf: number, what: AnyContent, now: number): Promise<void> {
    this.#now = now;
    this.#expire(now);
    const running = this.#running;
    if (what.type === "code_open") await this.#takeOpen(leaf, what, now);
    else if (what.type !== "code_commit" && what.type !== "code_reveal") return;
    else if (running !== null && same(what.sid, running.run.sid)) {
      enter(running.run, leaf, what);
      await this.#advance(running, now);
    } else if (!this.#sids.has(hex(what.sid)) || (this.#deferred !== null && same(what.sid, this.#deferred.what.sid))) {
      const before = this.#early.get(leaf) ?? [];
      const others = before.filter((b) => same(b.sid, what.sid) && b.type !== what.type);
      this.#early.set(leaf, [...others, what]);
    }
  }

  async #takeOpen(leaf: number, what: CodeOpen, now: number): Promise<void> {
    const m = this.room.membership;
    const own = leaf === m.ownLeaf;
    const request = this.#request;
    const ours = own && request !== null && request.sid !== null && same(request.sid, what.sid);
    if (own && !ours) return; // given up meanwhile
    const last = this.#opened.get(leaf);
    if (last !== undefined && now - last < OPEN_EVERY) return;
    this.#opened.set(leaf, now);
    const sid = hex(what.sid);
    if (this.#sids.has(sid) || (this.#seen !== null && now - this.#seen.at < REST)) return;
    this.#sids.set(sid, true);
    trim(this.#sids, SIDS_MAX);
    const here = m.members().map((member) => member.leaf);
    if (
      what.epoch !== m.group.epoch ||
      !same(what.chain, m.journal.chain) ||
      what.leaves.length !== here.length ||
      what.leaves.some((other, i) => other !== here[i])
    ) {
      if (own && request !== null) this.#onceMore(request.again, now);
      return;
    }
    // The others may have given it up long ago, and we would blame them.
    if (this.room.catchingUp && now - this.#inTouch > FRESH) return;
    const running = this.#running;
    if (running !== null) {
      const first = running.opener - leaf || compare(running.run.sid, what.sid);
      if (running.run.complete || first < 0) {
        if (own) this.#request = null; // that run's code will do
        return;
      }
      this.#over(now);
    }
    const again = own && request !== null && request.again;
    // This run's code will do, whichever member opened it.
    if (own || (request !== null && request.sid === null)) this.#request = null;
    await this.#begin(leaf, what, again, now);
  }

  async #joinDeferred(now: number): Promise<void> {
    if (this.#deferred === null) return;
    const { opener, what, again, since } = this.#deferred;
    const held = this.room.holdReason(now) !== null;
    if (held && now - since <= JOIN_LATE && this.#running === null) return;
    this.#deferred = null;
    if (!held && this.#running === null) await this.#begin(opener, what, again, now);
  }

  async #begin(opener: number, what: CodeOpen, again: boolean, now: number): Promise<void> {
    const m = this.room.membership;
    if (this.room.holdReason(now) !== null) {
      // A code would vouch for members that may have been removed. We join as soon as we may.
      this.#deferred = { opener, what, again, since: now };
      return;
    }
    const { groupId, epochAuthenticator: authenticator, treeHash } = m.group;
    const ground: CodeContext = { sid: what.sid, groupId, chain: what.chain, authenticator, treeHash };
    const keys = new Map(what.leaves.map((leaf) => [leaf, m.signatureKey(leaf) ?? new Uint8Array()]));
    let run: CodeRun;
    try {
      run = new CodeRun(ground, keys, m.ownLeaf, this.room.rng(SHARE_SIZE));
    } catch (error) {
      // A key of another size: no code is possible with that leaf.
      if (error instanceof SnugError) return;
      throw error;
    }
    const names = new Map(m.members().map(({ leaf, name }) => [leaf, name]));
    const seen: ShownCode = { epoch: m.group.epoch, members: membersOf(m), at: now };
    for (const [leaf, early] of this.#early)
      for (const said of early) if (same(said.sid, what.sid)) enter(run, leaf, said);
    const state = { showing: false, cut: false, leaver: false, again };
    this.#running = { run, opener, names, seen, deadline: now + PHASE, ...state };
    if (now - this.#idleSince >= PAUSE) this.#heldSince = now;
    await this.#say({ type: "code_commit", sid: what.sid, commitment: run.ownCommitment() });
    // Incomplete without our own commitment: early messages are judged when that has come back.
  }

  async #advance(running: Running, now: number): Promise<void> {
    const run = running.run;
    if (run.complete && !running.showing) {
      // Before judging: in a fork, the other side must see our share too.
      running.showing = true;
      running.deadline = now + PHASE;
      const [digest, share] = run.ownReveal();
      await this.#say({ type: "code_reveal", sid: run.sid, digest, share });
    }
    const finding = run.judge();
    if (finding !== null) {
      this.#over(now);
      this.#asked = false;
      this.#request = null;
      this.room.tell(sentences.alarm(`code_${finding.kind}`, { name: running.names.get(finding.leaf) ?? "" }));
      return;
    }
    const code = run.code;
    if (code === null) return;
    this.#over(now);
    this.#asked = false;
    this.#request = null;
    if (!this.#answered) this.#slipUntil = now + SLIP;
    this.#answered = false;
    this.#seen = { ...running.seen, at: now };
    this.#code = code;
    this.room.feature(Answers).shown(run, running.opener, running.seen.epoch);
    this.#tellCode(this.#seen);
  }

  // -- ends ------------------------------------------------------------------------------------------------

  /** Discard the run, above all our share. */
  #over(now: number): void {
    if (this.#running !== null) {
      this.#running = null;
      this.#idleSince = now;
    }
    // An OPEN of ours that is under way stays: the others will accept it.
    this.#mine = new Map([...this.#mine].filter(([, what]) => what.type === "code_open"));
    this.#unsent = [];
  }

  #expire(now: number): void {
    const running = this.#running;
    if (running === null || now <= running.deadline) return;
    this.#over(now);
    this.#request = null;
    if (!isOut(running)) {
      this.#noCode(sentence("no_code.nothing_from", { names: waitedFor(running) }));
      return;
    }
    this.#asked = false;
    const gone = running.cut && !this.room.isSynced(now);
    this.#alarmMissing(
      running,
      gone ? sentence("no_code.broke") : sentence("no_code.nothing", { seconds: PHASE }),
    );
  }

  #alarmMissing(running: Running, why: Sentence): void {
    this.#asked = false;
    this.#request = null;
    this.room.tell(sentences.alarm("code_aborted", { names: waitedFor(running), why }));
  }
}

function enter(run: CodeRun, leaf: number, what: Word): void {
  if (what.type === "code_commit") run.committed(leaf, what.commitment);
  else run.revealed(leaf, what.digest, what.share);
}

/** Return the names that the run waits for; ourselves only if there is nobody else. */
function waitedFor(running: Running): Arg {
  const others = running.run.waitingFor().filter((leaf) => leaf !== running.run.ownLeaf);
  const names = others.map((leaf) => running.names.get(leaf) ?? "");
  return names.length > 0 ? names : sentence("no_code.this_participant");
}
