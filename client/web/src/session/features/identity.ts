/**
 * Identities in the room: vouch for our own leaf to one other member, and receive vouches.
 *
 * Protocol section 9. A vouch is a blob that the server does not store and no leaf signs (see `crypto/proof/identity`).
 * Each member sends one on a clock of its own, or a dummy. Only its receiver can tell a vouch from a dummy, so that
 * neither the server nor a member learns who shows an identity to whom.
 */
import { type Bytes, hex, same } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import { fingerprint, IdentityKey, openVouch, verifyVouch } from "../../crypto/proof/identity";
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
import { interval } from "../monitor/heartbeats";
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
  /** Signature key -> the box that has had our vouch; empty: none yet. The next one in turn comes first. */
  #to = new Map<string, Bytes>();
  /** When we send the next vouch or dummy. */
  #at = 0;
  /** The identity in our dummies. */
  #nobody: IdentityKey | null = null;
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
   * Show our identity to the member at `leaf`, in place of our next dummy.
   *
   * CommandError if there is no other member at that leaf, or we have no identity.
   */
  vouch(leaf: number, now: number): void {
    const key = hex(this.#other(leaf, now));
    this.#book();
    this.#to.delete(key);
    this.#to = new Map([[key, NONE], ...this.#to]);
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

  override synced(now: number): void {
    this.#again([...this.#to.keys()]);
    // After a restart of the server, the members' moments stay apart.
    if (now >= this.#at) this.#at = now + this.#gap();
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

  /** Return the seconds until the next vouch or dummy: one to two intervals of heartbeats. */
  #gap(): number {
    const room = this.room;
    const members = room.membership.members().length;
    return interval(members) * (1 + room.memberIndex / members);
  }

  async #send(now: number): Promise<void> {
    // Whether, when and how large depends on no identity and on nobody's reconnection.
    const room = this.room;
    const m = room.membership;
    if (now < this.#at || !room.isSynced(now)) return;
    this.#at = now + this.#gap();
    if (m.members().length < 2) return;
    this.#nobody ??= await IdentityKey.generate(room.rng);
    const vouch = (await this.#vouchInTurn(now)) ?? (await this.#dummy(this.#nobody));
    room.broadcast(await envelope.seal(m.heartbeatKey, "vouch", room.number, m.epochSlot, vouch, BUCKETS, room.rng));
  }

  async #vouchInTurn(now: number): Promise<Bytes | null> {
    const room = this.room;
    const m = room.membership;
    const book = room.options.contacts;
    if (this.#to.size === 0 || book === null || !room.speaks(now)) return null;
    const boxes = new Map<string, readonly [number, Bytes, Bytes]>();
    for (const [leaf, box] of room.announcements.boxes()) {
      const key = m.signatureKey(leaf);
      if (key !== null && leaf !== m.ownLeaf) boxes.set(hex(key), [leaf, key, box]);
    }
    for (const [key, had] of [...this.#to]) {
      const found = boxes.get(key);
      if (found === undefined || same(found[2], had)) continue;
      // To the end of the queue: nobody who reconnects all the time delays the others.
      this.#to.delete(key);
      this.#to.set(key, found[2]);
      let vouch: Bytes;
      try {
        vouch = await book.own.vouch(this.#ends(...found), room.box, room.rng);
      } catch (error) {
        // A box that is no key: no identity can be proven to its owner.
        if (error instanceof SnugError) continue;
        throw error;
      }
      if (!this.#told.has(key)) {
        this.#told.add(key);
        room.tell(sentences.status("vouched", { name: m.name(found[0]) }));
      }
      return vouch;
    }
    return null;
  }

  /** Return a vouch that only we could open: of nobody's identity, to ourselves. */
  #dummy(nobody: IdentityKey): Promise<Bytes> {
    const { box, rng, membership: m } = this.room;
    return nobody.vouch(this.#ends(m.ownLeaf, m.signatureKey(m.ownLeaf) ?? NONE, box.public), box, rng);
  }

  #ends(leaf: number, key: Bytes, box: Bytes): VouchContext {
    const m = this.room.membership;
    return {
      groupId: m.group.groupId,
      leaf: m.ownLeaf,
      signatureKey: m.signatureKey(m.ownLeaf) ?? NONE,
      box: this.room.box.public,
      toLeaf: leaf,
      toSignatureKey: key,
      toBox: box,
    };
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
