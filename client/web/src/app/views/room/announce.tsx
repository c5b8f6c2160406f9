/** Announces events in the room to screen readers: politely, and each only once. */
import { useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { word } from "../../../words";
import type { Model } from "../../model";
import { inviteWords } from "./inviteWords";
import { reactionWords } from "./reactions";
import { asker, useUi } from "./ui";

interface Heard {
  readonly knocks: ReadonlySet<number>;
  readonly reactions: ReadonlySet<number>;
  readonly chat: ReadonlySet<string>;
  readonly hands: ReadonlySet<number>;
  readonly people: ReadonlyMap<number, string>;
  readonly code: unknown;
}

/** Return the state that announcements are derived from. */
export const hear = (model: Model): Heard => ({
  knocks: new Set(model.knocks.value.map(({ knock }) => knock)),
  reactions: new Set(model.reactions.value.map(({ id }) => id)),
  chat: new Set(model.chat.value.map(({ id }) => id)),
  hands: new Set(model.people.value.filter((person) => person.hand !== null && !person.self).map(({ leaf }) => leaf)),
  people: new Map(model.people.value.map(({ leaf, name }) => [leaf, name])),
  code: model.code.value?.short ?? null,
});

/** Return one sentence for each change in the room between `before` and `now`. */
export function news(model: Model, before: Heard, now: Heard): string[] {
  const told: string[] = [];
  for (const knock of model.knocks.value) {
    if (before.knocks.has(knock.knock)) continue;
    told.push(word("meet.knock_told", { name: knock.name, invite: inviteWords(knock.invite, knock.label) }));
  }
  const name = now.code === before.code ? null : asker(model, model.code.value);
  if (name !== null) told.push(word("meet.compares", { name }));
  const came = [...now.people].filter(([leaf]) => !before.people.has(leaf)).map(([, name]) => name);
  const went = [...before.people].filter(([leaf]) => !now.people.has(leaf)).map(([, name]) => name);
  if (came.length > 0) told.push(word("meet.told_came", { names: came }));
  if (went.length > 0) told.push(word("meet.told_went", { names: went }));
  for (const person of model.people.value) {
    if (now.hands.has(person.leaf) && !before.hands.has(person.leaf)) told.push(word("meet.told_hand", { name: person.name }));
  }
  for (const { id, name, reaction } of model.reactions.value) {
    if (!before.reactions.has(id)) told.push(word("meet.reacted", { name, reaction: reactionWords(reaction) }));
  }
  // the open chat is a live region of its own
  if (model.panel.value === "chat") return told;
  for (const line of model.chat.value) {
    if (before.chat.has(line.id) || line.kind === "note" || line.self) continue;
    if (line.kind === "text") told.push(word("meet.chat_told", { name: line.name, text: line.text }));
    else if (line.kind === "image") told.push(word("meet.chat_told_picture", { name: line.name }));
    else told.push(word("meet.chat_told_file", { name: line.name, file: line.filename }));
  }
  return told;
}

export function Announcer() {
  const { model } = useUi();
  const said = useSignal("");
  const before = useRef<Heard | null>(null);
  useSignalEffect(() => {
    const now = hear(model);
    // the state on entering the room is on the screen, and is not news
    const told = before.current === null ? [] : news(model, before.current, now);
    before.current = now;
    if (told.length > 0) said.value = told.join(" ");
  });
  return (
    <p class="unseen" role="status">
      {said.value}
    </p>
  );
}
