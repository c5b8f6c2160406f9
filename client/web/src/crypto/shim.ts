/**
 * What must stay clear in front of a sealed frame, so that codecs' packetizers can carry it.
 *
 * Opus needs nothing. VP8's packetizers and browsers look at the frame header (RFC 6386 section 9.1): they
 * are given a constant fake one, of a 16x16 key frame or of a delta frame, which hides the real resolution
 * and gives a decoder without the key nothing to decode. The server can tell key frames from others, and no
 * more.
 *
 * The clear header is SFrame metadata, so it is authenticated with the frame.
 */

import { type Bytes, concat, same, unhex, utf8 } from "./bytes";
import { MalformedError } from "./errors";

export type Kind = "audio" | "video";

export const KEY_HEADER: Bytes = unhex("F0FFFF9D012A10001000");
export const DELTA_HEADER: Bytes = unhex("F1FFFF");
const NONE: Bytes = new Uint8Array(0);

/** Whether a VP8 frame is a key frame (bit 0 of its first byte); MalformedError when it is empty. */
export function isKeyFrame(frame: Bytes): boolean {
  const first = frame[0];
  if (first === undefined) throw new MalformedError("an empty VP8 frame");
  return (first & 1) === 0;
}

/** The clear header that goes in front of `frame` (not yet sealed): 0, 3 or 10 bytes. */
export function shimFor(kind: Kind, frame: Bytes): Bytes {
  if (kind === "audio") return NONE;
  return isKeyFrame(frame) ? KEY_HEADER : DELTA_HEADER;
}

/** [clear header, SFrame ciphertext]. MalformedError unless the header is exactly one of ours. */
export function split(kind: Kind, data: Bytes): readonly [Bytes, Bytes] {
  if (kind === "audio") return [NONE, data];
  for (const header of [KEY_HEADER, DELTA_HEADER])
    if (same(data.subarray(0, header.length), header)) return [header, data.subarray(header.length)];
  throw new MalformedError("a video frame without the constant clear header");
}

/** What SFrame authenticates beside the frame: one byte for the kind, and the clear header. */
export const metadata = (kind: Kind, header: Bytes): Bytes =>
  concat(utf8(kind === "audio" ? "a" : "v"), header);
