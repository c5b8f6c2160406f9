/** Selects the large tile: pure. */
import type { Tile } from "../../model";

export interface Wish {
  readonly pinned: string | null;
  readonly layout: "grid" | "speaker";
  readonly speaker: number | null;
  readonly lastSpeaker: number | null;
}

/**
 * Return the id of the large tile; null: all tiles are alike. The person's choice comes first, then a shared screen
 * (the newest of the others, or our own), then the speaker. Our own camera is large only by choice.
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

/**
 * Return the other's tile where two people talk and nobody shares a screen; null in any other room, and where the
 * person chose to see their own camera large.
 */
export function otherOfTwo(tiles: readonly Tile[], pinned: string | null): Tile | null {
  const own = tiles.find(({ self }) => self);
  if (own === undefined || own.id === pinned || tiles.length !== 2 || tiles.some(({ kind }) => kind === "screen")) return null;
  return tiles.find(({ self }) => !self) ?? null;
}

/** Return a tile's priority where not all fit: screens, then the speaker, a raised hand, oneself, and video. */
export function weigh(tile: Tile, wish: Wish): number {
  if (tile.kind === "screen") return 16;
  if (tile.leaf === wish.speaker || tile.leaf === wish.lastSpeaker) return 8;
  return (tile.hand === null ? 0 : 4) + (tile.self ? 2 : 0) + (tile.picture === null ? 0 : 1);
}
