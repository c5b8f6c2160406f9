/** The reasons with which hosts refuse a knock: sent in English, and shown in the reader's language if known here. */
import { inEnglish } from "../../crypto/errors";
import { type Sentence, sentence, verbatim } from "../../words/sentence";

export const IS_LOCKED = inEnglish(sentence("refusal.locked"));
export const IS_FULL = inEnglish(sentence("refusal.full"));
export const IS_OVER = inEnglish(sentence("refusal.over"));
export const NO_MEMBER = inEnglish(sentence("refusal.no_member"));
export const NAME_TAKEN = inEnglish(sentence("refusal.name_taken"));
export const IS_REPLACED = inEnglish(sentence("refusal.replaced"));
export const NAME_HELD = inEnglish(sentence("refusal.name_held"));
export const NOT_LET_IN = inEnglish(sentence("refusal.no"));

/** Return the reason for a newcomer whom a rule keeps out. */
export const notAdded = (why: string): string => inEnglish(sentence("refusal.not_added", { why }));

/** Refusals after which a member without a membership asks no more: it knocks again. */
export const FINAL: readonly string[] = ["refusal.no_member", "refusal.name_taken"];

const KNOWN = [
  "refusal.locked",
  "refusal.full",
  "refusal.over",
  "refusal.no_member",
  "refusal.name_taken",
  "refusal.replaced",
  "refusal.name_held",
  "refusal.no",
] as const;
const [BEFORE = "", AFTER = ""] = notAdded("\0").split("\0");

/** Return the sentence for the reason in a host's refusal. */
export function reasonOf(text: string): Sentence {
  const key = KNOWN.find((each) => inEnglish(sentence(each)) === text);
  if (key !== undefined) return sentence(key);
  if (text.startsWith(BEFORE) && text.endsWith(AFTER))
    return sentence("refusal.not_added", { why: text.slice(BEFORE.length, -AFTER.length) });
  return text === "" ? sentence("refusal.no") : verbatim(text);
}
