/** What Python's `str` can do and JavaScript's strings do otherwise. */

/** White space as `str.isspace` and `str.strip` mean it: \s has a byte order mark more and the separators less. */
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACES = new RegExp(`[${SPACE}]`, "g");
const ENDS = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "g");

/** Without the white space at its ends. */
export const trimmed = (text: string): string => text.replace(ENDS, "");

/** Without any white space. */
export const unspaced = (text: string): string => text.replace(SPACES, "");

const NAMED: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** What of it doesn't show as escapes, as Python's `repr` writes them: for texts that strangers sent. */
export const printable = (text: string): string =>
  text.replace(/[\\\p{C}\p{Z}]/gu, (char) => {
    if (char === " ") return char;
    const code = (char.codePointAt(0) ?? 0).toString(16);
    const size = code.length <= 2 ? 2 : code.length <= 4 ? 4 : 8;
    return NAMED[char] ?? `\\${size === 2 ? "x" : size === 4 ? "u" : "U"}${code.padStart(size, "0")}`;
  });

/** At most `most` of its characters, as Python counts and `printable` shows them. */
export const excerpt = (text: string, most: number): string => printable([...text].slice(0, most).join(""));
