import assert from "node:assert/strict";
import { test } from "node:test";
import { EarlyBlobs } from "../../../../client/web/src/session/kernel/early";

const bytes = (...values: readonly number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);

test("number, bytes and time are bounded, and what is dropped is counted", () => {
  const blobs = new EarlyBlobs({ most: 4, size: 100, seconds: 10 });
  for (let n = 0; n < 6; n++) blobs.add(bytes(n), n);
  assert.deepEqual(blobs.take(6), [[bytes(2), bytes(3), bytes(4), bytes(5)], 2]);
  blobs.add(new Uint8Array(60), 7);
  blobs.add(new Uint8Array(41), 8);
  assert.deepEqual(blobs.take(9), [[new Uint8Array(41)], 1]);
  blobs.add(bytes(1), 10);
  blobs.add(bytes(2), 11);
  assert.deepEqual(blobs.take(20.5), [[bytes(2)], 1]);
  assert.deepEqual(blobs.take(21), [[], 0]);
  assert.equal(blobs.length, 0);
});
