/** Incidents of now: lines over the stage. Those that are over are listed under Code. */
import type { Incident, Severity } from "../../../session/incidents";
import { clock, headline, type Key, word } from "../../../words";
import { Icon, type IconName } from "../../icons";
import { overriding } from "./notices";
import { useUi } from "./ui";

const SIGNS: Readonly<Record<Severity, readonly [IconName, Key]>> = {
  attack: ["triangle-alert", "meet.severity_attack"],
  attention: ["circle-alert", "meet.severity_attention"],
  calm: ["info", "meet.severity_calm"],
};

/** What is wrong now, the most severe first; each ends with its cause, or when it is dismissed. */
export function Incidents() {
  const incidents = useUi().model.incidents.value;
  return (
    <section class="incidents" aria-label={word("meet.incidents")} hidden={incidents.length === 0}>
      {incidents.map((incident) => (
        <Line key={incident.number} incident={incident} />
      ))}
    </section>
  );
}

function Line({ incident }: { readonly incident: Incident }) {
  const { number, kind, severity, text, began } = incident;
  const { model } = useUi();
  const [icon, label] = SIGNS[severity];
  const { line, rest } = headline(text);
  return (
    <div class={`incident ${severity}`} data-kind={kind}>
      <Icon name={icon} />
      <div>
        <span class="unseen">{word(label)}</span>
        <p role={severity === "attack" ? "alert" : "status"}>{line}</p>
        {rest !== "" && (
          <details open={severity === "attack"}>
            <summary class="note">{word("meet.incident_more", { time: clock(began) })}</summary>
            <p>{rest}</p>
          </details>
        )}
      </div>
      <div class="row">
        <Action incident={incident} />
        <button
          type="button"
          class="button round quiet"
          aria-label={word("meet.incident_dismiss")}
          onClick={() => model.do.dismissIncident(number)}
        >
          <Icon name="x" size={16} />
        </button>
      </div>
    </div>
  );
}

function Action({ incident: { rule, severity, text } }: { readonly incident: Incident }) {
  const ui = useUi();
  const { model } = ui;
  const override = overriding(ui);
  const acts: Readonly<Record<string, readonly [Key, () => void]>> = {
    allow: ["meet.incident_allow", () => model.do.allowServers(text.args?.["servers"] as readonly string[])],
    compare: ["meet.alarm_code", () => (model.panel.value = "code")],
    evidence: ["meet.alarm_evidence", () => model.do.saveEvidence(false)],
    ...(override === null ? {} : { override: ["meet.override", override] as const }),
    remove: ["meet.incident_people", () => (model.panel.value = "people")],
  };
  const act = acts[rule.action ?? ""];
  if (act === undefined) return null;
  return (
    <button type="button" class={severity === "attack" ? "button small alarming" : "button small"} onClick={act[1]}>
      {word(act[0])}
    </button>
  );
}
