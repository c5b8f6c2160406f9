/**
 * SFrame, RFC 9605: header (4.3), keys (4.4.2), encryption (4.4.3), decryption (4.4.4), in Snug's only suite,
 * 0x0004 (AES_128_GCM_SHA256_128).
 *
 * A `FrameKey` is the cipher of one key id. A `Sealer` adds a counter and never reuses one. An `Opener` opens
 * each counter at most once (section 7.4 leaves this replay window to the application). Key ids and counters
 * are numbers below 2^53: Snug's have at most 32 bits.
 */

import { expand as hkdfExpand } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, int, utf8 } from "../bytes";
import { AuthenticationError, MalformedError, MissingKeyError, ReplayError, StateError } from "../errors";
import { mac } from "../kdf";

/** AES_128_GCM_SHA256_128 in the registry of section 8.1. */
export const SUITE = 4;
/** Nk: bytes of the AEAD key, and of a base key from the MLS exporter (5.2). */
export const KEY_SIZE = 16;
/** Nt: bytes of the tag. */
export const TAG_SIZE = 16;
/** Bytes of a nonce (Nn). */
export const NONCE_SIZE = 12;
/** Frames that one key seals before it refuses: years of video, and well within the bounds of AES-GCM. */
export const COUNTER_LIMIT = 2 ** 32;
/** Replay window in counters: older frames are rejected, as a replay could not be detected. */
export const REPLAY_WINDOW = 1024;

// -- header (4.3) ----------------------------------------------------------------------------------------

/** Key id and counter; `size` is the number of encoded bytes. */
export interface Header {
  readonly kid: number;
  readonly counter: number;
  readonly size: number;
}

/**
 * Decode the header at the front of an SFrame ciphertext.
 *
 * MalformedError if it is cut short, if a value is not in its shortest form (its only valid encoding), or if
 * a value is 2^53 or more.
 */
export function decodeHeader(data: Bytes): Header {
  const config = data[0];
  if (config === undefined) throw new MalformedError("an empty SFrame ciphertext");
  const [kid, middle] = field(data, 1, config >> 4);
  const [counter, size] = field(data, middle, config & 0x0f);
  return { kid, counter, size };
}

/** Decode a value from 4 bits (a flag, then the value or its length minus one) and the bytes at `at`. */
function field(data: Bytes, at: number, code: number): readonly [number, number] {
  if (code < 8) return [code, at];
  const end = at + (code & 7) + 1;
  if (end > data.length) throw new MalformedError("the SFrame header is cut short");
  let value = 0;
  for (const byte of data.subarray(at, end)) value = value * 256 + byte;
  if (value < 8 || (end - at > 1 && data[at] === 0))
    throw new MalformedError("the SFrame header is not in its shortest form");
  if (!Number.isSafeInteger(value)) throw new MalformedError("an SFrame header with a number beyond 2^53");
  return [value, end];
}

/** Encode a header, 1 to 15 bytes. MalformedError if a value is not within 0 to 2^53 - 1. */
export function encodeHeader(kid: number, counter: number): Bytes {
  const [kidCode, kidBytes] = code(kid);
  const [counterCode, counterBytes] = code(counter);
  return concat(int(kidCode * 16 + counterCode, 1), kidBytes, counterBytes);
}

function code(value: number): readonly [number, Bytes] {
  if (!(Number.isSafeInteger(value) && value >= 0))
    throw new MalformedError(`${value} is not within an SFrame header's 53 bits`);
  if (value < 8) return [value, new Uint8Array(0)];
  let size = 1;
  while (value >= 256 ** size) size++;
  return [8 | (size - 1), int(value, size)];
}

// -- keys (4.4.2) ----------------------------------------------------------------------------------------

/** Return sframe_secret (32 bytes), from which the keys of all key ids under one base key are expanded. */
export const extract = (baseKey: Bytes): Bytes => mac(new Uint8Array(32), baseKey);

/** Return sframe_key_label and sframe_salt_label. */
export function labels(kid: number): readonly [Bytes, Bytes] {
  const end = concat(int(kid, 8), int(SUITE, 2));
  return [concat(utf8("SFrame 1.0 Secret key "), end), concat(utf8("SFrame 1.0 Secret salt "), end)];
}

/** Return sframe_key (16 bytes) and sframe_salt (12 bytes) of a key id; `secret` comes from `extract`. */
export function expand(secret: Bytes, kid: number): readonly [Bytes, Bytes] {
  const [keyLabel, saltLabel] = labels(kid);
  return [
    hkdfExpand(sha256, secret, keyLabel, KEY_SIZE) as Bytes,
    hkdfExpand(sha256, secret, saltLabel, NONCE_SIZE) as Bytes,
  ];
}

/** The cipher of one key id; its key is imported once. Callers of `encrypt` must count: use a `Sealer`. */
export class FrameKey {
  readonly #key: Promise<CryptoKey>;
  readonly #salt: Bytes;

  /** `secret` comes from `extract`. MalformedError if `kid` does not fit in 53 bits. */
  constructor(secret: Bytes, readonly kid: number) {
    code(kid);
    const [key, salt] = expand(secret, kid);
    this.#key = crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]);
    this.#salt = salt;
  }

