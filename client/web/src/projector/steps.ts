/** The steps of the story, and the keys that turn them. */

/** Each step has one sentence to say and one thing to look at. */
export const STEPS = ["who", "sees", "find", "ordinary", "word", "tree", "joins", "removed", "kill", "acts"] as const;
export type StepName = (typeof STEPS)[number];

/** Steps about which a class can predict something (`lab/demo/votes.py`); for acts there is a question each. */
const ASKED: ReadonlySet<StepName> = new Set(["sees", "find", "ordinary", "word", "tree", "joins", "removed", "kill"]);

/** Return the questions of a step. */
export const questionsOf = (step: StepName, acts: readonly string[]): readonly string[] =>
  step === "acts" ? acts.map((act) => `act_${act}`) : ASKED.has(step) ? [step] : [];

/** A remote control for presentations sends the page keys. */
const ON = new Set([" ", "ArrowRight", "PageDown"]);
const BACK = new Set(["ArrowLeft", "PageUp"]);

/** Return a step within the story. */
export const within = (step: number): number =>
  Number.isInteger(step) ? Math.min(STEPS.length - 1, Math.max(0, step)) : 0;

/** Return by how many steps a key turns the story; `typing`: it is meant for a field, `pressing`: for a button. */
export function turnOf(key: string, typing: boolean, pressing: boolean): -1 | 0 | 1 {
  if (typing || (pressing && key === " ")) return 0;
  return ON.has(key) ? 1 : BACK.has(key) ? -1 : 0;
}
