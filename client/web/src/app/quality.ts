/** The quality of tiles, and why a video is no sharper: pure. */
import type { StreamCount } from "../worker/messages";
import type { StreamRate } from "./mediaSide";
import type { Quality, Tile, Why } from "./model";

/** What is known of the last second. */
export interface Measured {
  readonly rates: readonly StreamRate[];
  readonly counts: readonly StreamCount[];
  /** The largest useful layer at the size of its tile, by SSRC. */
  readonly useful: ReadonlyMap<number, number>;
  readonly dataSaver: boolean;
}

/** Return the quality of a tile's streams. */
export function qualityOf(tile: Tile, { rates, counts, useful, dataSaver }: Measured): Quality {
  const [sound, picture] = tile.kind === "camera" ? [0, 1] : [2, 3];
  const of = (stream: number): StreamRate[] => rates.filter((rate) => rate.leaf === tile.leaf && rate.stream === stream);
  const video = of(picture);
  const both = [...of(sound), ...video];
  const none = both.length === 0;
  // of our own layers the largest, which is what we see
  const largest = video.reduce<StreamRate | null>((most, each) => (each.height > (most?.height ?? 0) ? each : most), null);
  const count = counts.findLast(({ leaf, stream }) => leaf === tile.leaf && stream === picture);
  const layers = largest?.layers ?? 1;
  const layer = tile.self || count === undefined || layers < 2 ? null : count.layer;
  return {
    tile,
    bits: none ? null : both.reduce((sum, { bits }) => sum + bits, 0),
    loss: none ? null : Math.max(...both.map((rate) => rate.loss)),
    video: largest,
    layer,
    layers,
    why: tile.pictureState !== "live" ? null : tile.self ? ownWhy(video) : whyOf(layer, layers, useful.get(count?.ssrc ?? 0), dataSaver),
  };
}

function ownWhy(video: readonly StreamRate[]): Why {
  const limits = new Set(video.map(({ limit }) => limit));
  return limits.has("cpu") ? "cpu" : limits.has("bandwidth") ? "uplink" : "own";
}

function whyOf(layer: number | null, layers: number, useful: number | undefined, dataSaver: boolean): Why {
  if (layer === null || layer >= layers - 1) return "sharpest";
  const wanted = Math.min(useful ?? layers - 1, layers - 1);
  const asked = Math.max(0, wanted - (dataSaver ? 1 : 0));
  return layer < asked ? "network" : asked < wanted ? "saver" : "tile";
}
