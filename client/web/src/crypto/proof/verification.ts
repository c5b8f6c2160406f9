/**
 * Codes that people compare to confirm that they are in the same meeting, without a man in the middle
 * (docs/reference/protocol.md, section 8).
 *
 * The *long* code has 40 decimal digits, from a secret that only members of this epoch can compute and from
 * the hash of the transcript. 40 digits are 132 bits: a committer that chooses keys on both sides needs about
 * 2^66 trials to give two groups the same code. With 30 digits, 2^50 trials would be enough.
 *
 * The *short* code is four emoji, 24 bits. A comparison of so few bits is secure only if nobody can retry
 * until the bits match. Therefore all members first commit to a random share, and reveal the shares after
 * everybody has committed. A member of two groups at once has a chance of 1 in 2^24 per run, and learns the
 * result only after all others have revealed. The remaining option is to withhold one's share, which
 * everybody notices.
 */

import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, hex, same, utf8 } from "../bytes";
import { EMOJI } from "./emoji";
import { StateError } from "../errors";
import { exactly, uint } from "../fields";
import { H, HASH_SIZE, KEY_SIZE } from "../kdf";

export const DIGITS = 40;
const GROUP = 5;
/** Bytes of a run id (`SID_SIZE`) and of a member's share (`SHARE_SIZE`). */
export const SID_SIZE = 16;
export const SHARE_SIZE = 32;
/** Number of emoji in a short code (`EMOJI_COUNT`), and bits per emoji (`BITS`). */
export const EMOJI_COUNT = 4;
const BITS = 6;

/**
 * Return 40 digits of `H("snug 1 code" | epoch_authenticator | confirmed_transcript_hash)`, without spaces.
 *
 * Both values (RFC 9420 sections 8.7 and 8.2) have 32 bytes, otherwise MalformedError; in epoch 0 only, the
 * transcript hash is empty. The 256-bit hash is reduced modulo 10^40. The resulting bias is 10^40 / 2^256,
 * less than 2^-123.
 */
export function longCode(epochAuthenticator: Bytes, confirmedTranscriptHash: Bytes): string {
  exactly(epochAuthenticator, 32, "an epoch authenticator");
  if (confirmedTranscriptHash.length > 0) exactly(confirmedTranscriptHash, 32, "a transcript hash");
  const digest = H(utf8("snug 1 code"), epochAuthenticator, confirmedTranscriptHash);
  return (BigInt(`0x${hex(digest)}`) % 10n ** BigInt(DIGITS)).toString().padStart(DIGITS, "0");
}

/** Format the code for reading aloud: eight groups of five digits, separated by spaces. */
export const grouped = (code: string): string =>
  (code.match(new RegExp(`.{1,${GROUP}}`, "g")) ?? []).join(" ");

// -- the short code --------------------------------------------------------------------------------------

/** Context of a run. Members with different values cannot get the same code. */
export interface CodeContext {
  /** 16 bytes, random, chosen by the opener of the run. */
  readonly sid: Bytes;
  readonly groupId: Bytes;
  /** Chain value at the opening of the run, 32 bytes. */
  readonly chain: Bytes;
  /** 32 bytes, RFC 9420 section 8.7. */
  readonly authenticator: Bytes;
  /** 32 bytes. */
  readonly treeHash: Bytes;
}

/**
 * Return c_i, 32 bytes: `H("snug 1 sc" | sid | group | chain | authenticator | leaf 4 | sigkey | r_i)`.
 *
 * Only the group id has a variable size. MalformedError unless sid has 16 bytes, and chain, authenticator,
 * signature key and share have 32.
 */
export const commitment = (context: CodeContext, leaf: number, signatureKey: Bytes, share: Bytes): Bytes =>
  H(
    utf8("snug 1 sc"),
    exactly(context.sid, SID_SIZE, "the id of a run"),
    context.groupId,
    exactly(context.chain, HASH_SIZE, "a chain value"),
    exactly(context.authenticator, HASH_SIZE, "an epoch authenticator"),
    uint(leaf, 4),
    exactly(signatureKey, KEY_SIZE, "a signature key"),
    exactly(share, SHARE_SIZE, "a share"),
  );

const inLeafOrder = (values: ReadonlyMap<number, Bytes>, size: number, what: string): Bytes[] =>
  [...values].sort(([one], [other]) => one - other).map(([, value]) => exactly(value, size, what));

/** Return V, 32 bytes: `H(c in leaf order)` over the commitments of all members, given by leaf. */
export const commitmentsDigest = (commitments: ReadonlyMap<number, Bytes>): Bytes =>
  H(...inLeafOrder(commitments, HASH_SIZE, "a commitment"));

/**
 * Return the code, 24 bits: the first three bytes of `HKDF-SHA256(salt V, ikm r in leaf order, info "snug 1
 * sc code" | authenticator | tree hash)`. MalformedError on wrong sizes.
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
  return hkdf(sha256, material, salt, info, (EMOJI_COUNT * BITS) / 8).reduce((code, byte) => code * 256 + byte, 0);
}

/** Return the numbers (0 to 63) of the code's four emoji, most significant six bits first. */
export const indices = (code: number): number[] =>
  Array.from({ length: EMOJI_COUNT }, (_, i) => (code >> (BITS * (EMOJI_COUNT - 1 - i))) & (2 ** BITS - 1));

