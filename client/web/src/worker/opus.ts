/**
 * Every packet of sound in one size, whatever the encoder does, by Opus's own padding (RFC 6716 3.2.5).
 *
 * Packet sizes of a variable bitrate tell who speaks, and something of what is said. Chromium keeps to `cbr=1` when it
 * is told to; Firefox (153) doesn't: 3 bytes in silence, 40 to 130 in speech. So we pad, and decoders skip it.
 */
import type { Bytes } from "../crypto/bytes";

/** Bytes of a packet: 48 kbit/s at 20 ms, as the headless client's encoder makes them. */
export const SOUND_SIZE = 120;

/**
 * The same frame in a packet of that size; null if it is larger, or isn't one frame by itself (no encoder that was
 * asked for 20 ms makes such a packet).
 */
export function padOpus(packet: Uint8Array, size: number = SOUND_SIZE): Bytes | null {
  const [toc] = packet;
  if (toc === undefined || packet.length > size) return null;
  if (packet.length === size) return new Uint8Array(packet);
  if ((toc & 3) !== 0) return null;
  const padded = new Uint8Array(size);
  padded[0] = toc | 3; // a number of frames follows
  let rest = size - packet.length - 1; // for the padding and its length
  let at = 2;
  if (rest === 0) padded[1] = 1; // one frame
  else {
    padded[1] = 0x41; // one frame, and padding
    // each 255 stands for 254 bytes and a further length
    for (; rest > 255; rest -= 255) padded[at++] = 255;
    padded[at++] = rest - 1;
  }
  padded.set(packet.subarray(1), at);
  return padded;
}
