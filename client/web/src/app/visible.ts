/**
 * Selects the video streams to subscribe to, and their layers: by page, by the person's choice, and by tile size.
 *
 * The server sees subscriptions. So nothing in them follows voice activity, unless the person chose that
 * (`onlySpeaker`): pages follow the order of the room, and the place of the active speaker makes no member's video
 * larger than that of the others. All audio is always subscribed to.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Command } from "../session/events";
import type { RemoteStream } from "./mediaSide";
import type { Person, Places } from "./model";

/** Maximum number of other members shown at once, and where the person chose many; with more there are pages. */
export const PAGE = 9;
export const LARGE_PAGE = 25;
/** Heights of video in device pixels above which the next larger layer is useful. */
const STEPS = [150, 300];
/** A layer is given up only below this fraction of its step, because windows are resized back and forth. */
const STAY = 0.85;
/** Height for all cameras while a place shows the active speaker: the middle layer, for every member alike. */
const MIDDLE = 240;

/** Return the largest useful layer at `height` (device pixels); `before` is the previous result. */
export function maxLayerFor(height: number, before: number | undefined): number {
  const top = STEPS.filter((step) => height > step).length;
  return before !== undefined && before > top && height > (STEPS[before - 1] ?? 0) * STAY ? before : top;
}

/**
 * Return the leaves of the other members on a page; null if there is only one page. `page` counts from 0, `most` is the
 * number of members on each.
 */
export function onPage(others: readonly number[], page: number, most = PAGE): ReadonlySet<number> | null {
  if (others.length <= most) return null;
  const sorted = [...others].sort((a, b) => a - b);
  return new Set(sorted.slice(page * most, (page + 1) * most));
}

/** Return the SSRCs to subscribe to for the cameras of these leaves: their cameras, all audio, all shared screens. */
export function camerasOf(remote: readonly RemoteStream[], leaves: ReadonlySet<number>): ReadonlySet<number> {
  return new Set(remote.filter(({ stream, leaf }) => stream !== 1 || leaves.has(leaf)).map(({ ssrc }) => ssrc));
}

/**
 * Return the SSRCs to subscribe to for one camera: that of `leaf`, or the first one. They include all audio and all
 * shared screens, so that every member remains audible.
 */
export function sparing(remote: readonly RemoteStream[], leaf: number | null): ReadonlySet<number> {
  const cameras = remote.filter(({ stream }) => stream === 1);
  const shown = cameras.find((camera) => camera.leaf === leaf) ?? cameras[0];
  return camerasOf(remote, new Set(shown === undefined ? [] : [shown.leaf]));
}

/** Return the height in device pixels at which a stream's video is shown. */
function heightOf({ leaf, stream }: RemoteStream, places: Places, onlySpeaker: boolean): number {
  const { each, large, voice } = places;
  if (large?.id === `${leaf} ${stream === 1 ? "camera" : "screen"}`) return large.height;
  if (voice === null || stream !== 1) return each;
  return Math.max(each, onlySpeaker ? voice : Math.min(voice, MIDDLE));
}

/** The state of the store that the selection depends on. */
export interface Seen {
  readonly people: ReadonlySignal<readonly Person[]>;
  readonly remote: ReadonlySignal<readonly RemoteStream[]>;
  /** The id of the tile that the person chose to see large. */
  readonly pinned: ReadonlySignal<string | null>;
  readonly onlySpeaker: ReadonlySignal<boolean>;
  /** The other member who spoke last. */
  readonly spoke: ReadonlySignal<number | null>;
  /** The person saves data: each video is asked for one size smaller. */
  readonly dataSaver: ReadonlySignal<boolean>;
  /** The person chose pages of `LARGE_PAGE` members. */
  readonly manyVideos: ReadonlySignal<boolean>;
}

/** Pages and sizes of one meeting. */
export class Visible {
  readonly #places = signal<Places | null>(null);
  readonly #wished = signal(0);
  readonly pages: ReadonlySignal<number>;
  /** From 0. */
  readonly page: ReadonlySignal<number>;
  /** Leaves of the other members whose cameras are shown; null: all. */
  readonly shown: ReadonlySignal<ReadonlySet<number> | null>;
  /** SSRCs subscribed to; null: all. */
  readonly asked: ReadonlySignal<ReadonlySet<number> | null>;
  /** The largest useful layer of each subscribed video at the size of its tile, by SSRC: data savers ask for less. */
  readonly useful: ReadonlySignal<ReadonlyMap<number, number>>;
  /** The same as a command. Streams missing in `maxLayers` use their largest layer. */
  readonly request: ReadonlySignal<Pick<Command & { readonly type: "SelectStreams" }, "ssrcs" | "maxLayers">>;
  #maxLayers = new Map<number, number>();

  constructor(seen: Seen) {
    const others = computed(() => seen.people.value.filter(({ self }) => !self).map(({ leaf }) => leaf));
    const most = computed(() => (seen.manyVideos.value ? LARGE_PAGE : PAGE));
    this.pages = computed(() => Math.max(1, Math.ceil(others.value.length / most.value)));
    this.page = computed(() => Math.min(this.#wished.value, this.pages.value - 1));
    const pinned = computed(() => {
      const leaf = /^(\d+) camera$/.exec(seen.pinned.value ?? "")?.[1];
      return leaf === undefined ? null : Number(leaf);
    });
    this.shown = computed(() => {
      const page = seen.onlySpeaker.value ? null : onPage(others.value, this.page.value, most.value);
      return page === null || pinned.value === null ? page : new Set([...page, pinned.value]);
    });
    this.asked = computed(() => {
      if (seen.onlySpeaker.value) return sparing(seen.remote.value, pinned.value ?? seen.spoke.value);
      return this.shown.value === null ? null : camerasOf(seen.remote.value, this.shown.value);
    });
    this.useful = computed(() => {
      const places = this.#places.value;
      const pictures = seen.remote.value.filter(
        ({ ssrc, stream }) => (stream === 1 || stream === 3) && (this.asked.value?.has(ssrc) ?? true),
      );
      const found = places === null ? [] : pictures.map((picture) => {
        const { ssrc } = picture;
        const height = heightOf(picture, places, seen.onlySpeaker.value);
        return [ssrc, maxLayerFor(height, this.#maxLayers.get(ssrc))] as const;
      });
      return (this.#maxLayers = new Map(found));
    });
    this.request = computed(() => {
      const asked = this.asked.value;
      const saved = seen.dataSaver.value ? 1 : 0;
      const maxLayers = [...this.useful.value].map(([ssrc, layer]) => [ssrc, Math.max(0, layer - saved)] as const);
      return { ssrcs: asked === null ? null : [...asked].sort((a, b) => a - b), maxLayers };
    });
  }

  /** Show a page; the first follows the last, and the other way round. */
  turn(to: number): void {
    this.#wished.value = (to + this.pages.value) % this.pages.value;
  }

  /** Take the current sizes of tiles. */
  measured(places: Places): void {
    this.#places.value = places;
  }

  /** Forget everything before another meeting. */
  clear(): void {
    this.#places.value = null;
    this.#wished.value = 0;
    this.#maxLayers.clear();
  }
}
