/**
 * Media signatures: a sender signs lists of the hashes of its sealed frames.
 *
 * All members share an epoch's SFrame base key, so a member that colludes with the server could seal frames
 * in another member's name (docs/reference/protocol.md, section 10). Each leaf generates an Ed25519 *media key*
 * per epoch. The leaf's signature key certifies the media key, and the media key signs the leaf's frames, about
 * twice a second:
 *
 *     list        = leaf, stream, number, key, certificate, runs | signature
 *     signature   = sign_media_key("snug 1 signatures" | scope | the list's fields before it)
 *     certificate = SignWithLabel by the leaf (RFC 9420 section 5.1.2), label "snug 1 media key"
 *     hash        = H(SFrame ciphertext, header included)[:12]
 *
 * A list names frames of one announced stream, in all its layers, so that it can go to the receivers of that stream
 * alone. The lists of each stream are numbered from 0 in each epoch. A sender lists every sealed frame exactly once,
 * in counter order per key id: a frame that a list skips is not the sender's. Some time after the epoch's end, the
 * secret half of the media key is disclosed to all members, and its signatures prove nothing from then on.
 *
 * Frames are played at once, and compared when the list arrives (`FrameVerifier`). After the first doubt about a
 * leaf, its frames are compared before they are played.
 */

import { decode, encode } from "../../wire/layout";
import { CERTIFIED, FRAME_LIST, SCOPE } from "../../wire/layouts/signatures";
import { type Bytes, concat, utf8 } from "../bytes";
import { MalformedError, StateError } from "../errors";
import { exactly } from "../fields";
import { H, SIGNATURE_SIZE, type SigningKey } from "../kdf";
import { FutureEpochError } from "./keys";
import { decodeHeader } from "./sframe";

/** Bytes of a frame's hash in a list: only a second preimage helps a forger (decision 78). */
export const DIGEST_SIZE = 12;
export const SCOPE_SIZE = 16 + 8 + 32;
/** Seconds between two lists of one sender: minimum and maximum. It grows with the membership. */
export const INTERVAL = 0.5;
export const INTERVAL_MAX = 1;
export const MEMBERS_A_SECOND = 50;
/** Maximum number of frames and of runs in one list. */
export const FRAMES_MAX = 1024;
export const RUNS_MAX = 64;
export const LISTS_MAX = 2 ** 32;
/** Number of streams that a member may announce. */
const ANNOUNCED = 4;
/** Seconds around a reconnect of this client during which lists may have been missed. */
export const EXCUSED = 2;

/** Label under which a leaf certifies its media key. */
export const MEDIA_KEY_LABEL = "snug 1 media key";
export const LIST_LABEL = utf8("snug 1 signatures");

/** A frame of a leaf in doubt that no list has named yet: hold it and retry when the next list arrives. */
export class UnverifiedFrameError extends FutureEpochError {}

/** Return the seconds between two lists of one sender in a room with that many members. */
export const interval = (members: number): number =>
  Math.min(INTERVAL_MAX, Math.max(INTERVAL, members / MEMBERS_A_SECOND));

/** What a list says of a frame; `hash` has 12 bytes. */
export interface FrameName {
  readonly kid: number;
  readonly counter: number;
  readonly hash: Bytes;
}

/** From this number of bytes on, WebCrypto hashes a frame for less than JavaScript does. */
const LARGE = 1024;

/** Return how lists name a frame (SFrame header and ciphertext). MalformedError if its header is cut short. */
export async function nameOf(frame: Bytes): Promise<FrameName> {
  const { kid, counter } = decodeHeader(frame);
  const whole = frame.length < LARGE ? H(frame) : new Uint8Array(await crypto.subtle.digest("SHA-256", frame));
  return { kid, counter, hash: whole.slice(0, DIGEST_SIZE) };
}

/** Return the value (56 bytes) that binds certificates and lists to one epoch of one room. */
export const scope = (room: Bytes, epochSlot: number, epochAuthenticator: Bytes): Bytes =>
  encode(SCOPE, { room, epochSlot, epoch: H(epochAuthenticator) });

/** Return the data that the leaf signs under MEDIA_KEY_LABEL (`Membership.sign`) for a media key. */
export const certified = (bound: Bytes, leaf: number, key: Bytes): Bytes =>
  encode(CERTIFIED, { scope: bound, leaf, key });

/** A list without its signature. */
const BODY = { ...FRAME_LIST, fields: FRAME_LIST.fields.slice(0, -1) };

// -- the list --------------------------------------------------------------------------------------------

/** Frames of one key id with consecutive counters; `digests` are 12 bytes each. */
export class Run {
  constructor(readonly kid: number, readonly first: number, readonly digests: Bytes) {}

  get length(): number {
    return Math.floor(this.digests.length / DIGEST_SIZE);
  }

  /** The highest counter. */
  get last(): number {
    return this.first + this.length - 1;
  }

  /** Return the hash of the frame with that counter, which must be in the run. */
  of(counter: number): Bytes {
    const at = (counter - this.first) * DIGEST_SIZE;
    return this.digests.subarray(at, at + DIGEST_SIZE);
  }
}

/**
 * One sender's list in decoded form. It is unverified until `FrameVerifier.receive` accepts it.
 *
 * `stream`: the announced stream whose frames it names.
 */
export class FrameList {
  constructor(
    readonly leaf: number,
    readonly stream: number,
    readonly number: number,
    readonly key: Bytes,
    readonly certificate: Bytes,
    readonly runs: readonly Run[],
    readonly signature: Bytes = new Uint8Array(0),
  ) {}

