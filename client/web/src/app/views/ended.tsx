import { useSignal } from "@preact/signals";
import { type Key, word } from "../../words/index";
import { Icon } from "../icons";
import type { Model } from "../model";
import { Heading } from "./heading";
import { Prose } from "./prose";

const REASONS = ["left", "removed", "refused", "ended", "dropped", "failed"] as const;
/** Ends of a meeting that one was in, and isn't any more: there were keys, and they are gone. */
const WAS_IN: readonly string[] = ["left", "removed", "ended", "dropped"];

/** Why it is over, what can be kept of it, and where to go on. */
export function Ended({ model }: { readonly model: Model }) {
  const names = useSignal(false);
  const ended = model.ended.value;
  if (ended === null) return null;
  const reason = REASONS.find((known) => known === ended.reason) ?? "failed";
  const heading: Key = `ended.${reason}`;
  return (
    <div class="narrow stack">
      <Heading>{word(heading)}</Heading>
      {/* who leaves by themselves is told nothing that the heading doesn't say */}
      {reason === "left" ? null : <p>{word(ended.text)}</p>}
      {WAS_IN.includes(reason) ? <p class="muted">{word("ended.forgotten")}</p> : null}
      {ended.canSaveEvidence ? (
        <section class="card stack" aria-labelledby="evidence">
          <h2 id="evidence">{word("ended.evidence")}</h2>
          <p>
            <Prose text={word("ended.evidence_why")} />
          </p>
          <label class="choice">
            <input
              type="checkbox"
              checked={names.value}
              onChange={(event) => {
                names.value = event.currentTarget.checked;
              }}
            />
            <span>{word("ended.names")}</span>
          </label>
          <div>
            <button type="button" class="button" onClick={() => model.do.saveEvidence(names.value)}>
              <Icon name="download" />
              {word("ended.save")}
            </button>
          </div>
        </section>
      ) : null}
      <div>
        <button type="button" class="button primary" onClick={() => model.do.again()}>
          {word("ended.again")}
        </button>
      </div>
    </div>
  );
}
