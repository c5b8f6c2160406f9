import { word } from "../../words/index";
import type { Model } from "../model";

/** Open a room, or go to one. */
export function Start({ model }: { readonly model: Model }) {
  return (
    <main>
      <h1>{word("start.heading")}</h1>
      <button type="button" class="button primary" onClick={() => model.do.openRoom()}>
        {word("start.open")}
      </button>
    </main>
  );
}
