/**
 * The clear header before a sealed frame, which lets codec packetizers carry the frame.
 *
 * Opus needs none. VP8 packetizers and browsers inspect the frame header (RFC 6386 section 9.1). They get a
 * constant fake header, of a 16x16 key frame or of a delta frame. It hides the real resolution, and a decoder
 * without the key has nothing to decode. The server can distinguish key frames from delta frames, and learns
 * nothing else.
 *
 * The clear header is SFrame metadata, so it is authenticated with the frame.
 */

import { type Bytes, concat, same, unhex, utf8 } from "../bytes";
import { MalformedError } from "../errors";

export type Kind = "audio" | "video";

export const KEY_HEADER: Bytes = unhex("F0FFFF9D012A10001000");
export const DELTA_HEADER: Bytes = unhex("F1FFFF");
const NONE: Bytes = new Uint8Array(0);

/** Return whether a VP8 frame is a key frame (bit 0 of its first byte). MalformedError if it is empty. */
export function isKeyFrame(frame: Bytes): boolean {
  const first = frame[0];
  if (first === undefined) throw new MalformedError("the VP8 frame is empty");
  return (first & 1) === 0;
}

/** Return the clear header for the unsealed `frame`: 0, 3 or 10 bytes. */
export function headerFor(kind: Kind, frame: Bytes): Bytes {
  if (kind === "audio") return NONE;
  return isKeyFrame(frame) ? KEY_HEADER : DELTA_HEADER;
}

/** Return [clear header, SFrame ciphertext]. MalformedError unless the header is one of the constants. */
export function split(kind: Kind, data: Bytes): readonly [Bytes, Bytes] {
  if (kind === "audio") return [NONE, data];
  for (const header of [KEY_HEADER, DELTA_HEADER])
    if (same(data.subarray(0, header.length), header)) return [header, data.subarray(header.length)];
  throw new MalformedError("the video frame must have the constant clear header");
}

/** Return the SFrame metadata: one byte for the kind, then the clear header. */
export const metadata = (kind: Kind, header: Bytes): Bytes =>
  concat(utf8(kind === "audio" ? "a" : "v"), header);
