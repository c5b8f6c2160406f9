/** A person's preferences: the only data that outlives the page. */
import { effect, type Signal, signal } from "@preact/signals";
import { languageFor } from "../words/index";
import type { Language, Theme } from "./model";

interface Kept {
  readonly language?: string;
  readonly theme?: string;
}

/** Signals that are written to the browser's storage, if there is one, whenever they change. */
export class Preferences {
  readonly language: Signal<Language>;
  readonly theme: Signal<Theme>;

  constructor(storage: Storage | null) {
    const kept = read(storage);
    this.language = signal(languageFor([...(kept.language ? [kept.language] : []), ...navigator.languages]));
    this.theme = signal(kept.theme === "light" || kept.theme === "dark" ? kept.theme : "system");
    effect(() => {
      const values: Kept = { language: this.language.value, theme: this.theme.value };
      try {
        storage?.setItem("snug", JSON.stringify(values));
      } catch {
        // the browser stores nothing: the next visit starts from the defaults
      }
    });
  }
}

function read(storage: Storage | null): Kept {
  try {
    const value: unknown = JSON.parse(storage?.getItem("snug") ?? "{}");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
