/** What members have announced of themselves, and the host seed handed to one of them. */
import { type Bytes, type Rng, concat, utf8 } from "../crypto/bytes";
import { SnugCryptoError } from "../crypto/errors";
import { prefixed } from "../crypto/fields";
import * as hpke from "../crypto/hpke";
import { HostSeed } from "../crypto/invite";
import type { X25519Key } from "../crypto/primitives";
import type { Announce, Grant } from "./content";

/**
 * The newest announcement of each leaf.
 *
 * Kept by leaf, so that nobody can take another's SSRC by naming it first (SNUG-20).
 */
export class Announced {
  /** leaf -> SSRC -> stream number */
  readonly #streams = new Map<number, ReadonlyMap<number, number>>();
  /** leaf -> (epoch, generation) */
  readonly #saidAs = new Map<number, readonly [number, number]>();
  readonly #boxes = new Map<number, Bytes>();

  /** A leaf's announcement; an older one than it has made (catching up brings them) is nothing. */
  hear(leaf: number, epoch: number, generation: number, what: Announce): void {
    const [lastEpoch, last] = this.#saidAs.get(leaf) ?? [0, 0];
    if (epoch < lastEpoch || (epoch === lastEpoch && generation < last)) return;
    this.#saidAs.set(leaf, [epoch, generation]);
    this.#boxes.set(leaf, what.box);
    this.#streams.set(leaf, new Map(what.streams.map(({ ssrc, stream }) => [ssrc, stream])));
  }

  /** Nobody, or another, is at that leaf now. */
  forget(leaf: number): void {
    for (const known of [this.#streams, this.#saidAs, this.#boxes]) known.delete(leaf);
  }

  /** Leaves that announced the SSRC, and as which stream number. */
  announcers(ssrc: number): Map<number, number> {
    const found = new Map<number, number>();
    for (const [leaf, streams] of this.#streams) {
      const stream = streams.get(ssrc);
      if (stream !== undefined) found.set(leaf, stream);
    }
    return found;
  }

  /** A leaf's SSRCs and their stream numbers. */
  streams(leaf: number): ReadonlyMap<number, number> {
    return this.#streams.get(leaf) ?? new Map();
  }

  /** Leaves and their X25519 keys (32 bytes), for what is for one of them alone. */
  boxes(): (readonly [number, Bytes])[] {
    return [...this.#boxes];
  }
}

/** The host seed for the new host at `leaf`, whose signature key and box these are. */
export async function sealGrant(
  seed: HostSeed,
  leaf: number,
  signatureKey: Bytes,
  box: Bytes,
  groupId: Bytes,
  rng: Rng,
): Promise<Grant> {
  const { enc, ciphertext } = await hpke.seal(box, info(groupId), signatureKey, seed.seed, rng);
  return { type: "grant", leaf, enc, sealed: ciphertext };
}

/** The host seed in a grant to us (`ownBox` is ours); null if it is none. */
export async function openGrant(
  grant: Grant,
  ownKey: Bytes,
  ownBox: X25519Key,
  groupId: Bytes,
): Promise<HostSeed | null> {
  try {
    const { plaintext } = await hpke.open(ownBox, grant.enc, info(groupId), ownKey, grant.sealed);
    return await HostSeed.from(plaintext);
  } catch (error) {
    if (error instanceof SnugCryptoError) return null;
    throw error;
  }
}

/** What the host key signs to show that the member of that signature key (32 bytes) holds the seed. */
export const grantedMessage = (groupId: Bytes, signatureKey: Bytes): Bytes =>
  concat(utf8("snug 1 granted"), prefixed(groupId, 2), signatureKey);

const info = (groupId: Bytes): Bytes => concat(utf8("snug 1 grant"), groupId);
