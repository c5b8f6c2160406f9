/** A word that the class names: written in both meetings, and sought in the memory of both servers. */
import { useSignal } from "@preact/signals";
import { TEXT_MAX, TEXT_MIN } from "../landlord/find";
import { Answer, stateOf } from "../landlord/finder";
import { possible, type State, typed } from "./state";
import type { Hunts, Story } from "./store";
import { say } from "./words";

const SIDES = [
  ["snug", "ordinary_snug"],
  ["ordinary", "ordinary_other"],
] as const;

export function Word({ model, state }: { readonly model: Story; readonly state: State }) {
  const text = useSignal("");
  const recorded = typed(state, "word", "text");
  const wanted = (recorded ?? text.value).normalize("NFC").trim();
  const hunts = model.hunts.value;
  const doing = model.doing.value;
  const ready = [...wanted].length >= TEXT_MIN && doing === null && hunts.snug !== "searching" && hunts.ordinary !== "searching";
  return (
    <div class="stack">
      <form
        class="row word-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) model.word(wanted);
        }}
      >
        <input
          class="input"
          aria-label={say("word_label")}
          placeholder={say("word_label")}
          autocomplete="off"
          spellcheck={false}
          maxLength={TEXT_MAX}
          readOnly={state.played !== null}
          value={recorded ?? text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <button type="submit" class="button primary" data-word disabled={!ready}>
          {say("word_go")}
        </button>
      </form>
      <div class="halves two-sides">
        {SIDES.map(([side, title]) => (
          <section key={side} class="stack" aria-labelledby={`word-${side}`} data-side={side}>
            <h2 id={`word-${side}`}>{say(title)}</h2>
            {side === "ordinary" && state.beside === null ? <Start model={model} state={state} /> : <Side hunt={hunts[side]} />}
          </section>
        ))}
      </div>
    </div>
  );
}

function Side({ hunt }: { readonly hunt: Hunts["snug"] }) {
  return (
    <div class="found" role="status" data-found={stateOf(hunt)}>
      <Answer hunt={hunt} />
    </div>
  );
}

/** Starts the meeting at the ordinary server. */
function Start({ model, state }: { readonly model: Story; readonly state: State }) {
  const doing = model.doing.value;
  return (
    <>
      <p>{say("word_alone")}</p>
      <button type="button" class="button" data-beside disabled={doing !== null || !possible(state, "beside")} onClick={() => model.do("beside")}>
        {say("word_start")}
      </button>
      <p role="status">{doing === "beside" && say("word_starting")}</p>
    </>
  );
}
