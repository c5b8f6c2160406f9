/**
 * The parts of an answer that grow with the room: ratchet tree and ledger, in pieces beside the answer.
 *
 * docs/reference/protocol.md, section 4. In a small room the Welcome contains the tree, and the answer the ledger. In a
 * larger room, the answer lists the hashes of pieces instead, and has their key, sealed to the newcomer's KeyPackage.
 * All newcomers of a commit share its pieces. A newcomer takes a piece if its hash is in the list, so nobody else can
 * add, replace or reorder one. The tree hash that a host has signed decides on the tree (RFC 9420 section 12.4.3.1).
 */
import type * as mls from "../../mls";
import { openWith, sealTo } from "../../mls/sealed";
import { decode, encode } from "../../wire/layout";
import { PIECE_LIST, TREE_AND_LEDGER } from "../../wire/layouts/pieces";
import { type Bytes, concat, hex, type Rng, systemRng, utf8 } from "../bytes";
import { MalformedError } from "../errors";
import { exactly, padded, uint, unpadded } from "../fields";
import { H, SEAL_OVERHEAD, seal, unseal } from "../kdf";
import type { Answer } from "./answers";
import { ENVELOPE_OVERHEAD, type Piece } from "./lobby";

/**
 * The largest tree that a Welcome contains, and the largest ledger in an answer, in bytes: with both, an answer's blob
 * has at most 32,768 bytes.
 */
export const TREE_INSIDE_MAX = 24_576;
export const LEDGER_INSIDE_MAX = 6_144;
/** Pieces of one answer: about 1 MB, which is a room of 1,000 members whose names are as long as they may be. */
export const PIECES_MAX = 16;
/** Size of a piece's blob, and the smallest size of the last one. */
export const PIECE_BLOB = 65_536;
export const LAST_BLOB_MIN = 32_768;
/** Answers of one newcomer that wait for pieces at once. */
export const ANSWERS_MAX = 16;

const LABEL = "snug 1 tree key";
const KEY = 32;
/** Bytes of the tree and the ledger in one piece. */
const IN_PIECE = PIECE_BLOB - ENVELOPE_OVERHEAD - SEAL_OVERHEAD - 4;

const aadOf = (index: number): Bytes => concat(utf8("snug 1 tree piece"), uint(index, 1));

/** Tree and ledger of one epoch, sealed once for all newcomers of its commit. */
export class SealedPieces {
  readonly #key: Bytes;

  private constructor(readonly pieces: readonly Piece[], key: Bytes) {
    this.#key = key;
  }

  /**
   * Seal an encoded ratchet tree (empty: it is in the Welcome) and a ledger.
   *
   * MalformedError if they are too large for `PIECES_MAX` pieces.
   */
  static async make(tree: Bytes, ledger: Bytes, rng: Rng = systemRng): Promise<SealedPieces> {
    const data = encode(TREE_AND_LEDGER, { tree, ledger });
    const count = Math.ceil(data.length / IN_PIECE);
    if (count > PIECES_MAX)
      throw new MalformedError(`a room whose tree and ledger have ${data.length} bytes is too large`);
    const key = rng(KEY);
    const pieces: Piece[] = [];
    for (let index = 0; index < count; index++) {
      const part = data.slice(index * IN_PIECE, (index + 1) * IN_PIECE);
      const small = index === count - 1 && part.length <= IN_PIECE - (PIECE_BLOB - LAST_BLOB_MIN);
      const size = (small ? LAST_BLOB_MIN : PIECE_BLOB) - ENVELOPE_OVERHEAD - SEAL_OVERHEAD;
      pieces.push({ type: "Piece", sealed: await seal(key, padded(part, size), aadOf(index), rng) });
    }
    return new SealedPieces(pieces, key);
  }

