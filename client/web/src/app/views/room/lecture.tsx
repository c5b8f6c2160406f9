/** The lecture panel, loaded on demand: the ratchet tree as members know it, by epoch, and the scenes of the lab. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { number, size, speaking, word } from "../../../words";
import { Icon } from "../../icons";
import { Drawn, Holds, say } from "./lectureDrawing";
import { GUESSES, type Guess, killServer, noticed, play, type Played, scenes, type SceneView } from "./lecturePlay";
import { epochs } from "./lectureTree";
import { useUi } from "./ui";

export function Lecture() {
  const { model } = useUi();
  useEffect(() => {
    model.do.watchTree(true);
    return () => model.do.watchTree(false);
  }, [model]);
  return (
    <>
      <Tree />
      <Kill />
      <Lab />
    </>
  );
}

// -- the tree ------------------------------------------------------------------------------------------------

function Tree() {
  const { model } = useUi();
  /** The epoch that is shown; null: always the newest. */
  const held = useSignal<number | null>(null);
  const chosen = useSignal<number | null>(null);
  const views = epochs(model.tree.value);
  const at = held.value === null ? views.length - 1 : views.findIndex(({ epoch }) => epoch === held.value);
  const view = views[at];
  const step = (by: number): void => {
    held.value = views[at + by]?.epoch ?? held.value;
  };
  return (
    <section class="panel-part" aria-labelledby="tree-title">
      <h3 id="tree-title">{say("tree")}</h3>
      <p class="note">{say("tree_text")}</p>
      {view === undefined ? (
        <p role="status">{say("tree_waiting")}</p>
      ) : (
        <>
          <div class="row">
            <button type="button" class="button small" disabled={at <= 0} onClick={() => step(-1)} aria-label={say("step_back")}>
              <Icon name="arrow-left" size={16} />
            </button>
            <button
              type="button"
              class="button small"
              disabled={at >= views.length - 1}
              onClick={() => step(1)}
              aria-label={say("step_on")}
            >
              <Icon name="arrow-right" size={16} />
            </button>
            <button
              type="button"
              class="button small"
              onClick={() => {
                held.value = held.value === null ? view.epoch : null;
              }}
            >
              {say(held.value === null ? "pause" : "live")}
            </button>
            <span class="note figures">{say("of", { at: at + 1, all: views.length })}</span>
          </div>
          <p aria-live="polite">
            <b class="figures">{say("epoch", { epoch: number(view.epoch) })}</b> {word(view.what)}{" "}
            {view.by !== null && say("by", { name: view.by })} {view.bytes > 0 && say("bytes", { size: size(view.bytes) })}
          </p>
          <Drawn view={view} before={views[at - 1] ?? null} chosen={chosen.value} choose={(node) => (chosen.value = node)} />
          <Holds view={view} node={chosen.value} />
          <ul class="tree-legend note">
            <li data-kind="fresh">{say("legend_fresh")}</li>
            <li data-kind="held">{say("legend_held")}</li>
            <li data-kind="other">{say("legend_other")}</li>
            <li data-kind="blank">{say("legend_blank")}</li>
          </ul>
        </>
      )}
    </section>
  );
}

// -- the end of the server -----------------------------------------------------------------------------------

function Kill() {
  /** The address of the next server's window, once the server is killed. */
  const state = useSignal<"ready" | "killing" | "failed" | { readonly window: string }>("ready");
  const { value } = state;
  const kill = (): void => {
    state.value = "killing";
    void killServer().then((window) => {
      state.value = window === null ? "failed" : { window };
    });
  };
  return (
    <section class="panel-part stack tight" aria-labelledby="kill-title">
      <h3 id="kill-title">{say("kill_title")}</h3>
      <p class="note">{say("kill_text")}</p>
      {typeof value === "string" ? (
        <button type="button" class="button" disabled={value === "killing"} onClick={kill}>
          {say("kill")}
        </button>
      ) : (
        <p role="status">
          {say("killed")}{" "}
          <a href={value.window} target="_blank" rel="noreferrer">
            {say("kill_window")}
          </a>
        </p>
      )}
      {value === "failed" && <p role="status">{say("failed")}</p>}
    </section>
  );
}

// -- the lab -------------------------------------------------------------------------------------------------

type SceneState = "asking" | "playing" | "busy" | "failed" | Played;

