/**
 * From sentences to words: English comes with the page, in two files, and the other languages when somebody chooses one.
 *
 * `word` reads a signal: whatever view calls it is drawn anew when the language changes.
 */
import { signal } from "@preact/signals";
import type { Language } from "../app/model";
import en from "./en";
import type later from "./enLater";
import errors from "./enErrors";
import { NAMES, QUOTES, QUOTING } from "./quoting";
import type { Arg, Sentence, Words } from "./sentence";

/**
 * The sentences in English. The sentences of sessions in a room come later. A sentence that another language
 * lacks is shown in English.
 */
export const english = { ...errors, ...en, verbatim: "{text}" } satisfies Words;

/** The keys of the page's own sentences, checked where they are written. */
export type Key = Extract<keyof typeof english | keyof typeof later, string>;


export const LANGUAGES: readonly (readonly [Language, string])[] = [
  ["en", "English"],
  ["de", "Deutsch"],
  ["zh-Hant", "繁體中文"],
  ["zh-Hans", "简体中文"],
];

/** How Intl is to write numbers, lists and times; lists in English as "Ada, Bo and Cem". */
const LOCALES: Readonly<Record<Language, string>> = { en: "en-GB", de: "de", "zh-Hant": "zh-Hant", "zh-Hans": "zh-Hans" };

const spoken = signal<{ readonly language: Language; readonly words: Words }>({ language: "en", words: english });
let wanted: Language = "en";

const load = {
  de: () => import("./de"),
  "zh-Hant": () => import("./zh-Hant"),
  "zh-Hans": () => import("./zh-Hans"),
} as const;

let complete = false;

/** Load the rest of English, once; rejects if the server does not answer, and then another call tries again. */
export async function loadEnglish(): Promise<void> {
  if (complete) return;
  Object.assign(english, (await import("./enLater")).default);
  complete = true;
  spoken.value = { ...spoken.peek() }; // for the views that wait for it
}

/** Load all languages, so that `speak` needs the server no more. Rejects if it does not answer. */
export const loadLanguages = (): Promise<unknown> => Promise.all(Object.values(load).map((one) => one()));

/** Has all views speak that language from now on. Rejects, and changes nothing, if its file can't be had. */
export async function speak(language: Language): Promise<void> {
  wanted = language;
  const words: Words = language === "en" ? english : (await load[language]()).default;
  if (wanted !== language) return;
  spoken.value = { language, words };
  if (typeof document !== "undefined") document.documentElement.lang = language;
}

/** The language that is spoken now. */
export const speaking = (): Language => spoken.value.language;

/** The one of ours that suits a reader best, from BCP 47 tags in order of liking (`navigator.languages`). */
export function languageFor(tags: readonly string[]): Language {
  for (const tag of tags) {
    const [main, ...rest] = tag.toLowerCase().split("-");
    if (main === "en" || main === "de") return main;
    if (main === "zh" || main === "yue") {
      if (rest.includes("hans")) return "zh-Hans";
      return main === "yue" || rest.some((part) => ["hant", "tw", "hk", "mo"].includes(part)) ? "zh-Hant" : "zh-Hans";
    }
  }
  return "en";
}

/** In words: a sentence that a session made, or one of the page's own by its key. */
export function word(key: Key, args?: Readonly<Record<string, Arg>>): string;
export function word(sentence: Sentence): string;
export function word(what: string | Sentence, args?: Readonly<Record<string, Arg>>): string {
  const { language, words } = spoken.value;
  return typeof what === "string" ? render(words, language, what, args ?? {}) : render(words, language, what.key, what.args ?? {});
}

/**
 * The arguments of a template, as `client/session/catalogue/sentence.py` describes them: {name}, {name:form}, and
 * {name|one|other}, whose forms may contain simple arguments.
 */
const HOLE = /\{(\w+)(?::(\w+)|\|((?:[^{}|]|\{[^{}]*\})*)\|((?:[^{}|]|\{[^{}]*\})*))?\}/g;

/**
 * A name, or each name of a list, in quotation marks; sentences as they are. Otherwise a member named "the server"
 * could put an act of its own down to the server.
 */
function quoted(arg: Arg, language: Language): Arg {
  const [before, after] = QUOTES[language];
  const name = (each: string | Sentence) => (typeof each === "string" && each !== "" ? `${before}${each}${after}` : each);
  return typeof arg === "string" ? name(arg) : Array.isArray(arg) ? arg.map(name) : arg;
}

/** Stands for a sentence until it has been loaded. */
const WAITS = "\u2026";

