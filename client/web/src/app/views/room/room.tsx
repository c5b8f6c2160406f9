import { useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Model } from "../../model";
import { ADMISSION, Admission } from "./admission";
import { Announcer } from "./announce";
import { Controls } from "./controls";
import { Dialogs } from "./dialogs";
import { type Act, actOf, isTaken } from "./keys";
import { Alarms, Banners, Toasts } from "./notices";
import { SidePanel } from "./panel";
import { Stage } from "./stage";
import { TopBar } from "./topbar";
import { makeUi, togglePanel, type Ui, UiContext } from "./ui";

/** The room view, shown while the participant is a member. */
export function Room({ model }: { readonly model: Model }) {
  const ui = useMemo(() => makeUi(model), [model]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => press(ui, event);
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [ui]);
  useSignalEffect(() => {
    const speaker = model.speaker.value;
    if (speaker !== null && speaker !== model.ownLeaf.value) ui.lastSpeaker.value = speaker;
  });
  return (
    <UiContext.Provider value={ui}>
      <div class="room" data-panel={model.panel.value}>
        <TopBar />
        <div class="notices">
          <Alarms />
          <Banners />
        </div>
        <Stage />
        <Admission />
        <SidePanel />
        <Controls />
        <Toasts />
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

function perform({ model, help }: Ui, act: Act): void {
  switch (act) {
    case "mic":
      return model.do.toggleMic();
    case "camera":
      return model.do.toggleCamera();
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
    case "admission":
      document.getElementById(ADMISSION)?.focus();
      return;
    case "help":
      help.value = true;
      return;
  }
}
