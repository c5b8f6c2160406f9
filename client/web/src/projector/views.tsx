/** The projector: one page that tells the story in steps, in letters that the last row can read. */
import { useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../app/icons";
import { Head, usePreferences } from "../app/views/frame";
import { Acts } from "./acts";
import { Ordinary } from "./contrast";
import { Pair } from "./pair";
import { Prediction, PredictionSwitch } from "./prediction";
import { Find, Joins, Kill, Removed, Tree } from "./scenes";
import type { State } from "./state";
import { questionsOf, STEPS, type StepName, turnOf, within } from "./steps";
import type { Refusal, Story } from "./store";
import { Word } from "./word";
import { say } from "./words";

export function Projector({ model }: { readonly model: Story }) {
  const heading = useRef<HTMLHeadingElement>(null);
  usePreferences(model);
  useSignalEffect(() => {
    document.title = `${say("title")} · Snug`;
  });
  const at = model.step.value;
  const name = STEPS[at] ?? STEPS[0];
  const turn = (by: number): void => {
    model.step.value = within(model.step.peek() + by);
    heading.current?.focus();
  };
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const target = event.target instanceof Element ? event.target : null;
      const by = turnOf(event.key, target?.matches("input, select") ?? false, target?.matches("button, summary, [role=button]") ?? false);
      if (by === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      turn(by);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
  return (
    <div class="projector">
      <Head model={model} />
      <main>
        <header class="scene-head">
          <p class="scene-number figures">
            {say("step_of", { at: at + 1, all: STEPS.length })}
            {(model.state.value?.played ?? null) !== null && ` · ${say("recording")}`}
          </p>
          <h1 tabIndex={-1} ref={heading}>
            {say(`name_${name}`)}
          </h1>
          {/* both give the answer away */}
          {!model.predicting.value && (
            <>
              <p class="scene-say">{say(`say_${name}`)}</p>
              <p class="scene-look">
                <Icon name="eye" size={28} />
                <span>{say(`look_${name}`)}</span>
              </p>
            </>
          )}
        </header>
        <Troubles model={model} />
        <div class="scene-body" data-step={name}>
          <Body model={model} name={name} />
        </div>
      </main>
      <nav class="turns" aria-label={say("steps")}>
        <button type="button" class="button" disabled={at === 0} onClick={() => turn(-1)}>
          <Icon name="arrow-left" />
          {say("back")}
        </button>
        <PredictionSwitch model={model} state={model.state.value} questions={questionsOf(name, model.state.value?.acts ?? [])} />
        <span class="note">{say("keys")}</span>
        <button type="button" class="button primary" data-next disabled={at === STEPS.length - 1} onClick={() => turn(1)}>
          {say("next")}
          <Icon name="arrow-right" />
        </button>
      </nav>
    </div>
  );
}

function Body({ model, name }: { readonly model: Story; readonly name: StepName }) {
  const state = model.state.value;
  if (state === null) return model.trouble.value === null ? <p role="status">{say("waiting")}</p> : null;
  const questions = questionsOf(name, state.acts);
  if (model.predicting.value && state.votes !== null && questions.length > 0) return <Prediction model={model} votes={state.votes} questions={questions} />;
  const views: Readonly<Record<StepName, (state: State) => ComponentChildren>> = {
    who: () => <Pair state={state} sides="member" />,
    sees: () => <Pair state={state} sides="both" />,
    find: () => <Find model={model} state={state} />,
    ordinary: () => <Ordinary model={model} state={state} />,
    word: () => <Word model={model} state={state} />,
    tree: () => <Tree state={state} />,
    joins: () => <Joins model={model} state={state} />,
    removed: () => <Removed model={model} state={state} />,
    kill: () => <Kill model={model} state={state} />,
    acts: () => <Acts model={model} state={state} />,
  };
  return <>{views[name](state)}</>;
}

/** Why the page shows nothing new, and why the last thing was not done. */
function Troubles({ model }: { readonly model: Story }) {
  const trouble = model.trouble.value;
  const refused: Refusal | null = model.refused.value;
  const text = trouble !== null ? say(`trouble_${trouble}`) : refused !== null ? say(`refused_${refused}`) : null;
  return (
    <div role="alert">
      {text !== null && (
        <p class="notice">
          <Icon name="info" />
          <span>{text}</span>
        </p>
      )}
    </div>
  );
}
