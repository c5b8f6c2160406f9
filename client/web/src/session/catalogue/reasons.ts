/** The sentences of errors (`client/session/catalogue/reasons.py`). */
import { inEnglish, SnugError, ValidationError } from "../../crypto/errors";
import { CommandError, type Sentence, sentence } from "../../words/sentence";

/** Return the sentence of one of our errors, without the number of a rule; throw any other error again. */
export function because(error: unknown): Sentence {
  if (error instanceof CommandError || error instanceof SnugError) return error.sentence;
  throw error;
}

/** Return the sentence of an error, with the number of the broken rule. */
export const ruled = (error: ValidationError): Sentence =>
  sentence("room.ruled", { rule: error.rule, why: error.sentence });

/** Return the full sentence of an error: with the rule's number if a rule was broken. */
export const inFull = (error: unknown): Sentence =>
  error instanceof ValidationError ? ruled(error) : because(error);

/**
 * Return a sentence as text where the reader's language is unknown (a file, a message to another program): in
 * English, or its key and arguments.
 */
export function plain(text: Sentence): string {
  const { key, args = {} } = text;
  if (key === "verbatim") return String(args["text"]);
  const english = inEnglish(text);
  if (english !== key) return english;
  return [
    key,
    ...Object.values(args).filter((arg) => typeof arg === "string" || typeof arg === "number"),
  ].join(" ");
}
