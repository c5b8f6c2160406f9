/**
 * Every packet of sound in one size, whatever the encoder does, by Opus's own padding (RFC 6716 3.2.5).
 *
 * Packet sizes of a variable bitrate tell who speaks, and something of what is said. Chromium keeps to `cbr=1` when it
 * is told to, with padding of its own once it sends FEC; Firefox (153) doesn't: 3 bytes in silence, 40 to 130 in
 * speech. So we pad, and decoders skip it.
 */
import type { Bytes } from "../crypto/bytes";

/** Bytes of a packet: 48 kbit/s at 20 ms, as the headless client's encoder makes them. */
export const SOUND_SIZE = 120;

/** The one frame in a packet; null if there is another number of them, or its length doesn't fit. */
function frameOf(packet: Uint8Array): Uint8Array | null {
  const [toc = 1, count] = packet;
  if ((toc & 3) === 0) return packet.subarray(1);
  // a number of frames follows: encoders pad so themselves, to keep to a constant bitrate
  if ((toc & 3) !== 3 || count === undefined || (count & 0x3f) !== 1) return null;
  let at = 2;
  let end = packet.length;
  if ((count & 0x40) !== 0) {
    let length: number | undefined;
    do {
      length = packet[at++];
      end -= length === 255 ? 254 : (length ?? end);
    } while (length === 255);
  }
  return at <= end ? packet.subarray(at, end) : null;
}

/**
 * The same frame in a packet of that size; null if it is larger, or isn't one frame by itself (no encoder that was
 * asked for 20 ms makes such a packet).
 */
export function padOpus(packet: Uint8Array, size: number = SOUND_SIZE): Bytes | null {
  const [toc] = packet;
  if (toc === undefined || packet.length > size) return null;
  if (packet.length === size) return new Uint8Array(packet);
  const frame = frameOf(packet);
  if (frame === null) return null;
  const padded = new Uint8Array(size);
  padded[0] = toc | 3; // a number of frames follows
  let rest = size - frame.length - 2; // for the padding and its length
  let at = 2;
  if (rest === 0) padded[1] = 1; // one frame
  else {
    padded[1] = 0x41; // one frame, and padding
    // each 255 stands for 254 bytes and a further length
    for (; rest > 255; rest -= 255) padded[at++] = 255;
    padded[at++] = rest - 1;
  }
  padded.set(frame, at);
  return padded;
}
