/**
 * Cipher suite 1 for ts-mls, from the browser's primitives: X25519, Ed25519 and AES-GCM by WebCrypto, hashes
 * by noble.
 *
 * ts-mls gets private keys as opaque handles: neither it nor other code sees their bytes.
 */

import { hmac } from "@noble/hashes/hmac.js";
import { expand, extract } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { CiphersuiteImpl } from "ts-mls/crypto/ciphersuite.js";
import type { Hash } from "ts-mls/crypto/hash.js";
import type { Hpke, PrivateKey, PublicKey } from "ts-mls/crypto/hpke.js";
import type { Kdf } from "ts-mls/crypto/kdf.js";
import type { Signature } from "ts-mls/crypto/signature.js";
import { type Bytes, concat, int, type Rng, same, utf8 } from "../crypto/bytes";
import { AuthenticationError, MalformedError, StateError, UnsupportedError } from "../crypto/errors";
import * as hpke from "../crypto/hpke";
import { H, SigningKey, mac, verify } from "../crypto/kdf";
import { opaque } from "../crypto/labels";
import type { X25519Key } from "../crypto/primitives";
import { suiteName } from "./read";
import { CipherSuite, type SignatureKey } from "./types";

export { hpkeUsable } from "../crypto/primitives";
export { opaque };

/** The only suite of the page. */
export const SUITE = CipherSuite.X25519_AES128GCM_SHA256_ED25519;
/** Nh: bytes of a hash and of every secret. */
export const NH = 32;

/** Throw UnsupportedError unless it is the page's suite. */
export function ourSuite(suite: number): void {
  if (suite !== SUITE) throw new UnsupportedError(`this page does not speak cipher suite ${suite}`);
}

// -- labelled operations (RFC 9420 5.1, 8), synchronous --

/** ExpandWithLabel to `length` bytes. */
export function expandWithLabel(
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Bytes {
  const info = concat(int(length, 2), opaque(utf8(`MLS 1.0 ${label}`)), opaque(context));
  return expand(sha256, secret, info, length) as Bytes;
}

const NOTHING = new Uint8Array();

/** DeriveSecret: return 32 bytes. */
export const deriveSecret = (secret: Uint8Array, label: string): Bytes =>
  expandWithLabel(secret, label, NOTHING, NH);

/** RefHash (5.2). `label` is the complete label: no prefix is added. */
export const refHash = (label: string, value: Uint8Array): Bytes => H(opaque(utf8(label)), opaque(value));

// -- AES-128-GCM --

const gcm = (key: Bytes, use: "encrypt" | "decrypt"): Promise<CryptoKey> =>
  crypto.subtle.importKey("raw", key, "AES-GCM", false, [use]);

export async function seal(key: Bytes, iv: Bytes, plaintext: Bytes, additionalData: Bytes): Promise<Bytes> {
  const under = { name: "AES-GCM", iv, additionalData };
  return new Uint8Array(await crypto.subtle.encrypt(under, await gcm(key, "encrypt"), plaintext));
}

/** Decrypt. AuthenticationError if the tag does not verify. */
export async function open(key: Bytes, iv: Bytes, ciphertext: Bytes, additionalData: Bytes): Promise<Bytes> {
  const under = { name: "AES-GCM", iv, additionalData };
  const held = await gcm(key, "decrypt");
  try {
    return new Uint8Array(await crypto.subtle.decrypt(under, held, ciphertext));
  } catch {
    throw new AuthenticationError("an AEAD tag does not verify");
  }
}

// -- for ts-mls --

export const hash: Hash = {
  digest: async (data) => H(data),
  mac: async (key, data) => mac(key, data),
  verifyMac: async (key, tag, data) => same(mac(key, data), tag),
};

/** Compare the MAC of `data` with `tag` in constant time. */
export const macMatches = (key: Uint8Array, data: Uint8Array, tag: Uint8Array): boolean =>
  same(hmac(sha256, key, data), tag);

export const kdf: Kdf = {
  size: NH,
  extract: async (salt, ikm) => extract(sha256, ikm, salt),
  expand: async (prk, info, length) => expand(sha256, prk, info, length),
};

export const signature: Signature = {
  sign: (key, message) => (key as unknown as SignatureKey).sign(message),
  async verify(key, message, signed) {
    try {
      await verify(key as Bytes, message as Bytes, signed as Bytes);
      return true;
    } catch (error) {
      if (error instanceof AuthenticationError || error instanceof MalformedError) return false;
      throw error;
    }
  },
  keygen: () => Promise.reject(new StateError("signature keys are not made by ts-mls")),
};

/** Pass one of our handles where ts-mls expects bytes or a key. */
export const handle = <T>(ours: SignatureKey | X25519Key | Bytes): T => ours as unknown as T;
const ours = <T>(theirs: PrivateKey | PublicKey | Uint8Array): T => theirs as unknown as T;

/** Return a random GREASE code point (RFC 9420 section 13.5). */
export const pickGrease = (rng: Rng): number => 0x0a0a + 0x1010 * ((rng(1)[0] ?? 0) % 15);

/** Generate an HPKE key. */
export const generateKey = (rng: Rng): Promise<X25519Key> => hpke.deriveKeyPair(rng(NH));

/** Return the suite, with randomness from `rng`. */
export function suiteWith(rng: Rng): CiphersuiteImpl {
  const pair = (key: X25519Key): { privateKey: PrivateKey; publicKey: PublicKey } => ({
    privateKey: handle(key),
    publicKey: handle(key.public),
  });
  const sealing: Hpke = {
    keyLength: 16,
    nonceLength: 12,
    importPublicKey: async (key) => handle(key as Bytes),
    exportPublicKey: async (key) => ours(key),
    importPrivateKey: async (key) => ours(key),
    exportPrivateKey: async (key) => ours(key),
    deriveKeyPair: async (ikm) => pair(await hpke.deriveKeyPair(ikm as Bytes)),
    generateKeyPair: async () => pair(await generateKey(rng)),
    async seal(key, plaintext, info, aad) {
      const sealed = await hpke.seal(
        ours(key),
        info as Bytes,
        (aad ?? NOTHING) as Bytes,
        plaintext as Bytes,
        rng,
      );
      return { enc: sealed.enc, ct: sealed.ciphertext };
    },
    open: async (key, enc, ciphertext, info, aad) => {
      const parts = [enc, info, aad ?? NOTHING, ciphertext] as [Bytes, Bytes, Bytes, Bytes];
      return (await hpke.open(ours(key), ...parts)).plaintext;
    },
    encryptAead: (key, nonce, aad, plaintext) =>
      seal(key as Bytes, nonce as Bytes, plaintext as Bytes, (aad ?? NOTHING) as Bytes),
    decryptAead: (key, nonce, aad, ciphertext) =>
      open(key as Bytes, nonce as Bytes, ciphertext as Bytes, (aad ?? NOTHING) as Bytes),
    exportSecret: () => Promise.reject(new StateError("nobody comes in by an external commit")),
    importSecret: () => Promise.reject(new StateError("nobody comes in by an external commit")),
  };
  return { hash, kdf, signature, hpke: sealing, rng: { randomBytes: rng }, name: suiteName(SUITE) };
}

/** Generate an Ed25519 key that is not extractable. UnsupportedError for another suite. */
export async function generateSignatureKey(suite: number): Promise<SigningKey> {
  ourSuite(suite);
  return SigningKey.fresh();
}
