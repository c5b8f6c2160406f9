/**
 * The codes that people compare to know that they are in the same meeting, with nobody between them
 * (docs/protocol.md, section 8).
 *
 * The *long* code is 40 decimal digits, from a value that only the members of this epoch can compute and the
 * hash of all that led to it. 40 digits are 132 bits: a committer who wanted two groups to show the same
 * code, and could choose keys on both sides, would need about 2^66 trials; with 30 digits 2^50 would do.
 *
 * The *short* code is four emoji, 24 bits. So few bits can only be compared if nobody can try again and again
 * until they suit: all members first commit to a random share, and show their shares when everybody has
 * committed. Who sits in two groups at once has one chance in 2^24 a run, and can't know before all others
 * have shown; to hold back one's own share then is all that is left, and everybody sees it.
 */

import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, hex, same, utf8 } from "./bytes";
import { EMOJI } from "./emoji";
import { StateError } from "./errors";
import { exactly, uint } from "./fields";
import { H, HASH_SIZE, KEY_SIZE } from "./kdf";

export const DIGITS = 40;
const GROUP = 5;
/** Bytes of a run's id, and of a member's share. */
export const SID_SIZE = 16;
export const SHARE_SIZE = 32;
/** Signs of a short code, and the bits that each stands for. */
export const SIGNS = 4;
const BITS = 6;

/**
 * 40 digits of `H("snug 1 code" | epoch_authenticator | confirmed_transcript_hash)`, without spaces.
 *
 * Both values (RFC 9420 sections 8.7 and 8.2) have 32 bytes, else MalformedError; only in epoch 0 the
 * transcript hash is empty. The 256-bit hash is taken modulo 10^40; some codes are thereby likelier than
 * others by 10^40 / 2^256, which is less than 2^-123.
 */
export function longCode(epochAuthenticator: Bytes, confirmedTranscriptHash: Bytes): string {
  exactly(epochAuthenticator, 32, "an epoch authenticator");
  if (confirmedTranscriptHash.length > 0) exactly(confirmedTranscriptHash, 32, "a transcript hash");
  const digest = H(utf8("snug 1 code"), epochAuthenticator, confirmedTranscriptHash);
  return (BigInt(`0x${hex(digest)}`) % 10n ** BigInt(DIGITS)).toString().padStart(DIGITS, "0");
}

/** The code as people read it out: eight groups of five digits, a space between. */
export const spoken = (code: string): string =>
  (code.match(new RegExp(`.{1,${GROUP}}`, "g")) ?? []).join(" ");

// -- the short code --------------------------------------------------------------------------------------

/** What a run is about; members who differ in any of it can't show each other the same code. */
export interface Ground {
  /** 16 bytes, random, the opener's. */
  readonly sid: Bytes;
  readonly groupId: Bytes;
  /** 32 bytes, when the run was opened. */
  readonly chain: Bytes;
  /** 32 bytes, RFC 9420 section 8.7. */
  readonly authenticator: Bytes;
  /** 32 bytes. */
  readonly treeHash: Bytes;
}

/**
 * c_i, 32 bytes: `H("snug 1 sc" | sid | group | chain | authenticator | leaf 4 | sigkey | r_i)`.
 *
 * The group id is the only field of no fixed size. MalformedError on other sizes than 16 for the sid, and 32
 * for chain, authenticator, signature key and share.
 */
export const commitment = (ground: Ground, leaf: number, signatureKey: Bytes, share: Bytes): Bytes =>
  H(
    utf8("snug 1 sc"),
    exactly(ground.sid, SID_SIZE, "the id of a run"),
    ground.groupId,
    exactly(ground.chain, HASH_SIZE, "a chain value"),
    exactly(ground.authenticator, HASH_SIZE, "an epoch authenticator"),
    uint(leaf, 4),
    exactly(signatureKey, KEY_SIZE, "a signature key"),
    exactly(share, SHARE_SIZE, "a share"),
  );

const inLeafOrder = (values: ReadonlyMap<number, Bytes>, size: number, what: string): Bytes[] =>
  [...values].sort(([one], [other]) => one - other).map(([, value]) => exactly(value, size, what));

/** V, 32 bytes: `H(c in leaf order)`, of all members' commitments by leaf. */
export const commitmentsDigest = (commitments: ReadonlyMap<number, Bytes>): Bytes =>
  H(...inLeafOrder(commitments, HASH_SIZE, "a commitment"));

/**
 * The code, 24 bits: the first three bytes of `HKDF-SHA256(salt V, ikm r in leaf order, info
 * "snug 1 sc code" | authenticator | tree hash)`. MalformedError on wrong sizes.
 */
export function shortCode(
  digest: Bytes,
  shares: ReadonlyMap<number, Bytes>,
  authenticator: Bytes,
  treeHash: Bytes,
): number {
  const material = concat(...inLeafOrder(shares, SHARE_SIZE, "a share"));
  const info = concat(
    utf8("snug 1 sc code"),
    exactly(authenticator, HASH_SIZE, "an epoch authenticator"),
    exactly(treeHash, HASH_SIZE, "a tree hash"),
  );
  const salt = exactly(digest, HASH_SIZE, "a digest of commitments");
  return hkdf(sha256, material, salt, info, (SIGNS * BITS) / 8).reduce((code, byte) => code * 256 + byte, 0);
}

