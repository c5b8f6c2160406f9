/**
 * The sentences of alarms and statuses: what happened, what it means, what to do (`client/session/catalogue/sentences.py`).
 *
 * This file has only their keys: the texts are in `client/session/catalogue/sentences/*.toml`.
 */
import { type Arg, type Sentence, sentence } from "../../words/sentence";
import type { EventOf } from "../events";

type Args = Readonly<Record<string, Arg>>;
/** A room whose options say whether evidence is saved without a request. */
type Requested = { readonly options: { readonly evidence: boolean } };

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

/** Our page does not go to this server of the meeting; `why`: see `addresses.ts`. */
export const strangeServer = (first: string, origin: string, why: string) =>
  status("strange_server", { first, origin, why: sentence(`room.strange_${why}`) });

/** The chain of the server, or the chain signed by the members in `who`, differs from ours. */
export const twoStories = (slot: number, who: Arg = "") =>
  who === "" ? alarm("two_stories", { slot }) : alarm("two_stories.by", { slot, who });

/** A message of ours may be lost by a restart of the server, and its epoch is over. */
export const maybeLost = (text: Arg) =>
  alarm("maybe_lost", { text: typeof text === "string" ? Array.from(text).slice(0, 60).join("") : text });

/** The server, or something on the way, keeps us out. */
export const dropped = (what: string, room: Requested, args: Args = {}) =>
  alarm("dropped", { what: sentence(`dropped.${what}`, args), proof: proof(room) });

/** The server refuses us with that code; `where`: where the evidence is, if we were inside. */
export function noPlace(code: "full" | "permission", why: string, where: Sentence | null) {
  const [key, says]: [string, Args] = code === "full" ? ["full", { why }] : ["unopened", {}];
  return where === null ? alarm(key, says) : alarm(`${key}.inside`, { ...says, proof: where });
}

/** Where the evidence is: in a file, if one was requested, or to be saved. */
export const proof = ({ options }: Requested): Sentence =>
  options.evidence ? sentence("dropped.saved", { file: "snug-evidence.json" }) : sentence("dropped.proof");

/** `count` of so many signed that they lost the room; after `seconds`, that server's key another room. */
export const collected = (count: number, of: number, origin: string, seconds: number | null, proof: Sentence) => {
  const facts = { count, of, origin, proof };
  return seconds === null ? status("evidence", facts) : status("evidence.signed", { ...facts, seconds });
};
