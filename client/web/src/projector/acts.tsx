/** Acts of the server against the running meeting, and what its members are told of them. */
import { Icon, type IconName } from "../app/icons";
import type { Severity } from "../session/incidents";
import { headline, type Key, listed, word } from "../words";
import { linesOf, possible, type State } from "./state";
import type { Story } from "./store";
import { type ProjectorKey, say } from "./words";

const SIGNS: Readonly<Record<Severity, readonly [IconName, Key]>> = {
  attack: ["triangle-alert", "meet.severity_attack"],
  attention: ["circle-alert", "meet.severity_attention"],
  calm: ["info", "meet.severity_calm"],
};

const NAMED = ["alter", "forge", "replay", "reorder", "drop", "silence"] as const;

/** Return what an act is called; an act that this page does not know by its own name. */
const nameOf = (act: string, name: string): string => {
  const known = NAMED.find((each) => each === act);
  return known === undefined ? act : say(`act_${known}` satisfies ProjectorKey, { name });
};

export function Acts({ model, state }: { readonly model: Story; readonly state: State }) {
  const { acts, act, victim } = state;
  const lines = linesOf(state.incidents);
  const busy = model.doing.value !== null || (act !== null && act.left > 0);
  return (
    <div class="halves">
      <section class="stack" aria-labelledby="acts-server">
        <h2 id="acts-server">{say("acts_server")}</h2>
        <ul class="acts">
          {acts.map((each) => (
            <li key={each}>
              <button
                type="button"
                class="button"
                data-act={each}
                disabled={busy || !possible(state, "act", { act: each })}
                aria-current={act?.act === each}
                onClick={() => model.do("act", { act: each })}
              >
                {nameOf(each, victim)}
              </button>
            </li>
          ))}
        </ul>
        <p role="status" class="act-stand">
          {act !== null && standOf(act, lines.length)}
        </p>
      </section>
      <section class="stack" aria-labelledby="acts-members">
        <h2 id="acts-members">{say("acts_members")}</h2>
        {lines.length === 0 && <p class="muted">{say("acts_quiet")}</p>}
        <ul class="incidents">
          {lines.map(({ severity, text, members }) => {
            const [icon, label] = SIGNS[severity];
            const { line, rest } = headline(text);
            return (
              <li key={JSON.stringify([severity, text])} class={`incident ${severity}`}>
                <Icon name={icon} size={32} />
                <div>
                  <p class="note">
                    {word(label)} {listed(members)}
                  </p>
                  <p class="incident-line" role={severity === "attack" ? "alert" : "status"}>
                    {line}
                  </p>
                  {rest !== "" && <p class="note">{rest}</p>}
                </div>
              </li>
            );
          })}
        </ul>
        {lines.length > 0 && (
          <button type="button" class="button" data-dismiss onClick={() => model.do("dismiss")}>
            {say("dismiss")}
          </button>
        )}
      </section>
    </div>
  );
}

/** How far the last act is: it is played, members can still be told, or it is over. */
function standOf({ left, told, again }: NonNullable<State["act"]>, lines: number): string {
  if (left > 0) return say("act_left", { left: Math.ceil(left) });
  if (told > 0 && lines === 0) return say("act_told", { left: Math.ceil(told) });
  if (lines > 0) return say("act_over");
  return say(again ? "act_again" : "act_nothing");
}
