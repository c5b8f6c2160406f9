/** State that the room's views share beside the model: it concerns this screen only. */
import { type ComponentChildren, createContext } from "preact";
import { useContext } from "preact/hooks";
import { type Signal, signal } from "@preact/signals";
import { word } from "../../../words";
import type { CodeView, Model, Person } from "../../model";
import type { Corner } from "./corner";

/** The id of the card of a knock. */
export const ADMISSION = "admission";

export type OwnDevice = "microphone" | "camera";

/** A question to confirm an action. */
export interface Question {
  readonly title: string;
  readonly text: string;
  /** Shown below the text. */
  readonly more?: ComponentChildren;
  readonly yes: string;
  act(): void;
}

export interface Ui {
  readonly model: Model;
  readonly question: Signal<Question | null>;
  readonly help: Signal<boolean>;
  /** The only host leaves, and is asked who hosts then. */
  readonly succession: Signal<boolean>;
  /** The member whose removal is asked about. */
  readonly removal: Signal<Person | null>;
  /** An image of the chat, shown large. */
  readonly enlarged: Signal<{ readonly url: string; readonly label: string } | null>;
  /** The unsent text of the chat: it stays while the panel is closed. */
  readonly draft: Signal<string>;
  /** The messages that are chosen for a report, by the ids of their lines; null: none are being chosen. */
  readonly reporting: Signal<ReadonlySet<string> | null>;
  /** Whether single-key shortcuts work: people who use speech input turn them off (WCAG 2.1.4). */
  readonly keys: Signal<boolean>;
  /** The other member who spoke last: their tile stays large in silence. */
  readonly lastSpeaker: Signal<number | null>;
  /** Devices that the person has pressed, so that a reason is shown where one gives nothing. */
  readonly pressed: Signal<ReadonlySet<OwnDevice>>;
  /** The leaf of the member whose volume is set in a dialog. */
  readonly volumeOf: Signal<number | null>;
  /** Our own camera is not shown to us; it is sent all the same. */
  readonly selfHidden: Signal<boolean>;
  /** The panel has opened by itself: it leaves the focus where it is. */
  readonly unasked: Signal<boolean>;
  /** Where our own video floats in a conversation of two. */
  readonly corner: Signal<Corner>;
}

export const makeUi = (model: Model): Ui => ({
  model,
  question: signal(null),
  help: signal(false),
  succession: signal(false),
  removal: signal(null),
  enlarged: signal(null),
  draft: signal(""),
  reporting: signal(null),
  keys: signal(true),
  lastSpeaker: signal(null),
  pressed: signal(new Set()),
  volumeOf: signal(null),
  selfHidden: signal(false),
  unasked: signal(false),
  corner: signal("bottom-right"),
});

export const UiContext = createContext<Ui | null>(null);

/** Return the shared state of the room; throws an Error outside of a room. */
export function useUi(): Ui {
  const ui = useContext(UiContext);
  if (ui === null) throw new Error("a view of the room stands outside of it");
  return ui;
}

export type Panel = Model["panel"]["value"];

/** Open a panel, or close it if it is open. */
export function togglePanel(model: Model, panel: Exclude<Panel, "none">): void {
  model.panel.value = model.panel.peek() === panel ? "none" : panel;
}

/** Turn our microphone or camera on or off. If the device gives nothing, the reason is shown from now on. */
export function pressDevice({ model, pressed }: Ui, device: OwnDevice): void {
  pressed.value = new Set([...pressed.peek(), device]);
  if (device === "microphone") model.do.toggleMic();
  else model.do.toggleCamera();
}

/** Return the question that confirms the end of a meeting for all. */
export const endQuestion = (act: () => void): Question => ({
  title: word("meet.end_title"),
  text: word("meet.end_text"),
  yes: word("meet.end_yes"),
  act,
});

/** The others whom the only host can hand the meeting over to; none: we are not the only host, or are alone. */
export function successors({ people }: Pick<Model, "people">) {
  const others = people.value.filter(({ self, away }) => !self && !away);
  return others.some(({ host }) => host) ? [] : others;
}

/** Return the name of the other member who asked for the code that is shown; null without one. */
export function asker(model: Model, code: CodeView | null): string | null {
  const by = code?.short?.by ?? null;
  return model.people.value.find(({ leaf, self }) => leaf === by && !self)?.name ?? null;
}
