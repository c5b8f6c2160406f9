/** Notices over the stage: alarms, current problems, and toasts. */
import { clock, word } from "../../../words";
import { Icon } from "../../icons";
import type { AlarmView } from "../../model";
import { useUi } from "./ui";

/** Alarms whose sentence asks for a comparison of codes: they link to the code panel. */
const ASKS_FOR_CODE = new Set(["receipt", "two_stories", "code_fork", "code_aborted", "code_cheat", "code_different", "unverified_media"]);

/** Reasons for sending nothing that a person may override (`Override`); not when the page itself cannot seal. */
const OVERRIDABLE = new Set(["watch.held_removal", "watch.paused_stale", "watch.paused_withheld"]);

/** Every alarm, newest first; each stays until it is dismissed. */
export function Alarms() {
  const { model } = useUi();
  const alarms = model.alarms.value;
  return (
    <section class="alarms" aria-label={word("meet.alarms")} hidden={alarms.length === 0}>
      {alarms.toReversed().map((alarm) => (
        <Alarm key={alarm.id} alarm={alarm} />
      ))}
    </section>
  );
}

function Alarm({ alarm }: { readonly alarm: AlarmView }) {
  const { model } = useUi();
  return (
    <div class="alarm" data-kind={alarm.kind}>
      <Icon name="triangle-alert" />
      <div role="alert">
        <p>{word(alarm.text)}</p>
        <time class="note">{word("meet.alarm_at", { time: clock(alarm.at) })}</time>
      </div>
      <div class="row">
        {ASKS_FOR_CODE.has(alarm.kind) && (
          <button
            type="button"
            class="button small alarming"
            onClick={() => {
              model.panel.value = "code";
            }}
          >
            {word("meet.alarm_code")}
          </button>
        )}
        {(alarm.kind === "dropped" || alarm.kind === "evidence") && (
          <button type="button" class="button small alarming" onClick={() => model.do.saveEvidence(false)}>
            {word("meet.alarm_evidence")}
          </button>
        )}
        <button type="button" class="button small alarming" onClick={() => model.do.dismissAlarm(alarm.id)}>
          {word("meet.alarm_dismiss")}
        </button>
      </div>
    </div>
  );
}

/** Lines that disappear with their cause: the server is away, nothing of ours is sent, and so on. */
export function Banners() {
  const { model, question } = useUi();
  const banner = model.banner.value;
  const { silent } = model.encryption.value;
  return (
    <div class="banners" role="status">
      {banner !== null && (
        <p class="banner">
          <Icon name="refresh-cw" />
          <span>{word(banner)}</span>
        </p>
      )}
      {silent !== null && (
        <div class="banner">
          <Icon name="volume-x" />
          <span>{word(silent)}</span>
          {OVERRIDABLE.has(silent.key) && (
            <button
              type="button"
              class="button small"
              onClick={() => {
                question.value = {
                  title: word("meet.override_title"),
                  text: `${word(silent)} ${word("meet.override_text")}`,
                  yes: word("meet.override_yes"),
                  act: () => model.do.override(),
                };
              }}
            >
              {word("meet.override")}
            </button>
          )}
        </div>
      )}
      <Held />
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
