/** Links in texts that members write: https alone, and where each of them leads. */

export interface Link {
  /** As it is written in the message. */
  readonly text: string;
  readonly url: URL;
  /** The host as it is written, if the browser reads it differently; null: it is the same. */
  readonly written: string | null;
}

/** Spaces, quotation marks and brackets end an address; so do invisible characters, which could hide part of it. */
const ADDRESS = /https:\/\/[^\s<>"“”„‘’«»‹›「」『』（）。，；\p{C}]+/giu;
/** Signs at the end belong to the sentence, and so does a bracket that was opened before the address. */
const SIGNS = ".,:;!?'*_~…";
const PAIRS = ["()", "[]", "{}"].map((pair) => [...pair]);

/** Return a text in parts: words, and links. */
export function linked(text: string): readonly (string | Link)[] {
  const parts: (string | Link)[] = [];
  let at = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const link = linkOf(trimmed(found));
    if (link === null) continue;
    parts.push(text.slice(at, index), link);
    at = index + link.text.length;
  }
  parts.push(text.slice(at));
  return parts.filter((part) => part !== "");
}

/** Return an address without what belongs to the sentence around it. */
function trimmed(found: string): string {
  const closed = PAIRS.filter(([open]) => open !== undefined && !found.includes(open)).map(([, close]) => close);
  let end = found.length;
  while (end > 0 && (SIGNS.includes(found.charAt(end - 1)) || closed.includes(found.charAt(end - 1)))) end--;
  return found.slice(0, end);
}

function linkOf(text: string): Link | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  // a name before the host is there to deceive
  if (url.username !== "" || url.password !== "") return null;
  const written = /^https:\/\/([^/?#\\]*)/iu.exec(text)?.[1] ?? "";
  return { text, url, written: written.toLowerCase() === url.host ? null : written };
}
