/**
 * Identities in the room: vouch for our own leaf to one other member, and receive vouches.
 *
 * Protocol section 9. A vouch is a blob that the server does not store and no leaf signs (see `crypto/proof/identity`).
 * Members can see that some member vouches to another; the server sees a blob of the smallest size.
 */
import { type Bytes, hex, same } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import { fingerprint, openVouch, verifyVouch } from "../../crypto/proof/identity";
import type { OpenedVouch, VouchContext } from "../../wire/layouts/identity";
import * as envelope from "../../crypto/agreed/envelope";
import { BUCKETS } from "../../wire/limits";
import { CommandError, sentence } from "../../words/sentence";
import { Feature } from "../kernel/feature";
import type { Contacts } from "../entry/contacts";
import type { Announcement } from "../catalogue/content";
import type { Change } from "../kernel/verdict";
import type { Room } from "../kernel/ports";
import { checkIdentity } from "../entry/identityCheck";
import * as sentences from "../catalogue/sentences";

/** Vouches to us that arrived before their senders' announcements. */
export const EARLY_MAX = 8;
/** Seconds after a newcomer takes over a leaf in which a command may still mean the previous member. */
export const TAKEN = 60;

const NONE: Bytes = new Uint8Array();

/**
 * Maps leaves to the identities that they have shown to us.
 *
 * Everything is kept by signature key (hex), which a leaf keeps when it rejoins.
 */
export class Vouching extends Feature {
  /** signature key -> identity */
  #identities = new Map<string, Bytes>();
  /** signature key -> the box that has had our vouch; empty: none yet */
  #to = new Map<string, Bytes>();
  #told = new Set<string>();
  readonly #handles = new Map<number, string>();
  #announced = new Set<number>();
  #early: OpenedVouch[] = [];
  /** The previous member of a leaf that is free now. */
  readonly #left = new Map<number, string>();
  /** When a leaf was taken over, and the previous member. */
  readonly #taken = new Map<number, readonly [number, string]>();
  /** Members in the places of silent ones: signature key -> the identity that the silent one has shown. */
  #unverified = new Map<string, Bytes | null>();

  override carryOver(old: Room): void {
    const before = old.feature(Vouching);
    this.#identities = before.#identities;
    this.#told = before.#told;
    this.#unverified = before.#unverified;
    // To be sent again: our box, and perhaps our leaf, are new.
    this.#to = new Map([...before.#to.keys()].map((key) => [key, NONE]));
  }

  /** Return the identity that the member with that key has shown to us (32 bytes); null without one. */
  identityOf(signatureKey: Bytes): Bytes | null {
    return this.#identities.get(hex(signatureKey)) ?? null;
  }

  // -- commands --------------------------------------------------------------------------------------------

  /**
   * Show our identity to the member at `leaf` as soon as possible.
   *
   * CommandError if there is no other member at that leaf, or we have no identity.
   */
  async vouch(leaf: number, now: number): Promise<void> {
    const key = this.#other(leaf, now);
    this.#book();
    this.#to.set(hex(key), NONE);
    await this.#send(now);
  }

  /**
   * Add the identity shown at `leaf` to the book, by default under the member's name here.
   *
   * CommandError if there is no other member, no identity was shown, or the book cannot take it.
   */
  know(leaf: number, petname: string | null, now: number): void {
    this.#learn(leaf, petname, now, false);
  }

  /** Mark the identity as verified, adding it to the book if needed; CommandError as for `know`. */
  verify(leaf: number, now: number): void {
    this.#learn(leaf, null, now, true);
  }