/** The numbers (0 to 63) of a code's four signs, the most significant six bits first. */
export const indices = (code: number): number[] =>
  Array.from({ length: SIGNS }, (_, i) => (code >> (BITS * (SIGNS - 1 - i))) & (2 ** BITS - 1));

/** A code's four [emoji, word], the most significant six bits first. */
export const signs = (code: number): (readonly [string, string])[] =>
  indices(code).map((i) => EMOJI[i] ?? ["", ""]);

/**
 * Why a run came to a bad end, and by whose word.
 *
 * `fork`: that leaf has other commitments than we, or says so. `cheat`: it showed another share than it had
 * committed to.
 */
export interface Finding {
  readonly kind: "fork" | "cheat";
  readonly leaf: number;
}

/**
 * One run as one member sees it: pure bookkeeping, whosever messages come, in whatever order.
 *
 * The first commitment and the first reveal of a leaf count; what comes from nobody who takes part counts
 * for nothing. Holds our share, which is a secret until it is shown.
 */
export class CodeRun {
  readonly ownLeaf: number;
  readonly #ground: Ground;
  readonly #members: ReadonlyMap<number, Bytes>;
  readonly #share: Bytes;
  readonly #commitments = new Map<number, Bytes>();
  readonly #reveals = new Map<number, { readonly digest: Bytes; readonly share: Bytes }>();
  readonly #checked = new Set<number>();

  /** `members`: signature keys (32 bytes) by leaf, ours among them. MalformedError on wrong sizes. */
  constructor(ground: Ground, members: ReadonlyMap<number, Bytes>, ownLeaf: number, share: Bytes) {
    this.ownLeaf = ownLeaf;
    this.#ground = ground;
    this.#members = new Map(members);
    this.#share = share;
    this.ownCommitment(); // sizes are wrong now or never
  }

  /** The run's id, 16 bytes. */
  get sid(): Bytes {
    return this.#ground.sid;
  }

  /** Who takes part. */
  get leaves(): number[] {
    return [...this.#members.keys()].sort((one, other) => one - other);
  }

  #commitment(leaf: number, share: Bytes): Bytes {
    const key = this.#members.get(leaf);
    if (key === undefined) throw new StateError(`leaf ${leaf} takes no part in this run`);
    return commitment(this.#ground, leaf, key, share);
  }

  /** Our c, 32 bytes, to be told to all. */
  ownCommitment(): Bytes {
    return this.#commitment(this.ownLeaf, this.#share);
  }

  /** [V, our share], 32 bytes each, to be shown once `complete`: never before. */
  ownReveal(): readonly [Bytes, Bytes] {
    return [this.digest, this.#share];
  }

  /** A member's commitment has come; MalformedError unless it has 32 bytes. */
  committed(leaf: number, theirs: Bytes): void {
    if (!this.#members.has(leaf)) return;
    exactly(theirs, HASH_SIZE, "a commitment");
    if (!this.#commitments.has(leaf)) this.#commitments.set(leaf, theirs);
  }

  /**
   * A member's share has come, with the V that it goes by; MalformedError unless both have 32 bytes.
   *
   * It is judged once all commitments are here.
   */
  revealed(leaf: number, digest: Bytes, share: Bytes): void {
    exactly(digest, HASH_SIZE, "a digest of commitments");
    exactly(share, SHARE_SIZE, "a share");
    if (this.#members.has(leaf) && !this.#reveals.has(leaf)) this.#reveals.set(leaf, { digest, share });
  }

  /** Whether everybody has committed. */
  get complete(): boolean {
    return this.#commitments.size === this.#members.size;
  }

  /** V; only meaningful once `complete`. */
  get digest(): Bytes {
    return commitmentsDigest(this.#commitments);
  }

  /** Whether anybody's share has come. */
  get shown(): boolean {
    return this.#reveals.size > 0;
  }

  /** The leaves whose next message is missing: commitments first, then shares. */
  waitingFor(): number[] {
    const there: ReadonlyMap<number, unknown> = this.complete ? this.#reveals : this.#commitments;
    return this.leaves.filter((leaf) => !there.has(leaf));
  }

  /** The first thing wrong with what has been shown, if anything is. */
  judge(): Finding | null {
    if (!this.complete) return null;
    const ours = this.digest;
    for (const [leaf, { digest, share }] of this.#reveals) {
      if (this.#checked.has(leaf)) continue;
      // V first: with other commitments of its own in mind, a share need not fit the one that we have
      if (!same(digest, ours)) return { kind: "fork", leaf };
      const theirs = this.#commitments.get(leaf);
      if (theirs === undefined || !same(this.#commitment(leaf, share), theirs))
        return { kind: "cheat", leaf };
      this.#checked.add(leaf);
    }
    return null;
  }

  /** The 24 bits, once everybody has shown a share that fits. */
  get code(): number | null {
    if (this.#checked.size !== this.#members.size) return null;
    const shares = new Map([...this.#reveals].map(([leaf, { share }]) => [leaf, share]));
    return shortCode(this.digest, shares, this.#ground.authenticator, this.#ground.treeHash);
  }
}
