/** Text operations of Python's `str` that differ in JavaScript. */

/**
 * White space as in `str.isspace` and `str.strip`: \s also has the byte order mark and lacks the separators
 * U+001C to U+001F and U+0085.
 */
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACES = new RegExp(`[${SPACE}]`, "g");
const ENDS = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "g");

/** Strip white space at both ends. */
export const trimmed = (text: string): string => text.replace(ENDS, "");

/** Remove all white space. */
export const unspaced = (text: string): string => text.replace(SPACES, "");

const NAMED: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Escape characters without a visible glyph as Python's `repr` does: for text from strangers. */
export const printable = (text: string): string =>
  text.replace(/[\\\p{C}\p{Z}]/gu, (char) => {
    if (char === " ") return char;
    const code = (char.codePointAt(0) ?? 0).toString(16);
    const size = code.length <= 2 ? 2 : code.length <= 4 ? 4 : 8;
    return NAMED[char] ?? `\\${size === 2 ? "x" : size === 4 ? "u" : "U"}${code.padStart(size, "0")}`;
  });

/** Return at most the first `most` characters (code points), with escapes as in `printable`. */
export const excerpt = (text: string, most: number): string => printable([...text].slice(0, most).join(""));