  #learn(leaf: number, petname: string | null, now: number, verified: boolean): void {
    const key = this.#other(leaf, now);
    const book = this.#book();
    const name = this.room.membership.name(leaf);
    const identity = this.#identities.get(hex(key));
    if (identity === undefined) throw new CommandError(sentence("cannot.no_identity", { name }));
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
    const m = this.room.membership;
    const key = m.signatureKey(leaf);
    if (key === null || leaf === m.ownLeaf) throw new CommandError(sentence("cannot.nobody_else", { leaf }));
    const taken = this.#taken.get(leaf);
    this.#taken.delete(leaf);
    // The digits that the person has just compared are the previous member's.
    if (taken !== undefined && now - taken[0] < TAKEN)
      throw new CommandError(sentence("cannot.leaf_taken", { name: m.name(leaf), leaf, before: taken[1] }));
    return key;
  }

  #book(): Contacts {
    const book = this.room.options.contacts;
    if (book === null) throw new CommandError(sentence("cannot.no_book"));
    return book;
  }

  // -- to others -------------------------------------------------------------------------------------------

  override synced(_now: number): void {
    this.#again([...this.#to.keys()]);
  }

  override adopted(change: Change, now: number): void {
    if (!change.rejoined) {
      for (const { leaf, name } of change.removed) this.#left.set(leaf, name);
      for (const { leaf, name } of change.added) {
        const before = this.#left.get(leaf);
        if (before === undefined) continue;
        this.#left.delete(leaf);
        if (!change.back || before !== name) this.#taken.set(leaf, [now, before]);
      }
    }
    if (change.replaced) this.#replaced(change);
    // The heartbeat key is new: vouches under way cannot be opened any more.
    if (change.removed.length > 0) this.#again([...this.#to.keys()]);
  }

  /** Tell that a host has put somebody in a silent member's place, until an identity proves the name. */
  #replaced({ added: [added], removed: [removed], by }: Change): void {
    const m = this.room.membership;
    if (added === undefined || removed === undefined) return;
    const { leaf, name } = added;
    this.#unverified.set(hex(m.signatureKey(leaf) ?? NONE), this.identityOf(removed.key));
    this.room.tell(sentences.alarm("replaced_silent", { by: m.name(by), name, earlier: removed.name, leaf }));
  }

  override async tick(now: number): Promise<void> {
    await this.#reconsider();
    await this.#send(now);
  }

  #again(keys: Iterable<string>): void {
    // Members that were away, or had other keys, have not received it; the others ignore duplicates.
    for (const key of keys) this.#to.set(key, NONE);
  }

  async #send(now: number): Promise<void> {
    const room = this.room;
    const book = room.options.contacts;
    if (this.#to.size === 0 || book === null || !room.speaks(now)) return;
    const m = room.membership;
    for (const [leaf, box] of room.announcements.boxes()) {
      const signatureKey = m.signatureKey(leaf);
      if (signatureKey === null || leaf === m.ownLeaf) continue;
      const key = hex(signatureKey);
      const had = this.#to.get(key);
      if (had === undefined || same(had, box)) continue;
      this.#to.set(key, box);
      const ends: VouchContext = {
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
        // A box that is no key: no identity can be proven to its owner.
        if (error instanceof SnugError) continue;
        throw error;
      }
      room.broadcast(await envelope.seal(m.heartbeatKey, "vouch", room.number, m.epochSlot, vouch, BUCKETS, room.rng));
      if (!this.#told.has(key)) {
        this.#told.add(key);
        room.tell(sentences.status("vouched", { name: m.name(leaf) }));
      }
    }
  }

  // -- to us -----------------------------------------------------------------------------------------------

  override announced(what: Announcement): void {
    const { leaf } = what;
    const handle = hex(what.handle);
    if (this.#handles.get(leaf) !== handle) {
      // A new connection, which has received nothing yet.
      this.#handles.set(leaf, handle);
      const key = this.room.membership.signatureKey(leaf);
      if (key !== null && this.#to.has(hex(key))) this.#again([hex(key)]);
    }
    this.#announced.add(leaf);
  }

  override async broadcastReceived(blob: Bytes, _now: number): Promise<boolean> {
    const room = this.room;
    const m = room.membership;
    let vouch: Bytes;
    try {
      vouch = await envelope.open(m.heartbeatKey, "vouch", room.number, blob);
    } catch (error) {
      if (error instanceof SnugError) return false;
      throw error;
    }
    let opened: OpenedVouch;
    try {
      opened = await openVouch(vouch, room.box, m.signatureKey(m.ownLeaf) ?? NONE, m.group.groupId);
    } catch (error) {
      // For another member, or garbage: it costs one check.
      if (error instanceof SnugError) return true;
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
    for (const opened of this.#early.filter((early) => announced.has(early.leaf)))
      if (await this.#consider(opened)) this.#early = this.#early.filter((early) => early !== opened);
  }

  /** Return whether a vouch is settled; false: its sender's announcement may still arrive. */
  async #consider(opened: OpenedVouch): Promise<boolean> {
    const m = this.room.membership;
    if (opened.leaf === m.ownLeaf) return true;
    const key = m.signatureKey(opened.leaf);
    const box = new Map(this.room.announcements.boxes()).get(opened.leaf);
    if (key === null || box === undefined) return false;
    const ends: VouchContext = {
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
      identity = await verifyVouch(opened, ends, this.room.box);
    } catch (error) {
      if (error instanceof SnugError) return false;
      throw error;
    }
    this.recordIdentity(key, identity);
    return true;
  }

  /**
   * Record that the member of that signature key has proven the identity (32 bytes) to us.
   *
   * The first identity counts: no honest program has two.
   */
  recordIdentity(signatureKey: Bytes, identity: Bytes): void {
    if (this.#identities.has(hex(signatureKey))) return;
    const m = this.room.membership;
    const found = m.members().find(({ leaf }) => {
      const key = m.signatureKey(leaf);
      return key !== null && same(key, signatureKey);
    });
    if (found === undefined) return;
    this.#identities.set(hex(signatureKey), identity);
    const seen = checkIdentity(found.name, identity, this.room.options.contacts, [], "here");
    const before = this.#unverified.get(hex(signatureKey));
    const known = seen.standing === "verified" && seen.warnings.length === 0;
    if (before !== undefined && (known || (before !== null && same(before, identity)))) {
      this.#unverified.delete(hex(signatureKey));
      this.room.tell(sentences.status("cleared.replaced_silent", { name: found.name, leaf: found.leaf }));
    }
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
