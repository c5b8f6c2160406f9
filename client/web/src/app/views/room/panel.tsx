/** The side panel: beside the stage on a wide screen, over it on a phone. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Key, word } from "../../../words";
import { Icon } from "../../icons";
import { laterFailed, useLater } from "./load";
import { type Panel, useUi } from "./ui";

const VIEWS = { people: "People", chat: "Chat", code: "Code", settings: "Settings", quality: "Quality", lecture: "Lecture" } as const;
const TITLES: Readonly<Record<Exclude<Panel, "none">, Key>> = {
  people: "meet.people",
  chat: "meet.chat",
  code: "meet.code_title",
  settings: "meet.settings",
  quality: "meet.quality",
  lecture: "meet.lecture",
};

export function SidePanel() {
  const { model } = useUi();
  const panel = model.panel.value;
  if (panel === "none" || (panel === "lecture" && !model.where.value.lecture)) return null;
  return <Inside key={panel} panel={panel} />;
}

function Inside({ panel }: { readonly panel: Exclude<Panel, "none"> }) {
  const View = useLater()?.[VIEWS[panel]];
  return (
    // another frame when the view is there: the focus goes to its first field
    <Frame key={String(View === undefined)} panel={panel}>
      {View === undefined ? <p role="status">{laterFailed.value && word("meet.panel_failed")}</p> : <View />}
    </Frame>
  );
}

function Frame({ panel, children }: { readonly panel: Exclude<Panel, "none">; readonly children: ComponentChildren }) {
  const { model, unasked } = useUi();
  const frame = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  // the focus moves into the panel with its first frame, and returns when it closes
  useLayoutEffect(() => {
    const before = document.activeElement;
    const { current } = frame;
    // on a phone, focusing the field would open the keyboard before anything was read
    const field = matchMedia("(pointer: fine)").matches ? current?.querySelector<HTMLElement>("[data-first]") : null;
    if (!unasked.peek()) (field ?? heading.current)?.focus({ preventScroll: true });
    return () => {
      const here = document.activeElement;
      const held = here === null || here === document.body || current?.contains(here) === true;
      if (held && before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <aside class="panel" ref={frame} aria-labelledby="panel-title" data-panel={panel}>
      <header class="panel-head">
        <h2 id="panel-title" ref={heading} tabIndex={-1}>
          {word(TITLES[panel])}
        </h2>
        <button
          type="button"
          class="button round quiet"
          aria-label={word("meet.close")}
          title={word("meet.shortcut", { what: word("meet.close"), key: "Esc" })}
          onClick={() => {
            model.panel.value = "none";
          }}
        >
          <Icon name="x" />
        </button>
      </header>
      <div class="panel-body">{children}</div>
    </aside>
  );
}
