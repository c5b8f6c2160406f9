/**
 * Messages between members over the relay: sealed, resent when they may be lost, and shown once.
 *
 * Protocol sections 5 to 7. Features handle the contents, `Announcer` the announcements, and this module chat.
 */
import { type Bytes, hex } from "../../crypto/bytes";
import { MissingKeyError, SnugError } from "../../crypto/errors";
import { H } from "../../crypto/kdf";
import { epochSlot } from "../../crypto/agreed/envelope";
import type { ApplicationMessage } from "../../mls";
import {
  type AnyContent,
  MESSAGE_ID_DIGITS,
  type Posted,
  type Say,
  TEXT_MAX,
  decode,
  encode,
  messageId,
} from "../catalogue/content";
import type { Announcer } from "./announcer";
import { EarlyBlobs } from "./early";
import { contentTable, type Feature } from "./feature";
import type { HeldMessage } from "../events";
import { CommandError, type Sentence, sentence } from "../../words/sentence";
import type { Room } from "./ports";
import type { Change } from "./verdict";
import { Words } from "./words";
import { Outbox, OutgoingMessage, SeenDigests } from "./outbox";
import * as sentences from "../catalogue/sentences";

/** Seconds before a lost connection in which a message may not have reached everybody. */
export const DOUBT = 5;
/** Seconds for which a message waits before that is shown. */
export const HELD = 1;
/** Relay blobs that are kept for an epoch that we have not reached yet, their bytes in all, and their seconds. */
export const EARLY_MAX = 256;
export const EARLY_BYTES = 4 * 2 ** 20;
export const EARLY_TIME = 30;

/** One membership's messages, our own and the others'. */
export class MessageLog {
  readonly #room: Room;
  /** What processes each content type: the owner, then those that overhear. */
  readonly handlers: ReturnType<typeof contentTable>;
  readonly #words: Words;
  #outbox = new Outbox();
  #seen = new SeenDigests();
  readonly #early = new EarlyBlobs({ most: EARLY_MAX, size: EARLY_BYTES, seconds: EARLY_TIME });
  readonly #joinedSlot: number;
  #missed = 0;
  #lostAt: number | null = null;
  /** The last connection was given up by all, for another place. */
  #together = false;
  /** The messages that are shown as held. */
  #told: readonly HeldMessage[] = [];

  constructor(room: Room, features: readonly Feature[], announcer: Announcer) {
    this.#room = room;
    this.#words = new Words(room);
    this.#joinedSlot = room.membership.epochSlot;
    this.handlers = contentTable(
      {
        say: ({ sender }, what) => this.#chatReceived(sender, what),
        announce: ({ epoch }, what, now) => announcer.heard(epoch, what, now),
      },
      features,
    );
  }

  /** Take over from `old` after a rejoin: resend unconfirmed messages, and show none twice. */
  carryOver(old: MessageLog): void {
    this.#words.carryOver(old.#words);
    this.#outbox = old.#outbox.afterRejoin();
    this.#seen = old.#seen;
    this.#told = old.#told;
  }

  // -- our messages ---------------------------------------------------------------------------------------

  /** Send a chat message; CommandError if the text is empty or too long. */
  async say(text: string, now: number): Promise<void> {
    const size = Array.from(text).length;
    if (size < 1 || size > TEXT_MAX) throw new CommandError(sentence("room.text_size", { most: TEXT_MAX }));
    await this.#room.post({ type: "say", id: this.#room.rng(16), text, number: 0 }, now);
  }

  /** Send a message to all members; resend it after a lost connection until all can have it. */
  post(what: Posted, now: number): void {
    this.#outbox.add(new OutgoingMessage(what, now, this.#members()));
  }

  #members(): Set<string> {
    return new Set(this.#room.membership.leaves().map(({ signatureKey }) => hex(signatureKey)));
  }

  /** Send to all members through the relay, and return the blob; only while in sync. */
  async relay(what: AnyContent): Promise<Bytes> {
    const blob = await this.#room.membership.protect(encode(what));
    this.#seen.add(H(blob));
    this.#room.send({ type: "relay", blob });
    return blob;
  }

  /** Record that an entered connection was lost; `together`: all go, and have what came before. */
  lost(now: number, together: boolean): void {
    this.#lostAt = now;
    this.#together = together;
  }

  /** Mark unconfirmed messages for resending, or all recent ones for a restarted server. */
  markForResending(allRecent = false): void {
    const since = this.#together ? this.#room.membership.epochSlot : 0;
    this.#outbox.markForResending(allRecent ? since : null);
    this.#together = false;
  }

  /** Send the messages that are due and that nothing holds; only while in sync. */
  async sendWaiting(now: number): Promise<void> {
    const unsent = this.#outbox.unsent();
    const reason = unsent.length > 0 ? this.#room.holdReason(now) : null;
    for (const message of unsent) {
      const why = message.released ? null : (this.#newcomers(message) ?? reason);
      if (why === null) {
        message.heldSince = null;
        message.released = false;
        await this.#send(message);
      } else {
        message.why = why;
        message.heldSince ??= now;
      }
    }
  }

  /** Return why sealing a message would show it to members that came in after it was written. */
  #newcomers(message: OutgoingMessage): Sentence | null {
    const { membership: m } = this.#room;
    if (message.epochSlot === m.epochSlot || message.shown) return null; // the same blob goes out again, or none
    const names = m
      .members()
      .filter(({ leaf }) => !message.audience.has(hex(m.signatureKey(leaf) ?? new Uint8Array())))
      .map(({ name }) => name);
    return names.length > 0 ? sentence("held.newcomers", { names }) : null;
  }

