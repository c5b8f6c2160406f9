/** Asks the lecture for its question every other second, and sends a vote (lab/demo/lan.py). */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Language } from "../app/model";

/** Milliseconds between two requests, and to wait for an answer. */
const EVERY = 2_000;
const PATIENCE = 8_000;
const TOKEN_SIZE = 16;

/** The question; `right` is null until the lecturer reveals it. Null as `question`: nothing has been asked. */
export interface Question {
  readonly question: string;
  readonly stage: "open" | "closed" | "revealed";
  readonly choices: number;
  readonly right: number | null;
}
export type Asked = Question | { readonly question: null };

const REFUSALS = ["closed", "full", "address", "often"] as const;
export type Trouble = (typeof REFUSALS)[number] | "gone";

/** The texts by language, and the language that suits the browser best. */
export interface Texts {
  readonly first: Language;
  readonly words: Readonly<Record<Language, Readonly<Record<string, string>>>>;
}

/** The data that the view shows, and its command. */
export interface Ballot {
  readonly language: Signal<Language>;
  readonly texts: ReadonlySignal<Texts | null>;
  readonly asked: ReadonlySignal<Asked | null>;
  /** The own choice for each question. */
  readonly chosen: ReadonlySignal<Readonly<Record<string, number>>>;
  readonly trouble: ReadonlySignal<Trouble | null>;
  choose(question: string, choice: number): void;
}

/** Where the token and the choices outlast a reload of this tab. */
export type Kept = Pick<Storage, "getItem" | "setItem">;

export class Store implements Ballot {
  readonly language = signal<Language>("en");
  readonly texts = signal<Texts | null>(null);
  readonly asked = signal<Asked | null>(null);
  readonly chosen: Signal<Readonly<Record<string, number>>>;
  readonly trouble = signal<Trouble | null>(null);
  readonly #kept: Kept;
  readonly #phone: string;

  constructor(kept: Kept) {
    this.#kept = kept;
    this.#phone = kept.getItem("phone") ?? token();
    kept.setItem("phone", this.#phone);
    this.chosen = signal(choicesOf(kept.getItem("chosen")));
  }

  /** Ask repeatedly, for as long as the page is open. */
  async run(): Promise<never> {
    for (;;) {
      await this.look();
      await new Promise((next) => setTimeout(next, EVERY));
    }
  }

  /** Ask once: for the texts until they are there, and for the question. */
  async look(): Promise<void> {
    if (this.texts.peek() === null) {
      const texts = await this.#ask<Texts>("words.json");
      if (texts === null) return;
      this.language.value = texts.first;
      this.texts.value = texts;
    }
    const asked = await this.#ask<Asked>("now");
    if (asked !== null) this.asked.value = asked;
  }

  choose = (question: string, choice: number): void => {
    void this.vote(question, choice);
  };

  /** Send a vote, and keep it if it counts. */
  async vote(question: string, choice: number): Promise<void> {
    const answer = await this.#ask<{ readonly refused?: string }>("vote", { phone: this.#phone, question, choice });
    if (answer === null) return;
    const refused = answer.refused;
    if (refused !== undefined) {
      this.trouble.value = REFUSALS.find((each) => each === refused) ?? "gone";
      return;
    }
    this.trouble.value = null;
    this.chosen.value = { ...this.chosen.peek(), [question]: choice };
    this.#kept.setItem("chosen", JSON.stringify(this.chosen.peek()));
  }

  /** Return an answer of the lecture, a refusal (409) included; null without one. */
  async #ask<T>(what: string, body?: object): Promise<T | null> {
    try {
      const answer = await fetch(what, {
        ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
        cache: "no-store",
        redirect: "error",
        credentials: "omit",
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (answer.ok || answer.status === 409) {
        if (this.trouble.peek() === "gone") this.trouble.value = null;
        return (await answer.json()) as T;
      }
      this.trouble.value = answer.status === 429 ? "often" : "gone";
    } catch {
      this.trouble.value = "gone";
    }
    return null;
  }
}

/** Return a random token of 22 characters, which means nothing elsewhere. */
function token(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_SIZE));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Return the choices that were kept; none if the text is not what this page writes. */
function choicesOf(text: string | null): Readonly<Record<string, number>> {
  try {
    const told: unknown = JSON.parse(text ?? "{}");
    if (typeof told !== "object" || told === null) return {};
    return Object.fromEntries(Object.entries(told).filter((each): each is [string, number] => typeof each[1] === "number"));
  } catch {
    return {};
  }
}
