/**
 * The kinds of error that `crypto` raises, named for who must act.
 *
 * Every message says what happened and why; the caller knows what to do from the kind alone. Where a person will
 * read it, it is a sentence of the languages' files (`words/en/crypto.ts`).
 */

import english from "../words/en/crypto";
import policy from "../words/en/policy";
import { type Sentence, verbatim } from "../words/sentence";

const texts: Readonly<Record<string, string>> = { ...english, ...policy, verbatim: "{text}" };

/** A sentence of `words/en/crypto.ts` in English; of others the key. */
export const inEnglish = ({ key, args }: Sentence): string =>
  (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, arg: string) => String(args?.[arg]));

/** Base of all errors raised by `crypto`: its message is English, its sentence can be said in any language. */
export class SnugCryptoError extends Error {
  override readonly name: string = "SnugCryptoError";
  /** What to tell a person. */
  readonly sentence: Sentence;

  constructor(why: string | Sentence) {
    super(typeof why === "string" ? why : inEnglish(why));
    this.sentence = typeof why === "string" ? verbatim(why) : why;
  }
}

/**
 * Bytes that are not what they claim to be: too short, too long, wrong tag, not canonical.
 *
 * The sender (or whoever stands between) is at fault; drop the input.
 */
export class MalformedError extends SnugCryptoError {
  override readonly name = "MalformedError";
}

/** Well formed, but of a version, suite or type that this code does not speak. */
export class UnsupportedError extends SnugCryptoError {
  override readonly name = "UnsupportedError";
}

/** A signature, MAC or AEAD tag did not verify. Nothing of the input may be used. */
export class AuthenticationError extends SnugCryptoError {
  override readonly name = "AuthenticationError";
}

/** Seen before, or so old that it can no longer be told from something seen before. */
export class ReplayError extends SnugCryptoError {
  override readonly name = "ReplayError";
}

/**
 * A numbered rule is broken. `rule` names it ("SNUG-7", "MLS-12.2-3"), the text says how.
 *
 * The author of the input is at fault, and can be named when its signature has verified.
 */
export class ValidationError extends SnugCryptoError {
  override readonly name = "ValidationError";
  readonly rule: string;
  readonly text: string;

  constructor(rule: string, why: string | Sentence) {
    super(why);
    this.rule = rule;
    this.text = this.message;
    this.message = `${rule}: ${this.text}`;
  }
}

/** The caller asked for something that its own state does not allow: a bug of the caller. */
export class StateError extends SnugCryptoError {
  override readonly name = "StateError";
}

/** The key needed is not here: another epoch's, deleted, or never given to us. */
export class MissingKeyError extends SnugCryptoError {
  override readonly name = "MissingKeyError";
}