/** A sentence in a given language's words: what `word` does, for tests and for what isn't shown. */
export function render(words: Words, language: Language, key: string, args: Readonly<Record<string, Arg>>): string {
  const text = (arg: Arg): string => {
    if (arg === null) return "";
    if (typeof arg === "string") return arg;
    if (typeof arg !== "object") return String(arg);
    if ("key" in arg) return render(words, language, arg.key, arg.args ?? {});
    return list(words, language, arg.map(text));
  };
  const fill = (template: string): string =>
    template.replace(HOLE, (hole, name: string, form?: string, one?: string, other?: string) => {
      const given = own(args, name);
      if (given === undefined) return hole;
      const arg = NAMES.includes(name) && QUOTING.some((begin) => key.startsWith(begin)) ? quoted(given, language) : given;
      if (one !== undefined && other !== undefined) return fill(count(arg) === 1 ? one : other);
      if (form === "all" && Array.isArray(arg)) return arg.map(text).join(language.startsWith("zh") ? "；" : "; ");
      if (form === "n" && typeof arg === "number") return format(language, arg);
      return form === "capital" ? capital(text(arg)) : form === "clause" ? text(arg).replace(/[.。]$/, "") : text(arg);
    });
  const template = own(words, key) ?? own<string>(english, key);
  if (template !== undefined) return fill(template);
  if (complete) return key;
  void loadEnglish().catch(() => undefined);
  return WAITS;
}

/** The first sentence of a text, for a line, and the rest of it. A counted alarm has the line of the alarm. */
export function headline(text: Sentence): { readonly line: string; readonly rest: string } {
  const { language, words } = spoken.value;
  const repeated = text.key === "room.repeated" ? text.args?.["alarm"] : undefined;
  if (typeof repeated === "object" && repeated !== null && "key" in repeated) return { line: headline(repeated).line, rest: word(text) };
  const template = own(words, text.key) ?? own<string>(english, text.key) ?? "{text}";
  // `{what}` is a sentence of its own
  const [, line = template, rest = ""] = /^(\{what\}|.*?(?:[.!?](?=\s|$)|[\u3002\uff01\uff1f]))\s*(.*)$/s.exec(template) ?? [];
  const say = (part: string): string => render({ ...words, [text.key]: part }, language, text.key, text.args ?? {});
  return { line: say(line), rest: rest === "" ? "" : say(rest) };
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** A number's own, a list's length, 1 for any other argument that isn't empty. */
const count = (arg: Arg): number => (typeof arg === "number" ? arg : Array.isArray(arg) ? arg.length : arg ? 1 : 0);

/** The reason of a refusal, which is worded to stand within a sentence, as a sentence of its own. */
export function whole(reason: Sentence): string {
  const text = word(reason);
  const end = /[.!?…。！？]$/.test(text) ? "" : speaking().startsWith("zh") ? "。" : ".";
  return `${capital(text)}${end}`;
}

/** Names as one says them: "Ada", "Ada and Bo", "Ada, Bo and Cem"; beyond six the others are counted. */
export const listed = (names: readonly string[]): string => list(spoken.value.words, spoken.value.language, names);

/** A number as the language writes it: 1,204. */
export const number = (value: number): string => format(spoken.value.language, value);

/** A time of day in the reader's zone, hours and minutes; `at` in seconds since 1970. */
export const clock = (at: number): string =>
  new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at * 1000);

/** A day and a time of day, for what may be of another day. */
export const dateAndTime = (at: number): string =>
  new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" }).format(at * 1000);

/** How long something has gone on: "8 seconds", "3 minutes", "1 hour, 5 minutes". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const unit = (value: number, of: string) =>
    new Intl.NumberFormat(locale(), { style: "unit", unit: of, unitDisplay: "long" }).format(value);
  if (whole < 60) return unit(whole, "second");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return unit(minutes, "minute");
  const hours = unit(Math.floor(minutes / 60), "hour");
  return minutes % 60 === 0 ? hours : listed([hours, unit(minutes % 60, "minute")]);
}

/** A size of something in bytes: "812 bytes", "12.4 kB", "1.2 MB" (1,000 bytes each, as disks are sold). */
export function size(bytes: number): string {
  const step = bytes < 1000 ? 0 : bytes < 1e6 ? 1 : 2;
  return new Intl.NumberFormat(locale(), {
    style: "unit",
    unit: ["byte", "kilobyte", "megabyte"][step] ?? "byte",
    unitDisplay: step === 0 ? "long" : "short",
    maximumFractionDigits: 1,
  }).format(bytes / 1000 ** step);
}

const MOST_LISTED = 6;

function list(words: Words, language: Language, names: readonly string[]): string {
  const shown =
    names.length > MOST_LISTED
      ? [
          ...names.slice(0, MOST_LISTED - 1),
          render(words, language, "list.more", { count: names.length - MOST_LISTED + 1 }),
        ]
      : names;
  return new Intl.ListFormat(LOCALES[language], { type: "conjunction" }).format(shown);
}

const locale = (): string => LOCALES[spoken.value.language];

const format = (language: Language, value: number): string => new Intl.NumberFormat(LOCALES[language]).format(value);

/** Keys come from strangers' sentences too: only what the table itself has. */
const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;