function Lab() {
  const every = useSignal<readonly SceneView[] | null | undefined>(undefined);
  const chosen = useSignal<SceneView | null>(null);
  useEffect(() => {
    void scenes().then((found) => (every.value = found));
  }, [every]);
  const { value: found } = every;
  const scene = chosen.value;
  const themes = [...new Set((found ?? []).map(({ theme }) => theme))];
  return (
    <section class="panel-part" aria-labelledby="lab-title">
      <h3 id="lab-title">{say("lab")}</h3>
      <p class="note">{say("lab_text")}</p>
      {found === null && <p role="status">{say("lab_missing")}</p>}
      {scene !== null ? (
        <Act key={scene.scene} scene={scene} back={() => (chosen.value = null)} />
      ) : (
        themes.map((theme) => (
          <details key={theme} class="scenes" open={theme === themes[0]}>
            <summary>{say(themeKey(theme))}</summary>
            <ul>
              {(found ?? [])
                .filter((one) => one.theme === theme)
                .map((one) => (
                  <li key={one.scene}>
                    <button type="button" class="scene" data-scene={one.scene} onClick={() => (chosen.value = one)}>
                      <span>{one.question[speaking()]}</span>
                    </button>
                  </li>
                ))}
            </ul>
          </details>
        ))
      )}
    </section>
  );
}

const THEMES = ["entering", "ending", "media", "slots", "plainly"] as const;
const themeKey = (theme: string) => {
  const known = THEMES.find((one) => one === theme);
  return known === undefined ? "theme_other" : (`theme_${known}` as const);
};

function Act({ scene, back }: { readonly scene: SceneView; back(): void }) {
  const state = useSignal<SceneState>("asking");
  const guess = useSignal<Guess | null>(null);
  const stop = useSignal(new AbortController());
  // leaving the view stops the scene
  useEffect(() => () => stop.peek().abort(), [stop]);
  const begin = (one: Guess): void => {
    guess.value = one;
    state.value = "playing";
    const { signal } = stop.peek();
    void play(scene.scene, signal).then((played) => {
      if (!signal.aborted) state.value = played ?? "failed";
    });
  };
  const { value } = state;
  return (
    <div class="act">
      <button type="button" class="button small quiet" onClick={back}>
        <Icon name="arrow-left" size={16} />
        {say("back")}
      </button>
      <p class="act-question">{scene.question[speaking()]}</p>
      <p class="note">
        <code>{scene.scene}</code> · {scene.mirrors}
      </p>
      {value === "asking" || value === "busy" || value === "failed" ? (
        <fieldset>
          <legend>{say("predict")}</legend>
          {value === "busy" && <p role="status">{say("busy")}</p>}
          {value === "failed" && <p role="status">{say("failed")}</p>}
          <div class="guesses">
            {GUESSES.map((one) => (
              <button key={one} type="button" class="button" data-guess={one} onClick={() => begin(one)}>
                <b>{say(`guess_${one}`)}</b>
                <span class="note">{say(`guess_${one}_text`)}</span>
              </button>
            ))}
          </div>
        </fieldset>
      ) : value === "playing" ? (
        <p role="status" class="playing">
          {say("playing")}
        </p>
      ) : (
        <Outcome played={value} guess={guess.value} />
      )}
    </div>
  );
}

function Outcome({ played, guess }: { readonly played: Played; readonly guess: Guess | null }) {
  const told = noticed(played);
  const right = guess === played.verdict;
  return (
    <div class="stack tight" role="status" data-verdict={played.verdict}>
      <p>
        <b>{say(`verdict_${played.verdict}`)}</b> {played.after !== null && say("told_in", { seconds: played.after.toFixed(1) })}
      </p>
      {played.verdict !== "unplayed" && guess !== null && (
        <p>
          {say(right ? "held" : "not_held", { guess: say(`guess_${guess}`) })}
        </p>
      )}
      <p lang="en">{played.why}</p>
      <p class="note">{played.outcome[speaking()]}</p>
      {played.frames_tried > 0 && (
        <p class="note figures">{say("frames", { tried: played.frames_tried, opened: played.frames_opened })}</p>
      )}
      {played.worse && <p class="alarm">{say("worse")}</p>}
      {told.length > 0 && (
        <>
          <h4>{say("noticed")}</h4>
          <ul class="told">
            {told.map(({ name, note }) => (
              <li key={name}>
                <span class="note figures">{say("told_after", { name, seconds: note.after.toFixed(1) })}</span>
                <q lang="en">{note.text}</q>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
