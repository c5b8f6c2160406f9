/** The landlord's window: its history, and the figures that it computes. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { entropy, entropyOfNoise, frameOf } from "../../../../client/web/src/landlord/frame";
import { bucketOf, History, SPAN } from "../../../../client/web/src/landlord/history";
import { MEASURED } from "../../../../client/web/src/landlord/measured";
import type { Now, Stream } from "../../../../client/web/src/landlord/now";

const bytes = (...values: number[]) => Uint8Array.from(values);

const stream = (over: Partial<Stream>): Stream => ({
  handle: "aa", room: "r", ssrc: 1, kind: "audio", packets: 0, receivers: 1, sizes: [100, 100], ...over,
});

function now(at: number, streams: readonly Stream[], room: object = {}): Now {
  const one = { number: "r", slot: 1, handles: ["aa", "bb"], seats: [], commits: [], relays: [], ...room };
  return { at, streams, sentences: [], disclosure: { rooms: [one], people: [], lobbies: [] } } as unknown as Now;
}

test("rates are what came between two looks", () => {
  const history = new History();
  history.take(now(10, [stream({ packets: 500 })]));
  deepEqual(history.points("aa"), [], "how long the first took isn't known");
  equal(history.pace("aa"), null);
  history.take(now(10.5, [stream({ packets: 525 }), stream({ ssrc: 2, kind: "video", packets: 5, sizes: [1000, 600] })]));
  // 25 of 100 bytes and 5 of 800 in half a second
  deepEqual(history.points("aa"), [{ at: 10.5, packets: 60, bytes: 5000 + 8000 }]);
  deepEqual(history.points("bb"), [{ at: 10.5, packets: 0, bytes: 0 }]);
  history.take(now(11.5, [stream({ packets: 525 })]));
  deepEqual(history.points("aa").at(-1), { at: 11.5, packets: 0, bytes: 0 });
  deepEqual(history.pace("aa"), { at: 11.5, packets: 30, bytes: 6500 });
  // an SSRC that is somebody else's now begins anew, and no rate is below nothing
  history.take(now(12.5, [stream({ handle: "bb", packets: 10 })]));
  equal(history.points("bb").at(-1)?.packets, 10);
  history.take(now(13.5, [stream({ handle: "bb", packets: 1 })]));
  equal(history.points("bb").at(-1)?.packets, 0);
  // the same look twice adds nothing
  history.take(now(13.5, [stream({ handle: "bb", packets: 1 })]));
  equal(history.points("bb").length, 4);
});

test("a minute is remembered, and nobody who has gone", () => {
  const history = new History();
  for (let at = 0; at <= 90; at += 0.5) history.take(now(at, []));
  equal(history.points("aa").length, 2 * SPAN + 1);
  history.take(now(91, [], { handles: ["bb"] }));
  deepEqual(history.points("aa"), []);
  // a server that was started anew has another clock
  history.take(now(3, []));
  deepEqual(history.points("bb"), []);
});

test("blobs are told by the server's age, or from when they were first seen", () => {
  const history = new History();
  history.take(now(100, [], { commits: [{ slot: 4, bytes: 2048, age: 30 }], relays: [{ relay: 1, bytes: 512 }] }));
  deepEqual(history.blobs().map(({ kind, at }) => [kind, at]), [["commit", 70]], "when what was there came isn't known");
  history.take(now(101, [], { commits: [{ slot: 4, bytes: 2048, age: 31 }], relays: [{ relay: 1, bytes: 512 }, { relay: 2, bytes: 1024 }] }));
  history.take(now(102, [], { relays: [{ relay: 2, bytes: 1024 }] }));
  deepEqual(history.blobs().map(({ kind, number, at }) => [kind, number, at]), [["commit", 4, 70], ["relay", 2, 101]]);
  // gone from the server, and a minute old
  history.take(now(131, []));
  deepEqual(history.blobs().map(({ kind }) => kind), ["relay"]);
  history.take(now(162, []));
  deepEqual(history.blobs(), []);
});

test("a blob stands in the row of the bucket that it fills", () => {
  deepEqual([1, 512, 513, 2048, 262_144, 1e9].map(bucketOf), [0, 0, 1, 2, 9, 9]);
});

const header = (first: number, sequence: number) => [first, 0x80 | 96, 0, sequence, 0, 0, 0, 7, 0, 0, 0, 9];

test("a frame is what its packets carry", () => {
  const descriptor = [0x90, 0x80, 0x81, 0x23];
  const frame = frameOf("video", [
    bytes(...header(0x80, 1), ...descriptor, 1, 2, 3),
    // a header extension of one word, two bytes of padding; a picture id of one byte, TL0PICIDX and TID
    bytes(...header(0xb0, 2), 0xbe, 0xde, 0, 1, 0x10, 0, 0, 0, 0x80, 0xf0, 0x11, 5, 6, 4, 5, 0, 2),
  ]);
  deepEqual(frame?.payload, bytes(1, 2, 3, 4, 5));
  deepEqual(frame?.headers[1], { sequence: 2, timestamp: 7, ssrc: 9, payloadType: 96, marker: true });
  deepEqual(frameOf("audio", [bytes(...header(0x80, 1), 8, 9)])?.payload, bytes(8, 9));
  equal(frameOf("audio", []), null);
  for (const wrong of [bytes(1, 2), bytes(...header(0x40, 1), 1), bytes(...header(0x80, 1)), bytes(...header(0xa0, 1), 9)])
    equal(frameOf("audio", [wrong]), null);
  equal(frameOf("video", [bytes(...header(0x80, 1), 0x90, 0x80, 0x81, 0x23)]), null);
});

test("entropy is bits a byte, and that of noise what chance makes of it", () => {
  equal(entropy(bytes(5, 5, 5, 5)), 0);
  equal(entropy(bytes(1, 2, 3, 4)), 2);
  equal(entropy(Uint8Array.from({ length: 256 }, (_, i) => i)), 8);
  equal(entropyOfNoise(0), 0);
  equal(entropyOfNoise(1), 0);
  let sum = 0;
  const rounds = 200;
  for (let i = 0; i < rounds; i++) sum += entropy(crypto.getRandomValues(new Uint8Array(700)));
  ok(Math.abs(sum / rounds - entropyOfNoise(700)) < 0.02);
});

test("the figures of the window are those of docs/explanation/leakage.md", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../docs/explanation/leakage.md"), "utf8");
  const rows: Readonly<Record<keyof typeof MEASURED, string>> = {
    speaks: "Who speaks (microphone open)",
    muted: "Muted or not",
    camera: "Camera on or off",
    host: "Who is host, seen from the beginning",
    host_later: "Who is host, by a few seconds in the middle",
    again: "The same person, who left and came back (addresses aside)",
    again_no_camera: "The same, where neither of two has a camera",
    long_message: "A chat message of more than 100 characters",
    short_message: "Of a short one: more than 40 characters, or not",
  };
  for (const [name, row] of Object.entries(rows)) {
    const said = text.split("\n").find((line) => line.startsWith(`| ${row} |`))?.split("|")[2] ?? row;
    equal(said.trim().split(" ")[0], MEASURED[name as keyof typeof MEASURED].toFixed(2), row);
  }
});