  #held(): OutgoingMessage[] {
    return this.#outbox.unsent().filter(({ heldSince }) => heldSince !== null);
  }

  /** Show the messages that have waited for a while, whenever these have changed. */
  tellHeld(now: number): void {
    const equal = (one: HeldMessage, other: HeldMessage | undefined): boolean =>
      JSON.stringify(one) === JSON.stringify(other);
    const held: HeldMessage[] = [];
    for (const { text, why, heldSince } of this.#held()) {
      if (why === null || heldSince === null) continue;
      const message = { text, why };
      if (now - heldSince >= HELD || this.#told.some((told) => equal(told, message))) held.push(message);
    }
    if (held.length === this.#told.length && held.every((message, i) => equal(message, this.#told[i]))) return;
    this.#told = held;
    this.#room.tell({ type: "Held", messages: held });
  }

  /** Have the held messages sent whoever reads them; return whether there were any. */
  release(): boolean {
    const held = this.#held();
    for (const message of held) message.released = true;
    return held.length > 0;
  }

  /** Forget the held messages, and return them. */
  discard(): Posted[] {
    const held = this.#held();
    this.#outbox.discard(held);
    this.#told = [];
    this.#room.tell({ type: "Held", messages: [] });
    return held.map(({ what }) => what);
  }

  async #send(message: OutgoingMessage): Promise<void> {
    const { membership: m } = this.#room;
    const over = message.epochSlot !== m.epochSlot;
    if (over && !message.shown) {
      message.what = this.#words.numbered(message.what);
      message.blob = await this.relay(message.what);
      message.epochSlot = m.epochSlot;
      message.audience = new Set([...message.audience, ...this.#members()]);
    } else if (m.keepsEpoch(message.epochSlot)) this.#room.send({ type: "relay", blob: message.blob });
    else message.confirmed = true; // it cannot be resent
    message.digest = H(message.blob);
    if (over && message.shown && this.#lostAt !== null && message.at > this.#lostAt - DOUBT)
      // It came back once, and its epoch is over: sealing it anew would let later members read it.
      this.#room.tell(sentences.maybeLost(message.text));
  }

  /** Return the number of our words for a heartbeat: of the last one that we will not resend. */
  said(now: number): number {
    return this.#words.said(this.#outbox.unsettled(now));
  }

  /** The member at `leaf` has signed that its words go up to that number. */
  stated(leaf: number, number: number): void {
    this.#words.stated(leaf, number);
  }

  /** A host that has come back by its return key is who it was: it may read what was written for it. */
  adopted(change: Change): void {
    for (const gone of change.returned ? change.removed : [])
      for (const added of change.added) {
        const key = this.#room.membership.signatureKey(added.leaf);
        if (added.name === gone.name && key !== null) this.#outbox.sameMember(hex(gone.key), hex(key));
      }
  }

  // -- the others' messages -------------------------------------------------------------------------------

  /** Count relays that the server no longer held when we caught up. */
  countMissing(count: number): void {
    this.#missed += count;
  }

  /** Report the number of missed messages, after catching up. */
  tellMissed(now: number): void {
    if (this.#room.isSynced(now)) this.#words.tellMissed(now);
    else this.#words.wait();
    if (this.#missed === 0) return;
    this.#room.tell(sentences.alarm("missed", { count: this.#missed }));
    this.#missed = 0;
  }

  /** Try the early blobs again: the keys of a new epoch are here. */
  async newEpoch(now: number): Promise<void> {
    const [early, dropped] = this.#early.take(now);
    this.#missed += dropped;
    for (const waiting of early) await this.relayed(waiting, now);
  }

  /** Process a blob that the server relayed. */
  async relayed(blob: Bytes, now: number): Promise<void> {
    const { membership: m } = this.#room;
    const digest = H(blob);
    if (this.#seen.has(digest)) {
      this.#outbox.cameBack(digest, now);
      return;
    }
    let received: ApplicationMessage;
    let what: AnyContent;
    try {
      received = await m.openRelay(blob);
      what = decode(received.data);
    } catch (error) {
      if (error instanceof MissingKeyError) {
        const began = epochSlot(blob);
        if (began > m.epochSlot) this.#early.add(blob, now);
        else if (this.#joinedSlot <= began && began < m.epochSlot) this.#missed++; // an epoch whose keys are gone
        return;
      }
      // Any holder of the pass can post garbage: it costs one failed check, and no report.
      if (error instanceof SnugError) return;
      throw error;
    }
    this.#seen.add(digest);
    if (what.type === "say" || what.type === "image" || what.type === "file")
      this.#words.heard(received.sender, what.number);
    for (const handler of this.handlers.get(what.type) ?? []) await handler(received, what, now);
  }

  #chatReceived(leaf: number, what: Say): void {
    // A resent message has the same id, and is shown once.
    const { membership: m } = this.#room;
    const known = messageId(what, m.signatureKey(leaf) ?? new Uint8Array());
    if (this.#seen.has(known)) return;
    this.#seen.add(known);
    const id = hex(known).slice(0, MESSAGE_ID_DIGITS);
    this.#room.tell({ type: "Said", leaf, name: m.name(leaf), text: what.text, id });
  }
}
