/**
 * Primitives that Snug uses outside MLS: H, KDF, an AEAD, Ed25519.
 *
 * H is SHA-256; KDF is HKDF-SHA256 (RFC 5869) without salt; the AEAD is AES-256-GCM (SP 800-38D) with a
 * random 96-bit nonce prepended. Both clients have it natively. One key seals at most a few thousand blobs,
 * far below the 2^32 at which random nonces become a risk.
 */

import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, hex, type Rng, systemRng, utf8 } from "./bytes";
import { AuthenticationError, MalformedError, StateError } from "./errors";
import { exactly } from "./fields";

export { same } from "./bytes";

export const HASH_SIZE = 32;
export const KEY_SIZE = 32;
export const SIGNATURE_SIZE = 64;
export const NONCE_SIZE = 12;
export const TAG_SIZE = 16;
/** Bytes that `seal` adds to a plaintext. */
export const SEAL_OVERHEAD = NONCE_SIZE + TAG_SIZE;

const { subtle } = crypto;

/** Return the SHA-256 of the concatenated parts, 32 bytes. */
export function H(...parts: readonly Uint8Array[]): Bytes {
  const digest = sha256.create();
  for (const part of parts) digest.update(part);
  return digest.digest() as Bytes;
}

/** HKDF-SHA256 (RFC 5869): no salt, `key` as input key material, `label` as info; `length` bytes. */
export function KDF(key: Uint8Array, label: Uint8Array | string, length = KEY_SIZE): Bytes {
  const info = typeof label === "string" ? utf8(label) : label;
  return hkdf(sha256, key, undefined, info, length) as Bytes;
}

/** Return the HMAC-SHA256 (RFC 2104) over the concatenated parts, 32 bytes. */
export function mac(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  return hmac(sha256, key, concat(...parts)) as Bytes;
}

const gcm = (key: Bytes, use: "encrypt" | "decrypt"): Promise<CryptoKey> =>
  subtle.importKey("raw", exactly(key, KEY_SIZE, "a sealing key"), "AES-GCM", false, [use]);

/** AES-256-GCM under a 32-byte key: return nonce (12 bytes, from `rng`), ciphertext, tag (16 bytes). */
export async function seal(key: Bytes, plaintext: Bytes, aad: Bytes, rng: Rng = systemRng): Promise<Bytes> {
  const iv = exactly(rng(NONCE_SIZE), NONCE_SIZE, "a nonce");
  const under = { name: "AES-GCM", iv, additionalData: aad };
  return concat(iv, new Uint8Array(await subtle.encrypt(under, await gcm(key, "encrypt"), plaintext)));
}

/**
 * Return the plaintext that was passed to `seal`.
 *
 * MalformedError if `sealed` is too short, AuthenticationError if it is not sealed under this key with this
 * `aad`.
 */
export async function unseal(key: Bytes, sealed: Bytes, aad: Bytes): Promise<Bytes> {
  if (sealed.length < SEAL_OVERHEAD)
    throw new MalformedError(`${sealed.length} bytes are too few for sealed data`);
  const under = { name: "AES-GCM", iv: sealed.subarray(0, NONCE_SIZE), additionalData: aad };
  const held = await gcm(key, "decrypt");
  try {
    return new Uint8Array(await subtle.decrypt(under, held, sealed.subarray(NONCE_SIZE)));
  } catch {
    throw new AuthenticationError("the data was not sealed under this key, or has changed since");
  }
}

// RFC 8410: last byte of the object identifier, in the PKCS #8 header before a 32-byte private key
const PKCS8 = { Ed25519: 0x70, X25519: 0x6e };

/** Return WebCrypto's key for 32 private bytes of either curve (RFC 8410). */
export function privateKey(
  curve: keyof typeof PKCS8,
  secret: Bytes,
  extractable: boolean,
  uses: KeyUsage[],
): Promise<CryptoKey> {
  const head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, PKCS8[curve], 4, 0x22, 4, 0x20];
  return subtle.importKey("pkcs8", concat(Uint8Array.from(head), secret), curve, extractable, uses);
}

/** A key pair whose secret half is not extractable. */
export interface KeyHandle {
  readonly key: CryptoKey;
  readonly public: Bytes;
}

/**
 * An Ed25519 key pair (RFC 8032). WebCrypto holds the secret half and does not export it.
 *
 * Some protocol steps need the seed itself (that of a door); with `keep`, the object stores it too.
 */