/** Return the code's four [emoji, word] pairs, most significant six bits first. */
export const codeEmoji = (code: number): (readonly [string, string])[] =>
  indices(code).map((i) => EMOJI[i] ?? ["", ""]);

/**
 * Reason why a run failed, and the leaf that caused it.
 *
 * `fork`: the leaf has, or claims to have, other commitments than this member. `cheat`: the leaf revealed a
 * share that does not match its commitment.
 */
export interface CodeFailure {
  readonly kind: "fork" | "cheat";
  readonly leaf: number;
}

/**
 * One member's view of a run. It does no I/O and accepts messages from any sender in any order.
 *
 * Only the first commitment and the first reveal of each leaf count; messages from non-participants are
 * ignored. It holds our share, which is secret until the reveal.
 */
export class CodeRun {
  readonly #context: CodeContext;
  readonly #members: ReadonlyMap<number, Bytes>;
  readonly #share: Bytes;
  readonly #commitments = new Map<number, Bytes>();
  readonly #reveals = new Map<number, { readonly digest: Bytes; readonly share: Bytes }>();
  readonly #checked = new Set<number>();

  /** `members`: signature keys (32 bytes) by leaf, including ours. MalformedError on wrong sizes. */
  constructor(context: CodeContext, members: ReadonlyMap<number, Bytes>, readonly ownLeaf: number, share: Bytes) {
    this.#context = context;
    this.#members = new Map(members);
    this.#share = share;
    this.ownCommitment(); // throws on wrong sizes now, so that no later call does
  }

  /** The id of the run, 16 bytes. */
  get sid(): Bytes {
    return this.#context.sid;
  }

  /** The participating leaves, sorted. */
  get leaves(): number[] {
    return [...this.#members.keys()].sort((one, other) => one - other);
  }

  #commitment(leaf: number, share: Bytes): Bytes {
    const key = this.#members.get(leaf);
    if (key === undefined) throw new StateError(`leaf ${leaf} takes no part in this run`);
    return commitment(this.#context, leaf, key, share);
  }

  /** Return our commitment c, 32 bytes, to send to all members. */
  ownCommitment(): Bytes {
    return this.#commitment(this.ownLeaf, this.#share);
  }

  /** Return [V, our share], 32 bytes each. Send them only once `complete`. */
  ownReveal(): readonly [Bytes, Bytes] {
    return [this.digest, this.#share];
  }

  /** Record a member's commitment. MalformedError unless it has 32 bytes. */
  committed(leaf: number, theirs: Bytes): void {
    if (!this.#members.has(leaf)) return;
    exactly(theirs, HASH_SIZE, "a commitment");
    if (!this.#commitments.has(leaf)) this.#commitments.set(leaf, theirs);
  }

  /**
   * Record a member's share with its V. MalformedError unless both have 32 bytes.
   *
   * `judge` checks it once all commitments have arrived.
   */
  revealed(leaf: number, digest: Bytes, share: Bytes): void {
    exactly(digest, HASH_SIZE, "a digest of commitments");
    exactly(share, SHARE_SIZE, "a share");
    if (this.#members.has(leaf) && !this.#reveals.has(leaf)) this.#reveals.set(leaf, { digest, share });
  }

  /** Whether all participants have committed. */
  get complete(): boolean {
    return this.#commitments.size === this.#members.size;
  }

  /** V; only valid once `complete`. */
  get digest(): Bytes {
    return commitmentsDigest(this.#commitments);
  }

  /** Whether any member has revealed a share. */
  get shown(): boolean {
    return this.#reveals.size > 0;
  }

  /** Return the leaves whose next message is missing: commitments first, then shares. */
  waitingFor(): number[] {
    const there: ReadonlyMap<number, unknown> = this.complete ? this.#reveals : this.#commitments;
    return this.leaves.filter((leaf) => !there.has(leaf));
  }

  /** Check the revealed shares. Return the first failure, or null. */
  judge(): CodeFailure | null {
    if (!this.complete) return null;
    const ours = this.digest;
    for (const [leaf, { digest, share }] of this.#reveals) {
      if (this.#checked.has(leaf)) continue;
      // V first: if the leaf has other commitments, its share need not match the one received here
      if (!same(digest, ours)) return { kind: "fork", leaf };
      const theirs = this.#commitments.get(leaf);
      if (theirs === undefined || !same(this.#commitment(leaf, share), theirs))
        return { kind: "cheat", leaf };
      this.#checked.add(leaf);
    }
    return null;
  }

  /** The 24 bits, once all participants have revealed matching shares; otherwise null. */
  get code(): number | null {
    if (this.#checked.size !== this.#members.size) return null;
    const shares = new Map([...this.#reveals].map(([leaf, { share }]) => [leaf, share]));
    return shortCode(this.digest, shares, this.#context.authenticator, this.#context.treeHash);
  }
}
