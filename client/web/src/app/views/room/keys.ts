/** Keyboard shortcuts of the room: pure, apart from looking up the focus. */
import type { Key } from "../../../words";

export type Act =
  | "mic" | "camera" | "share" | "hand" | "chat" | "people" | "code" | "settings" | "layout" | "full" | "admission" | "help";

/** In the order of the list that is shown. */
export const KEYS: readonly (readonly [key: string, act: Act, words: Key])[] = [
  ["M", "mic", "meet.keys_mic"],
  ["V", "camera", "meet.keys_camera"],
  ["S", "share", "meet.keys_share"],
  ["H", "hand", "meet.keys_hand"],
  ["C", "chat", "meet.chat"],
  ["P", "people", "meet.people"],
  ["K", "code", "meet.code_title"],
  ["L", "layout", "meet.keys_layout"],
  ["F", "full", "meet.full"],
  ["A", "admission", "meet.keys_admission"],
  [",", "settings", "meet.settings"],
  ["?", "help", "meet.keys_help"],
];

/** Return the key of an act, as shown beside its name. */
export const keyOf = (act: Act): string => KEYS.find((row) => row[1] === act)?.[0] ?? "";

export interface Pressed {
  readonly key: string;
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly repeat: boolean;
  readonly isComposing: boolean;
}

/** Return the act of a key press; null: none. On keyboards without Latin letters, the key's position counts. */
export function actOf(pressed: Pressed): Act | null {
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey || pressed.repeat || pressed.isComposing) return null;
  const latin = /^[\x20-\x7e]$/.test(pressed.key);
  const letter = latin ? pressed.key.toUpperCase() : /^Key([A-Z])$/.exec(pressed.code)?.[1];
  return KEYS.find((row) => row[0] === letter)?.[1] ?? null;
}

/** Return whether the focused element uses keys itself, or a dialog is open over the room. */
export function isTaken(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest("input, textarea, select, [contenteditable], [role=menu], dialog") !== null) return true;
  return document.querySelector("dialog:modal") !== null;
}
