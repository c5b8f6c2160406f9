/** Plays scenes of the lab: `snug demo --lecture` runs them beside the page (lab/demo/theatre.py). */

import type { Language } from "../../model";

export interface SceneView {
  readonly scene: string;
  readonly theme: string;
  /** "case 2" of docs/explanation/threat-model.md, or "field". */
  readonly mirrors: string;
  /** The action of the scene, without its outcome, by language. */
  readonly question: Readonly<Record<Language, string>>;
}

export const GUESSES = ["impossible", "detected", "succeeds"] as const;
export type Guess = (typeof GUESSES)[number];

/** A notice or alarm that a member received, `after` seconds after the act began. */
interface Note {
  readonly after: number;
  readonly kind: string;
  readonly text: string;
}

/** A line of `snug lab --json`. */
export interface Played {
  readonly scene: string;
  /** What becomes of it, by language. */
  readonly outcome: Readonly<Record<Language, string>>;
  readonly documented: { readonly verdict: string; readonly by: readonly string[] };
  readonly verdict: Guess | "harmed" | "unplayed";
  readonly after: number | null;
  readonly why: string;
  readonly worse: boolean;
  readonly frames_tried: number;
  readonly frames_opened: number;
  readonly seen: Readonly<Record<string, readonly Note[]>>;
}

type Line = { readonly began: string } | { readonly failed: string } | Played;

const headers = (): Record<string, string> => ({
  "X-Snug-Token": new URLSearchParams(location.search).get("lecture") ?? "",
});

/** Return all scenes; null if they cannot be fetched. */
export async function scenes(): Promise<readonly SceneView[] | null> {
  try {
    const answer = await fetch("lecture/scenes", { headers: headers(), redirect: "error" });
    return answer.ok ? ((await answer.json()) as readonly SceneView[]) : null;
  } catch {
    return null;
  }
}

/** Kill the room's server; return the address of the next server's window, null if that failed. */
export async function killServer(): Promise<string | null> {
  try {
    const answer = await fetch("lecture/kill", { method: "POST", headers: headers(), redirect: "error" });
    return answer.ok ? ((await answer.json()) as { readonly window: string }).window : null;
  } catch {
    return null;
  }
}

/** Play a scene to its end; "busy": another one is being played; null: it could not be played. */
export async function play(scene: string, signal: AbortSignal): Promise<Played | "busy" | null> {
  try {
    const answer = await fetch("lecture/play", {
      method: "POST",
      headers: { ...headers(), "Content-Type": "application/json" },
      body: JSON.stringify({ scene }),
      redirect: "error",
      signal,
    });
    if (answer.status === 409) return "busy";
    if (!answer.ok) return null;
    const lines = (await answer.text()).trim().split("\n");
    const last = JSON.parse(lines.at(-1) ?? "") as Line;
    return "verdict" in last ? last : null;
  } catch {
    return null;
  }
}

/** Return the first documented notice of each member, earliest first. */
export function noticed(played: Played): readonly { readonly name: string; readonly note: Note }[] {
  return Object.entries(played.seen)
    .flatMap(([name, notes]) => {
      const note = notes.find(({ kind }) => played.documented.by.includes(kind));
      return note === undefined ? [] : [{ name, note }];
    })
    .sort((a, b) => a.note.after - b.note.after);
}
