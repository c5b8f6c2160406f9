/** State that the room's views share beside the model: it concerns this screen only. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { type Signal, signal } from "@preact/signals";
import type { Model } from "../../model";

/** A question to confirm an action. */
export interface Question {
  readonly title: string;
  readonly text: string;
  readonly yes: string;
  act(): void;
}

export interface Ui {
  readonly model: Model;
  readonly question: Signal<Question | null>;
  readonly help: Signal<boolean>;
  /** An image of the chat, shown large. */
  readonly enlarged: Signal<{ readonly url: string; readonly label: string } | null>;
  /** The unsent text of the chat: it stays while the panel is closed. */
  readonly draft: Signal<string>;
  /** Whether single-key shortcuts work: people who use speech input turn them off (WCAG 2.1.4). */
  readonly keys: Signal<boolean>;
  /** The other member who spoke last: their tile stays large in silence. */
  readonly lastSpeaker: Signal<number | null>;
}

export const makeUi = (model: Model): Ui => ({
  model,
  question: signal(null),
  help: signal(false),
  enlarged: signal(null),
  draft: signal(""),
  keys: signal(true),
  lastSpeaker: signal(null),
});

export const UiContext = createContext<Ui | null>(null);

/** Return the shared state of the room; throws an Error outside of a room. */
export function useUi(): Ui {
  const ui = useContext(UiContext);
  if (ui === null) throw new Error("a view of the room stands outside of it");
  return ui;
}

export type Panel = "none" | "people" | "chat" | "code" | "settings" | "lecture";

/** Open a panel, or close it if it is open. */
export function togglePanel(model: Model, panel: Exclude<Panel, "none">): void {
  model.panel.value = model.panel.peek() === panel ? "none" : panel;
}
