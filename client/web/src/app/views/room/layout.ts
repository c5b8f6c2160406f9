/**
 * The layout of tiles: pure arithmetic in CSS pixels. Nothing scrolls; tiles that do not fit are counted, and the count
 * is shown.
 */

/** Bounds for a tile's width divided by its height: cameras have these shapes, or are between them. */
const NARROWEST = 4 / 3;
const WIDEST = 16 / 9;
/** Maximum part of a camera's video that is cropped to fill its tile: 16:9 in a tile of 4:3, in whole pixels. */
const CROP_MAX = 0.26;
/** Smaller tiles would not show a recognisable face: fewer tiles are shown instead. */
const LEAST_WIDTH = 132;
const LEAST_HEIGHT = 92;
/** Maximum number of tiles shown at once. */
export const MOST_TILES = 49;
/** A narrower area belongs to a phone: at most two columns. */
const PHONE = 560;

export interface Grid {
  readonly columns: number;
  readonly rows: number;
  /** Size of each tile. */
  readonly width: number;
  readonly height: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const clampShape = (width: number, height: number): Size => {
  if (width > height * WIDEST) return { width: height * WIDEST, height };
  if (width < height * NARROWEST) return { width, height: width / NARROWEST };
  return { width, height };
};

/** Return whether a video fills its tile, with little of it cropped. Shapes are width by height; 0: unknown. */
export const fills = (video: number, tile: number): boolean =>
  video === 0 || Math.min(video / tile, tile / video) >= 1 - CROP_MAX;

/** Return the size of the own video, which floats over the other's: upright where the stage is, as phones' cameras are. */
export function floatSize(width: number, height: number): Size {
  const long = Math.round(Math.min(256, Math.max(144, Math.max(width, height) * 0.18)));
  return height > width ? { width: Math.round(long * 0.75), height: long } : { width: long, height: Math.round(long / WIDEST) };
}

/** Return the grid in which `count` equal tiles are largest; of similar grids, the one with the fewest empty places. */
export function grid(count: number, width: number, height: number, gap: number): Grid {
  let best: Grid = { columns: 1, rows: Math.max(1, count), width: 0, height: 0 };
  let bestArea = -1;
  const most = width < PHONE ? 2 : count;
  for (let columns = 1; columns <= Math.max(1, Math.min(count, most)); columns += 1) {
    const rows = Math.ceil(count / columns);
    const shape = clampShape(
      Math.max(0, (width - gap * (columns - 1)) / columns),
      Math.max(0, (height - gap * (rows - 1)) / rows),
    );
    const area = shape.width * shape.height;
    const empty = columns * rows - count;
    const bestEmpty = best.columns * best.rows - count;
    // a slightly larger tile is not worth a hole in the last row
    if (area > bestArea * 1.02 || (area >= bestArea * 0.98 && empty < bestEmpty)) {
      best = { columns, rows, width: Math.floor(shape.width), height: Math.floor(shape.height) };
      bestArea = area;
    }
  }
  return best;
}

/** Return how many of `count` tiles fit at a useful size; at least one. */
export function capacity(count: number, width: number, height: number, gap: number): number {
  let shown = Math.min(count, MOST_TILES);
  while (shown > 1) {
    const each = grid(shown, width, height, gap);
    if (each.width >= LEAST_WIDTH && each.height >= LEAST_HEIGHT) break;
    shown -= 1;
  }
  return Math.max(1, shown);
}

export interface Speaker {
  /** Size of the area for the large tile. */
  readonly width: number;
  readonly height: number;
  /** Position of the other tiles: beside the large one, or below it. */
  readonly strip: "beside" | "below";
  /** Number and size of the other tiles shown. */
  readonly shown: number;
  readonly each: { readonly width: number; readonly height: number };
}

/** Return the layout of one large tile and a strip of `others`, beside it if that leaves it larger. */
export function speakerLayout(others: number, width: number, height: number, gap: number): Speaker {
  if (others === 0) return { width, height, strip: "beside", shown: 0, each: { width: 0, height: 0 } };
  const besideWidth = Math.round(Math.min(240, Math.max(LEAST_WIDTH, width * 0.17)));
  const belowHeight = Math.round(Math.min(150, Math.max(LEAST_HEIGHT, height * 0.17)));
  const picture = (w: number, h: number): number => Math.min(w, h * WIDEST) * Math.min(h, w / WIDEST);
  const beside = picture(width - besideWidth - gap, height) >= picture(width, height - belowHeight - gap);
  const each = beside
    ? { width: besideWidth, height: Math.round(besideWidth / WIDEST) }
    : width < PHONE
      ? { width: Math.floor((width - 2 * gap) / 3), height: Math.min(belowHeight, Math.round(width / 4)) }
      : { width: Math.round(belowHeight * WIDEST), height: belowHeight };
  const [length, one] = beside ? [height, each.height] : [width, each.width];
  return {
    width: beside ? width - besideWidth - gap : width,
    height: beside ? height : height - each.height - gap,
    strip: beside ? "beside" : "below",
    shown: Math.max(1, Math.min(others, Math.floor((length + gap) / (one + gap)))),
    each,
  };
}

/**
 * Return the tiles of `all` that are shown in `places`, in their order: a change of speaker does not move the other
 * tiles. The last place shows how many more there are, so with too many tiles one fewer is shown.
 */
export function visible<T extends { readonly id: string }>(
  all: readonly T[],
  places: number,
  weight: (tile: T) => number,
): { readonly shown: readonly T[]; readonly more: number } {
  if (all.length <= places) return { shown: all, more: 0 };
  const count = Math.max(1, places - 1);
  const ranked = all
    .map((tile, place) => ({ tile, place, weight: weight(tile) }))
    .sort((a, b) => b.weight - a.weight || a.place - b.place)
    .slice(0, count);
  const chosen = new Set(ranked.map((entry) => entry.tile.id));
  return { shown: all.filter((tile) => chosen.has(tile.id)), more: all.length - count };
}
