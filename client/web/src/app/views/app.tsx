import { useSignalEffect } from "@preact/signals";
import { speak } from "../../words/index";
import type { Model } from "../model";
import { Ended } from "./ended";
import { Frame } from "./frame";
import { PreJoin } from "./prejoin";
import { Room } from "./room/room";
import { Start } from "./start";
import { Unable } from "./unable";
import { Waiting } from "./waiting";

const VIEWS = { start: Start, prejoin: PreJoin, waiting: Waiting, ended: Ended, unable: Unable } as const;

/** The whole page: one view for each `place`. */
export function App({ model }: { readonly model: Model }) {
  useSignalEffect(() => {
    document.documentElement.dataset["theme"] = model.theme.value;
  });
  useSignalEffect(() => {
    // if the language's file cannot be loaded, the page keeps its current language
    void speak(model.language.value).catch(() => undefined);
  });
  useSignalEffect(() => {
    const title = model.place.value === "room" ? model.roomTitle.value : "";
    document.title = title === "" ? "Snug" : `${title} · Snug`;
  });
  const place = model.place.value;
  if (place === "room") return <Room model={model} />;
  const View = VIEWS[place];
  return (
    <Frame model={model}>
      <View model={model} />
    </Frame>
  );
}
