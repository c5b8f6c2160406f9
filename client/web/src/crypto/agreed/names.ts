/**
 * Display names: validity rules, and the test whether two names look alike.
 *
 * The skeleton follows Unicode UTS 39 section 4: NFD, remove ignorable characters, map confusables to their
 * prototype, NFD. In addition, compatibility forms and case are folded and spaces are removed: "ADA", "A da",
 * a full-width "Ada" and an "Ada" with a Cyrillic first letter all look like "Ada".
 */

import { sentence } from "../../words/sentence";
import { isAssigned } from "./unicode14";
import { utf8 } from "../bytes";
import { CHARACTERS, PROTOTYPES } from "../confusables";
import { ValidationError } from "../errors";
import { trimmed, unspaced } from "../text";

/** Maximum size of a name in bytes of UTF-8. */
export const NAME_MAX = 64;

let table: ReadonlyMap<string, string> | null = null;

/** Return a map from each confusable character to its prototype. */
function prototypes(): ReadonlyMap<string, string> {
  if (table !== null) return table;
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
  return table;
}

const mapped = (text: string): string => [...text].map((char) => prototypes().get(char) ?? char).join("");

/** Normalize as Unicode 14.0 does: unassigned characters stay unchanged, even if the browser knows them. */
export function normalized(text: string, form: "NFC" | "NFD" | "NFKC"): string {
  let [done, run] = ["", ""];
  for (const char of text) {
    // a lone surrogate is not text: Firefox would replace it with U+FFFD
    if (isAssigned(char) && !/\p{Cs}/u.test(char)) run += char;
    else {
      done += run.normalize(form) + char;
      run = "";
    }
  }
  return done + run.normalize(form);
}

/** Full case folding of Unicode 14.0, equal to Python's `str.casefold`. */
export function caseFold(text: string): string {
  return [...text].map((char) => (isAssigned(char) ? fold(char) : char)).join("");
}

function fold(char: string): string {
  if (char === "\u0131") return char; // dotless i folds to itself, although its capital is that of i
  if (char === "\u1e9e") return "ss"; // capital sharp s; its lower-case letter has no single capital
  const upper = char.toUpperCase();
  // Cherokee letters fold to their capitals, which Unicode encoded first
  return /[\u13a0-\u13ff\uab70-\uabbf]/.test(char) ? upper : upper.toLowerCase();
}

/**
 * Return the name if members may use it; otherwise ValidationError("SNUG-11").
 *
 * A name is in NFC and has 1 to 64 bytes of UTF-8, all characters from Unicode 14.0. It has no control,
 * format, surrogate, private-use or ignorable characters, no line or paragraph separators, no space at either
 * end, and no leading mark. It has none of the characters that user interfaces place around names (`AROUND`):
 * otherwise "Ada: I agree. Bo" imitates a message by Ada, and "Ada (host)" imitates the label of a host.
 */
export function checkName(name: string): string {
  const wrong = (key: string): ValidationError => new ValidationError("SNUG-11", sentence(key, { most: NAME_MAX }));
  if (name === "" || utf8(name).length > NAME_MAX) throw wrong("name.size");
  const chars = [...name];
  if (name !== trimmed(name) || !chars.every(shows)) throw wrong("name.shows");
  if (/^\p{M}/u.test(name) || chars.some(standsAround)) throw wrong("name.around");
  if (normalized(name, "NFC") !== name) throw wrong("name.nfc");
  return name;
}

const FORBIDDEN = /[\p{C}\p{Zl}\p{Zp}]/u;

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

export const shows = (char: string): boolean =>
  isAssigned(char) && !INVISIBLE.test(char) && !FORBIDDEN.test(char);

/** Characters that programs put around names: "Ada (host)", "Ada: hello", a label in quotation marks. */
const AROUND = /[():"\u201c\u201d\u201e\u201f\u00ab\u00bb]/;

export function standsAround(char: string): boolean {
  // a phonetic letter that looks like a colon
  if (/[\p{L}\p{M}\p{N}]/u.test(char)) return char === "\u02d0";
  const looks = normalized(char, "NFKC");
  // a prototype may have several characters: that of a double parenthesis has two parentheses
  return AROUND.test(char + looks + mapped(looks));
}

const skeletonOf = (text: string): string =>
  [...unspaced(normalized(mapped(normalized(text, "NFD")), "NFD"))].filter(shows).join("");

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
