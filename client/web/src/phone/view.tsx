/** The question, its answers as buttons, and what became of the vote. */
import { useLayoutEffect } from "preact/hooks";
import type { Language } from "../app/model";
import type { Ballot, Question } from "./store";

const NAMES: readonly (readonly [Language, string])[] = [
  ["en", "English"],
  ["de", "Deutsch"],
  ["zh-Hant", "繁體中文"],
  ["zh-Hans", "简体中文"],
];

export function Phone({ model }: { readonly model: Ballot }) {
  const { language, texts, asked, trouble } = model;
  const words = texts.value?.words[language.value];
  // with the words: an effect of signals comes a frame later
  useLayoutEffect(() => {
    document.documentElement.lang = language.value;
    const title = words?.["phone_title"];
    if (title !== undefined) document.title = `${title} · Snug`;
  }, [language.value, words]);
  if (words === undefined) return null;
  const say = (key: string): string => words[key] ?? "";
  const now = asked.value;
  return (
    <main class="phone">
      <header class="row">
        <span class="wordmark">Snug</span>
        <select
          aria-label={say("phone_language")}
          value={language.value}
          onChange={(event) => {
            language.value = event.currentTarget.value as Language;
          }}
        >
          {NAMES.map(([each, name]) => (
            <option key={each} value={each} lang={each}>
              {name}
            </option>
          ))}
        </select>
      </header>
      {now === null || now.question === null ? <Waiting say={say} /> : <Asked model={model} now={now} say={say} />}
      <div role="alert">
        {trouble.value !== null && <p class="notice">{say(trouble.value === "gone" ? "phone_gone" : `phone_refused_${trouble.value}`)}</p>}
      </div>
      <p class="note">{say("phone_note")}</p>
    </main>
  );
}

function Waiting({ say }: { readonly say: (key: string) => string }) {
  return (
    <>
      <h1>{say("phone_title")}</h1>
      <p role="status">{say("phone_wait")}</p>
    </>
  );
}

function Asked({ model, now, say }: { readonly model: Ballot; readonly now: Question; readonly say: (key: string) => string }) {
  const { question, stage, right } = now;
  const chosen = model.chosen.value[question];
  return (
    <>
      <h1>{say(`ask_${question}`)}</h1>
      <ol class="stack">
        {Array.from({ length: now.choices }, (_, i) => i + 1).map((choice) => (
          <li key={choice}>
            <button
              type="button"
              class="button wide"
              data-choice={choice}
              data-right={right === choice}
              aria-pressed={chosen === choice}
              disabled={stage !== "open"}
              onClick={() => model.choose(question, choice)}
            >
              {say(`pick_${question}_${choice}`)}
              {right === choice && <b> ({say("phone_right")})</b>}
            </button>
          </li>
        ))}
      </ol>
      <p role="status" data-stage={stage}>
        {say(standOf(now, chosen))}
      </p>
    </>
  );
}

/** What the phone says below the answers. */
function standOf({ stage, right }: Question, chosen: number | undefined): string {
  if (stage === "closed") return "phone_closed";
  if (stage === "open") return chosen === undefined ? "phone_choose" : "phone_counted";
  if (chosen === undefined) return "phone_none";
  return chosen === right ? "phone_hit" : "phone_miss";
}
