/** Asks the lecture for its state twice a second, and has it do things. */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Language, Theme } from "../app/model";
import { utf8 } from "../crypto/bytes";
import { type Control, controlOf, type Hunt, hunted, type Searched } from "../landlord/find";
import { languageFor } from "../words";
import { STEPS, within } from "./steps";
import type { State } from "./state";

/** Milliseconds between two requests, to wait for an answer, and for something to be done. */
const EVERY = 500;
const PATIENCE = 5_000;
const DEED_PATIENCE = 180_000;

/** What the lecture can do; each is a path of its listener. */
export type Deed = "join" | "remove" | "kill" | "act" | "contrast" | "beside" | "word" | "dismiss" | "vote";
const REFUSALS = ["name", "full", "taken", "late", "nobody", "killed", "busy", "package", "phones", "often", "word", "recorded"] as const;
export type Refusal = (typeof REFUSALS)[number] | "gone";

/** Results of one search in two servers; null for a server that is not there. */
export interface Hunts {
  readonly snug: Hunt;
  readonly ordinary: Hunt;
}

/** The data that the views show, and their commands. */
export interface Story {
  readonly language: Signal<Language>;
  readonly theme: Signal<Theme>;
  readonly step: Signal<number>;
  readonly state: ReadonlySignal<State | null>;
  readonly trouble: ReadonlySignal<"token" | "gone" | null>;
  readonly hunt: ReadonlySignal<Hunt>;
  /** The search for a word of the class, in both servers. */
  readonly hunts: ReadonlySignal<Hunts>;
  /** What is being done, and why the last thing was not. */
  readonly doing: ReadonlySignal<Deed | null>;
  readonly refused: ReadonlySignal<Refusal | null>;
  /** The prediction is shown in place of the step. */
  readonly predicting: Signal<boolean>;
  do(deed: Deed, about?: Readonly<Record<string, string>>): void;
  /** Let somebody of that name in, unless a member has it, and search the server's memory for it. */
  find(name: string): void;
  /** Have a word written in both meetings, and search both servers' memories for it. */
  word(text: string): void;
}

export class Store implements Story {
  readonly language: Signal<Language>;
  readonly theme = signal<Theme>("system");
  readonly step: Signal<number>;
  readonly state = signal<State | null>(null);
  readonly trouble = signal<"token" | "gone" | null>(null);
  readonly hunt = signal<Hunt>(null);
  readonly hunts = signal<Hunts>({ snug: null, ordinary: null });
  readonly doing = signal<Deed | null>(null);
  readonly refused = signal<Refusal | null>(null);
  readonly predicting = signal(false);
  readonly #token: string;

  constructor(token: string, languages: readonly string[], step: number) {
    this.#token = token;
    this.language = signal(languageFor(languages));
    this.step = signal(within(step));
  }

  /** Tell the lecture which step is shown. */
  turned(step: number): void {
    this.predicting.value = false;
    void this.#ask("turn", JSON.stringify({ step: STEPS[step] }), PATIENCE);
  }

  /** Ask for the state repeatedly, for as long as the page is open. */
  async run(): Promise<never> {
    for (;;) {
      const state = await this.#ask<State>("state", null, PATIENCE);
      if (state !== null) this.state.value = state;
      await new Promise((next) => setTimeout(next, EVERY));
    }
  }

  do = (deed: Deed, about: Readonly<Record<string, string>> = {}): void => {
    // a vote waits for nothing that is being done
    if (deed === "vote") void this.#ask(deed, JSON.stringify(about), PATIENCE);
    else void this.#do(deed, about);
  };

  find = (name: string): void => {
    void this.#find(name);
  };

  word = (text: string): void => {
    void this.#word(text);
  };

  async #word(text: string): Promise<void> {
    const ordinary = this.state.peek()?.beside ?? null;
    this.hunts.value = { snug: "searching", ordinary: ordinary === null ? null : "searching" };
    const server = (await this.#do("word", { text })) ? (this.state.peek()?.server ?? null) : null;
    const number = ordinary === null ? null : numberOf(ordinary.number);
    const [found, other] = await Promise.all([
      this.#hunt(text, server === null ? null : controlOf(server), "find"),
      server === null ? null : this.#hunt(text, number, "find_ordinary"),
    ]);
    this.hunts.value = { snug: found, ordinary: number === null ? null : other };
  }

  /** Search one server for a text; null if it refuses. Without `control`, there is no server to ask. */
  async #hunt(text: string, control: Control | null, path: "find" | "find_ordinary"): Promise<Hunt> {
    if (control === null) return this.refused.peek() === null ? { failed: "" } : null;
    const ask = async (body: string): Promise<Searched | null> => {
      const answer = await this.#ask<Searched | { readonly refused: string }>(path, body, DEED_PATIENCE);
      if (answer === null || !("refused" in answer)) return answer;
      this.refused.value = refusalOf(answer.refused);
      return null;
    };
    const hunt = await hunted(text, control, ask);
    return this.refused.peek() === null ? hunt : null;
  }

  async #find(name: string): Promise<void> {
    this.hunt.value = "searching";
    const there = (): boolean => this.state.peek()?.member.people.some((one) => one.name === name) ?? false;
    const server = (await this.#come(name, there())) ? (this.state.peek()?.server ?? null) : null;
    this.hunt.value = await this.#hunt(name, server === null ? null : controlOf(server), "find");
  }

  async #come(name: string, there: boolean): Promise<boolean> {
    return there || (await this.#do("join", { name }));
  }

  /** Have something done; return whether it was. */
  async #do(deed: Deed, about: Readonly<Record<string, string>>): Promise<boolean> {
    if (this.doing.peek() !== null) return false;
    this.doing.value = deed;
    this.refused.value = null;
    const answer = await this.#ask<{ readonly refused?: string }>(deed, JSON.stringify(about), DEED_PATIENCE);
    this.doing.value = null;
    const why = answer === null ? "gone" : answer.refused;
    if (why !== undefined) this.refused.value = refusalOf(why);
    return why === undefined;
  }

  /** Return an answer of the lecture, a refusal (409) included; null without one. */
  async #ask<T>(what: string, body: string | null, patience: number): Promise<T | null> {
    try {
      const answer = await fetch(what, {
        method: body === null ? "GET" : "POST",
        headers: { "X-Snug-Token": this.#token, "Content-Type": "application/json" },
        body,
        cache: "no-store",
        redirect: "error",
        signal: AbortSignal.timeout(patience),
      });
      if (answer.ok || answer.status === 409) {
        const told = (await answer.json()) as T;
        this.trouble.value = null;
        return told;
      }
      this.trouble.value = answer.status === 403 ? "token" : this.trouble.peek();
    } catch {
      this.trouble.value = "gone";
    }
    return null;
  }
}

const refusalOf = (why: string): Refusal => REFUSALS.find((each) => each === why) ?? "gone";

const numberOf = (number: string): Control => ({ name: "number", form: { bytes: utf8(number), width: 1 } });
