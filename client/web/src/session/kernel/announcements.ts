/** The members' signed announcements, and the sealed grant of the host keys. */
import { type Bytes, type Rng, concat, utf8 } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import { flag, prefixed, uint } from "../../crypto/fields";
import * as hpke from "../../crypto/hpke";
import { HostKeys } from "../../crypto/entry/invite";
import { verifyWithLabel } from "../../crypto/labels";
import type { X25519Key } from "../../crypto/primitives";
import type { Announcement, Grant } from "../catalogue/content";

/** The label of a leaf's signature on its announcement. */
export const LABEL = "snug 1 announce";

/** Return the text that the leaf of an announcement signs. */
export const announcementText = (groupId: Bytes, what: Omit<Announcement, "signature">): Bytes =>
  concat(
    prefixed(groupId, 2),
    uint(what.leaf, 4),
    uint(what.epoch, 8),
    uint(what.count, 4),
    what.handle,
    what.box,
    prefixed(concat(...what.streams.flatMap((each) => [uint(each.ssrc, 4), flag(each.kind === "video"), uint(each.stream, 1)])), 1),
    ...what.openers,
  );

/**
 * The newest announcement of each other leaf.
 *
 * Kept by leaf, so that nobody can take another member's SSRC by naming it first (SNUG-20).
 */
export class Announcements {
  readonly #newest = new Map<number, Announcement>();
  #openers = new Map<number, readonly Bytes[]>();

  /** Take over from the membership before a rejoin what the search for the others needs. */
  carryOver(old: Announcements): void {
    this.#openers = new Map(old.#openers);
  }

  /**
   * Store a leaf's announcement; return false if it is not newer than what is stored, or not signed.
   *
   * The signature under the leaf's current key decides, not the sender (null: the leaf is empty).
   */
  async store(what: Announcement, groupId: Bytes, signatureKey: Bytes | null): Promise<boolean> {
    const { leaf, epoch, count } = what;
    const held = this.#newest.get(leaf);
    if (signatureKey === null || (held !== undefined && (epoch - held.epoch || count - held.count) <= 0)) return false;
    try {
      await verifyWithLabel(signatureKey, LABEL, announcementText(groupId, what), what.signature);
    } catch (error) {
      if (error instanceof SnugError) return false;
      throw error;
    }
    this.#newest.set(leaf, what);
    this.#openers.set(leaf, what.openers);
    return true;
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number): void {
    this.#newest.delete(leaf);
    this.#openers.delete(leaf);
  }

  /** Return what is stored, in no order. */
  newest(): Announcement[] {
    return [...this.#newest.values()];
  }

  /** Return the leaves that announced the SSRC, each with its stream number. */
  announcers(ssrc: number): Map<number, number> {
    const found = new Map<number, number>();
    for (const [leaf, { streams }] of this.#newest)
      for (const each of streams) if (each.ssrc === ssrc) found.set(leaf, each.stream);
    return found;
  }

  /** Return a leaf's SSRCs and their stream numbers. */
  streams(leaf: number): ReadonlyMap<number, number> {
    return new Map(this.#newest.get(leaf)?.streams.map(({ ssrc, stream }) => [ssrc, stream]));
  }

  /** Return a leaf's key (32 bytes) for its own place at that server of the policy's list, from 1. */
  opener(leaf: number, server: number): Bytes | null {
    return this.#openers.get(leaf)?.[server - 1] ?? null;
  }

  /** Return leaves and their X25519 keys (32 bytes), for messages to one member alone. */
  boxes(): (readonly [number, Bytes])[] {
    return this.newest().map(({ leaf, box }) => [leaf, box]);
  }
}

/** Seal the host keys for the host at `leaf`, with that signature key and box. */
export async function sealGrant(
  keys: HostKeys,
  leaf: number,
  signatureKey: Bytes,
  box: Bytes,
  groupId: Bytes,
  rng: Rng,
): Promise<Grant> {
  const { enc, ciphertext } = await hpke.seal(box, info(groupId), signatureKey, keys.encode(), rng);
  return { type: "grant", leaf, enc, sealed: ciphertext };
}

/** Return the host keys in a grant to us (`ownBox` is our key pair); null if it does not open. */
export async function openGrant(
  grant: Grant,
  ownKey: Bytes,
  ownBox: X25519Key,
  groupId: Bytes,
): Promise<HostKeys | null> {
  try {
    const { plaintext } = await hpke.open(ownBox, grant.enc, info(groupId), ownKey, grant.sealed);
    return await HostKeys.decode(plaintext);
  } catch (error) {
    if (error instanceof SnugError) return null;
    throw error;
  }
}

/** Return the return key's statement that the member of that signature key (32 bytes) has the keys. */
export const grantedMessage = (groupId: Bytes, signatureKey: Bytes): Bytes =>
  concat(utf8("snug 1 granted"), prefixed(groupId, 2), signatureKey);

const info = (groupId: Bytes): Bytes => concat(utf8("snug 1 grant"), groupId);
