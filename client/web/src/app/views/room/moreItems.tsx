/** The items of the menu "More". */
import { word } from "../../../words";
import { canFlip } from "../../model";
import { canFull, toggleFull, useFull } from "./full";
import { Item } from "./menu";
import { ReactionItems } from "./reactionItems";
import { togglePanel, useUi } from "./ui";

export function MoreItems() {
  const { model, help, selfHidden } = useUi();
  const { can } = model;
  const recording = model.recording.value;
  const layout = model.layout.value;
  const sharing = model.sharing.value;
  const full = useFull();
  return (
    <>
      <div class="narrow-only reaction-row" role="group" aria-label={word("meet.react")}>
        <ReactionItems />
      </div>
      {can.share && (
        <Item
          class="item narrow-only"
          icon={sharing ? "screen-share-off" : "screen-share"}
          words={word(sharing ? "meet.share_off" : "meet.share_on")}
          act={() => model.do.toggleShare()}
        />
      )}
      <Item class="item narrow-only" icon="users" words={word("meet.people")} act={() => togglePanel(model, "people")} />
      <Item class="item narrow-only" icon="shield-check" words={word("meet.code_title")} act={() => togglePanel(model, "code")} />
      <Item
        icon={layout === "grid" ? "square" : "layout-grid"}
        words={word(layout === "grid" ? "meet.speaker" : "meet.grid")}
        act={() => {
          model.layout.value = layout === "grid" ? "speaker" : "grid";
        }}
      />
      {canFull() && <Item icon="maximize" words={word(full ? "meet.full_end" : "meet.full")} act={toggleFull} />}
      <Item
        icon={selfHidden.value ? "eye" : "eye-off"}
        words={word(selfHidden.value ? "meet.self_show" : "meet.self_hide")}
        {...(selfHidden.value ? {} : { hint: word("meet.self_hide_hint") })}
        act={() => {
          selfHidden.value = !selfHidden.value;
        }}
      />
      {selfHidden.value && canFlip(model.devices.value) && (
        <Item icon="switch-camera" words={word("meet.flip")} act={() => model.do.flipCamera()} />
      )}
      {can.record && (
        <Item
          icon={recording ? "square" : "circle-dot"}
          words={word(recording ? "meet.record_stop" : "meet.record")}
          {...(recording ? {} : { hint: word("meet.record_hint") })}
          act={() => model.do.toggleRecording()}
        />
      )}
      {model.where.value.lecture && (
        <Item icon="graduation-cap" words={word("meet.lecture")} act={() => togglePanel(model, "lecture")} />
      )}
      <Item icon="signal-low" words={word("meet.quality")} act={() => togglePanel(model, "quality")} />
      <Item icon="settings" words={word("meet.settings")} act={() => togglePanel(model, "settings")} />
      <Item
        class="item keyboard-only"
        icon="keyboard"
        words={word("meet.shortcuts")}
        act={() => {
          help.value = true;
        }}
      />
    </>
  );
}
