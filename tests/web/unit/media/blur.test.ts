/** The camera's path through the blur: nothing but what the blur has made is used while it is on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { signal } from "@preact/signals";
import { Blur, type Blurred, type Pipe } from "../../../../client/web/src/media/blur";

type Track = MediaStreamTrack;

const track = (name: string): Track => ({ name }) as unknown as Track;
const CAMERA = track("camera");
const OTHER = track("other camera");

/** A blur that a test starts or breaks, and the media side as `media/room.ts` has it. */
function made() {
  const used: (Track | null)[] = [];
  const started: { readonly camera: Track; readonly track: Track; ready(): Promise<void>; fail(): Promise<void>; lost(): void }[] = [];
  const running = new Map<Track, Track>();
  const state = signal<Blurred>("note");
  let on = true;
  const settle = (): Promise<void> => new Promise((done) => setImmediate(done));
  const blur: Blur = new Blur(
    state,
    () => assert.fail("the opener makes it"),
    (each) => void used.push(each),
    () => {
      blur.take(null, on); // the camera is released
      state.value = "failed";
    },
    (_, camera, lost) =>
      new Promise((done, reject) => {
        const output = track(`blurred ${started.length}`);
        const pipe: Pipe = {
          track: output,
          show: (shown) => void running.set(output, shown),
          end: () => void running.delete(output),
        };
        started.push({
          camera, track: output, lost,
          ready: () => {
            running.set(output, camera);
            done(pipe);
            return settle();
          },
          fail: () => {
            reject(new Error("no file"));
            return settle();
          },
        });
      }),
  );
  const take = (camera: Track | null, is = on): void => {
    on = is;
    blur.take(camera, is);
  };
  return { take, used, started, running, state };
}

test("without blur the camera is used as it is, and nothing is started", () => {
  const { take, used, started } = made();
  take(CAMERA, false);
  take(null, false);
  assert.deepEqual(used, [CAMERA, null]);
  assert.equal(started.length, 0);
});

test("with blur nothing is used until there is a blurred frame", async () => {
  const { take, used, started, state } = made();
  take(CAMERA, false);
  take(CAMERA, true);
  assert.deepEqual(used, [CAMERA, null], "the camera is taken away at once");
  assert.equal(state.value, "loading");
  await started[0]!.ready();
  assert.deepEqual(used, [CAMERA, null, started[0]!.track]);
  assert.equal(state.value, "note");
});

test("another camera goes through the same blur, and the output stays", async () => {
  const { take, used, started, running } = made();
  take(CAMERA);
  await started[0]!.ready();
  take(OTHER);
  assert.deepEqual(used, [null, started[0]!.track]);
  assert.deepEqual([...running], [[started[0]!.track, OTHER]]);
  assert.equal(started.length, 1);
});

test("a camera that goes off, or blur that is turned off, releases the blur", async () => {
  const { take, used, started, running } = made();
  take(CAMERA);
  await started[0]!.ready();
  take(null);
  assert.equal(used.at(-1), null);
  assert.equal(running.size, 0);
  take(CAMERA);
  await started[1]!.ready();
  take(CAMERA, false);
  assert.equal(used.at(-1), CAMERA);
  assert.equal(running.size, 0);
});

test("a blur that comes after its camera is gone is not used", async () => {
  const { take, used, started, running, state } = made();
  take(CAMERA);
  take(null);
  assert.equal(state.value, "note", "nothing is loaded for nobody");
  await started[0]!.ready();
  assert.deepEqual(used, [null, null]);
  assert.equal(running.size, 0, "it is released");
  take(CAMERA);
  take(OTHER);
  await started[1]!.ready();
  assert.equal(used.at(-1), null, "it shows the camera before");
  await started[2]!.ready();
  assert.equal(used.at(-1), started[2]!.track);
  assert.equal(running.size, 1);
});

test("blur that is turned off while it is loaded stays off", async () => {
  const { take, used, started, running, state } = made();
  take(CAMERA);
  take(CAMERA, false);
  assert.equal(state.value, "note");
  await started[0]!.ready();
  assert.deepEqual(used, [null, CAMERA]);
  assert.equal(running.size, 0);
});

test("a blur that does not start turns the camera off, and another attempt is possible", async () => {
  const { take, used, started, state } = made();
  take(CAMERA);
  await started[0]!.fail();
  assert.equal(state.value, "failed");
  assert.ok(used.every((each) => each === null));
  take(CAMERA);
  assert.equal(state.value, "loading");
  await started[1]!.ready();
  assert.equal(used.at(-1), started[1]!.track);
});

test("a blur that stops turns the camera off: its own track is never used instead", async () => {
  const { take, used, started, running, state } = made();
  take(CAMERA);
  await started[0]!.ready();
  started[0]!.lost();
  assert.equal(used.at(-1), null);
  assert.equal(state.value, "failed");
  assert.equal(running.size, 0);
  assert.ok(!used.includes(CAMERA));
});

test("an old blur's failure does not concern the new one", async () => {
  const { take, used, started, state } = made();
  take(CAMERA);
  take(OTHER);
  await started[1]!.ready();
  await started[0]!.fail();
  started[0]!.lost();
  assert.equal(state.value, "note");
  assert.equal(used.at(-1), started[1]!.track);
});
