/** In which sizes pictures of ours are sent, and how large they may become. */

/** One size: the picture divided by `scaleResolutionDownBy`, in bits and pictures a second. */
export interface Encoding {
  readonly active: boolean;
  readonly scaleResolutionDownBy: number;
  readonly maxBitrate: number;
  readonly maxFramerate: number;
  /** No temporal layers: receivers take no stream of which pictures are left out (`worker/frames.ts`). */
  readonly scalabilityMode: "L1T1";
}

/** Fewer cores than this, and a machine sends a smaller picture, in two sizes instead of three. */
export const STRONG = 4;
/** From these heights on (pixels) a picture is worth sending in three sizes, and in two. */
export const THREE = 540;
export const TWO = 270;
/** Bits a second from the largest size down: of a picture of three sizes, and of a smaller one. */
const LARGE = [1_400_000, 450_000, 120_000];
const SMALL = [500_000, 150_000, 80_000];
const SCREEN = 1_500_000;

/** How large a camera's picture is asked for, and in how many sizes it is sent at most. */
export const cameraOf = (cores: number): { readonly width: number; readonly height: number; readonly layers: number } =>
  cores >= STRONG ? { width: 1280, height: 720, layers: 3 } : { width: 640, height: 360, layers: 2 };

/**
 * The encodings of a stream of pictures, from the smallest, of a picture that is `height` pixels tall (null: not known).
 * `layers`: how many there are (1 to 3). Each is twice the one before; those that it is too small for aren't sent:
 * Chromium would leave the largest ones away, and nobody would get the whole picture. A screen is text: few pictures.
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
