/** The items in the menu of a tile. */
import { word } from "../../../words";
import type { Tile } from "../../model";
import { Item } from "./menu";
import { PersonItems } from "./person";
import { useUi } from "./ui";

export function TileItems({ tile }: { readonly tile: Tile }) {
  const { model, selfHidden } = useUi();
  const pinned = model.pinned.value === tile.id;
  const person = model.people.value.find((one) => one.leaf === tile.leaf);
  return (
    <>
      <Item
        icon={pinned ? "pin-off" : "pin"}
        words={word(pinned ? "meet.unpin" : "meet.pin")}
        act={() => {
          model.pinned.value = pinned ? null : tile.id;
        }}
      />
      {model.can.pip && tile.picture !== null && tile.pictureState === "live" && (
        <Item
          icon="picture-in-picture-2"
          words={word("meet.pip")}
          act={() => model.do.pictureInPicture(tile.id)}
        />
      )}
      {tile.self && tile.kind === "camera" && (
        <Item
          icon="eye-off"
          words={word("meet.self_hide")}
          hint={word("meet.self_hide_hint")}
          act={() => {
            selfHidden.value = true;
          }}
        />
      )}
      {person !== undefined && tile.kind === "camera" && <PersonItems person={person} />}
    </>
  );
}
