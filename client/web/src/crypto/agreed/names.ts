/**
 * Display names and other short texts of members: validity rules, and whether two names look alike.
 *
 * The skeleton follows Unicode UTS 39 section 4: NFD, remove ignorable characters, map confusables to their
 * prototype, NFD. In addition, compatibility forms and case are folded and spaces are removed: "ADA", "A da",
 * a full-width "Ada" and an "Ada" with a Cyrillic first letter all look like "Ada". So do "Ada." and "\u00c1da",
 * because punctuation is removed everywhere, and marks on Latin, Greek and Cyrillic letters: nobody hears them.
 */

import { sentence } from "../../words/sentence";
import { caseFold, kind, normalized } from "./unicode14";
import { utf8 } from "../bytes";
import { MalformedError, ValidationError } from "../errors";
import { LOOKS_AROUND } from "../looksAround";
import { trimmed, unspaced } from "../text";

/** Maximum size of a name in bytes of UTF-8. */
export const NAME_MAX = 64;
/** Maximum combining marks on one letter. Vowels of Brahmic scripts are marks, so their letters may have more. */
export const MARKS_MAX = 2;
export const BRAHMIC_MARKS_MAX = 4;
/** Blocks of Brahmic scripts, from Devanagari to Sinhala, Tibetan, Burmese, Khmer, ... */
const BRAHMIC = new RegExp(
  "[\\u0900-\\u0dff\\u0f00-\\u109f\\u1700-\\u17ff\\u1900-\\u1aaf\\u1b00-\\u1c4f" +
    "\\ua800-\\ua8ff\\ua930-\\uaaff\\uabc0-\\uabff\\u{11000}-\\u{11fff}]",
  "u",
);

/** Blocks of Latin, Greek and Cyrillic. Marks on letters of other scripts are vowels and consonants. */
const EUROPEAN = new RegExp(
  "[A-Za-z\\u00aa-\\u02af\\u0370-\\u052f\\u1c80-\\u1c8f\\u1d00-\\u1dbf\\u1e00-\\u1fff\\u2c60-\\u2c7f" +
    "\\ua640-\\ua69f\\ua720-\\ua7ff\\uab30-\\uab6f]",
  "u",
);
/**
 * Letters that are seen as an apostrophe, a dash or an accent beside letters of these scripts: modifier letters and the
 * mark of a long vowel in Japanese.
 */
const STROKES = /[\u02b0-\u02ff\u30fc]/;

let table: ReadonlyMap<string, string> | null = null;

/**
 * Load the map from each confusable character to its prototype: before `skeletons` and `lookAlike`.
 *
 * Its 8 kB are a file of their own, which rejects if it can't be had. A member needs them for the first commit after its
 * own entry that adds somebody; whoever checks a name of its own does not.
 */
export async function loadLookAlikes(): Promise<void> {
  if (table !== null) return;
  const { CHARACTERS, PROTOTYPES } = await import("../confusables");
  const others = PROTOTYPES.trim().split(/\s+/);
  let code = 0;
  const rows = CHARACTERS.trim()
    .split(/\s+/)
    .map((distance, i): [string, string] => {
      code += Number.parseInt(distance, 36);
      const codes = (others[i] ?? "").split("_").map((other) => Number.parseInt(other, 36));
      return [String.fromCodePoint(code), String.fromCodePoint(...codes)];
    });
  table = new Map(rows);
}

/**
 * Return the name if members may use it; otherwise ValidationError("SNUG-11").
 *
 * A name is in NFC and has 1 to 64 bytes of UTF-8, all characters from Unicode 14.0. It has no control,
 * format, surrogate, private-use or ignorable characters, no line or paragraph separators, no space at either
 * end, no leading mark, and few marks on one letter (`overloaded`). It has none of the characters that user
 * interfaces place around names (`AROUND`): otherwise "Ada: I agree. Bo" imitates a message by Ada, and
 * "Ada (host)" imitates the label of a host.
 */
export function checkName(name: string): string {
  const wrong = (key: string): ValidationError => new ValidationError("SNUG-11", sentence(key, { most: NAME_MAX }));
  if (name === "" || utf8(name).length > NAME_MAX) throw wrong("name.size");
  const chars = [...name];
  if (name !== trimmed(name) || !chars.every(shows)) throw wrong("name.shows");
  if (kind(name) === "M" || chars.some(standsAround)) throw wrong("name.around");
  if (normalized(name, "NFC") !== name) throw wrong("name.nfc");
  if (overloaded(name)) throw wrong("name.marks");
  return name;
}

/**
 * Return a title, greeting or reason if it is allowed; otherwise MalformedError.
 *
 * It has at most `most` bytes of UTF-8, is in NFC and `isVisible`.
 */
