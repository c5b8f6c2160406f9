/**
 * Makes all audio packets the same size, whatever the encoder does, with Opus padding (RFC 6716 3.2.5).
 *
 * The packet sizes of a variable bitrate reveal the speaker and part of the speech. Chromium obeys `cbr=1`, with
 * padding of its own once it sends FEC. Firefox (153) does not: 3 bytes in silence, 40 to 130 in speech. So the worker
 * pads, and decoders skip the padding.
 */
import type { Bytes } from "../crypto/bytes";

/** Bytes of a packet: 48 kbit/s at 20 ms, as in the headless client's encoder. */
export const SOUND_SIZE = 120;

/** Return the only frame of a packet; null if the number of frames differs from one, or a length does not fit. */
function frameOf(packet: Uint8Array): Uint8Array | null {
  const [toc = 1, count] = packet;
  if ((toc & 3) === 0) return packet.subarray(1);
  // code 3, with a frame count: encoders use it for their own padding, to keep a constant bitrate
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
 * Return the same frame in a packet of `size` bytes. Null if the packet is larger, or does not hold exactly one frame
 * (no encoder makes such a packet at 20 ms).
 */
export function padOpus(packet: Uint8Array, size: number = SOUND_SIZE): Bytes | null {
  const [toc] = packet;
  if (toc === undefined || packet.length > size) return null;
  if (packet.length === size) return new Uint8Array(packet);
  const frame = frameOf(packet);
  if (frame === null) return null;
  const padded = new Uint8Array(size);
  padded[0] = toc | 3; // code 3: a frame count follows
  let rest = size - frame.length - 2; // for the padding and its length
  let at = 2;
  if (rest === 0) padded[1] = 1; // one frame
  else {
    padded[1] = 0x41; // one frame, and padding
    // each 255 stands for 254 bytes and another length byte
    for (; rest > 255; rest -= 255) padded[at++] = 255;
    padded[at++] = rest - 1;
  }
  padded.set(frame, at);
  return padded;
}
