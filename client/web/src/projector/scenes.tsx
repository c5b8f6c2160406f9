/** The steps with something to do: search for a name, the tree of keys, somebody comes and goes, the server is killed. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Drawn, Holds, say as lecture } from "../app/views/room/lectureDrawing";
import { TEXT_MIN } from "../landlord/find";
import { Answer, stateOf } from "../landlord/finder";
import { number, word } from "../words";
import type { TreeView } from "../worker/messages";
import { Pair, People } from "./pair";
import { possible, type State, typed } from "./state";
import type { Story } from "./store";
import { say } from "./words";

/** Bytes of a name, which members check as well. */
const NAME_MAX = 64;
/** Names of those who come, in the order of their coming. */
const NAMES = ["Dana", "Emil", "Fay", "Gus", "Hana"];

interface SceneProps {
  readonly model: Story;
  readonly state: State;
}

export function Find({ model, state }: SceneProps) {
  const text = useSignal("");
  const recorded = typed(state, "join", "name");
  const wanted = (recorded ?? text.value).normalize("NFC").trim();
  const hunt = model.hunt.value;
  const ready = [...wanted].length >= TEXT_MIN && hunt !== "searching" && model.doing.value === null;
  return (
    <div class="halves">
      <div class="stack">
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            if (ready) model.find(wanted);
          }}
        >
          <label class="unseen" for="find-name">
            {say("find_name")}
          </label>
          <input
            id="find-name"
            class="input"
            placeholder={say("find_name")}
            autocomplete="off"
            spellcheck={false}
            maxLength={NAME_MAX}
            readOnly={state.played !== null}
            value={recorded ?? text.value}
            onInput={(event) => {
              text.value = event.currentTarget.value;
            }}
          />
          <button type="submit" class="button primary" data-find disabled={!ready}>
            {say("find_go")}
          </button>
        </form>
        <div class="found" role="status" data-found={stateOf(hunt)}>
          <Answer hunt={hunt} />
        </div>
      </div>
      <section class="side" aria-labelledby="find-members">
        <h2 id="find-members">{say("member_sees")}</h2>
        <People member={state.member} />
      </section>
    </div>
  );
}

export function Tree({ state, children }: { readonly state: State; readonly children?: ComponentChildren }) {
  const chosen = useSignal<number | null>(null);
  // nobody before the projector is "you": the tree is a robot's, whose leaf is marked as held
  const views = state.member.tree.map((view): TreeView => ({ ...view, ownLeaf: -1 }));
  const view = views.at(-1);
  if (view === undefined) return <p role="status">{lecture("tree_waiting")}</p>;
  return (
    <div class="halves">
      <Drawn view={view} before={views.at(-2) ?? null} chosen={chosen.value} choose={(node) => (chosen.value = node)} />
      <div class="stack">
        {children}
        <p class="figures" aria-live="polite">
          <b>{lecture("epoch", { epoch: number(view.epoch) })}</b> {word(view.what)} {view.by !== null && lecture("by", { name: view.by })}
        </p>
        <ul class="tree-legend note">
          <li data-kind="fresh">{lecture("legend_fresh")}</li>
          <li data-kind="held">{say("legend_held", { name: state.member.name })}</li>
          <li data-kind="other">{lecture("legend_other")}</li>
          <li data-kind="blank">{lecture("legend_blank")}</li>
        </ul>
        <Holds view={view} node={chosen.value} />
      </div>
    </div>
  );
}

export function Joins({ model, state }: SceneProps) {
  const here = new Set(state.member.people.map(({ name }) => name));
  const name = typed(state, "join", "name") ?? NAMES.find((one) => !here.has(one));
  return (
    <Tree state={state}>
      <button
        type="button"
        class="button primary"
        data-join
        disabled={name === undefined || here.has(name) || model.doing.value !== null || !possible(state, "join")}
        onClick={() => name !== undefined && model.do("join", { name })}
      >
        {say("join_go", { name: name ?? "" })}
      </button>
    </Tree>
  );
}

export function Removed({ model, state }: SceneProps) {
  const name = state.guests.at(-1);
  return (
    <Tree state={state}>
      {name === undefined ? (
        <p class="notice">{say("remove_none")}</p>
      ) : (
        <button type="button" class="button primary" data-remove disabled={model.doing.value !== null || !possible(state, "remove")} onClick={() => model.do("remove")}>
          {say("remove_go", { name })}
        </button>
      )}
    </Tree>
  );
}

export function Kill({ model, state }: SceneProps) {
  return (
    <>
      {state.killed ? (
        <p role="status">
          <b>{say("killed")}</b>
        </p>
      ) : (
        <button type="button" class="button primary" data-kill disabled={model.doing.value !== null || !possible(state, "kill")} onClick={() => model.do("kill")}>
          {say("kill_go")}
        </button>
      )}
      <Pair state={state} sides="both" />
    </>
  );
}
