/**
 * What members say to each other over the relay: sealed, said again when it may be lost, and shown once.
 *
 * Protocol sections 5 to 7. What a message means is for the aspects; chat and announcements are told from
 * here.
 */
import { type Bytes, hex } from "../crypto/bytes";
import { MissingKeyError, SnugCryptoError } from "../crypto/errors";
import { H } from "../crypto/kdf";
import { epochSlot } from "../crypto/veil";
import type { ApplicationMessage } from "../mls";
import { type AnyContent, MARK_DIGITS, type Posted, decode, encode, mark } from "./content";
import type { RoomSession } from "./room";
import { Outbox, Said, Seen } from "./talk";
import * as words from "./words";

/** Seconds before a connection is lost in which what was said may not have reached everybody. */
export const DOUBT = 5;
/** Relay blobs of an epoch that we have not reached yet. */
export const EARLY_MAX = 256;

/** One membership's messages, ours and others'. */
export class Saying {
  readonly #room: RoomSession;
  #outbox = new Outbox();
  #seen = new Seen();
  #early: Bytes[] = [];
  readonly #born: number;
  #missed = 0;
  #lostAt: number | null = null;

  constructor(room: RoomSession) {
    this.#room = room;
    this.#born = room.m.epochSlot;
  }

  /** After a rejoin: what was said and not heard is said again, and nothing is shown twice. */
  carryOver(old: Saying): void {
    this.#outbox = old.#outbox.afterRejoin();
    this.#seen = old.#seen;
  }

  // -- ours -----------------------------------------------------------------------------------------------

  /** Say it to all, and again after a lost connection, until all can have it. */
  post(what: Posted, now: number): void {
    this.#outbox.add(new Said(what, now));
  }

  /** Say something to all members, those who catch up too; only while level. Gives the blob. */
  async relay(what: AnyContent): Promise<Bytes> {
    const blob = await this.#room.m.protect(encode(what));
    this.#seen.add(H(blob));
    this.#room.send({ type: "relay", blob });
    return blob;
  }

  /** The connection on which we were in is gone. */
  lost(now: number): void {
    this.#lostAt = now;
  }

  /** The connection was another's, or the server's memory is: say again what may be lost. */
  again(allRecent = false): void {
    this.#outbox.again(allRecent);
  }

  /** Say what is to be said; only while level. */
  async sendWaiting(): Promise<void> {
    for (const said of this.#outbox.unsent()) await this.#send(said);
  }

  async #send(said: Said): Promise<void> {
    const { m } = this.#room;
    const over = said.epochSlot !== m.epochSlot;
    if (over && !said.shown) {
      said.blob = await this.relay(said.what);
      said.epochSlot = m.epochSlot;
    } else if (m.keepsEpoch(said.epochSlot)) this.#room.send({ type: "relay", blob: said.blob });
    else said.confirmed = true; // nothing more can be done for it
    said.digest = H(said.blob);
    if (over && said.shown && this.#lostAt !== null && said.at > this.#lostAt - DOUBT)
      // it came back once, and its epoch is over: nobody new may read it, so it is not sealed anew
      this.#room.tell(words.maybeLost(said.text));
  }

  // -- others' --------------------------------------------------------------------------------------------

  /** The server no longer had so many relays when we caught up. */
  missing(count: number): void {
    this.#missed += count;
  }

  /** Once caught up: how many words of others went by. */
  tellMissed(): void {
    if (this.#missed === 0) return;
    this.#room.tell(words.missed(this.#missed));
    this.#missed = 0;
  }

  /** Its keys are here: what came before them is tried again. */
  async newEpoch(now: number): Promise<void> {
    const early = this.#early;
    this.#early = [];
    for (const waiting of early) await this.relayed(waiting, now);
  }

  /** A blob that the server relayed. */
  async relayed(blob: Bytes, now: number): Promise<void> {
    const { m } = this.#room;
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
        if (began > m.epochSlot) {
          if (this.#early.length < EARLY_MAX) this.#early.push(blob);
        } else if (this.#born <= began && began < m.epochSlot) this.#missed++; // of one whose keys are gone
        return;
      }
      // whoever can post at all can post garbage: it costs one failed check, and no word
      if (error instanceof SnugCryptoError) return;
      throw error;
    }
    this.#seen.add(digest);
    await this.#heard(received, what, now);
  }

  async #heard(received: ApplicationMessage, what: AnyContent, now: number): Promise<void> {
    const room = this.#room;
    const leaf = received.sender;
    let taken = false;
    for (const aspect of room.aspects) taken = (await aspect.heard(received, what, now)) || taken;
    if (taken) return;
    if (what.type === "say") {
      // a message that is sent again has the same id, and is shown once
      const known = mark(what, room.m.signatureKey(leaf) ?? new Uint8Array());
      if (this.#seen.has(known)) return;
      this.#seen.add(known);
      const id = hex(known).slice(0, MARK_DIGITS);
      room.tell({ type: "Said", leaf, name: room.m.name(leaf), text: what.text, id });
    } else if (what.type === "announce") room.announced.hear(leaf, received.epoch, received.generation, what);
  }
}
