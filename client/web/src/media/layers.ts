/** The simulcast layers of our video, and the maximum bitrate and frame rate of each. */

/** One layer: the video divided by `scaleResolutionDownBy`, with a limit in bits a second and in frames a second. */
export interface Encoding {
  readonly active: boolean;
  readonly scaleResolutionDownBy: number;
  readonly maxBitrate: number;
  readonly maxFramerate: number;
  /** No temporal layers: a receiver waits for every frame of a stream (`worker/frames.ts`). */
  readonly scalabilityMode: "L1T1";
}

/** A machine with fewer cores than this sends smaller video, in two layers instead of three. */
export const STRONG = 4;
/** Minimum height of video in pixels for three layers, and for two. */
export const THREE = 540;
export const TWO = 270;
/** Maximum bits a second of each layer, largest first: of video with three layers, and of smaller video. */
const LARGE = [1_400_000, 450_000, 120_000];
const SMALL = [500_000, 150_000, 80_000];
const SCREEN = 1_500_000;

/** Return the requested width and height of the camera's video in pixels, and the maximum number of layers. */
export const cameraOf = (cores: number): { readonly width: number; readonly height: number; readonly layers: number } =>
  cores >= STRONG ? { width: 1280, height: 720, layers: 3 } : { width: 640, height: 360, layers: 2 };

/**
 * Return the encodings of a video stream, smallest first, for video of `height` pixels (null: unknown). `layers`: their
 * number, 1 to 3. Each layer has twice the width and height of the one before. Layers beyond the number that the height
 * allows are inactive: Chromium would otherwise drop the largest ones, and nobody would receive the full size. A screen
 * is mostly text, so its frame rate is low.
 */
export function encodingsOf(stream: number, layers: number, height: number | null): readonly Encoding[] {
  const tall = height ?? THREE;
  const useful = Math.min(layers, tall >= THREE ? 3 : tall >= TWO ? 2 : 1);
  const rates = tall >= THREE ? LARGE : SMALL;
  return Array.from({ length: layers }, (_, layer) => {
    const halvings = Math.max(0, useful - 1 - layer);
    return {
      active: layer < useful,
      scaleResolutionDownBy: 2 ** halvings,
      maxBitrate: stream === 3 ? SCREEN : (rates[halvings] ?? SCREEN),
      maxFramerate: stream === 3 ? 15 : 30,
      scalabilityMode: "L1T1",
    };
  });
}
