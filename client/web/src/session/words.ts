/**
 * The sentences of alarms and statuses: what happened, what it means, what to do. `client/session/words.py`.
 *
 * Only their keys stand here: the English is in `words/en/room.ts` and `words/en/watch.ts`.
 */
import { SnugCryptoError, ValidationError } from "../crypto/errors";
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

/** Why something could not be done, or was not valid: what an error of ours says. */
export function because(error: unknown): Sentence {
  if (error instanceof CommandError) return error.sentence;
  if (error instanceof ValidationError) return sentence("room.because", { rule: error.rule, text: error.text });
  if (error instanceof SnugCryptoError) return sentence("room.because", { rule: "", text: error.message });
  throw error;
}

/** A slot holds nothing; `who` is a name, or that it can't be told. */
export const voidCommit = (rule: string, why: string, who: Arg, slot: number) =>
  alarm("void_commit", { rule, why, who, slot });

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
