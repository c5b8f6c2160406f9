import { type Key, word } from "../../../words";
import type { ReactionKind } from "../../../session/events";
import { useUi } from "./ui";

/** Each as people know it, and what it is called. */
export const REACTIONS: readonly (readonly [ReactionKind, string, Key])[] = [
  ["yes", "\u{1f44d}", "meet.react_yes"],
  ["applause", "\u{1f44f}", "meet.react_applause"],
  ["heart", "\u2764\ufe0f", "meet.react_heart"],
  ["laugh", "\u{1f602}", "meet.react_laugh"],
  ["surprise", "\u{1f62e}", "meet.react_surprise"],
  ["party", "\u{1f389}", "meet.react_party"],
];

/** A reaction in words. */
export function reactionWords(kind: ReactionKind): string {
  const row = REACTIONS.find(([one]) => one === kind);
  return row === undefined ? "" : word(row[2]);
}

/** They rise at the stage's edge; who wants no motion sees them stand in a line. Read out by the announcer. */
export function Reactions() {
  const { model } = useUi();
  return (
    <div class="reactions" aria-hidden="true">
      {model.reactions.value.map(({ id, name, reaction }) => (
        <span key={id} class={`reaction lane-${id % 4}`}>
          <span class="emoji">{REACTIONS.find(([one]) => one === reaction)?.[1]}</span>
          <bdi>{name}</bdi>
        </span>
      ))}
    </div>
  );
}
