/** What happened, for the lines between what people said. */
import type { EventOf } from "../session/events";
import { type Sentence, sentence } from "../words/sentence";

/** Who came, went, and by whose word. `ownLeaf`: -1 before we are in. */
export function rosterNotes(event: EventOf<"Roster">): Sentence[] {
  const by = event.members.find(({ leaf }) => leaf === event.by)?.name ?? null;
  const came = event.added.map(({ name }) => {
    if (event.rejoined) return sentence("note.back", { name });
    if (by === null) return sentence("note.came", { name });
    if (event.label) return sentence("note.came_by_label", { name, by, label: event.label });
    if (event.invite === 0) return sentence("note.came_by_open", { name, by });
    return sentence("note.came_by", { name, by });
  });
  if (event.rejoined) return came;
  const went = event.removed.map(({ leaf, name }) =>
    event.left.includes(leaf) || by === null ? sentence("note.left", { name }) : sentence("note.removed", { name, by }),
  );
  return [...came, ...went];
}