  /** Return the list for the answer to the owner of that KeyPackage (`Answer.pieces`). */
  async listFor(keyPackage: mls.KeyPackage, rng: Rng = systemRng): Promise<Bytes> {
    const hashes = this.pieces.map(({ sealed }) => H(sealed));
    const sealedKey = await sealTo(keyPackage, LABEL, concat(...hashes), this.#key, rng);
    return encode(PIECE_LIST, { sealedKey, hashes });
  }
}

/** A newcomer's answer whose pieces are still to come. */
export class Assembly {
  readonly #hashes: readonly string[];
  readonly #key: Bytes;
  readonly #parts = new Map<number, Bytes>();

  private constructor(readonly answer: Answer, hashes: readonly string[], key: Bytes) {
    this.#hashes = hashes;
    this.#key = key;
  }

  /**
   * Read `answer.pieces`. MalformedError if it is no such list, or AuthenticationError if it is not for the KeyPackage
   * of `bundle`.
   */
  static async open(answer: Answer, bundle: mls.KeyPackageBundle): Promise<Assembly> {
    const { sealedKey, hashes } = decode(PIECE_LIST, answer.pieces);
    const key = await openWith(bundle, LABEL, concat(...hashes), sealedKey);
    return new Assembly(answer, hashes.map(hex), exactly(key, KEY, "a key of pieces"));
  }

  /** The number of pieces that have not come. */
  get missing(): number {
    return this.#hashes.length - this.#parts.size;
  }

  /**
   * Take a piece; return whether it belongs to the answer and is new.
   *
   * MalformedError or AuthenticationError if the answer lists it although it holds nothing.
   */
  async add({ sealed }: Piece): Promise<boolean> {
    const index = this.#hashes.indexOf(hex(H(sealed)));
    if (index < 0 || this.#parts.has(index)) return false;
    this.#parts.set(index, unpadded(await unseal(this.#key, sealed, aadOf(index))));
    return true;
  }

  /**
   * Return the answer with its ledger, and the tree (undefined: it is in the Welcome).
   *
   * MalformedError if the pieces together are not a tree and a ledger.
   */
  finish(): { readonly answer: Answer; readonly tree: Bytes | undefined } {
    const parts = this.#hashes.map((_, index) => this.#parts.get(index) ?? new Uint8Array());
    const { tree, ledger } = decode(TREE_AND_LEDGER, concat(...parts));
    const answer = { ...this.answer, ledger, pieces: new Uint8Array() };
    return { answer, tree: tree.length === 0 ? undefined : tree };
  }
}

/** Receives the complete answer, and the tree unless the Welcome has it. */
export type Done = (answer: Answer, tree: Bytes | undefined) => Promise<void>;

/** The answers of one newcomer that wait for pieces: at most `ANSWERS_MAX`, the oldest go first. */
export class Assemblies {
  #waiting: { readonly assembly: Assembly; readonly done: Done }[] = [];

  /**
   * Call `done` with the answer once it is complete, which may be at once.
   *
   * An answer that comes again keeps the pieces that are here. Throws like `Assembly`.
   */
  async take(answer: Answer, bundle: mls.KeyPackageBundle, done: Done): Promise<void> {
    if (answer.pieces.length === 0) return done(answer, undefined);
    const list = hex(answer.pieces);
    if (this.#waiting.some(({ assembly }) => hex(assembly.answer.pieces) === list)) return;
    this.#waiting = [...this.#waiting, { assembly: await Assembly.open(answer, bundle), done }].slice(-ANSWERS_MAX);
  }

  /** Give a piece to the answer that lists it; return whether it was missing. Throws like `Assembly`. */
  async piece(piece: Piece): Promise<boolean> {
    for (const each of this.#waiting) {
      const { assembly, done } = each;
      if (!(await assembly.add(piece))) continue;
      if (assembly.missing === 0) {
        this.#waiting = this.#waiting.filter((other) => other !== each);
        const { answer, tree } = assembly.finish();
        await done(answer, tree);
      }
      return true;
    }
    return false;
  }
}
