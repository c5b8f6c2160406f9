/** Requests the server's state twice a second, and keeps the last minute, because the server does not. */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Language, Theme } from "../app/model";
import { unhex } from "../crypto/bytes";
import { languageFor } from "../words";
import { attempt, type Verdict } from "./decoder";
import { type Hunt, controlOf, hunted } from "./find";
import { type Frame, frameOf } from "./frame";
import { History } from "./history";
import type { Now, Relayed, Stream } from "./now";

/** Milliseconds between two requests. */
const EVERY = 500;
/** Maximum milliseconds to wait for an answer, and for a search of all memory. */
const PATIENCE = 5_000;
const SEARCH_PATIENCE = 90_000;

/** Why nothing new is shown: the address lacks its token, or the server does not answer. */
export type Trouble = "token" | "gone";

/** A relayed frame and the result of decoding it. `frame` null: the server held no complete frame. */
export interface Look {
  readonly stream: Stream;
  readonly frame: Frame | null;
  readonly verdict: Verdict | null;
}

/** The data that the views show, and their commands. */
export interface OperatorWindow {
  readonly language: Signal<Language>;
  readonly theme: Signal<Theme>;
  readonly now: ReadonlySignal<Now | null>;
  readonly history: History;
  readonly trouble: ReadonlySignal<Trouble | null>;
  readonly paused: Signal<boolean>;
  readonly look: ReadonlySignal<Look | null>;
  readonly hunt: ReadonlySignal<Hunt>;
  /** Have the server search its memory for a text. */
  search(text: string): void;
  /** Fetch the last complete frame of that stream from the server. */
  take(stream: Stream): void;
}

export class Store implements OperatorWindow {
  readonly language: Signal<Language>;
  readonly theme = signal<Theme>("system");
  readonly now = signal<Now | null>(null);
  readonly history = new History();
  readonly trouble = signal<Trouble | null>(null);
  readonly paused = signal(false);
  readonly look = signal<Look | null>(null);
  readonly hunt = signal<Hunt>(null);
  readonly #token: string;

  constructor(token: string, languages: readonly string[]) {
    this.#token = token;
    this.language = signal(languageFor(languages));
  }

  /** Request the state repeatedly, for as long as the page is open. */
  async run(): Promise<never> {
    for (;;) {
      if (!this.paused.peek()) await this.#see();
      await new Promise((next) => setTimeout(next, EVERY));
    }
  }

  take = (stream: Stream): void => {
    void this.#take(stream);
  };

  search = (text: string): void => {
    void this.#search(text);
  };

  async #search(text: string): Promise<void> {
    const now = this.now.peek();
    if (now === null) return;
    this.hunt.value = "searching";
    this.hunt.value = await hunted(text, controlOf(now), (body) => this.#ask("find", body));
  }

  async #see(): Promise<void> {
    const now = await this.#ask<Now>("now");
    if (now === null || this.paused.peek()) return;
    this.history.take(now);
    this.now.value = now;
  }

  async #take(stream: Stream): Promise<void> {
    const relayed = await this.#ask<Relayed>(`frame?ssrc=${stream.ssrc}`);
    if (relayed === null) return;
    const frame = frameOf(stream.kind, relayed.packets.map(unhex));
    this.look.value = { stream, frame, verdict: frame === null ? null : await attempt(frame) };
  }

  /** Return an answer of the server; null without an answer, and then `trouble` has the reason. */
  async #ask<T>(what: string, body: string | null = null): Promise<T | null> {
    try {
      const answer = await fetch(what, {
        method: body === null ? "GET" : "POST",
        headers: { "X-Snug-Token": this.#token },
        body,
        cache: "no-store",
        redirect: "error",
        signal: AbortSignal.timeout(body === null ? PATIENCE : SEARCH_PATIENCE),
      });
      if (answer.ok) {
        const told = (await answer.json()) as T;
        this.trouble.value = null;
        return told;
      }
      this.trouble.value = answer.status === 403 ? "token" : "gone";
    } catch {
      this.trouble.value = "gone";
    }
    return null;
  }
}
