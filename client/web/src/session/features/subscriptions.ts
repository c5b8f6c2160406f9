/**
 * The streams that the server forwards to us, and up to which layer: all, unless a person chose.
 *
 * The server sees the choice. Asking for the speaker's video reveals who speaks, so a person has to choose that. A host
 * can choose for all members that they receive the sound of the same 16 in a large room (`audible`).
 * While fewer streams are asked for, our beats say that we do not want all, and no other member judges what reaches
 * us: only we know the choice. Layers concern us and the server alone: a member that asks for all streams, some of
 * them in smaller layers, still wants all.
 */
import { LAYERS_MAX, SUBSCRIBE_MAX } from "../../wire/limits";
import type { HandleStream, Subscribe } from "../../wire/messages";
import { Feature } from "../kernel/feature";
import { loadedLater } from "../kernel/load";
import type { Room } from "../kernel/ports";
import type { Audible } from "./audible";

/** Minimum seconds between two requests: a window that is being resized changes much in little time. */
const GAP = 0.5;
const LARGEST = LAYERS_MAX - 1;
/** The server's default on every connection. */
const ALL: Subscribe = { type: "subscribe", ssrcs: null, max_layers: [] };

/** Repeats the request when the server cannot know it: on each connection, and after new media of ours. */
export class Subscriptions extends Feature {
  #ssrcs: readonly number[] | null = null;
  #maxLayers: ReadonlyMap<number, number> = new Map();
  /** The others' streams. */
  #listed: readonly HandleStream[] = [];
  /** What limits the sound, in a meeting whose host has chosen that. */
  #audible: Audible | null = null;
  #wanted: Subscribe = ALL;
  /** As the server has it; null: it does not have our media. */
  #sent: Subscribe | null = null;
  #sentAt = -Infinity;

  /** Whether a media engine is here, and every stream is asked for. */
  get subscribesToAll(): boolean {
    return this.room.hasMedia && this.#ssrcs === null && !this.#audible?.chosen;
  }

  /** Return the announced streams of a leaf that we ask for; empty without a media engine. */
  subscribed(leaf: number): ReadonlySet<number> {
    if (!this.room.hasMedia) return new Set();
    const streams = [...this.room.announcements.streams(leaf)];
    const ssrcs = this.#audible?.chosen ? this.#wanted.ssrcs : this.#ssrcs;
    return new Set(streams.flatMap(([ssrc, stream]) => ((ssrcs?.includes(ssrc) ?? true) ? [stream] : [])));
  }

  /**
   * Ask for these streams (null: all), up to the given layers (0 to 2; 2 where none is given).
   *
   * The last request of each half second is sent, once the server has our media.
   */
  subscribe(ssrcs: readonly number[] | null, maxLayers: Iterable<readonly [number, number]>, now: number): void {
    this.#ssrcs = ssrcs;
    this.#maxLayers = new Map(maxLayers);
    this.#changed(now);
  }

  override carryOver(old: Room): void {
    const before = old.feature(Subscriptions);
    this.#ssrcs = before.#ssrcs;
    this.#maxLayers = before.#maxLayers;
  }

  override published(now: number): void {
    this.#sent = ALL;
    this.#sentAt = -Infinity;
    this.#changed(now);
  }

  override streams(streams: readonly HandleStream[], now: number): void {
    this.#listed = streams;
    this.#changed(now);
  }

  override lost(): void {
    this.#sent = null;
    this.#listed = [];
  }

  override tick(now: number): void {
    const later = this.room.hasMedia && this.room.membership.policy.sixteen ? loadedLater() : null;
    if (later !== null && (this.#audible ??= new later.Audible(this.room)).choose(now)) this.#changed(now);
    else this.#send(now);
  }

  #changed(now: number): void {
    this.#wanted = this.#request();
    this.#send(now);
  }

  #send(now: number): void {
    if (this.#sent === null || now - this.#sentAt < GAP || same(this.#wanted, this.#sent)) return;
    this.#sent = this.#wanted;
    this.#sentAt = now;
    this.room.send(this.#wanted);
  }

  #request(): Subscribe {
    let ssrcs = this.#audible?.chosen ? this.#audible.ssrcs(this.#listed, this.#ssrcs) : this.#ssrcs;
    if (ssrcs === null) {
      // Layers need a list of streams; without a stream that is limited, null is enough.
      const small = this.#listed.some(({ ssrc, layers }) => layers > 0 && this.#maxLayer(ssrc) < LARGEST);
      if (!small || this.#listed.length > SUBSCRIBE_MAX) return ALL;
      ssrcs = this.#listed.map(({ ssrc }) => ssrc);
    }
    const wanted = [...new Set(ssrcs)]; // a server may list one twice
    const maxLayers = wanted.map((ssrc) => this.#maxLayer(ssrc));
    const limited = maxLayers.some((layer) => layer < LARGEST);
    return { type: "subscribe", ssrcs: wanted, max_layers: limited ? maxLayers : [] };
  }

  #maxLayer(ssrc: number): number {
    return this.#maxLayers.get(ssrc) ?? LARGEST;
  }
}

const same = (one: Subscribe, other: Subscribe): boolean =>
  String(one.ssrcs) === String(other.ssrcs) && // "null", or the numbers
  (one.ssrcs === null) === (other.ssrcs === null) &&
  String(one.max_layers) === String(other.max_layers);
