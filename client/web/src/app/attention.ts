/** What draws the person's attention to the room: sounds, and a notification while another window is in front. */
import { effect, type ReadonlySignal, signal, untracked } from "@preact/signals";
import type { Chime } from "../media/chime";
import { listed, word } from "../words/index";
import type { Model, Notice } from "./model";
import { store, stored } from "./stored";

const NAME = "snug-notices";
/** What is on until the person decides. */
const FIRST: readonly Notice[] = ["knock", "unread"];

/** The person's choices, in the browser's storage once one was made. */
export class Attention {
  readonly on;
  readonly permission = signal(typeof Notification === "undefined" ? null : Notification.permission);
  readonly #storage: Storage | null;

  constructor(storage: Storage | null) {
    this.#storage = storage;
    this.on = signal<ReadonlySet<Notice>>(new Set(read(storage)));
  }

  turn(notice: Notice, on: boolean): void {
    if (notice === "notify" && on) void this.#permitted(() => this.#turned(notice, true));
    else this.#turned(notice, on);
  }

  /** Ask the person through the browser, which remembers the answer. */
  async #permitted(then: () => void): Promise<void> {
    this.permission.value = await Notification.requestPermission();
    if (this.permission.value === "granted") then();
  }

  #turned(notice: Notice, on: boolean): void {
    const now = new Set(this.on.value);
    if (on) now.add(notice);
    else now.delete(notice);
    this.on.value = now;
    store(this.#storage, NAME, [...now]);
  }

  /** Draw attention to knocks, and to members who come and go, from now on. */
  attend({ knocks, amHost, people }: Room, chime: (chime: Chime) => void): void {
    const sound = (kind: Chime): void => {
      if (this.on.value.has(kind)) chime(kind);
    };
    let known: ReadonlySet<number> = new Set();
    let notification: Shown | null = null;
    effect(() => {
      const waiting = amHost.value ? knocks.value : [];
      const news = waiting.filter(({ knock }) => !known.has(knock));
      known = new Set(waiting.map(({ knock }) => knock));
      untracked(() => {
        if (waiting.length === 0) notification?.close();
        if (news.length === 0) return;
        sound("knock");
        notification = this.#notify(waiting) ?? notification;
      });
    });
    let before: ReadonlySet<number> = new Set();
    effect(() => {
      const now = new Set(people.value.map(({ leaf }) => leaf));
      const [was, any] = [before, before.size > 0 && now.size > 0];
      before = now;
      // the people whom we find there have not come, and nobody leaves when we leave
      if (!any) return;
      if ([...now].some((leaf) => !was.has(leaf))) untracked(() => sound("came"));
      else if ([...was].some((leaf) => !now.has(leaf))) untracked(() => sound("left"));
    });
  }

  /** Show a notification, if the page is hidden and the person wants one; null: there is none. */
  #notify(waiting: readonly { readonly name: string }[]): Shown | null {
    if (!this.on.value.has("notify") || this.permission.value !== "granted" || !document.hidden) return null;
    // no more than the first line of the card: the computer may keep it
    const title = word("meet.knock");
    // the sound is ours; one for all who wait: a later one takes the place of an earlier one
    const options = { body: listed(waiting.map(({ name }) => name)), tag: NAME, silent: true };
    try {
      const shown = new Notification(title, options);
      shown.onclick = () => focus();
      return shown;
    } catch {
      return byServiceWorker(title, options); // browsers of phones let nobody else notify
    }
  }
}

type Shown = Pick<Notification, "close">;

/** Have the page's service worker notify, if this device has it. */
function byServiceWorker(title: string, options: NotificationOptions & { readonly tag: string }): Shown | null {
  const found = navigator.serviceWorker?.getRegistration();
  if (found === undefined) return null;
  void found.then((registration) => registration?.showNotification(title, options)).catch(() => undefined);
  const close = async (): Promise<void> => {
    const shown = (await (await found)?.getNotifications({ tag: options.tag })) ?? [];
    for (const each of shown) each.close();
  };
  return { close: () => void close().catch(() => undefined) };
}

type Room = { readonly [K in "knocks" | "amHost" | "people"]: ReadonlySignal<Model[K]["value"]> };

function read(storage: Storage | null): readonly Notice[] {
  const value = stored(storage, NAME);
  return Array.isArray(value) ? (value as Notice[]) : FIRST;
}
