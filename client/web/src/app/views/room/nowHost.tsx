/** Tells the person who has become a host, and what changes with that. */
import { useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { word } from "../../../words";
import { Icon } from "../../icons";
import { useUi } from "./ui";

export function NowHost() {
  const { model } = useUi();
  const shown = useSignal(false);
  const before = useRef<boolean | undefined>(undefined);
  useSignalEffect(() => {
    const host = model.people.value.find(({ self }) => self)?.host;
    // a host from the beginning, or one that comes back, has not become one
    if (host !== before.current) shown.value = host === true && before.current === false;
    before.current = host;
  });
  const close = (): void => {
    shown.value = false;
  };
  return (
    <div class="now-host" role="status">
      {shown.value && (
        <div class="banner">
          <Icon name="crown" />
          <span>
            <strong>{word("meet.now_host")}</strong> {word("meet.now_host_text")}
          </span>
          <button
            type="button"
            class="button small"
            onClick={() => {
              close();
              model.panel.value = "people";
            }}
          >
            {word("meet.now_host_people")}
          </button>
          <button type="button" class="button small" onClick={close}>
            {word("meet.close")}
          </button>
        </div>
      )}
    </div>
  );
}
