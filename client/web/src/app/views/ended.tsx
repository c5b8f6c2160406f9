import { useSignal } from "@preact/signals";
import { type Key, word } from "../../words/index";
import { Icon } from "../icons";
import type { Model } from "../model";
import { Check } from "./check";
import { Heading } from "./heading";
import { Prose } from "./prose";

const REASONS = ["left", "removed", "replaced", "refused", "ended", "dropped", "failed"] as const;
/** Ends of a meeting after membership: keys existed, and are deleted. */
const WAS_IN: readonly string[] = ["left", "removed", "replaced", "ended", "dropped"];

/** The view after the end: the reason, the evidence that can be saved, and the way back to the start. */
export function Ended({ model }: { readonly model: Model }) {
  const names = useSignal(false);
  const ended = model.ended.value;
  if (ended === null) return null;
  const reason = REASONS.find((known) => known === ended.reason) ?? "failed";
  const heading: Key = `ended.${reason}`;
  return (
    <div class="narrow stack">
      <Heading>{word(heading)}</Heading>
      {/* after leaving, the heading is enough */}
      {reason === "left" ? null : <p>{word(ended.text)}</p>}
      {WAS_IN.includes(reason) ? <p class="muted">{word("ended.forgotten")}</p> : null}
      {ended.canSaveEvidence ? (
        <section class="card stack" aria-labelledby="evidence">
          <h2 id="evidence">{word("ended.evidence")}</h2>
          <p>
            <Prose text={word("ended.evidence_why")} />
          </p>
          <Check on={names} words={word("ended.names")} />
          <div>
            <button type="button" class="button" onClick={() => model.do.saveEvidence(names.value)}>
              <Icon name="download" />
              {word("ended.save")}
            </button>
          </div>
        </section>
      ) : null}
      <div class="row">
        {ended.knock ? (
          <button type="button" class="button primary" onClick={() => model.do.knock()}>
            {word("ended.knock")}
          </button>
        ) : null}
        <button type="button" class={ended.knock ? "button" : "button primary"} onClick={() => model.do.again()}>
          {word("ended.again")}
        </button>
      </div>
    </div>
  );
}
