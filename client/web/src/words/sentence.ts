/**
 * A sentence as what it says, not in which language: the session and its worker make them, the page words them.
 *
 * `key` names a sentence of the catalogue (`client/session/catalogue/sentences`), `args` are what stands in its braces: texts and
 * numbers, lists of names (worded as "Ada, Bo and Cem", of sentences as well: "Ada's sound and you"), or further
 * sentences.
 */
export type Arg = string | number | boolean | null | readonly (string | Sentence)[] | Sentence;

export interface Sentence {
  readonly key: string;
  readonly args?: Readonly<Record<string, Arg>>;
}

/** A language's templates by key. */
export type Words = Readonly<Record<string, string>>;

/** A sentence with that key. */
export const sentence = (key: string, args?: Readonly<Record<string, Arg>>): Sentence =>
  args === undefined ? { key } : { key, args };

/** A text that is in no language's file: a name that somebody chose, or what a stranger's server said. */
export const verbatim = (text: string): Sentence => ({ key: "verbatim", args: { text } });

/** A command that can't be done now; `sentence` says why, and what to do instead. Python's ValueError. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly sentence: Sentence;

  constructor(why: Sentence) {
    super(why.key);
    this.sentence = why;
  }
}
