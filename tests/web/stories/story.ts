import type { VNode } from "preact";
import type { Model } from "../../../client/web/src/app/model";

/** One state of the page, looked at by itself. Each `*.tsx` here exports a list of them as its default. */
export interface Story {
  /** Of small letters and hyphens; names the screenshot. */
  readonly name: string;
  /** Called when the story is shown. */
  readonly model: () => Model;
  /** The part of the page that is shown; without it, the whole page. */
  readonly view?: (model: Model) => VNode;
  /** The page whose stylesheet it has; without it, the meeting's. */
  readonly style?: "landlord" | "projector" | "phone";
  /** Done when it is drawn: to open a menu, say. */
  readonly play?: (root: HTMLElement) => void | Promise<void>;
}
