/**
 * Error classes of `crypto`. The class says which party is at fault and how the caller reacts.
 *
 * Each message says what happened and why. The class alone is enough to decide what to do. A message for
 * people is a sentence of the catalogue (`client/session/catalogue/sentences/errors.toml`).
 */

import english from "../words/enErrors";
import { type Sentence, verbatim } from "../words/sentence";

const texts: Readonly<Record<string, string>> = { ...english, verbatim: "{text}" };

/** Return the English text of a error's sentence; for an unknown sentence, its key. */
export const inEnglish = ({ key, args }: Sentence): string =>
  (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, arg: string) => String(args?.[arg]));

/** Base class of all errors raised by `crypto`. `message` is English; `sentence` can be translated. */
export class SnugError extends Error {
  override readonly name: string = "SnugError";
  /** The text for people. */
  readonly sentence: Sentence;

  constructor(why: string | Sentence) {
    super(typeof why === "string" ? why : inEnglish(why));
    this.sentence = typeof why === "string" ? verbatim(why) : why;
  }
}

/**
 * The bytes do not have the expected form: too short, too long, wrong tag, or not canonical.
 *
 * The sender or an intermediary is at fault; drop the input.
 */
export class MalformedError extends SnugError {
  override readonly name = "MalformedError";
}

/** The input is well formed, but its version, suite or type is unsupported. */
export class UnsupportedError extends SnugError {
  override readonly name = "UnsupportedError";
}

/** A signature, MAC or AEAD tag did not verify. No part of the input may be used. */
export class AuthenticationError extends SnugError {
  override readonly name = "AuthenticationError";
}

/** The input has been seen before, or is too old to rule that out. */
export class ReplayError extends SnugError {
  override readonly name = "ReplayError";
}

/**
 * The input breaks a numbered rule. `rule` names it ("SNUG-7", "MLS-12.2-3"), `text` says how.
 *
 * The author of the input is at fault, and is known if its signature has verified.
 */
export class ValidationError extends SnugError {
  override readonly name = "ValidationError";
  readonly text: string;

  constructor(readonly rule: string, why: string | Sentence) {
    super(why);
    this.text = this.message;
    this.message = `${rule}: ${this.text}`;
  }
}

/** The caller requested an operation that its own state does not allow: a bug in the caller. */
export class StateError extends SnugError {
  override readonly name = "StateError";
}

/** The required key is absent: it is from another epoch, deleted, or was never received. */
export class MissingKeyError extends SnugError {
  override readonly name = "MissingKeyError";
}
