/** The members' announcements, and the sealed grant of the host keys. */
import { type Bytes, type Rng, concat, utf8 } from "../../crypto/bytes";
import { SnugCryptoError } from "../../crypto/errors";
import { prefixed, Reader } from "../../crypto/fields";
import * as hpke from "../../crypto/hpke";
import { HostKeys } from "../../crypto/entry/invite";
import type { X25519Key } from "../../crypto/primitives";
import type { Announce, Grant } from "../catalogue/content";

/**
 * The newest announcement of each leaf.
 *
 * Kept by leaf, so that nobody can take another member's SSRC by naming it first (SNUG-20).
 */
export class Announcements {
  /** leaf -> SSRC -> stream number */
  readonly #streams = new Map<number, ReadonlyMap<number, number>>();
  /** leaf -> (epoch, generation) */
  readonly #newest = new Map<number, readonly [number, number]>();
  readonly #boxes = new Map<number, Bytes>();
  #openers = new Map<number, readonly Bytes[]>();

  /** Take over from the membership before a rejoin what the search for the others needs. */
  carryOver(old: Announcements): void {
    this.#openers = new Map(old.#openers);
  }

  /** Store a leaf's announcement, unless a newer one is stored (catching up brings old ones). */
  store(leaf: number, epoch: number, generation: number, what: Announce): void {
    const [lastEpoch, last] = this.#newest.get(leaf) ?? [0, 0];
    if (epoch < lastEpoch || (epoch === lastEpoch && generation < last)) return;
    this.#newest.set(leaf, [epoch, generation]);
    this.#boxes.set(leaf, what.box);
    this.#openers.set(leaf, what.openers);
    this.#streams.set(leaf, new Map(what.streams.map(({ ssrc, stream }) => [ssrc, stream])));
  }

  /** Forget the member of a leaf that is empty now or has another member. */
  forget(leaf: number): void {
    for (const known of [this.#streams, this.#newest, this.#boxes, this.#openers]) known.delete(leaf);
  }

  /** Return the leaves that announced the SSRC, each with its stream number. */
  announcers(ssrc: number): Map<number, number> {
    const found = new Map<number, number>();
    for (const [leaf, streams] of this.#streams) {
      const stream = streams.get(ssrc);
      if (stream !== undefined) found.set(leaf, stream);
    }
    return found;
  }

  /** Return a leaf's SSRCs and their stream numbers. */
  streams(leaf: number): ReadonlyMap<number, number> {
    return this.#streams.get(leaf) ?? new Map();
  }

  /** Return a leaf's key (32 bytes) for its own place at that server of the policy's list, from 1. */
  opener(leaf: number, server: number): Bytes | null {
    return this.#openers.get(leaf)?.[server - 1] ?? null;
  }

  /** Return leaves and their X25519 keys (32 bytes), for messages to one member alone. */
  boxes(): (readonly [number, Bytes])[] {
    return [...this.#boxes];
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
    const reader = new Reader(plaintext);
    const keys = await HostKeys.read(reader);
    reader.end();
    return keys;
  } catch (error) {
    if (error instanceof SnugCryptoError) return null;
    throw error;
  }
}

/** Return the return key's statement that the member of that signature key (32 bytes) has the keys. */
export const grantedMessage = (groupId: Bytes, signatureKey: Bytes): Bytes =>
  concat(utf8("snug 1 granted"), prefixed(groupId, 2), signatureKey);

const info = (groupId: Bytes): Bytes => concat(utf8("snug 1 grant"), groupId);
