/** A person's preferences, which outlive the page. */
import { effect, type Signal, signal } from "@preact/signals";
import { languageFor } from "../words/index";
import type { Language, Theme } from "./model";
import type { PreJoin } from "./preJoin";
import { store, stored } from "./stored";

interface Kept {
  readonly language?: string;
  readonly theme?: string;
  /** null: the person wants no name to be remembered. */
  readonly name?: string | null;
}

/** Signals that are written to the browser's storage, if there is one, whenever they change. */
export class Preferences {
  readonly language: Signal<Language>;
  readonly theme: Signal<Theme>;

  /** `form` begins with the name of the last visit. */
  constructor(storage: Storage | null, form: Pick<PreJoin, "entered" | "name" | "remember">) {
    const kept = read(storage);
    form.remember.value = kept.name !== null;
    form.entered.value = form.name.value = typeof kept.name === "string" ? kept.name : "";
    this.language = signal(languageFor([...(kept.language ? [kept.language] : []), ...navigator.languages]));
    this.theme = signal(kept.theme === "light" || kept.theme === "dark" ? kept.theme : "system");
    effect(() => {
      const name = form.remember.value ? form.entered.value : null;
      const values: Kept = { language: this.language.value, theme: this.theme.value, name };
      store(storage, "snug", values);
    });
  }
}

function read(storage: Storage | null): Kept {
  const value = stored(storage, "snug");
  return typeof value === "object" && value !== null ? value : {};
}
