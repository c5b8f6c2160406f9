/** Notices over the stage: what is not sent, and toasts. */
import { word } from "../../../words";
import { Icon } from "../../icons";
import { Prose } from "../prose";
import { keyOf } from "./keys";
import { type OwnDevice, pressDevice, useUi } from "./ui";

/** Reasons for sending nothing that a person may override (`Override`); not when the page itself cannot seal. */
const OVERRIDABLE = new Set<string>(["watch.held_removal", "watch.paused_claim", "watch.paused_no_host", "watch.paused_no_host_few", "watch.paused_stale", "watch.paused_withheld"]);

/** Reasons that incidents say in full, by the kind of the incident. */
const STALE = ["watch.paused_new", "watch.paused_no_host", "watch.paused_no_host_few", "watch.paused_stale"];
const PAUSED = [...STALE, "watch.paused_claim", "watch.paused_withheld"];
const SAID: Readonly<Record<string, readonly string[]>> = { stale: STALE, withheld: PAUSED, outside: PAUSED, rejoining: PAUSED, stuck: PAUSED };

/** Return what asks whether to go on although something holds what we send; null while nothing does. */
export function overriding({ model, question }: ReturnType<typeof useUi>): (() => void) | null {
  const { silent } = model.encryption.value;
  if (silent === null) return null;
  return () => {
    question.value = {
      title: word("meet.override_title"),
      text: `${word(silent)} ${word("meet.override_text")}`,
      yes: word("meet.override_yes"),
      act: () => model.do.override(),
    };
  };
}

/** Lines that disappear with their cause: no host is here, nothing of ours is sent, messages wait. */
export function Banners() {
  const ui = useUi();
  const { model } = ui;
  const { silent } = model.encryption.value;
  const act = overriding(ui);
  const isTold = silent !== null && model.incidents.value.some(({ kind }) => SAID[kind]?.includes(silent.key));
  const hosted = model.people.value.some(({ host, away }) => host && !away) || model.people.value.length === 0;
  return (
    <div class="banners" role="status">
      {hosted || silent?.key.startsWith("watch.paused_no_host") ? null : (
        <p class="banner">
          <Icon name="users" />
          <span>{word("meet.no_host")}</span>
        </p>
      )}
      {silent !== null && !isTold && (
        <div class="banner">
          <Icon name="volume-x" />
          <span>{word(silent)}</span>
          {act !== null && OVERRIDABLE.has(silent.key) && (
            <button type="button" class="button small" onClick={act}>
              {word("meet.override")}
            </button>
          )}
        </div>
      )}
      <Refused of="microphone" />
      <Refused of="camera" />
      <Held />
    </div>
  );
}

/** Why a device that the person has pressed gives nothing, and what helps; until it works, or it is closed. */
function Refused({ of }: { readonly of: OwnDevice }) {
  const ui = useUi();
  const { model, pressed } = ui;
  const { microphoneTrouble, cameraTrouble } = model.devices.value;
  const trouble = of === "microphone" ? microphoneTrouble : cameraTrouble;
  if (trouble === null || !pressed.value.has(of)) return null;
  return (
    <div class="banner">
      <Icon name={of === "microphone" ? "mic-off" : "video-off"} />
      <span>
        <Prose text={word(`trouble.${of}.${trouble}`)} />
      </span>
      <button type="button" class="button small" onClick={() => pressDevice(ui, of)}>
        {word("meet.try_again")}
      </button>
      <button
        type="button"
        class="button small"
        onClick={() => {
          pressed.value = new Set([...pressed.value].filter((each) => each !== of));
        }}
      >
        {word("meet.close")}
      </button>
    </div>
  );
}

/** Messages of ours that wait, with the person's choice. */
function Held() {
  const { model } = useUi();
  const held = model.held.value;
  if (held.length === 0) return null;
  return (
    <div class="banner held">
      <Icon name="message-square" />
      <div>
        <p>{word("meet.held")}</p>
        <ul>
          {held.map(({ text, why }, i) => (
            <li key={i}>
              {typeof text === "string" ? <q>{text}</q> : word(text)} {word(why)}
            </li>
          ))}
        </ul>
      </div>
      <button type="button" class="button small" onClick={() => model.do.sendHeld()}>
        {word("meet.held_send")}
      </button>
      <button type="button" class="button small" onClick={() => model.do.discardHeld()}>
        {word("meet.held_discard")}
      </button>
    </div>
  );
}

/** Said to a person who speaks while their microphone is off: calmly, with the way to be heard. */
export function MutedHint() {
  const { model, keys } = useUi();
  const { call } = model;
  const way = call.pushToTalk.value
    ? word("meet.muted_hold")
    : keys.value && word("meet.muted_key", { key: keyOf("mic") });
  const shown = call.speaksMuted.value && call.mutedHint.value && !model.mic.value;
  return (
    <div class="muted-hint" role="status">
      {shown && (
        <p class="toast">
          <Icon name="mic-off" />
          <span>
            {word("meet.muted_hint")} <span class="keyboard-only">{way}</span>
          </span>
          <button
            type="button"
            class="button small"
            onClick={() => {
              call.mutedHint.value = false;
            }}
          >
            {word("meet.muted_stop")}
          </button>
        </p>
      )}
    </div>
  );
}

export function Toasts() {
  const { model } = useUi();
  return (
    <div class="toasts" role="status">
      {model.toasts.value.map(({ id, text }) => (
        <p key={id} class="toast">
          <span>{word(text)}</span>
          <button type="button" class="button round quiet" aria-label={word("meet.close")} onClick={() => model.do.dismissToast(id)}>
            <Icon name="x" size={16} />
          </button>
        </p>
      ))}
    </div>
  );
}
