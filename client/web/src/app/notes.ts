/** The notes in the chat about events in the room. */
import type { EventOf } from "../session/events";
import { type Sentence, sentence } from "../words/sentence";

/** Return the notes about members who have joined or left, with the member responsible for it. */
export function rosterNotes(event: EventOf<"Roster">): Sentence[] {
  const by = event.members.find(({ leaf }) => leaf === event.by)?.name ?? null;
  const came = event.added.map(({ name, label, invite }) => {
    if (event.rejoined) return sentence("note.back", { name });
    if (by === null) return sentence("note.came", { name });
    if (label) return sentence("note.came_by_label", { name, by, label });
    if (invite === 0) return sentence("note.came_by_open", { name, by });
    return sentence("note.came_by", { name, by });
  });
  if (event.rejoined) return came;
  const went = event.removed.map(({ leaf, name }) =>
    event.left.includes(leaf) || by === null ? sentence("note.left", { name }) : sentence("note.removed", { name, by }),
  );
  return [...came, ...went];
}
