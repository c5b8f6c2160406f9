/** Checking media signatures: which frames a receiver believes, by the signed lists that arrive. */

import { type Bytes, concat, same } from "../bytes";
import { AuthenticationError, MalformedError, ReplayError, ValidationError } from "../errors";
import { verify } from "../kdf";
import { verifyWithLabel } from "../labels";
import { STREAMS } from "./keys";
import { MEDIA_SIGNATURE_TIME, snug22 } from "../agreed/policy";
import {
  certified,
  FrameList,
  type FrameName,
  LIST_LABEL,
  MEDIA_KEY_LABEL,
  type Run,
  UnverifiedFrameError,
} from "./signatures";

/**
 * State per leaf at a receiver: unlisted frames, and per key id, listed frames that have not arrived: as many
 * as SFrame's replay window accepts.
 */
export const UNLISTED_MAX = 1024;
export const LISTED_MAX = 1024;
/** Seconds for which a list is kept for frames that arrive after it. */
export const LISTED_TIME = 6;
/** Seconds of verified frames after which a leaf's frames are again played at once. */
export const RECOVERY = 10;
/**
 * A frame's cost in seconds of audio or video: the time since the previous frame, clamped to these bounds.
 */
export const PLAYED = [0.002, 0.2] as const;
/**
 * Maximum of excused seconds of audio or video per minute: an attacker that can cut this client's connection
 * can do so repeatedly. And maximum of unlisted frames of one key id (6 s of audio at 20 ms each): frames in
 * a burst cost almost no time.
 */
export const EXCUSED_MAX = 6;
export const UNLISTED_KID_MAX = 300;
/** Frames beyond the last listed frame that are played before they are listed: some seconds of audio. */
export const AHEAD_MAX = 300;
/** Seconds after which the unlisted seconds of an ended epoch are forgotten. */
export const WRITE_OFF = 60;
/**
 * Seconds for which the lists of a leaf in doubt may still come, before the leaf is reported: on a busy machine, lists
 * may wait for longer than frames. Frames wait meanwhile.
 */
export const GRACE = 3;

/**
 * A result of a `FrameVerifier` about its leaf, reported once until it changes.
 *
 * forged: a frame opened under the leaf's key id, but the leaf did not sign it. unverified: frames of the
 * leaf have been unlisted for more than 2 s, and for 3 s more. verified: frames of the leaf have been listed again for
 * 10 s.
 */
export type Finding = "forged" | "unverified" | "verified";

/** late: the list that would name the frame has been discarded. */
type Verdict = "listed" | "unlisted" | "forged" | "late";

/** The listed frames of one key id, a layer of `stream`. */
class Heard {
  readonly #runs: { readonly at: number; readonly number: number; readonly run: Run }[] = [];
  /** All frames that the sender sealed with counters from `#knownFrom` to `covered` are known. */
  #knownFrom = 0;
  covered = -1;
  /** Lists up to this counter were discarded because of their age or number. */
  #forgotten = -1;
  /** Lists were lost: the next run need not follow `covered` directly. */
  torn: boolean;

  constructor(readonly stream: number, torn: boolean) {
    this.torn = torn;
  }

