/**
 * The size of an image in pixels, from the headers of PNG, JPEG, WebP and GIF. Nothing here decodes an image.
 *
 * A file of a few kilobytes can claim gigabytes of pixels, and viewers allocate them before they find out.
 */
import type { Bytes } from "../../crypto/bytes";

type Size = readonly [number, number];

/** Return width and height, the largest that any of the headers claims; null without a readable header. */
export function imageSize(data: Bytes): Size | null {
  const start = String.fromCharCode(...data.subarray(0, 12));
  let sizes: Iterable<Size> = [];
  if (start.startsWith("\x89PNG\r\n\x1a\n")) sizes = png(data);
  else if (start.startsWith("\xff\xd8")) sizes = jpeg(data);
  else if (start.startsWith("RIFF") && start.startsWith("WEBP", 8)) sizes = webp(data);
  else if (start.startsWith("GIF87a") || start.startsWith("GIF89a")) sizes = gif(data);
  let found: Size = [0, 0];
  for (const size of sizes) if (size[0] * size[1] > found[0] * found[1]) found = size;
  return found[0] * found[1] > 0 ? found : null;
}

const byte = (data: Bytes, at: number): number => data[at] ?? 0;

function big(data: Bytes, at: number, size: number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + byte(data, at + i);
  return value;
}

function little(data: Bytes, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + byte(data, at + i);
  return value;
}

const name = (data: Bytes, at: number): string => String.fromCharCode(...data.subarray(at, at + 4));

function* png(data: Bytes): Iterable<Size> {
  if (data.length >= 24 && name(data, 12) === "IHDR") yield [big(data, 16, 4), big(data, 20, 4)];
}

/** Whether a JPEG marker has no segment behind it (ITU-T T.81, table B.1): TEM and RST0 to RST7. */
const isAlone = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker < 0xd8);

/** Whether a JPEG marker is a frame header's, SOF0 to SOF15: DHT, JPG and DAC lie between them. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker < 0xd0 && ![0xc4, 0xc8, 0xcc].includes(marker);

function* jpeg(data: Bytes): Iterable<Size> {
  let at = 2;
  // decoders skip everything up to the next marker, and fill bytes before it
  while ((at = data.indexOf(0xff, at)) >= 0 && at + 9 <= data.length) {
    const marker = byte(data, at + 1);
    if (marker === 0x00 || marker === 0xff || isAlone(marker)) {
      at++;
      continue;
    }
    if (marker === 0xd9 || marker === 0xda) return;
    if (isFrame(marker)) yield [big(data, at + 7, 2), big(data, at + 5, 2)];
    at += 2 + big(data, at + 2, 2);
  }
}

function* webp(data: Bytes): Iterable<Size> {
  let at = 12;
  while (at + 18 <= data.length) {
    const kind = name(data, at);
    const body = at + 8;
    if (kind === "VP8X") yield [little(data, body + 4, 3) + 1, little(data, body + 7, 3) + 1];
    else if (kind === "VP8 ") yield [little(data, body + 6, 2) & 0x3fff, little(data, body + 8, 2) & 0x3fff];
    else if (kind === "VP8L") {
      const bits = little(data, body + 1, 4);
      yield [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
    }
    const size = little(data, at + 4, 4);
    at = body + size + (size % 2);
  }
}

function* gif(data: Bytes): Iterable<Size> {
  if (data.length < 13) return;
  yield [little(data, 6, 2), little(data, 8, 2)];
  let at = 13 + gifColours(byte(data, 10));
  while (at + 10 <= data.length) {
    if (data[at] === 0x2c) {
      // viewers enlarge the canvas for a frame that is larger
      yield [little(data, at + 1, 2) + little(data, at + 5, 2), little(data, at + 3, 2) + little(data, at + 7, 2)];
      at = gifBlocks(data, at + 11 + gifColours(byte(data, at + 9)));
    } else if (data[at] === 0x21) at = gifBlocks(data, at + 2);
    else return;
  }
}

/** Return the bytes of the colour table that these flags announce. */
const gifColours = (flags: number): number => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);

/** Return the position after the sub-blocks that begin at `at`. */
function gifBlocks(data: Bytes, at: number): number {
  while (at < data.length && byte(data, at) > 0) at += 1 + byte(data, at);
  return at + 1;
}
