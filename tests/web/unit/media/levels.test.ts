import assert from "node:assert/strict";
import { test } from "node:test";
import { HOLD, levelOf, PATIENCE, SpeakerChooser } from "../../../../client/web/src/media/levels";
import { gridOf } from "../../../../client/web/src/media/recorder";
import { troubleOf } from "../../../../client/web/src/media/devices";

const STEP = 0.1;

class Room {
  readonly chooser = new SpeakerChooser();
  now = 50;

  /** For so many seconds they are that loud. Whoever was the speaker in it, without repetitions. */
  hear(seconds: number, levels: Readonly<Record<number, number>>): (number | null)[] {
    const told: (number | null)[] = [];
    for (let i = 0; i < Math.round(seconds / STEP); i++) {
      const speaker = this.chooser.hear(new Map(Object.entries(levels).map(([leaf, level]) => [Number(leaf), level])), this.now);
      if (told.at(-1) !== speaker) told.push(speaker);
      this.now += STEP;
    }
    return told;
  }
}

test("the speaker is chosen, and stays chosen in silence", () => {
  const room = new Room();
  assert.deepEqual(room.hear(1, { 1: 0.1, 2: 0.05 }), [null]);
  assert.deepEqual(room.hear(1, { 1: 0.1, 2: 0.7 }), [2]);
  assert.deepEqual(room.hear(20, { 1: 0.1, 2: 0.1 }), [2]);
});

test("a cough moves nobody", () => {
  const room = new Room();
  room.hear(3, { 1: 0.6, 2: 0.1 });
  assert.deepEqual(room.hear(0.3, { 1: 0.6, 2: 0.95 }), [1]);
  assert.deepEqual(room.hear(5, { 1: 0.6, 2: 0.1 }), [1]);
});

test("a louder speaker takes over after some time", () => {
  const room = new Room();
  room.hear(3, { 1: 0.6, 2: 0.1 });
  const began = room.now;
  assert.deepEqual(room.hear(4, { 1: 0.1, 2: 0.7 }), [1, 2]);
  assert.ok(room.now - began >= PATIENCE);
  // two who speak at once don't take it from each other all the time
  let changes = 0;
  for (let i = 0; i < 20; i++) changes += room.hear(0.5, i % 2 === 0 ? { 1: 0.9, 2: 0.5 } : { 1: 0.5, 2: 0.9 }).length - 1;
  assert.ok(changes <= 10 / HOLD, `${changes} changes in ten seconds`);
});

test("a member who left is no speaker any more", () => {
  const room = new Room();
  room.hear(2, { 1: 0.8, 2: 0.1 });
  assert.deepEqual(room.hear(1, { 2: 0.1 }), [null]);
});

test("levels go from silence to full scale", () => {
  assert.equal(levelOf(new Float32Array(100)), 0);
  assert.equal(levelOf(new Float32Array(100).fill(1)), 1);
  const quiet = levelOf(new Float32Array(100).fill(0.01));
  const loud = levelOf(new Float32Array(100).fill(0.1));
  assert.ok(quiet > 0.3 && quiet < 0.5 && loud > 0.7 && loud < 0.9, `${quiet} ${loud}`);
});

test("a recording's grid has room for all, and not much more", () => {
  for (let count = 0; count <= 49; count++) {
    const [columns, rows] = gridOf(count);
    assert.ok(columns * rows >= Math.max(1, count) && columns * (rows - 1) < Math.max(1, count), `${count}`);
  }
});

test("refusals of devices are told apart", () => {
  const named = (name: string): DOMException => new DOMException("", name);
  assert.equal(troubleOf(named("NotAllowedError")), "refused");
  assert.equal(troubleOf(named("NotFoundError")), "none_found");
  assert.equal(troubleOf(named("OverconstrainedError")), "none_found");
  assert.equal(troubleOf(named("NotReadableError")), "in_use");
  assert.equal(troubleOf(named("SecurityError")), "insecure");
  assert.equal(troubleOf(new TypeError("")), "unsupported");
  assert.equal(troubleOf("?"), "failed");
});