export function checkText(text: string, most: number): string {
  if (utf8(text).length > most) throw new MalformedError(sentence("text.size", { most }));
  if (normalized(text, "NFC") !== text) throw new MalformedError(sentence("text.nfc"));
  if (!isVisible(text)) throw new MalformedError(sentence("text.shows"));
  return text;
}

/**
 * Return whether a text has no control, format, surrogate or private-use character, no line or paragraph separator,
 * and few marks on one letter.
 *
 * Otherwise a text could be shown as another one (bidirectional controls), act on a terminal, or cover its neighbours.
 * Joiners are allowed, because Persian and emoji need them, and so are characters that Unicode 14.0 does not assign.
 */
export const isVisible = (text: string): boolean =>
  ![...text].some(controls) && !overloaded(normalized(text, "NFC"));

/** Zero-width joiner and non-joiner are no controls. */
const controls = (char: string): boolean => kind(char) === "C" && !/[\u200c\u200d]/.test(char);

/**
 * Return whether a letter has more than MARKS_MAX combining marks, or BRAHMIC_MARKS_MAX with those of Brahmic scripts:
 * such marks cover the lines above and below.
 */
function overloaded(text: string): boolean {
  let [marks, brahmic] = [0, 0];
  for (const char of text) {
    if (kind(char) !== "M") [marks, brahmic] = [0, 0];
    else if (BRAHMIC.test(char)) brahmic++;
    else marks++;
    if (marks > MARKS_MAX || marks + brahmic > BRAHMIC_MARKS_MAX) return true;
  }
  return false;
}

/**
 * Letters, marks and symbols without a visible glyph: the characters of Unicode's
 * Default_Ignorable_Code_Point that their category does not identify (joiner, Hangul fillers, variation
 * selectors, ...), and further characters that are blank in common fonts: Braille pattern blank, number and
 * consonant joiners, Khitan filler, null notehead, object replacement character.
 */
const INVISIBLE = new RegExp(
  "[\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u2800\\u2d7f\\u3164\\ufe00-\\ufe0f\\uffa0\\ufffc" +
    "\\u{1107f}\\u{16fe4}\\u{1d159}\\u{e0100}-\\u{e01ef}]",
  "u",
);

export const shows = (char: string): boolean => !["U", "C"].includes(kind(char)) && !INVISIBLE.test(char);

/** Characters that programs put around names: "Ada (host)", "Ada: hello", a label in quotation marks. */
const AROUND = /[():"\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d\u300e\u300f]/;

export function standsAround(char: string): boolean {
  // a phonetic letter that looks like a colon
  if (["L", "M"].includes(kind(char))) return char === "\u02d0";
  const looks = normalized(char, "NFKC");
  return AROUND.test(char + looks) || [...looks].some((each) => LOOKS_AROUND.includes(each));
}

const isEuropean = (char: string): boolean => kind(char) === "L" && EUROPEAN.test(char);

/** Return whether a character, which `looks` like its prototype, counts as punctuation in its name. */
function isPunctuation(char: string, looks: string, amongEuropean: boolean): boolean {
  if (kind(char) === "P") return ![...looks].every(isEuropean);
  if (kind(char) === "L" && STROKES.test(char)) return amongEuropean;
  return [...looks].every((each) => kind(each) === "P") && (amongEuropean || kind(char) !== "L");
}

/** Return the prototypes of what distinguishes a name: of all, if it has nothing but punctuation. */
function skeletonOf(text: string): string {
  if (table === null) throw new TypeError("`loadLookAlikes` comes first");
  let [everything, kept] = ["", ""];
  const chars = [...normalized(text, "NFD")];
  const amongEuropean = chars.some(isEuropean);
  let bare = false; // whether the last letter is one whose marks don't count
  for (const char of chars) {
    const looks = table.get(char) ?? char;
    everything += looks;
    if (unspaced(char) === "" || isPunctuation(char, looks, amongEuropean)) continue;
    if (kind(char) !== "M") bare = isEuropean(char) || /[0-9]/.test(char);
    kept += bare ? withoutMarks(looks) : looks;
  }
  return visible(kept) || visible(everything);
}

const withoutMarks = (text: string): string =>
  [...normalized(text, "NFD")].filter((char) => kind(char) !== "M").join("");

const visible = (text: string): string => [...unspaced(normalized(text, "NFD"))].filter(shows).join("");

/**
 * Return the skeletons of the name as written and of the case-folded name. "BiIl" matches "Bill" by the first
 * only, "ADA" matches "Ada" by the second.
 */
export function skeletons(name: string): readonly [string, string] {
  const plain = normalized(name, "NFKC");
  return [caseFold(skeletonOf(plain)), skeletonOf(caseFold(plain))];
}

/** Return whether a person could confuse the two names. */
export function lookAlike(one: string, other: string): boolean {
  const [written, folded] = skeletons(one);
  const [otherWritten, otherFolded] = skeletons(other);
  return written === otherWritten || folded === otherFolded;
}
