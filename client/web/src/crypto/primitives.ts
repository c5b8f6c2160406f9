/**
 * X25519 (RFC 7748) over WebCrypto, which holds the private keys.
 *
 * MLS also needs further primitives: `mls/` gets them from ts-mls.
 */

import { type Bytes, hex, type Rng, systemRng } from "./bytes";
import { MalformedError, StateError } from "./errors";
import { exactly } from "./fields";
import { KEY_SIZE, privateKey } from "./kdf";

const { subtle } = crypto;

const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(31));

// u coordinates of all points for which every exchange yields zeros (RFC 7748, 6.1), little-endian: 0, 1, two
// of order 8, and -1, 0 and 1 written as p - 1, p and p + 1.
const FF = "ff".repeat(30);
const SMALL_ORDER = new Set([
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  `ec${FF}7f`,
  `ed${FF}7f`,
  `ee${FF}7f`,
]);

/** Return whether data can be sealed to a key: it has the right size and is not a point of small order. */
export function hpkeUsable(publicHalf: Uint8Array): boolean {
  if (publicHalf.length !== KEY_SIZE) return false;
  const u = new Uint8Array(publicHalf);
  u[31] = (u[31] ?? 0) & 0x7f; // the exchange ignores this bit
  return !SMALL_ORDER.has(hex(u));
}

/**
 * An X25519 key pair. With `keep`, the object also stores the private bytes, for keys that have to be written
 * to a file.
 */
export class X25519Key {
  readonly #key: CryptoKey;
  readonly #bytes: Bytes | null;
  /** The public half, 32 bytes. */
  readonly public: Bytes;

  private constructor(key: CryptoKey, publicHalf: Bytes, bytes: Bytes | null) {
    this.#key = key;
    this.public = publicHalf;
    this.#bytes = bytes;
  }

  /** Return the key pair of 32 private bytes. MalformedError for other sizes. */
  static async fromPrivate(bytes: Bytes, keep = false): Promise<X25519Key> {
    exactly(bytes, KEY_SIZE, "an X25519 private key");
    const key = await privateKey("X25519", bytes, false, ["deriveBits"]);
    return new X25519Key(key, await exchange(key, BASE_POINT), keep ? bytes : null);
  }

  /** Generate a new key pair from 32 bytes of `rng`. */
  static generate(rng: Rng = systemRng, keep = false): Promise<X25519Key> {
    return X25519Key.fromPrivate(rng(KEY_SIZE), keep);
  }

  /** The private half, 32 bytes. StateError if it was not kept. */
  get private(): Bytes {
    if (this.#bytes === null) throw new StateError("this key's private half was not kept");
    return this.#bytes;
  }

  /** X25519 with `other`: 32 bytes. MalformedError if `other` has a wrong size or is of small order. */
  async exchange(other: Bytes): Promise<Bytes> {
    if (!hpkeUsable(exactly(other, KEY_SIZE, "an X25519 public key")))
      throw new MalformedError("the X25519 public key is of small order");
    return exchange(this.#key, other);
  }
}

async function exchange(key: CryptoKey, other: Bytes): Promise<Bytes> {
  const peer = await subtle.importKey("raw", other, "X25519", true, []);
  return new Uint8Array(await subtle.deriveBits({ name: "X25519", public: peer }, key, 256));
}
