// Written by `python -m snugroom.client.tools.typescript`, from client/session/catalogue/sentences: change it there.
/** Marks around names that people have chosen; no name has them in it. */
export const QUOTES = {"en": ["\u201c", "\u201d"], "de": ["\u201e", "\u201c"], "zh-Hans": ["\u201c", "\u201d"], "zh-Hant": ["\u300c", "\u300d"]} as const;

/** Arguments that are such names, and how the keys of sentences begin that quote them. */
export const NAMES: readonly string[] = ["by", "earlier", "missing", "name", "names", "removed", "victim", "who", "whom", "whose"];
export const QUOTING: readonly string[] = ["alarm.", "compared.", "held.", "no_code.", "pending.", "room.", "since.", "status.", "stream.", "watch."];
