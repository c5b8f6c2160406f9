/**
 * Media signatures: sign which frames are ours, and compare the others' frames with their lists.
 *
 * Protocol section 10, SNUG-22. `crypto/media/signatures` has the lists and the verdicts on one leaf. This module
 * decides when lists are sent, to which epoch frames belong, and which findings are reported.
 *
 * Frames are sealed and opened between all other awaits: `sealed`, `opening` and `opened` never wait. Frames that are
 * sealed before their epoch has a signing key are kept until it has one.
 */
import type { Bytes } from "../../crypto/bytes";
import { MissingKeyError, ReplayError, SnugError } from "../../crypto/errors";
import { SigningKey } from "../../crypto/kdf";
import { ADD_SWITCH, baseStream, EPOCH_BITS } from "../../crypto/media/keys";
import { certified, EXCUSED, FrameList, type FrameName, interval, MEDIA_KEY_LABEL, Signer, scope, UnverifiedFrameError } from "../../crypto/media/signatures";
import { FrameVerifier, type Finding } from "../../crypto/media/verifier";
import * as envelope from "../../crypto/agreed/envelope";
import { BUCKETS, LIST_BLOB_MAX, LIST_BLOB_MIN, LIST_STEP } from "../../wire/limits";
import { type Sentence, sentence } from "../../words/sentence";
import { EarlyBlobs } from "../kernel/early";
import { type Contents, Feature } from "../kernel/feature";
import { SECRETS_MAX } from "../catalogue/content";
import { exported } from "../kernel/membership";
import type { Change } from "../kernel/verdict";
import { Monitor } from "../monitor/monitor";
import { loadedLater } from "../kernel/load";
import type { Room } from "../kernel/ports";
import * as sentences from "../catalogue/sentences";
import type { OldMediaKeys } from "./oldMediaKeys";

/**
 * Seconds beyond the interval of lists for which frames may wait to be signed; then sealing stops. Receivers allow 2
 * s of played media, and media sealed within 1 s takes longer to play if a busy machine or a bad network spreads it.
 */
export const PATIENCE = 0.5;
/** Seconds before a lost connection in which lists may not have been sent out. */
export const RESEND = 5;
/**
 * Seconds after an epoch for which its lists count: senders of played frames may have been away when it ended. The
 * key is published long after that.
 */
export const LATE = 10;
/** Keys that wait to be published, because a member may still be in their epoch. The oldest are dropped. */
const OLD_KEYS_MAX = 1024;
const SENT_MAX = 64;
/**
 * Blobs that are kept for LATE for an epoch that we have not reached yet, and their bytes in all: the lists of a
 * hundred members for two seconds.
 */
export const EARLY_MAX = 256;
export const EARLY_BYTES = 512 * 1024;
/** Sizes of the blobs of lists: the server has counted the frames that they name. */
const LIST_SIZES: number[] = [];
for (let size = LIST_BLOB_MIN; size <= LIST_BLOB_MAX; size += LIST_STEP) LIST_SIZES.push(size);

/** An epoch in which frames are sealed or opened. */
interface Epoch {
  readonly number: number;
  readonly slot: number;
  readonly key: Bytes;
  readonly scope: Bytes;
  signer: Signer | null;
  /** Frames that were sealed before the epoch had a signing key. */
  waiting: Parameters<Signer["add"]>[];
  /** When its last lists count: its senders have stopped before. */
  overAt: number;
}

const oldestOf = (epoch: Epoch): number | null => epoch.signer?.oldest ?? epoch.waiting[0]?.[3] ?? null;

const bitsOf = (number: number): number => number % 2 ** EPOCH_BITS;

/** `refused` counts invalid lists, whose senders cannot be determined. */
export class Signing extends Feature {
  refused = 0;
  /** By slot, oldest first. */
  readonly #epochs = new Map<number, Epoch>();
  /** By leaf. */
  readonly #checkers = new Map<number, FrameVerifier>();
  #connected = false;
  #excusedUntil = -Infinity;
  #lostAt: number | null = null;
  readonly #early = new EarlyBlobs({ most: EARLY_MAX, size: EARLY_BYTES, seconds: LATE });
  readonly #sent: { readonly at: number; readonly blob: Bytes; readonly ssrc: number | null }[] = [];
  #old: OldMediaKeys = { keys: [], publishAt: -Infinity };
  /** When the oldest frame was sealed whose list is being signed; null: no list is. */
  #signing: number | null = null;
  #now = -Infinity;
  #members = 0;