export class SigningKey {
  readonly #key: CryptoKey;
  readonly #seed: Bytes | null;
  /** The public half, 32 bytes. */
  readonly public: Bytes;

  private constructor(key: CryptoKey, publicHalf: Bytes, seed: Bytes | null) {
    this.#key = key;
    this.public = publicHalf;
    this.#seed = seed;
  }

  /** Return the key of a 32-byte seed. MalformedError for other sizes. */
  static async fromSeed(seed: Bytes, keep = false): Promise<SigningKey> {
    exactly(seed, KEY_SIZE, "an Ed25519 seed");
    // WebCrypto derives no public key from a non-extractable key: import the seed twice
    const { x } = await subtle.exportKey("jwk", await privateKey("Ed25519", seed, true, ["sign"]));
    const publicHalf = Uint8Array.from(atob((x ?? "").replace(/-/g, "+").replace(/_/g, "/")), (c) =>
      c.charCodeAt(0),
    );
    const key = await privateKey("Ed25519", seed, false, ["sign"]);
    return new SigningKey(key, exactly(publicHalf, KEY_SIZE, "an Ed25519 public key"), keep ? seed : null);
  }

  /** Generate a new key from 32 bytes of `rng`. */
  static generate(rng: Rng = systemRng, keep = false): Promise<SigningKey> {
    return SigningKey.fromSeed(rng(KEY_SIZE), keep);
  }

  /** Generate a new key in the browser: its seed never enters this program's memory. */
  static async fresh(): Promise<SigningKey> {
    const pair = (await subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
    return new SigningKey(pair.privateKey, new Uint8Array(await subtle.exportKey("raw", pair.publicKey)), null);
  }

  /** Return the key of which that is the `handle`. */
  static of({ key, public: publicHalf }: KeyHandle): SigningKey {
    return new SigningKey(key, publicHalf, null);
  }

  /** The key as the browser can store it, without letting anybody read it. */
  get handle(): KeyHandle {
    return { key: this.#key, public: this.public };
  }

  /** The secret half, 32 bytes. StateError if it was not kept. */
  get seed(): Bytes {
    if (this.#seed === null) throw new StateError("this key's seed was not kept");
    return this.#seed;
  }

  /** Return the signature, 64 bytes; deterministic. */
  async sign(message: Bytes): Promise<Bytes> {
    return new Uint8Array(await subtle.sign("Ed25519", this.#key, message));
  }
}

// y coordinates of the points whose order divides 8 (little-endian, without the sign of x): 1, 0, -1 and two
// of order 8. ORDER is the order L of the prime-order subgroup: S must be below it.
const FF = "ff".repeat(30);
const SMALL_ORDER = new Set([
  `01${"00".repeat(31)}`,
  "00".repeat(32),
  `ec${FF}7f`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]);
const PRIME = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

const little = (bytes: Uint8Array): bigint => BigInt(`0x${hex(bytes.toReversed())}`);

/** Return whether an encoded Ed25519 point is canonical and not of small order. */
function usable(point: Uint8Array): boolean {
  const y = new Uint8Array(point);
  y[31] = (y[31] ?? 0) & 0x7f;
  return little(y) < PRIME && !SMALL_ORDER.has(hex(y));
}

/**
 * Check an Ed25519 signature (RFC 8032). Small-order keys and a non-canonical S are rejected.
 *
 * MalformedError on wrong sizes, AuthenticationError if it is not the signature of `message` by `publicHalf`.
 * Browsers accept points of small order, with which one signature is valid for many messages. This function
 * rejects them, as libsodium does in the Python client.
 */
export async function verify(publicHalf: Bytes, message: Bytes, signature: Bytes): Promise<void> {
  exactly(publicHalf, KEY_SIZE, "an Ed25519 public key");
  exactly(signature, SIGNATURE_SIZE, "an Ed25519 signature");
  const strict =
    usable(publicHalf) && usable(signature.subarray(0, 32)) && little(signature.subarray(32)) < ORDER;
  let good = false;
  try {
    good =
      strict &&
      (await subtle.verify(
        "Ed25519",
        await subtle.importKey("raw", publicHalf, "Ed25519", false, ["verify"]),
        signature,
        message,
      ));
  } catch {
    // the key is not a point of the curve
  }
  if (!good) throw new AuthenticationError("the signature is not by that key over these bytes");
}
