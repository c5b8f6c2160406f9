/**
 * Hybrid public key encryption, RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, in mode base.
 *
 * Supports associated data and secret export (5.3). WebCrypto performs the exchange and the AEAD; this file
 * implements the RFC's key schedule. Each context seals or opens one message: the protocol has no second
 * message.
 */

import { expand } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, int, type Rng, systemRng, utf8 } from "./bytes";
import { AuthenticationError, MalformedError, StateError } from "./errors";
import { exactly } from "./fields";
import { X25519Key } from "./primitives";

const { subtle } = crypto;

const NK = 16;
const NN = 12;
const NH = 32;
/** Bytes of an X25519 public or private key, and of `enc`. */
export const KEY_SIZE = 32;
/** Bytes that an AEAD adds to a plaintext. */
export const TAG_SIZE = 16;

const EMPTY = new Uint8Array(0);
const VERSION = utf8("HPKE-v1");
const KEM_SUITE = concat(utf8("KEM"), int(0x0020, 2));
/** suite_id of section 5.1: X25519, HKDF-SHA256, AES-128-GCM. */
const SUITE = concat(utf8("HPKE"), int(0x0020, 2), int(0x0001, 2), int(0x0001, 2));
const MODE_BASE = Uint8Array.of(0);

function labeledExtract(suite: Bytes, salt: Bytes, label: string, ikm: Bytes): Bytes {
  const key = salt.length === 0 ? new Uint8Array(NH) : salt;
  return hmac(sha256, key, concat(VERSION, suite, utf8(label), ikm)) as Bytes;
}

function labeledExpand(suite: Bytes, prk: Bytes, label: string, info: Bytes, length: number): Bytes {
  if (!(length > 0 && length <= 255 * NH))
    throw new MalformedError(`HKDF-SHA256 gives 1 to ${255 * NH} bytes, not ${length}`);
  return expand(sha256, prk, concat(int(length, 2), VERSION, suite, utf8(label), info), length) as Bytes;
}

/** DeriveKeyPair of section 7.1.3. MalformedError if `ikm` has fewer than 32 bytes. */
export async function deriveKeyPair(ikm: Bytes, keep = false): Promise<X25519Key> {
  if (ikm.length < KEY_SIZE)
    throw new MalformedError(`a key pair is derived from at least ${KEY_SIZE} bytes, not ${ikm.length}`);
  const prk = labeledExtract(KEM_SUITE, EMPTY, "dkp_prk", ikm);
  return X25519Key.fromPrivate(labeledExpand(KEM_SUITE, prk, "sk", EMPTY, KEY_SIZE), keep);
}

/** ExtractAndExpand over the DH (4.1), after the check of 7.1.4 that the DH is not all zeros. */
async function sharedSecret(own: X25519Key, other: Bytes, enc: Bytes, receiver: Bytes): Promise<Bytes> {
  const prk = labeledExtract(KEM_SUITE, EMPTY, "eae_prk", await own.exchange(other));
  return labeledExpand(KEM_SUITE, prk, "shared_secret", concat(enc, receiver), NH);
}

/** Exports further secrets from one encryption (5.3). */
export class Exporter {
  readonly #secret: Bytes;

  constructor(secret: Bytes) {
    this.#secret = secret;
  }

  /** Context.Export: return `length` bytes (1 to 8,160; else MalformedError), equal on both sides. */
  export(context: Bytes, length: number): Bytes {
    return labeledExpand(SUITE, this.#secret, "sec", context, length);
  }
}

/** Key, nonce and exporter of the KeySchedule (5.1). */
class Context {
  readonly #key: Bytes;
  readonly #nonce: Bytes;
  /** Exports secrets (5.3). */
  readonly exporter: Exporter;

  constructor(shared: Bytes, info: Bytes) {
    const ids = labeledExtract(SUITE, EMPTY, "psk_id_hash", EMPTY);
    const context = concat(MODE_BASE, ids, labeledExtract(SUITE, EMPTY, "info_hash", info));
    const secret = labeledExtract(SUITE, shared, "secret", EMPTY);
    this.#key = labeledExpand(SUITE, secret, "key", context, NK);
    this.#nonce = labeledExpand(SUITE, secret, "base_nonce", context, NN);
    this.exporter = new Exporter(labeledExpand(SUITE, secret, "exp", context, NH));
  }

  /** Seal or open the context's only message. */
  async apply(use: "encrypt" | "decrypt", aad: Bytes, data: Bytes): Promise<Bytes> {
    const key = await subtle.importKey("raw", this.#key, "AES-GCM", false, [use]);
    const under = { name: "AES-GCM", iv: this.#nonce, additionalData: aad };
    return new Uint8Array(await subtle[use](under, key, data));
  }
}

/** SetupBaseS (5.1): `enc` for the receiver, then one message. */
export class Sender {
  readonly #context: Context;
  #spent = false;

  private constructor(context: Context, readonly enc: Bytes) {
    this.#context = context;
  }

  /**
   * Set up the context; `rng` provides the 32 bytes of the ephemeral private key. MalformedError on a bad
   * public key.
   */
  static async setup(publicHalf: Bytes, info: Bytes, rng: Rng = systemRng): Promise<Sender> {
    const ephemeral = await X25519Key.generate(rng);
    const enc = ephemeral.public;
    return new Sender(new Context(await sharedSecret(ephemeral, publicHalf, enc, publicHalf), info), enc);
  }

  get exporter(): Exporter {
    return this.#context.exporter;
  }

  /**
   * Context.Seal: return the ciphertext, 16 bytes longer. StateError on a second call, which would reuse the
   * nonce.
   */
  seal(aad: Bytes, plaintext: Bytes): Promise<Bytes> {
    if (this.#spent) throw new StateError("an HPKE context of ours seals once");
    this.#spent = true;
    return this.#context.apply("encrypt", aad, plaintext);
  }
}

/** Result of `seal`: `enc` (32 bytes) and `ciphertext` are sent, `exporter` stays with the sender. */
export interface Sealed {
  readonly enc: Bytes;
  readonly ciphertext: Bytes;
  readonly exporter: Exporter;
}

/** Result of `open`: the plaintext, and the exporter that the sender has too. */
export interface Opened {
  readonly plaintext: Bytes;
  readonly exporter: Exporter;
}

/** Single-shot encryption (section 6.1) to an X25519 public key. Throws what `Sender.setup` throws. */
export async function seal(
  publicHalf: Bytes,
  info: Bytes,
  aad: Bytes,
  plaintext: Bytes,
  rng: Rng = systemRng,
): Promise<Sealed> {
  const sender = await Sender.setup(publicHalf, info, rng);
  return { enc: sender.enc, ciphertext: await sender.seal(aad, plaintext), exporter: sender.exporter };
}

/**
 * Single-shot decryption (section 6.1).
 *
 * MalformedError if `enc` is not an X25519 public key, AuthenticationError if the ciphertext does not open.
 */
export async function open(
  own: X25519Key,
  enc: Bytes,
  info: Bytes,
  aad: Bytes,
  ciphertext: Bytes,
): Promise<Opened> {
  exactly(enc, KEY_SIZE, "an X25519 public key");
  const context = new Context(await sharedSecret(own, enc, enc, own.public), info);
  try {
    return { plaintext: await context.apply("decrypt", aad, ciphertext), exporter: context.exporter };
  } catch {
    throw new AuthenticationError("the HPKE ciphertext does not open");
  }
}
