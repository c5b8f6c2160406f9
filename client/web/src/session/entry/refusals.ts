/** The reasons with which hosts refuse a knock. */
import { type Sentence, sentence, verbatim } from "../../words/sentence";

// Refusal reasons, sent in English. A program that knows a reason shows it in the reader's language.
export const IS_LOCKED = "The room is locked: nobody new is let in now.";
export const IS_FULL = "So many people have been in this meeting that nobody new can be told all of it.";
export const IS_OVER = "This invite has been used or taken back. Ask for another one.";
export const NOT_LET_IN = "The host did not let you in.";
export const NOT_ADDED = ["You could not be let in: ", ". Knock again with another name, or ask the host."] as const;

const KNOWN: Readonly<Record<string, string>> = {
  [IS_LOCKED]: "refusal.locked",
  [IS_FULL]: "refusal.full",
  [IS_OVER]: "refusal.over",
  [NOT_LET_IN]: "refusal.no",
};

/** Return the sentence for the reason in a host's refusal. */
export function reasonOf(text: string): Sentence {
  const key = Object.hasOwn(KNOWN, text) ? KNOWN[text] : undefined;
  if (key !== undefined) return sentence(key);
  const [before, after] = NOT_ADDED;
  if (text.startsWith(before) && text.endsWith(after))
    return sentence("refusal.not_added", { why: text.slice(before.length, -after.length) });
  return text === "" ? sentence("refusal.no") : verbatim(text);
}
