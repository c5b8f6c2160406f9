/** The question to the only host who leaves: who hosts then? */
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { word } from "../../../words";
import { successors, useUi } from "./ui";

export function Successor(props: { close(): void }) {
  const { model } = useUi();
  const chosen = useSignal<number | null>(null);
  const leave = (to: number | null) => {
    props.close();
    model.do.leaveTo(to);
  };
  const possible = useComputed(() => successors(model));
  // they may all leave meanwhile: then there is nothing to ask
  useSignalEffect(() => {
    if (possible.value.length === 0) queueMicrotask(() => leave(null));
  });
  return (
    <>
      <h2>{word("meet.successor")}</h2>
      <p>{word("meet.successor_text")}</p>
      <fieldset class="stack tight successors">
        <legend class="unseen">{word("meet.successor")}</legend>
        {possible.value.map(({ leaf, name }) => (
          <label key={leaf} class="choice">
            <input
              type="radio"
              name="successor"
              checked={chosen.value === leaf}
              onChange={() => {
                chosen.value = leaf;
              }}
            />
            <bdi>{name}</bdi>
          </label>
        ))}
      </fieldset>
      <div class="stack tight">
        <button type="button" class="button primary" disabled={chosen.value === null} onClick={() => leave(chosen.value)}>
          {word("meet.hand_over_leave")}
        </button>
        <button type="button" class="button" onClick={() => leave(null)}>
          {word("meet.leave_hostless")}
        </button>
        <button type="button" class="button quiet" onClick={() => props.close()}>
          {word("meet.cancel")}
        </button>
      </div>
    </>
  );
}
