/** The same meeting at an ordinary server, and what the same search finds in the memory of both. */
import { type Compared, type Contrast, possible, type State } from "./state";
import type { Story } from "./store";
import { say } from "./words";

export function Ordinary({ model, state }: { readonly model: Story; readonly state: State }) {
  const { contrast } = state;
  const doing = model.doing.value;
  return (
    <div class="stack">
      <button type="button" class="button primary" data-contrast disabled={doing !== null || !possible(state, "contrast")} onClick={() => model.do("contrast")}>
        {say("ordinary_go")}
      </button>
      <p role="status">{doing === "contrast" && say("ordinary_running")}</p>
      {contrast !== null && <Both contrast={contrast} />}
    </div>
  );
}

function Both({ contrast }: { readonly contrast: Contrast }) {
  return (
    <table class="second" data-sides="both">
      <caption class="unseen">{say("name_ordinary")}</caption>
      <thead>
        <tr>
          <td />
          <th scope="col">{say("ordinary_snug")}</th>
          <th scope="col">{say("ordinary_other")}</th>
        </tr>
      </thead>
      <tbody>
        {contrast.rows.map(({ what, snug, ordinary }) => (
          <tr key={what} data-row={what}>
            <th scope="row">{say(`ordinary_${what}`)}</th>
            <td data-side="member">{foundOf(snug, contrast.all)}</td>
            <td data-side="server">{foundOf(ordinary, contrast.all)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Of how many members it was found; null: that memory was not searched. */
function foundOf(count: Compared["snug"], all: number): string {
  if (count === null) return say("ordinary_unsearched");
  return count === 0 ? say("ordinary_absent") : say("ordinary_found", { count, all });
}
