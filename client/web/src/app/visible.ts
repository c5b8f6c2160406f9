/**
 * Whose pictures are asked for, and how large: by pages, by what was chosen to be seen, and by the sizes of places.
 *
 * The server sees all that is asked for. So nothing of it follows a voice, unless that was chosen (`onlySpeaker`): who is
 * on a page goes by the order of the room, and a place that is given to whoever speaks makes nobody's picture larger than
 * the others'. Sound is asked for always, and of everybody.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Command } from "../session/events";
import type { RemoteStream } from "./mediaSide";
import type { Person, Places } from "./model";

/** As many others are shown at once; with more there are pages. */
export const PAGE = 9;
/** Heights of pictures in device pixels above which the next larger layer is of use. */
const STEPS = [150, 300];
/** A layer that is there is given up only so far below its step: windows are dragged to and fro. */
const STAY = 0.85;
/** Of cameras while a place follows the voice: the middle layer's, whoever has it. */
const MIDDLE = 240;

/** The largest layer that is of use at that height (device pixels), where `before` was until now. */
export function topFor(height: number, before: number | undefined): number {
  const top = STEPS.filter((step) => height > step).length;
  return before !== undefined && before > top && height > (STEPS[before - 1] ?? 0) * STAY ? before : top;
}

/** Of the others, by their leaves, those on that page; null: there is but one. `page` counts from 0. */
export function onPage(others: readonly number[], page: number): ReadonlySet<number> | null {
  if (others.length <= PAGE) return null;
  const sorted = [...others].sort((a, b) => a - b);
  return new Set(sorted.slice(page * PAGE, (page + 1) * PAGE));
}

/** The streams to ask for where the cameras of these leaves are wanted: theirs, all sound, all shared screens. */
export function camerasOf(remote: readonly RemoteStream[], leaves: ReadonlySet<number>): ReadonlySet<number> {
  return new Set(remote.filter(({ stream, leaf }) => stream !== 1 || leaves.has(leaf)).map(({ ssrc }) => ssrc));
}

/**
 * The streams to ask for where only one camera's picture is wanted: `leaf`'s, or the first that there is. All sound and
 * all shared screens are among them, for nobody is to go unheard by it.
 */
export function sparing(remote: readonly RemoteStream[], leaf: number | null): ReadonlySet<number> {
  const cameras = remote.filter(({ stream }) => stream === 1);
  const shown = cameras.find((camera) => camera.leaf === leaf) ?? cameras[0];
  return camerasOf(remote, new Set(shown === undefined ? [] : [shown.leaf]));
}

/** Height in device pixels at which a stream's picture is shown. */
function heightOf({ leaf, stream }: RemoteStream, places: Places, onlySpeaker: boolean): number {
  const { each, large, voice } = places;
  if (large?.id === `${leaf} ${stream === 1 ? "camera" : "screen"}`) return large.height;
  if (voice === null || stream !== 1) return each;
  return Math.max(each, onlySpeaker ? voice : Math.min(voice, MIDDLE));
}

/** What a person sees, as the store knows it. */
export interface Seen {
  readonly people: ReadonlySignal<readonly Person[]>;
  readonly remote: ReadonlySignal<readonly RemoteStream[]>;
  /** The tile that was chosen to be seen large. */
  readonly pinned: ReadonlySignal<string | null>;
  readonly onlySpeaker: ReadonlySignal<boolean>;
  /** Who has spoken last, of the others. */
  readonly spoke: ReadonlySignal<number | null>;
}

/** Pages and sizes of one meeting. */
export class Visible {
  readonly #places = signal<Places | null>(null);
  readonly #wished = signal(0);
  readonly pages: ReadonlySignal<number>;
  /** From 0. */
  readonly page: ReadonlySignal<number>;
  /** Leaves of the others whose cameras are shown; null: everybody's. */
  readonly shown: ReadonlySignal<ReadonlySet<number> | null>;
  /** SSRCs to ask for; null: all. */
  readonly asked: ReadonlySignal<ReadonlySet<number> | null>;
  /** The same as a command; of what isn't among `tops` the largest layer is of use. */
  readonly request: ReadonlySignal<Pick<Command & { readonly type: "AskFor" }, "ssrcs" | "tops">>;
  #tops = new Map<number, number>();

  constructor(seen: Seen) {
    const others = computed(() => seen.people.value.filter(({ self }) => !self).map(({ leaf }) => leaf));
    this.pages = computed(() => Math.max(1, Math.ceil(others.value.length / PAGE)));
    this.page = computed(() => Math.min(this.#wished.value, this.pages.value - 1));
    const pinned = computed(() => {
      const leaf = /^(\d+) camera$/.exec(seen.pinned.value ?? "")?.[1];
      return leaf === undefined ? null : Number(leaf);
    });
    this.shown = computed(() => {
      const page = seen.onlySpeaker.value ? null : onPage(others.value, this.page.value);
      return page === null || pinned.value === null ? page : new Set([...page, pinned.value]);
    });
    this.asked = computed(() => {
      if (seen.onlySpeaker.value) return sparing(seen.remote.value, pinned.value ?? seen.spoke.value);
      return this.shown.value === null ? null : camerasOf(seen.remote.value, this.shown.value);
    });
    const tops = computed(() => {
      const places = this.#places.value;
      const pictures = seen.remote.value.filter(
        ({ ssrc, stream }) => (stream === 1 || stream === 3) && (this.asked.value?.has(ssrc) ?? true),
      );
      const found = places === null ? [] : pictures.map((picture) => {
        const { ssrc } = picture;
        return [ssrc, topFor(heightOf(picture, places, seen.onlySpeaker.value), this.#tops.get(ssrc))] as const;
      });
      this.#tops = new Map(found);
      return found;
    });
    this.request = computed(() => {
      const asked = this.asked.value;
      return { ssrcs: asked === null ? null : [...asked].sort((a, b) => a - b), tops: tops.value };
    });
  }

  /** Turn to a page; beyond the last comes the first, and the other way round. */
  turn(to: number): void {
    this.#wished.value = (to + this.pages.value) % this.pages.value;
  }

  /** How large things are shown now. */
  measured(places: Places): void {
    this.#places.value = places;
  }

  /** Another meeting. */
  clear(): void {
    this.#places.value = null;
    this.#wished.value = 0;
    this.#tops.clear();
  }
}
