/**
 * Names that people show each other: what is allowed, and which two look alike.
 *
 * The skeleton follows Unicode UTS 39 section 4 (NFD, drop what is ignorable, map look-alikes to their
 * prototype, NFD), with compatibility forms and case folded and spaces removed as well: "ADA", "A da", an "Ada"
 * in full width and one with a Cyrillic first letter all look like "Ada".
 */

import { sentence } from "../words/sentence";
import { assigned } from "./assigned";
import { utf8 } from "./bytes";
import { CHARACTERS, PROTOTYPES } from "./confusables";
import { ValidationError } from "./errors";
import { trimmed, unspaced } from "./text";

/** Bytes of UTF-8 that a name may take. */
export const NAME_MAX = 64;

let table: ReadonlyMap<string, string> | null = null;

/** Each confusable character -> its prototype. */
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

/** Normalized as Unicode 14.0 does: what it doesn't assign stays as it is, whatever this browser knows. */
export function normalized(text: string, form: "NFC" | "NFD" | "NFKC"): string {
  let [done, run] = ["", ""];
  for (const char of text) {
    // half a surrogate pair is no text: Firefox would put U+FFFD in its place
    if (assigned(char) && !/\p{Cs}/u.test(char)) run += char;
    else {
      done += run.normalize(form) + char;
      run = "";
    }
  }
  return done + run.normalize(form);
}

/** Unicode's full case folding (version 14.0), as Python's `str.casefold`. */
export function caseFold(text: string): string {
  return [...text].map((char) => (assigned(char) ? fold(char) : char)).join("");
}

function fold(char: string): string {
  if (char === "\u0131") return char; // the dotless i, which has only its capital in common with i
  if (char === "\u1e9e") return "ss"; // whose small letter has no capital of its own
  const upper = char.toUpperCase();
  // Cherokee's capitals came first, and are what its letters fold to
  return /[\u13a0-\u13ff\uab70-\uabbf]/.test(char) ? upper : upper.toLowerCase();
}

/**
 * The name itself, if members may carry it; ValidationError("SNUG-11") if not.
 *
 * NFC, 1 to 64 bytes of UTF-8, only characters of Unicode 14.0, none of them a control, format, surrogate,
 * private-use or ignorable one, no space at either end, no line or paragraph separator, no mark at its
 * beginning, and nothing of what stands around names where they are shown (`AROUND`): else "Ada: I agree.
 * Bo" speaks for Ada, and "Ada (host)" is one to whoever reads it.
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
 * Letters, marks and symbols that nothing is drawn for: those of Unicode's Default_Ignorable_Code_Point whose
 * category does not say so (joiner, Hangul fillers, variation selectors, ...), and more that are blank in
 * common fonts: Braille's empty pattern, joiners of numbers and consonants, the filler of Khitan, the null
 * note, the place of an object.
 */
const INVISIBLE = new RegExp(
  "[\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u2800\\u2d7f\\u3164\\ufe00-\\ufe0f\\uffa0\\ufffc" +
    "\\u{1107f}\\u{16fe4}\\u{1d159}\\u{e0100}-\\u{e01ef}]",
  "u",
);

export const shows = (char: string): boolean =>
  assigned(char) && !INVISIBLE.test(char) && !FORBIDDEN.test(char);

/** What programs set around names: "Ada (host)", "Ada: hello", a label in quotation marks. */
const AROUND = /[():"\u201c\u201d\u201e\u201f\u00ab\u00bb]/;

export function standsAround(char: string): boolean {
  // a letter of phonetics is a colon to the eye
  if (/[\p{L}\p{M}\p{N}]/u.test(char)) return char === "\u02d0";
  const looks = normalized(char, "NFKC");
  // a prototype may be of several characters: a double parenthesis is two of them
  return AROUND.test(char + looks + mapped(looks));
}

const skeletonOf = (text: string): string =>
  [...unspaced(normalized(mapped(normalized(text, "NFD")), "NFD"))].filter(shows).join("");

/**
 * The skeleton as written, and of the case-folded name: "BiIl" looks like "Bill" by the first only,
 * "ADA" like "Ada" by the second.
 */
export function skeletons(name: string): readonly [string, string] {
  const plain = normalized(name, "NFKC");
  return [caseFold(skeletonOf(plain)), skeletonOf(caseFold(plain))];
}

/** Whether a person could take one name for the other. */
export function lookAlike(one: string, other: string): boolean {
  const [written, folded] = skeletons(one);
  const [otherWritten, otherFolded] = skeletons(other);
  return written === otherWritten || folded === otherFolded;
}
