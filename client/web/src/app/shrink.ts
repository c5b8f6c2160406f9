/**
 * Images for the chat: decoded and encoded anew on this device, until they fit into a message.
 *
 * Only the pixels survive that. The place, the time and the preview that a camera writes into a file do not.
 */
import { imageSize } from "../session/features/imageSize";
import type { Bytes } from "../crypto/bytes";
import { CONTENT_IMAGE_MAX, CONTENT_IMAGE_PIXELS_MAX } from "../wire/limits";

/** Maximum length of the longer side, in pixels. */
const SIDE_MAX = 2048;
/** Maximum pixels of an image that is decoded here: half a gigabyte of memory. */
const DECODED_MAX = 2 ** 27;
const QUALITY = 0.75;

export interface Shrunk {
  readonly data: Bytes;
  readonly mime: string;
  /** Whether each pixel is as it was. */
  readonly exact: boolean;
}

/** Return an image that others may be sent; null if this file cannot become one. */
export async function shrink(file: File): Promise<Shrunk | null> {
  try {
    const data = new Uint8Array(await file.arrayBuffer());
    const [width, height] = imageSize(data) ?? [0, 0];
    const pixels = width * height;
    if (pixels > DECODED_MAX) return null;
    if (file.type === "image/gif") {
      // it may move, which an image that is encoded here would not
      const fits = pixels > 0 && pixels <= CONTENT_IMAGE_PIXELS_MAX && data.length <= CONTENT_IMAGE_MAX;
      return fits ? { data, mime: file.type, exact: true } : null;
    }
    const picture = await decoded(file);
    // drawings and screenshots stay exact, if there is a chance
    const drawn = file.type === "image/png" && data.length <= 2 * CONTENT_IMAGE_MAX;
    return honest() ? await fitting(picture, drawn ? "image/png" : "image/webp") : null;
  } catch {
    return null; // the browser can't read or decode it
  }
}

/** Return the image, upright. (Firefox decodes some files as an image that it refuses to make a bitmap of.) */
async function decoded(file: File): Promise<HTMLImageElement> {
  const picture = new Image();
  picture.src = URL.createObjectURL(file);
  try {
    await picture.decode();
  } finally {
    URL.revokeObjectURL(picture.src);
  }
  return picture;
}

async function fitting(picture: HTMLImageElement, first: string): Promise<Shrunk> {
  const whole = Math.max(picture.naturalWidth, picture.naturalHeight);
  let side = Math.min(whole, SIDE_MAX);
  for (let type = first; ; type = "image/webp") {
    const blob = await encoded(picture, side / whole, type);
    // a browser without WebP gives PNG
    if (blob.size <= CONTENT_IMAGE_MAX) {
      const exact = side === whole && blob.type === "image/png";
      return { data: new Uint8Array(await blob.arrayBuffer()), mime: blob.type, exact };
    }
    if (type !== "image/png") side = Math.floor(side * Math.min(0.9, Math.sqrt(CONTENT_IMAGE_MAX / blob.size)));
  }
}

function encoded(picture: HTMLImageElement, scale: number, type: string): Promise<Blob> {
  const [width, height] = [picture.naturalWidth, picture.naturalHeight].map((pixels) => Math.max(1, Math.round(pixels * scale)));
  const canvas = new OffscreenCanvas(width ?? 1, height ?? 1);
  const ink = ink2d(canvas);
  ink.imageSmoothingQuality = "high";
  ink.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type, quality: QUALITY });
}

/** Whether a canvas gives back what was drawn: a browser that resists fingerprinting gives noise instead. */
function honest(): boolean {
  const ink = ink2d(new OffscreenCanvas(4, 4));
  ink.fillStyle = "#0080ff";
  ink.fillRect(0, 0, 4, 4);
  const [red = 255, green = 0, blue = 0] = ink.getImageData(1, 1, 1, 1).data;
  return red < 16 && Math.abs(green - 128) < 16 && blue > 240;
}

function ink2d(canvas: OffscreenCanvas): OffscreenCanvasRenderingContext2D {
  const ink = canvas.getContext("2d");
  if (ink === null) throw new Error("no canvas");
  return ink;
}
