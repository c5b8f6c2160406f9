/**
 * The secret tree and its ratchets (RFC 9420 section 9): one key per message, deleted after use.
 *
 * ts-mls stores the ratchet secret of a skipped generation, from which all later keys derive. This module
 * stores only the key of that generation, and overwrites a secret once the next one has replaced it. Looking
 * up a generation consumes no key; only `consume` does. It derives keys once: those of generations ahead are
 * kept, at most MAX_GAP + 1 per ratchet.
 */

import { directPath, left, nodeWidth, right, root, toNodeIndex } from "ts-mls/treemath.js";
import { type Bytes, int } from "../crypto/bytes";
import { MissingKeyError, ReplayError, ValidationError } from "../crypto/errors";
import { expandWithLabel, NH } from "./suite";

/** Maximum number of generations that one message may skip. */
export const MAX_GAP = 200;
/** Maximum number of skipped keys kept per ratchet. */
export const WINDOW = 200;
const MAX_GENERATION = 2 ** 32 - 1;

export type RatchetKind = "handshake" | "application";

/**
 * The AEAD key (16 bytes) and nonce (12 bytes) of one generation.
 *
 * Call `consume` once the message has been authenticated.
 */
export interface MessageKey {
  readonly generation: number;
  readonly key: Bytes;
  readonly nonce: Bytes;
  readonly consume: () => void;
}

type KeptKey = readonly [key: Bytes, nonce: Bytes];

/**
 * One sender's keys of one kind, in order (section 9.1).
 *
 * `#secret` derives the generation after those in `#ahead`. These were derived for a message that has not been
 * authenticated, and are kept: a forged message with a high generation costs its derivations once.
 */
class Ratchet {
  #secret: Bytes;
  #next = 0;
  /** The keys of `#next` and the following generations. */
  readonly #ahead: KeptKey[] = [];
  readonly #skipped = new Map<number, KeptKey>();

  constructor(secret: Bytes) {
    this.#secret = secret;
  }

  /** The generation after the highest that was consumed. */
  get nextGeneration(): number {
    return this.#next;
  }

