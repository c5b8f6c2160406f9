import { useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Model } from "../../model";
import { Announcer } from "./announce";
import { Controls } from "./controls";
import { Dialogs } from "./dialogs";
import { canFull, toggleFull } from "./full";
import { type Act, actOf, isTaken } from "./keys";
import { Incidents } from "./incidents";
import { later } from "./load";
import { Banners, MutedHint, Toasts } from "./notices";
import { SidePanel } from "./panel";
import { Stage } from "./stage";
import { usePushToTalk } from "./talk";
import { TopBar } from "./topbar";
import { ADMISSION, makeUi, pressDevice, togglePanel, type Ui, UiContext } from "./ui";

/** The room view, shown while the participant is a member. */
export function Room({ model }: { readonly model: Model }) {
  const ui = useMemo(() => makeUi(model), [model]);
  const more = later.value;
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => press(ui, event);
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [ui]);
  usePushToTalk(model);
  useSignalEffect(() => {
    const speaker = model.speaker.value;
    if (speaker !== null && speaker !== model.ownLeaf.value) ui.lastSpeaker.value = speaker;
  });
  return (
    <UiContext.Provider value={ui}>
      <div class="room" data-panel={model.panel.value}>
        <TopBar />
        <div class="notices">
          <Incidents />
          <Banners />
          {more !== null && <more.Compares />}
          {more !== null && <more.NowHost />}
        </div>
        <Stage />
        {more !== null && <more.Admission />}
        <SidePanel />
        <Controls />
        <Toasts />
        <MutedHint />
        <Announcer />
        <Dialogs />
      </div>
    </UiContext.Provider>
  );
}

function press(ui: Ui, event: KeyboardEvent): void {
  if (event.defaultPrevented) return;
  if (event.key === "Escape") {
    // dialogs and menus close themselves, one at a time; Escape while composing belongs to the input method
    if (event.isComposing || document.querySelector("dialog:modal, :popover-open") !== null) return;
    ui.model.panel.value = "none";
    return;
  }
  if (!ui.keys.peek() || isTaken(event.target)) return;
  const act = actOf(event);
  if (act === null) return;
  event.preventDefault();
  perform(ui, act);
}

function perform(ui: Ui, act: Act): void {
  const { model, help } = ui;
  switch (act) {
    case "mic":
      return pressDevice(ui, "microphone");
    case "camera":
      return pressDevice(ui, "camera");
    case "share":
      return model.can.share ? model.do.toggleShare() : undefined;
    case "hand":
      return model.do.toggleHand();
    case "chat":
    case "people":
    case "code":
    case "settings":
      return togglePanel(model, act);
    case "layout":
      model.layout.value = model.layout.peek() === "grid" ? "speaker" : "grid";
      return;
    case "full":
      return canFull() ? toggleFull() : undefined;
    case "admission":
      document.getElementById(ADMISSION)?.focus();
      return;
    case "help":
      help.value = true;
      return;
  }
}
