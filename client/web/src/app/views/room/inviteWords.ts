/** How an invite is called where somebody knocks with it. */
import { word } from "../../../words";

/** Return the description of an invite inside a sentence; `label` null: another host has created it. */
export function inviteWords(index: number, label: string | null): string {
  if (label) return word("meet.by_label", { label });
  if (index === 0) return word("meet.by_open");
  return label === null ? word("meet.by_other") : word("meet.by_number", { n: index });
}
