/**
 * A long-term identity: an X25519 key, shown to chosen people only, with deniable proofs
 * (docs/reference/protocol.md, section 9).
 *
 * A proof is an HMAC under a key that both ends of a Diffie-Hellman exchange can compute. It convinces the
 * receiver, who knows that it did not make the proof itself. It convinces no third party, because the
 * receiver could have made it. There are two kinds of proof, each made to a key that the receiver holds and
 * has signed:
 *
 * - **at the knock**, to the card key of a host;
 * - **in the room**, to another member's box. Its key combines two exchanges: identity with box, and our box
 *   with box. Making it requires the identity key *and* the box key of the leaf, so that a member cannot
 *   vouch for another member's leaf. The vouch is sealed to the box and must travel unsigned: a signature
 *   would turn it into a proof to third parties.
 */

import { decode, encode } from "../../wire/layout";
import {
  OPENED_VOUCH,
  type OpenedVouch,
  SHOWN_IDENTITY,
  VOUCH_CONTEXT,
  type VouchContext,
} from "../../wire/layouts/identity";
import { type Bytes, concat, hex, type Rng, systemRng, utf8 } from "../bytes";
import { AuthenticationError, MalformedError } from "../errors";
import { exactly } from "../fields";
import * as hpke from "../hpke";
import { H, KDF, KEY_SIZE, mac, same } from "../kdf";
import { hpkeUsable, X25519Key } from "../primitives";

/** Digits of a fingerprint: 132 bits, read aloud in eight groups of five. */
export const DIGITS = 40;
/** Bytes of an identity in a knock: public key and proof. */
export const KNOCK_PROOF_SIZE = 64;
/** Bytes of a sealed vouch: `enc`, then leaf, public key and proof under HPKE. */
export const VOUCH_SIZE = hpke.KEY_SIZE + 4 + 64 + hpke.TAG_SIZE;
const PRIME = 2n ** 255n - 19n;

/**
 * Return the public key (32 bytes, X25519) if it is valid.
 *
 * MalformedError if it has another size, is of small order (anybody could then make every proof), or is not
 * canonical: one key must not have two fingerprints.
 */
export function checkPublic(publicHalf: Bytes): Bytes {
  exactly(publicHalf, KEY_SIZE, "an identity's public key");
  if (BigInt(`0x${hex(publicHalf.toReversed())}`) >= PRIME)
    throw new MalformedError("the identity's public key is not in canonical form");
  if (!hpkeUsable(publicHalf)) throw new MalformedError("the X25519 public key is of small order");
  return publicHalf;
}

/** Return 40 digits of H("snug 1 fingerprint" | public), without spaces. Throws as `checkPublic` does. */
export function fingerprint(publicHalf: Bytes): string {
  const digest = H(utf8("snug 1 fingerprint"), checkPublic(publicHalf));
  return (BigInt(`0x${hex(digest)}`) % 10n ** BigInt(DIGITS)).toString().padStart(DIGITS, "0");
}

/** The user's own identity key pair. */
export class IdentityKey {
  readonly #key: X25519Key;

  private constructor(key: X25519Key) {
    this.#key = key;
  }

  /** MalformedError unless `bytes` has 32 bytes. */
  static async fromPrivate(bytes: Bytes): Promise<IdentityKey> {
    exactly(bytes, KEY_SIZE, "an identity's private key");
    return new IdentityKey(await X25519Key.fromPrivate(bytes, true));
  }

  /** Generate a new identity key. */
  static generate(rng: Rng = systemRng): Promise<IdentityKey> {
    return IdentityKey.fromPrivate(rng(KEY_SIZE));
  }

  /** The public half, 32 bytes. */
  get public(): Bytes {
    return this.#key.public;
  }

  /** The secret half, 32 bytes: only for storage in the sealed book. */
  get private(): Bytes {
    return this.#key.private;
  }

  // -- at the knock ----------------------------------------------------------------------------

  /**
   * Return `public 32 | proof 32` for the card's host, bound to this knock and its KeyPackage.
   *
   * MalformedError if `cardPublic` (32 bytes) is of small order.
   */
  async knockProof(cardPublic: Bytes, enc: Bytes, keyPackage: Bytes): Promise<Bytes> {
    const shared = await this.#key.exchange(cardPublic);
    const proof = knockMac(shared, this.public, cardPublic, enc, keyPackage);
    return encode(SHOWN_IDENTITY, { public: this.public, proof });
  }

