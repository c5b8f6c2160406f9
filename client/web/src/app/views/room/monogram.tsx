import type { ComponentChildren } from "preact";

/** Return one or two letters for a name: the first of its first word and of its last word. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter((part) => /[\p{L}\p{N}]/u.test(part));
  const first = (text: string | undefined): string => {
    if (text === undefined) return "";
    const at = text.search(/[\p{L}\p{N}]/u);
    const segment = new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text.slice(Math.max(0, at)));
    return [...segment][0]?.segment.toLocaleUpperCase() ?? "";
  };
  const start = first(words[0]);
  // names in Chinese, Japanese or Korean get one character
  if (words.length < 2 || /[\p{sc=Han}\p{sc=Hangul}\p{sc=Hiragana}\p{sc=Katakana}]/u.test(start)) return start || "?";
  return start + first(words.at(-1));
}

/** Return the tint of a name, 0 to 5: the same on every screen. */
export function tint(name: string): number {
  let sum = 7;
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return sum % 6;
}

/** A name's letters in a small arched frame; the name itself stands beside it. */
export function Monogram({ name, children }: { readonly name: string; readonly children?: ComponentChildren }) {
  return (
    <span class={`monogram tint-${tint(name)}`} aria-hidden="true">
      <span>{initials(name)}</span>
      {children}
    </span>
  );
}
