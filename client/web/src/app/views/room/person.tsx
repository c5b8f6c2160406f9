/** Menu items for actions on a member, in the menu of a tile and of a row in the list of people. */
import { word } from "../../../words";
import type { Person } from "../../model";
import { Item } from "./menu";
import { useUi } from "./ui";

export function PersonItems({ person }: { readonly person: Person }) {
  const { model, question } = useUi();
  const { name, leaf } = person;
  if (person.self) return null;
  const host = model.amHost.value;
  return (
    <>
      {person.standing === "new" && (
        <Item icon="user-plus" words={word("meet.know")} act={() => model.do.know(leaf)} />
      )}
      {(person.standing === "new" || person.standing === "known") && (
        <Item icon="user-check" words={word("meet.mark_verified")} act={() => model.do.verified(leaf)} />
      )}
      {host && (
        <>
          {person.host ? (
            <Item icon="user-minus" words={word("meet.undeputise")} act={() => model.do.undeputise(leaf)} />
          ) : (
            <Item icon="crown" words={word("meet.deputise")} act={() => model.do.deputise(leaf)} />
          )}
          <Item
            icon="arrow-right"
            words={word("meet.hand_over")}
            act={() => {
              question.value = {
                title: word("meet.hand_over_title", { name }),
                text: word("meet.hand_over_text", { name }),
                yes: word("meet.hand_over_yes"),
                act: () => model.do.handOver(leaf),
              };
            }}
          />
          <Item
            icon="log-out"
            words={word("meet.remove")}
            act={() => {
              question.value = {
                title: word("meet.remove_title", { name }),
                text: word("meet.remove_text", { name }),
                yes: word("meet.remove_yes"),
                act: () => model.do.remove(leaf),
              };
            }}
          />
        </>
      )}
    </>
  );
}

/** Return whether the menu of a member has any items. */
export const hasItems = (person: Person, amHost: boolean): boolean =>
  !person.self && (amHost || person.standing === "new" || person.standing === "known");
