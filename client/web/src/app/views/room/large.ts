/** Which tile is shown large: pure. */
import type { Tile } from "../../model";

export interface Wish {
  readonly pinned: string | null;
  readonly layout: "grid" | "speaker";
  readonly speaker: number | null;
  readonly lastSpeaker: number | null;
}

/**
 * The id of the tile that has the large place; null: all are alike. What the person has chosen comes first, then
 * a screen that somebody shares (the newest), then who speaks. Nobody is shown large to themselves.
 */
export function largeTile(tiles: readonly Tile[], wish: Wish): string | null {
  if (tiles.some((tile) => tile.id === wish.pinned)) return wish.pinned;
  const screen = tiles.findLast((tile) => tile.kind === "screen" && !tile.self) ?? tiles.find((tile) => tile.kind === "screen");
  if (screen !== undefined) return screen.id;
  if (wish.layout === "grid" || tiles.length < 2) return null;
  const others = tiles.filter((tile) => tile.kind === "camera" && !tile.self);
  const of = (leaf: number | null) => others.find((tile) => tile.leaf === leaf);
  return (of(wish.speaker) ?? of(wish.lastSpeaker) ?? others[0])?.id ?? null;
}

/** Who is shown where there is no place for all: the large first, then who speaks, has a hand up, or a picture. */
export function weigh(tile: Tile, wish: Wish): number {
  if (tile.kind === "screen") return 16;
  if (tile.leaf === wish.speaker || tile.leaf === wish.lastSpeaker) return 8;
  return (tile.hand === null ? 0 : 4) + (tile.self ? 2 : 0) + (tile.picture === null ? 0 : 1);
}
