/** The settings of what draws the person's attention. */
import { type Key, word } from "../../../words";
import type { Notice } from "../../model";
import { useUi } from "./ui";

const NOTICES: readonly (readonly [Notice, Key])[] = [
  ["knock", "meet.notice_knock"],
  ["came", "meet.notice_came"],
  ["left", "meet.notice_left"],
  ["unread", "meet.notice_unread"],
  ["notify", "meet.notice_notify"],
];

export function NoticeSettings() {
  const { attention } = useUi().model;
  const permission = attention.permission.value;
  const granted = permission === "granted";
  return (
    <section class="panel-part" aria-labelledby="notices-title">
      <h3 id="notices-title">{word("meet.notices")}</h3>
      {NOTICES.filter(([notice]) => notice !== "notify" || permission !== null).map(([notice, words]) => {
        const on = attention.on.value.has(notice) && (notice !== "notify" || granted);
        return (
          <label key={notice} class="choice">
            <input
              type="checkbox"
              role="switch"
              checked={on}
              onChange={(event) => {
                // the browser may ask first: the switch shows the answer
                event.currentTarget.checked = on;
                attention.turn(notice, !on);
              }}
            />
            {word(words)}
            {notice === "notify" && <span class="note">{word(permission === "denied" ? "meet.notice_denied" : "meet.notice_notify_text")}</span>}
          </label>
        );
      })}
    </section>
  );
}

/** Beside the first knock: offers to notify, as long as the person has not decided. */
export function NotifyOffer() {
  const { attention } = useUi().model;
  if (attention.permission.value !== "default" || attention.on.value.has("notify")) return null;
  return (
    <button type="button" class="button small quiet" onClick={() => attention.turn("notify", true)}>
      {word("meet.notify_offer")}
    </button>
  );
}
