/**
 * Incidents: the lines that alarms and statuses become on a screen (`client/session/incidents.py` and `catalogue/incidents.toml`).
 *
 * One cause is one line, with a severity, a beginning and an end. A later sentence of the same cause changes the line; it
 * never lowers the severity. An incident ends with its cause, after its time, or when a person dismisses it. An attack
 * ends in the last way alone: its traces stay until somebody has read them.
 */
import type { Arg, Sentence } from "../words/sentence";
import { RULES, type Rule } from "./catalogue/incidentRules";
import type { Event, EventOf } from "./events";

export type Severity = NonNullable<Rule["severity"]>;
export const SEVERITIES: readonly Severity[] = ["calm", "attention", "attack"];
/** Incidents that are over, kept for the history. */
export const HISTORY_MAX = 100;
/** Open incidents: names in causes are chosen by members. Beyond, the oldest of the least severity ends. */
export const OPEN_MAX = 50;

type Part = string | Sentence;

/**
 * One line. Times are those of the caller, in seconds; `ended` is null while it is open.
 *
 * `about`: the parts that are left, in the order in which they came; `by`: what tells it from others of its cause.
 * `rule`: the table of its sentence. `count`: how often it was told.
 */
export interface Incident {
  readonly number: number;
  readonly cause: string;
  readonly by: string;
  readonly kind: string;
  readonly severity: Severity;
  readonly text: Sentence;
  readonly about: readonly Part[];
  readonly rule: Rule;
  readonly began: number;
  readonly told: number;
  readonly ended: number | null;
  readonly count: number;
}

/** Return the kind and the table of a sentence; null without a table. */
export function ruleOf(text: Sentence): { readonly kind: string; readonly rule: Rule } | null {
  const what = text.args?.["what"];
  const full = isSentence(what) ? `${text.key}.${what.key.slice(what.key.lastIndexOf(".") + 1)}` : text.key;
  const kind = full.split(".")[1] ?? full;
  for (let key = full; key !== ""; key = key.slice(0, Math.max(key.lastIndexOf("."), 0))) {
    const rule = RULES[key];
    if (rule !== undefined) return { kind, rule };
  }
  return null;
}

/** The open incidents of one meeting, and those that are over. */
export class Incidents {
  readonly #open = new Map<string, Incident>();
  #history: readonly Incident[] = [];
  #numbers = 0;

  /** The open incidents, the most severe first, and the newest of these. */
  get open(): readonly Incident[] {
    const rank = ({ severity }: Incident): number => SEVERITIES.indexOf(severity);
    return [...this.#open.values()].sort((a, b) => rank(b) - rank(a) || b.number - a.number);
  }

  /** The open incidents that no other one says, in the same order. */
  get shown(): readonly Incident[] {
    return this.open.filter((each) => !this.#isSaid(each));
  }

  /** The incidents that are over, in the order of their ends. */
  get history(): readonly Incident[] {
    return this.#history;
  }

  /** Forget all of them: another meeting begins. */
  clear(): void {
    this.#open.clear();
    this.#history = [];
  }

  /** Take note of an event. Return the incident that has begun, or changed, if it is shown; otherwise null. */
  told(event: Event, now: number): Incident | null {
    if (event.type === "Alarm" || event.type === "Status") return this.#sentence(event.text, now);
    if (event.type === "Roster") this.#roster(event, now);
    return null;
  }

  /** Let time pass. */
  tick(now: number): void {
    for (const [where, { rule: { lasts }, told }] of this.#open) {
      if (lasts !== undefined && now - told >= lasts) this.#close(where, now);
    }
  }

  /** This cause is over, by what the caller sees itself. */
  over(cause: string, now: number): void {
    this.#over(cause, {}, "", [], now);
  }

  /** A person has read it. */
  dismiss(number: number, now: number): void {
    for (const [where, incident] of this.#open) if (incident.number === number) this.#close(where, now);
  }

  #sentence(text: Sentence, now: number): Incident | null {
    const said = inner(text);
    const found = ruleOf(said);
    if (found === null) return null;
    const { kind, rule } = found;
    const by = one(said, rule.by);
    const parts = many(said, rule.parts);
    for (const cause of rule.ends ?? []) this.#over(cause, rule, by, parts, now);
    const { severity } = rule;
    if (severity === undefined) return null;
    const cause = rule.cause ?? kind;
    const where = placed(cause, by);
    const before = this.#open.get(where);
    const now_ = { text, severity, about: parts, rule, kind };
    if (before === undefined) this.#makeRoom(now);
    const made =
      before === undefined
        ? { ...now_, number: ++this.#numbers, cause, by, began: now, told: now, ended: null, count: 1 }
        : changed(before, now_, now);
    this.#open.set(where, made);
    const { told, count } = made;
    const isSame = before !== undefined && JSON.stringify({ ...before, told, count }) === JSON.stringify(made);
    return isSame || this.#isSaid(made) ? null : made;
  }

  /** Return whether an open incident says what this one says. */
  #isSaid(incident: Incident): boolean {
    return [...this.#open.values()].some((other) => says(other, incident));
  }

  /** A cause is over: for the parts that the sentence names, if both name some. */
  #over(cause: string, rule: Rule, by: string, parts: readonly Part[], now: number): void {
    for (const [where, incident] of this.#open) {
      if (incident.cause !== cause || incident.severity === "attack") continue;
      if (rule.by !== undefined && incident.by !== "" && incident.by !== by) continue;
      if (rule.parts !== undefined && incident.about.length > 0) this.#without(where, incident, parts, now);
      else if (rule.parts === undefined || incident.by === "" || parts.some((part) => identity(part) === incident.by))
        this.#close(where, now);
    }
  }

  #roster(event: EventOf<"Roster">, now: number): void {
    if (event.rejoined) this.over("step", now);
    const names = new Set(event.removed.map(({ name }) => name));
    for (const [where, incident] of this.#open) {
      if (incident.rule.leaves !== true) continue;
      if (names.has(incident.by)) this.#close(where, now);
      else if (incident.about.length > 0) this.#without(where, incident, incident.about.filter((part) => names.has(whose(part))), now);
    }
  }

  /** Take parts away from an incident; it ends with the last one. */
  #without(where: string, incident: Incident, parts: readonly Part[], now: number): void {
    const gone = new Set(parts.map(identity));
    const about = incident.about.filter((part) => !gone.has(identity(part)));
    if (about.length === 0) return this.#close(where, now);
    if (about.length < incident.about.length)
      this.#open.set(where, { ...incident, about, text: withParts(incident.text, incident.rule, about) });
  }

