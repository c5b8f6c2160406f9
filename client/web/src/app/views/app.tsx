import { useSignalEffect } from "@preact/signals";
import type { Model } from "../model";
import { Ended } from "./ended";
import { Frame, usePreferences } from "./frame";
import { PreJoin } from "./prejoin";
import { Room } from "./room/room";
import { Start } from "./start";
import { Unable } from "./unable";
import { Waiting } from "./waiting";

/** `--back` of tokens.css, light and dark, in the order of index.html. */
const BARS = ["#f3ede1", "#0c1310"] as const;
const VIEWS = { start: Start, prejoin: PreJoin, waiting: Waiting, ended: Ended, unable: Unable } as const;

/** The whole page: one view for each `place`. */
export function App({ model }: { readonly model: Model }) {
  usePreferences(model);
  useSignalEffect(() => {
    const theme = model.theme.value;
    // the bars of the browser, or of an installed page, follow the system's theme unless another one is chosen
    const bars = document.querySelectorAll<HTMLMetaElement>("meta[name=theme-color]");
    for (const [at, bar] of bars.entries()) bar.content = BARS[theme === "system" ? at : theme === "dark" ? 1 : 0] ?? "";
  });
  useSignalEffect(() => {
    const room = model.place.value === "room";
    const waiting = room && model.amHost.value ? model.knocks.value.length : 0;
    // browsers write titles into their history and their sessions' files: no meeting's title is among them
    document.title = `${waiting > 0 ? `(${waiting}) ` : ""}Snug`;
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
