/** A file for the calendar, with an invite's link: made here, and sent to nobody. */
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { word } from "../../../words";
import { calendar } from "../../calendar";
import { useUi } from "./ui";

export function CalendarFile({ link, name }: { readonly link: string; readonly name: string }) {
  const { model } = useUi();
  const start = useSignal("");
  const minutes = useSignal("60");
  const id = useId();
  const save = (): void => {
    const title = model.roomTitle.value || word("meet.untitled");
    const entry = { title, link, start: new Date(start.value), minutes: Number(minutes.value) };
    model.do.saveCalendar(calendar(entry, crypto.randomUUID(), new Date()));
  };
  return (
    <details class="calendar">
      <summary aria-label={word("meet.calendar_of", { invite: name })}>{word("meet.calendar")}</summary>
      <form
        class="stack tight"
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <div class="field">
          <label for={id}>{word("meet.calendar_start")}</label>
          <input
            id={id}
            class="input"
            type="datetime-local"
            required
            value={start.value}
            onInput={(event) => {
              start.value = event.currentTarget.value;
            }}
          />
        </div>
        <div class="field">
          <label for={`${id}-minutes`}>{word("meet.calendar_minutes")}</label>
          <input
            id={`${id}-minutes`}
            class="input"
            type="number"
            required
            min={1}
            max={1440}
            value={minutes.value}
            onInput={(event) => {
              minutes.value = event.currentTarget.value;
            }}
          />
        </div>
        <p class="note">{word("meet.calendar_text")}</p>
        <button type="submit" class="button wide">
          {word("meet.calendar_save")}
        </button>
      </form>
    </details>
  );
}
