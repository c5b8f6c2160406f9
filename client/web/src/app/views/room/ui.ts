/** What the room's views share beside the model: what is open on this screen, which is nobody else's business. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { type Signal, signal } from "@preact/signals";
import type { Model } from "../../model";

/** Something that is asked before it is done. */
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
  /** A picture of the chat, shown large. */
  readonly enlarged: Signal<{ readonly url: string; readonly label: string } | null>;
  /** What is being written in the chat: it stays while the panel is closed. */
  readonly draft: Signal<string>;
  /** Whether single keys do something: people who speak to their computer turn them off (WCAG 2.1.4). */
  readonly keys: Signal<boolean>;
  /** Who spoke last, other than oneself: the large picture stays with them while nobody speaks. */
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

/** The room that a view stands in; an Error outside of one. */
export function useUi(): Ui {
  const ui = useContext(UiContext);
  if (ui === null) throw new Error("a view of the room stands outside of it");
  return ui;
}

export type Panel = "none" | "people" | "chat" | "code" | "settings" | "lecture";

/** Opens that panel, or closes it if it is the open one. */
export function togglePanel(model: Model, panel: Exclude<Panel, "none">): void {
  model.panel.value = model.panel.peek() === panel ? "none" : panel;
}
