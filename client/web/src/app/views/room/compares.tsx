/** A comparison of codes that another member has begun: it opens the panel by itself, or says so over the stage. */
import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { word } from "../../../words";
import { Icon } from "../../icons";
import type { CodeView, Model } from "../../model";
import { isTaken } from "./keys";
import { asker, type Ui, useUi } from "./ui";

/** Seconds within which the panel opens only once for what one member asks: beyond, there is the line alone. */
const AGAIN = 60;

/** Return whether we have answered the code. */
const answered = ({ ownLeaf }: Model, code: CodeView | null): boolean =>
  code?.answers?.members.some(({ leaf, same }) => leaf === ownLeaf.value && same !== null) ?? false;

/**
 * Open the panel for a code that another member has asked for, but not under the hands of a person who types.
 *
 * It may have been asked for before this view was loaded.
 */
function useCompares({ model, unasked }: Ui): void {
  const last = useRef<CodeView["short"]>(null);
  const opened = useRef(new Map<number, number>());
  useSignalEffect(() => {
    const short = model.code.value?.short ?? null;
    if (short === null || short === last.current || answered(model, model.code.value)) return;
    last.current = short;
    const { by } = short;
    const now = model.now.peek();
    if (by === null || by === model.ownLeaf.peek() || model.panel.peek() === "code") return;
    if (isTaken(document.activeElement) || now - (opened.current.get(by) ?? -AGAIN) < AGAIN) return;
    opened.current.set(by, now);
    unasked.value = true;
    model.panel.value = "code";
  });
  useSignalEffect(() => {
    if (model.panel.value !== "code") unasked.value = false;
  });
}

/** The line that leads to the code, while the panel is closed and we have not answered. */
export function Compares() {
  const ui = useUi();
  const { model } = ui;
  useCompares(ui);
  const code = model.code.value;
  const name = asker(model, code);
  if (name === null || answered(model, code) || model.panel.value === "code") return null;
  return (
    <section class="banner" data-compares aria-label={word("meet.code_title")}>
      <Icon name="volume-2" />
      <span>{word("meet.compares", { name })}</span>
      <button
        type="button"
        class="button small"
        onClick={() => {
          model.panel.value = "code";
        }}
      >
        {word("meet.compares_show")}
      </button>
    </section>
  );
}
