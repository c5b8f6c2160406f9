/** The page subscribes to video by what it shows and how large; never by who speaks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { signal } from "@preact/signals";
import type { RemoteStream } from "../../../../client/web/src/app/mediaSide";
import type { Person } from "../../../../client/web/src/app/model";
import { camerasOf, LARGE_PAGE, onPage, PAGE, sparing, maxLayerFor, Visible } from "../../../../client/web/src/app/visible";

const of = (ssrc: number, leaf: number, stream: number): RemoteStream => ({
  ssrc, leaf, stream, media: {} as MediaStream, weak: false,
});
/** Everybody's sound is 10 times their leaf, their camera one more. */
const streams = (...leaves: number[]): RemoteStream[] => leaves.flatMap((leaf) => [of(10 * leaf, leaf, 0), of(10 * leaf + 1, leaf, 1)]);
const leaves = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);
const people = (count: number): Person[] =>
  [0, ...leaves(count)].map((leaf) => ({ leaf, name: `${leaf}`, self: leaf === 0 }) as Person);

/** A room of us and `others`. */
function room(others: number) {
  const seen = {
    people: signal<readonly Person[]>(people(others)), remote: signal<readonly RemoteStream[]>(streams(...leaves(others))),
    pinned: signal<string | null>(null), onlySpeaker: signal(false), spoke: signal<number | null>(null),
    dataSaver: signal(false), manyVideos: signal(false),
  };
  return { seen, visible: new Visible(seen) };
}
const cameras = (asked: readonly number[] | null): number[] | null =>
  asked === null ? null : asked.filter((ssrc) => ssrc % 10 === 1).map((ssrc) => (ssrc - 1) / 10);

test("a page that shows one camera subscribes to it, all sound and all screens", () => {
  const remote = [of(10, 1, 0), of(11, 1, 1), of(13, 1, 3), of(20, 2, 0), of(21, 2, 1), of(22, 2, 2)];
  assert.deepEqual([...sparing(remote, 2)], [10, 13, 20, 21, 22]);
  assert.deepEqual([...sparing(remote, null)], [10, 11, 13, 20, 22], "the first, while nobody has spoken");
  assert.deepEqual([...sparing(remote, 7)], [10, 11, 13, 20, 22], "or who has spoken shows nothing");
  assert.deepEqual([...sparing([], 2)], []);
  assert.deepEqual([...camerasOf(remote, new Set([1, 2]))], [10, 11, 13, 20, 21, 22]);
});

test("up to nine others there is one page, and all are asked for", () => {
  const { visible } = room(PAGE);
  assert.equal(onPage(leaves(PAGE), 0), null);
  assert.deepEqual([visible.pages.value, visible.page.value, visible.shown.value], [1, 0, null]);
  assert.equal(visible.request.value.ssrcs, null);
});

