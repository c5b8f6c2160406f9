/**
 * Media signatures: a sender lists the hashes of the frames that it has sealed, and signs the list.
 *
 * All members share an epoch's SFrame base key, so a member together with the server could seal frames in
 * another's name (docs/protocol.md, section 10). Each leaf draws an Ed25519 *media key* for each epoch. Its
 * signature key vouches for that key, and that key signs, about twice a second, which frames are its own:
 *
 *     list        = body | sign_media_key("snug 1 signatures" | scope | body)
 *     body        = 1 | leaf 4 | number 4 | media key 32 | certificate 64 | count 1, runs
 *     run         = kid 4 | first counter 4 | n 2, hashes 16 each: H(SFrame ciphertext, header included)[:16]
 *     certificate = SignWithLabel by the leaf (RFC 9420 section 5.1.2), label "snug 1 media key",
 *                   over scope | leaf 4 | media key 32
 *     scope       = room number 16 | epoch slot 8 | H(epoch_authenticator) 32
 *
 * Lists are numbered from 0 in each epoch. A sender lists every frame that it has sealed, each once, and each
 * key id's in the order of its counters: so a frame that a list passes over is not the sender's. Once the
 * epoch has been over for a while the secret half of the media key is told to all, and its signatures prove
 * nothing.
 *
 * Frames are played at once, and compared when the list is there (`Checker`); after the first doubt a leaf's
 * frames are compared before they are played.
 */

import { type Bytes, concat, same, utf8 } from "./bytes";
import { AuthenticationError, MalformedError, ReplayError, StateError, ValidationError } from "./errors";
import { exactly, Reader, uint } from "./fields";
import { H, KEY_SIZE, SIGNATURE_SIZE, type SigningKey, verify } from "./kdf";
import { verifyWithLabel } from "./labels";
import { FutureEpochError, STREAMS } from "./mediaKeys";
import { MEDIA_SIGNATURE_TIME, snug22 } from "./policy";

export const VERSION = 1;
/** Bytes of a frame's hash in a list. */
export const DIGEST_SIZE = 16;
export const SCOPE_SIZE = 16 + 8 + 32;
/** Seconds between two lists of one sender: so many in a small room, more in a larger one, up to a limit. */
export const INTERVAL = 0.5;
export const INTERVAL_MAX = 1;
export const MEMBERS_A_SECOND = 50;
/** Frames in one list, and runs (a sender has 8 streams at the most). */
export const FRAMES_MAX = 1024;
export const RUNS_MAX = 64;
export const LISTS_MAX = 2 ** 32;
/**
 * What a receiver keeps of a leaf: frames that no list has named, and per key id, listed frames not yet met:
 * as many as the replay window of SFrame lets through.
 */
export const UNLISTED_MAX = 1024;
export const LISTED_MAX = 1024;
/** Seconds for which a list is kept for frames that come later than it. */
export const LISTED_TIME = 6;
/** Seconds of verified frames after which a leaf's frames are played at once again. */
export const RECOVERY = 10;
/**
 * A frame counts as so many seconds of sound or pictures: what has passed since the one before, within these.
 */
export const PLAYED = [0.002, 0.2] as const;
/** Seconds around a reconnect of ours in which lists may have gone by. */
export const EXCUSED = 2;
/**
 * Seconds of sound or pictures within a minute that are excused so: whoever can cut our connection can do it
 * again and again. And unlisted frames of one key id, in seconds of sound (20 ms each), for what comes in a
 * burst costs next to nothing in time.
 */
export const EXCUSED_MAX = 6;
export const UNLISTED_KID_MAX = 300;
/** Frames beyond the last listed one that are played before they are listed: some seconds of sound. */
export const AHEAD_MAX = 300;
/** Seconds after which what an ended epoch owed is forgotten. */
export const WRITE_OFF = 60;

