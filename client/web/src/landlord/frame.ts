/** One frame as the server relays it: reassembled from its packets, and analysed. */
import { concat, type Bytes } from "../crypto/bytes";

/** The clear fields of an RTP packet (RFC 3550 5.1). */
export interface Header {
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly payloadType: number;
  readonly marker: boolean;
}

export interface Frame {
  readonly kind: "audio" | "video";
  readonly headers: readonly Header[];
  /** The concatenated payloads; for VP8, without their payload descriptors (RFC 7741 4.2). */
  readonly payload: Bytes;
  /** Total bytes of all packets. */
  readonly size: number;
}

/** Return the frame in these packets; null if any of them is malformed. */
export function frameOf(kind: Frame["kind"], packets: readonly Bytes[]): Frame | null {
  const headers: Header[] = [];
  const parts: Bytes[] = [];
  for (const packet of packets) {
    const payload = payloadOf(packet);
    const part = payload === null || kind === "audio" ? payload : behindDescriptor(payload);
    if (part === null) return null;
    headers.push(headerOf(packet));
    parts.push(part);
  }
  if (headers.length === 0) return null;
  return { kind, headers, payload: concat(...parts), size: packets.reduce((sum, packet) => sum + packet.length, 0) };
}

const headerOf = (packet: Bytes): Header => {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  return {
    marker: view.getUint8(1) > 127,
    payloadType: view.getUint8(1) & 127,
    sequence: view.getUint16(2),
    timestamp: view.getUint32(4),
    ssrc: view.getUint32(8),
  };
};

function payloadOf(packet: Bytes): Bytes | null {
  const first = packet[0] ?? 0;
  let start = 12 + 4 * (first & 15);
  if (packet.length < 12 || first >> 6 !== 2) return null;
  if (first & 16) start += 4 + 4 * (((packet[start + 2] ?? 0) << 8) | (packet[start + 3] ?? 0));
  const end = packet.length - (first & 32 ? (packet.at(-1) ?? 0) : 0);
  return start < end ? packet.slice(start, end) : null;
}

function behindDescriptor(payload: Bytes): Bytes | null {
  const [first = 0, more = 0] = payload;
  let at = 1;
  if (first & 128) {
    at = 2;
    if (more & 128) at += (payload[at] ?? 0) & 128 ? 2 : 1;
    if (more & 64) at++;
    if (more & 48) at++;
  }
  return at < payload.length ? payload.slice(at) : null;
}

/** Return the entropy in bits a byte, 0 (all bytes equal) to 8; for so few random bytes, a little less than 8. */
export function entropy(bytes: Bytes): number {
  const counts = new Map<number, number>();
  for (const byte of bytes) counts.set(byte, (counts.get(byte) ?? 0) + 1);
  let sum = 0;
  for (const count of counts.values()) sum -= (count / bytes.length) * Math.log2(count / bytes.length);
  return sum + 0; // no -0
}

/** Return the mean `entropy` of `length` random bytes, for comparison. */
export function entropyOfNoise(length: number): number {
  if (length === 0) return 0;
  // exact: the expected plug-in entropy of `length` uniform draws of 256 values, by the binomial of one value's count
  let expected = 0;
  let log = length * Math.log(255 / 256); // of P(count = 0)
  for (let count = 1; count <= length; count++) {
    log += Math.log((length - count + 1) / count) - Math.log(255);
    const chance = Math.exp(log);
    expected -= 256 * chance * (count / length) * Math.log2(count / length);
    if (count > length / 256 && chance < 1e-12) break;
  }
  return expected;
}
