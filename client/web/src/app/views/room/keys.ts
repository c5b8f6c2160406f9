/** Keys that do something in the room: pure but for asking what has the focus. */
import type { Key } from "../../../words";

export type Act =
  | "mic" | "camera" | "share" | "hand" | "chat" | "people" | "code" | "settings" | "layout" | "admission" | "help";

/** In the order in which the list shows them. */
export const KEYS: readonly (readonly [key: string, act: Act, words: Key])[] = [
  ["M", "mic", "meet.keys_mic"],
  ["V", "camera", "meet.keys_camera"],
  ["S", "share", "meet.keys_share"],
  ["H", "hand", "meet.keys_hand"],
  ["C", "chat", "meet.chat"],
  ["P", "people", "meet.people"],
  ["K", "code", "meet.code_title"],
  ["L", "layout", "meet.keys_layout"],
  ["A", "admission", "meet.keys_admission"],
  [",", "settings", "meet.settings"],
  ["?", "help", "meet.keys_help"],
];

/** The key of an act, as it is shown beside its name. */
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

/**
 * What a key asks for; null: nothing of ours. On keyboards that write no Latin letters the key's place counts.
 */
export function actOf(pressed: Pressed): Act | null {
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey || pressed.repeat || pressed.isComposing) return null;
  const latin = /^[\x20-\x7e]$/.test(pressed.key);
  const letter = latin ? pressed.key.toUpperCase() : /^Key([A-Z])$/.exec(pressed.code)?.[1];
  return KEYS.find((row) => row[0] === letter)?.[1] ?? null;
}

/** Whether keys write something, choose something, or belong to what is open over the room. */
export function isTaken(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest("input, textarea, select, [contenteditable], [role=menu], dialog") !== null) return true;
  return document.querySelector("dialog:modal") !== null;
}