/** Under which a leaf vouches for its media key. */
export const MEDIA_KEY_LABEL = "snug 1 media key";
const LIST_LABEL = utf8("snug 1 signatures");

/** A frame of a leaf in doubt, not yet in a list: hold it and try again when the next list is there. */
export class UnverifiedFrameError extends FutureEpochError {}

/** Seconds between two lists of one sender in a room of so many members. */
export const interval = (members: number): number =>
  Math.min(INTERVAL_MAX, Math.max(INTERVAL, members / MEMBERS_A_SECOND));

/** The hash (16 bytes) by which a list names a frame: SFrame header and ciphertext, without the shim. */
export const digest = (frame: Bytes): Bytes => H(frame).slice(0, DIGEST_SIZE);

/** What binds certificates and lists to one epoch of one room, 56 bytes. */
export const scope = (room: Bytes, epochSlot: number, epochAuthenticator: Bytes): Bytes =>
  concat(exactly(room, 16, "a room number"), uint(epochSlot, 8), H(epochAuthenticator));

/** What the leaf signs, under MEDIA_KEY_LABEL (`Membership.sign`), to vouch for a media key. */
export const certified = (bound: Bytes, leaf: number, key: Bytes): Bytes =>
  concat(bound, uint(leaf, 4), exactly(key, KEY_SIZE, "a media key"));

// -- the list --------------------------------------------------------------------------------------------

/** Frames of one key id with consecutive counters; `digests` are 16 bytes each. */
export class Run {
  readonly kid: number;
  readonly first: number;
  readonly digests: Bytes;

  constructor(kid: number, first: number, digests: Bytes) {
    this.kid = kid;
    this.first = first;
    this.digests = digests;
  }

  get length(): number {
    return Math.floor(this.digests.length / DIGEST_SIZE);
  }

  /** The highest counter. */
  get last(): number {
    return this.first + this.length - 1;
  }

  /** The hash of the frame with that counter, which the run must hold. */
  of(counter: number): Bytes {
    const at = (counter - this.first) * DIGEST_SIZE;
    return this.digests.subarray(at, at + DIGEST_SIZE);
  }
}

/** One sender's list, as it travels. Only `Checker.hear` says whether it is true. */
export class FrameList {
  readonly leaf: number;
  readonly number: number;
  readonly key: Bytes;
  readonly certificate: Bytes;
  readonly runs: readonly Run[];
  readonly signature: Bytes;

  constructor(
    leaf: number,
    number: number,
    key: Bytes,
    certificate: Bytes,
    runs: readonly Run[],
    signature: Bytes = new Uint8Array(0),
  ) {
    this.leaf = leaf;
    this.number = number;
    this.key = key;
    this.certificate = certificate;
    this.runs = runs;
    this.signature = signature;
  }

  /** What is signed, without label and scope. MalformedError where a value doesn't fit. */
  get body(): Bytes {
    return concat(
      uint(VERSION, 1),
      uint(this.leaf, 4),
      uint(this.number, 4),
      this.key,
      this.certificate,
      uint(this.runs.length, 1),
      ...this.runs.flatMap((r) => [uint(r.kid, 4), uint(r.first, 4), uint(r.length, 2), r.digests]),
    );
  }

  /** The whole encoding, signed with the media key. */
  async signed(bound: Bytes, key: SigningKey): Promise<Bytes> {
    const body = this.body;
    return concat(body, await key.sign(concat(LIST_LABEL, bound, body)));
  }

