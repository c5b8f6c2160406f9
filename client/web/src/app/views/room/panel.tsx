/** The side panel: beside the stage on a wide screen, over it on a phone. */
import type { ComponentChildren } from "preact";
import { lazy, Suspense } from "preact/compat";
import { useEffect, useRef } from "preact/hooks";
import { type Key, word } from "../../../words";
import { Icon } from "../../icons";
import { Chat } from "./chat";
import { Code } from "./code";
import { People } from "./people";
import { Settings } from "./settings";
import { type Panel, useUi } from "./ui";

// few participants have it: it is loaded when opened
const Lecture = lazy(() => import("./lecture").then((module) => module.Lecture));

const TITLES: Readonly<Record<Exclude<Panel, "none">, Key>> = {
  people: "meet.people",
  chat: "meet.chat",
  code: "meet.code_title",
  settings: "meet.settings",
  lecture: "meet.lecture",
};

export function SidePanel() {
  const { model } = useUi();
  const panel = model.panel.value;
  if (panel === "none" || (panel === "lecture" && !model.where.value.lecture)) return null;
  return (
    <Frame key={panel} panel={panel}>
      {panel === "people" && <People />}
      {panel === "chat" && <Chat />}
      {panel === "code" && <Code />}
      {panel === "settings" && <Settings />}
      {panel === "lecture" && (
        <Suspense fallback={null}>
          <Lecture />
        </Suspense>
      )}
    </Frame>
  );
}

function Frame({ panel, children }: { readonly panel: Exclude<Panel, "none">; readonly children: ComponentChildren }) {
  const { model } = useUi();
  const frame = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  // the focus moves into the panel, and returns when it closes
  useEffect(() => {
    const before = document.activeElement;
    const { current } = frame;
    // on a phone, focusing the field would open the keyboard before anything was read
    const field = matchMedia("(pointer: fine)").matches ? current?.querySelector<HTMLElement>("[data-first]") : null;
    (field ?? heading.current)?.focus({ preventScroll: true });
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
