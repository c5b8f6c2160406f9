/** What Python's `str` can do and JavaScript's strings do otherwise. */

/** White space as `str.isspace` and `str.strip` mean it: \s has a byte order mark more and the separators less. */
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACES = new RegExp(`[${SPACE}]`, "g");
const ENDS = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "g");

/** Without the white space at its ends. */
export const trimmed = (text: string): string => text.replace(ENDS, "");

/** Without any white space. */
export const unspaced = (text: string): string => text.replace(SPACES, "");