  /** MalformedError on anything that a sender would not write: other orders, empty runs, too much. */
  static decode(data: Bytes): FrameList {
    const reader = new Reader(data);
    const version = reader.uint(1);
    if (version !== VERSION) throw new MalformedError(`media signatures of version ${version}`);
    const leaf = reader.uint(4);
    const number = reader.uint(4);
    const key = reader.take(KEY_SIZE);
    const certificate = reader.take(SIGNATURE_SIZE);
    const runs: Run[] = [];
    let total = 0;
    for (let left = reader.uint(1); left > 0; left--) {
      const kid = reader.uint(4);
      const first = reader.uint(4);
      const count = reader.uint(2);
      const run = new Run(kid, first, reader.take(count * DIGEST_SIZE));
      total += count;
      const before = runs.at(-1);
      const after =
        before === undefined || kid > before.kid || (kid === before.kid && first > before.last + 1);
      if (count === 0 || !after || run.last >= 2 ** 32)
        throw new MalformedError("a list of frames in another order than theirs");
      runs.push(run);
    }
    if (runs.length === 0 || runs.length > RUNS_MAX || total > FRAMES_MAX)
      throw new MalformedError(`a list of ${runs.length} runs and ${total} frames`);
    const signature = reader.take(SIGNATURE_SIZE);
    reader.end();
    return new FrameList(leaf, number, key, certificate, runs, signature);
  }
}

/**
 * Lists and signs one leaf's frames of one epoch.
 *
 * Frames of a key id must be added in the order of their counters, as `MediaKeys.seal` gives them out, or a
 * list would pass one over.
 */
export class Signer {
  readonly #leaf: number;
  readonly #scope: Bytes;
  readonly #key: SigningKey;
  readonly #certificate: Bytes;
  readonly #pending = new Map<number, Map<number, Bytes>>(); // key id -> counter -> hash
  #next = 0;
  /** When the first of the frames that wait was sealed; null where none waits. */
  oldest: number | null = null;

  /**
   * `key` is one whose seed is kept; `certificate`: the leaf's signature (64 bytes) over
   * `certified(bound, leaf, key.public)`.
   */
  constructor(leaf: number, bound: Bytes, key: SigningKey, certificate: Bytes) {
    this.#leaf = leaf;
    this.#scope = exactly(bound, SCOPE_SIZE, "a scope");
    this.#key = key;
    this.#certificate = exactly(certificate, SIGNATURE_SIZE, "a certificate");
  }

  /** Whether anybody can have seen a signature of this key. */
  get used(): boolean {
    return this.#next > 0;
  }

  /** The key's secret half (32 bytes), to be told when its epoch has long been over. */
  get secret(): Bytes {
    return this.#key.seed;
  }

  /** A frame that was sealed (header and ciphertext). */
  add(kid: number, counter: number, frame: Bytes, now: number): void {
    const frames = this.#pending.get(kid) ?? new Map<number, Bytes>();
    this.#pending.set(kid, frames.set(counter, digest(frame)));
    this.oldest ??= now;
  }

