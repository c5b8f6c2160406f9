import { shapes } from "./iconShapes";
import type { shapes as later } from "./iconShapesLater";

export type IconName = keyof typeof shapes | keyof typeof later;

/** The icons that are here. Those of later views come with these (`laterIcons.ts`). */
export const here: { [name in IconName]?: string } = { ...shapes };

/** An icon beside words, or in a button that has a label: hidden from screen readers. `size` in px. */
export function Icon({ name, size = 20 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={here[name]} />
    </svg>
  );
}
