/**
 * The sentences of alarms and statuses: what happened, what it means, what to do (`client/session/catalogue/sentences.py`).
 *
 * This file has only their keys: the texts are in `client/session/catalogue/sentences/*.toml`.
 */
import { inEnglish, SnugCryptoError, ValidationError } from "../../crypto/errors";
import { type Arg, CommandError, type Sentence, sentence } from "../../words/sentence";
import type { EventOf } from "../events";

type Args = Readonly<Record<string, Arg>>;

/** The kind is the first part of the key: "two_stories.by" is of the kind "two_stories". */
const kindOf = (key: string): string => key.split(".", 1)[0] ?? key;

/** Return an alarm with the sentence "alarm." + key. */
export const alarm = (key: string, args?: Args): EventOf<"Alarm"> => ({
  type: "Alarm",
  kind: kindOf(key),
  text: sentence(`alarm.${key}`, args),
});

/** Return a status with the sentence "status." + key. */
export const status = (key: string, args?: Args): EventOf<"Status"> => ({
  type: "Status",
  kind: kindOf(key),
  text: sentence(`status.${key}`, args),
});

/** Return the sentence of one of our errors, without the number of a rule; throw any other error again. */
export function because(error: unknown): Sentence {
  if (error instanceof CommandError || error instanceof SnugCryptoError) return error.sentence;
  throw error;
}

/** Return the sentence of an error, with the number of the broken rule. */
export const ruled = (error: ValidationError): Sentence =>
  sentence("room.ruled", { rule: error.rule, why: error.sentence });

/** A slot is void; `who` is the author's name, or the words for an unknown author. */
export const voidCommit = (why: Sentence, who: Arg, slot: number) => alarm("void_commit", { why, who, slot });

/** This member alone cannot read a commit. */
export const stuck = (who: Arg) => alarm("stuck", { who });

/** The server's signature is missing or wrong. */
export const receipt = () => alarm("receipt");

/** The chain of the server, or the chain signed by the members in `who`, differs from ours. */
export const twoStories = (slot: number, who: Arg = "") =>
  who === "" ? alarm("two_stories", { slot }) : alarm("two_stories.by", { slot, who });

/** A message of ours may be lost by a restart of the server, and its epoch is over. */
export const maybeLost = (text: Arg) =>
  alarm("maybe_lost", { text: typeof text === "string" ? Array.from(text).slice(0, 60).join("") : text });

/** Messages of others are no longer available or readable. */
export const missed = (count: number) => alarm("missed", { count });

/** The server refused a request. */
export const refused = (why: string) => alarm("refused", { why });

/** A command could not be carried out. */
export const notDone = (why: Sentence) => alarm("not_done", { why });

export const ENDED_UNHEARD = sentence("room.ended_unheard");

/** A member that is not allowed to has tried to end the meeting. */
export const falseEnd = (name: string, why: Sentence) => alarm("false_end", { name, why });

/** Knocks need a host's yes again: a former host, no longer trusted, may still make invites. */
export const asksAgain = (name: Arg) => status("asks_again", { name });

// -- short codes, drops and pages -------------------------------------------------------------------------

/** There is no code this time; `why` is a clause. */
export const noCode = (why: Sentence) => status("no_code", { why });

/** The server keeps us out of the room; `saved` is the evidence file, if one was requested. */
export const dropped = (what: string, saved: string | null) =>
  alarm("dropped", {
    what: sentence(`dropped.${what}`),
    proof: saved === null ? sentence("dropped.proof") : sentence("dropped.saved", { file: saved }),
  });

/** Members run another page than `most` of the `of` members that reported one; `we`: than ours. */
export const pageDiffers = (names: readonly string[], most: number, of: number, we: boolean) =>
  alarm(we ? "page_differs" : "page_differs.others", { names, most, of });

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