  /**
   * Return the key of a generation without consuming it.
   *
   * ReplayError if it was consumed or dropped, ValidationError SNUG-17 if it is ahead by more than the
   * allowed gap.
   */
  peek(generation: number): MessageKey {
    if (generation < this.#next) {
      const kept = this.#skipped.get(generation);
      if (kept === undefined) throw new ReplayError(`generation ${generation} was used, or is too old`);
      return { generation, key: kept[0], nonce: kept[1], consume: () => this.#forget(generation) };
    }
    if (generation - this.#next > MAX_GAP)
      throw new ValidationError(
        "SNUG-17",
        `generation ${generation} is more than ${MAX_GAP} ahead of ${this.#next}`,
      );
    let found = this.#ahead[generation - this.#next];
    while (found === undefined) {
      this.#step(this.#next + this.#ahead.length);
      found = this.#ahead[generation - this.#next];
    }
    const [key, nonce] = found;
    return { generation, key, nonce, consume: () => this.#advance(generation) };
  }

  /** Derive key and nonce of the generation that `#secret` belongs to, and the next secret. */
  #step(generation: number): void {
    const secret = this.#secret;
    const at = int(generation, 4);
    this.#ahead.push([expandWithLabel(secret, "key", at, 16), expandWithLabel(secret, "nonce", at, 12)]);
    this.#secret = expandWithLabel(secret, "secret", at, NH);
    secret.fill(0);
  }

  #forget(generation: number): void {
    this.#skipped.get(generation)?.[0].fill(0);
    this.#skipped.delete(generation);
  }

  #advance(generation: number): void {
    for (const kept of this.#ahead.splice(0, generation - this.#next + 1)) this.#skipped.set(this.#next++, kept);
    this.#forget(generation);
    for (const step of this.#skipped.keys()) {
      if (this.#skipped.size <= WINDOW) break;
      this.#forget(step);
    }
  }

  wipe(): void {
    this.#secret.fill(0);
    for (const [key] of [...this.#ahead, ...this.#skipped.values()]) key.fill(0);
    this.#ahead.length = 0;
    this.#skipped.clear();
  }
}

/** All ratchets of an epoch, derived on demand from the encryption secret, which the tree takes over. */
export class SecretTree {
  readonly #size: number;
  readonly #nodes = new Map<number, Bytes>();
  readonly #ratchets = new Map<string, Ratchet>();
  #kinds: readonly RatchetKind[] = ["handshake", "application"];

  /** `size` is the number of leaves of the tree, including blank ones. */
  constructor(size: number, encryptionSecret: Bytes) {
    this.#size = size;
    this.#nodes.set(root(size), encryptionSecret);
  }

  #ratchet(leaf: number, kind: RatchetKind): Ratchet {
    const place = `${leaf} ${kind}`;
    if (!this.#ratchets.has(place)) this.#start(leaf);
    const ratchet = this.#ratchets.get(place);
    if (ratchet === undefined) throw new MissingKeyError(`the ${kind} keys of leaf ${leaf} are gone`);
    return ratchet;
  }

  /** Derive down to a leaf; each secret on the path is replaced by those of its children. */
  #start(leaf: number): void {
    const node = toNodeIndex(2 * leaf);
    if (node >= nodeWidth(this.#size)) throw new MissingKeyError(`there is no leaf ${leaf}`);
    const replace = (index: number, derived: (secret: Bytes) => void): void => {
      const secret = this.#nodes.get(index);
      if (secret === undefined) return;
      this.#nodes.delete(index);
      derived(secret);
      secret.fill(0);
    };
    const side = (secret: Bytes, name: string): Bytes =>
      expandWithLabel(secret, "tree", new TextEncoder().encode(name), NH);
    for (const index of directPath(node, this.#size).reverse())
      replace(index, (secret) => {
        this.#nodes.set(left(index), side(secret, "left"));
        this.#nodes.set(right(index), side(secret, "right"));
      });
    replace(node, (secret) => {
      for (const kind of this.#kinds)
        this.#ratchets.set(
          `${leaf} ${kind}`,
          new Ratchet(expandWithLabel(secret, kind, new Uint8Array(), NH)),
        );
    });
  }

  /** Return the key for a received message. Throws as `Ratchet.peek` does, and MissingKeyError. */
  peek(leaf: number, kind: RatchetKind, generation: number): MessageKey {
    return this.#ratchet(leaf, kind).peek(generation);
  }

  /**
   * Return the next key for sending and consume it: no key is returned twice. MissingKeyError if the ratchet
   * is exhausted.
   */
  next(leaf: number, kind: RatchetKind): Omit<MessageKey, "consume"> {
    const ratchet = this.#ratchet(leaf, kind);
    if (ratchet.nextGeneration > MAX_GENERATION) throw new MissingKeyError("the ratchet is exhausted");
    const { generation, key, nonce, consume } = ratchet.peek(ratchet.nextGeneration);
    const taken = key.slice();
    consume();
    return { generation, key: taken, nonce };
  }

  /** Wipe all handshake keys and our leaf's keys: the rest opens late application messages of others. */
  onlyApplication(ownLeaf: number): void {
    this.#start(ownLeaf);
    this.#kinds = ["application"];
    for (const [place, ratchet] of this.#ratchets)
      if (place.startsWith(`${ownLeaf} `) || place.endsWith("handshake")) {
        this.#ratchets.delete(place);
        ratchet.wipe();
      }
  }

  /** Wipe all secrets. */
  wipe(): void {
    for (const secret of this.#nodes.values()) secret.fill(0);
    for (const ratchet of this.#ratchets.values()) ratchet.wipe();
    this.#nodes.clear();
    this.#ratchets.clear();
  }
}
