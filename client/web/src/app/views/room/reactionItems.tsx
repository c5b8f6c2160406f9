/** The reactions as items of a menu. */
import { word } from "../../../words";
import { Item } from "./menu";
import { REACTIONS } from "./reactions";
import { useUi } from "./ui";

export function ReactionItems() {
  const { model } = useUi();
  return (
    <>
      {REACTIONS.map(([kind, emoji, key]) => (
        <Item
          key={kind}
          class="item emoji"
          words={emoji}
          label={word(key)}
          face={emoji}
          act={() => model.do.react(kind)}
        />
      ))}
    </>
  );
}
