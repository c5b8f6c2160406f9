import { useId } from "preact/hooks";
import { word } from "../../../words";
import { Icon } from "../../icons";
import { CodeArt } from "../../codeArt";
import { useHeading } from "../heading";
import { togglePanel, useUi } from "./ui";

/** Title, number of members and state of the encryption; the code art opens the code panel. */
export function TopBar() {
  const { model } = useUi();
  const heading = useHeading();
  const count = model.people.value.length;
  const code = model.code.value;
  const title = model.roomTitle.value || word("meet.untitled");
  const recording = model.people.value.filter((person) => person.recording && !person.self);
  return (
    <header class="topbar">
      <h1 tabIndex={-1} ref={heading}>
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
      <Private />
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

/** A chip that opens to show what it means. "Private" appears only once frames have been counted: before, none was sealed. */
function Private() {
  const { model } = useUi();
  const id = useId();
  const { sealed, opened, silent } = model.encryption.value;
  const words = word(silent !== null ? "meet.not_sending" : sealed + opened === 0 ? "meet.nothing_sent" : "meet.private");
  return (
    <>
      <button type="button" class="chip private" popovertarget={id} aria-label={words} title={words}>
        <Icon name={silent === null ? "shield-check" : "circle-alert"} size={16} />
        <span class="private-words">{words}</span>
      </button>
      <div id={id} popover="auto" role="group" aria-label={words} class="private-more">
        <p>{silent === null ? word("meet.private_text") : word(silent)}</p>
        <p class="note figures">{word("meet.encrypted_counts", { sealed, opened })}</p>
        <button
          type="button"
          class="button small"
          onClick={() => {
            document.getElementById(id)?.hidePopover();
            model.panel.value = "code";
          }}
        >
          {word("meet.code_title")}
        </button>
      </div>
    </>
  );
}
