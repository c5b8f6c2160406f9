/** The incidents that are over: a part of the panel with the code. */
import { clock, headline, word } from "../../../words";
import { useUi } from "./ui";

/** The incidents that are over, the last one first: a part of the panel with the code. */
export function PastIncidents() {
  const past = useUi().model.pastIncidents.value;
  if (past.length === 0) return null;
  return (
    <details class="panel-part">
      <summary>{word("meet.incidents_past", { count: past.length })}</summary>
      <ol class="past">
        {past.toReversed().map(({ number, severity, text, began, ended }) => (
          <li key={number} data-severity={severity}>
            <span class="note">{word("meet.incident_time", { from: clock(began), to: clock(ended ?? began) })}</span> {headline(text).line}
          </li>
        ))}
      </ol>
    </details>
  );
}
