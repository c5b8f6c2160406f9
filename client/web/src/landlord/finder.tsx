/** "Find my name": a person types a text, the server searches its memory, and the answer is the largest thing here. */
import { useSignal } from "@preact/signals";
import { size } from "../words";
import { type Finding, type Hunt, TEXT_MAX, TEXT_MIN } from "./find";
import { say } from "./words";

interface Finder {
  readonly hunt: Hunt;
  search(text: string): void;
}

export function Find({ hunt, search }: Finder) {
  const text = useSignal("");
  const wanted = text.value.normalize("NFC").trim();
  return (
    <section class="card stack find" aria-labelledby="find-title">
      <h2 id="find-title">{say("find")}</h2>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          if ([...wanted].length >= TEXT_MIN && hunt !== "searching") search(wanted);
        }}
      >
        <input
          class="input find-text"
          aria-labelledby="find-title"
          aria-describedby="find-text-note"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          maxLength={TEXT_MAX}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <button type="submit" class="button primary" data-find disabled={[...wanted].length < TEXT_MIN || hunt === "searching"}>
          {say("find_go")}
        </button>
      </form>
      <p class="note" id="find-text-note">
        {say("find_text", { n: TEXT_MIN })}
      </p>
      <div class="found" role="status" data-found={stateOf(hunt)}>
        <Answer hunt={hunt} />
      </div>
    </section>
  );
}

/** `blank`: the search found nothing that it must find, and so shows nothing. */
type State = "idle" | "searching" | "failed" | "blank" | "found" | "absent";

export function stateOf(hunt: Hunt): State {
  if (hunt === null) return "idle";
  if (hunt === "searching") return hunt;
  if ("failed" in hunt) return "failed";
  if (hunt.memory > 0 || hunt.files > 0) return "found";
  return hunt.controlFound && hunt.whole ? "absent" : "blank";
}

/** The answer to a search, in the largest letters, and what was searched. */
export function Answer({ hunt }: { readonly hunt: Hunt }) {
  const state = stateOf(hunt);
  return (
    <>
      <p class="answer-large">{say(`find_${state}`)}</p>
      {hunt !== null && hunt !== "searching" && ("failed" in hunt ? <p>{whyOf(hunt.failed)}</p> : <Told finding={hunt} />)}
    </>
  );
}

const whyOf = (why: string): string => (why === "" ? say("trouble_gone") : say("find_failed_why", { why }));

function Told({ finding }: { readonly finding: Finding }) {
  const { text, memory, files, around, read, processes, control, controlFound, whole } = finding;
  return (
    <>
      {(memory > 0 || files > 0) && <p>{say("find_where", { text, memory, files })}</p>}
      {around.length > 0 && (
        <ul class="around" lang="zxx">
          {around.map((each) => (
            <li key={each}>
              <code>{each}</code>
            </li>
          ))}
        </ul>
      )}
      <p>
        {say("find_searched", { text, size: size(read), processes })}{" "}
        {controlFound ? say(`find_control_${control}`) : say("find_no_control")} {!whole && say("find_partly")}
      </p>
    </>
  );
}
