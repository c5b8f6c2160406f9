/**
 * Files for all present members: an offer by the relay, then pieces that the server does not store.
 *
 * Protocol section 7. The offer carries the file's own key and the digest of the whole. Receivers ask the sender
 * alone for missing pieces. Nothing here opens or runs a file.
 */
import { type Bytes, concat, hex, same, utf8 } from "../../crypto/bytes";
import { MalformedError, SnugError } from "../../crypto/errors";
import { Reader, uint } from "../../crypto/fields";
import { H } from "../../crypto/kdf";
import * as envelope from "../../crypto/agreed/envelope";
import { isVisible } from "../../crypto/agreed/names";
import { BUCKETS } from "../../wire/limits";
import { CommandError, type Sentence, sentence } from "../../words/sentence";
import { type Contents, Feature } from "../kernel/feature";
import { AGAIN_MAX, FILE_MAX, type File, type FileAgain, PIECE_SIZE } from "../catalogue/content";
import type { EventOf } from "../events";
import type { Change } from "../kernel/verdict";
import type { Room } from "../kernel/ports";
import { SeenDigests } from "../kernel/outbox";

/** Seconds between two pieces of ours: about 400 kB/s, which leaves capacity below the server's limits. */
export const PIECE_EVERY = 0.15;
/** Own files that may wait or be sent; files that may be received at a time, and their total bytes. */
export const OUT_MAX = 8;
export const IN_MAX = 8;
export const IN_BYTES = 4 * FILE_MAX;
/** Seconds without a new piece before missing ones are requested, and requests in a row. */
export const QUIET = 2;
export const ASK_MAX = 5;
/** Seconds for which a file that has been sent can be requested again. */
export const KEPT = 60;
/** Pieces that are resent for one file, as a multiple of its pieces: more is abuse. */
export const AGAIN_TIMES = 20;
/** Maximum characters of a file's name. */
const NAME_MAX = 200;

interface Out {
  readonly offer: File;
  readonly data: Bytes;
  readonly waiting: number[];
  sentAt: number | null;
  done: boolean;
  /** The person has decided that it goes on, whoever may read it. */
  released: boolean;
  budget: number;
}

interface In {
  readonly leaf: number;
  readonly offer: File;
  readonly pieces: Map<number, Bytes>;
  heardAt: number;
  asked: number;
}

/** Return the number of pieces of a file of that size (bytes). */
export const piecesOf = (size: number): number => Math.ceil(size / PIECE_SIZE);

/**
 * Return whether a file name is allowed: visible, no folder, special character or other space than the common one, no
 * dot in front.
 */
