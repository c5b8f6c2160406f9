import { word } from "../../../words";
import { Icon } from "../../icons";
import { CodeArt } from "../../codeArt";
import { togglePanel, useUi } from "./ui";

/** Title, number of members and state of the encryption; the code art opens the code panel. */
export function TopBar() {
  const { model } = useUi();
  const count = model.people.value.length;
  const code = model.code.value;
  const title = model.roomTitle.value || word("meet.untitled");
  const recording = model.people.value.filter((person) => person.recording && !person.self);
  return (
    <header class="topbar">
      <h1 tabIndex={-1}>
        <bdi>{title}</bdi>
      </h1>
      <button type="button" class="chip" aria-expanded={model.panel.value === "people"} onClick={() => togglePanel(model, "people")}>
        <Icon name="users" size={16} />
        <span aria-hidden="true" class="figures">
          {count}
        </span>
        <span class="unseen">{word("meet.people_here", { n: count })}</span>
      </button>
      {model.locked.value && (
        <span class="chip still" title={word("meet.locked_hint")}>
          <Icon name="lock" size={16} />
          <span class="wide-only">{word("meet.locked")}</span>
          <span class="unseen">{word("meet.locked_hint")}</span>
        </span>
      )}
      {(model.recording.value || recording.length > 0) && (
        <p class="chip still recording-chip" role="status">
          <Icon name="circle-dot" size={16} />
          <span>
            {model.recording.value
              ? word("meet.recording_you")
              : word("meet.recording", { names: recording.map((person) => person.name) })}
          </span>
        </p>
      )}
      <span class="space" />
      <Sealed />
      <button
        type="button"
        class="code-art-button"
        aria-expanded={model.panel.value === "code"}
        aria-label={word("meet.code_button")}
        title={word("meet.shortcut", { what: word("meet.code_button"), key: "K" })}
        onClick={() => togglePanel(model, "code")}
      >
        {code === null ? <Icon name="shield-check" /> : <CodeArt digits={code.digits} size={36} label={false} />}
      </button>
    </header>
  );
}

/** The word "encrypted" appears only once frames have been counted: before that, nothing was sealed. */
function Sealed() {
  const { model } = useUi();
  const { sealed, opened, silent } = model.encryption.value;
  if (silent !== null) return <p class="sealed">{word("meet.not_sending")}</p>;
  if (sealed + opened === 0) return <p class="sealed">{word("meet.nothing_sent")}</p>;
  const counts = word("meet.encrypted_counts", { sealed, opened });
  return (
    <p class="sealed" title={counts}>
      <strong>{word("meet.encrypted")}</strong>
      <span class="figures wide-only"> {counts}</span>
      <span class="unseen narrow-only"> {counts}</span>
    </p>
  );
}
