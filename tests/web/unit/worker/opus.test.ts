import assert from "node:assert/strict";
import { test } from "node:test";
import { AUDIO_SIZE } from "../../../../client/web/src/wire/limits";
import { padOpus } from "../../../../client/web/src/worker/opus";

/** Of hybrid packets with frames of 20 ms, of CELT with 2.5 ms, and of SILK with 20 and 60 ms: the first byte. */
const [HYBRID, CELT, SILK, SILK_60] = [0x78, 0xe0, 0x48, 0x58];
/** Bytes of packets of 60 ms. */
const LONG = 360;

/** RFC 6716 3.2.5, read by hand: the frames of a padded packet, in one piece, and their number as it says it. */
function read(packet: Uint8Array | null): { count: number; frames: number[] } {
  assert.ok(packet !== null);
  const [toc = 0, count = 0] = packet;
  if ((toc & 3) === 0) return { count: 1, frames: [...packet.subarray(1)] };
  assert.equal(toc & 3, 3);
  let at = 2;
  let padding = 0;
  if ((count & 0x40) !== 0)
    for (;;) {
      const length = packet[at++] ?? 0;
      padding += length === 255 ? 254 : length;
      if (length !== 255) break;
    }
  assert.ok(packet.length - padding >= at);
  assert.ok(packet.subarray(packet.length - padding).every((byte) => byte === 0));
  return { count: count & 0xbf, frames: [...packet.subarray(at, packet.length - padding)] };
}

const body = (length: number): number[] => Array.from({ length }, (_, i) => 1 + ((i * 7) & 0x7f));
const packet = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes);

test("a padded packet has the one size and the same frame and configuration in it", () => {
  for (const [toc, size] of [[HYBRID, AUDIO_SIZE], [SILK, AUDIO_SIZE], [SILK_60, LONG]] as const)
    for (let length = 0; length < size; length++) {
      const padded = padOpus(packet(toc, ...body(length)));
      assert.equal(padded?.length, size, String(length));
      assert.equal((padded?.[0] ?? 0) >> 2, toc >> 2);
      assert.deepEqual(read(padded), { count: 1, frames: body(length) }, String(length));
    }
});

test("packets of several frames are padded by their length: 20 ms, or 60 ms in a large room", () => {
  for (let length = 3; length < LONG - 2; length += 3)
    assert.deepEqual(read(padOpus(packet(HYBRID | 3, 3, ...body(length)))), { count: 3, frames: body(length) });
  // lengths of their own, as a variable bitrate has them: they stay in front of the frames
  assert.deepEqual(read(padOpus(packet(HYBRID | 3, 0x83, 2, 1, ...body(9)))), { count: 0x83, frames: [2, 1, ...body(9)] });
  assert.equal(padOpus(packet(HYBRID | 3, 3, ...body(9)))?.length, LONG);
  const eight = padOpus(packet(CELT | 3, 8, ...body(16)));
  assert.deepEqual([read(eight).count, eight?.length], [8, AUDIO_SIZE]);
});

test("packets that an encoder padded itself are padded further, or less", () => {
  for (const inner of [1, 20, 254, 255, 256, 300]) {
    const lengths = inner > 254 ? [255, inner - 254] : [inner];
    const bytes = packet(HYBRID | 3, 0x43, ...lengths, ...body(30), ...new Array<number>(inner).fill(0));
    if (lengths.length === 2) bytes[3] = inner - 254;
    const padded = padOpus(bytes);
    assert.deepEqual([read(padded), padded?.length], [{ count: 3, frames: body(30) }, LONG], String(inner));
    assert.deepEqual(padOpus(padded ?? bytes), padded);
  }
  // one frame without padding, as that number says it
  assert.deepEqual(read(padOpus(packet(SILK | 3, 1, 9, 8))).frames, [9, 8]);
});

test("packets that are too large, empty, or of another length in time are not padded", () => {
  assert.equal(padOpus(new Uint8Array(0)), null);
  assert.equal(padOpus(new Uint8Array(AUDIO_SIZE + 1).fill(HYBRID)), null);
  assert.equal(padOpus(packet(HYBRID | 3, 3, ...body(LONG))), null);
  assert.equal(padOpus(new Uint8Array(AUDIO_SIZE).fill(HYBRID))?.length, AUDIO_SIZE);
  for (const code of [1, 2]) assert.equal(padOpus(packet(HYBRID | code, 1, 2)), null, "of two frames");
  for (const count of [0, 2, 4, 0x42, 0x82]) assert.equal(padOpus(packet(HYBRID | 3, count, 1, 2)), null, String(count));
  // of the right size, and of another length: receivers would not know what it replaces
  assert.equal(padOpus(new Uint8Array(AUDIO_SIZE).fill(0x7b)), null);
  assert.equal(padOpus(packet(HYBRID | 3)), null);
  assert.equal(padOpus(packet(HYBRID | 3, 0x41, 255, 255)), null, "a length that goes on beyond the end");
});