export const isName = (name: string): boolean =>
  isVisible(name) && !/[^\P{Z} ]|[/\\:*?"<>|]/u.test(name) && !name.startsWith(".");

/** Sends our files piece by piece, and assembles the others' files. */
export class Files extends Feature {
  #out: Out[] = [];
  /** By the file's id (hex). */
  readonly #in = new Map<string, In>();
  #seen = new SeenDigests();
  #pieceAt = -Infinity;

  override carryOver(old: Room): void {
    const before = old.feature(Files);
    this.#out = before.#out;
    this.#seen = before.#seen;
    for (const [id, coming] of before.#in) {
      const [here, there] = [this.room.membership.signatureKey(coming.leaf), old.membership.signatureKey(coming.leaf)];
      if (here !== null && there !== null && same(here, there)) this.#in.set(id, coming);
      else this.#fail(coming, "sender_gone");
    }
  }

  // -- our files -------------------------------------------------------------------------------------------

  /** Send a file; CommandError if it is empty or too large, the name is bad, or too many are under way. */
  async send(name: string, mime: string, data: Bytes, now: number): Promise<void> {
    if (data.length < 1 || data.length > FILE_MAX)
      throw new CommandError(sentence("cannot.file_size", { most: FILE_MAX, size: data.length }));
    const characters = [...name].length;
    if (characters < 1 || characters > NAME_MAX || !isName(name))
      throw new CommandError(sentence("cannot.file_name"));
    if (this.#out.filter((out) => !out.done).length >= OUT_MAX)
      throw new CommandError(sentence("cannot.files_many", { most: OUT_MAX }));
    const { rng, membership: m } = this.room;
    const offer: File = {
      type: "file",
      id: rng(16),
      name,
      mime,
      size: data.length,
      digest: H(data),
      key: rng(32),
      number: 0,
    };
    const waiting = [...Array(piecesOf(data.length)).keys()];
    this.#out.push({ offer, data, waiting, sentAt: null, done: false, released: false, budget: AGAIN_TIMES * waiting.length });
    this.room.tell(this.#offered(m.ownLeaf, offer));
    await this.room.post(offer, now);
  }

  override async tick(now: number): Promise<void> {
    if ((this.#out.length > 0 || this.#in.size > 0) && this.room.isSynced(now)) {
      const held = this.room.holdReason(now) !== null;
      if (now - this.#pieceAt >= PIECE_EVERY) await this.#sendOne(now, held);
      if (!held) await this.#ask(now);
    }
    this.#out = this.#out.filter((out) => !out.done || now - (out.sentAt ?? now) < KEPT);
  }

  /** Go on with the files under way, as a person has decided; return whether there are any. */
  sendAnyway(): boolean {
    const waiting = this.#out.filter((out) => out.waiting.length > 0);
    for (const out of waiting) out.released = true;
    return waiting.length > 0;
  }

  /** Forget a file whose offer was discarded. */
  discard(id: Bytes): void {
    this.#out = this.#out.filter(({ offer }) => !same(offer.id, id));
    this.room.tell({ type: "FileFailed", id: hex(id), why: sentence("file.discarded") });
  }

  async #sendOne(now: number, held: boolean): Promise<void> {
    const out = this.#out.find(({ waiting, released }) => waiting.length > 0 && (released || !held));
    const index = out?.waiting.shift();
    if (out === undefined || index === undefined) return;
    const { id, key, size } = out.offer;
    const start = index * PIECE_SIZE;
    const payload = concat(id, uint(index, 4), out.data.subarray(start, start + PIECE_SIZE));
    const { room } = this;
    room.broadcast(await envelope.seal(key, "piece", room.number, room.membership.epochSlot, payload, BUCKETS, room.rng));
    this.#pieceAt = out.sentAt = now;
    if (out.done) return;
    const last = out.waiting.length === 0;
    const done = last ? size : Math.min(start + PIECE_SIZE, size);
    room.tell({ type: "FileProgress", id: hex(id), done, size });
    if (!last) return;
    out.done = true;
    room.tell({ type: "FileDone", id: hex(id), data: out.data });
  }

  // -- the others' files -----------------------------------------------------------------------------------

  override contents(): Contents {
    return {
      file: ({ sender }, what, now) => this.#offer(sender, what, now),
      file_again: (_received, what) => this.#wanted(what),
    };
  }

  #offered(leaf: number, offer: File): EventOf<"FileOffered"> {
    const { id, name: filename, mime, size } = offer;
    return { type: "FileOffered", leaf, name: this.room.membership.name(leaf), id: hex(id), filename, mime, size };
  }

  #offer(leaf: number, offer: File, now: number): void {
    const id = hex(offer.id);
    const mark = H(utf8("file"), offer.id, this.room.membership.signatureKey(leaf) ?? new Uint8Array());
    const ours = this.#out.some((out) => same(out.offer.id, offer.id));
    if (this.#seen.has(mark) || ours || this.#in.has(id) || !isName(offer.name)) return;
    this.#seen.add(mark);
    this.room.tell(this.#offered(leaf, offer));
    const coming: In = { leaf, offer, pieces: new Map(), heardAt: now, asked: 0 };
    let whole = offer.size;
    for (const other of this.#in.values()) whole += other.offer.size;
    if (this.#in.size >= IN_MAX || whole > IN_BYTES) this.#fail(coming, "too_many");
    else this.#in.set(id, coming);
  }

  #wanted(again: FileAgain): void {
    const out = this.#out.find(({ offer }) => same(offer.id, again.id));
    if (out === undefined) return;
    const count = piecesOf(out.offer.size);
    for (const index of again.pieces) {
      if (index >= count || out.waiting.includes(index) || out.budget <= 0) continue;
      out.budget--;
      out.waiting.push(index);
    }
  }

  override async broadcastReceived(blob: Bytes, now: number): Promise<boolean> {
    for (const coming of this.#in.values()) {
      let payload: Bytes;
      try {
        payload = await envelope.open(coming.offer.key, "piece", this.room.number, blob);
      } catch (error) {
        if (error instanceof SnugError) continue;
        throw error;
      }
      this.#piece(coming, payload, now);
      return true;
    }
    return false;
  }

  #piece(coming: In, payload: Bytes, now: number): void {
    const { id, size, digest } = coming.offer;
    let belongs: boolean, index: number, data: Bytes;
    try {
      const reader = new Reader(payload);
      belongs = same(reader.take(16), id);
      index = reader.uint(4);
      data = reader.rest();
    } catch (error) {
      if (error instanceof MalformedError) return;
      throw error;
    }
    const count = piecesOf(size);
    if (!belongs || index >= count || coming.pieces.has(index)) return;
    if (data.length !== (index === count - 1 ? size - index * PIECE_SIZE : PIECE_SIZE)) return;
    coming.pieces.set(index, data);
    coming.heardAt = now;
    coming.asked = 0;
    let done = 0;
    for (const piece of coming.pieces.values()) done += piece.length;
    this.room.tell({ type: "FileProgress", id: hex(id), done, size });
    if (coming.pieces.size < count) return;
    this.#in.delete(hex(id));
    const pieces = [...coming.pieces].sort(([one], [other]) => one - other).map(([, piece]) => piece);
    const whole = concat(...pieces);
    if (same(H(whole), digest)) this.room.tell({ type: "FileDone", id: hex(id), data: whole });
    else this.#fail(coming, "wrong");
  }

  async #ask(now: number): Promise<void> {
    for (const [id, coming] of [...this.#in]) {
      if (now - coming.heardAt < QUIET * (1 + coming.asked)) continue;
      if (coming.asked >= ASK_MAX) {
        this.#in.delete(id);
        this.#fail(coming, "stopped");
        continue;
      }
      coming.asked++;
      coming.heardAt = now;
      const missing = [...Array(piecesOf(coming.offer.size)).keys()].filter((i) => !coming.pieces.has(i));
      await this.room.relay({ type: "file_again", id: coming.offer.id, pieces: missing.slice(0, AGAIN_MAX) });
    }
  }

  override adopted(change: Change): void {
    const gone = new Set(change.removed.map(({ leaf }) => leaf));
    for (const [id, coming] of [...this.#in]) {
      if (!gone.has(coming.leaf)) continue;
      this.#in.delete(id);
      this.#fail(coming, "sender_gone");
    }
  }

  #fail(coming: In, key: "sender_gone" | "too_many" | "wrong" | "stopped"): void {
    const why: Sentence = sentence(`file.${key}`);
    this.room.tell({ type: "FileFailed", id: hex(coming.offer.id), why });
  }
}
