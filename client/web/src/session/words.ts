/**
 * The sentences of alarms and statuses: what happened, what it means, what to do. `client/session/words.py`.
 *
 * Only their keys stand here: the English is in `words/en/room.ts` and `words/en/watch.ts`.
 */
import { inEnglish, SnugCryptoError, ValidationError } from "../crypto/errors";
import { type Arg, CommandError, type Sentence, sentence } from "../words/sentence";
import type { EventOf } from "./events";

type Args = Readonly<Record<string, Arg>>;

/** The kind is the first part of the key: "two_stories.by" is of the kind "two_stories". */
const kindOf = (key: string): string => key.split(".", 1)[0] ?? key;

/** An alarm in the words of "alarm." + key. */
export const alarm = (key: string, args?: Args): EventOf<"Alarm"> => ({
  type: "Alarm",
  kind: kindOf(key),
  text: sentence(`alarm.${key}`, args),
});

/** A status in the words of "status." + key. */
export const status = (key: string, args?: Args): EventOf<"Status"> => ({
  type: "Status",
  kind: kindOf(key),
  text: sentence(`status.${key}`, args),
});

/** Why something could not be done: what an error of ours says, without the number of a rule. */
export function because(error: unknown): Sentence {
  if (error instanceof CommandError || error instanceof SnugCryptoError) return error.sentence;
  throw error;
}

/** Which rule was broken, and how. */
export const ruled = (error: ValidationError): Sentence =>
  sentence("room.ruled", { rule: error.rule, why: error.sentence });

/** A slot holds nothing; `who` is a name, or that it can't be told. */
export const voidCommit = (why: Sentence, who: Arg, slot: number) => alarm("void_commit", { why, who, slot });

/** We alone can't read a commit. */
export const stuck = (who: Arg) => alarm("stuck", { who });

/** The server's signature is missing or wrong. */
export const receipt = () => alarm("receipt");

/** The server's chain is not ours; or that of `who`, members who signed theirs, is not. */
export const twoStories = (slot: number, who: Arg = "") =>
  who === "" ? alarm("two_stories", { slot }) : alarm("two_stories.by", { slot, who });

/** A word of ours fell between two lives of the server, and its epoch is over. */
export const maybeLost = (text: Arg) =>
  alarm("maybe_lost", { text: typeof text === "string" ? Array.from(text).slice(0, 60).join("") : text });

/** Words of others that can't be had or read any more. */
export const missed = (count: number) => alarm("missed", { count });

/** The server would not do something. */
export const refused = (why: string) => alarm("refused", { why });

/** A command could not be carried out. */
export const notDone = (why: Sentence) => alarm("not_done", { why });

export const ENDED_UNHEARD = sentence("room.ended_unheard");

/** A member who may not has tried to end the meeting. */
export const falseEnd = (name: string, why: Sentence) => alarm("false_end", { name, why });

/** Whoever knocked was waved in, until somebody who can make invites lost the host's trust. */
export const asksAgain = (name: Arg) => status("asks_again", { name });

// -- by members' words and a run for a short code: the others' sentences, of whom the kind has several ----

/** There is no code this time; `why` is a clause. */
export const noCode = (why: Sentence) => status("no_code", { why });

/** The server keeps us out of the room; `saved` is where evidence is, if that was asked for. */
export const dropped = (what: string, saved: string | null) =>
  alarm("dropped", {
    what: sentence(`dropped.${what}`),
    proof: saved === null ? sentence("dropped.proof") : sentence("dropped.saved", { file: saved }),
  });

/** Members run another page than `most` of the `of` who have said which; `we`: than ours. */
export const pageDiffers = (names: readonly string[], most: number, of: number, we: boolean) =>
  alarm(we ? "page_differs" : "page_differs.others", { names, most, of });

/** What an error says, in full: with the rule's number where one was broken. */
export const inFull = (error: unknown): Sentence =>
  error instanceof ValidationError ? ruled(error) : because(error);

/**
 * A sentence where no reader's language is known (a file, a word to another's program): English, or its
 * key.
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
