/**
 * Makes all audio packets the same size, whatever the encoder does, with Opus padding (RFC 6716 3.2.5).
 *
 * The packet sizes of a variable bitrate reveal the speaker and part of the speech. Chromium obeys `cbr=1`, with
 * padding of its own once it sends FEC. Firefox (153) does not: 3 bytes in silence, 40 to 130 in speech. So the worker
 * pads, and decoders skip the padding.
 */
import type { Bytes } from "../crypto/bytes";
import { AUDIO_PARTS, AUDIO_SIZE } from "../wire/limits";

/**
 * Return the same frames in a packet of the one size for their length. Null if the packet is larger, or does not hold 20
 * or 60 ms.
 */
export function padOpus(packet: Uint8Array): Bytes | null {
  const [toc = 1, count = 0] = packet;
  const mode = toc >> 3;
  let [at, end, frames] = [1, packet.length, 1];
  if ((toc & 3) !== 0) {
    // code 3, with a frame count: encoders use it for 60 ms, and for their own padding. No encoder uses 1 and 2
    if ((toc & 3) !== 3) return null;
    at = 2;
    frames = count & 0xbf;
    if ((count & 0x40) !== 0) {
      let length: number | undefined;
      do {
        length = packet[at++];
        end -= length === 255 ? 254 : (length ?? end);
      } while (length === 255);
    }
  }
  // frames have so many times 2.5 ms (RFC 6716 3.1)
  const units = mode < 12 ? ([4, 8, 16, 24][mode & 3] ?? 0) : mode < 16 ? 4 << (mode & 1) : 1 << (mode & 3);
  const parts = (units * (frames & 0x3f)) / 8;
  const size = parts * AUDIO_SIZE;
  if (at > end || (parts !== 1 && parts !== AUDIO_PARTS)) return null;
  if (packet.length === size) return new Uint8Array(packet);
  const body = packet.subarray(at, end); // and in front of frames of a variable bitrate, their lengths
  let rest = size - body.length - 2; // for the padding and its length
  if (rest < 0) return null;
  const padded = new Uint8Array(size);
  padded[0] = toc | 3; // code 3: a frame count follows
  padded[1] = frames;
  at = 2;
  if (rest > 0) {
    padded[1] |= 0x40;
    // each 255 stands for 254 bytes and another length byte
    for (; rest > 255; rest -= 255) padded[at++] = 255;
    padded[at++] = rest - 1;
  }
  padded.set(body, at);
  return padded;
}
