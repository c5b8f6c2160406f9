/**
 * Identities in the room: vouching for our own leaf to one other member, and hearing who vouches to us.
 *
 * Protocol section 9. A vouch is a blob that the server does not keep and no leaf signs (`crypto/identity`
 * says why). Members see that somebody vouches to somebody; the server sees a blob of the smallest size.
 */
import { type Bytes, hex, same } from "../crypto/bytes";
import { SnugCryptoError } from "../crypto/errors";
import { type Ends, fingerprint, type OpenedVouch, openVouch } from "../crypto/identity";
import * as veil from "../crypto/veil";
import type { ApplicationMessage } from "../mls";
import { BUCKETS } from "../wire/limits";
import { CommandError, sentence } from "../words/sentence";
import { Aspect } from "./aspect";
import type { Contacts } from "./contacts";
import type { AnyContent } from "./content";
import type { Change } from "./membership";
import type { RoomSession } from "./room";
import { look } from "./standing";
import * as words from "./words";

/** Vouches to us that came before the announcement of who makes them. */
export const EARLY_MAX = 8;
/** Seconds after somebody has taken another's leaf in which a command may still mean who was there before. */
export const TAKEN = 60;

const NONE: Bytes = new Uint8Array();

/**
 * Knows which identity stands behind which leaf, as far as that was shown to us.
 *
 * Everything is kept by signature key (hex): that of a leaf is the same after it has rejoined.
 */
export class Vouching extends Aspect {
  /** signature key -> identity */
  #met = new Map<string, Bytes>();
  /** signature key -> the box that has had our vouch; empty: none yet */
  #to = new Map<string, Bytes>();
  #told = new Set<string>();
  readonly #handles = new Map<number, string>();
  #announced = new Set<number>();
  #early: OpenedVouch[] = [];
  /** Who sat at a leaf that is free now. */
  readonly #left = new Map<number, string>();
  /** When somebody else came to it, and who was there. */
  readonly #taken = new Map<number, readonly [number, string]>();

  override carryOver(old: RoomSession): void {
    const before = old.aspect(Vouching);
    this.#met = before.#met;
    this.#told = before.#told;
    // to be said again: our box, and perhaps our leaf, are new
    this.#to = new Map([...before.#to.keys()].map((key) => [key, NONE]));
  }

  // -- commands --------------------------------------------------------------------------------------------

  /**
   * Show our identity to the member at `leaf`, as soon as it can be; CommandError if that is nobody else, or
   * we have no identity.
   */
  async vouch(leaf: number, now: number): Promise<void> {
    const key = this.#other(leaf, now);
    this.#book();
    this.#to.set(hex(key), NONE);
    await this.#send(now);
  }

  /**
   * Put who vouched at `leaf` in the book, by default under the name that it has here.
   *
   * CommandError if there is nobody else, no identity was shown, or the book can't take it.
   */
  know(leaf: number, petname: string | null, now: number): void {
    this.#learn(leaf, petname, now, false);
  }

  /** Mark it as verified, and put it in the book if it isn't there; CommandError as for `know`. */
  verify(leaf: number, now: number): void {
    this.#learn(leaf, null, now, true);
  }

