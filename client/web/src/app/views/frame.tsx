import { useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { LANGUAGES, speak, word } from "../../words/index";
import { Icon } from "../icons";
import type { Language, Model, Theme } from "../model";
import { CodeArt } from "../codeArt";
import { About } from "./about";

/** The digits of the code art in the wordmark and on the start view: of no room. */
export const MARK = "0000000000000000000000000000000001396671";

const THEMES = ["system", "light", "dark"] as const satisfies readonly Theme[];

/** The frame around every view except the room: wordmark, language and theme, and the page's origin. */
export function Frame({ model, children }: { readonly model: Model; readonly children: ComponentChildren }) {
  return (
    <div class="frame">
      <Head model={model} />
      <main class="frame-main">{children}</main>
      <footer class="frame-foot">
        <About model={model} />
      </footer>
    </div>
  );
}

/** Have a page of Snug shown in the theme and the language that the person has chosen. */
export function usePreferences({ theme, language }: Pick<Model, "language" | "theme">): void {
  useSignalEffect(() => {
    document.documentElement.dataset["theme"] = theme.value;
  });
  useSignalEffect(() => {
    // if the language's file cannot be loaded, the page keeps its current language
    void speak(language.value).catch(() => undefined);
  });
}

/** The wordmark, language and theme: the head of every page of Snug. */
export function Head({ model }: { readonly model: Pick<Model, "language" | "theme"> }) {
  return (
    <header class="frame-head">
      <span class="wordmark">
        <CodeArt digits={MARK} size={30} label={false} />
        Snug
      </span>
      <div class="row">
        <LanguageChoice model={model} />
        <ThemeChoice model={model} />
      </div>
    </header>
  );
}

/** Selects the language of the page. */
function LanguageChoice({ model }: { readonly model: Pick<Model, "language"> }) {
  return (
    <span class="select bare">
      <Icon name="globe" size={18} />
      <select
        aria-label={word("app.language")}
        value={model.language.value}
        onChange={(event) => {
          model.language.value = event.currentTarget.value as Language;
        }}
      >
        {LANGUAGES.map(([language, name]) => (
          <option key={language} value={language} lang={language}>
            {name}
          </option>
        ))}
      </select>
      <Icon name="chevron-down" size={16} />
    </span>
  );
}

/** Selects light, dark, or the system's theme. */
function ThemeChoice({ model }: { readonly model: Pick<Model, "theme"> }) {
  return (
    <span class="select bare">
      <Icon name="sun-moon" size={18} />
      <select
        aria-label={word("app.theme")}
        value={model.theme.value}
        onChange={(event) => {
          model.theme.value = event.currentTarget.value as Theme;
        }}
      >
        {THEMES.map((theme) => (
          <option key={theme} value={theme}>
            {word(`theme.${theme}`)}
          </option>
        ))}
      </select>
      <Icon name="chevron-down" size={16} />
    </span>
  );
}
