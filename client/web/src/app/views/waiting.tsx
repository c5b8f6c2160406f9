import { duration, type Key, word } from "../../words/index";
import type { Model } from "../model";
import { OwnLevel, OwnPicture } from "./devices";
import { Heading } from "./heading";

/** The kinds of waiting that a lobby reports. */
const KINDS = ["waiting", "knocking", "away"] as const;

/** The view of a guest who waits: for a host, for an answer, or for the server. */
export function Waiting({ model }: { readonly model: Model }) {
  const waiting = model.waiting.value;
  if (waiting === null) return null;
  const kind = KINDS.find((known) => known === waiting.kind);
  const heading: Key = kind === undefined ? "waiting.other" : `waiting.${kind}`;
  const gone = model.now.value - waiting.since;
  return (
    <div class="waiting">
      <div class="stack">
        <OwnPicture model={model} />
        <OwnLevel model={model} />
      </div>
      <div class="stack">
        <Heading>{word(heading)}</Heading>
        <div role="status" class="stack tight">
          {kind === "waiting" || kind === "knocking" ? null : <p>{word(waiting.text)}</p>}
          {kind === undefined ? null : <p class="muted">{word(`waiting.${kind}_note`)}</p>}
        </div>
        {gone < 5 ? null : <p class="muted figures">{word("waiting.since", { time: duration(gone) })}</p>}
        <div>
          <button type="button" class="button" onClick={() => model.do.giveUp()}>
            {word("waiting.give_up")}
          </button>
        </div>
      </div>
    </div>
  );
}