  // -- in the room -----------------------------------------------------------------------------

  /**
   * Prove to the member at `context.toLeaf` only that `context.leaf` is ours: `VOUCH_SIZE` bytes.
   *
   * `box` is the key pair of `context.box`. MalformedError if a box is of small order.
   */
  async vouch(context: VouchContext, box: X25519Key, rng: Rng = systemRng): Promise<Bytes> {
    const byIdentity = await this.#key.exchange(context.toBox);
    const proof = vouchMac(byIdentity, await box.exchange(context.toBox), this.public, context);
    const plaintext = encode(OPENED_VOUCH, { leaf: context.leaf, public: this.public, proof });
    const sealed = await hpke.seal(context.toBox, vouchInfo(context.groupId), context.toSignatureKey, plaintext, rng);
    return concat(sealed.enc, sealed.ciphertext);
  }
}

// -- at the knock ---------------------------------------------------------------------------------

/**
 * Verify the identity in a knock and return its public key. `card` is the key pair of the card.
 *
 * MalformedError if the key is invalid, AuthenticationError if the newcomer does not hold the private key.
 */
export async function verifyKnockProof(
  knockProof: Bytes,
  card: X25519Key,
  enc: Bytes,
  keyPackage: Bytes,
): Promise<Bytes> {
  const { public: publicHalf, proof } = decode(SHOWN_IDENTITY, knockProof);
  checkPublic(publicHalf);
  const shared = await card.exchange(publicHalf);
  if (!same(proof, knockMac(shared, publicHalf, card.public, enc, keyPackage)))
    throw new AuthenticationError("the knock does not hold the identity that it shows");
  return publicHalf;
}

function knockMac(
  shared: Bytes,
  publicHalf: Bytes,
  cardPublic: Bytes,
  enc: Bytes,
  keyPackage: Bytes,
): Bytes {
  return mac(KDF(shared, "snug 1 id knock"), publicHalf, cardPublic, enc, H(keyPackage));
}

// -- in the room ----------------------------------------------------------------------------------

/**
 * Verify the proof in a vouch and return the identity's public key; `box` is our key pair of `context.toBox`.
 *
 * AuthenticationError if its author does not hold both the identity and the box of that leaf, or if the proof is for
 * other ends. MalformedError if a key is invalid.
 */
export async function verifyVouch(vouch: OpenedVouch, context: VouchContext, box: X25519Key): Promise<Bytes> {
  checkPublic(vouch.public);
  const byIdentity = await box.exchange(vouch.public);
  const expected = vouchMac(byIdentity, await box.exchange(context.box), vouch.public, context);
  if (vouch.leaf !== context.leaf || !same(vouch.proof, expected))
    throw new AuthenticationError("the vouch was not made by the holder of that identity and leaf");
  return vouch.public;
}

/**
 * Open a vouch. Its contents are unproven until `verifyVouch`.
 *
 * AuthenticationError if it is sealed to another member, in another group or to another leaf of ours.
 * MalformedError if it does not have `VOUCH_SIZE` bytes or its key is of small order.
 */
export async function openVouch(
  sealed: Bytes,
  box: X25519Key,
  ownSignatureKey: Bytes,
  groupId: Bytes,
): Promise<OpenedVouch> {
  exactly(sealed, VOUCH_SIZE, "a vouch");
  const [enc, ciphertext] = [sealed.slice(0, hpke.KEY_SIZE), sealed.slice(hpke.KEY_SIZE)];
  const opened = await hpke.open(box, enc, vouchInfo(groupId), ownSignatureKey, ciphertext);
  return decode(OPENED_VOUCH, opened.plaintext);
}

const vouchInfo = (groupId: Bytes): Bytes => concat(utf8("snug 1 id vouch"), groupId);

function vouchMac(byIdentity: Bytes, byBox: Bytes, publicHalf: Bytes, context: VouchContext): Bytes {
  // the receiver can compute both exchanges with its own private key: this makes the proof deniable
  return mac(KDF(concat(byIdentity, byBox), "snug 1 id"), publicHalf, encode(VOUCH_CONTEXT, context));
}
