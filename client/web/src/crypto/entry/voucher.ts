/**
 * Vouchers of an operator, and their exchange for anonymous tokens (protocol section 3).
 *
 * Tokens are RFC 9497 VOPRF outputs, suite ristretto255-SHA512. The server evaluates blinded inputs, so it cannot
 * recognise a token that is spent. It proves that it used the key that everybody gets (`Voucher.keyHash`): a key for
 * one person alone would recognise that person.
 */
import { ristretto255_oprf } from "@noble/curves/ed25519.js";
import { decode } from "../../wire/layout";
import { VOUCHER } from "../../wire/layouts/rights";
import { sentence } from "../../words/sentence";
import { type Bytes, type Rng, same, systemRng } from "../bytes";
import { AuthenticationError, MalformedError } from "../errors";
import { keyHash, type Token } from "./permission";

const { voprf } = ristretto255_oprf;
/** What a voucher's text begins with. */
export const PREFIX = "snug-voucher-";
const VOUCHER_SIZE = 68;
/** Bytes of a voucher that the server gets: week, id and MAC. */
const SENT = 36;

/** A voucher from an operator: `sent` (36 bytes) is for the server, `keyHash` for the client's check. */
export class Voucher {
  private constructor(readonly week: number, readonly sent: Bytes, readonly keyHash: Bytes) {}

  /** Read a voucher's text; MalformedError if it is none. */
  static parse(text: string): Voucher {
    const trimmed = text.trim();
    if (!trimmed.startsWith(PREFIX)) throw new MalformedError(sentence("voucher.none"));
    const raw = fromBase64url(trimmed.slice(PREFIX.length));
    if (raw?.length !== VOUCHER_SIZE) throw new MalformedError(sentence("voucher.cut"));
    const { week, keyHash: named } = decode(VOUCHER, raw);
    return new Voucher(week, raw.slice(0, SENT), named);
  }

  /** Check that the server's key of this week is the voucher's. AuthenticationError if not. */
  check(key: Bytes): void {
    if (!same(keyHash(this.week, key), this.keyHash)) throw new AuthenticationError(sentence("voucher.key"));
  }
}

function fromBase64url(text: string): Bytes | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  try {
    return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
  } catch {
    return null;
  }
}

/** One exchange of a voucher. Send `blinded` with `voucher.sent`, and pass the answer to `finish`. */
export class Exchange {
  readonly #week: number;
  readonly #key: Bytes;
  readonly #items: readonly { readonly input: Bytes; readonly blind: Uint8Array; readonly blinded: Bytes }[];

  /** `key`: the server's for the voucher's week. AuthenticationError if the voucher names another. */
  constructor(voucher: Voucher, key: Bytes, count: number, rng: Rng = systemRng) {
    voucher.check(key);
    this.#week = voucher.week;
    this.#key = key;
    this.#items = Array.from({ length: count }, () => {
      const input = rng(32);
      const { blind, blinded } = voprf.blind(input, (size) => rng(size ?? 32));
      return { input, blind, blinded: Uint8Array.from(blinded) };
    });
  }

  get blinded(): Bytes[] {
    return this.#items.map(({ blinded }) => blinded);
  }

  /** Return the tokens; AuthenticationError if any was not evaluated under the key. */
  finish(evaluated: readonly Bytes[]): Token[] {
    try {
      if (evaluated.length !== this.#items.length) throw new RangeError("not as many as were asked for");
      return this.#items.map(({ input, blind, blinded }, i) => {
        const answer = evaluated[i] ?? new Uint8Array();
        const [proof, element] = [answer.slice(0, 64), answer.slice(64)];
        const output = voprf.finalize(input, blind, element, blinded, this.#key, proof);
        return { week: this.#week, key: this.#key, input, output: Uint8Array.from(output) };
      });
    } catch {
      throw new AuthenticationError(sentence("voucher.evaluated"));
    }
  }
}