test("in a room of a hundred, a page subscribes to nine cameras in the room's order, and all sound", () => {
  const { visible } = room(99);
  assert.deepEqual([visible.pages.value, visible.page.value], [11, 0]);
  const { ssrcs } = visible.request.value;
  assert.deepEqual(cameras(ssrcs), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(ssrcs?.filter((ssrc) => ssrc % 10 === 0).length, 99);
  visible.turn(1);
  assert.deepEqual(cameras(visible.request.value.ssrcs), [10, 11, 12, 13, 14, 15, 16, 17, 18]);
  visible.turn(-1);
  assert.equal(visible.page.value, 10, "before the first comes the last");
  visible.turn(11);
  assert.equal(visible.page.value, 0, "and after the last the first");
});

test("whoever chose many videos sees, and asks for, twenty-five at once", () => {
  const { seen, visible } = room(60);
  visible.turn(6);
  seen.manyVideos.value = true;
  assert.deepEqual([visible.pages.value, visible.page.value], [3, 2], "a page that is no more is the last one");
  assert.deepEqual(cameras(visible.request.value.ssrcs), leaves(60).slice(50));
  visible.turn(0);
  assert.deepEqual(cameras(visible.request.value.ssrcs), leaves(25));
  assert.equal(visible.request.value.ssrcs?.filter((ssrc) => ssrc % 10 === 0).length, 60, "and all sound");
  seen.people.value = people(LARGE_PAGE);
  assert.deepEqual([visible.pages.value, visible.shown.value], [1, null]);
});

test("whoever speaks changes nothing that the server is told", () => {
  const { seen, visible } = room(30);
  visible.measured({ each: 200, large: null, voice: 700 });
  const before = JSON.stringify(visible.request.value);
  for (const leaf of [3, 20, 30, null]) {
    seen.spoke.value = leaf;
    assert.equal(JSON.stringify(visible.request.value), before);
  }
  seen.onlySpeaker.value = true;
  seen.spoke.value = 20;
  assert.deepEqual(cameras(visible.request.value.ssrcs), [20], "but where that was chosen");
  assert.deepEqual(visible.request.value.maxLayers, [[201, 2]]);
});

test("who saves data is sent each video one size smaller, and all sound", () => {
  const { seen, visible } = room(3);
  visible.measured({ each: 200, large: { id: "2 camera", height: 800 }, voice: null });
  const { ssrcs } = visible.request.value;
  seen.dataSaver.value = true;
  assert.deepEqual(visible.request.value, { ssrcs, maxLayers: [[11, 0], [21, 1], [31, 0]] });
  assert.deepEqual([...visible.useful.value], [[11, 1], [21, 2], [31, 1]], "the tiles would have room for more");
  visible.measured({ each: 100, large: null, voice: null });
  assert.deepEqual(visible.request.value.maxLayers, [[11, 0], [21, 0], [31, 0]], "there is nothing below the smallest");
});

test("a pinned member is subscribed to from every page", () => {
  const { seen, visible } = room(30);
  seen.pinned.value = "25 camera";
  assert.deepEqual(cameras(visible.request.value.ssrcs), [1, 2, 3, 4, 5, 6, 7, 8, 9, 25]);
  assert.ok(visible.shown.value?.has(25));
  visible.turn(2);
  assert.deepEqual(cameras(visible.request.value.ssrcs), [19, 20, 21, 22, 23, 24, 25, 26, 27]);
  seen.pinned.value = "3 screen";
  assert.equal(cameras(visible.request.value.ssrcs)?.length, 9, "a screen is asked for anyway");
});

test("the page that is shown is there, however many have gone", () => {
  const { seen, visible } = room(30);
  visible.turn(3);
  seen.people.value = people(12);
  assert.deepEqual([visible.page.value, visible.pages.value], [1, 2]);
  assert.deepEqual([...(visible.shown.value ?? [])], [10, 11, 12]);
  seen.people.value = people(9);
  assert.equal(visible.shown.value, null);
  visible.clear();
  seen.people.value = people(30);
  assert.equal(visible.page.value, 0, "another meeting begins at its first page");
});

test("the subscribed layer fits the size of its tile", () => {
  assert.deepEqual([0, 150, 151, 300, 301, 2000].map((height) => maxLayerFor(height, undefined)), [0, 0, 1, 1, 2, 2]);
  // a window that is dragged to and fro about a step asks once
  assert.deepEqual([290, 260, 255].map((height) => maxLayerFor(height, 2)), [2, 2, 1]);
  assert.deepEqual([140, 128, 127].map((height) => maxLayerFor(height, 1)), [1, 1, 0]);
  assert.equal(maxLayerFor(140, 2), 0, "much smaller is smaller");
  assert.equal(maxLayerFor(310, 0), 2);
});

test("sizes of places become layers", () => {
  const { seen, visible } = room(3);
  seen.remote.value = [...seen.remote.value, of(13, 1, 3)];
  assert.deepEqual(visible.request.value.maxLayers, [], "before anything is measured all are wanted as they come");
  visible.measured({ each: 200, large: null, voice: null });
  assert.deepEqual(visible.request.value.maxLayers, [[11, 1], [21, 1], [31, 1], [13, 1]]);
  visible.measured({ each: 120, large: { id: "1 screen", height: 800 }, voice: null });
  assert.deepEqual(visible.request.value.maxLayers, [[11, 0], [21, 0], [31, 0], [13, 2]]);
  visible.measured({ each: 120, large: { id: "2 camera", height: 800 }, voice: null });
  assert.deepEqual(visible.request.value.maxLayers, [[11, 0], [21, 2], [31, 0], [13, 0]]);
  visible.measured({ each: 120, large: null, voice: 800 });
  const all = [[11, 1], [21, 1], [31, 1], [13, 0]];
  assert.deepEqual(visible.request.value.maxLayers, all, "any may be the next to speak");
});
