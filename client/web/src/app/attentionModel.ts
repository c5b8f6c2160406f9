/** The part of the model (`model.ts`) about what draws the person's attention. */
import type { ReadonlySignal } from "@preact/signals";

/** What draws the person's attention: a sound, a notification of the browser for a knock, a bubble for a message. */
export type Notice = "knock" | "came" | "left" | "notify" | "unread";

export interface Attention {
  /** The notices that are on. */
  readonly on: ReadonlySignal<ReadonlySet<Notice>>;
  /** Whether the person lets the page use the browser's notifications; null: the browser has none. */
  readonly permission: ReadonlySignal<NotificationPermission | null>;
  /** Turn a notice on or off; the browser asks the person before the first notification. */
  turn(notice: Notice, on: boolean): void;
}