  #close(where: string, now: number): void {
    const incident = this.#open.get(where);
    if (incident === undefined) return;
    this.#open.delete(where);
    this.#history = [...this.#history, { ...incident, ended: now }].slice(-HISTORY_MAX);
  }

  #makeRoom(now: number): void {
    const least = this.open.at(-1);
    if (this.#open.size >= OPEN_MAX && least !== undefined) this.#close(placed(least.cause, least.by), now);
  }
}

/** Return the incident after a further sentence of its cause; a less severe one is only counted. */
function changed(
  before: Incident,
  later: Pick<Incident, "text" | "severity" | "about" | "rule" | "kind">,
  now: number,
): Incident {
  const counted = { ...before, told: now, count: before.count + 1 };
  if (SEVERITIES.indexOf(later.severity) < SEVERITIES.indexOf(before.severity)) return counted;
  const known = later.kind === before.kind ? before.about : [];
  const about = [...known, ...later.about.filter((part) => !known.some((each) => identity(each) === identity(part)))];
  return { ...counted, ...later, about, text: withParts(later.text, later.rule, about) };
}

const placed = (cause: string, by: string): string => JSON.stringify([cause, by]);

const identity = (part: Part): string => (typeof part === "string" ? part : JSON.stringify(part));

/** Return the member that a part is about: a name, or the stream of somebody. */
const whose = (part: Part): string => (typeof part === "string" ? part : String(part.args?.["whose"] ?? ""));

const isSentence = (arg: Arg | undefined): arg is Sentence => typeof arg === "object" && arg !== null && "key" in arg;

/** Return the sentence that a counted one repeats ("room.repeated"), else the sentence itself. */
function inner(text: Sentence): Sentence {
  const repeated = text.key === "room.repeated" ? text.args?.["alarm"] : undefined;
  return isSentence(repeated) ? repeated : text;
}

/** Return whether one says the other. Of two that say each other, the worse is shown, or the first. */
function says(other: Incident, { rule, cause, severity, number, text }: Incident): boolean {
  const isSame = rule.under_same?.includes(other.cause) === true && names(text).every((name) => names(other.text).includes(name));
  if (rule.under?.includes(other.cause) !== true && !isSame) return false;
  const above = SEVERITIES.indexOf(other.severity) - SEVERITIES.indexOf(severity);
  return above > 0 || (above === 0 && (other.rule.under?.includes(cause) !== true || other.number <= number));
}

/** Return the members whom a sentence names. */
function names(text: Sentence): readonly string[] {
  return ["who", "name"].flatMap((arg) => many(inner(text), arg).map(whose));
}

function one(text: Sentence, name: string | undefined): string {
  const arg = name === undefined ? undefined : text.args?.[name];
  if (arg === undefined || arg === null) return "";
  return isSentence(arg) ? identity(arg) : String(arg);
}

function many(text: Sentence, name: string | undefined): readonly Part[] {
  const arg = name === undefined ? undefined : text.args?.[name];
  if (arg === undefined || arg === null) return [];
  if (Array.isArray(arg)) return arg as readonly Part[];
  return [isSentence(arg) ? arg : String(arg)];
}

/** Return the sentence about these parts. */
function withParts(text: Sentence, { parts: name }: Rule, parts: readonly Part[]): Sentence {
  if (name === undefined || text.args?.[name] === undefined) return text;
  if (parts.length === 1 && text.args[name] === parts[0]) return text;
  return { ...text, args: { ...text.args, [name]: parts } };
}
