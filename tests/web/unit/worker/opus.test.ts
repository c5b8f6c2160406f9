import assert from "node:assert/strict";
import { test } from "node:test";
import { padOpus, SOUND_SIZE } from "../../../../client/web/src/worker/opus";

/** RFC 6716 3.2.5, read by hand: the frames of a packet. */
function frames(packet: Uint8Array): number[][] {
  const [toc = 0] = packet;
  if ((toc & 3) === 0) return [[...packet.subarray(1)]];
  assert.equal(toc & 3, 3);
  const count = packet[1] ?? 0;
  assert.equal(count & 0x80, 0, "constant bitrate");
  assert.equal(count & 0x3f, 1, "one frame");
  let at = 2;
  let padding = 0;
  if ((count & 0x40) !== 0)
    for (;;) {
      const length = packet[at++] ?? 0;
      padding += length === 255 ? 254 : length;
      if (length !== 255) break;
    }
  const body = packet.subarray(at, packet.length - padding);
  assert.ok(packet.length - padding >= at);
  assert.ok(packet.subarray(packet.length - padding).every((byte) => byte === 0));
  return [[...body]];
}

test("a padded packet has the wanted size and the same frame and configuration in it", () => {
  for (const size of [3, 50, SOUND_SIZE, 255, 256, 257, 258, 259, 260, 300, 511, 512, 513, 514, 515, 900])
    for (let length = 1; length <= size; length += length < 12 || length > size - 12 ? 1 : 37) {
      const packet = Uint8Array.from({ length }, (_, i) => (i === 0 ? 0xf8 : (i * 7) & 0xff));
      const padded = padOpus(packet, size);
      assert.ok(padded !== null, `${length} to ${size}`);
      assert.equal(padded.length, size);
      assert.equal((padded[0] ?? 0) >> 2, 0xf8 >> 2);
      assert.deepEqual(frames(padded), [[...packet.subarray(1)]], `${length} to ${size}`);
    }
});

test("packets that an encoder padded itself are padded further, or less", () => {
  for (const inner of [60, 70, 119, 300])
    for (const length of [1, 2, 40, 50]) {
      const packet = Uint8Array.from({ length }, (_, i) => (i === 0 ? 0x48 : (i * 7) & 0xff));
      const once = padOpus(packet, inner);
      const again = once && padOpus(once, 400);
      assert.equal(again?.length, 400);
      assert.deepEqual(again && frames(again), [[...packet.subarray(1)]], `${length} in ${inner}`);
    }
  // one frame without padding, as that number says it
  assert.deepEqual(frames(padOpus(Uint8Array.of(0x4b, 1, 9, 8), 20) ?? new Uint8Array()), [[9, 8]]);
  assert.deepEqual(frames(padOpus(Uint8Array.of(0x4b, 0x81, 9, 8), 20) ?? new Uint8Array()), [[9, 8]]);
});

test("packets that are too large, empty, or of several frames are not padded", () => {
  assert.equal(padOpus(new Uint8Array(0)), null);
  assert.equal(padOpus(new Uint8Array(SOUND_SIZE + 1).fill(0x78)), null);
  for (const code of [1, 2]) assert.equal(padOpus(Uint8Array.of(0x78 | code, 1, 2)), null);
  for (const count of [0, 2, 0x41, 0x42, 0x81 + 1]) assert.equal(padOpus(Uint8Array.of(0x7b, count, 2)), null, String(count));
  assert.equal(padOpus(Uint8Array.of(0x7b)), null);
  assert.equal(padOpus(Uint8Array.of(0x7b, 0x41, 255, 255)), null, "a length that goes on beyond the end");
  // of the right size already: whatever it is, it tells nothing
  assert.equal(padOpus(new Uint8Array(SOUND_SIZE).fill(0x7b))?.length, SOUND_SIZE);
});
