/**
 * Video in several layers: protection against replay when the server switches layers.
 *
 * Within a layer, counters prevent replay of older frames; between layers no counter does. The sender's lists do
 * (protocol section 10, decision 29): each list names the frames that all layers sealed in the same half second.
 */
import { ReplayError } from "../../crypto/errors";
import { baseStream, Stream } from "../../crypto/media/keys";
import { type FrameName, UnverifiedFrameError } from "../../crypto/media/signatures";
import { Feature } from "../kernel/feature";
import type { Change } from "../kernel/verdict";
import { Signing } from "./signing";

/**
 * Lists by which a frame may be older than the newest of another layer: the layers of one video frame are sealed in
 * sequence, and a list may end between two of them.
 */
const SLACK = 1;

/** The epoch, and the number of the list in it: rises with the time at which a frame was sealed. */
type ListPosition = readonly [epoch: number, list: number];

const later = (one: ListPosition, other: ListPosition): boolean =>
  one[0] > other[0] || (one[0] === other[0] && one[1] > other[1]);

/** Bounded by members times layers; a removed member's state is forgotten. */
export class SimulcastGuard extends Feature {
  /** By leaf, by announced stream, by layer: the place of the newest opened frame, a lower bound. */
  readonly #newest = new Map<number, Map<number, Map<number, ListPosition>>>();

  /**
   * ReplayError for a frame that was sealed before the newest frame of another layer.
   *
   * UnverifiedFrameError if lost lists make the order unknown: the next list will settle it.
   */
  override checkFrame(_ssrc: number, leaf: number, stream: number, frame: FrameName, _now: number): undefined {
    this.#compare(leaf, stream, frame);
  }

  override frameOpened(_ssrc: number, leaf: number, stream: number, frame: FrameName, _now: number): undefined {
    this.#compare(leaf, stream, frame); // another layer may have opened a newer frame meanwhile
    const [base, layer] = baseStream(stream);
    if (base !== Stream.VIDEO && base !== Stream.SCREEN_VIDEO) return;
    const [epoch, number] = this.room.feature(Signing).listedIn(leaf, stream, frame);
    if (number === null) return;
    const streams = this.#newest.get(leaf) ?? new Map<number, Map<number, ListPosition>>();
    this.#newest.set(leaf, streams);
    const shown = streams.get(base) ?? new Map<number, ListPosition>();
    streams.set(base, shown);
    const before = shown.get(layer);
    if (before === undefined || later([epoch, number], before)) shown.set(layer, [epoch, number]);
  }

  #compare(leaf: number, stream: number, frame: FrameName): void {
    const [base, layer] = baseStream(stream);
    let newest: ListPosition | null = null;
    for (const [each, at] of this.#newest.get(leaf)?.get(base) ?? [])
      if (each !== layer && (newest === null || later(at, newest))) newest = at;
    if (newest === null) return;
    const [epoch, number] = this.room.feature(Signing).listedIn(leaf, stream, frame);
    if (epoch === newest[0] && number === null)
      throw new UnverifiedFrameError("no list says how old the frame is");
    if (epoch < newest[0] || (epoch === newest[0] && (number ?? 0) < newest[1] - SLACK))
      throw new ReplayError("older than a frame of another layer");
  }

  override adopted(change: Change, _now: number): void {
    for (const { leaf } of change.removed) this.#newest.delete(leaf);
  }
}
