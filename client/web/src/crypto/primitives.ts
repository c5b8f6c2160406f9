/**
 * X25519 (RFC 7748) over WebCrypto, which holds the private halves.
 *
 * What MLS needs beside it, `mls/` has from ts-mls.
 */

import { type Bytes, hex, type Rng, systemRng } from "./bytes";
import { MalformedError, StateError } from "./errors";
import { exactly } from "./fields";
import { KEY_SIZE, privateKey } from "./kdf";

const { subtle } = crypto;

const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(31));

// The u of all points with which every exchange gives zeros (RFC 7748, 6.1), little-endian: 0, 1, two of order 8,
// and -1, 0 and 1 written as p - 1, p and p + 1.
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

/** Whether something can be sealed to a key: right in size, and no point of small order. */
export function hpkeUsable(publicHalf: Uint8Array): boolean {
  if (publicHalf.length !== KEY_SIZE) return false;
  const u = new Uint8Array(publicHalf);
  u[31] = (u[31] ?? 0) & 0x7f; // which the exchange doesn't look at
  return !SMALL_ORDER.has(hex(u));
}

/** An X25519 key pair. Where its bytes have to be written down, `keep` keeps them beside it. */
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

  /** The key of 32 private bytes; MalformedError on another size. */
  static async fromPrivate(bytes: Bytes, keep = false): Promise<X25519Key> {
    exactly(bytes, KEY_SIZE, "an X25519 private key");
    const key = await privateKey("X25519", bytes, false, ["deriveBits"]);
    return new X25519Key(key, await exchange(key, BASE_POINT), keep ? bytes : null);
  }

  /** A new key from `rng`'s 32 bytes. */
  static generate(rng: Rng = systemRng, keep = false): Promise<X25519Key> {
    return X25519Key.fromPrivate(rng(KEY_SIZE), keep);
  }

  /** The private half, 32 bytes; StateError where it wasn't kept. */
  get private(): Bytes {
    if (this.#bytes === null) throw new StateError("this key's private half was not kept");
    return this.#bytes;
  }

  /** X25519 with `other`, 32 bytes; MalformedError on a wrong size, or when all exchanges with it are zeros. */
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
