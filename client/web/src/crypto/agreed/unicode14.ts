/**
 * The properties of characters in Unicode 14.0, so that no verdict on a text depends on a runtime's version.
 *
 * Python 3.11 has Unicode 14.0; later Pythons and browsers have newer versions. If one member's library knows a
 * character and another's does not, the two members judge the same commit differently. All rules for texts
 * therefore use this module, and never the runtime's own categories.
 *
 * For normalization and case folding the runtime's tables serve: Unicode guarantees that they are stable for
 * assigned characters. Here they apply to the characters that Unicode 14.0 assigns, and to no others.
 */

import { RUNS } from "../characterRuns";

/**
 * U: not assigned. M: mark. L: letter or number. C: control, format, surrogate, private use, line or paragraph
 * separator. P: punctuation, modifier symbol (`^`, accents). S: any other: symbol, space.
 */
export type Kind = "U" | "M" | "L" | "C" | "P" | "S";

const KINDS: Kind[] = [];
/** The code points at which runs end. */
const ENDS: number[] = [];
for (const run of RUNS.trim().split(/\s+/)) {
  KINDS.push(run[0] as Kind);
  ENDS.push((ENDS.at(-1) ?? 0) + Number.parseInt(run.slice(1), 36));
}

/** Return the kind of one character. */
export function kind(char: string): Kind {
  const code = char.codePointAt(0) ?? 0;
  let [from, to] = [0, ENDS.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (code < (ENDS[middle] ?? 0)) to = middle;
    else from = middle + 1;
  }
  return KINDS[from] ?? "U";
}

/** Return whether Unicode 14.0 assigns the character. Surrogates and private use count as assigned. */
export const isAssigned = (char: string): boolean => kind(char) !== "U";

/** Normalize as Unicode 14.0 does: characters that it does not assign stay, and separate their neighbours. */
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

/** Fold case as Unicode 14.0 does (full folding), as Python's `str.casefold`. */
export const caseFold = (text: string): string =>
  [...text].map((char) => (isAssigned(char) ? fold(char) : char)).join("");

function fold(char: string): string {
  if (char === "\u0131") return char; // dotless i folds to itself, although its capital is that of i
  if (char === "\u1e9e") return "ss"; // capital sharp s; its lower-case letter has no single capital
  const upper = char.toUpperCase();
  // Cherokee letters fold to their capitals, which Unicode encoded first
  return /[\u13a0-\u13ff\uab70-\uabbf]/.test(char) ? upper : upper.toLowerCase();
}
