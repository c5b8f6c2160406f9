// The most frequent calls of `crypto.subtle`, done at once instead of in Node's thread pool: import this first.
//
// A scenario makes ten thousands of calls, one after the other, and each waits for a thread to wake up: two thirds of
// the time. The algorithms and keys are the same (OpenSSL's). Browsers' own WebCrypto is tested by
// tests/web/test_crypto_browsers.py, Node's by the unit tests.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  diffieHellman,
  KeyObject,
  sign,
  verify,
} from "node:crypto";

const TAG_SIZE = 16;
const { subtle } = globalThis.crypto;
const native = {
  encrypt: subtle.encrypt.bind(subtle),
  decrypt: subtle.decrypt.bind(subtle),
  sign: subtle.sign.bind(subtle),
  verify: subtle.verify.bind(subtle),
  digest: subtle.digest.bind(subtle),
  deriveBits: subtle.deriveBits.bind(subtle),
};
const known = new WeakMap<CryptoKey, KeyObject>();

function keyObject(key: CryptoKey): KeyObject {
  let found = known.get(key);
  if (found === undefined) {
    found = KeyObject.from(key);
    known.set(key, found);
  }
  return found;
}

const bytes = (source: BufferSource): Buffer =>
  ArrayBuffer.isView(source) ? Buffer.from(source.buffer, source.byteOffset, source.byteLength) : Buffer.from(source);

const exact = (...parts: readonly Uint8Array[]): ArrayBuffer => new Uint8Array(Buffer.concat(parts)).buffer;

const cipher = (key: CryptoKey): "aes-128-gcm" | "aes-256-gcm" =>
  (key.algorithm as AesKeyAlgorithm).length === 128 ? "aes-128-gcm" : "aes-256-gcm";

/** The parameters if this is AES-GCM with a tag of 16 bytes, and the key is for that; else WebCrypto itself answers. */
function gcm(how: unknown, key: CryptoKey, use: KeyUsage): AesGcmParams | null {
  const params = how as AesGcmParams;
  const usual = params.name === "AES-GCM" && (params.tagLength ?? 128) === 128 && key.algorithm.name === "AES-GCM";
  return usual && key.usages.includes(use) ? params : null;
}

subtle.encrypt = async (how, key, data) => {
  const params = gcm(how, key, "encrypt");
  if (params === null) return native.encrypt(how, key, data);
  const made = createCipheriv(cipher(key), keyObject(key), bytes(params.iv));
  if (params.additionalData !== undefined) made.setAAD(bytes(params.additionalData));
  const sealed = made.update(bytes(data));
  return exact(sealed, made.final(), made.getAuthTag());
};

subtle.decrypt = async (how, key, data) => {
  const params = gcm(how, key, "decrypt");
  const sealed = bytes(data);
  if (params === null || sealed.length < TAG_SIZE) return native.decrypt(how, key, data);
  const made = createDecipheriv(cipher(key), keyObject(key), bytes(params.iv), { authTagLength: TAG_SIZE });
  if (params.additionalData !== undefined) made.setAAD(bytes(params.additionalData));
  made.setAuthTag(sealed.subarray(-TAG_SIZE));
  const opened = made.update(sealed.subarray(0, -TAG_SIZE));
  try {
    return exact(opened, made.final());
  } catch {
    throw new DOMException("The operation failed for an operation-specific reason", "OperationError");
  }
};

const isEd25519 = (how: unknown, key: CryptoKey, use: KeyUsage): boolean =>
  (how === "Ed25519" || (how as Algorithm).name === "Ed25519") &&
  key.algorithm.name === "Ed25519" &&
  key.usages.includes(use);

const nameOf = (how: AlgorithmIdentifier): string => (typeof how === "string" ? how : how.name);

/** Node's name of a hash, by its name in WebCrypto. */
const HASHES: Readonly<Record<string, string>> = { "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" };

subtle.digest = async (how, data) => {
  const hash = HASHES[nameOf(how)];
  return hash === undefined ? native.digest(how, data) : exact(createHash(hash).update(bytes(data)).digest());
};

/** The hash of an HMAC key that may do that, if this is HMAC. */
const hmac = (how: unknown, key: CryptoKey): string | undefined =>
  nameOf(how as AlgorithmIdentifier) === "HMAC" && key.algorithm.name === "HMAC" && key.usages.includes("sign")
    ? HASHES[(key.algorithm as HmacKeyAlgorithm).hash.name]
    : undefined;

subtle.sign = async (how, key, data) => {
  if (isEd25519(how, key, "sign")) return exact(sign(null, bytes(data), keyObject(key)));
  const hash = hmac(how, key);
  if (hash === undefined) return native.sign(how, key, data);
  return exact(createHmac(hash, keyObject(key)).update(bytes(data)).digest());
};

subtle.deriveBits = async (how, key, length) => {
  const peer = (how as EcdhKeyDeriveParams).public;
  const x25519 = nameOf(how as AlgorithmIdentifier) === "X25519" && key.algorithm.name === "X25519";
  const usual = key.usages.includes("deriveBits") && (length ?? 256) === 256;
  if (!x25519 || !usual || peer.algorithm.name !== "X25519")
    return native.deriveBits(how, key, length);
  const shared = diffieHellman({ privateKey: keyObject(key), publicKey: keyObject(peer) });
  // as WebCrypto does: a point of small order gives no secret
  if (shared.every((byte) => byte === 0)) return native.deriveBits(how, key, length);
  return exact(shared);
};

subtle.verify = async (how, key, signature, data) =>
  isEd25519(how, key, "verify")
    ? verify(null, bytes(data), keyObject(key), bytes(signature))
    : native.verify(how, key, signature, data);
