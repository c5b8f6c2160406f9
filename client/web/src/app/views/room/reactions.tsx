import { type Key, word } from "../../../words";
import type { ReactionKind } from "../../../session/events";
import { useUi } from "./ui";

/** Each reaction with its emoji and its name. */
export const REACTIONS: readonly (readonly [ReactionKind, string, Key])[] = [
  ["yes", "\u{1f44d}", "meet.react_yes"],
  ["applause", "\u{1f44f}", "meet.react_applause"],
  ["heart", "\u2764\ufe0f", "meet.react_heart"],
  ["laugh", "\u{1f602}", "meet.react_laugh"],
  ["surprise", "\u{1f62e}", "meet.react_surprise"],
  ["party", "\u{1f389}", "meet.react_party"],
];

/** Return a reaction in words. */
export function reactionWords(kind: ReactionKind): string {
  const row = REACTIONS.find(([one]) => one === kind);
  return row === undefined ? "" : word(row[2]);
}

/** Reactions rise at the edge of the stage; with reduced motion they stand in a line. The announcer reads them out. */
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