  #learn(leaf: number, petname: string | null, now: number, verified: boolean): void {
    const key = this.#other(leaf, now);
    const book = this.#book();
    const name = this.room.m.name(leaf);
    const identity = this.#met.get(hex(key));
    if (identity === undefined) throw new CommandError(sentence("cant.no_identity", { name }));
    const called = petname ?? (book.find(identity) === null ? name : null);
    const contact = book.learn(identity, called, now, verified);
    this.room.tell({
      type: "BookChanged",
      name: contact.petname,
      fingerprint: contact.fingerprint,
      verified: contact.verified,
      public: identity,
      at: now,
    });
  }

  #other(leaf: number, now: number): Bytes {
    const m = this.room.m;
    const key = m.signatureKey(leaf);
    if (key === null || leaf === m.ownLeaf) throw new CommandError(sentence("cant.nobody_else", { leaf }));
    const taken = this.#taken.get(leaf);
    this.#taken.delete(leaf);
    // the digits that a person has just compared are those of who was there
    if (taken !== undefined && now - taken[0] < TAKEN)
      throw new CommandError(sentence("cant.leaf_taken", { name: m.name(leaf), leaf, before: taken[1] }));
    return key;
  }

  #book(): Contacts {
    const book = this.room.options.contacts;
    if (book === null) throw new CommandError(sentence("cant.no_book"));
    return book;
  }

  // -- to others -------------------------------------------------------------------------------------------

  override level(_now: number): void {
    this.#again([...this.#to.keys()]);
  }

  override adopted(change: Change, now: number): void {
    if (!change.rejoined) {
      for (const { leaf, name } of change.removed) this.#left.set(leaf, name);
      for (const { leaf } of change.added) {
        const before = this.#left.get(leaf);
        if (before === undefined) continue;
        this.#left.delete(leaf);
        this.#taken.set(leaf, [now, before]);
      }
    }
    // there is another beat key: what was under way can't be opened any more
    if (change.removed.length > 0) this.#again([...this.#to.keys()]);
  }

  override async tick(now: number): Promise<void> {
    await this.#reconsider();
    await this.#send(now);
  }

  #again(keys: Iterable<string>): void {
    // who was away, or had other keys, has not had it; who has had it takes no notice
    for (const key of keys) this.#to.set(key, NONE);
  }

  async #send(now: number): Promise<void> {
    const room = this.room;
    const book = room.options.contacts;
    if (this.#to.size === 0 || book === null || !room.isLevel(now)) return;
    const m = room.m;
    for (const [leaf, box] of room.announced.boxes()) {
      const signatureKey = m.signatureKey(leaf);
      if (signatureKey === null || leaf === m.ownLeaf) continue;
      const key = hex(signatureKey);
      const had = this.#to.get(key);
      if (had === undefined || same(had, box)) continue;
      this.#to.set(key, box);
      const ends: Ends = {
        groupId: m.group.groupId,
        leaf: m.ownLeaf,
        signatureKey: m.signatureKey(m.ownLeaf) ?? NONE,
        box: room.box.public,
        toLeaf: leaf,
        toSignatureKey: signatureKey,
        toBox: box,
      };
      let vouch: Bytes;
      try {
        vouch = await book.own.vouch(ends, room.box, room.rng);
      } catch (error) {
        // a box that is no key: nobody can be sure of its owner
        if (error instanceof SnugCryptoError) continue;
        throw error;
      }
      room.passOn(await veil.cover(m.beatKey, "vouch", room.number, m.epochSlot, vouch, BUCKETS, room.rng));
      if (!this.#told.has(key)) {
        this.#told.add(key);
        room.tell(words.status("vouched", { name: m.name(leaf) }));
      }
    }
  }

  // -- to us -----------------------------------------------------------------------------------------------

  override heard(received: ApplicationMessage, what: AnyContent, _now: number): boolean {
    if (what.type !== "announce") return false;
    const leaf = received.sender;
    const handle = hex(what.handle);
    if (this.#handles.get(leaf) !== handle) {
      // a new connection, which has had nothing yet
      this.#handles.set(leaf, handle);
      const key = this.room.m.signatureKey(leaf);
      if (key !== null && this.#to.has(hex(key))) this.#again([hex(key)]);
    }
    this.#announced.add(leaf); // the room reads it after us
    return false;
  }

  override async passed(blob: Bytes, _now: number): Promise<boolean> {
    const room = this.room;
    const m = room.m;
    let vouch: Bytes;
    try {
      vouch = await veil.uncover(m.beatKey, "vouch", room.number, blob);
    } catch (error) {
      if (error instanceof SnugCryptoError) return false;
      throw error;
    }
    let opened: OpenedVouch;
    try {
      opened = await openVouch(vouch, room.box, m.signatureKey(m.ownLeaf) ?? NONE, m.group.groupId);
    } catch (error) {
      // to somebody else, or nothing: it has cost one check
      if (error instanceof SnugCryptoError) return true;
      throw error;
    }
    if (!(await this.#consider(opened))) {
      this.#early.push(opened);
      if (this.#early.length > EARLY_MAX) this.#early.shift();
    }
    return true;
  }

  async #reconsider(): Promise<void> {
    if (this.#announced.size === 0) return;
    const announced = this.#announced;
    this.#announced = new Set();
    const due = this.#early.filter((early) => announced.has(early.leaf));
    this.#early = this.#early.filter((early) => !announced.has(early.leaf));
    for (const opened of due) await this.#consider(opened);
  }

  /** Whether it is settled; false: perhaps its maker's announcement is still on its way. */
  async #consider(opened: OpenedVouch): Promise<boolean> {
    const m = this.room.m;
    if (opened.leaf === m.ownLeaf) return true;
    const key = m.signatureKey(opened.leaf);
    const box = new Map(this.room.announced.boxes()).get(opened.leaf);
    if (key === null || box === undefined) return false;
    const ends: Ends = {
      groupId: m.group.groupId,
      leaf: opened.leaf,
      signatureKey: key,
      box,
      toLeaf: m.ownLeaf,
      toSignatureKey: m.signatureKey(m.ownLeaf) ?? NONE,
      toBox: this.room.box.public,
    };
    let identity: Bytes;
    try {
      identity = await opened.check(ends, this.room.box);
    } catch (error) {
      if (error instanceof SnugCryptoError) return false;
      throw error;
    }
    this.met(key, identity);
    return true;
  }

  /**
   * The member with that signature key has proven that identity (32 bytes) to us.
   *
   * Its first word counts: no honest program has two.
   */
  met(signatureKey: Bytes, identity: Bytes): void {
    if (this.#met.has(hex(signatureKey))) return;
    const m = this.room.m;
    const found = m.members().find(({ leaf }) => {
      const key = m.signatureKey(leaf);
      return key !== null && same(key, signatureKey);
    });
    if (found === undefined) return;
    this.#met.set(hex(signatureKey), identity);
    const seen = look(found.name, identity, this.room.options.contacts, [], "here");
    this.room.tell({
      type: "Vouched",
      leaf: found.leaf,
      name: found.name,
      standing: seen.standing,
      contact: seen.contact,
      fingerprint: fingerprint(identity),
      warnings: seen.warnings,
    });
  }
}
