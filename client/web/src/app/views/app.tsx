import { useSignalEffect } from "@preact/signals";
import { speak } from "../../words/index";
import type { Model } from "../model";
import { Start } from "./start";

/** The whole page: a view for each place. */
export function App({ model }: { readonly model: Model }) {
  useSignalEffect(() => {
    document.documentElement.dataset["theme"] = model.theme.value;
  });
  useSignalEffect(() => {
    void speak(model.language.value).catch(() => undefined);
  });
  return <Start model={model} />;
}