  /** The signed bytes, without label and scope. MalformedError if a value does not fit. */
  get body(): Bytes {
    return encode(BODY, this);
  }

  /** Return the complete encoding, signed with the media key. */
  async signed(bound: Bytes, key: SigningKey): Promise<Bytes> {
    const body = this.body;
    return concat(body, await key.sign(concat(LIST_LABEL, bound, body)));
  }

  /**
   * Decode a list. MalformedError on an unknown stream, wrong order, empty runs, or more frames or runs than allowed.
   */
  static decode(data: Bytes): FrameList {
    const { leaf, stream, number, key, certificate, runs, signature } = decode(FRAME_LIST, data);
    const named = runs.map(({ kid, first, digests }) => new Run(kid, first, digests));
    const list = new FrameList(leaf, stream, number, key, certificate, named, signature);
    list.#check();
    return list;
  }

  #check(): void {
    if (this.stream >= ANNOUNCED) throw new MalformedError("a stream that nobody announces");
    let [total, before]: [number, Run | null] = [0, null];
    for (const run of this.runs) {
      total += run.length;
      const after = before === null || run.kid > before.kid || (run.kid === before.kid && run.first > before.last + 1);
      if (run.length === 0 || !after || run.last >= 2 ** 32) throw new MalformedError("frames out of order");
      before = run;
    }
    if (this.runs.length === 0 || this.runs.length > RUNS_MAX || total > FRAMES_MAX)
      throw new MalformedError("no frames, or too many");
  }
}

/** The encoding of a list, and the SSRC under which the stream that it names is announced, if it is. */
export interface SignedList {
  readonly ssrc: number | null;
  readonly data: Bytes;
}

/** Frames of one stream, sent under one SSRC, that are in no list yet. */
interface Pending {
  readonly stream: number;
  readonly ssrc: number | null;
  readonly frames: Map<number, Map<number, Bytes>>; // key id -> counter -> hash
}

/**
 * Lists and signs one leaf's frames of one epoch.
 *
 * Add the frames of a key id in counter order, as `MediaKeys.seal` returns them: otherwise a list would skip
 * a frame.
 */
export class Signer {
  readonly #leaf: number;
  readonly #scope: Bytes;
  readonly #key: SigningKey;
  readonly #certificate: Bytes;
  #pending: Pending[] = [];
  readonly #next = new Map<number, number>(); // stream -> number of its next list
  /** Time at which the oldest pending frame was sealed; null if none is pending. */
  oldest: number | null = null;

  /**
   * `key` must keep its seed; `certificate`: the leaf's signature (64 bytes) over `certified(bound, leaf,
   * key.public)`.
   */
  constructor(leaf: number, bound: Bytes, key: SigningKey, certificate: Bytes) {
    this.#leaf = leaf;
    this.#scope = exactly(bound, SCOPE_SIZE, "a scope");
    this.#key = key;
    this.#certificate = exactly(certificate, SIGNATURE_SIZE, "a certificate");
  }

  /** Whether this key has signed a list. */
  get used(): boolean {
    return this.#next.size > 0;
  }

  /** The key's secret half (32 bytes), for disclosure long after the end of its epoch. */
  get secret(): Bytes {
    return this.#key.seed;
  }

  /**
   * Add the name of a sealed frame of an announced stream to the pending frames.
   *
   * `ssrc`: the SSRC under which the stream is announced now, null if it is not. A list names frames of one SSRC, so
   * that frames from before a change of SSRC reach those who received them.
   */
  add(stream: number, ssrc: number | null, { kid, counter, hash }: FrameName, now: number): void {
    let pending = this.#pending.find((each) => each.stream === stream && each.ssrc === ssrc);
    if (pending === undefined) this.#pending.push((pending = { stream, ssrc, frames: new Map() }));
    const frames = pending.frames.get(kid) ?? new Map<number, Bytes>();
    pending.frames.set(kid, frames.set(counter, hash));
    this.oldest ??= now;
  }

  /**
   * Return signed lists of all pending frames, and clear them. Frames added during signing stay pending for
   * the next call.
   */
  async take(): Promise<SignedList[]> {
    const pending = this.#pending;
    this.#pending = [];
    this.oldest = null;
    const lists = pending.flatMap(({ stream, ssrc, frames }) =>
      portions(runsOf(frames)).map((portion) => {
        const number = this.#next.get(stream) ?? 0;
        if (number >= LISTS_MAX) throw new StateError("no more lists");
        this.#next.set(stream, number + 1);
        return { ssrc, made: new FrameList(this.#leaf, stream, number, this.#key.public, this.#certificate, portion) };
      }),
    );
    return Promise.all(lists.map(async ({ ssrc, made }) => ({ ssrc, data: await made.signed(this.#scope, this.#key) })));
  }
}

function runsOf(pending: ReadonlyMap<number, ReadonlyMap<number, Bytes>>): Run[] {
  const runs: Run[] = [];
  for (const [kid, frames] of [...pending].sort(([one], [other]) => one - other)) {
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
  return runs;
}

function portions(runs: readonly Run[]): Run[][] {
  const done: Run[][] = [];
  let portion: Run[] = [];
  let total = 0;
  for (const run of runs) {
    // a run that was split because of its length fills a list: two adjacent ones are never in one
    if (done.length === 0 || total + run.length > FRAMES_MAX || portion.length === RUNS_MAX) {
      portion = [];
      done.push(portion);
      total = 0;
    }
    portion.push(run);
    total += run.length;
  }
  return done;
}