  constructor(room: Room) {
    super(room);
    this.#beginEpoch();
  }

  /** Signatures from before a rejoin must prove nothing later either. */
  override carryOver(old: Room): void {
    const before = old.feature(Signing);
    this.#old.keys = before.#old.keys;
    for (const epoch of before.#epochs.values()) this.#retire(epoch);
    // Doubt about members stays. Otherwise an attacker that can force our rejoin could again speak in their names.
    for (const [leaf, checker] of before.#checkers)
      this.#keep(checker, old.membership.signatureKey(leaf), before.#now);
  }

  /** Move a checker to the current leaf of the member with that signature key (32 bytes). */
  #keep(checker: FrameVerifier, key: Bytes | null, now: number): void {
    const leaf = key === null ? null : this.room.membership.leafOf(key);
    if (leaf === null) return;
    checker.endAll(now);
    this.#checkers.set(leaf, checker);
  }

  // -- the connection --------------------------------------------------------------------------------------

  /** Resend our recent lists, and excuse gaps: lists were lost while we were away. */
  override async synced(now: number): Promise<void> {
    this.#connected = true;
    this.#excuse(now + EXCUSED);
    if (this.#lostAt !== null)
      for (const { at, blob, ssrc } of this.#sent)
        if (at > this.#lostAt - RESEND) this.room.broadcast(blob, false, ssrc);
    this.#lostAt = null;
    await this.#sign(now, true);
  }

  override lost(_why: Sentence, now: number): void {
    if (this.#connected) this.#lostAt = now;
    this.#connected = false;
  }

  #excuse(until: number): void {
    this.#excusedUntil = until;
    for (const checker of this.#checkers.values()) checker.excuse(until);
  }

  override async tick(now: number): Promise<void> {
    this.#now = now;
    for (const epoch of [...this.#epochs.values()]) if (epoch.overAt <= now) this.#end(epoch, now);
    if (this.room.isSynced(now)) {
      await this.#sign(now, false);
      const monitor = this.room.feature(Monitor);
      const take = this.#old.keys.length > 0 ? loadedLater()?.takeOldMediaKeys : undefined;
      const secrets = take?.(this.#old, monitor.oldestEpoch(), SECRETS_MAX, now) ?? [];
      if (secrets.length > 0) await this.room.relay({ type: "media_secret", secrets });
    }
    if (this.#connected) for (const checker of this.#checkers.values()) checker.tick(now);
    this.#tellFindings();
  }

  // -- epochs ----------------------------------------------------------------------------------------------

  #beginEpoch(): Epoch {
    const m = this.room.membership;
    const slot = m.epochSlot;
    this.#members = m.members().length;
    const known = this.#epochs.get(slot);
    if (known !== undefined) return known;
    const epoch: Epoch = {
      number: m.group.epoch,
      slot,
      key: exported(m.group, "signatures"),
      scope: scope(m.room, slot, m.group.epochAuthenticator),
      signer: null,
      waiting: [],
      overAt: Infinity,
    };
    this.#epochs.set(slot, epoch);
    return epoch;
  }

  /** Return the epochs before the current one. */
  #past(): Epoch[] {
    return [...this.#epochs.values()].filter(({ slot }) => slot !== this.room.membership.epochSlot);
  }

  override async adopted(change: Change, now: number): Promise<void> {
    const switchAt = change.removed.length > 0 ? now : now + ADD_SWITCH;
    for (const epoch of this.#past()) epoch.overAt = Math.min(epoch.overAt, switchAt + LATE);
    for (const { leaf, key } of change.removed) {
      const checker = this.#checkers.get(leaf);
      this.#checkers.delete(leaf);
      if (checker === undefined || !change.rejoined) continue;
      // The same member: doubt about it stays, and it cannot list its unlisted frames any more.
      checker.excuse(Math.max(now, this.#excusedUntil));
      this.#keep(checker, key, now);
    }
    const bits = bitsOf(this.room.membership.group.epoch);
    // The keys of its frames are gone too.
    for (const epoch of this.#past()) if (bitsOf(epoch.number) === bits) this.#end(epoch, now);
    this.#beginEpoch();
    const [early] = this.#early.take(now);
    for (const blob of early) await this.broadcastReceived(blob, now);
  }

  #end(epoch: Epoch, now: number): void {
    this.#epochs.delete(epoch.slot);
    this.#retire(epoch);
    for (const checker of this.#checkers.values()) checker.endEpoch(epoch.number, now);
  }

  #retire(epoch: Epoch): void {
    if (!epoch.signer?.used) return;
    this.#old.keys.push({ epoch: epoch.number, secret: epoch.signer.secret, publishAt: null });
    if (this.#old.keys.length > OLD_KEYS_MAX) this.#old.keys.shift();
  }

  #epochOf(kid: number): Epoch | undefined {
    const bits = bitsOf(kid);
    // A frame may arrive between a commit's adoption and our `adopted` hook.
    if (bitsOf(this.room.membership.group.epoch) === bits) return this.#beginEpoch();
    return [...this.#epochs.values()].find((epoch) => bitsOf(epoch.number) === bits);
  }

  // -- our own frames --------------------------------------------------------------------------------------

  override pauseReason(now: number): Sentence | null {
    // Receivers have little patience: frames that cannot be signed now would count against us later.
    if (!this.#connected) return sentence("signing.away");
    let oldest = this.#signing ?? now;
    for (const epoch of this.#epochs.values()) oldest = Math.min(oldest, oldestOf(epoch) ?? now);
    return now - oldest > interval(this.#members) + PATIENCE ? sentence("signing.out_of_step") : null;
  }

  override frameSealed(sealed: number, frame: FrameName, now: number): undefined {
    const epoch = this.#epochOf(frame.kid);
    if (epoch === undefined) return; // sealed with keys that nobody has any more
    const [stream] = baseStream(sealed);
    const ssrc = this.room.ownSsrc(stream);
    if (epoch.signer === null) epoch.waiting.push([stream, ssrc, frame, now]);
    else epoch.signer.add(stream, ssrc, frame, now);
  }

  async #makeSigner(epoch: Epoch): Promise<Signer> {
    const leaf = this.room.membership.ownLeaf;
    const key = await SigningKey.generate(this.room.rng, true);
    const certificate = await this.room.membership.sign(MEDIA_KEY_LABEL, certified(epoch.scope, leaf, key.public));
    const signer = new Signer(leaf, epoch.scope, key, certificate);
    // Nothing below awaits: a frame sealed meanwhile is in `waiting`, or the signer has it.
    epoch.signer = signer;
    for (const frame of epoch.waiting) signer.add(...frame);
    epoch.waiting = [];
    return signer;
  }

  async #sign(now: number, allOfIt: boolean): Promise<void> {
    const waiting = [...this.#epochs.values()].filter((epoch) => oldestOf(epoch) !== null);
    for (const epoch of waiting) {
      const oldest = oldestOf(epoch) ?? now;
      // Once we seal in the next epoch, this epoch's list is complete: send it at once.
      if (!allOfIt && epoch === waiting.at(-1) && now - oldest < interval(this.#members)) continue;
      this.#signing = oldest;
      try {
        const signer = epoch.signer ?? (await this.#makeSigner(epoch));
        for (const { data, ssrc } of await signer.take()) {
          const sizes = ssrc === null ? BUCKETS : LIST_SIZES;
          const { membership: { room }, rng } = this.room;
          const blob = await envelope.seal(epoch.key, "signatures", room, epoch.slot, data, sizes, rng);
          this.#sent.push({ at: now, blob, ssrc });
          if (this.#sent.length > SENT_MAX) this.#sent.shift();
          this.room.broadcast(blob, false, ssrc);
        }
      } finally {
        this.#signing = null;
      }
    }
  }

  // -- the others' frames ----------------------------------------------------------------------------------

  override checkFrame(_ssrc: number, leaf: number, _stream: number, frame: FrameName, now: number): undefined {
    // Nothing is counted now: frames that the server forwards meanwhile wait for the connection.
    if (!this.#connected) throw new UnverifiedFrameError("no list can come now");
    const epoch = this.#epochOf(frame.kid);
    if (epoch === undefined)
      throw new MissingKeyError("no list can name the frame any more");
    if (leaf !== this.room.membership.ownLeaf) this.#checker(leaf).opening(epoch.number, frame, now);
  }

  override frameOpened(_ssrc: number, leaf: number, _stream: number, frame: FrameName, now: number): undefined {
    const epoch = this.#epochOf(frame.kid);
    if (epoch !== undefined) this.#checker(leaf).opened(epoch.number, frame, now);
  }

  /** Return the epoch's number for an opened frame, and the result of `FrameVerifier.listedIn`. */
  listedIn(leaf: number, stream: number, { kid, counter }: FrameName): readonly [epoch: number, list: number | null] {
    const epoch = this.#epochOf(kid);
    if (epoch === undefined) return [-1, null];
    return [epoch.number, this.#checker(leaf).listedIn(epoch.number, baseStream(stream)[0], kid, counter)];
  }

  override async broadcastReceived(blob: Bytes, now: number): Promise<boolean> {
    let epoch: Epoch | undefined, payload: Bytes;
    try {
      const slot = envelope.epochSlot(blob);
      epoch = this.#epochs.get(slot);
      if (epoch === undefined) {
        if (slot > this.room.membership.epochSlot && blob.length <= LIST_BLOB_MAX) this.#early.add(blob, now);
        return false;
      }
      payload = await envelope.open(epoch.key, "signatures", this.room.membership.room, blob);
    } catch (error) {
      if (error instanceof SnugError) return false; // another feature's, or garbage
      throw error;
    }
    if (now < epoch.overAt) await this.#hear(epoch, payload, now);
    return true;
  }

  async #hear(epoch: Epoch, payload: Bytes, now: number): Promise<void> {
    const m = this.room.membership;
    try {
      const heard = FrameList.decode(payload);
      const leafKey = m.signatureKey(heard.leaf);
      if (leafKey === null || heard.leaf === m.ownLeaf)
        throw new MissingKeyError(`no list of leaf ${heard.leaf}`);
      await this.#checker(heard.leaf).receive(epoch.number, epoch.scope, heard, leafKey, now);
    } catch (error) {
      if (error instanceof ReplayError) return; // lists are broadcast again after a lost connection
      if (!(error instanceof SnugError)) throw error;
      this.refused++;
      return;
    }
    this.#tellFindings();
  }

  override contents(): Contents {
    return {
      media_secret: async ({ sender }, { secrets }) => {
        const checker = this.#checkers.get(sender);
        if (checker !== undefined)
          for (const secret of secrets) checker.markDisclosed((await SigningKey.fromSeed(secret)).public);
      },
    };
  }

  #checker(leaf: number): FrameVerifier {
    let checker = this.#checkers.get(leaf);
    if (checker === undefined) {
      checker = new FrameVerifier();
      this.#checkers.set(leaf, checker);
      checker.excuse(this.#excusedUntil);
    }
    return checker;
  }

  #tellFindings(): void {
    const found = new Map<Finding, string[]>();
    for (const [leaf, checker] of this.#checkers) {
      for (const finding of checker.findings) {
        const names = found.get(finding) ?? [];
        found.set(finding, names);
        names.push(this.room.membership.name(leaf));
      }
      checker.findings.length = 0;
    }
    for (const name of found.get("forged") ?? []) this.room.tell(sentences.alarm("forged_media", { name }));
    const unverified = found.get("unverified");
    if (unverified !== undefined) this.room.tell(sentences.alarm("unverified_media", { names: unverified }));
    const verified = found.get("verified");
    if (verified !== undefined) this.room.tell(sentences.status("verified", { names: verified }));
  }
}