  /**
   * Signed lists of all that waits; nothing waits then. What is added while they are signed waits for the
   * next.
   */
  async take(): Promise<Bytes[]> {
    const runs: Run[] = [];
    for (const [kid, frames] of [...this.#pending].sort(([one], [other]) => one - other)) {
      let start = 0;
      let held: Bytes[] = [];
      for (const [counter, hash] of [...frames].sort(([one], [other]) => one - other)) {
        if (held.length > 0 && (counter !== start + held.length || held.length === FRAMES_MAX)) {
          runs.push(new Run(kid, start, concat(...held)));
          held = [];
        }
        if (held.length === 0) start = counter;
        held.push(hash);
      }
      runs.push(new Run(kid, start, concat(...held)));
    }
    this.#pending.clear();
    this.oldest = null;
    const lists = portions(runs).map((portion) => {
      if (this.#next >= LISTS_MAX)
        throw new StateError("this media key has signed all the lists that it may");
      return new FrameList(this.#leaf, this.#next++, this.#key.public, this.#certificate, portion);
    });
    return Promise.all(lists.map((made) => made.signed(this.#scope, this.#key)));
  }
}

function portions(runs: readonly Run[]): Run[][] {
  const done: Run[][] = [];
  let portion: Run[] = [];
  let total = 0;
  for (const run of runs) {
    // two runs of one key id that follow on each other are one, unless it would be too long
    const last = portion.at(-1);
    const joined = last !== undefined && last.kid === run.kid && last.last + 1 === run.first;
    if (last === undefined || total + run.length > FRAMES_MAX || portion.length === RUNS_MAX || joined) {
      portion = [];
      done.push(portion);
      total = 0;
    }
    portion.push(run);
    total += run.length;
  }
  return done;
}

// -- checking --------------------------------------------------------------------------------------------

/**
 * What a `Checker` has found out about its leaf; each is told once, until it has changed.
 *
 * forged: a frame was opened under its key id, and it has not signed that. unverified: its frames have gone
 * unlisted for longer than 2 s. verified: they have been listed again for 10 s.
 */
export type Finding = "forged" | "unverified" | "verified";

/** late: the list that would have named it is forgotten. */
type Verdict = "listed" | "unlisted" | "forged" | "late";

/** What the lists have said of one key id. */
class Heard {
  readonly #runs: { readonly at: number; readonly number: number; readonly run: Run }[] = [];
  /** From `#knownFrom` to `covered` we know all of the sender's frames, as far as counters go. */
  #knownFrom = 0;
  covered = -1;
  /** Up to here lists have been forgotten by age, or for their number. */
  #forgotten = -1;
  /** Lists were lost: what comes next need not follow on `covered`. */
  torn: boolean;

  constructor(torn: boolean) {
    this.torn = torn;
  }

  judge(counter: number, hash: Bytes): Verdict {
    if (counter > this.covered) return "unlisted"; // as of most frames: their list comes later
    const run = this.#runs.findLast(({ run: { first, last } }) => first <= counter && counter <= last)?.run;
    if (run !== undefined) return same(run.of(counter), hash) ? "listed" : "forged";
    if (counter <= this.#forgotten) return "late";
    return this.#knownFrom <= counter && counter <= this.covered ? "forged" : "unlisted";
  }

  /** The number of the list that names that counter; null if none does. */
  numberOf(counter: number): number | null {
    return this.#runs.find(({ run: { first, last } }) => first <= counter && counter <= last)?.number ?? null;
  }

  extend(run: Run, number: number, now: number): void {
    if (this.torn) {
      this.torn = false;
      this.#knownFrom = run.first;
    }
    this.#runs.push({ at: now, number, run });
    this.covered = run.last;
    for (;;) {
      const [first] = this.#runs;
      if (first === undefined) return;
      if (first.at + LISTED_TIME > now && first.run.last > this.covered - LISTED_MAX) return;
      this.#runs.shift();
      this.#forgotten = first.run.last;
      this.#knownFrom = Math.max(this.#knownFrom, this.#forgotten + 1);
    }
  }
}

/** One epoch as far as one leaf is concerned. */
class Epoch {
  key: Bytes | null = null;
  number = -1;
  /** No list was lost since number 0. */
  whole = true;
  published = false;
  readonly streams = new Map<number, Heard>();

  /** MalformedError if a list names frames again, or more key ids than a leaf has. */
  inOrder(heard: FrameList): void {
    const firsts = new Map<number, number>();
    for (const { kid, first } of heard.runs) if (!firsts.has(kid)) firsts.set(kid, first);
    if (new Set([...this.streams.keys(), ...firsts.keys()]).size > STREAMS)
      throw new MalformedError("frames of more streams than one member has");
    for (const [kid, first] of firsts)
      if (first <= (this.streams.get(kid)?.covered ?? -1))
        throw new MalformedError("frames that an earlier list has named");
  }

  take(heard: FrameList, now: number): void {
    this.key = heard.key;
    if (heard.number !== this.number + 1) {
      this.whole = false;
      for (const stream of this.streams.values()) stream.torn = true;
    }
    this.number = heard.number;
    for (const run of heard.runs) {
      const stream = this.streams.get(run.kid) ?? new Heard(!this.whole);
      this.streams.set(run.kid, stream);
      stream.extend(run, heard.number, now);
    }
  }
}

/** A frame that was played, and that no list has named so far. */
interface Unlisted {
  readonly epoch: number;
  readonly kid: number;
  readonly counter: number;
  readonly hash: Bytes;
  /** On the leaf's clock of played seconds; infinite: lists may have gone by. */
  at: number;
  readonly cost: number;
  readonly openedAt: number;
}

/**
 * One leaf's frames against its lists. All its memory is bounded (a few hundred kilobytes at the worst).
 *
 * `epoch` is the MLS epoch's number everywhere. Who calls takes the epochs' ends to it (`endEpoch`). `doubt`
 * says why this leaf's frames are compared before they are played, null: they are played at once.
 */
export class Checker {
  doubt: "forged" | "unverified" | null = null;
  readonly findings: Finding[] = [];
  readonly #epochs = new Map<number, Epoch>();
  readonly #unlisted = new Map<string, Unlisted>(); // by epoch, key id and counter
  #played = 0;
  #step = 0;
  #frameAt = -Infinity;
  #excusedUntil = -Infinity;
  readonly #excused: { readonly at: number; readonly seconds: number }[] = []; // of ended epochs
  #goodSince = -Infinity;
  #verifiedAt = -Infinity;
  #writtenOff = 0;
  #writtenOffAt = -Infinity;

  // -- frames --------------------------------------------------------------------------------------------

  /**
   * A frame of this leaf's key id, before it is opened.
   *
   * ValidationError("SNUG-22") if the leaf has signed another, or none, in its place; AuthenticationError if
   * it comes so late that the list which would name it is forgotten (a path that was cut for a while brings
   * such frames); UnverifiedFrameError if no list has come that names it, and the leaf is in doubt or its
   * lists are far from there: a frame far ahead would make all that are sealed before it too old.
   */
  opening(epoch: number, kid: number, counter: number, frame: Bytes, now: number): void {
    // here and not when it has opened: else one frame far ahead, after which nothing opens, would stay
    // unnoticed for ever
    this.#play(now);
    const verdict = this.#judge(epoch, kid, counter, digest(frame));
    refuse(verdict);
    if (verdict !== "unlisted") return;
    if (this.doubt !== null) throw new UnverifiedFrameError("a frame that its sender has not signed yet");
    const covered = this.#epochs.get(epoch)?.streams.get(kid)?.covered ?? -1;
    if (counter - covered > AHEAD_MAX) {
      if (this.#tooMany(epoch, kid)) this.#fall("unverified");
      throw new UnverifiedFrameError("a frame far ahead of all that its sender has signed");
    }
  }

  /**
   * The same frame, once it has opened.
   *
   * Lists may have come while it was opened. ValidationError("SNUG-22"), and the leaf is in doubt, if the
   * leaf has not signed it: who sealed it has the members' keys. AuthenticationError if it can't be compared
   * any more, or the leaf has fallen into doubt meanwhile. It must not be played then.
   */
  opened(epoch: number, kid: number, counter: number, frame: Bytes, now: number): void {
    const hash = digest(frame);
    const verdict = this.#judge(epoch, kid, counter, hash);
    if (verdict === "listed") {
      this.#verified(now);
      return;
    }
    if (verdict === "forged") this.#fall("forged");
    refuse(verdict);
    if (this.doubt !== null) throw new AuthenticationError("a frame whose sender fell into doubt meanwhile");
    if (this.#tooMany(epoch, kid)) {
      this.#fall("unverified"); // much more than two seconds of anything
      return;
    }
    const at = now < this.#excusedUntil ? Infinity : this.#played;
    const frameOf = { epoch, kid, counter, hash, at, cost: this.#step, openedAt: now };
    this.#unlisted.set(`${epoch} ${kid} ${counter}`, frameOf);
  }

  #tooMany(epoch: number, kid: number): boolean {
    const count = this.#unlisted.size;
    if (count < UNLISTED_KID_MAX || count >= UNLISTED_MAX) return count >= UNLISTED_MAX;
    return this.#frames((each) => each.epoch === epoch && each.kid === kid).length >= UNLISTED_KID_MAX;
  }

  /**
   * The number of the list that names a frame, or of the next one if it was sealed after the last.
   *
   * null where lists were lost that may have named it.
   */
  listedIn(epoch: number, kid: number, counter: number): number | null {
    const held = this.#epochs.get(epoch);
    if (held === undefined) return 0;
    const stream = held.streams.get(kid);
    if (stream === undefined) return held.whole ? held.number + 1 : null;
    if (counter > stream.covered) return stream.torn ? null : held.number + 1;
    return stream.numberOf(counter);
  }

  /**
   * Whether frames have gone unlisted for too long. Only while the server's word reaches us.
   *
   * All that had come by `now` has been heard. Frames that were opened since then wait for lists that have come since
   * then too, and that are heard next: a client that is behind blames nobody for it.
   */
  tick(now: number): void {
    if (this.doubt !== null) return;
    try {
      snug22({ forged: false, unlisted: this.unlisted(now) });
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      this.#fall("unverified");
    }
    if (this.excused(now) > EXCUSED_MAX) this.#fall("unverified");
  }

  /** Seconds of sound or pictures for which no list has come, the oldest frame's on. */
  unlisted(now: number): number {
    if (this.#writtenOffAt + WRITE_OFF <= now) this.#writtenOff = 0;
    let oldest = Infinity;
    for (const { at } of this.#unlisted.values()) oldest = Math.min(oldest, at);
    const since = Math.max(0, this.#frameAt - now);
    return this.#writtenOff + Math.max(0, this.#played - since - oldest);
  }

  /** Seconds of sound or pictures within the last minute that were excused and stand in no list. */
  excused(now: number): number {
    while ((this.#excused[0]?.at ?? Infinity) + WRITE_OFF <= now) this.#excused.shift();
    this.#remove((each) => each.at === Infinity && each.openedAt + WRITE_OFF <= now);
    const still = cost(this.#frames((each) => each.at === Infinity));
    return this.#excused.reduce((sum, { seconds }) => sum + seconds, still);
  }

  /**
   * Lists may have gone by: no doubt comes of frames that no list names, up to that time.
   *
   * But for EXCUSED_MAX in a minute.
   */
  excuse(until: number): void {
    this.#excusedUntil = until;
    for (const each of this.#unlisted.values()) each.at = Infinity;
  }

  // -- lists ---------------------------------------------------------------------------------------------

  /**
   * A list in this leaf's name, of an epoch that isn't over. `leafKey`: the leaf's signature key.
   *
   * ReplayError if it, or a later one, has been heard; AuthenticationError if the leaf has not vouched for
   * the key, the key has not signed it, or is no secret any more; MalformedError if it names more key ids
   * than a leaf has, or a frame again. Then all is as before.
   */
  async hear(epoch: number, bound: Bytes, heard: FrameList, leafKey: Bytes, now: number): Promise<void> {
    const before = this.#acceptable(epoch, heard);
    if (before.key === null) {
      const vouched = certified(bound, heard.leaf, heard.key);
      await verifyWithLabel(leafKey, MEDIA_KEY_LABEL, vouched, heard.certificate);
    }
    await verify(heard.key, concat(LIST_LABEL, bound, heard.body), heard.signature);
    // again: what has been heard meanwhile counts
    const held = this.#acceptable(epoch, heard);
    held.inOrder(heard);
    held.take(heard, now);
    this.#epochs.set(epoch, held);
    this.#compare(epoch);
  }

  #acceptable(epoch: number, heard: FrameList): Epoch {
    const held = this.#epochs.get(epoch) ?? new Epoch();
    if (heard.number <= held.number) throw new ReplayError("a list of frames that has been heard");
    if (held.published) throw new AuthenticationError("a list under a key that is no secret any more");
    if (held.key !== null && !same(held.key, heard.key))
      throw new AuthenticationError("a list under another media key than this leaf's");
    return held;
  }

  /** The secret half of a media key was told: if it is this leaf's, its lists count no more. */
  publish(key: Bytes): void {
    for (const held of this.#epochs.values()) held.published ||= held.key !== null && same(held.key, key);
  }

  /** An epoch whose frames are not opened any more: forget it, but not what it owed. */
  endEpoch(epoch: number, now: number): void {
    this.#epochs.delete(epoch);
    const owed = this.#remove((each) => each.epoch === epoch);
    const lost = cost(owed.filter(({ at }) => at !== Infinity));
    if (lost > 0) {
      this.#writtenOff = lost + (now < this.#writtenOffAt + WRITE_OFF ? this.#writtenOff : 0);
      this.#writtenOffAt = now;
    }
    const seconds = cost(owed.filter(({ at }) => at === Infinity));
    if (seconds > 0) this.#excused.push({ at: now, seconds });
  }

  /** We have come in anew: all epochs so far are over, and what is known of the leaf stays. */
  endAll(now: number): void {
    const epochs = [...this.#epochs.keys(), ...this.#frames(() => true).map(({ epoch }) => epoch)];
    for (const epoch of new Set(epochs)) this.endEpoch(epoch, now);
  }

  // -- inside --------------------------------------------------------------------------------------------

  #frames(which: (each: Unlisted) => boolean): Unlisted[] {
    return [...this.#unlisted.values()].filter(which);
  }

  #remove(which: (each: Unlisted) => boolean): Unlisted[] {
    const found = this.#frames(which);
    for (const { epoch, kid, counter } of found) this.#unlisted.delete(`${epoch} ${kid} ${counter}`);
    return found;
  }

  #judge(epoch: number, kid: number, counter: number, hash: Bytes): Verdict {
    return this.#epochs.get(epoch)?.streams.get(kid)?.judge(counter, hash) ?? "unlisted";
  }

  /** A list has come: what of the frames that were played before it? */
  #compare(epoch: number): void {
    for (const each of this.#frames((frame) => frame.epoch === epoch)) {
      const verdict = this.#judge(epoch, each.kid, each.counter, each.hash);
      if (verdict === "listed" || verdict === "forged") this.#remove((frame) => frame === each);
      if (verdict === "forged") this.#fall("forged");
    }
  }

  #play(now: number): void {
    const [least, most] = PLAYED;
    this.#step = Math.min(most, Math.max(least, now - this.#frameAt));
    this.#played += this.#step;
    this.#frameAt = now;
  }

  #fall(why: "forged" | "unverified"): void {
    // once forged it stays so: who could do it once can do it again
    if (this.doubt === "forged" || this.doubt === why) return;
    this.doubt = why;
    this.#verifiedAt = -Infinity;
    this.findings.push(why);
  }

  #verified(now: number): void {
    if (this.doubt !== "unverified") return;
    if (now - this.#verifiedAt > MEDIA_SIGNATURE_TIME) this.#goodSince = now;
    this.#verifiedAt = now;
    if (now - this.#goodSince >= RECOVERY) {
      this.doubt = null;
      this.#unlisted.clear();
      this.#excused.length = 0;
      this.#writtenOff = 0;
      this.findings.push("verified");
    }
  }
}

const cost = (frames: readonly Unlisted[]): number => frames.reduce((sum, each) => sum + each.cost, 0);

function refuse(verdict: Verdict): void {
  snug22({ forged: verdict === "forged", unlisted: 0 });
  if (verdict === "late") throw new AuthenticationError("a frame that comes too late to be compared");
}
