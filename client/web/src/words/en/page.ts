import type { Words } from "../entry";
import watch from "./watch";

/** What a terminal's user types is a button here: elsewhere the words are the terminal's (watch.ts). */
const BUTTONS: readonly (readonly [string, string])[] = [
  [": type /compare to compare anew.", ": compare anew under Code."],
  [": type /compare", ": begin under Code"],
  ["Type /compare to try again.", "Try again under Code."],
  [": compare the long one, /code", ": compare the long one"],
  [" (/code)", ""],
  [", as in /same digits 12345 67890", ""],
  [": /invites lists them", ""],
  ["/remove {leaf} takes them out", "Remove, under People, takes them out"],
  [": ask both. /remove {leaf} takes out {who}, /remove {victimLeaf} takes out {victim}.", ": ask both. Either can be removed under People."],
  ["/evidence FILE keeps", "Save the evidence, which keeps"],
  ["/override sends them anyway.", "You can have them sent anyway."],
];

const worded = (text: string): string => BUTTONS.reduce((all, [typed, pressed]) => all.replace(typed, pressed), text);

/** Entries that stand for those of the same key where they are shown on the page. */
export default Object.fromEntries(
  Object.entries<Words[string]>(watch).flatMap(([key, entry]) =>
    typeof entry === "string" && worded(entry) !== entry ? [[key, worded(entry)]] : [],
  ),
) as Words;
