/** Recent values: this page stores them, because the server does not. */
import { BUCKETS } from "../wire/limits";
import type { Now, Stream } from "./now";

/** Seconds covered by the graphs. */
export const SPAN = 60;
/** Maximum number of connections with stored rates. */
const CONNECTIONS_MAX = 200;
/** Number of points in the mean that `pace` returns. */
const PACE = 4;

export interface Point {
  /** Time on the server's clock. */
  readonly at: number;
  /** Rates a second. */
  readonly packets: number;
  readonly bytes: number;
}

export interface Blob {
  readonly room: string;
  readonly kind: "commit" | "relay";
  readonly number: number;
  readonly bytes: number;
  /** Time on the server's clock; for a relayed blob, when this page first saw it. */
  readonly at: number;
}

/** Return the number of a blob's size bucket, from 0. */
export function bucketOf(bytes: number): number {
  const found = BUCKETS.findIndex((bucket: number) => bytes <= bucket);
  return found === -1 ? BUCKETS.length - 1 : found;
}

const mean = (sizes: readonly number[]): number =>
  sizes.length === 0 ? 0 : sizes.reduce((sum, size) => sum + size, 0) / sizes.length;

/** Collects the values of successive `Now` answers. */
export class History {
  readonly #points = new Map<string, Point[]>();
  readonly #counted = new Map<number, Stream>();
  #blobs: ReadonlyMap<string, Blob> = new Map<string, Blob>();
  #at: number | null = null;

  /** The last minute of a connection, oldest first. */
  points = (handle: string): readonly Point[] => this.#points.get(handle) ?? [];

  /** Return the current rates of a connection: the mean of about two seconds. null: unknown yet. */
  pace(handle: string): Point | null {
    const last = this.points(handle).slice(-PACE);
    const end = last.at(-1);
    if (end === undefined) return null;
    const of = (part: "packets" | "bytes"): number => last.reduce((sum, point) => sum + point[part], 0) / last.length;
    return { at: end.at, packets: of("packets"), bytes: of("bytes") };
  }

  /** Return the blobs of the last minute, oldest first. */
  blobs(): readonly Blob[] {
    const since = (this.#at ?? 0) - SPAN;
    return [...this.#blobs.values()].filter(({ at }) => at >= since).sort((a, b) => a.at - b.at);
  }

  take(now: Now): void {
    // the server has restarted: earlier values belong to another process
    if (this.#at !== null && now.at < this.#at) this.#forget();
    const first = this.#at === null;
    const passed = this.#at === null ? 0 : now.at - this.#at;
    if (!first && passed <= 0) return;
    if (passed > 0) this.#rates(now, passed);
    this.#counted.clear();
    for (const stream of now.streams) this.#counted.set(stream.ssrc, stream);
    this.#note(now, first);
    this.#at = now.at;
  }

  #rates(now: Now, passed: number): void {
    const rates = new Map<string, { packets: number; bytes: number }>();
    for (const handle of handles(now)) rates.set(handle, { packets: 0, bytes: 0 });
    for (const stream of now.streams) {
      const before = this.#counted.get(stream.ssrc);
      const came = Math.max(0, stream.packets - (before?.handle === stream.handle ? before.packets : 0));
      const rate = rates.get(stream.handle) ?? { packets: 0, bytes: 0 };
      rates.set(stream.handle, {
        packets: rate.packets + came / passed,
        bytes: rate.bytes + (came / passed) * mean(came < stream.sizes.length ? stream.sizes.slice(-came || undefined) : stream.sizes),
      });
    }
    for (const [handle, rate] of [...rates].slice(0, CONNECTIONS_MAX)) {
      const points = (this.#points.get(handle) ?? []).filter(({ at }) => at >= now.at - SPAN);
      this.#points.set(handle, [...points, { at: now.at, ...rate }]);
    }
    for (const handle of this.#points.keys()) if (!rates.has(handle)) this.#points.delete(handle);
  }

  #note(now: Now, first: boolean): void {
    const before = this.#blobs;
    const held = new Map<string, Blob>();
    const add = (blob: Blob): void => {
      const key = `${blob.room} ${blob.kind} ${blob.number}`;
      held.set(key, before.get(key) ?? blob);
    };
    for (const room of now.disclosure.rooms) {
      for (const { slot, bytes, age } of room.commits)
        add({ room: room.number, kind: "commit", number: slot, bytes, at: now.at - age });
      for (const { relay, bytes } of room.relays)
        // the server does not store arrival times, so those of the relays in the first answer are unknown
        add({ room: room.number, kind: "relay", number: relay, bytes, at: first ? -Infinity : now.at });
    }
    // a blob that the server has dropped is kept for as long as it is drawn
    for (const [key, blob] of before) if (blob.at >= now.at - SPAN && !held.has(key)) held.set(key, blob);
    this.#blobs = held;
  }

  #forget(): void {
    this.#points.clear();
    this.#counted.clear();
    this.#blobs = new Map();
    this.#at = null;
  }
}

/** The handles of all connections in rooms. */
const handles = (now: Now): readonly string[] => now.disclosure.rooms.flatMap((room) => room.handles);