  /** Return the salt XOR the counter, 12 bytes. */
  nonce(counter: number): Bytes {
    const nonce = this.#salt.slice();
    int(counter, NONCE_SIZE).forEach((byte, i) => (nonce[i] = (nonce[i] ?? 0) ^ byte));
    return nonce;
  }

  /** 4.4.3: return header, ciphertext, tag. `metadata` is authenticated but not part of the result. */
  async encrypt(counter: number, metadata: Bytes, frame: Bytes): Promise<Bytes> {
    const header = encodeHeader(this.kid, counter);
    const how = { name: "AES-GCM", iv: this.nonce(counter), additionalData: concat(header, metadata) };
    return concat(header, new Uint8Array(await crypto.subtle.encrypt(how, await this.#key, frame)));
  }

  /**
   * 4.4.4: decrypt the frame in `data`; `header` is its decoded header. No replay check.
   *
   * AuthenticationError if the tag does not verify, MissingKeyError if the frame has another key id.
   */
  async decrypt(header: Header, metadata: Bytes, data: Bytes): Promise<Bytes> {
    if (header.kid !== this.kid)
      throw new MissingKeyError("a frame under another key id");
    const key = await this.#key;
    const additionalData = concat(data.subarray(0, header.size), metadata);
    try {
      const how = { name: "AES-GCM", iv: this.nonce(header.counter), additionalData };
      return new Uint8Array(await crypto.subtle.decrypt(how, key, data.subarray(header.size)));
    } catch {
      throw new AuthenticationError("the tag does not verify");
    }
  }
}

/** Seals frames under one key id, counting from 0. Use only one ever per key id. */
export class Sealer {
  readonly #key: FrameKey;
  readonly #limit: number;
  #counter = 0;
  #turn: Promise<unknown> = Promise.resolve();

  /** `limit`: maximum number of frames to seal, at most 2^53 - 1. */
  constructor(key: FrameKey, limit = COUNTER_LIMIT) {
    this.#key = key;
    this.#limit = Math.min(limit, Number.MAX_SAFE_INTEGER);
  }

  /** Number of frames sealed so far. */
  get sealed(): number {
    return this.#counter;
  }

  /**
   * Return the SFrame ciphertext of the next frame. StateError at the limit: no counter is reused.
   *
   * Calls resolve in the order in which they were made: a signed list must not skip a frame.
   */
  async seal(metadata: Bytes, frame: Bytes): Promise<Bytes> {
    const counter = this.#counter;
    if (counter >= this.#limit) throw new StateError("this media key has sealed all the frames that it may");
    // count before use: if encryption fails, the counter is spent anyway
    this.#counter = counter + 1;
    const done = Promise.all([this.#key.encrypt(counter, metadata, frame), this.#turn]);
    this.#turn = done.catch(() => null);
    return (await done)[0];
  }
}

/** Record of the last `size` counters. */
export class ReplayWindow {
  #highest = -1;
  readonly #seen: Uint8Array; // indexed by counter modulo size

  constructor(readonly size = REPLAY_WINDOW) {
    this.#seen = new Uint8Array(size);
  }

  /** The highest counter; -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** Throw ReplayError if the counter was seen before, or is older than the window. */
  check(counter: number): void {
    const behind = this.#highest - counter;
    if (behind < 0) return;
    if (behind >= this.size)
      throw new ReplayError(`a frame ${behind} behind the newest is too old`);
    if (this.#seen[counter % this.size] === 1) throw new ReplayError("the frame was received before");
  }

  /** Mark a counter as seen. Call it after `check`, and only after the frame has authenticated. */
  advance(counter: number): void {
    // a jump can be as large as 2^53: never clear more than the window
    if (counter - this.#highest >= this.size) this.#seen.fill(0);
    else for (let passed = this.#highest + 1; passed < counter; passed++) this.#seen[passed % this.size] = 0;
    this.#seen[counter % this.size] = 1;
    this.#highest = Math.max(this.#highest, counter);
  }
}

/** Opens frames under one key id, each counter at most once. */
export class Opener {
  readonly window: ReplayWindow;
  readonly #key: FrameKey;
  #busy = 0;

  constructor(key: FrameKey, window = REPLAY_WINDOW) {
    this.#key = key;
    this.window = new ReplayWindow(window);
  }

  /** Whether no frame has authenticated here yet, and none is being opened. */
  get unused(): boolean {
    return this.#busy === 0 && this.window.highest < 0;
  }

  /**
   * Return [counter, frame]. A given `header` avoids decoding it again.
   *
   * MalformedError, MissingKeyError (another key id), ReplayError, AuthenticationError. An error changes no
   * state.
   */
  async open(
    metadata: Bytes,
    data: Bytes,
    header: Header = decodeHeader(data),
  ): Promise<readonly [number, Bytes]> {
    this.window.check(header.counter);
    this.#busy++;
    try {
      const frame = await this.#key.decrypt(header, metadata, data);
      // check again: a copy of the same frame may have opened during decryption
      this.window.check(header.counter);
      this.window.advance(header.counter);
      return [header.counter, frame];
    } finally {
      this.#busy--;
    }
  }
}
