import type { Signal } from "@preact/signals";

/** A check box with its words, and a note below them. */
export const Check = ({ on, words, note = "" }: { readonly on: Signal<boolean>; readonly words: string; readonly note?: string }) => (
  <label class="choice">
    <input
      type="checkbox"
      checked={on.value}
      onChange={(event) => {
        on.value = event.currentTarget.checked;
      }}
    />
    <span>{words}</span>
    {note && <span class="note">{note}</span>}
  </label>
);
