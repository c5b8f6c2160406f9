/** What the languages' files are made of. */

/** An argument's text, by its name. */
export type Texts = Readonly<Record<string, string>>;

/**
 * An argument as a number: a number's own, a list's length, 1 for true and for a text that isn't empty, else 0. For
 * "1 invite" and "2 invites", "runs" and "run".
 */
export type Count = (arg: string) => number;

/** A text with {arguments} in braces, or a function from them. `{arg:n}` writes a number as the language does. */
export type Entry = string | ((texts: Texts, count: Count) => string);

/** A language's file: `export default { "key": entry } satisfies Words`. */
export type Words = Readonly<Record<string, Entry>>;

/** Chooses by number where there are two forms. */
export const plural = (count: number, one: string, more: string): string => (count === 1 ? one : more);
