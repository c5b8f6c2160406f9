import assert from "node:assert/strict";
import { test } from "node:test";
import { cameraOf, encodingsOf, STRONG, THREE, TWO } from "../../../../client/web/src/media/layers";

const sizes = (stream: number, layers: number, height: number | null): unknown =>
  encodingsOf(stream, layers, height).map(({ active, scaleResolutionDownBy: by, maxBitrate: rate }) => (active ? [by, rate / 1000] : null));

test("a strong machine sends three layers of large video, a weak one two of smaller video", () => {
  assert.deepEqual(cameraOf(STRONG), { width: 1280, height: 720, layers: 3 });
  assert.deepEqual(cameraOf(STRONG - 1), { width: 640, height: 360, layers: 2 });
});

test("each layer is twice as large as the one before, and the largest has the full size", () => {
  assert.deepEqual(sizes(1, 3, 720), [[4, 120], [2, 450], [1, 1400]]);
  assert.deepEqual(sizes(1, 3, THREE), [[4, 120], [2, 450], [1, 1400]]);
  assert.deepEqual(sizes(1, 3, null), [[4, 120], [2, 450], [1, 1400]]);
  assert.deepEqual(sizes(1, 2, 360), [[2, 150], [1, 500]]);
  assert.deepEqual(sizes(1, 1, 360), [[1, 500]]);
});

test("video that is too small for a layer has fewer layers, and its full size", () => {
  assert.deepEqual(sizes(1, 3, THREE - 1), [[2, 150], [1, 500], null]);
  assert.deepEqual(sizes(1, 3, TWO - 1), [[1, 500], null, null]);
  assert.deepEqual(sizes(1, 2, TWO - 1), [[1, 500], null]);
});

test("a screen has one layer and a low frame rate", () => {
  assert.deepEqual(sizes(3, 1, 1080), [[1, 1500]]);
  assert.equal(encodingsOf(3, 1, 1080)[0]?.maxFramerate, 15);
});
