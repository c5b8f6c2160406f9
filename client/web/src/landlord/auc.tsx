/** The accuracy of a guess, on a scale from a coin toss to certainty. */
import { say } from "./words";

/** AUC of a coin toss, and of certainty. */
const COIN = 0.5;
const CERTAIN = 1;
/** The lowest AUC of each step above a coin toss. */
const STEPS = [
  [0.97, "certain"],
  [0.75, "often"],
  [0.55, "hint"],
] as const;

/** Return the key of an AUC in words; what is worse than a coin toss is one as well. */
export const stepOf = (value: number): "certain" | "often" | "hint" | "coin" =>
  STEPS.find(([least]) => value >= least)?.[1] ?? "coin";

/** Return the position of an AUC on the scale, from 0 to 1. */
export const placeOf = (value: number): number => Math.min(1, Math.max(0, (value - COIN) / (CERTAIN - COIN)));

/** A scale with a mark. `about`: the question that is guessed. */
export function Scale({ about, value }: { readonly about: string; readonly value: number }) {
  const at = `${(100 * placeOf(value)).toFixed(0)}%`;
  const words = say(`auc_${stepOf(value)}`);
  return (
    <div class="scale" data-step={stepOf(value)}>
      <div
        role="meter"
        aria-label={about}
        aria-valuemin={COIN}
        aria-valuemax={CERTAIN}
        aria-valuenow={Math.min(CERTAIN, Math.max(COIN, value))}
        aria-valuetext={say("auc_text", { words, value: value.toFixed(2) })}
      >
        <svg width="100%" height={22} aria-hidden="true">
          <rect class="scale-all" x={0} y={8} width="100%" height={6} rx={3} />
          <rect class="scale-part" x={0} y={8} width={at} height={6} rx={3} />
          <circle class="scale-mark" cx={at} cy={11} r={8} />
        </svg>
      </div>
      <p class="scale-ends note" aria-hidden="true">
        <span>{say("auc_from")}</span>
        <span>{say("auc_to")}</span>
      </p>
      <p class="figures">
        <b>{words}</b> <span class="note">{say("auc", { value: value.toFixed(2) })}</span>
      </p>
    </div>
  );
}