  judge(counter: number, hash: Bytes): Verdict {
    if (counter > this.covered) return "unlisted"; // normal for most frames: their list arrives later
    const run = this.#runs.findLast(({ run: { first, last } }) => first <= counter && counter <= last)?.run;
    if (run !== undefined) return same(run.of(counter), hash) ? "listed" : "forged";
    if (counter <= this.#forgotten) return "late";
    return this.#knownFrom <= counter && counter <= this.covered ? "forged" : "unlisted";
  }

  /** Return the number of the list that names that counter; null if none does. */
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

/** The lists of one announced stream: the number of the last one, and whether all before it came. */
interface Sequence {
  number: number;
  whole: boolean;
}

/** One leaf's lists in one epoch. */
class Epoch {
  key: Bytes | null = null;
  disclosed = false;
  readonly #sequences = new Map<number, Sequence>(); // by announced stream
  readonly heard = new Map<number, Heard>(); // by key id

  sequence(stream: number): Sequence {
    return this.#sequences.get(stream) ?? { number: -1, whole: true };
  }

  /** Throw MalformedError if a list names frames again, another stream's, or more key ids than a leaf has. */
  inOrder({ stream, runs }: FrameList): void {
    if (new Set([...this.heard.keys(), ...runs.map(({ kid }) => kid)]).size > STREAMS)
      throw new MalformedError("more streams than a member has");
    for (const { kid, first } of runs) {
      const heard = this.heard.get(kid);
      if (heard !== undefined && (heard.stream !== stream || first <= heard.covered))
        throw new MalformedError("frames of an earlier list or of another stream");
    }
  }

  take(received: FrameList, now: number): void {
    this.key = received.key;
    const { stream, number } = received;
    const sequence = this.sequence(stream);
    this.#sequences.set(stream, sequence);
    if (number !== sequence.number + 1) {
      sequence.whole = false;
      for (const heard of this.heard.values()) heard.torn ||= heard.stream === stream;
    }
    sequence.number = number;
    for (const run of received.runs) {
      const heard = this.heard.get(run.kid) ?? new Heard(stream, !sequence.whole);
      this.heard.set(run.kid, heard);
      heard.extend(run, number, now);
    }
  }
}

/** A frame that no list has named yet: it was played, or it is held until its list comes. */
interface Unlisted {
  readonly epoch: number;
  readonly kid: number;
  readonly counter: number;
  readonly hash: Bytes;
  /** In seconds played so far from this leaf; infinite: its list may have been missed. */
  at: number;
  readonly cost: number;
  readonly openedAt: number;
  readonly held?: boolean;
}

/**
 * Compares one leaf's frames with its lists. Its memory is bounded (at worst a few hundred kilobytes).
 *
 * `epoch` is always the number of the MLS epoch. The caller reports the end of each epoch (`endEpoch`).
 * `doubt` is the reason for comparing this leaf's frames before they are played; null: they are played at
 * once. If the missing lists come within GRACE, the doubt ends and nothing is reported.
 */
export class FrameVerifier {
  doubt: "forged" | "unverified" | null = null;
  readonly findings: Finding[] = [];
  readonly #epochs = new Map<number, Epoch>();
  readonly #unlisted = new Map<string, Unlisted>(); // key: epoch, key id and counter
  #played = 0;
  #step = 0;
  #frameAt = -Infinity;
  /** When a frame of a key id was far ahead of the lists, for the first time since the last list. */
  #ahead: { readonly epoch: number; readonly kid: number; readonly at: number }[] = [];
  #excusedUntil = -Infinity;
  readonly #excused: { readonly at: number; readonly seconds: number }[] = []; // of ended epochs
  #goodSince = -Infinity;
  #verifiedAt = -Infinity;
  /** When the leaf fell into doubt; null: that was reported, or there is none. */
  #lateSince: number | null = null;
  #writtenOff = 0;
  #writtenOffAt = -Infinity;

  // -- frames --------------------------------------------------------------------------------------------

  /**
   * Check a frame of this leaf's key id before it is opened.
   *
   * ValidationError("SNUG-22") if the leaf has signed another frame, or none, in its place.
   * AuthenticationError if it arrives after the list that would name it was discarded (possible after a
   * connection was interrupted). UnverifiedFrameError if no list has named it and the leaf is in doubt, or if
   * it is far ahead of the lists: it would move the replay window past all frames sealed before it.
   */
  opening(epoch: number, { kid, counter, hash }: FrameName, now: number): void {
    // Count time here, not in `opened`: otherwise one frame far ahead, after which no frame opens, would stay
    // unnoticed.
    this.#play(now);
    const verdict = this.#judge(epoch, kid, counter, hash);
    refuse(verdict);
    if (verdict !== "unlisted") return;
    if (this.doubt !== null) {
      // A frame that waits for too long delays the end of a doubt.
      if (this.#unlisted.size >= UNLISTED_MAX) this.#goodSince = now;
      else this.#note({ epoch, kid, counter, hash, at: Infinity, cost: 0, openedAt: now, held: true });
      throw new UnverifiedFrameError("the sender has not signed it yet");
    }
    const covered = this.#epochs.get(epoch)?.heard.get(kid)?.covered ?? -1;
    if (counter - covered > AHEAD_MAX) {
      if (!this.#ahead.some((each) => each.epoch === epoch && each.kid === kid)) this.#ahead.push({ epoch, kid, at: now });
      if (this.#tooMany(epoch, kid)) this.#fall("unverified", now);
      throw new UnverifiedFrameError("far ahead of the signed frames");
    }
  }

  /**
   * Record the same frame after it has opened.
   *
   * Lists may have arrived during decryption. ValidationError("SNUG-22") if the leaf has not signed the
   * frame, which a holder of the members' keys then sealed; the leaf is in doubt from then on.
   * AuthenticationError if the frame can no longer be compared, or if the leaf fell into doubt meanwhile.
   * After an error the frame must not be played.
   */
  opened(epoch: number, { kid, counter, hash }: FrameName, now: number): void {
    const verdict = this.#judge(epoch, kid, counter, hash);
    if (verdict === "listed") {
      this.#verified(now);
      return;
    }
    if (verdict === "forged") this.#fall("forged", now);
    refuse(verdict);
    if (this.doubt !== null) throw new AuthenticationError("its sender is in doubt");
    if (this.#tooMany(epoch, kid)) {
      this.#fall("unverified", now); // far more than two seconds of any stream
      return;
    }
    const at = now < this.#excusedUntil ? Infinity : this.#played;
    this.#note({ epoch, kid, counter, hash, at, cost: this.#step, openedAt: now });
  }

  #note(frame: Unlisted): void {
    const key = `${frame.epoch} ${frame.kid} ${frame.counter}`;
    if (!this.#unlisted.has(key)) this.#unlisted.set(key, frame);
  }

  #tooMany(epoch: number, kid: number): boolean {
    const count = this.#unlisted.size;
    if (count < UNLISTED_KID_MAX || count >= UNLISTED_MAX) return count >= UNLISTED_MAX;
    return this.#frames((each) => each.epoch === epoch && each.kid === kid).length >= UNLISTED_KID_MAX;
  }

  /**
   * Return the number of the list that names a frame of that announced stream.
   *
   * If no list names it yet: the number of the stream's next list. null if lists that may have named it were lost.
   */
  listedIn(epoch: number, stream: number, kid: number, counter: number): number | null {
    const held = this.#epochs.get(epoch);
    if (held === undefined) return 0;
    const { number, whole } = held.sequence(stream);
    const heard = held.heard.get(kid);
    if (heard === undefined) return whole ? number + 1 : null;
    if (counter > heard.covered) return heard.torn ? null : number + 1;
    return heard.numberOf(counter);
  }

  /**
   * Detect frames that are unlisted for too long. Call it only while server messages arrive.
   *
   * All messages received until `now` must have been processed. Lists for frames opened after `now` may still
   * be in the queue: a client that lags behind must not blame the sender.
   */
  tick(now: number): void {
    if (this.doubt === null) {
      if (this.#owes(now)) this.#fall("unverified", now);
      return;
    }
    this.#relieve(now);
    if (this.#lateSince === null || now < this.#lateSince + GRACE) return;
    this.#lateSince = null;
    this.findings.push("unverified");
  }

  #owes(now: number): boolean {
    try {
      snug22({ forged: false, unlisted: this.unlisted(now) });
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      return true;
    }
    const ahead = this.#ahead.some(({ at }) => now - at > MEDIA_SIGNATURE_TIME);
    return ahead || this.excused(now) > EXCUSED_MAX;
  }

  /** End a doubt that has not been reported, if the lists that were missing have come. */
  #relieve(now: number): void {
    const played = this.#frames(({ held }) => !held);
    if (this.#lateSince === null || played.length >= UNLISTED_KID_MAX || this.#owes(now)) return;
    this.#remove(({ held }) => held === true);
    this.doubt = this.#lateSince = null;
  }

  /** Return the unlisted seconds of audio or video, counted from the oldest unlisted frame. */
  unlisted(now: number): number {
    if (this.#writtenOffAt + WRITE_OFF <= now) this.#writtenOff = 0;
    let oldest = Infinity;
    for (const { at } of this.#unlisted.values()) oldest = Math.min(oldest, at);
    const since = Math.max(0, this.#frameAt - now);
    return this.#writtenOff + Math.max(0, this.#played - since - oldest);
  }

  /** Return the excused seconds of audio or video within the last minute that are in no list. */
  excused(now: number): number {
    while ((this.#excused[0]?.at ?? Infinity) + WRITE_OFF <= now) this.#excused.shift();
    this.#remove((each) => each.at === Infinity && each.openedAt + WRITE_OFF <= now);
    const still = cost(this.#frames((each) => each.at === Infinity));
    return this.#excused.reduce((sum, { seconds }) => sum + seconds, still);
  }

  /**
   * Excuse unlisted frames up to that time, because their lists may have been missed.
   *
   * At most EXCUSED_MAX seconds per minute are excused.
   */
  excuse(until: number): void {
    this.#excusedUntil = until;
    for (const each of this.#unlisted.values()) each.at = Infinity;
  }

  // -- lists ---------------------------------------------------------------------------------------------

  /**
   * Process a list in this leaf's name, of a current epoch. `leafKey`: the leaf's signature key.
   *
   * ReplayError if this list or a later one of its stream was processed before; AuthenticationError if the leaf has
   * not certified the key, the key has not signed the list, or the key is disclosed; MalformedError if it names more
   * key ids than a leaf has, another stream's, or a frame again. An error changes no state.
   */
  async receive(epoch: number, bound: Bytes, received: FrameList, leafKey: Bytes, now: number): Promise<void> {
    const before = this.#acceptable(epoch, received);
    if (before.key === null) {
      const vouched = certified(bound, received.leaf, received.key);
      await verifyWithLabel(leafKey, MEDIA_KEY_LABEL, vouched, received.certificate);
    }
    await verify(received.key, concat(LIST_LABEL, bound, received.body), received.signature);
    // check again: other lists may have been processed meanwhile
    const held = this.#acceptable(epoch, received);
    held.inOrder(received);
    held.take(received, now);
    this.#epochs.set(epoch, held);
    // a key id that no list has named yet may be of this stream
    this.#ahead = this.#ahead.filter(
      (each) => each.epoch === epoch && (held.heard.get(each.kid) ?? received).stream !== received.stream,
    );
    this.#compare(epoch, now);
  }

  #acceptable(epoch: number, received: FrameList): Epoch {
    const held = this.#epochs.get(epoch) ?? new Epoch();
    if (received.number <= held.sequence(received.stream).number)
      throw new ReplayError("an earlier list");
    if (held.disclosed) throw new AuthenticationError("its key is no longer secret");
    if (held.key !== null && !same(held.key, received.key))
      throw new AuthenticationError("another media key than the leaf's");
    return held;
  }

  /** Reject further lists under this media key, whose secret half was disclosed, if it is the leaf's. */
  markDisclosed(key: Bytes): void {
    for (const held of this.#epochs.values()) held.disclosed ||= held.key !== null && same(held.key, key);
  }

  /** Discard an epoch whose frames are no longer opened, but keep the sum of its unlisted seconds. */
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

  /** End all current epochs after this client has joined anew; the record of the leaf stays. */
  endAll(now: number): void {
    this.#ahead = [];
    const epochs = [...this.#epochs.keys(), ...this.#frames(() => true).map(({ epoch }) => epoch)];
    for (const epoch of new Set(epochs)) this.endEpoch(epoch, now);
  }

  // -- internal ------------------------------------------------------------------------------------------

  #frames(which: (each: Unlisted) => boolean): Unlisted[] {
    return [...this.#unlisted.values()].filter(which);
  }

  #remove(which: (each: Unlisted) => boolean): Unlisted[] {
    const found = this.#frames(which);
    for (const { epoch, kid, counter } of found) this.#unlisted.delete(`${epoch} ${kid} ${counter}`);
    return found;
  }

  #judge(epoch: number, kid: number, counter: number, hash: Bytes): Verdict {
    return this.#epochs.get(epoch)?.heard.get(kid)?.judge(counter, hash) ?? "unlisted";
  }

  /**
   * Compare the frames played so far with the list that has just arrived.
   *
   * A frame that was held and is not the leaf's may be anybody's: it is refused, and accuses nobody.
   */
  #compare(epoch: number, now: number): void {
    for (const each of this.#frames((frame) => frame.epoch === epoch)) {
      const verdict = this.#judge(epoch, each.kid, each.counter, each.hash);
      if (verdict === "listed" || verdict === "forged") this.#remove((frame) => frame === each);
      if (verdict === "forged" && !each.held) this.#fall("forged", now);
    }
    this.#relieve(now);
  }

  #play(now: number): void {
    const [least, most] = PLAYED;
    this.#step = Math.min(most, Math.max(least, now - this.#frameAt));
    this.#played += this.#step;
    this.#frameAt = now;
  }

  #fall(why: "forged" | "unverified", now: number): void {
    // "forged" is permanent: an attacker that forged one frame can forge others
    if (this.doubt === "forged" || this.doubt === why) return;
    this.doubt = why;
    this.#verifiedAt = -Infinity;
    this.#lateSince = why === "forged" ? null : now;
    if (why === "forged") this.findings.push(why);
  }

  #verified(now: number): void {
    if (this.doubt !== "unverified" || this.#lateSince !== null) return;
    if (now - this.#verifiedAt > MEDIA_SIGNATURE_TIME) this.#goodSince = now;
    this.#verifiedAt = now;
    // A server could send the lists of one stream and withhold those of another.
    if (this.#remove(({ held, openedAt }) => held === true && now - openedAt > GRACE).length > 0) this.#goodSince = now;
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
  if (verdict === "late") throw new AuthenticationError("too late to be compared");
}
